"""Draws Figures 3 and 4: models side by side on several test sets, each compared with the first."""

import sys

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import comparison
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
first, panels = job.params.model, job.params.panels
models = list(dict.fromkeys([first, *job.params.models]))
metrics = pd.concat(read_table(path) for path in job.input.metrics)
by_seed = pd.concat(read_table(path) for path in job.input.seeds).fillna({"problem": ""})
by_seed = by_seed[by_seed["metric"].isin(comparison.METRICS)]
comparisons = read_table(job.input.comparisons)
try:
    rows = comparison.panel_rows(first, models, panels, metrics, by_seed, comparisons)
except ValueError as error:
    files = ", ".join([*job.input.metrics, job.input.comparisons])
    raise ValueError(f"{error} (read from {files})") from error
for letter, part in rows.groupby("panel", sort=False):
    print(f"panel {letter}: {part['model'].nunique()} models", file=sys.stderr)
save(comparison.draw(rows, models, panels, job.params.labels), job.output.pdf)
table = comparison.table(first, rows, by_seed)
write_tsv(job.output.tsv, table)
