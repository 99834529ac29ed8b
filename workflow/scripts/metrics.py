"""Puts the metrics of all models and media into one table."""

import pandas as pd

from crmnet.logs import log_to

job = snakemake  # noqa: F821

log_to(job.log[0])
tables = [pd.read_csv(path, sep="\t") for path in job.input.tables]
pd.concat(tables).to_csv(job.output[0], sep="\t", index=False)
