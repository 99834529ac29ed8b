"""Motifs of the saliency maps themselves: logos, what they do to expression, what they match."""

import sys

import pandas as pd

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.motifs.motif import read_meme
from crmnet.motifs.selection import best_matches
from crmnet.report import plotting
from crmnet.report.logos import information, logo

job = snakemake
# Motifs drawn, at most; mm: the line of one, and what is above and below them.
SHOWN, LINE, AROUND = 8, 13.0, 10.0
DOES = {"positive": f"{plotting.BETTER} raises", "negative": f"{plotting.WORSE} lowers"}
TIES = 3

log_to(job.log[0])
motifs = read_meme(job.input.motifs)
table = read_table(job.input.table)
matches = read_table(job.input.matches)
table = table.join(best_matches(matches), on="motif")
print(f"{len(motifs)} motifs", file=sys.stderr)


def matched(row) -> str:
    """The best match of a motif in a few lines."""
    if pd.isna(row.target):
        return "no match"
    text = f"{row.target_name}\nE = {row.match_e_value:.2g}"
    names = [name for name in row.ties.split(", ") if name not in ("", row.target_name)]
    if names:
        more = len(names) - TIES
        text += f"\nas good: {', '.join(names[:TIES])}" + (f" (+{more})" if more > 0 else "")
    return text


shown = list(zip(motifs, table.itertuples(), strict=True))[:SHOWN]
if shown:
    page = plotting.figure(1.3 * plotting.SINGLE, len(shown) * LINE + AROUND)
    axes = page.subplots(len(shown), 3, width_ratios=[1, 2.2, 1.6], squeeze=False)
    widest = max(motif.width for motif, _ in shown)
    for (left, middle, right), (motif, row) in zip(axes, shown, strict=True):
        logo(middle, information(motif))
        middle.set(xlim=(-0.5, widest - 0.5), ylim=(0, 2), yticks=[0, 1, 2], xticks=[])
        middle.spines["bottom"].set_visible(False)
        said = f"{row.sites:,} seqlets\n{DOES[row.sign]}"
        for axis, text in ((left, said), (right, matched(row))):
            axis.axis("off")
            axis.text(0, 0.5, text, verticalalignment="center", transform=axis.transAxes)
    axes[0, 0].set_title("expression", loc="left")
    axes[0, 1].set_title("sites (bits)", loc="left")
    axes[0, 2].set_title("best known motif", loc="left")
else:
    page = plotting.note_page("TF-MoDISco finds no motif in the saliency maps.")
plotting.save(page, job.output.pdf)
table.to_csv(job.output.tsv, sep="\t", index=False, float_format="%.6g")
