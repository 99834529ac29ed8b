"""What motifs' sites do to the predicted expression of random inserts: over all, by position."""

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.report import motif_figures
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
table = read_table(job.input[0])
save(motif_figures.insertion(table), job.output.pdf)
table.to_csv(job.output.tsv, sep="\t", index=False, float_format="%.6g")
