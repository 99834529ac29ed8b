"""Words of a ranked list: words and motifs compared with those of the algorithm by strings and
fractions, and with those of the real program; alignment by hand, planted words, the script."""

import math
import os
import re
import runpy
from fractions import Fraction
from functools import cache
from math import comb
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.sequences import N, letters, reverse_complement, tokenise
from crmnet.evaluation.hypergeometric import ln_p_value, ln_tail, minimum_hypergeometric
from crmnet.motifs import drimust
from crmnet.motifs.drimust import (
    Cluster,
    align,
    enriched_words,
    merge,
    motifs,
    pack,
    similarity,
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


def text_of(tokens):
    return "".join("ACGTN"[token] for token in tokens).rstrip("N")


def turned(word):
    return word[::-1].translate(str.maketrans("ACGT", "TGCA"))


@cache
def tail(total, size, n, b):
    """P(at least b of the first n), exactly."""
    ways = sum(comb(size, k) * comb(total - size, n - k) for k in range(b, min(n, size) + 1))
    return Fraction(ways, comb(total, n))


class HashMap:
    """A HashMap of Java, in whose order the program goes through its words."""

    def __init__(self):
        self.buckets, self.size = [[] for _ in range(16)], 0

    def put(self, word):
        if self.size == len(self.buckets) * 3 // 4:
            grown = [[] for _ in range(2 * len(self.buckets))]
            for other in (other for bucket in self.buckets for other in bucket):
                grown[self.bucket(other, len(grown))].append(other)
            self.buckets = grown
        self.buckets[self.bucket(word, len(self.buckets))].append(word)
        self.size += 1

    @staticmethod
    def bucket(word, number):
        value = 0
        for letter in word:
            value = (31 * value + ord(letter)) % 2**32
        return (value ^ value // 2**16) % number

    def __iter__(self):
        return (word for bucket in self.buckets for word in bucket)


class Naive:
    """The algorithm by strings, sets and fractions, as it is described: a tree of the sequences is
    walked from its root, and motifs are merged from the words that it finds."""

    def __init__(self, sequences, shortest, longest, both, threshold):
        self.sequences, self.both = sequences, both
        self.shortest, self.longest = shortest, longest
        self.threshold, self.seen, self.tested, self.found = threshold, set(), 0, {}
        self.visit("")
        order = list(self.found)
        if not both:
            order = HashMap()
            for word in self.found:
                order.put(word)
        self.words = sorted(map(self.found.get, order), key=lambda each: each["p"])

    def ranks(self, word):
        return {rank for rank, text in enumerate(self.sequences, 1) if word in text}

    def visit(self, word):
        if len(word) < self.longest:
            children = [word + letter for letter in "ACTG" if self.ranks(word + letter)]
            for child in children:
                self.visit(child)
            ends = any(text.endswith(word) for text in self.sequences)
            if len(word) < self.shortest or len(children) + ends < 2:
                return
        self.test(word)

    def test(self, word):
        if word in self.seen:
            return
        other, here, there = turned(word), self.ranks(word), set()
        self.seen.add(word)
        if self.both:
            self.seen.add(other)
            there = self.ranks(other)
        self.tested += 1
        score, n, b = self.minimum(here | there, 0)
        size = len(here | there)
        if size * score <= self.threshold:
            if sum(rank <= n for rank in there) > sum(rank <= n for rank in here):
                word, other = other, word
            each = {"word": word, "other": other, "ranks": here | there, "p": size * score}
            self.found[word] = each | {"n": n, "b": b, "score": score}

    def minimum(self, ranks, shift):
        total, best = len(self.sequences), (Fraction(1), 0, 0)
        for b, rank in enumerate(sorted(ranks), 1):
            n = rank + shift
            if n <= total and b * total > n * len(ranks):
                best = min(best, (tail(total, len(ranks), n, b), n, b), key=lambda each: each[0])
        return best

    def corrected(self, members):
        """B * mHG of two or more words, whose ranks the program shifts."""
        ranks = set().union(*(each["ranks"] for each in members))
        return len(ranks) * self.minimum(ranks, 1)[0]

    @staticmethod
    @cache
    def alike(one, other):
        equal = 0
        for shift in range(-len(one) + 1, len(other)):
            pairs = ((i, i + shift) for i in range(len(one)) if 0 <= i + shift < len(other))
            equal = max(equal, sum(one[i] == other[j] for i, j in pairs))
        return equal / min(len(one), len(other))

    def similarity(self, members, word):
        total = 0.0
        for each in members:
            total += self.alike(each["word"], word)
        return total / len(members)

    def similarities(self, members, each):
        """The similarity of a word, and of its reverse complement."""
        strands = (each["word"], each["other"]) if self.both else (each["word"],)
        return [self.similarity(members, strand) for strand in strands]

    def grow(self, left):
        members, number = [left.pop(0)], 0
        p = members[0]["p"]
        while self.both or number < 20:
            number += 1
            changed, best = False, None
            for each in left:
                if max(self.similarities(members, each)) >= 0.7:
                    trial = self.corrected([*members, each])
                    if trial < p:
                        p, best = trial, each
            if best is not None:
                first, *second = self.similarities(members, best)
                if second and second[0] > first:
                    best["word"], best["other"] = best["other"], best["word"]
                members.append(best)
                left.remove(best)
                changed = True
            if number % 5 == 0 or not changed:
                best = None
                for each in members:
                    rest = [other for other in members if other is not each]
                    if rest and (trial := self.corrected(rest)) < p:
                        p, best = trial, each
                if best is not None:
                    members.remove(best)
                    left.append(best)
                    changed = True
            if not changed:
                break
        return p, members

    def clusters(self, number):
        left, found = list(self.words), []
        while left and len(found) < number:
            p, members = self.grow(left)
            if p not in [other for other, _ in found]:
                found.append((p, [each["word"] for each in members]))
            left = [each for each in left if max(self.similarities(members, each)) < 0.6]
        return [members for _, members in found]


def a_list(seed):
    """A random list of sequences of one or several lengths with words at its top, on both strands,
    some with a letter changed, and with relatives."""
    rng = np.random.default_rng(seed)
    tokens = random_tokens(seed, int(rng.integers(45, 65)), int(rng.integers(12, 18)))
    for word in (rng.integers(0, 4, size) for size in (5, 7)):
        for row in np.flatnonzero(rng.random(len(tokens) // 3) < 0.9):
            placed = word.copy()
            if rng.random() < 0.4:
                placed[rng.integers(len(word))] = rng.integers(4)
            placed = reverse_complement(placed) if rng.random() < 0.5 else placed
            start = rng.integers(tokens.shape[1] - len(word))
            tokens[row, start : start + len(word)] = placed
    for row in np.flatnonzero(rng.random(len(tokens) - 1) < 0.2 * (seed % 3)):
        tokens[row + 1] = tokens[row]
        tokens[row + 1, rng.integers(tokens.shape[1])] = rng.integers(4)
    if seed % 2 == 0:
        sizes = rng.integers(10, tokens.shape[1] + 1, len(tokens))
        tokens[np.arange(tokens.shape[1]) >= sizes[:, None]] = N
    return tokens


@pytest.mark.parametrize("strands", ["both", "given"])
@pytest.mark.parametrize("seed", range(9))
def test_words_and_motifs_are_those_of_the_algorithm(seed, strands):
    tokens = a_list(seed)
    lengths, threshold = [(2, 5), (5, 5), (3, 6)][seed % 3], 0.00173
    naive = Naive([text_of(row) for row in tokens], *lengths, strands == "both", threshold)
    words = enriched_words(tokens, lengths, strands, threshold)
    assert words.tested == naive.tested
    shown = [letters(word) for word in words.tokens]
    assert shown == [each["word"] for each in naive.words]
    assert len(shown) > 1
    for at, each in enumerate(naive.words):
        assert {*words.rows[words.starts[at] : words.starts[at + 1]] + 1} == each["ranks"]
        assert (words.n[at], words.b[at]) == (each["n"], each["b"])
        assert words.ln_scores[at] == pytest.approx(math.log(each["score"]))
    found = [[letters(word) for word in each.members] for each in merge(words, 6)]
    assert found == naive.clusters(6)


def test_a_pair_is_tested_if_either_word_branches_on_the_given_strand():
    # CA is followed by A and by C. TG is never there, and so are the letters before CA.
    words = enriched_words(np.array([tokenise("GCAA"), tokenise("TCAC")]), (2, 3), "both", 10)
    assert "CA" in {letters(word) for word in words.tokens}
    # CA is followed only by A, and TG does not occur, although G and T precede CA.
    words = enriched_words(np.array([tokenise("GCAA"), tokenise("TCAA")]), (2, 3), "both", 10)
    assert not {"CA", "TG"} & {letters(word) for word in words.tokens}


@pytest.mark.parametrize("strands", ["both", "given"])
def test_lists_shorter_than_the_words_have_none(strands):
    assert enriched_words(random_tokens(1, 5, 8), (9, 12), strands).tested == 0
    assert enriched_words(random_tokens(1, 5, 8), (7, 12), strands).tested < 11
    assert enriched_words(np.full((3, 8), N, np.uint8), (5, 7), strands).tested == 0


def test_a_palindrome_counts_once():
    tokens = np.array([tokenise(s) for s in ("GGAATTCC", "CCAATTGA", "ACACACAC")])
    words = enriched_words(tokens, (4, 4), "both", 10)
    (at,) = [at for at, word in enumerate(words.tokens) if letters(word) == "AATT"]
    assert words.rows[words.starts[at] : words.starts[at + 1]].tolist() == [0, 1]


def reference():
    """The folder with `reference/` and `realdata/`."""
    if "CRMNET_REFERENCE" not in os.environ:
        pytest.skip("CRMNET_REFERENCE does not name the folder of results of the real programs")
    return Path(os.environ["CRMNET_REFERENCE"])


def native(folder):
    """The native sequences, without flanks, by measured expression."""
    table = pd.read_csv(folder / "realdata" / "Native_complex.csv")
    table = table.sort_values("Measured Expression", ascending=False, kind="stable")
    return np.array([tokenise(text[17:-13]) for text in table["sequence"]])


@pytest.mark.parametrize(
    ("strands", "name", "tested", "reported"),
    [("both", "ds", 65_015, 7_462), ("given", "ss", 73_546, 8_544)],
)
def test_words_are_those_of_the_real_program(strands, name, tested, reported):
    folder = reference()
    words = enriched_words(native(folder), (5, 10), strands, 1e-6)
    table = pd.read_csv(folder / "reference" / f"drimust_{name}_5_10.kmers.tsv.gz", sep="\t")
    assert (words.tested, len(words.lengths), len(table)) == (tested, reported, reported)
    assert [letters(word) for word in words.tokens] == table["motif"].tolist()
    for column, values in (("B", words.sizes), ("n", words.n), ("b", words.b)):
        assert values.tolist() == table[column].tolist()
    excess = np.log(table["mHG_score"]) - words.ln_scores
    assert (excess > -1e-9).all()
    assert (excess < 3e-5).all()


def test_motifs_are_those_of_the_real_program():
    folder = reference()
    words = enriched_words(native(folder), (5, 10), "both", 1e-6)
    order = {letters(word): at for at, word in enumerate(words.tokens)}
    order |= {turned(word): at for word, at in order.items()}
    found = {}
    for each in merge(words, 10):
        # The program prints the members of a motif by their corrected scores.
        members = sorted((letters(word) for word in each.members), key=order.get)
        found[tuple(members)] = each
    clusters = (folder / "reference" / "drimust_ds_clusters.members.tsv").read_text().split("#")
    assert len(clusters[1:]) == len(found) == 10
    for text in clusters[1:]:
        head, _, *rows = text.strip().splitlines()
        each = found[tuple(row.split("\t")[0] for row in rows)]
        size, n, b = (int(re.search(rf" {name} (\d+)", head)[1]) for name in "Bnb")
        score = float(re.search(r"score (\S+) p", head)[1])
        # It prints the n of several words one too large, and the tail there.
        assert (each.size, each.n + 1, each.b, each.top) == (size, n, b, n)
        assert math.log(score) == pytest.approx(ln_tail(words.total, size, n, b), abs=3e-5)


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
    found = similarity(tokenise("ACGTT"), *pack(others))
    assert found.tolist() == [1, 1, 1, 2 / 5, 1 / 3, 4 / 5]
    for word, length, alike in zip(others, lengths, found, strict=True):
        other = np.append(tokenise("ACGTT"), N)[None]
        assert similarity(word[:length], *pack(other)) == alike


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
    top = n or len(sequences)
    cluster = Cluster(list(map(tokenise, members)), -9.0, top, 1, 1, top)
    counts, sites = align(cluster, tokens, both)
    return ["".join("ACGT"[i] for i in np.flatnonzero(row)) for row in counts], counts, sites


def test_an_alignment_by_hand():
    # CACG and ACGT make CACGT where they overlap: sites CACGT, CACG, ACGT, all at one place.
    shown, counts, sites = aligned(["CACG", "ACGT"], ["TCACGTT", "CACGAAA", "GGGACGT"])
    assert sites == 3
    assert shown == ["C", "A", "C", "G", "T"]
    assert counts.max(axis=1).tolist() == [2, 3, 3, 3, 2]
    # Words that touch make one stretch.
    shown, counts, sites = aligned(["CACG", "TTT"], ["GCACGTTTG", "GCACGTTTC"])
    assert (shown, sites) == (list("CACGTTT"), 2)
    # Only the first n, and each occurrence.
    shown, counts, sites = aligned(["CACG"], ["CACGTCACGN", "CACGA", "CACGA"], n=2)
    assert (sites, counts.sum()) == (3, 12)


def test_sites_of_the_other_strand_are_turned():
    shown, counts, sites = aligned(["GATTC"], ["AAGATTCAA", "AAGAATCAA", "AAGAATCNN"], both=True)
    assert (shown, sites) == (list("GATTC"), 3)
    assert aligned(["GATTC"], ["AAGATTCAA", "AAGAATCAA"])[2] == 1
    # As in the program, a palindrome is a site on each strand.
    shown, _, sites = aligned(["CACGTG"], ["AACACGTGAA"], both=True)
    assert (shown, sites) == (list("CACGTG"), 2)


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
    assert (words["corrected"] <= 1e-6).all()
    assert words["corrected"].to_numpy() == pytest.approx(words["B"] * words["score"], rel=1e-4)
    enrichment = words["b"] / words["n"] / (words["B"] / len(tokens))
    assert words["enrichment"].to_numpy() == pytest.approx(enrichment, rel=1e-4)
    assert "words have B * mHG up to 1e-06" in capsys.readouterr().err
    assert run_script(tmp_path, tokens, strands="both")[-1] == first


def test_the_script_where_no_word_is_enriched(tmp_path):
    tokens = random_tokens(6, 100, 30)
    found, table, words, _ = run_script(tmp_path, tokens, strands="given")
    assert found == []
    assert table.empty
    assert words.empty
    assert list(table.columns) == drimust.COLUMNS
    assert list(words.columns) == drimust.WORD_COLUMNS
