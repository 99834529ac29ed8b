"""Joins the predictions of all folds, and measures how well they agree with the measurements."""

from itertools import product

import numpy as np
import pandas as pd

from crmnet.data import predictions
from crmnet.data.sequences import Construct
from crmnet.data.splits import families_of
from crmnet.data.tables import table_of
from crmnet.data.tsv import read_table, write_tsv
from crmnet.evaluation.learning import problem
from crmnet.evaluation.metrics import metrics
from crmnet.logs import log_to, say

job = snakemake

log_to(job.log[0])
ALL = "all"
values = read_table(job.input.folds, ["values"]).fillna({"values": ""})
# A fold of a column has the name of its values.
names = {fold: of["values"].iloc[0] or str(fold) for fold, of in values.groupby("fold")}
families = {
    medium: families_of(
        [table_of(entry) for entry in tables],
        Construct(**job.params.construct),
        **job.params.relatives,
    )
    for medium, tables in job.params.tables.items()
}
paths, histories = iter(job.input.predictions), iter(job.input.histories)
tables, numbers = [], []
for model, medium in product(job.params.seeds, families):
    seeds = job.params.seeds[model]
    sequences, family = families[medium]
    parts, problems = [], dict.fromkeys([ALL, *names.values()], "")
    for name in names.values():
        rows = predictions.read(next(paths))
        parts.append(rows.assign(fold=name))
        found = [problem(read_table(next(histories)), rows[seed].to_numpy()) for seed in seeds]
        problems[name] = "; ".join(
            f"seed {seed}: {why}" for seed, why in zip(seeds, found, strict=True) if why
        )
        if problems[name]:
            say(f"{model}, {medium}, fold {name}: {problems[name]}")
    rows = pd.concat(parts, ignore_index=True)
    if list(rows["sequence"]) != sequences:
        raise ValueError(
            f"{model}, {medium}: the predictions and the tables of the folds do not have the same "
            "sequences row by row; delete the folder `folds` and run the workflow again"
        )
    # A sequence with several folds counts in its first.
    rows = rows.assign(family=family).drop_duplicates("sequence")
    for name in problems:
        of = rows if name == ALL else rows[rows["fold"] == name]
        table = metrics(
            of["measured"].to_numpy(),
            of[seeds].to_numpy(),
            of["family"].to_numpy(),
            replicates=job.params.replicates,
            seed=job.params.seed,
        )
        numbers.append(table.assign(model=model, medium=medium, fold=name, problem=problems[name]))
    rows["prediction"] = np.mean([rows[seed] for seed in seeds], axis=0)
    rows = rows.assign(model=model, medium=medium)
    columns = ["model", "medium", "fold", "family", "sequence", "measured", "prediction"]
    # With several seeds, the prediction is the mean of theirs.
    tables.append(rows[[*columns, *(seeds if len(seeds) > 1 else [])]])
write_tsv(job.output.predictions, pd.concat(tables))
columns = ["model", "medium", "fold", "metric", "value", "low", "high", "n", "families", "seeds"]
write_tsv(job.output.metrics, pd.concat(numbers)[[*columns, "p_value", "problem"]])
