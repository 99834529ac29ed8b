"""What was planted in the simulated promoters, and what is found of it."""

import sys

import numpy as np
import pandas as pd

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.motifs.truth import ALL
from crmnet.report import plotting

job = snakemake

log_to(job.log[0])
found = read_table(job.input.found, ["e_value"])
sites = read_table(job.input.sites)
curve = read_table(job.input.curve)
whole, factors = sites[sites["factor"] == ALL].iloc[0], sites[sites["factor"] != ALL]
print(f"{len(factors)} factors, {int(whole['sites'])} sites planted", file=sys.stderr)

page = plotting.figure(plotting.DOUBLE, 130.0)
motifs, scanned, told, lying = page.subplots(2, 2).ravel()

methods, names = list(found["method"].unique()), list(factors["factor"])
strength = -found.pivot(index="method", columns="factor", values="ln_e_value") / np.log(10)
strength = strength.loc[methods, names]
image = motifs.imshow(strength.clip(0, 30), cmap="viridis", vmin=0, vmax=30, aspect="auto")
motifs.set(xticks=range(len(names)), xticklabels=names, yticks=range(len(methods)))
motifs.set_yticklabels(methods)
motifs.tick_params(length=0)
for row, method in enumerate(methods):
    for column, name in enumerate(names):
        value = strength.loc[method, name]
        motifs.text(
            column,
            row,
            "not\nfound" if np.isnan(value) else f"{value:.1f}",
            ha="center",
            va="center",
            fontsize=plotting.SMALL,
            color="black" if np.isnan(value) or value > 15 else "white",
        )
bar = page.colorbar(image, ax=motifs, shrink=0.8)
bar.set_label("-log10 E-value (30 and more alike)", fontsize=plotting.SMALL)
plotting.panel(motifs, "A", "planted factors among the motifs of each method")


def dots(axis, x, values, lows, highs, colour, label):
    gaps = [values - lows, highs - values]
    axis.errorbar(x, values, gaps, fmt="o", color=colour, capsize=2, linewidth=0.8, label=label)


x = np.arange(len(factors))
wide = {"xlim": (-0.5, len(factors) - 0.5)}
below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.1)}
dots(
    scanned,
    x,
    *(factors[key] for key in ("share", "share_low", "share_high")),
    plotting.BLUE,
    "planted sites that scanning finds",
)
scanned.plot(
    x,
    factors["matches_planted"] / factors["matches"],
    "D",
    color=plotting.ORANGE,
    label="matches that were planted",
)
scanned.set(xticks=x, xticklabels=names, ylim=(-0.03, 1.03), ylabel="share", **wide)
scanned.legend(**below)
plotting.panel(scanned, "B", f"scanning, P up to {job.params.threshold:g}")

told.plot(curve["recall"], curve["precision"], color=plotting.BLUE)
told.axhline(whole["base_rate"], color=plotting.GREY, linestyle="--")
told.annotate(
    f"by chance {whole['base_rate']:.3f}",
    # The curve starts above it, and ends on it.
    (0, whole["base_rate"]),
    (3, 2),
    textcoords="offset points",
    color=plotting.GREY,
)
area = "{average_precision:.3f} ({average_precision_low:.3f} to {average_precision_high:.3f})"
told.set(xlabel="recall of planted positions", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
plotting.panel(told, "C", f"|saliency|: area {area.format(**whole)}")

dots(
    lying,
    x,
    *(factors[f"average_precision{end}"] / factors["base_rate"] for end in ("", "_low", "_high")),
    plotting.BLUE,
    "average precision over chance",
)
lying.plot(
    x,
    factors["saliency"] / factors["elsewhere"],
    "D",
    color=plotting.ORANGE,
    label="mean |saliency| on sites over elsewhere",
)
lying.axhline(1, color=plotting.GREY, linestyle="--")
lying.set(xticks=x, xticklabels=names, ylabel="ratio", ylim=(0, None), **wide)
lying.legend(**below)
plotting.panel(lying, "D", "saliency on planted sites, by factor")
plotting.save(page, job.output.pdf)

parts = [found.assign(panel="A"), sites.assign(panel="BCD"), curve.assign(panel="C")]
pd.concat(parts).to_csv(job.output.tsv, sep="\t", index=False)
