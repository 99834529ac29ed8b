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
curve, maps = read_table(job.input.curve), read_table(job.input.maps)
shown = curve[curve["map"].isin(["gradient", job.params.map])]
page = motif_figures.truth(motifs, sites, shown, maps, job.params.threshold, job.params.map)
save(page, job.output.pdf)
parts = [motifs.assign(panel="A"), sites.assign(panel="BD"), shown.assign(panel="C")]
parts.append(maps.assign(panel="CEF"))
write_tsv(job.output.tsv, pd.concat(parts))
