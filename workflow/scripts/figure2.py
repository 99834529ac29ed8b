"""Draws Figure 2 and, for the other media, Figure S1: measured and predicted expression."""

import sys

import pandas as pd

from crmnet.data.predictions import read
from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import scatter
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
panels = list(job.params.panels)
media = list(dict.fromkeys(medium for medium, *_ in panels))
predictions = dict(zip(media, map(read, job.input.predictions), strict=True))
metrics = pd.concat(read_table(path, ["p_value"]) for path in job.input.metrics)
by_seed = pd.concat(read_table(path) for path in job.input.seeds).fillna({"problem": ""})
try:
    numbers = scatter.panel_numbers(panels, predictions, metrics)
except ValueError as error:
    files = ", ".join([*job.input.predictions, *job.input.metrics])
    raise ValueError(f"{error}; delete {files} and run the workflow again") from error
print(numbers.to_string(), file=sys.stderr)
page = scatter.draw(panels, predictions, numbers, by_seed, job.params.expression)
save(page, job.output.pdf)
write_tsv(job.output.tsv, numbers)
