"""Draws Figure 5: saliency maps, the motifs of highly expressed promoters, and their effects."""

import sys

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.motifs.matching import sources
from crmnet.motifs.motif import read_meme, selected
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
table = read_table(job.input.motifs, ["e_value"]).fillna({"ties": ""})
motifs = selected(table, job.params.sites)
scanned = {motif.name: motif for motif in read_meme(job.input.scanned)}
examples = read_table(job.input.examples)
examples = examples[examples["example"] == 1]
effects = read_table(job.input.effects)
print(
    f"{len(motifs)} motifs selected, {examples['target'].nunique()} with a match", file=sys.stderr
)
known = sources(table, job.params.measure, job.params.cutoff)
page, table = motif_figures.figure_5(
    motifs, scanned, examples, effects, known, job.params.expression, job.params.map
)
save(page, job.output.pdf)
write_tsv(job.output.tsv, table)
