"""Draws Figure S2: more examples of saliency maps at sites of the selected motifs."""

import sys

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.motifs.matching import sources
from crmnet.motifs.motif import read_meme
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
scanned = {motif.name: motif for motif in read_meme(job.input.scanned)}
known = sources(read_table(job.input.motifs, ["e_value"]), job.params.measure, job.params.cutoff)
page, table = motif_figures.figure_s2(scanned, read_table(job.input.examples), known)
print(f"{table['panel'].nunique()} examples", file=sys.stderr)
save(page, job.output.pdf)
write_tsv(job.output.tsv, table)
