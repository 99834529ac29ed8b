"""Draws the training curves: loss and validation R2 of every training over the epochs."""

import sys

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import training_curves
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
histories = {
    name: read_table(path) for name, path in zip(job.params.names, job.input.histories, strict=True)
}
models = {}
for name, history in histories.items():
    model, _, stage = name.split("/")
    models.setdefault(job.params.labels[model], {}).setdefault(stage, []).append(history)
save(training_curves.draw(models, job.params.stages), job.output.pdf)

table = pd.concat(histories, names=["training"]).reset_index("training")
write_tsv(job.output.tsv, table)
print(f"{len(histories)} trainings, {len(table)} epochs", file=sys.stderr)
