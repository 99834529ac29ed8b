"""Figure 2, and Figure S1 in the other media: measured against predicted expression."""

import sys

import pandas as pd

from crmnet.data.predictions import columns, read
from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.report import plotting

job = snakemake

log_to(job.log[0])
panels = list(job.params.panels)
media = list(dict.fromkeys(medium for medium, *_ in panels))
predictions = dict(zip(media, map(read, job.input.predictions), strict=True))
metrics = pd.concat(read_table(path, ["p_value"]) for path in job.input.metrics)
by_seed = pd.concat(read_table(path) for path in job.input.seeds)
by_seed = by_seed.fillna({"problem": ""})

figure, axes = plotting.squares(len(panels))
rows = []
for letter, axis, (medium, name, title) in zip(
    plotting.letters(len(panels)), axes, panels, strict=True
):
    points = predictions[medium]
    points = points[points["test_set"] == name]
    numbers, trainings = (
        table[(table["medium"] == medium) & (table["test_set"] == name)]
        for table in (metrics, by_seed)
    )
    # One model's five numbers, of these very sequences.
    if numbers.empty or numbers["metric"].duplicated().any() or set(numbers["n"]) != {len(points)}:
        raise ValueError(
            f"test set {name} of {medium}: {len(points)} predictions in "
            f"{', '.join(job.input.predictions)}, but metrics in {', '.join(job.input.metrics)} of "
            f"n = {sorted(numbers['n'])}"
        )
    plotting.density_scatter(
        axis,
        points[columns(points)[0]],
        points["measured"],
        colour_bar=True,
    )
    plotting.panel(axis, letter, title, plotting.statistics_text(numbers, trainings))
    rows.append(numbers.assign(panel=letter))
    print(f"panel {letter}: {medium}, {name}, {len(points)} sequences", file=sys.stderr)

plotting.save(figure, job.output.pdf)
table = pd.concat(rows)
table.insert(0, "panel", table.pop("panel"))
table.to_csv(job.output.tsv, sep="\t", index=False)
