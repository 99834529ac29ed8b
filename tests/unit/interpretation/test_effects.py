"""Effects of matches: sums and means compared with plain loops, P with all permutations and under
the null hypothesis, intervals with many families; tables of motifs and examples by hand."""

import dataclasses
import itertools
import runpy
from math import comb
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from crmnet.data.sequences import N, lengths, tokenise
from crmnet.evaluation.statistics import holm
from crmnet.interpretation import effects, maps
from crmnet.interpretation.effects import (
    COLUMNS,
    EXAMPLE_COLUMNS,
    covered,
    examples,
    likeness,
    mean_interval,
    motif_effects,
    shifted_p_value,
    swapped_p_value,
)
from crmnet.motifs import motif
from crmnet.motifs.motif import Motif

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "effects.py"
NO_HITS = {"motif": [], "sequence": [], "start": [], "end": [], "strand": [], "p_value": []}


def spans(*rows):
    return pd.DataFrame(rows, columns=["sequence", "start", "end"])


def random_families(rng, number, size, width, lengths):
    """Families (n,), lengths (n,) and values (n, width) that are similar within a family."""
    families = np.repeat(np.arange(number), size)
    of_family = rng.choice(lengths, number)
    values = rng.normal(size=(number, width)).repeat(size, axis=0)
    values += 0.2 * rng.normal(size=values.shape)
    return families, of_family.repeat(size), values


def windows(starts, wide, width):
    at = np.arange(width)
    return (at >= starts[:, None]) & (at < starts[:, None] + wide)


def test_covered_positions_are_those_of_a_loop():
    rng = np.random.default_rng(1)
    index, start = pd.Index([f"s{row}" for row in range(7)]), rng.integers(1, 21, 40)
    table = spans(*zip(rng.choice(index, 40), start, start + rng.integers(0, 11, 40), strict=True))
    expected = np.zeros((7, 30), bool)
    for name, first, last in table.itertuples(index=False):
        for position in range(first, last + 1):
            expected[int(name[1:]), position - 1] = True
    inside = covered(table, index, 30)
    assert inside.dtype == bool
    assert (inside == expected).all()
    assert (covered(table.rename(columns={"sequence": "row"}), index, 30, "row") == expected).all()
    # Overlapping ones, and up to the very end.
    both = covered(spans(("s1", 1, 3), ("s1", 3, 5), ("s0", 4, 5)), index[:2], 5)
    assert both.astype(int).tolist() == [[0, 0, 0, 1, 1], [1, 1, 1, 1, 1]]


def test_nothing_is_covered_by_no_span():
    # As a table without a row is read: without types.
    assert not covered(pd.DataFrame(NO_HITS, dtype=object), pd.Index(["s0"]), 5).any()


@pytest.mark.parametrize("span", [("s2", 1, 3), ("s1", 0, 3), ("s1", 4, 6)])
def test_spans_of_other_sequences_are_refused(span):
    with pytest.raises(ValueError, match=f"sequence {span[0]}: .* not of the same sequences"):
        covered(spans(("s0", 1, 2), span), pd.Index(["s0", "s1"]), 5)


def test_an_insert_ends_at_its_last_base():
    tokens = np.array([tokenise("ACGTN"), tokenise("NACNG"), tokenise("ANNNN"), tokenise("NNNNN")])
    assert lengths(tokens).tolist() == [4, 5, 1, 0]


def test_the_mean_is_that_of_all_values_and_the_interval_that_of_families():
    rng = np.random.default_rng(2)
    families = rng.integers(0, 9, 50)
    counts = rng.integers(0, 4, 50)
    values = [rng.normal(family, 1, count) for family, count in zip(families, counts, strict=True)]
    sums = np.array([part.sum() for part in values])
    mean, low, high = mean_interval(sums, counts, families, replicates=300, seed=5)
    assert mean == pytest.approx(np.concatenate(values).mean())
    # The same draws, by hand: all values of the families that are drawn.
    of_family = [
        np.concatenate([values[row] for row in np.flatnonzero(families == family)])
        for family in range(9)
    ]
    rng = np.random.default_rng(5)
    means = [
        np.concatenate([of_family[family] for family in rng.integers(9, size=9)]).mean()
        for _ in range(300)
    ]
    assert (low, high) == pytest.approx(tuple(np.percentile(means, [2.5, 97.5])))
    again = mean_interval(sums, counts, families, replicates=300, seed=5)
    assert again == (mean, low, high)


def test_a_mean_of_nothing_and_of_one_family():
    families, none = np.array([0, 0, 1]), np.zeros(3)
    assert np.isnan(mean_interval(none, none, families, replicates=9, seed=1)).all()
    counts = np.array([1, 2, 0])
    one = mean_interval(np.array([1.0, 5.0, 0.0]), counts, families, replicates=9, seed=1)
    assert one == (2, 2, 2)


def test_copies_in_a_family_do_not_narrow_the_interval():
    rng = np.random.default_rng(3)
    values, one = rng.normal(size=60), np.ones(60)
    draw = {"replicates": 2000, "seed": 1}
    once = mean_interval(values, one, np.arange(60), **draw)
    copied = mean_interval(values.repeat(9), one.repeat(9), np.arange(60).repeat(9), **draw)
    assert copied == pytest.approx(once)
    naive = mean_interval(values.repeat(9), one.repeat(9), np.arange(540), **draw)
    assert (once[2] - once[1]) / (naive[2] - naive[1]) == pytest.approx(3, rel=0.15)
    # As the normal approximation has it.
    half = 1.96 * values.std() / np.sqrt(60)
    assert once[1:] == pytest.approx((once[0] - half, once[0] + half), abs=0.15 * half)


def test_the_interval_holds_the_mean_in_95_percent_of_experiments():
    held = []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        size = rng.integers(1, 6, 50)
        families = np.arange(50).repeat(size)
        values = rng.normal(7, 1, 50).repeat(size) + 0.3 * rng.normal(size=len(families))
        _, low, high = mean_interval(
            values, np.ones(len(values)), families, replicates=99, seed=seed
        )
        held.append(low <= 7 <= high)
    # A bootstrap of 50 families, and few replicates, are a little narrow; the error of 250
    # experiments is 1.5 %.
    assert 0.88 <= np.mean(held) <= 0.98


def test_matches_of_one_family_in_all_places():
    rng = np.random.default_rng(4)
    values, inside = rng.normal(size=(3, 14)), np.zeros((3, 14), bool)
    inside[0, 2:5] = inside[1, 3:6] = inside[1, 9] = True
    values[0, 3] = 3
    inside[:, 11:] = False
    values[:, 11:] = 99  # behind the sequences
    lengths, families = np.full(3, 11), np.full(3, 4)
    sums = np.array(
        [
            sum(
                values[row, (at + shift) % 11]
                for row in range(3)
                for at in np.flatnonzero(inside[row])
            )
            for shift in range(11)
        ]
    )
    gap = np.abs(sums - sums.mean())
    exact = (gap >= gap[0] - 1e-9).mean()
    p = shifted_p_value(values, inside, lengths, families, permutations=4000, seed=1)
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
    assert 0 < exact < 1


def test_equal_sums_are_equal_in_single_precision():
    # Any rotation of these two gives the same sum, but not in the same order.
    values = np.array([[0.1, 1e4, 0.7, -1e4 / 3, 0.3]], np.float32)
    p = shifted_p_value(
        values, np.ones((1, 5), bool), np.array([5]), np.array([0]), permutations=99, seed=1
    )
    assert p == 1
    # A peak is hit by one shift in five, the identity.
    peak = np.array([[0.1, 9.7, 0.1, 0.2, 0.3]], np.float32)
    inside = np.arange(5)[None] == 1
    p = shifted_p_value(peak, inside, np.array([5]), np.array([0]), permutations=4000, seed=1)
    assert p == pytest.approx(0.2, abs=0.03)


def test_two_families_of_different_lengths_in_all_places():
    rng = np.random.default_rng(5)
    lengths, families = np.array([4, 4, 5]), np.array([0, 0, 2])
    values = rng.normal(size=(3, 5)) * (np.arange(5) < lengths[:, None])
    inside = np.array([[1, 1, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 1, 0]], bool)
    sums = []
    for one, other in itertools.product(range(4), range(5)):
        moved = [np.roll(inside[row, :4], one) for row in (0, 1)] + [np.roll(inside[2], other)]
        sums.append(sum(values[row, : len(mask)][mask].sum() for row, mask in enumerate(moved)))
    gap = np.abs(np.array(sums) - np.mean(sums))
    exact = (gap >= gap[0] - 1e-9).mean()
    p = shifted_p_value(values, inside, lengths, families, permutations=4000, seed=2)
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))


def test_p_of_random_places_is_uniform_and_of_peaks_small():
    drawn = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        families, lengths, values = random_families(rng, 12, 3, 30, (24, 30))
        starts = rng.integers(0, lengths[::3] - 5).repeat(3)
        inside = windows(starts, 6, 30)
        options = {"permutations": 99, "seed": seed}
        drawn.append(shifted_p_value(values, inside, lengths, families, **options))
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.array(drawn) <= 0.05) == pytest.approx(0.05, abs=0.045)
    assert scipy.stats.kstest(drawn, "uniform").pvalue > 0.001
    assert shifted_p_value(values + inside, inside, lengths, families, **options) == 0.01
    assert shifted_p_value(values - inside, inside, lengths, families, **options) == 0.01


def test_copies_of_a_family_are_no_evidence():
    # One family, whose match stands on its peak: one of twenty places, however many copies.
    values, inside = np.tile(np.arange(20.0) == 7, (50, 1)), windows(np.full(50, 7), 1, 20)
    options = {"permutations": 2000, "seed": 1}
    lengths, families = np.full(50, 20), np.zeros(50, int)
    p = shifted_p_value(values, inside, lengths, families, **options)
    assert p == pytest.approx(0.05, abs=0.02)
    assert shifted_p_value(values, inside, lengths, np.arange(50), **options) == 1 / 2001


def test_no_match_has_no_p():
    p = shifted_p_value(
        np.ones((2, 3)),
        np.zeros((2, 3), bool),
        np.array([3, 3]),
        np.arange(2),
        permutations=9,
        seed=1,
    )
    assert np.isnan(p)


def test_all_deals_within_families():
    # Families by no order; family 1 has none that is chosen, family 3 no other.
    families = np.array([2, 0, 1, 2, 0, 3, 2, 0, 1, 3])
    chosen = np.array([1, 0, 0, 0, 1, 1, 1, 0, 0, 1], bool)
    values = np.array([4.0, 1.0, 9.0, 2.5, 3.0, 9.0, 5.0, 0.0, -9.0, 9.0])
    one, other = values[families == 0], values[families == 2]
    sums = np.array([a + b + c for a in one for b, c in itertools.combinations(other, 2)])
    assert len(sums) == 9
    observed = 3 + 4 + 5
    gap = abs(observed - sums.mean())
    exact = (np.abs(sums - sums.mean()) >= gap - 1e-9).mean()
    p, tested = swapped_p_value(values, chosen, families, permutations=4000, seed=1)
    assert tested == 2
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))
    shuffled = np.random.default_rng(1).permutation(10)
    again = swapped_p_value(
        values[shuffled], chosen[shuffled], families[shuffled], permutations=4000, seed=2
    )
    assert again == (pytest.approx(exact, abs=0.04), 2)


def test_without_mixed_families_nothing_is_tested():
    families, values = np.array([0, 0, 1, 1, 2]), np.arange(5.0)
    for chosen in ([1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]):
        p, tested = swapped_p_value(
            values, np.array(chosen, bool), families, permutations=9, seed=1
        )
        assert np.isnan(p)
        assert tested == 0


def test_without_relatives_all_sequences_are_one_pool():
    values = np.array([5.0, 1.0, 4.0, 2.0, 0.5, 3.0, 2.5])
    chosen = np.array([1, 0, 1, 0, 0, 0, 0], bool)
    p, tested = swapped_p_value(values, chosen, np.arange(7), permutations=4000, seed=1)
    sums = np.array([sum(pair) for pair in itertools.combinations(values, 2)])
    exact = (np.abs(sums - sums.mean()) >= 9 - sums.mean() - 1e-9).mean()
    assert len(sums) == comb(7, 2)
    assert tested == 1
    assert p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000))


def test_p_of_a_random_choice_is_uniform_although_families_differ():
    drawn, naive = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        families = np.arange(10).repeat(6)
        level = rng.normal(0, 5, 10)
        values = level[families] + rng.normal(size=60)
        # Families of higher levels have the motif more often.
        chosen = rng.random(60) < 1 / (1 + np.exp(-level[families] / 3))
        p, _ = swapped_p_value(values, chosen, families, permutations=99, seed=seed)
        drawn.append(p)
        naive.append(scipy.stats.ttest_ind(values[chosen], values[~chosen]).pvalue)
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.08)
    assert np.mean(np.array(drawn) <= 0.05) == pytest.approx(0.05, abs=0.045)
    assert scipy.stats.kstest(drawn, "uniform").pvalue > 0.001
    assert np.mean(np.array(naive) <= 0.05) > 0.5
    for sign in (1, -1):
        p, tested = swapped_p_value(
            values + 3 * sign * chosen, chosen, families, permutations=99, seed=1
        )
        assert p == 0.01
        assert 5 < tested <= 10


@pytest.fixture
def case():
    """Four sequences in three families; motif A in two of them, B in one, C in none."""
    saliency = np.array(
        [[1, 2, 3, 4, 0], [0, 1, -1, 2, 1], [5, -5, 5, 0, 0], [2, 2, 2, 2, 2]], np.float32
    )
    targets = {"target": ["A", "B", "C"], "target_name": ["Abf", "Bas", "Cup"]}
    hits = [
        ("A", "s5", 2, 3, "+", 1e-5),
        ("A", "s5", 3, 4, "-", 1e-6),
        ("A", "s1", 1, 2, "+", 1e-5),
        ("B", "s7", 1, 3, "-", 1e-4),
        ("other", "s3", 1, 5, "+", 1e-4),
    ]
    ranked = {
        "sequence": ["s5", "s3", "s7", "s1"],
        "row": [5, 3, 7, 1],
        "expression": [10.0, 8.0, 6.0, 2.0],
        "family": [0, 1, 0, 2],
    }
    return SimpleNamespace(
        targets=pd.DataFrame(targets),
        hits=pd.DataFrame(hits, columns=list(NO_HITS)),
        ranked=pd.DataFrame(ranked),
        saliency=saliency,
        lengths=np.array([4, 5, 3, 5]),
        logos={"A": np.array([2.0, 0.5]), "B": np.array([0.0, 1.0, 0.0]), "C": np.arange(4.0)},
    )


def table_of(case, **changed):
    given = vars(case) | changed
    return motif_effects(
        *(given[key] for key in ("targets", "hits", "ranked", "saliency", "lengths", "logos")),
        replicates=200,
        permutations=99,
        seed=3,
    )


def test_the_table_of_motifs(case):
    table = table_of(case)
    assert list(table.columns) == COLUMNS
    assert table["measure"].tolist() == [
        measure
        for measure in ("saliency", "absolute_saliency", "logo_similarity", "expression")
        for _ in range(3)
    ]
    rows = table.set_index(["measure", "target"])
    # Of A: positions 2, 3, 4 of s5, and 1, 2 of s1.
    assert rows.loc["saliency", "A"]["value"] == pytest.approx((2 + 3 + 4 + 2 + 2) / 5)
    assert rows.loc["saliency", "B"]["value"] == pytest.approx((5 - 5 + 5) / 3)
    assert rows.loc["absolute_saliency", "B"]["value"] == pytest.approx(5)
    # Of A the logo falls and each map rises, but for the match on the other strand; B's map is the
    # logo upside down.
    assert rows.loc["logo_similarity", "A"]["value"] == pytest.approx((-1 + 1 + 0) / 3)
    assert rows.loc["logo_similarity", "B"]["value"] == pytest.approx(-1)
    # Two thirds of the places of B have its lower or its upper flank in the middle.
    assert rows.loc["logo_similarity", "B"]["control"] == pytest.approx((-1 + 0.5 + 0.5) / 3)
    control = rows["control"].unstack()
    assert control.loc["saliency"].tolist() == pytest.approx([(10 + 3 + 5 + 10) / 17] * 3)
    assert control.loc["absolute_saliency"].tolist() == pytest.approx([(10 + 5 + 15 + 10) / 17] * 3)
    assert control.loc["expression"].tolist() == pytest.approx([6.5] * 3)
    assert rows.loc["expression", "A"]["value"] == pytest.approx(6)
    assert rows.loc["expression", "B"]["value"] == pytest.approx(6)
    filled = table[table["target"] != "C"]
    assert (filled["difference"] == filled["value"] - filled["control"]).all()
    assert (filled["low"] <= filled["value"]).all() and (filled["value"] <= filled["high"]).all()
    of_all = table[table["measure"] != "logo_similarity"]
    assert (of_all["control_low"] < of_all["control"]).all()

    counts = rows[["matches", "sequences", "families"]].loc["expression"]
    assert counts.loc["A"].tolist() == [3, 2, 2]
    assert counts.loc["B"].tolist() == [1, 1, 1]
    # Of family 0, s5 has A and s7 has not; s1 has no relative.
    assert rows["tested_families"].unstack().loc["expression"].tolist() == [1, 1, 0]
    assert rows["tested_families"].unstack().loc["saliency"].tolist() == [2, 1, 0]
    # A deal of one of two: either sum is as far from their mean.
    assert rows.loc["expression", "A"]["p_value"] == 1


def test_a_motif_without_a_match_is_in_the_table(case):
    for hits in (case.hits, pd.DataFrame(NO_HITS, dtype=object)):
        none = table_of(case, hits=hits)
        none = none[none["target"] == "C"]
        assert len(none) == 4
        empty = ["value", "low", "high", "difference", "p_value", "p_holm"]
        assert none[empty].isna().all(axis=None)
        assert (none["control"].isna() == (none["measure"] == "logo_similarity")).all()
        assert (none[["matches", "sequences", "families", "tested_families"]] == 0).all(axis=None)


def test_no_motif_is_an_empty_table(case):
    none = table_of(case, targets=case.targets[:0])
    assert list(none.columns) == COLUMNS
    assert none.empty


def test_p_values_are_adjusted_for_the_number_of_motifs(case):
    rng = np.random.default_rng(7)
    families, lengths, values = random_families(rng, 30, 4, 20, (20,))
    expression = rng.normal(size=120)
    ranked = pd.DataFrame(
        {"sequence": [f"s{i}" for i in range(120)], "expression": expression, "family": families}
    )
    starts = {name: rng.integers(0, 16, 120) for name in "AB"}
    with_it = {name: np.flatnonzero(rng.random(120) < 0.5) for name in "AB"}
    hits = pd.concat(
        pd.DataFrame(
            {
                "motif": name,
                "sequence": ranked["sequence"][with_it[name]],
                "start": starts[name][with_it[name]] + 1,
                "end": starts[name][with_it[name]] + 4,
                "strand": rng.choice(["+", "-"], len(with_it[name])),
            }
        )
        for name in "AB"
    )
    inside = windows(starts["A"], 4, 20)
    inside[np.setdiff1d(np.arange(120), with_it["A"])] = False
    values[inside] += 2
    table = table_of(
        case,
        targets=case.targets[:2],
        hits=hits,
        ranked=ranked,
        saliency=values,
        lengths=lengths,
        logos=dict.fromkeys("AB", np.array([0.1, 2.0, 1.5, 0.2])),
    ).set_index(["measure", "target"])
    options = {"permutations": 99, "seed": 3}
    p = shifted_p_value(values, inside, lengths, families, **options)
    assert table.loc["saliency", "A"]["p_value"] == p == 0.01
    assert table.loc["saliency", "A"]["p_holm"] == 0.02
    chosen = np.isin(np.arange(120), with_it["A"])
    p, tested = swapped_p_value(expression, chosen, families, **options)
    assert table.loc["expression", "A"]["p_value"] == p
    assert table.loc["expression", "A"]["tested_families"] == tested
    for _, rows in table.groupby("measure"):
        assert rows["p_holm"].tolist() == holm(rows["p_value"]).tolist()


LOGO = np.array([0.2, 2.0, 1.6, 0.1, 1.9, 1.0, 0.3])


def test_likeness_is_the_correlation_at_each_place_round_the_sequence():
    rng = np.random.default_rng(8)
    values, lengths = rng.normal(size=(4, 20)).astype(np.float32), np.array([20, 13, 20, 7])
    values[2, 3:12] = 0.7
    found = likeness(values, lengths, LOGO)
    for row, length in enumerate(lengths):
        for at in range(20):
            beneath = values[row, (at + np.arange(7)) % length]
            flat = np.ptp(beneath) == 0
            expected = 0 if at >= length or flat else np.corrcoef(beneath, LOGO)[0, 1]
            assert found[row, at] == pytest.approx(expected, abs=1e-6)
    assert (found[2, 3:6] == 0).all()
    assert (likeness(values, lengths, np.ones(7)) == 0).all()


def matched(seed, beneath, noise=1.0, families=12, size=3, width=40):
    """The logo_similarity and the saliency of one motif, with a match in each sequence, alike in a
    family, on either strand; the map is noise, also alike, and `beneath` (7,) is added in the
    direction of each match."""
    rng = np.random.default_rng(seed)
    family, lengths, values = random_families(rng, families, size, width, (width - 8, width))
    values *= noise
    start = rng.integers(0, lengths[::size] - 6).repeat(size)
    minus = rng.integers(0, 2, families).repeat(size).astype(bool)
    for row, (at, turned) in enumerate(zip(start, minus, strict=True)):
        values[row, at : at + 7] += beneath[::-1] if turned else beneath
    names = [f"s{row}" for row in range(len(family))]
    hits = {"motif": "A", "sequence": names, "start": start + 1, "end": start + 7}
    table = motif_effects(
        pd.DataFrame({"target": ["A"], "target_name": ["Abf"]}),
        pd.DataFrame(hits | {"strand": np.where(minus, "-", "+")}),
        pd.DataFrame({"sequence": names, "expression": 1.0, "family": family}),
        values,
        lengths,
        {"A": LOGO},
        replicates=99,
        permutations=99,
        seed=seed,
    )
    return table.set_index("measure").loc[["logo_similarity", "saliency"]].itertuples()


def test_a_map_equal_to_the_logo_is_similar_to_it():
    found, _ = matched(1, LOGO, noise=1e-3)
    assert found.value == pytest.approx(1, abs=0.01)
    assert abs(found.control) < 0.2 and found.p_value == 0.01
    assert found.low <= found.value <= found.high
    assert (found.matches, found.families, found.tested_families) == (36, 12, 12)
    # Whatever its scale and level, and through noise.
    assert next(matched(1, 300 * LOGO - 50, noise=0.1)).value == pytest.approx(1, abs=0.01)
    found, _ = matched(2, 2 * LOGO)
    assert found.difference > 0.3 and found.p_value == 0.01
    upside_down, _ = matched(1, -LOGO, noise=1e-3)
    assert upside_down.value == pytest.approx(-1, abs=0.01) and upside_down.p_value == 0.01


def test_p_of_the_likeness_of_noise_is_uniform():
    drawn = [next(matched(seed, np.zeros(7))).p_value for seed in range(150)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(drawn) <= 0.05) <= 0.1
    assert scipy.stats.kstest(drawn, "uniform").pvalue > 0.001


def test_a_map_that_is_merely_high_at_matches_is_not_like_the_logo():
    pairs = [list(matched(seed, np.full(7, 4.0))) for seed in range(60)]
    assert all(saliency.p_value == 0.01 for _, saliency in pairs)
    assert np.mean([found.p_value <= 0.05 for found, _ in pairs]) <= 0.1
    assert np.mean([found.value for found, _ in pairs]) == pytest.approx(0, abs=0.05)


def test_matches_of_another_width_than_the_logo_are_refused(case):
    case.logos["B"] = LOGO
    with pytest.raises(ValueError, match="motif B: its logo has 7 positions, but its matches"):
        table_of(case)


def shown(case, **changed):
    given = vars(case) | changed
    letters = ["ACGT", "CCCCC", "GGG", "TTTTT"]
    return examples(
        *(given[key] for key in ("targets", "hits", "ranked", "saliency")),
        letters,
        np.array([9.0, 7.0, 5.0, 3.0]),
    )


def test_examples_are_one_match_a_family_by_saliency(case):
    table = shown(case)
    assert list(table.columns) == EXAMPLE_COLUMNS
    # A's strongest match in s5 has the mean 3.5, that in s1 the mean 2.
    heads = table.drop_duplicates(["target", "example"])
    columns = ["target", "example", "share_above", "sequence", "row", "match_start", "match_end"]
    assert heads[columns].to_numpy().tolist() == [
        ["A", 1, 0.0, "s5", 5, 3, 4],
        ["A", 2, 0.5, "s1", 1, 1, 2],
        ["B", 1, 0.0, "s7", 7, 1, 3],
    ]
    assert heads["match_strand"].tolist() == ["-", "+", "-"]
    assert heads["match_p_value"].tolist() == [1e-6, 1e-5, 1e-4]
    first = table[(table["target"] == "A") & (table["example"] == 1)]
    assert "".join(first["letter"]) == "ACGT"
    assert first["saliency"].tolist() == [1, 2, 3, 4]
    assert first["position"].tolist() == [1, 2, 3, 4]
    assert set(first["expression"]) == {10.0} and set(first["predicted"]) == {9.0}


def test_examples_of_quarters_of_the_families(case):
    ranked = pd.DataFrame({"sequence": [f"s{i}" for i in range(40)], "row": range(40)})
    ranked = ranked.assign(expression=1.0, family=np.arange(40) // 2)
    # In each family the later sequence has the stronger match, and more saliency in it. A position
    # more or less would change the order.
    saliency = np.arange(40.0)[:, None] * [1, 0, 0, 0, -9]
    hits = ranked[["sequence"]].assign(motif="A", start=1, end=4, strand="+")
    hits["p_value"] = np.where(ranked["row"] % 2, 1e-6, 1e-5)
    table = examples(
        case.targets, hits, ranked, saliency, ["ACGTA"] * 40, np.zeros(40)
    ).drop_duplicates("example")
    assert table["row"].tolist() == [39, 29, 19, 9]
    assert table["share_above"].tolist() == [0, 0.25, 0.5, 0.75]


def test_no_example(case):
    for changed in (
        {"targets": case.targets[:0]},
        {"hits": pd.DataFrame(NO_HITS, dtype=object)},
        {"targets": case.targets[2:]},
    ):
        none = shown(case, **changed)
        assert list(none.columns) == EXAMPLE_COLUMNS
        assert none.empty


def write_inputs(case, folder):
    """The inputs of the script, with maps in the order of the test table and padded with N."""
    width, rows = case.saliency.shape[1], np.arange(9)
    tokens = np.full((9, width), N, np.uint8)
    gradient = np.zeros((9, width, 4), np.float32)
    for row, values, length in zip(case.ranked["row"], case.saliency, case.lengths, strict=True):
        tokens[row, :length] = np.arange(length) % 4
        gradient[row] = -99
        gradient[row, np.arange(length), tokens[row, :length]] = values[:length]
    tokens[5, 0] = N
    levels = rows.astype(np.float32)
    saved = maps.Maps(rows, tokens, gradient, levels + 0.5, levels, np.full(9, 17))
    maps.save(folder / "maps.npz", saved)
    case.hits.to_csv(folder / "hits.tsv.gz", sep="\t", index=False)
    counts = {"A": [[9, 1, 0, 0], [4, 4, 1, 1]], "B": [[1, 1, 1, 1], [0, 0, 9, 0], [1, 1, 1, 1]]}
    motif.write_meme(
        folder / "known.meme", [Motif(*named) for named in counts.items()], np.full(4, 0.25)
    )
    case.ranked.to_csv(folder / "ranked.tsv", sep="\t", index=False)


def run_script(folder, selected, sites="known", beside=None):
    names = ["B", "D", "A"]
    # The hits of the files are those of known motifs, or of found ones.
    columns = {"target": names} if sites == "known" else {"target": list("XYZ"), "motif": names}
    motifs = pd.DataFrame({**columns, "target_name": ["Bas", "Dal", "Abf"]})
    motifs.assign(selected=pd.array(selected, "Int64")).to_csv(
        folder / "motifs.tsv", sep="\t", index=False
    )
    job = SimpleNamespace(
        input=SimpleNamespace(
            motifs=folder / "motifs.tsv",
            hits=folder / "hits.tsv.gz",
            ranked=folder / "ranked.tsv",
            saliency=folder / "maps.npz",
            map=[folder / "beside.npz"] if beside else [],
            scanned=folder / "known.meme",
        ),
        output=SimpleNamespace(effects=folder / "effects.tsv", examples=folder / "examples.tsv"),
        params=SimpleNamespace(replicates=20, permutations=19, sites=sites, seed=1, map=beside),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return (pd.read_csv(folder / name, sep="\t") for name in ("effects.tsv", "examples.tsv"))


def test_the_script(case, tmp_path):
    write_inputs(case, tmp_path)
    table, rows = run_script(tmp_path, [2, None, 1])
    assert list(table.columns) == COLUMNS
    assert table["target"].tolist() == ["A", "B"] * 4
    # As by hand, but that no base stands at the first position of s5.
    rows_of = table.set_index(["measure", "target"])
    assert rows_of.loc["saliency", "A"]["value"] == pytest.approx(2.6)
    assert rows_of.loc["saliency", "A"]["control"] == pytest.approx(27 / 17, rel=1e-5)
    # The bits of A fall as well; each match's correlation is of two positions.
    assert rows_of.loc["logo_similarity", "A"]["value"] == pytest.approx(0)
    assert rows_of.loc["logo_similarity", "B"]["value"] == pytest.approx(-1)
    assert list(rows.columns) == EXAMPLE_COLUMNS
    first = rows[(rows["target"] == "A") & (rows["example"] == 1)]
    assert first["letter"].tolist() == ["N", "C", "G", "T"]
    assert first["saliency"].tolist() == [0, 2, 3, 4]
    assert first["predicted"].tolist() == [5.5] * 4
    assert rows[rows["target"] == "B"]["letter"].tolist() == ["A", "C", "G"]


def test_the_effects_of_a_map_beside_the_papers(case, tmp_path):
    write_inputs(case, tmp_path)
    (paper, examples_) = run_script(tmp_path, [2, None, 1])
    whole = maps.load(tmp_path / "maps.npz")
    # Twice the paper's map, of all sequences and of those of some rows.
    twice = dataclasses.replace(whole, gradient=2 * whole.gradient)
    maps.save(tmp_path / "beside.npz", twice)
    table, rows = run_script(tmp_path, [2, None, 1], beside="mutagenesis")
    pd.testing.assert_frame_equal(rows, examples_)
    pd.testing.assert_frame_equal(table.iloc[: len(paper)], paper)
    assert table["measure"].unique().tolist()[4:] == [
        *("mutagenesis", "absolute_mutagenesis", "mutagenesis_logo_similarity")
    ]
    values = table.set_index(["measure", "target"])[["value", "control", "matches"]]
    expected = values.loc["saliency"] * [2, 2, 1]
    np.testing.assert_allclose(values.loc["mutagenesis"], expected, rtol=1e-5)
    some = case.ranked["row"].iloc[:2]
    maps.save(tmp_path / "beside.npz", twice.of(some))
    table, _ = run_script(tmp_path, [2, None, 1], beside="mutagenesis")
    hits = case.hits[case.hits["sequence"].isin(case.ranked["sequence"].iloc[:2])]
    counted = table[table["measure"] == "mutagenesis"].set_index("target")["matches"]
    assert counted.to_dict() == {name: (hits["motif"] == name).sum() for name in "AB"}


def test_the_sites_of_the_found_motifs(case, tmp_path):
    write_inputs(case, tmp_path)
    known = [table.to_csv() for table in run_script(tmp_path, [2, None, 1])]
    found = [table.to_csv() for table in run_script(tmp_path, [2, None, 1], "found")]
    assert found == known


def test_the_script_without_a_selected_motif(case, tmp_path):
    write_inputs(case, tmp_path)
    table, rows = run_script(tmp_path, [None, None, None])
    assert list(table.columns) == COLUMNS and table.empty
    assert list(rows.columns) == EXAMPLE_COLUMNS and rows.empty


def test_the_script_without_a_hit(case, tmp_path):
    case.hits = case.hits[:0]
    write_inputs(case, tmp_path)
    table, rows = run_script(tmp_path, [2, None, 1])
    assert table["value"].isna().all()
    assert len(table) == 8 and rows.empty


def test_hits_of_other_sequences_are_refused(case, tmp_path):
    case.hits.loc[0, "end"] = 6
    write_inputs(case, tmp_path)
    with pytest.raises(ValueError, match="sequence s5: .* not of the same sequences"):
        run_script(tmp_path, [2, None, 1])


def test_p_is_never_zero():
    assert effects._share_beyond(9.0, np.zeros(99), 0.0) == 0.01
