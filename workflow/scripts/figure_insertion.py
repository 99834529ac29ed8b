"""What motifs' sites do to the predicted expression of random inserts: over all, by position."""

import sys

from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from crmnet.data.tsv import read_table
from crmnet.interpretation.insertion import BOTH
from crmnet.logs import log_to
from crmnet.report import plotting

job = snakemake
# mm: the line of a motif; what is above and below the panels; the least a panel needs.
LINE, AROUND, LEAST = 8.0, 24.0, 42.0
STYLES = {"+": "-", "-": (0, (3, 1.5))}

log_to(job.log[0])
table = read_table(job.input[0])
overall = table[table["strand"] == BOTH].reset_index(drop=True)
count = len(overall)
print(f"{count} motifs", file=sys.stderr)
if count:
    page = plotting.figure(plotting.DOUBLE, max(count * LINE, LEAST) + AROUND)
    left, right = page.subplots(1, 2, width_ratios=[1, 1.3])
    colours = dict(zip(overall["motif"], plotting.COLOURS * count, strict=False))
    for line in (left.axvline, right.axhline):
        line(0, color=plotting.GREY, linewidth=0.6, dashes=(4, 3), zorder=1)
    for y, row in enumerate(overall.itertuples()):
        colour = colours[row.motif]
        left.plot([row.low, row.high], [y - 0.13] * 2, color=colour)
        left.plot(row.effect, y - 0.13, "o", color=colour)
        left.plot([row.control_low, row.control_high], [y + 0.17] * 2, color=plotting.GREY)
        left.plot(row.control, y + 0.17, "o", color=plotting.GREY, markerfacecolor="white")
        by_strand = table[(table["motif"] == row.motif) & table["strand"].isin(STYLES)]
        for strand, part in by_strand.groupby("strand"):
            right.plot(part["position"], part["effect"], color=colour, linestyle=STYLES[strand])
            right.fill_between(
                part["position"], part["low"], part["high"], color=colour, alpha=0.15, linewidth=0
            )
    left.set(ylim=(count - 0.5, -0.5), xlabel="effect on predicted expression", xmargin=0.08)
    left.xaxis.set_major_locator(MaxNLocator(5))
    left.set_yticks(range(count), overall["name"])
    left.tick_params(axis="y", length=0)
    for label, colour in zip(left.get_yticklabels(), colours.values(), strict=True):
        label.set(color=colour, fontweight="bold")
    left.spines["left"].set_visible(False)
    right.set(xlabel="start of the site in the insert", ylabel="effect on predicted expression")
    inserts = overall["inserts"].iloc[0]
    plotting.panel(left, "A", f"A site in {inserts:,} random inserts, at all positions")
    plotting.panel(right, "B", "By position and strand, motifs coloured as in A")
    page.legend(
        handles=[
            Line2D([], [], color=plotting.BLACK, marker="o", label="site"),
            Line2D(
                [],
                [],
                color=plotting.GREY,
                marker="o",
                markerfacecolor="white",
                label="shuffled site",
            ),
            *(
                Line2D([], [], color=plotting.BLACK, linestyle=style, label=f"{strand} strand")
                for strand, style in zip(("forward", "reverse"), STYLES.values(), strict=True)
            ),
        ],
        title="with 95 % bootstrap intervals over the inserts",
        loc="outside lower left",
        alignment="left",
        ncols=4,
    )
else:
    page = plotting.note_page("No motif was selected, so that no site was inserted.")
plotting.save(page, job.output.pdf)
table.to_csv(job.output.tsv, sep="\t", index=False, float_format="%.6g")
