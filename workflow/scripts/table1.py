"""Makes Table 1: training times by local batch size, precision and devices, beside the paper's."""

import json
from pathlib import Path

import yaml

from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to
from crmnet.report import training_times
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
cells = [json.loads(Path(path).read_text()) for path in job.input.cells]
paper = yaml.safe_load(Path(job.input.paper).read_text())
table = training_times.table(cells, paper)
write_tsv(job.output.tsv, table)
lines, below = training_times.texts(table), training_times.note(cells, paper)
Path(job.output.md).write_text(training_times.markdown(lines, below))
save(training_times.draw(lines, below), job.output.pdf)
