"""Measures how well a model's predictions agree with the measurements, test set by test set."""

import sys

import pandas as pd

from crmnet.evaluation import metrics
from crmnet.logs import log_to
from crmnet.predictions import read

job = snakemake  # noqa: F821

log_to(job.log[0])
parts = []
for name, rows in read(job.input.predictions).groupby("test_set", sort=False):
    found = metrics(
        rows["measured"],
        rows["predicted"],
        replicates=job.params.replicates,
        seed=job.params.seed,
    )
    print(f"{name}: {found.to_string(index=False)}", file=sys.stderr)
    parts.append(found.assign(test_set=name))
table = pd.concat(parts).assign(model=job.wildcards.predictor, medium=job.wildcards.medium)
columns = ["model", "medium", "test_set", "metric", "value", "low", "high", "n", "p_value"]
table[columns].to_csv(job.output[0], sep="\t", index=False)
