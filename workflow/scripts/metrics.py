"""Puts the metrics of all models and media into one table."""

import sys

import pandas as pd

job = snakemake  # noqa: F821

sys.stderr = open(job.log[0], "w", buffering=1)  # noqa: SIM115
tables = [pd.read_csv(path, sep="\t") for path in job.input]
pd.concat(tables).to_csv(job.output[0], sep="\t", index=False)
