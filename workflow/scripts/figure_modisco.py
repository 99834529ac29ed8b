"""Draws the motifs of the saliency maps: logos, effects on expression and matching known motifs."""

import sys

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.motifs.matching import sources
from crmnet.motifs.motif import read_meme
from crmnet.motifs.selection import best_matches
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
motifs = read_meme(job.input.motifs)
measure, matches = job.params.measure, read_table(job.input.matches)
table = read_table(job.input.table).join(best_matches(matches, measure), on="motif")
print(f"{len(motifs)} motifs", file=sys.stderr)
known = sources(matches, measure, job.params.cutoff)
page = motif_figures.patterns(motifs, table, measure, known, job.params.expression)
save(page, job.output.pdf)
write_tsv(job.output.tsv, table.assign(measure=measure), digits=6)
