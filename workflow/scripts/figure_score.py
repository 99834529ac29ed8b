"""Saliency maps of some sequences, the effects of their SNVs; all predictions and effects."""

import sys

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from crmnet import logos, plotting
from crmnet.logs import log_to
from crmnet.motifs import LETTERS

job = snakemake  # noqa: F821
# Rows of maps at most, a medium each; heights, mm, of an SNV's row of cells and of the histograms.
ROWS, CELLS, BARS = 6, 12.0, 32.0
CHUNK, BINS = 1 << 18, 40
COLOURS = LinearSegmentedColormap.from_list(
    "effects", [plotting.BLUE, "white", plotting.VERMILLION]
)
TEXT = {"sep": "\t", "dtype": {"id": str}, "keep_default_na": False}


def of(path, ids):
    """The rows of some sequences, of a table of any size."""
    chunks = pd.read_csv(path, chunksize=CHUNK, **TEXT)
    return pd.concat([chunk[chunk["id"].isin(ids)] for chunk in chunks])


def histogram(axis, measure, table, name):
    """The distribution in each medium; its numbers."""
    values = {medium: table[f"{measure}_{medium}"].to_numpy() for medium in labels}
    edges = np.histogram_bin_edges(np.concatenate(list(values.values())), BINS)
    axis.set(xlabel=name, ylabel="number")
    parts = []
    for (medium, found), colour in zip(values.items(), plotting.COLOURS * 9, strict=False):
        count, _ = np.histogram(found, edges)
        axis.stairs(count, edges, color=colour, label=labels[medium])
        bins = {"low": edges[:-1], "high": edges[1:], "value": count}
        parts.append(pd.DataFrame({"measure": f"number_{measure}", "medium": medium, **bins}))
    if len(values) > 1:
        axis.legend(loc="best")
    return pd.concat(parts)


log_to(job.log[0])
labels = job.params.labels
predictions = pd.read_csv(job.input.predictions, **TEXT)
ids = predictions["id"].iloc[: max(1, ROWS // len(labels))].tolist()
maps = variants = snvs = None
if path := job.input.get("variants"):
    variants = pd.read_csv(path, **TEXT)
    # Those of the sequences that have some, in the order of the sequences.
    varied = predictions["id"][predictions["id"].isin(variants["id"].unique())]
    ids = varied.iloc[: len(ids)].tolist()
    single = (variants["ref"].str.len() == 1) & (variants["alt"].str.len() == 1)
    snvs = variants[variants["id"].isin(ids) & single & variants["alt"].isin(list(LETTERS))]
if path := job.input.get("saliency"):
    maps = of(path, ids)

places = [(name, medium) for name in ids for medium in labels] if maps is not None else []
heights = [logos.MAP, *([CELLS] if snvs is not None else [])]
panels = 1 + (variants is not None)
page = plotting.figure(
    plotting.DOUBLE, len(places) * (sum(heights) + logos.AROUND) + BARS + logos.AROUND
)
page.get_layout_engine().set(h_pad=0.03, hspace=0)
grid = page.add_gridspec(
    len(places) * len(heights) + 1,
    panels + 1,
    height_ratios=[*heights * len(places), BARS],
    # Last the scale of the effects.
    width_ratios=[1] * panels + [0.02],
)
letters = iter(plotting.letters(len(places) + panels))
numbers = []
strongest = (
    0.0
    if snvs is None
    else np.nanmax([0, *(snvs[f"effect_{medium}"].abs().max() for medium in labels)])
)
cells = None
for number, (name, medium) in enumerate(places):
    rows = maps[maps["id"] == name]
    letter = next(letters)
    upper = page.add_subplot(grid[number * len(heights), :])
    first, last = rows["position"].iloc[0], rows["position"].iloc[-1]
    values = rows[f"saliency_{medium}"].to_numpy()
    logos.logo(upper, logos.map_heights("".join(rows["base"]), values), first)
    upper.set(xlim=(first - 0.5, last + 0.5), ylabel="saliency")
    upper.locator_params(axis="y", nbins=3)
    predicted = predictions.set_index("id").loc[name, f"predicted_{medium}"]
    plotting.panel(upper, letter, f"{name}, {labels[medium]}: predicted {predicted:.2f}")
    drawn = {"panel": letter, "id": name, "medium": medium}
    columns = {f"saliency_{medium}": "value", "base": "ref"}
    numbers.append(
        rows[["position", *columns]].rename(columns=columns).assign(measure="saliency", **drawn)
    )
    if snvs is not None:
        own = snvs[snvs["id"] == name]
        effect = np.full((len(LETTERS), last - first + 1), np.nan)
        effect[own["alt"].map(LETTERS.index), own["position"] - first] = own[f"effect_{medium}"]
        lower = page.add_subplot(grid[number * len(heights) + 1, :], sharex=upper)
        cells = lower.imshow(
            effect,
            cmap=COLOURS,
            vmin=-strongest,
            vmax=strongest,
            extent=(first - 0.5, last + 0.5, len(LETTERS) - 0.5, -0.5),
            aspect="auto",
            interpolation="none",
        )
        lower.set_yticks(range(len(LETTERS)), list(LETTERS))
        lower.tick_params(axis="y", length=0)
        lower.set_ylabel("SNV to")
        upper.tick_params(labelbottom=False)
        columns = {f"effect_{medium}": "value"}
        numbers.append(
            own[["position", "ref", "alt", *columns]]
            .rename(columns=columns)
            .assign(measure="effect", **drawn)
        )
if places:
    page.axes[-1].set_xlabel("position in the sequence (bp)")
if cells is not None:
    bar = page.colorbar(cells, cax=page.add_subplot(grid[-1, -1]))
    bar.set_label("effect of the SNV", fontsize=plotting.SMALL)
    bar.outline.set_linewidth(0.4)
bars = [("predicted", predictions, "predicted expression")]
if variants is not None:
    bars.append(("effect", variants, "effect on predicted expression"))
for column, (measure, table, name) in enumerate(bars):
    axis, letter = page.add_subplot(grid[-1, column]), next(letters)
    numbers.append(histogram(axis, measure, table, name).assign(panel=letter))
    plotting.panel(axis, letter, f"All {len(table):,} {['sequences', 'variants'][column]}")
plotting.save(page, job.output.pdf)
columns = ["panel", "measure", "id", "medium", "position", "ref", "alt", "low", "high", "value"]
table = pd.concat(numbers).reindex(columns=columns)
table.to_csv(job.output.tsv, sep="\t", index=False, float_format="%.6g")
print(f"{len(places)} maps of {len(ids)} sequences", file=sys.stderr)
