"""Figures 3 and 4: models side by side on several test sets, each tested against the first."""

import sys

import pandas as pd

from crmnet.data.tsv import read_table
from crmnet.evaluation.metrics import undecided
from crmnet.evaluation.statistics import holm
from crmnet.logs import log_to
from crmnet.report import plotting

job = snakemake
DRAWN = {"pearson_r": "Pearson's r", "r2": "R²"}
# What the paper prints as "R2" is in the table.
METRICS = [*DRAWN, "squared_r"]
KEY = ["medium", "test_set", "model", "metric"]

log_to(job.log[0])
first = job.params.model
models = list(dict.fromkeys([first, *job.params.models]))
metrics = pd.concat(read_table(path) for path in job.input.metrics)
metrics = metrics.drop(columns="p_value")
by_seed = pd.concat(read_table(path) for path in job.input.seeds)
by_seed = by_seed.fillna({"problem": ""})
by_seed = by_seed[by_seed["metric"].isin(METRICS)]
trainings = pd.DataFrame(
    [
        (
            *key,
            list(of["value"]) if len(of) > 1 else [],
            "; ".join(
                f"seed {seed}: {why}"
                for seed, why in zip(of["seed"], of["problem"], strict=True)
                if why
            ),
        )
        for key, of in by_seed.groupby(KEY)
    ],
    columns=[*KEY, "values", "problem"],
)
comparisons = read_table(job.input.comparisons)
comparisons = comparisons[comparisons["model"] == first].drop(columns="model")
comparisons = comparisons.rename(
    columns={"against": "model", "low": "difference_low", "high": "difference_high", "n": "tested"}
)
# What others published, or released, is the one predictor that it is.
given = by_seed[by_seed["seed"].isin(["published", "released"])]
given = set(zip(given["model"], given["medium"], strict=True))
comparisons["undecided"] = [
    undecided(
        row.seeds,
        row.against_seeds,
        published=(first, row.medium) in given,
        against_published=(row.model, row.medium) in given,
    )
    for row in comparisons.itertuples()
]
comparisons = comparisons.drop(columns=["seeds", "against_seeds", "families"])
rows = metrics[metrics["model"].isin(models) & metrics["metric"].isin(METRICS)]
rows = rows.sort_values("model", key=lambda column: column.map(models.index), kind="stable")
rows = rows.merge(trainings, on=KEY, how="left", validate="one_to_one")
rows = rows.merge(comparisons, on=KEY, how="left", validate="one_to_one")
rows = rows.fillna({"undecided": ""})

parts = []
for letter, (medium, test_set, _) in zip(
    plotting.letters(len(job.params.panels)), job.params.panels, strict=True
):
    part = rows[(rows["medium"] == medium) & (rows["test_set"] == test_set)]
    if first not in set(part["model"]):
        raise ValueError(
            f"test set {test_set} of {medium}: there are no metrics of {first} in "
            + ", ".join(job.input.metrics)
        )
    # Each of the same sequences, and compared on these.
    others = part["model"] != first
    if part["n"].nunique() > 1 or (part["tested"] != part["n"])[others].any():
        raise ValueError(
            f"test set {test_set} of {medium}: the models' metrics are of n = "
            f"{sorted(part['n'].unique())}, but those tested in {job.input.comparisons} of n = "
            f"{sorted(part.loc[others, 'tested'].unique())}; make all anew"
        )
    adjusted = part.groupby("metric")["p_value"].transform(holm)
    parts.append(part.assign(panel=letter, p_holm=adjusted))
    print(
        f"panel {letter}: {medium}, {test_set}, {len(set(part['model']))} models", file=sys.stderr
    )
table = pd.concat(parts)

shown = pd.DataFrame(
    {
        "label": [job.params.labels.get(model, model) for model in models],
        "published": [model.endswith("-published") for model in models],
    },
    index=pd.Index(models, name="model"),
)
figure, axes = plotting.pairs(len(parts), len(models))
for column, (metric, name) in enumerate(DRAWN.items()):
    limits = plotting.comparison_limits(table[table["metric"] == metric])
    for part, pair in zip(parts, axes, strict=True):
        found = part[part["metric"] == metric].set_index("model")
        plotting.comparison(pair[column], shown.join(found), limits)
        pair[column].set_xlabel(name)
for part, (left, _), (_, _, title) in zip(parts, axes, job.params.panels, strict=True):
    plotting.panel(left, part["panel"].iloc[0], f"{title} (N = {part['n'].iloc[0]:,})")
# Of those that have predictions.
found = table.drop_duplicates("model").set_index("model")
plotting.comparison_legend(figure, shown.join(found, how="inner"))
plotting.save(figure, job.output.pdf)

table["comparison"] = (first + " - " + table["model"]).where(table["model"] != first)
columns = ["panel", *KEY, "seed", "value", "low", "high", "n", "families", "seeds", "comparison"]
columns += ["difference", "difference_low", "difference_high", "p_value", "p_holm", "undecided"]
several = by_seed.merge(table.loc[table["seeds"] > 1, ["panel", *KEY]], on=KEY)
table = pd.concat([table.assign(seed="all"), several]).sort_values("panel", kind="stable")
counts = ["n", "families", "seeds"]
table[counts] = table[counts].astype("Int64")
table[[*columns, "problem"]].to_csv(job.output.tsv, sep="\t", index=False)
