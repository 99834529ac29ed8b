"""Estimates the hours that the trainings of the paper's config take, before one is started:
`python -m crmnet.training.cost`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import yaml

from crmnet.configuration import CONFIG, checked
from crmnet.models import registry
from crmnet.plan import PRETRAINED, Plan
from crmnet.training.benchmark import operations

REFERENCE = "crmnet"


def trainings(plan: Plan, rows: dict[str, float]) -> pd.DataFrame:
    """Returns the trainings of a run, in the order of the config. It imports no framework.

    Args:
        plan: the plan of the run.
        rows: medium -> number of measured sequences in its training files; NaN if it is unknown.

    Returns:
        Columns training (model/seed/stage), model, stage, epochs (at most), sequences (per epoch,
        NaN if unknown).
    """
    kept = 1 - plan.config["data"]["validation_fraction"]
    table = []
    for model, seed, stage in plan.trainings:
        recipe = plan.recipe(model, plan.stage_kind(model, stage))
        media = rows if stage == PRETRAINED else [stage]
        sequences = kept * sum(rows[medium] for medium in media)
        epochs = recipe["epochs"]
        if budget := plan.budget(model):
            drawn = {"pretrain": kept * sum(rows.values()), "finetune": sequences}
            steps = sum(
                of["epochs"] * drawn[name] / of["batch_size"] for name, of in budget.items()
            )
            epochs = np.round(steps * recipe["batch_size"] / sequences)
        table.append((f"{model}/{seed}/{stage}", model, stage, epochs, np.round(sequences)))
    return pd.DataFrame(table, columns=["training", "model", "stage", "epochs", "sequences"])


def work(plan: Plan, models: Iterable[str]) -> np.ndarray:
    """Returns the operations per sequence (n,) of models, relative to the model `REFERENCE`."""
    built: dict[str, int] = {}

    def counted(model):
        architecture = plan.architecture(model)
        key = repr(architecture)
        if key not in built:
            length = plan.config["construct"]["length"]
            built[key] = operations(registry.build(**architecture, length=length))
        return built[key]

    return np.array([counted(model) for model in models]) / counted(REFERENCE)


def hours(table: pd.DataFrame, rate: float | np.ndarray) -> np.ndarray:
    """Returns the hours (n,) of each training with all its epochs.

    Args:
        table: the table of `trainings`.
        rate: sequences per second of all trainings, or of each (n,).
    """
    return (table["epochs"] * table["sequences"] / rate / 3600).to_numpy()


def published(paper: dict) -> dict[str, tuple[float, int]]:
    """Returns the devices of the paper's Table 1, each with its fastest cell: name -> sequences per
    second and number of devices."""
    best: dict[str, tuple[float, int]] = {}
    for batch, device, count, precision, *times in paper["training_times"]:
        rate = count * batch / float(times[0]) if times else 0.0
        name = f"{count} × {device}, {precision}"
        if rate > best.get(name, (0.0, 0))[0]:
            best[name] = rate, count
    return best


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a Markdown table of hours, with a row for each training and a column for each kind of
    device."""
    parser = argparse.ArgumentParser(prog="python -m crmnet.training.cost", description=__doc__)
    parser.add_argument(
        "--rate",
        type=float,
        help="sequences/s at which your devices together train CRMnet (see Table 1 of `snakemake "
        "benchmark`); without this option, the published rates are used",
    )
    parser.add_argument("--devices", type=int, default=1, help="the number of these devices")
    options = parser.parse_args(arguments)
    config = checked(yaml.safe_load((CONFIG / "config.yaml").read_text()))
    paper = yaml.safe_load((CONFIG / "paper.yaml").read_text())
    plan = Plan(config)
    table = trainings(plan, {name: sizes["train"] for name, sizes in paper["data_sizes"].items()})
    # The rate of another model is assumed to be inversely proportional to its operations.
    share = work(plan, table["model"])
    rates = published(paper)
    if options.rate:
        rates = {f"{options.devices} × yours": (options.rate, options.devices)}
    heads = [f"{name}, {rate:,.0f}/s" for name, (rate, _) in rates.items()]
    print("| " + " | ".join(["training", "sequences an epoch", "work", *heads]) + " |")
    print("|" + "---|" * (3 + len(heads)))
    columns = [hours(table, rate / share) for rate, _ in rates.values()]
    for row, part, times in zip(table.itertuples(), share, zip(*columns, strict=True), strict=True):
        cells = [row.training, f"{row.sequences:,.0f}", f"{part:.2f}"]
        print("| " + " | ".join([*cells, *(f"{time:.1f}" for time in times)]) + " |")
    totals = [f"{column.sum():,.0f}" for column in columns]
    print("| " + " | ".join(["hours, one after the other", "", "", *totals]) + " |")
    used = [
        f"{column.sum() * count:,.0f}"
        for column, (_, count) in zip(columns, rates.values(), strict=True)
    ]
    print("| " + " | ".join(["device hours", "", "", *used]) + " |")


if __name__ == "__main__":
    main()
