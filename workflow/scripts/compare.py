"""Compares a model with others on the same sequences: differences of metrics, with a bootstrap of
families and the spread between trainings."""

import sys
from itertools import product

import pandas as pd

from crmnet.data.predictions import KEY, test_sets
from crmnet.data.tsv import write_tsv
from crmnet.evaluation.metrics import paired_difference
from crmnet.logs import log_to

job = snakemake
SAME = ["sequence", "measured"]


log_to(job.log[0])
model = job.params.model
families = dict(zip(job.params.media, job.input.families, strict=True))
paths = dict(zip(map(tuple, job.params.tables), job.input.predictions, strict=True))
media = [medium for predictor, medium in paths if predictor == model]
parts = []
for medium, against in product(media, job.params.against):
    if (against, medium) not in paths:
        continue
    path, other_path = paths[model, medium], paths[against, medium]
    mine = test_sets(path, families[medium])
    for name, other in test_sets(other_path, families[medium]).items():
        if name not in mine or not mine[name][SAME].equals(other[SAME]):
            raise ValueError(
                f"test set {name}: {path} and {other_path} do not have the same sequences and "
                "measurements in the same rows; delete both files and run the workflow again"
            )
        first, second = mine[name].drop(columns=KEY), other.drop(columns=KEY)
        if paired := set(first) == set(second):
            second = second[list(first)]
        differences = paired_difference(
            other["measured"].to_numpy(),
            first.to_numpy(),
            second.to_numpy(),
            other.index.to_numpy(),
            paired=paired,
            replicates=job.params.replicates,
            seed=job.params.seed,
        )
        print(f"{medium}, {name}: {model} - {against}\n{differences}", file=sys.stderr)
        parts.append(differences.assign(medium=medium, test_set=name, model=model, against=against))
if not parts:
    raise ValueError(
        f"there are no predictions of {', '.join(job.params.against)} in the media of {model}, so "
        "nothing can be compared; correct `against` of the figure in the config"
    )
columns = ["medium", "test_set", "model", "against", "metric", "difference", "low", "high", "n"]
columns += ["families", "seeds", "against_seeds", "p_value"]
write_tsv(job.output[0], pd.concat(parts)[columns])
