"""Figure 2, and Figure S1 in the other medium: measured against predicted expression."""

import sys

import pandas as pd

from crmnet import plotting
from crmnet.logs import log_to
from crmnet.predictions import read

job = snakemake  # noqa: F821

log_to(job.log[0])
predictions = read(job.input.predictions)
metrics = pd.read_csv(job.input.metrics, sep="\t", dtype={"p_value": str})
panels = list(job.params.panels)

figure, axes = plotting.squares(len(panels))
rows = []
for letter, axis, name in zip(plotting.letters(len(panels)), axes, panels, strict=True):
    points = predictions[predictions["test_set"] == name]
    numbers = metrics[metrics["test_set"] == name]
    # One model's five numbers, of these very sequences.
    if numbers.empty or numbers["metric"].duplicated().any() or set(numbers["n"]) != {len(points)}:
        raise ValueError(
            f"test set {name}: {len(points)} predictions in {job.input.predictions}, but metrics "
            f"in {job.input.metrics} of n = {sorted(numbers['n'])}"
        )
    plotting.density_scatter(
        axis,
        points["predicted"],
        points["measured"],
        colour_bar=True,
    )
    title = f"{name.replace('_', ' ')} promoters, {job.params.title}"
    plotting.panel(axis, letter, title, plotting.statistics_text(numbers))
    rows.append(numbers.assign(panel=letter))
    print(f"panel {letter}: {name}, {len(points)} sequences", file=sys.stderr)

plotting.save(figure, job.output.pdf)
table = pd.concat(rows)
table.insert(0, "panel", table.pop("panel"))
table.to_csv(job.output.tsv, sep="\t", index=False)
