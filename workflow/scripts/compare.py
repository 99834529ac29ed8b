"""Tests a model against others on the same sequences: differences of metrics, paired bootstrap."""

import sys
from itertools import product

import pandas as pd

from crmnet.evaluation import paired_difference
from crmnet.logs import log_to
from crmnet.predictions import read

job = snakemake  # noqa: F821
SAME = ["sequence", "measured"]


def test_sets(path):
    groups = read(path).groupby("test_set", sort=False)
    return {name: rows.reset_index(drop=True) for name, rows in groups}


log_to(job.log[0])
model = job.params.model
paths = dict(zip(map(tuple, job.params.tables), job.input.predictions, strict=True))
media = [medium for of, medium in paths if of == model]
parts = []
for medium, against in product(media, job.params.against):
    if (against, medium) not in paths:
        continue
    path, other_path = paths[model, medium], paths[against, medium]
    mine = test_sets(path)
    for name, other in test_sets(other_path).items():
        if name not in mine or not mine[name][SAME].equals(other[SAME]):
            raise ValueError(
                f"test set {name}: {path} and {other_path} do not hold the same sequences and "
                "measurements row by row; make both anew from the same test table"
            )
        found = paired_difference(
            other["measured"],
            mine[name]["predicted"],
            other["predicted"],
            replicates=job.params.replicates,
            seed=job.params.seed,
        )
        print(f"{medium}, {name}: {model} - {against}\n{found}", file=sys.stderr)
        parts.append(found.assign(medium=medium, test_set=name, model=model, against=against))
if not parts:
    raise ValueError(f"no predictions of {', '.join(job.params.against)} to test {model} against")
columns = ["medium", "test_set", "model", "against", "metric"]
columns += ["difference", "low", "high", "n", "p_value"]
pd.concat(parts)[columns].to_csv(job.output[0], sep="\t", index=False)
