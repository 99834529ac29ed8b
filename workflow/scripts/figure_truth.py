"""Draws how well the planted motifs and sites of simulated promoters were found."""

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
motifs = read_table(job.input.found, ["e_value"])
sites = read_table(job.input.sites)
curve = read_table(job.input.curve)
save(motif_figures.truth(motifs, sites, curve, job.params.threshold), job.output.pdf)
parts = [motifs.assign(panel="A"), sites.assign(panel="BCD"), curve.assign(panel="C")]
write_tsv(job.output.tsv, pd.concat(parts))
