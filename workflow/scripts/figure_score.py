"""Saliency maps of the first sequences, with their variants; all predictions and effects."""

import sys

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.motifs.motif import LETTERS
from crmnet.report import logos, plotting

job = snakemake
# Rows of maps at most, a medium each; heights, mm, of an SNV's row of cells and of the histograms.
ROWS, CELLS, BARS = 6, 12.0, 32.0
CHUNK, BINS = 1 << 18, 40
COLOURS = LinearSegmentedColormap.from_list(
    "effects", [plotting.BLUE, "white", plotting.VERMILLION]
)


def of(path, ids):
    """The rows of some sequences, of a table of any size."""
    chunks = read_table(path, chunksize=CHUNK)
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


def marked(axis, own):
    """The bases that variants replace, behind the letters of a map."""
    for position, ref in own[["position", "ref"]].itertuples(index=False):
        end = position + len(ref) - 0.5
        axis.axvspan(position - 0.5, end, color=plotting.YELLOW, alpha=0.5, lw=0, zorder=-1)


def cells(axis, own, span, values, strongest):
    """The effects of SNVs, a column a position and a row a base; the image."""
    effect = np.full((len(LETTERS), span[1] - span[0] + 1), np.nan)
    effect[own["alt"].map(LETTERS.index), own["position"] - span[0]] = values
    image = axis.imshow(
        effect,
        cmap=COLOURS,
        vmin=-strongest,
        vmax=strongest,
        extent=(span[0] - 0.5, span[1] + 0.5, len(LETTERS) - 0.5, -0.5),
        aspect="auto",
        interpolation="none",
    )
    axis.set_yticks(range(len(LETTERS)), list(LETTERS))
    axis.tick_params(axis="y", length=0)
    axis.set_ylabel("SNV to")
    return image


log_to(job.log[0])
labels, saturated = job.params.labels, job.params.saturated
predictions = read_table(job.input.predictions)
shown = predictions.iloc[: max(1, ROWS // len(labels))].set_index("id")
maps = variants = None
if path := job.input.get("variants"):
    variants = read_table(path)
    varied = predictions[predictions["id"].isin(variants["id"].unique())]
    shown = varied.iloc[: len(shown)].set_index("id")
    of_shown = variants[variants["id"].isin(shown.index)]
    strongest = of_shown[[f"effect_{medium}" for medium in labels]].abs().max(axis=None)
if path := job.input.get("saliency"):
    maps = of(path, shown.index)

places = [(name, medium) for name in shown.index for medium in labels] if maps is not None else []
heights = [logos.MAP, *([CELLS] if saturated else [])]
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
numbers, image = [], None
for number, (name, medium) in enumerate(places):
    letter, rows = next(letters), maps[maps["id"] == name]
    span = rows["position"].iloc[0], rows["position"].iloc[-1]
    upper = page.add_subplot(grid[number * len(heights), :])
    values = rows[f"saliency_{medium}"]
    logos.logo(upper, logos.map_heights("".join(rows["base"]), values.to_numpy()), span[0])
    upper.set(xlim=(span[0] - 0.5, span[1] + 0.5), ylabel="saliency")
    upper.locator_params(axis="y", nbins=3)
    # A dollar sign would begin a formula.
    short = name[:60].replace("$", r"\$")
    predicted = shown.loc[name, f"predicted_{medium}"]
    plotting.panel(upper, letter, f"{short}, {labels[medium]}: predicted {predicted:.2f}")
    drawn = {"panel": letter, "id": name, "medium": medium}
    columns = {"position": rows["position"], "ref": rows["base"], "value": values}
    numbers.append(pd.DataFrame(columns).assign(measure="saliency", **drawn))
    if variants is None:
        continue
    own = of_shown[of_shown["id"] == name]
    values = own[f"effect_{medium}"]
    if saturated:
        lower = page.add_subplot(grid[number * len(heights) + 1, :], sharex=upper)
        image = cells(lower, own, span, values, strongest)
        upper.tick_params(labelbottom=False)
    else:
        marked(upper, own)
    changes = own[["position", "ref", "alt"]]
    numbers.append(changes.assign(value=values, measure="effect", **drawn))
if places:
    page.axes[-1].set_xlabel("position in the sequence (bp)")
if image is not None:
    bar = page.colorbar(image, cax=page.add_subplot(grid[-1, -1]))
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
print(f"{len(places)} maps", file=sys.stderr)
