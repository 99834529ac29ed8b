"""Words of a ranked list: words compared with a search by strings, merging and alignment by hand,
planted words, the script."""

import math
import runpy
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.sequences import N, letters, reverse_complement, tokenise
from crmnet.evaluation.hypergeometric import ln_p_value, minimum_hypergeometric
from crmnet.motifs import drimust
from crmnet.motifs.drimust import (
    Cluster,
    align,
    enriched_words,
    merge,
    motifs,
    similarity,
    word_sequences,
)
from crmnet.motifs.motif import MotifError, read_meme

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "drimust.py"


def scored(*sets, total):
    starts = np.cumsum([0, *map(len, sets)])
    return minimum_hypergeometric(np.concatenate(sets), starts, total)


def random_tokens(seed, number, length, unknown=0.0):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (number, length)).astype(np.uint8)
    tokens[rng.random((number, length)) < unknown] = N
    return tokens


def planted(seed, word, top, number=200, length=40):
    """Random sequences with a word in each of the first `top`."""
    tokens = random_tokens(seed, number, length)
    starts = np.random.default_rng(seed).integers(0, length - len(word), top)
    for row, start in enumerate(starts):
        tokens[row, start : start + len(word)] = tokenise(word)
    return tokens


def naive_words(tokens, length, both, branching):
    """Finds words and the rows that have them, by string search."""
    rows, following = defaultdict(set), defaultdict(set)
    for row, sequence in enumerate(tokens):
        strands = [sequence, reverse_complement(sequence)] if both else [sequence]
        for strand in strands:
            text = "".join("ACGTN"[i] for i in strand) + "N"
            for start in range(len(text) - length):
                word = text[start : start + length]
                if "N" not in word:
                    rows[word].add(row)
                    following[word].add(text[start + length])
    turned = {word: letters(reverse_complement(tokenise(word))) for word in rows}
    found = {}
    for word in rows:
        nodes = {word, turned[word]} if both else {word}
        if both and turned[word] < word:
            continue
        if not branching or any(len(following[node]) > 1 for node in nodes):
            found[word] = sorted(rows[word])
    return found


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("branching", [True, False])
@pytest.mark.parametrize("length", [1, 2, 4, 5, 12, 13])
def test_words_are_those_of_a_search_by_strings(length, both, branching):
    tokens = random_tokens(length, 12, 12, unknown=0.05)
    tokens[5] = tokens[4]
    tokens[6, 7:] = N
    codes, rows, starts = word_sequences(tokens, length, both, branching)
    names = ["".join("ACGT"[code >> 2 * i & 3] for i in range(length)[::-1]) for code in codes]
    parts = np.split(rows, starts[1:-1]) if len(codes) else []
    found = {name: part.tolist() for name, part in zip(names, parts, strict=True)}
    assert found == naive_words(tokens, length, both, branching)
    assert list(found) == sorted(found)


def test_a_palindrome_counts_once():
    tokens = np.array([tokenise(s) for s in ("GGAATTCC", "CCAATTGA", "ACACACAC")])
    codes, rows, starts = word_sequences(tokens, 4, True)
    aatt = int(np.flatnonzero(codes == 0b00001111)[0])
    assert rows[starts[aatt] : starts[aatt + 1]].tolist() == [0, 1]


@pytest.mark.parametrize("strands", ["both", "given"])
def test_enriched_words_are_those_of_all_words(strands):
    tokens = planted(1, "GATTACA", 40)
    words = enriched_words(tokens, (3, 7), strands, 1e-4)
    expected, tested = {}, 0
    for length in range(3, 8):
        every = naive_words(tokens, length, strands == "both", length < 7)
        tested += len(every)
        found = zip(every.items(), *scored(*every.values(), total=len(tokens)), strict=True)
        for (word, ranks), score, n, b in found:
            if score + math.log(len(ranks)) <= math.log(1e-4):
                expected[word] = (len(ranks), n, b, score)
    assert words.tested == tested
    names = [letters(word) for word in words.tokens]
    columns = words.sizes, words.n, words.b, words.ln_scores
    assert dict(zip(names, zip(*columns, strict=True), strict=True)) == expected
    corrected = words.ln_scores + np.log(words.sizes)
    assert (np.diff(corrected) >= 0).all()
    assert len(names) > 5
    every = enriched_words(tokens, (3, 7), strands, 1e-4, "all")
    assert every.tested >= tested
    assert set(names) <= {letters(word) for word in every.tokens}


def test_a_planted_word_is_found_with_its_counts():
    for word, strands in (("CGGATTA", "given"), ("CACGTG", "both"), ("TGAGTCA", "both")):
        tokens = planted(7, word, 50)
        words = enriched_words(tokens, (5, 8), strands, 1e-6)
        (best, *_) = motifs(words, tokens, 3)
        assert best.motif.name == "drimust_1"
        assert best.cluster.n <= 60
        assert best.cluster.b >= 48
        found = {best.motif.consensus(), best.motif.reverse_complement().consensus()}
        assert any(word in text or text in word for text in found)
        p_value = ln_p_value(200, [best.cluster.size], [best.cluster.ln_score])[0]
        assert best.ln_p == p_value
        assert best.motif.ln_e_value == pytest.approx(p_value + math.log(words.tested))


def test_random_sequences_have_no_motif():
    tokens = random_tokens(11, 300, 50)
    words = enriched_words(tokens)
    assert words.tested > 5000
    assert len(words.lengths) == 0
    assert motifs(words, tokens, 5) == []


def test_similarity_by_hand():
    others = np.full((6, 6), N, np.uint8)
    texts = ["ACGTT", "CGT", "TACGTT", "TTTAC", "GGG", "ACCTT"]
    for row, text in enumerate(texts):
        others[row, : len(text)] = tokenise(text)
    lengths = np.array([len(text) for text in texts])
    # TTTAC shares AC behind, or T T before; GGG one G; ACCTT four of five.
    found = similarity(tokenise("ACGTT"), others, lengths)
    assert found.tolist() == [1, 1, 1, 2 / 5, 1 / 3, 4 / 5]
    for word, length, alike in zip(others, lengths, found, strict=True):
        other = np.append(tokenise("ACGTT"), N)[None]
        assert similarity(word[:length], other, np.array([5])) == alike


@pytest.mark.parametrize("strands", ["both", "given"])
def test_a_cluster_has_the_score_of_its_sequences(strands):
    """The n of a merged motif is a rank of a sequence with one of its words, not the next one."""
    tokens = planted(3, "GATTACAG", 40)
    tokens[40:70] = planted(4, "GATTCCAG", 30)[:30]
    words = enriched_words(tokens, (5, 8), strands, 1e-5)
    clusters = merge(words, 4)
    assert len(clusters[0].members) > 1
    seen = []
    for cluster in clusters:
        texts = ["".join("ACGT"[i] for i in row) for row in tokens]
        sought = {letters(word) for word in cluster.members}
        if strands == "both":
            sought |= {letters(reverse_complement(word)) for word in cluster.members}
        ranks = [rank for rank, text in enumerate(texts) if any(word in text for word in sought)]
        (score,), (n,), (b,) = scored(ranks, total=len(tokens))
        assert (cluster.size, cluster.n, cluster.b) == (len(ranks), n, b)
        assert cluster.ln_score == pytest.approx(score)
        assert n - 1 in ranks
        seen += sought
    # No word is in two motifs; merging has lowered B * mHG.
    assert len(seen) == len(set(seen))
    best = words.ln_scores[0] + math.log(words.sizes[0])
    assert clusters[0].ln_score + math.log(clusters[0].size) < best


def aligned(members, sequences, n=None, both=False):
    width = max(map(len, sequences))
    tokens = np.array([tokenise(s.ljust(width, "N")) for s in sequences])
    cluster = Cluster(list(map(tokenise, members)), -9.0, n or len(sequences), 1, 1)
    counts, sites = align(cluster, tokens, both)
    return ["".join("ACGT"[i] for i in np.flatnonzero(row)) for row in counts], counts, sites


def test_an_alignment_by_hand():
    # CACG and ACGT make CACGT where they overlap: sites CACGT, CACG, ACGT, all at one place.
    shown, counts, sites = aligned(["CACG", "ACGT"], ["TCACGTT", "CACGAAA", "GGGACGT"])
    assert sites == 3
    assert shown == ["C", "A", "C", "G", "T"]
    assert counts.max(axis=1).tolist() == [2, 3, 3, 3, 2]
    # Only the first n, and each occurrence.
    shown, counts, sites = aligned(["CACG"], ["CACGTCACGN", "CACGA", "CACGA"], n=2)
    assert (sites, counts.sum()) == (3, 12)


def test_sites_of_the_other_strand_are_turned():
    shown, counts, sites = aligned(["GATTC"], ["AAGATTCAA", "AAGAATCAA", "AAGAATCNN"], both=True)
    assert (shown, sites) == (list("GATTC"), 3)
    assert aligned(["GATTC"], ["AAGATTCAA", "AAGAATCAA"])[2] == 1
    # A palindrome is no site twice, nor is a word that overlaps itself on the other strand.
    assert aligned(["CACGTG"], ["AACACGTGAA"], both=True)[2] == 1
    shown, _, sites = aligned(["CACGTGA"], ["ATCACGTGAA"], both=True)
    assert (shown, sites) == (list("CACGTGA"), 1)


def test_a_long_stretch_does_not_swallow_the_words():
    # One run of ten A; joined, it would be a site twice as long as the others.
    shown, counts, sites = aligned(["AAAAA"], ["AAAAAAAAAA", "CCAAAAACCC"])
    assert (shown, sites) == (["A"] * 5, 7)
    # A word within a longer one is no site of its own.
    _, counts, sites = aligned(["AAAAACC", "AACC", "CCCC"], ["TAAAAACCT", "TTAACCTTT", "TTTCCCCTT"])
    assert (sites, counts.sum()) == (3, 15)


def test_columns_that_few_sites_reach_are_cut_off():
    shown, counts, sites = aligned(["CACGT", "CACGTGG"], ["ACACGTGGA"] + ["ACACGTAAA"] * 4)
    assert sites == 5
    assert shown == list("CACGT")
    shown, _, _ = aligned(["CACGT", "CACGTGG"], ["ACACGTGGA"] + ["ACACGTAAA"] * 3)
    assert shown == list("CACGTGG")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lengths": (6, 5)}, "with 1 <= k1 <= k2 <= 20"),
        ({"lengths": (5, 40)}, "with 1 <= k1 <= k2 <= 20"),
        ({"strands": "two"}, "strands 'two' is not one of both, given"),
        ({"rule": "left"}, "rule 'left' is not one of right-branching, all"),
        ({"threshold": 0}, "threshold is 0; give a number above 0"),
    ],
)
def test_invalid_options_are_refused(options, said):
    with pytest.raises(MotifError, match=said):
        enriched_words(random_tokens(1, 5, 20), **options)


def run_script(folder, tokens, **params):
    names = [f"s{number}" for number in range(len(tokens))]
    records = zip(names, map(letters, tokens), strict=True)
    (folder / "ranked.fa").write_text("".join(f">{name}\n{text}\n" for name, text in records))
    output = {"motifs": "drimust.meme", "table": "drimust.tsv", "words": "drimust_words.tsv.gz"}
    job = SimpleNamespace(
        input=SimpleNamespace(sequences=folder / "ranked.fa"),
        output=SimpleNamespace(**{key: folder / name for key, name in output.items()}),
        params=SimpleNamespace(words=[5, 8], threshold=1e-6, motifs=3, **params),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    found = read_meme(job.output.motifs)
    tables = [pd.read_csv(path, sep="\t") for path in (job.output.table, job.output.words)]
    return found, *tables, [(folder / name).read_bytes() for name in output.values()]


def test_the_script(tmp_path, capsys):
    tokens = planted(5, "CCGGTTA", 60)
    found, table, words, first = run_script(tmp_path, tokens, strands="both")
    assert list(table.columns) == drimust.COLUMNS
    assert list(words.columns) == drimust.WORD_COLUMNS
    assert [motif.name for motif in found] == table["motif"].tolist()
    assert table["motif"].tolist() == [f"drimust_{rank}" for rank in range(1, len(table) + 1)]
    assert set(table["engine"]) == {"built in"}
    assert set(table["method"]) == {"drimust"}
    assert [motif.width for motif in found] == table["width"].tolist()
    assert (np.diff(table["ln_e_value"]) >= 0).all()
    assert np.log(table["e_value"]).to_numpy() == pytest.approx(table["ln_e_value"], rel=1e-5)
    assert (table["p_value"] * table["tested"]).to_numpy() == pytest.approx(table["e_value"])
    assert (words["score"] <= words["p_value"]).all()
    assert (words["p_value"] <= words["corrected"]).all()
    assert (words["corrected"] <= 1e-6).all()
    assert words["corrected"].to_numpy() == pytest.approx(words["B"] * words["score"], rel=1e-4)
    enrichment = words["b"] / words["n"] / (words["B"] / len(tokens))
    assert words["enrichment"].to_numpy() == pytest.approx(enrichment, rel=1e-4)
    assert "words have B * mHG up to 1e-06" in capsys.readouterr().err
    assert run_script(tmp_path, tokens, strands="both")[-1] == first


def test_the_script_where_no_word_is_enriched(tmp_path):
    tokens = random_tokens(6, 100, 30)
    found, table, words, _ = run_script(tmp_path, tokens, strands="given", rule="all")
    assert found == []
    assert table.empty
    assert words.empty
    assert list(table.columns) == drimust.COLUMNS
    assert list(words.columns) == drimust.WORD_COLUMNS
