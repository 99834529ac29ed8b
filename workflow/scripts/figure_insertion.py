"""Draws the effects of motif sites on the predicted expression of random inserts, over all
positions and by position."""

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
table = read_table(job.input[0])
save(motif_figures.insertion(table, job.params.expression), job.output.pdf)
write_tsv(job.output.tsv, table, digits=6)
