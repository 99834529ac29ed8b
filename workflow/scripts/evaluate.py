"""Measures how well a model's predictions agree with the measurements of each test set."""

import sys

import pandas as pd

from crmnet.data.predictions import KEY, test_sets
from crmnet.data.tsv import read_table, write_tsv
from crmnet.evaluation.learning import problem
from crmnet.evaluation.metrics import metrics
from crmnet.logs import log_to, say

job = snakemake

log_to(job.log[0])
model = {"model": job.wildcards.predictor, "medium": job.wildcards.medium}
histories = [read_table(path) for path in job.input.histories]
parts, of_seeds = [], []
for name, rows in test_sets(job.input.predictions, job.input.families).items():
    predicted = rows.drop(columns=KEY)
    numbers = metrics(
        rows["measured"].to_numpy(),
        predicted.to_numpy(),
        rows.index.to_numpy(),
        replicates=job.params.replicates,
        seed=job.params.seed,
    )
    print(f"{name}: {numbers.to_string(index=False)}", file=sys.stderr)
    parts.append(numbers.assign(test_set=name, **model))
    # Models that were not trained here have no histories.
    for training, history in zip(
        predicted.columns, histories or [None] * predicted.shape[1], strict=True
    ):
        values = predicted[training].to_numpy()
        measured = rows["measured"].to_numpy()
        one = metrics(measured, values, replicates=0)[["metric", "value"]]
        why = problem(history, values, measured)
        if undefined := [*one.loc[one["value"].isna(), "metric"]]:
            say(f"{name}, training {training}: no {' and no '.join(undefined)}, because {why}")
        elif why:
            print(f"{name}, training {training}: {why}", file=sys.stderr)
        of_seeds.append(one.assign(test_set=name, seed=training, problem=why, **model))
columns = [
    "model",
    "medium",
    "test_set",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "families",
    "seeds",
]
table = pd.concat(parts)[[*columns, "p_value"]]
write_tsv(job.output.table, table)
columns = ["model", "medium", "test_set", "seed", "metric", "value", "problem"]
write_tsv(job.output.seeds, pd.concat(of_seeds)[columns])
