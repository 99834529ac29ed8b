"""Puts the metrics of all models and media into one table."""

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
for paths, output in (
    (job.input.tables, job.output.table),
    (job.input.seeds, job.output.seeds),
):
    tables = [read_table(path, ["p_value"]) for path in paths]
    write_tsv(output, pd.concat(tables))
