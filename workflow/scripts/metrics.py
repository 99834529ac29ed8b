"""Puts the metrics of all models and media into one table."""

import pandas as pd

from crmnet.logs import log_to

job = snakemake  # noqa: F821

log_to(job.log[0])
for paths, output in (
    (job.input.tables, job.output.table),
    (job.input.seeds, job.output.seeds),
):
    tables = [pd.read_csv(path, sep="\t") for path in paths]
    pd.concat(tables).to_csv(output, sep="\t", index=False)
