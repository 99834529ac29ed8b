"""GADEM: E-values compared with a direct computation, rGADEM's sites completed, the stand-in on
planted motifs and random sequences; the wrapper with a program that imitates gadem.R."""

import gzip
import itertools
import json
import math
import os
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from crmnet.data.sequences import COMPLEMENT, N, reverse_complement, tokenise
from crmnet.motifs import gadem
from crmnet.motifs.gadem import (
    COLUMNS,
    SITE_COLUMNS,
    letter_counts,
    ln_e_value,
    over_represented,
    ranked,
    read_rgadem,
    resolved,
    search,
)
from crmnet.motifs.motif import MotifError, background, read_background, read_meme

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "gadem.py"
PROGRAM = SCRIPT.with_suffix(".R")
AT_RICH = np.array([0.31, 0.19, 0.19, 0.31])

# As gadem.R writes them: 1-based, N where an earlier motif is, no strand at the end of a sequence.
SEQUENCES = ["GGGGATTACAGG", "CCTGTAATCCCC", "AAAAAGATTACA", "TGTAATCTTTTT", "CCGATTCCACCC"]
SITES = """\
motif	seqID	strand	pos	seq	pval
1	1	+	4	GATTACA	1.4e-05
1	2	-	9	GATTACA	1.4e-05
1	3		6	GATTACA	1.4e-05
1	4		7	GATTACA	1.4e-05
1	5	+	3	GATTCCA	0.00012
2	4	+	9	TTT	0.0002
2	3	-	4	TTN	0.0002
"""
MOTIFS = """\
motif	consensus	sites	position	A	C	G	T
1	GATTACA	5	1	5e-04	5e-04	0.9985	5e-04
1	GATTACA	5	2	0.9985	5e-04	5e-04	5e-04
1	GATTACA	5	3	5e-04	5e-04	5e-04	0.9985
1	GATTACA	5	4	5e-04	5e-04	5e-04	0.9985
1	GATTACA	5	5	0.7989	0.2001	5e-04	5e-04
1	GATTACA	5	6	5e-04	0.9985	5e-04	5e-04
1	GATTACA	5	7	0.9985	5e-04	5e-04	5e-04
2	TTT	2	1	5e-04	5e-04	5e-04	0.9985
2	TTT	2	2	5e-04	5e-04	5e-04	0.9985
2	TTT	2	3	5e-04	5e-04	5e-04	0.9985
"""
FAKE_RSCRIPT = """\
import json, os, pathlib, sys
if sys.argv[1] == "-e":
    version = os.environ["PACKAGE"]
    print(version, end="")
    sys.exit(0 if version else "there is no package called 'rGADEM'")
program, fasta, sites, motifs, *options = sys.argv[1:]
seen = {"program": program, "fasta": pathlib.Path(fasta).read_text(), "options": options}
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(seen))
if not os.environ["SITES"]:
    sys.exit("Error: cannot allocate vector of size 8.0 Gb")
pathlib.Path(sites).write_text(os.environ["SITES"])
pathlib.Path(motifs).write_text(os.environ["MOTIFS"])
"""


def rows(sequences):
    width = max(map(len, sequences))
    return np.array([tokenise(sequence.ljust(width, "N")) for sequence in sequences])


def random_tokens(seed, number, length=80):
    return np.random.default_rng(seed).choice(4, (number, length), p=AT_RICH).astype(np.uint8)


def planted(seed, number, with_site, word, exact=0.93):
    """Random sequences, of which the first have a site on either strand; N is any letter. Then row,
    first position (from 1) and strand of each site."""
    rng, tokens = np.random.default_rng(seed), random_tokens(seed, number)
    places = []
    for row in range(with_site):
        site = tokenise(word)
        other = (site == N) | (rng.random(len(site)) > exact)
        site[other] = rng.choice(4, other.sum(), p=AT_RICH)
        strand = rng.choice(["+", "-"])
        start = int(rng.integers(0, tokens.shape[1] - len(site) + 1))
        tokens[row, start : start + len(site)] = site if strand == "+" else COMPLEMENT[site[::-1]]
        places.append((row, start + 1, str(strand)))
    return tokens, places


def columns(seed, width):
    return np.random.default_rng(seed).dirichlet(np.full(4, 0.7), width) * 0.996 + 0.001


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("sites", [2, 9])
def test_ln_e_is_that_of_the_product_of_the_columns(width, sites):
    pwm, starts = columns(width, width), 60
    ratios = [sum(p * math.log(p / q) for p, q in zip(row, AT_RICH, strict=True)) for row in pwm]
    product = math.prod(scipy.stats.chi2.sf(2 * sites * ratio, 3) for ratio in ratios)
    # How likely a product of uniform numbers is as small, by its integral.
    tail = (
        product
        * [1, 1 - math.log(product), 1 - math.log(product) + math.log(product) ** 2 / 2][width - 1]
    )
    expected = math.log(tail * math.comb(starts, sites) * 2**sites)
    assert ln_e_value(pwm, sites, AT_RICH, starts) == pytest.approx(expected, rel=1e-9)


def test_ln_e_of_a_motif_without_information():
    even = AT_RICH[None] * np.ones((5, 1))
    assert ln_e_value(even, 3, AT_RICH, 10) == pytest.approx(math.log(math.comb(10, 3) * 8))
    assert ln_e_value(even, 11, AT_RICH, 10) == math.inf


def test_ln_e_is_lower_with_more_sites_of_the_same_kind_and_with_fewer_places():
    pwm = (np.eye(4)[[0, 1, 2, 3, 0, 1, 2, 3, 0, 1]] + 5e-4) / 1.002
    values = [ln_e_value(pwm, sites, AT_RICH, 5000) for sites in (5, 20, 100, 500)]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1]
    more = [ln_e_value(pwm, 20, AT_RICH, starts) for starts in (100, 1000, 10000)]
    assert more == sorted(more)
    wide = [ln_e_value(pwm[:width], 20, AT_RICH, 5000) for width in range(1, 11)]
    assert wide == sorted(wide, reverse=True)
    # Far below the smallest double.
    assert -1e6 < ln_e_value(pwm, 50_000, AT_RICH, 10**7) < -1e5


def test_the_tail_of_chi_square():
    x = np.array([0, 1e-9, 0.1, 1, 3, 10, 50, 300, 1400])
    assert gadem._ln_chi_square_3(x) == pytest.approx(scipy.stats.chi2.logsf(x, 3), rel=1e-9)
    assert gadem._ln_chi_square_3(np.array([1e5])) == pytest.approx([-5e4 + 5.53], abs=0.01)


def test_random_columns_seldom_have_a_low_p_value():
    """The p-value of 15 random sites at one position, with only the strands to choose."""
    values = []
    for seed in range(300):
        counts = (random_tokens(seed, 15, 8)[:, :, None] == np.arange(4)).sum(axis=0)
        pwm = (counts / 15 + 5e-4) / 1.002
        values.append(ln_e_value(pwm, 15, AT_RICH, 15) - 15 * math.log(2))
    for p_value in (0.5, 0.1, 0.02):
        assert np.mean(np.array(values) < math.log(p_value)) == pytest.approx(p_value, rel=0.6)


def test_counts_of_sites():
    counts = letter_counts(["ACN", "AGN", "NCN", "ATN"])
    assert counts.tolist() == [[3, 0, 0, 0], [0, 2, 1, 1], [1, 1, 1, 1]]


def raw(*sites):
    heading = ["motif", "seqID", "strand", "pos", "seq", "pval"]
    return pd.DataFrame([(1, *site, 1e-5) for site in sites], columns=heading)


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        # Given strands: the leftmost base on +, the rightmost on -.
        ((1, "+", 4, "GATTACA"), (0, 4, 10, "+", "GATTACA")),
        ((2, "-", 9, "GATTACA"), (1, 3, 9, "-", "GATTACA")),
        # No strand at the end that is the site's last on its strand.
        ((3, "", 6, "GATTACA"), (2, 6, 12, "+", "GATTACA")),
        ((4, "", 7, "GATTACA"), (3, 1, 7, "-", "GATTACA")),
        # N is any letter, also where it is in the sequence, and stays N.
        ((3, "", 6, "NATTNCN"), (2, 6, 12, "+", "NATTNCN")),
        ((6, "+", 3, "GATTACA"), (5, 3, 9, "+", "GANTACA")),
        ((6, "+", 3, "NNTNACA"), (5, 3, 9, "+", "NNNNACA")),
        # Nothing but N: the strand on which it is at the end.
        ((3, "", 6, "NNNNNNN"), (2, 6, 12, "+", "NNNNNNN")),
        ((4, "", 7, "NNNNNNN"), (3, 1, 7, "-", "NNNNNNN")),
        # Over the beginning, on either strand: without letters.
        ((4, "", -1, ""), (3, 1, 5, "+", "NNTGTAA")),
        ((4, "+", -1, ""), (3, 1, 5, "+", "NNTGTAA")),
        ((3, "-", 14, ""), (2, 8, 12, "-", "NNTGTAA")),
        ((3, "", 14, ""), (2, 8, 12, "-", "NNTGTAA")),
        # Over the end: without the letters that are not there.
        ((1, "", 9, "CAGG"), (0, 9, 12, "+", "CAGGNNN")),
        ((1, "", 4, "CCCC"), (0, 1, 4, "-", "CCCCNNN")),
        # The end of a shorter sequence, here with N behind it.
        ((7, "", 2, "GATTACA"), (6, 2, 8, "+", "GATTACA")),
    ],
)
def test_a_site_finds_its_strand_and_place(site, expected):
    tokens = rows([*SEQUENCES, "CCGANTACACCC", "CGATTACA"])
    (found,) = resolved(raw(site), 7, tokens).itertuples(index=False, name=None)
    assert found == (*expected, 1e-5)


def test_both_strands_of_random_sequences_are_told_apart():
    tokens = random_tokens(1, 40, 30)
    made, expected = [], []
    for row, start in itertools.product(range(40), (0, 1, 11, 20, 21)):
        site = tokens[row, start : start + 9]
        for strand, pos in (("+", start + 1), ("-", start + 9)):
            word = site if strand == "+" else reverse_complement(site)
            # As rGADEM has it: no strand where no letter follows.
            last = start == 21 if strand == "+" else start == 0
            text = "".join("ACGT"[letter] for letter in word)
            made.append((row + 1, "" if last else strand, pos, text))
            expected.append((row, start + 1, start + 9, strand, text, 1e-5))
    assert sum(strand == "" for _, strand, *_ in made) == 80
    found = resolved(raw(*made), 9, tokens)
    assert list(found.itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ((9, "+", 4, "GATTACA"), "not in sequence 9"),
        ((0, "+", 4, "GATTACA"), "not in sequence 0"),
        ((1, "*", 4, "GATTACA"), "on strand '\\*' is not in sequence 1"),
        ((1, "+", 40, "GATTACA"), "at 40 .* not in sequence 1"),
        ((1, "+", 13, ""), "not in sequence 1"),
        ((1, "+", -6, ""), "not in sequence 1"),
        ((1, "-", 0, ""), "not in sequence 1"),
        ((1, "+", 4, "GATTACAA"), "'GATTACAA' at 4 .* not in sequence 1"),
        ((1, "+", 5, "GATTACA"), "not in sequence 1"),
        ((1, "-", 10, "GATTACA"), "not in sequence 1"),
        # GADEM has fewer letters of a site over the end, and none of one over the beginning.
        ((1, "+", 4, "GATTAC"), "not in sequence 1"),
        ((1, "+", 9, "CAGGNNN"), "not in sequence 1"),
        ((4, "+", -1, "TGTAA"), "not in sequence 4"),
        ((1, "+", 4, ""), "not in sequence 1"),
        ((1, "", 4, "GATTTCA"), "not in sequence 1"),
        ((1, "+", 4, "GAXTACA"), "letter 'X'"),
    ],
)
def test_a_site_that_is_not_there_is_refused(site, said):
    with pytest.raises(MotifError, match=said):
        resolved(raw(site), 7, rows(SEQUENCES))


@pytest.fixture
def written(tmp_path):
    (tmp_path / "sites.tsv").write_text(SITES)
    (tmp_path / "motifs.tsv").write_text(MOTIFS)
    return tmp_path / "sites.tsv", tmp_path / "motifs.tsv"


def test_the_output_of_rgadem_is_read(written):
    tokens = rows(SEQUENCES)
    one, two = read_rgadem(*written, tokens)
    assert one["start"].tolist() == [4, 3, 6, 1, 3]
    assert one["strand"].tolist() == ["+", "-", "+", "-", "+"]
    assert [SEQUENCES[site.row][site.start - 1 : site.end] for site in one.itertuples()] == [
        *("GATTACA", "TGTAATC", "GATTACA", "TGTAATC", "GATTCCA")
    ]
    assert two["site"].tolist() == ["TTT", "TTN"]
    motifs, sites = ranked([two, one], tokens, list("abcde"), 5)
    # The second is better, and so the first now.
    assert [motif.name for motif in motifs] == ["gadem_1", "gadem_2"]
    assert [motif.width for motif in motifs] == [7, 3]
    assert motifs[0].counts[4].tolist() == [4, 1, 0, 0]
    # A column has fewer letters where some are masked, but as many sites.
    assert (motifs[1].sites, motifs[1].counts[2].sum()) == (2, 1)
    assert list(sites.columns) == SITE_COLUMNS
    assert sites["sequence"].tolist() == [*"abcde", "c", "d"]
    assert len(ranked([two, one], tokens, list("abcde"), 1)[0]) == 1
    # With GADEM's own PWM.
    pwm = pd.read_csv(written[1], sep="\t").query("motif == 1")[list("ACGT")].to_numpy()
    expected = ln_e_value(pwm, 5, background(tokens), 5 * 6)
    assert motifs[0].ln_e_value == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("sites", "seqID", "seq_id", "sites.tsv: is not a table of gadem.R: .*seqID"),
        ("sites", "1\t1\t+\t4", "1\tx\t+\t4", "sites.tsv: is not a table of gadem.R"),
        ("sites", "1\t1\t+\t4", "1\tNA\t+\t4", "sites.tsv: is not a table of gadem.R"),
        ("sites", SITES, "", "sites.tsv: is not a table of gadem.R"),
        ("motifs", "0.9985", "nought", "motifs.tsv: is not a table of gadem.R"),
        ("motifs", "\tA\tC\tG\tT", "\tA\tC\tG\tU", "motifs.tsv: is not a table of gadem.R"),
        ("sites", "1\t5\t+\t3\tGATTCCA\t0.00012\n", "", "has 4 sites of motif 1, but .* states 5"),
        ("sites", "2\t3\t-\t4", "3\t3\t-\t4", "has 1 sites of motif 2"),
        ("motifs", MOTIFS.split("\n2\t", 1)[1], "", "has sites of motifs that"),
        (
            "motifs",
            "0.7989\t0.2001",
            "0.5989\t0.4001",
            "PWM of motif 1 differs from that of its sites",
        ),
        ("sites", "GATTACA", "GATTACC", "'GATTACC' at 4 .* not in sequence 1"),
    ],
)
def test_damaged_tables_are_named(written, file, old, new, said):
    path = written[file == "motifs"]
    text = path.read_text().replace(old, new)
    path.write_text(text.removesuffix("2\t"))
    with pytest.raises(MotifError, match=said):
        read_rgadem(*written, rows(SEQUENCES))


def test_the_pwm_of_a_site_over_the_end_is_not_compared(written):
    """Only GADEM knows the letter behind the sequence, which makes the motif TTT."""
    written[0].write_text(SITES.replace("4\t+\t9\tTTT", "4\t+\t11\tTT"))
    _, two = read_rgadem(*written, rows(SEQUENCES))
    assert two[["start", "end"]].to_numpy().tolist() == [[11, 12], [2, 4]]


def test_the_motif_of_a_masked_column(written):
    """The sequences have the motif's letters, but GADEM saw them masked."""
    sites, motifs = (path.read_text() for path in written)
    head, tail = motifs.rsplit("2\tTTT\t2\t3", 1)
    written[0].write_text(sites.replace("TTT\t", "TTN\t"))
    written[1].write_text(f"{head}2\tTTT\t2\t3" + 4 * "\t0.25" + "\n")
    counts = letter_counts(read_rgadem(*written, rows(SEQUENCES))[1]["site"].tolist())
    assert counts.tolist() == [[0, 0, 0, 2], [0, 0, 0, 2], [0.5, 0.5, 0.5, 0.5]]


def brute_dyads(tokens, frequencies):
    """The score of each dyad, and the best ones of each shape, by trying all dyads."""
    number, seen, all_scores = len(tokens), {}, {}
    strands = [(row, "".join("ACGTN"[i] for i in line)) for row, line in enumerate(tokens)]
    other = reverse_complement(tokens)
    strands += [(row, "".join("ACGTN"[i] for i in line)) for row, line in enumerate(other)]
    for row, text in strands:
        for first, last, gap in itertools.product(range(3, 7), range(3, 7), range(11)):
            for start in range(len(text) - first - last - gap + 1 if first <= last else 0):
                end = start + first + gap
                one, two = text[start : start + first], text[end : end + last]
                if "N" not in one + two:
                    seen.setdefault((first, last, gap), []).append((row, one + two))
    best = []
    for (first, _, gap), words in seen.items():
        scores = {}
        for word in {word for _, word in words}:
            count = len({row for row, other in words if other == word})
            mean = len(words) * math.prod(frequencies[tokenise(word)])
            expected = number * (1 - math.exp(-mean / number))
            bound = count * math.log(count / expected) - count + expected
            scores[word[:first] + "N" * gap + word[first:]] = bound - len(word) * math.log(4)
        best.append(max(scores.values()))
        all_scores |= scores
    return all_scores, sorted((score for score in best if score > 0), reverse=True)


def test_dyads_are_those_of_a_naive_search():
    tokens = random_tokens(3, 8, 24)
    for row, start in zip(range(6), (0, 3, 5, 8, 11, 13), strict=True):
        tokens[row, start + np.r_[:3, 8:11]] = tokenise("CGGCCG")
    tokens[7, 20] = N
    dyads = over_represented(tokens, AT_RICH)
    scores, expected = brute_dyads(tokens, AT_RICH)
    assert [scores[dyad] for dyad in dyads] == pytest.approx(expected)
    assert len(dyads) > 3
    assert "CGGNNNNNCCG" in dyads


def test_the_planted_dyad_is_the_most_over_represented():
    tokens, _ = planted(4, 80, 60, "CGGANNNNNNTCCG", 1)
    assert over_represented(tokens, AT_RICH)[0] == "CGGANNNNNNTCCG"
    # Nothing is left without letters.
    assert over_represented(np.full((5, 80), N, np.uint8), AT_RICH) == []
    assert over_represented(tokens[:, :5], AT_RICH) == []


def naive_round(motif, share, tokens, frequencies):
    """A round of expectation maximisation, position by position."""
    width, counts = len(motif), np.zeros((len(motif), 4))
    for row in tokens:
        sites, weights = [], []
        for start in range(len(row) - width + 1):
            window = row[start : start + width]
            if N not in window:
                for site in (window, COMPLEMENT[window[::-1]]):
                    odds = motif[np.arange(width), site] / frequencies[site]
                    sites.append(site)
                    weights.append(odds.prod())
        weights = np.array(weights) * share / max(len(sites), 1)
        for site, weight in zip(sites, weights / (weights.sum() + 1 - share), strict=True):
            counts[np.arange(width), site] += weight
    share = counts[0].sum() / len(tokens)
    motif = counts + frequencies
    return motif / motif.sum(axis=1, keepdims=True), share


def test_expectation_maximisation_is_that_of_a_naive_one(monkeypatch):
    monkeypatch.setattr(gadem, "ROUNDS", 3)
    tokens, _ = planted(5, 12, 6, "CGGANTCCG", 1)
    tokens[:, 40:] = N
    tokens[1, 12] = N
    dyads = ["CGGANTCCG", "ACGNNNACG"]
    for dyad, found in zip(dyads, gadem._refined(dyads, tokens, AT_RICH), strict=True):
        motif, share = gadem._started(dyad, AT_RICH), 0.5
        assert motif.sum(axis=1) == pytest.approx(np.ones(9))
        for _ in range(3):
            motif, share = naive_round(motif, share, tokens, AT_RICH)
            share = min(max(share, 1 / 13), 12 / 13)
        assert found == pytest.approx(motif * share * 12, rel=1e-4)


@pytest.mark.parametrize("word", ["TTACCCGCA", "CGGANNNNNNTCCG"])
def test_a_planted_motif_is_found_where_it_is(word):
    tokens, places = planted(6, 120, 70, word)
    found = search(tokens, 1)
    motifs, sites = ranked(found, tokens, [f"s{row}" for row in range(120)], 1)
    assert motifs[0].ln_e_value < -50
    strands = motifs[0].consensus(), motifs[0].reverse_complement().consensus()
    assert any(re.search(word.replace("N", "."), strand) for strand in strands)
    own = sites[sites["motif"] == "gadem_1"]
    starts = {(int(name[1:]), start) for name, start in own[["sequence", "start"]].to_numpy()}
    width = motifs[0].width
    covered = {
        row
        for row, start, _ in places
        for found_row, site in starts
        if row == found_row and start - width + len(word) - 2 <= site <= start + 2
    }
    assert len(covered) > 0.75 * 70
    assert len({row for row, _ in starts} - {row for row, *_ in places}) < 15


def test_sites_are_where_they_say_and_apart(monkeypatch):
    tokens, _ = planted(7, 100, 60, "TTACCCGCA")
    tokens[:, 70:] = N
    searched, candidates = [], gadem._candidates
    monkeypatch.setattr(
        gadem,
        "_candidates",
        lambda left, frequencies: searched.append(left.copy()) or candidates(left, frequencies),
    )
    found = search(tokens, 2)
    # The second motif is sought where the first has no site.
    left = tokens.copy()
    for site in found[0].itertuples():
        left[site.row, site.start - 1 : site.end] = N
    assert (searched[1] == left).all()
    _, sites = ranked(found, tokens, np.arange(100), 2)
    assert len(sites) > 30
    for site in sites.itertuples():
        window = tokens[site.sequence, site.start - 1 : site.end]
        window = window if site.strand == "+" else reverse_complement(window)
        assert "".join("ACGTN"[letter] for letter in window) == site.site
        assert "N" not in site.site
        assert site.p_value <= 2e-4
    # Also those of two motifs do not overlap.
    for _, own in sites.sort_values("start").groupby("sequence"):
        assert (own["start"].to_numpy()[1:] > own["end"].to_numpy()[:-1]).all()


def test_sites_that_touch_are_apart_and_those_that_share_a_letter_are_not():
    table = pd.DataFrame({"row": [0, 0, 0, 0, 1], "start": [5, 1, 8, 9, 8]})
    kept = gadem._apart(table.assign(end=table["start"] + 3))
    assert kept[["row", "start"]].to_numpy().tolist() == [[0, 5], [0, 1], [0, 9], [1, 8]]


def test_both_of_two_motifs_are_found_and_the_best_first():
    tokens, _ = planted(8, 120, 70, "TTACCCGCA")
    other, _ = planted(9, 120, 45, "GATGAGCTCG")
    tokens[60:] = other[:60]
    motifs, _ = ranked(search(tokens, 2), tokens, np.arange(120), 2)
    both = [f"{m.consensus()} {m.reverse_complement().consensus()}" for m in motifs]
    assert "TTACCCG" in both[0] + both[1]
    assert "GATGAGC" in both[0] + both[1]
    values = [motif.ln_e_value for motif in motifs]
    assert values == sorted(values)
    assert values[1] < math.log(0.05)


@pytest.mark.parametrize("seed", range(3))
def test_random_sequences_have_no_motif(seed):
    assert search(random_tokens(20 + seed, 60), 3) == []


def test_too_few_sequences_or_too_short_ones():
    assert search(random_tokens(1, 2), 3) == []
    assert search(random_tokens(1, 50, 5), 3) == []


@pytest.fixture
def files(tmp_path):
    """Sequences of which the best ones have a motif."""
    tokens, _ = planted(6, 70, 60, "TTACCCGCA")
    names = [f"s{number}" for number in range(70)]
    lines = ["".join("ACGT"[i] for i in row) for row in tokens]
    lines[0] = "NN" + lines[0][2:]
    lines[1] = lines[1][:60]
    records = zip(names, lines, strict=True)
    (tmp_path / "ranked.fa").write_text("".join(f">{name}\n{text}\n" for name, text in records))
    return tmp_path


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program `Rscript` on the PATH that keeps its input and writes tables."""
    path = tmp_path / "bin" / "Rscript"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{FAKE_RSCRIPT}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    monkeypatch.setenv("PACKAGE", "2.54.0")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setenv("SITES", SITES)
    monkeypatch.setenv("MOTIFS", MOTIFS)
    return str(path)


def run_script(files, engine, **changed):
    params = {
        "top": 60,
        "motifs": 2,
        "generations": 3,
        "population": 30,
        "ext_trim": False,
        **changed,
    }
    out = files / engine
    out.mkdir(exist_ok=True)
    output = SimpleNamespace(
        motifs=out / "gadem.meme", table=out / "gadem.tsv", sites=out / "gadem_sites.tsv.gz"
    )
    job = SimpleNamespace(
        input=SimpleNamespace(sequences=files / "ranked.fa"),
        output=output,
        params=SimpleNamespace(engine=engine, seed=7, **params),
        log=[files / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    table = pd.read_csv(output.table, sep="\t", dtype={"e_value": str})
    return table, read_meme(output.motifs), pd.read_csv(output.sites, sep="\t"), output


def test_the_script_with_the_stand_in(files, capsys):
    table, motifs, sites, output = run_script(files, "builtin")
    assert list(table.columns) == COLUMNS
    assert list(sites.columns) == SITE_COLUMNS
    assert set(table["engine"]) == {"built in stand-in"}
    assert set(table["method"]) == {"gadem"}
    assert set(table["sequences"]) == {60}
    assert table["motif"].tolist() == [motif.name for motif in motifs] == sorted(table["motif"])
    assert table["sites"].tolist() == [motif.sites for motif in motifs]
    assert table["consensus"].tolist() == [motif.consensus() for motif in motifs]
    assert table["ln_e_value"].is_monotonic_increasing
    for row, motif in zip(table.itertuples(), motifs, strict=True):
        assert row.ln_e_value == pytest.approx(motif.ln_e_value, rel=1e-4)
        own = sites[sites["motif"] == row.motif]
        assert (len(own), own["sequence"].nunique()) == (row.sites, row.with_site)
    assert set(sites["sequence"]) <= {f"s{number}" for number in range(60)}
    said = capsys.readouterr().err
    assert "engine: built in stand-in; 60 sequences" in said
    assert "each sequence as independent" in said
    once = [Path(path).read_bytes() for path in vars(output).values()]
    run_script(files, "builtin")
    assert [Path(path).read_bytes() for path in vars(output).values()] == once


def test_the_script_without_a_motif(files):
    table, motifs, sites, output = run_script(files, "builtin", top=3)
    assert (len(table), motifs, len(sites)) == (0, [], 0)
    assert list(table.columns) == COLUMNS
    assert gzip.decompress(output.sites.read_bytes()).decode() == "\t".join(SITE_COLUMNS) + "\n"
    assert read_background(output.motifs).sum() == pytest.approx(1)


@pytest.fixture
def few(files):
    """The sequences of the recorded tables."""
    records = "".join(f">s{row}\n{text}\n" for row, text in enumerate(SEQUENCES))
    (files / "ranked.fa").write_text(records + ">s9\nACGTACGTACGT\n")
    return files


@pytest.mark.parametrize("engine", ["auto", "tool"])
def test_the_script_with_rgadem(few, program, engine):
    table, motifs, sites, _ = run_script(few, engine, top=5)
    assert set(table["engine"]) == {"rGADEM 2.54.0"}
    assert table["width"].tolist() == [7, 3]
    assert table["sites"].tolist() == [5, 2]
    assert table["with_site"].tolist() == [5, 2]
    assert motifs[0].consensus() == "GATTACA"
    assert sites["sequence"].tolist() == ["s0", "s1", "s2", "s3", "s4", "s2", "s3"]
    seen = json.loads((few / "seen.json").read_text())
    assert seen["program"] == str(PROGRAM)
    settings = ["seed=7", "nmotifs=2", "numGeneration=3", "populationSize=30", "extTrim=0"]
    assert seen["options"] == settings
    assert seen["fasta"].split("\n")[1::2] == SEQUENCES


def test_null_is_the_default_of_rgadem(few, program):
    keys = ("motifs", "generations", "population", "ext_trim")
    table, *_ = run_script(few, "tool", top=5, **dict.fromkeys(keys))
    assert json.loads((few / "seen.json").read_text())["options"] == ["seed=7"]
    # No motif is left out, however many rGADEM returns.
    assert len(table) == 2


@pytest.mark.skipif(
    gadem.installed("auto")[0] is None, reason="R or its package rGADEM is not installed"
)
@pytest.mark.parametrize("settings", [(1, 1, 20, False), (None, 1, 20, None)])
def test_the_real_rgadem_finds_a_planted_motif(files, settings):
    keys = ("motifs", "generations", "population", "ext_trim")
    table, motifs, sites, _ = run_script(files, "tool", **dict(zip(keys, settings, strict=True)))
    assert table["engine"][0].startswith("rGADEM ")
    strands = motifs[0].consensus() + " " + motifs[0].reverse_complement().consensus()
    assert "TTACCC" in strands
    assert sites["motif"].eq("gadem_1").sum() > 30


def test_the_stand_in_looks_for_as_many_motifs_as_rgadem_by_default(monkeypatch):
    tokens, _ = planted(8, 120, 70, "TTACCCGCA")
    monkeypatch.setattr(gadem, "MOTIFS", 1)
    monkeypatch.setattr(gadem, "LN_E_VALUE", math.inf)
    assert len(search(tokens, None)) == 1
    assert len(search(tokens, 2)) == 2


def test_rgadem_gets_the_sequences_as_they_are(files, program, monkeypatch):
    monkeypatch.setenv("SITES", SITES.splitlines()[0])
    monkeypatch.setenv("MOTIFS", MOTIFS.splitlines()[0])
    table, motifs, sites, _ = run_script(files, "tool", top=3)
    assert (len(table), motifs, len(sites)) == (0, [], 0)
    given = json.loads((files / "seen.json").read_text())["fasta"].split("\n")[1::2]
    text = (files / "ranked.fa").read_text().split("\n")[1::2]
    assert given == text[:3]
    assert given[0].startswith("NN")
    assert len(given[1]) == 60


def test_without_the_package(files, program, monkeypatch):
    monkeypatch.setenv("PACKAGE", "")
    table, *_ = run_script(files, "auto", top=30, motifs=1)
    assert set(table["engine"]) == {"built in stand-in"}
    with pytest.raises(MotifError, match=r"R has no package rGADEM; install it.*no package"):
        run_script(files, "tool")


def test_without_r(files, monkeypatch):
    monkeypatch.setenv("PATH", str(files))
    table, *_ = run_script(files, "auto", top=30, motifs=1)
    assert set(table["engine"]) == {"built in stand-in"}
    with pytest.raises(MotifError, match="the program Rscript is not on the PATH"):
        run_script(files, "tool")


def test_rgadem_that_fails_or_writes_something_else(few, program, monkeypatch):
    monkeypatch.setenv("SITES", "motif\n")
    with pytest.raises(MotifError, match=r"sites.tsv: is not a table of gadem.R"):
        run_script(few, "tool")
    monkeypatch.setenv("SITES", "")
    with pytest.raises(MotifError, match="cannot allocate vector"):
        run_script(few, "tool")
