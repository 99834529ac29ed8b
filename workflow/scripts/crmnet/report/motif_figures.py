"""The motif figures: Figures 5 and S2, the motifs of saliency maps, sites in random inserts,
planted against found motifs in simulated data, and the sanity check of the maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from crmnet.interpretation.insertion import BOTH
from crmnet.interpretation.truth import ALL, TRUTH
from crmnet.motifs.matching import stated
from crmnet.motifs.motif import Motif
from crmnet.report.drawings import intervals, letters, note_page, panel, text_width, wrapped
from crmnet.report.logos import (
    BESIDE_PANEL,
    EXAMPLES,
    LEFT,
    Example,
    example_page,
    information,
    logo,
    short,
)
from crmnet.report.style import (
    BETTER,
    BLACK,
    BLUE,
    COLOURS,
    DOUBLE,
    GREY,
    ORANGE,
    SINGLE,
    SMALL,
    TEXT_LINE,
    WORSE,
    figure,
    styled,
)

# Figure 5: height of the panels of effects, and of the names below them, mm; their measures.
EFFECTS, NAMES = 40.0, 5.0
MEASURES = ("saliency", "expression")
TITLES = {
    "saliency": "Saliency at the matches",
    "expression": "Sequences with a match",
}
# The names of the maps in figures.
MAP_NAMES = {
    "gradient": "gradient",
    "corrected": "corrected gradient",
    "integrated": "integrated gradients",
    "smooth": "SmoothGrad",
    "mutagenesis": "mutagenesis",
    TRUTH: "the truth itself",
}
FIGURE_5_COLUMNS = [
    *("panel", "target", "target_name", "measure", "value", "low", "high"),
    *("control", "control_low", "control_high", "difference", "p_value", "p_holm"),
    *("matches", "sequences", "families", "tested_families"),
    *("sequence", "row", "expression", "predicted", "position", "letter"),
    *("match_start", "match_end", "match_strand", "match_p_value"),
]
# Motifs of saliency maps: the largest number of motifs, and of equally good matches that are named;
# height of a motif's line, and of the space above and below all lines, mm.
PATTERNS, TIES, PATTERN, AROUND_PATTERNS = 8, 3, 13.0, 10.0
# Width of the texts left and right of the motifs, mm.
HEAD, MATCHED = 21.0, 33.0
SIGNS = {"positive": f"{BETTER} raises", "negative": f"{WORSE} lowers"}
# Sites in random inserts, mm: height of a motif's line; of the space above and below; least height
# of a panel.
SITE, AROUND_SITES, LEAST = 8.0, 24.0, 42.0
STRANDS = {"+": "-", "-": (0, (3, 1.5))}
# The sanity check: the measure of agreement, and its colour.
AGREEMENT = {"absolute": BLUE, "signed": ORANGE}
# Planted against found: all -log10 E-values from this one on have the same colour.
STRONGEST = 30


@styled()
def figure_5(
    motifs: pd.DataFrame,
    scanned: Mapping[str, Motif],
    examples: pd.DataFrame,
    effects: pd.DataFrame,
    sources: str,
    expression: str,
    beside: str | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Draws Figure 5: a saliency map and a logo for each selected motif, and the motifs' effects.

    Args:
        motifs: the result of `selected`.
        scanned: target -> the motif whose sites are shown.
        examples: one example for each target that has a match, see `effects.examples`.
        effects: see `effects.motif_effects`.
        sources: see `matching.sources`.
        expression: the name of the measured quantity on the axes, with its unit.
        beside: the map whose effects stand beside the paper's, see `MAP_NAMES`.

    Returns:
        The figure, and the numbers in it, with `FIGURE_5_COLUMNS`.
    """
    motifs = motifs.set_index("target")
    names, titles, measures = {"saliency": "saliency", "expression": expression}, TITLES, MEASURES
    if beside:
        names, measures = names | {beside: MAP_NAMES[beside]}, (*MEASURES, beside)
        name = MAP_NAMES[beside]
        titles = TITLES | {beside: f"{name[0].upper()}{name[1:]} at the matches"}
    shown = [target for target in motifs.index if target in set(examples["target"])]
    panels = letters(len(shown) + len(measures))
    if len(motifs):
        maps = [
            Example(
                examples[examples["target"] == target],
                scanned[target],
                letter,
                _origin(motifs.loc[target]),
            )
            for target, letter in zip(shown, panels, strict=False)
        ]
        labels = effects.drop_duplicates("target")["target_name"]
        below = NAMES + max(map(text_width, labels)) * tilted(labels, len(measures))
        page, axes = example_page(maps, EFFECTS, len(measures), below, sources)
        below = panels[len(shown) :]
        for axis, letter, measure in zip(axes, below, measures, strict=True):
            label = wrapped(f"mean {names[measure]}", EFFECTS)
            _effects(axis, effects[effects["measure"] == measure], label, len(measures))
            panel(axis, letter, titles[measure])
    else:
        page = note_page(
            "No motif passes the selection rule.\nThe table of all motifs gives the reasons."
        )
    panel_of = dict(zip(shown, panels, strict=False))
    panel_of_measure = dict(zip(measures, panels[len(shown) :], strict=True))
    maps = examples.assign(panel=examples["target"].map(panel_of), measure="saliency")
    numbers = effects[effects["measure"].isin(measures)]
    numbers = numbers.assign(panel=numbers["measure"].map(panel_of_measure))
    table = pd.concat([maps.rename(columns={"saliency": "value"}), numbers])
    return page, table.reindex(columns=FIGURE_5_COLUMNS)


def _note(page: Figure, text: str) -> None:
    """Writes a text below all panels."""
    page.supxlabel(text, x=0.01, ha="left", fontsize=SMALL)


def _origin(motif: pd.Series) -> str:
    """Returns a text with a motif's E-value and engine, the methods that reproduce it, and the
    other known motifs that match it equally well."""
    engine = motif["engine"].replace("meme", "MEME")
    note = f"E = {short(motif['e_value'])} ({engine}); also by {motif['reproduced_by']}; match: "
    note += stated(motif["measure"], motif["match"])
    if ties := sorted(set(motif["ties"].split(", ")) - {"", motif["target_name"]}):
        note += f"; matched as well by {', '.join(ties[:2])}" + ", ..." * (len(ties) > 2)
    return note


def tilted(texts: Iterable[str], panels: int = 2) -> bool:
    """Returns whether texts, one for each motif, are too wide to stand side by side at one of
    several panels of effects."""
    widths = [0, *map(text_width, texts), 0]
    widest = max((a + b) / 2 for a, b in pairwise(widths))
    return widest + 1 > (DOUBLE / panels - LEFT - BESIDE_PANEL) / (len(widths) - 2)


def _effects(axis: Axes, table: pd.DataFrame, name: str, panels: int) -> None:
    """Draws each motif's effect as a dot with its interval and its P above, and the control as a
    line with a band.

    Args:
        table: one row per motif: target_name, value, low, high, control, control_low, control_high,
            p_holm. All rows have the same control.
        name: the label of the axis.
        panels: number of panels in the row.
    """
    control = table.iloc[0]
    axis.axhspan(control["control_low"], control["control_high"], color=GREY, alpha=0.3, lw=0)
    axis.axhline(control["control"], color=GREY, linestyle="--", label="all")
    x = np.arange(len(table))
    intervals(axis, table["value"], table["low"], table["high"])
    axis.set(xticks=x, xticklabels=table["target_name"], xlim=(-0.6, len(x) - 0.4), ylabel=name)
    # Many names, long ones and many P would overlap.
    if tilted(table["target_name"], panels):
        for label in axis.get_xticklabels():
            label.set_rotation(90)
    tests = ["not tested" if np.isnan(p) else f"P = {p:.2g}" for p in table["p_holm"]]
    upright = tilted(tests, panels)
    axis.margins(y=0.25)
    if upright:
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.3 * (high - low))
    for place, test in zip(x, tests, strict=True):
        axis.annotate(
            test,
            (place, 0.99),
            xycoords=("data", "axes fraction"),
            fontsize=SMALL - 0.5,
            horizontalalignment="center",
            verticalalignment="top",
            rotation=90 if upright else 0,
        )
    axis.annotate(
        "all",
        (1, control["control"]),
        (-2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=SMALL,
        horizontalalignment="right",
    )


@styled()
def figure_s2(
    scanned: Mapping[str, Motif], examples: pd.DataFrame, sources: str
) -> tuple[Figure, pd.DataFrame]:
    """Draws Figure S2: more saliency maps, each with the logo of a selected motif, as many of the
    first ones as a page has room for.

    Args:
        scanned, sources: see `figure_5`.
        examples: see `effects.examples`.

    Returns:
        The figure, and all examples with the letter of their panel, if they have one.
    """
    groups = list(examples.groupby(["target", "example"], sort=False))
    panels = letters(min(len(groups), EXAMPLES))
    if (more := len(groups) - len(panels)) > 0:
        sources += f" {more} more examples are in the table of the figure."
    if groups:
        maps = []
        for letter, ((target, _), rows) in zip(panels, groups, strict=False):
            first = rows.iloc[0]
            note = f"{first['share_above']:.0%} of families have more; "
            note += f"measured {first['expression']:z.1f}, predicted {first['predicted']:z.1f}"
            maps.append(Example(rows, scanned[target], letter, note))
        page, _ = example_page(maps, note=sources)
    else:
        page = note_page("No motif was selected, so there is no example.")
    panel_of = {key: letter for letter, (key, _) in zip(panels, groups, strict=False)}
    keys = zip(examples["target"], examples["example"], strict=True)
    table = examples.copy()
    table.insert(0, "panel", [panel_of.get(key) for key in keys])
    return page, table


@styled()
def patterns(
    motifs: Sequence[Motif], table: pd.DataFrame, measure: str, sources: str, expression: str
) -> Figure:
    """Draws the motifs of saliency maps, each with its effect on expression, its logo and the known
    motif that matches it best.

    Args:
        motifs: the motifs of `table`, in its order.
        table: the result of `modisco.table` with the columns of `selection.best_matches`.
        measure: the measure of the matches.
        sources, expression: see `figure_5`.
    """
    shown = list(zip(motifs, table.itertuples(), strict=True))[:PATTERNS]
    if not shown:
        return note_page("TF-MoDISco finds no motif in the saliency maps.")
    width = 1.3 * SINGLE
    heads = wrapped(expression, HEAD), "sites (bits)", "best known motif"
    sources = wrapped(sources, width - 4, SMALL)
    lines = heads[0].count("\n") + sources.count("\n")
    page = figure(width, len(shown) * PATTERN + AROUND_PATTERNS + TEXT_LINE * lines)
    axes = page.subplots(len(shown), 3, width_ratios=[1, 2.2, 1.6], squeeze=False)
    widest = max(motif.width for motif, _ in shown)
    for (left, middle, right), (motif, row) in zip(axes, shown, strict=True):
        logo(middle, information(motif))
        middle.set(xlim=(0.5, widest + 0.5), ylim=(0, 2), yticks=[0, 1, 2], xticks=[])
        middle.spines["bottom"].set_visible(False)
        effect = f"{row.sites:,} seqlets\n{SIGNS[row.sign]}"
        for axis, text in ((left, effect), (right, _best_match(row, measure))):
            axis.axis("off")
            axis.text(
                *(0, 0.5, wrapped(text, MATCHED, SMALL)),
                verticalalignment="center",
                transform=axis.transAxes,
                fontsize=SMALL,
            )
    for axis, head in zip(axes[0], heads, strict=True):
        axis.set_title(head, loc="left")
    _note(page, sources)
    return page


def _best_match(row, measure: str) -> str:
    """Returns a text of a few lines with a motif's best match."""
    if pd.isna(row.target):
        return "no match"
    text = f"{row.target_name}\n{stated(measure, row.match)}"
    names = [name for name in row.ties.split(", ") if name not in ("", row.target_name)]
    if names:
        more = len(names) - TIES
        text += f"\nequally good: {', '.join(names[:TIES])}" + (f" (+{more})" if more > 0 else "")
    return text


@styled()
def insertion(table: pd.DataFrame, expression: str) -> Figure:
    """Draws the effects of motif sites in random inserts, over all positions and by position and
    strand.

    Args:
        table: the result of `insertion.insertion_effects`.
        expression: see `figure_5`.
    """
    overall = table[table["strand"] == BOTH].reset_index(drop=True)
    count = len(overall)
    if not count:
        return note_page("No motif was selected, so no site was inserted.")
    page = figure(DOUBLE, max(count * SITE, LEAST) + AROUND_SITES)
    left, right = page.subplots(1, 2, width_ratios=[1, 1.3])
    colours = dict(zip(overall["motif"], COLOURS * count, strict=False))
    for line in (left.axvline, right.axhline):
        line(0, color=GREY, linewidth=0.6, dashes=(4, 3), zorder=1)
    for y, row in enumerate(overall.itertuples()):
        colour = colours[row.motif]
        left.plot([row.low, row.high], [y - 0.13] * 2, color=colour)
        left.plot(row.effect, y - 0.13, "o", color=colour)
        left.plot([row.control_low, row.control_high], [y + 0.17] * 2, color=GREY)
        left.plot(row.control, y + 0.17, "o", color=GREY, markerfacecolor="white")
        by_strand = table[(table["motif"] == row.motif) & table["strand"].isin(STRANDS)]
        for strand, part in by_strand.groupby("strand"):
            right.plot(part["position"], part["effect"], color=colour, linestyle=STRANDS[strand])
            right.fill_between(
                part["position"], part["low"], part["high"], color=colour, alpha=0.15, linewidth=0
            )
    effect = f"effect on predicted {expression}"
    left.set(ylim=(count - 0.5, -0.5), xlabel=wrapped(effect, 0.35 * DOUBLE), xmargin=0.08)
    left.xaxis.set_major_locator(MaxNLocator(5))
    left.set_yticks(range(count), overall["name"])
    left.tick_params(axis="y", length=0)
    for label, colour in zip(left.get_yticklabels(), colours.values(), strict=True):
        label.set(color=colour, fontweight="bold")
    left.spines["left"].set_visible(False)
    right.set(xlabel="start of the site in the insert", ylabel=wrapped(effect, LEAST))
    # Without a margin, the axis has no position 0.
    right.margins(x=0)
    inserts = overall["inserts"].iloc[0]
    room = 75 - 3 * TEXT_LINE * right.get_ylabel().count("\n")
    title = f"A site in {inserts:,} random inserts, mean over all positions"
    panel(left, "A", wrapped(title, room))
    panel(right, "B", "By position and strand (colours as in A)")
    page.legend(
        handles=[
            Line2D([], [], color=BLACK, marker="o", label="site"),
            Line2D([], [], color=GREY, marker="o", markerfacecolor="white", label="shuffled site"),
            *(
                Line2D([], [], color=BLACK, linestyle=style, label=f"{strand} strand")
                for strand, style in zip(("forward", "reverse"), STRANDS.values(), strict=True)
            ),
        ],
        title="with 95 % bootstrap intervals over the inserts",
        loc="outside lower left",
        alignment="left",
        ncols=4,
    )
    return page


@styled()
def truth(
    motifs: pd.DataFrame,
    sites: pd.DataFrame,
    curve: pd.DataFrame,
    maps: pd.DataFrame,
    threshold: float,
    beside: str | None = None,
) -> Figure:
    """Draws how well the motifs and sites planted in simulated promoters were found.

    Args:
        motifs: the planted factors among the motifs of each method, see `truth.found_motifs`.
        sites: the planted sites, see `truth.site_table`.
        curve: map, and precision and recall of its values at all positions, see `truth.curve`.
        maps: how well each map agrees with the true effects, see `truth.map_table`.
        threshold: the largest P of a match in scanning.
        beside: the map whose curve is drawn beside that of the gradient.
    """
    factors = sites[sites["factor"] != ALL]
    page = figure(DOUBLE, 195.0)
    by_method, scanning, overall, by_factor, ranks, gains = page.subplots(3, 2).ravel()
    _factors_of_methods(by_method, motifs, list(factors["factor"]))
    panel(by_method, "A", "planted factors among the motifs of each method")

    share = [factors[f"share{end}"] for end in ("", "_low", "_high")]
    intervals(scanning, *share, label="planted sites that scanning finds")
    planted = factors["matches_planted"] / factors["matches"]
    _diamonds(scanning, planted, "matches that were planted")
    _at_factors(scanning, factors, ylim=(-0.03, 1.03), ylabel="share")
    panel(scanning, "B", f"scanning, P up to {threshold:g}")

    of_map = maps.set_index("map")
    for name, colour in zip(("gradient", beside), (BLUE, ORANGE), strict=True):
        if name:
            drawn = curve[curve["map"] == name]
            label = f"{MAP_NAMES[name]}: area {of_map.loc[name, 'planted']:.3f}"
            overall.plot(drawn["recall"], drawn["precision"], color=colour, label=label)
    chance = of_map["planted_base_rate"].iloc[0]
    overall.axhline(chance, color=GREY, linestyle="--", label=f"by chance: {chance:.3f}")
    overall.set(xlabel="recall of planted positions", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    overall.legend(loc="upper right")
    panel(overall, "C", "planted positions, by |map|")

    gain = [
        factors[f"average_precision{end}"] / factors["base_rate"] for end in ("", "_low", "_high")
    ]
    intervals(by_factor, *gain, label="average precision over chance")
    more = factors["saliency"] / factors["elsewhere"]
    _diamonds(by_factor, more, "mean |saliency| on sites over elsewhere")
    by_factor.axhline(1, color=GREY, linestyle="--")
    _at_factors(by_factor, factors, ylim=(0, None), ylabel="ratio")
    panel(by_factor, "D", "saliency on planted sites, by factor")

    for axis, measure, letter, title, label in (
        (ranks, "rank_correlation", "E", "map and true effect of each base", "rank correlation"),
        (gains, "effective", "F", "planted bases with an effect", "average precision over chance"),
    ):
        chance = maps["effective_base_rate"] if measure == "effective" else 1
        low, high = maps[f"{measure}_low"] / chance, maps[f"{measure}_high"] / chance
        intervals(axis, maps[measure] / chance, low, high)
        names = [MAP_NAMES[name] for name in maps["map"]]
        axis.set(xticks=range(len(maps)), xlim=(-0.5, len(maps) - 0.5), ylabel=label)
        axis.set_xticklabels(names, rotation=30, ha="right", rotation_mode="anchor")
        axis.set_ylim(min(0, low.min()), None)
        panel(axis, letter, title)
    gains.axhline(1, color=GREY, linestyle="--")
    return page


def _factors_of_methods(axis: Axes, motifs: pd.DataFrame, factors: list[str]) -> None:
    """Draws the -log10 E-values of each method's motifs for the planted factors, as a heat map."""
    end = np.where(motifs["end"] == "low", ", low end", "")
    engine = motifs["engine"].fillna("no motif")
    motifs = motifs.assign(label=motifs["method"] + end + "\n(" + engine + ")")
    methods = list(motifs["label"].unique())
    strength = -motifs.pivot(index="label", columns="factor", values="ln_e_value") / np.log(10)
    strength = strength.loc[methods, factors]
    image = axis.imshow(
        strength.clip(0, STRONGEST), cmap="viridis", vmin=0, vmax=STRONGEST, aspect="auto"
    )
    axis.set(xticks=range(len(factors)), xticklabels=factors, yticks=range(len(methods)))
    axis.set_yticklabels(methods)
    axis.tick_params(length=0)
    for row, method in enumerate(methods):
        for column, factor in enumerate(factors):
            value = strength.loc[method, factor]
            axis.text(
                column,
                row,
                "not\nfound" if np.isnan(value) else f"{value:.1f}",
                ha="center",
                va="center",
                fontsize=SMALL,
                color="black" if np.isnan(value) or value > STRONGEST / 2 else "white",
            )
    bar = axis.figure.colorbar(image, ax=axis, shrink=0.8)
    bar.set_label(f"-log10 E-value (one colour from {STRONGEST} on)", fontsize=SMALL)


def _diamonds(axis: Axes, values: pd.Series, label: str) -> None:
    axis.plot(np.arange(len(values)), values, "D", color=ORANGE, label=label)


def _at_factors(axis: Axes, factors: pd.DataFrame, **limits: object) -> None:
    """Labels the x axis of a panel with the factors, and adds a legend below."""
    number = len(factors)
    axis.set(xticks=np.arange(number), xticklabels=list(factors["factor"]), **limits)
    axis.set_xlim(-0.5, number - 0.5)
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1))


@styled()
def sanity(table: pd.DataFrame) -> Figure:
    """Draws how saliency maps from randomised weights correlate with those of the trained model.

    Args:
        table: the result of `saliency.cascade` for each map, with the column map.
    """
    kinds = list(table["map"].unique())
    page = figure(SINGLE if len(kinds) == 1 else DOUBLE, 68.0)
    axes = page.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axis, kind, letter in zip(axes, kinds, letters(len(kinds)), strict=True):
        _agreement(axis, table[table["map"] == kind])
        if len(kinds) > 1:
            panel(axis, letter, MAP_NAMES[kind])
    axes[0].set_ylabel("rank correlation with the real maps")
    page.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=2)
    return page


def _agreement(axis: Axes, table: pd.DataFrame) -> None:
    """Draws how the maps of one kind correlate with the real ones, by stage."""
    stages = list(table["stage"].unique())
    # Place the random draws of the weights side by side.
    draw = 0.05 * (table["draw"] - table.groupby("stage")["draw"].transform("mean"))
    for offset, (measure, colour) in zip((-0.18, 0.18), AGREEMENT.items(), strict=True):
        rows = table.assign(x=table["stage"].map(stages.index) + offset + draw)
        gaps = [rows[measure] - rows[f"{measure}_low"], rows[f"{measure}_high"] - rows[measure]]
        axis.errorbar(
            rows["x"],
            rows[measure],
            gaps,
            fmt="o",
            color=colour,
            markersize=2,
            linewidth=0.8,
            # A dot at the edge must be whole.
            clip_on=False,
            label=f"{measure} values",
        )
    axis.axhline(0, color=GREY, linestyle="--")
    xlabel = "randomised layers, from the output down"
    axis.set(xticks=range(len(stages)), ylim=(None, 1), xlabel=xlabel)
    axis.set_xticklabels(stages, rotation=30, ha="right", rotation_mode="anchor")
