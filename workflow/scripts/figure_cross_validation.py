"""Draws measured expression against out-of-fold predictions, and Pearson's r in each fold."""

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.report import cross_validation
from crmnet.report.style import save

job = snakemake

log_to(job.log[0])
predictions = read_table(job.input.predictions, ["fold"])
metrics = read_table(job.input.metrics, ["fold", "p_value"]).fillna({"problem": ""})
titles = {tuple(name.split()): title for name, title in job.params.titles.items()}
numbers = cross_validation.panel_numbers(list(titles), metrics)
page = cross_validation.draw(titles, predictions, numbers, job.params.expression)
save(page, job.output.pdf)
write_tsv(job.output.tsv, numbers)
