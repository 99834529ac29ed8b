"""Draws how saliency maps from randomised weights correlate with those of the trained model."""

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
table = read_table(job.input.sanity)
save(motif_figures.sanity(table), job.output.pdf)
write_tsv(job.output.tsv, table)
