"""Draws saliency maps of the first sequences with their variants, and all predictions and
effects."""

import sys

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import score_figure
from crmnet.report.style import save

job = snakemake
# Rows of the maps' table that are read at a time, because it may be of any size.
CHUNK = 1 << 18

log_to(job.log[0])
labels = job.params.labels
predictions = read_table(job.input.predictions)
maps = variants = None
if path := job.input.get("variants"):
    variants = read_table(path)
shown = score_figure.mapped(predictions, variants, len(labels))
if path := job.input.get("saliency"):
    chunks = read_table(path, chunksize=CHUNK)
    maps = pd.concat([chunk[chunk["id"].isin(shown["id"])] for chunk in chunks])
page, table = score_figure.draw(
    predictions, variants, shown, maps, labels, job.params.saturated, job.params.expression
)
save(page, job.output.pdf)
write_tsv(job.output.tsv, table, digits=6)
print(f"maps of {table['id'].nunique()} sequences drawn", file=sys.stderr)
