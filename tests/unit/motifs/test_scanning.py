"""Scanning: scores and p-values compared with all words, sites with a naive search and FIMO's
numbers; the wrapper of FIMO with a program that imitates it."""

import itertools
import json
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.fasta import read_fasta
from crmnet.data.sequences import COMPLEMENT, N, reverse_complement, tokenise
from crmnet.motifs import scanning
from crmnet.motifs.known import known_motifs
from crmnet.motifs.motif import Motif, MotifError, write_meme
from crmnet.motifs.scanning import (
    COLUMNS,
    fimo,
    read_fimo,
    scan,
    score_matrix,
)

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "scan.py"
AT_RICH = np.array([0.31, 0.19, 0.19, 0.31])

# What FIMO 5.5 writes, letter for letter but for the names.
HEADER = "motif_id motif_alt_id sequence_name start stop strand score p-value q-value"
HEADER = "\t".join([*HEADER.split(), "matched_sequence\n"])
HITS = """\
MA0363.2	REB1	r0102	64	78	+	18.5208	4.56e-08	0.0225	AGTGTTACCCGGACT
MA0359.2	RAP1	7	33	47	-	20.2319	5.74e-08	0.00166	TATGTATGGGTGTTT
"""
NOTES = """
# FIMO (Find Individual Motif Occurrences): Version 5.5.9 compiled on Sep  3 2025 at 20:10:57
# The format of this file is described at https://meme-suite.org/meme/doc/fimo-output-format.html.
# fimo --bfile background --thresh 1e-4 motifs.meme ranked.fa
"""
FAKE_FIMO = """\
import json, os, pathlib, sys
if "-version" in sys.argv:
    print("5.5.9")
    sys.exit()
options = dict(zip(sys.argv[1:-2:2], sys.argv[2:-2:2]))
options["background"] = pathlib.Path(options["--bfile"]).read_text()
options["files"] = sys.argv[-2:]
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(options))
if not os.environ["WRITES"]:
    sys.exit("No motifs could be read.")
folder = pathlib.Path(options["--oc"])
folder.mkdir()
(folder / "fimo.tsv").write_text(os.environ["WRITES"])
"""


def random_motif(seed, width, sites=50.0):
    rows = np.random.default_rng(seed).dirichlet(np.full(4, 0.4), width)
    return Motif(f"random-{seed}", rows * sites, sites)


def random_tokens(seed, number, length, unknown=0.0):
    rng = np.random.default_rng(seed)
    tokens = rng.choice(4, (number, length), p=AT_RICH).astype(np.uint8)
    tokens[rng.random((number, length)) < unknown] = N
    return tokens


def naive(motif, tokens, names, background, threshold):
    """Finds sites by scoring every window of every sequence on both strands."""
    matrix = score_matrix(motif, background)
    sites = set()
    for name, row in zip(names, tokens, strict=True):
        for start in range(len(row) - motif.width + 1):
            window = row[start : start + motif.width]
            for strand, site in (("+", window), ("-", COMPLEMENT[window[::-1]])):
                if N in site:
                    continue
                score = sum(matrix.scores[position, letter] for position, letter in enumerate(site))
                if matrix.p_values[score] <= threshold:
                    matched = "".join("ACGT"[i] for i in site)
                    sites.add((motif.name, name, start + 1, strand, matched))
    return sites


def found(hits):
    assert (hits["end"] - hits["start"] + 1 == hits["matched"].str.len()).all()
    return set(hits[["motif", "sequence", "start", "strand", "matched"]].itertuples(False, None))


@pytest.mark.parametrize("width", [1, 3, 6])
def test_p_values_are_those_of_all_words(width):
    matrix = score_matrix(random_motif(width, width), AT_RICH)
    words = np.array(list(itertools.product(range(4), repeat=width)))
    scores = matrix.scores[np.arange(width), words].sum(axis=1)
    likely = AT_RICH[words].prod(axis=1)
    for score in {0, *scores.tolist()}:
        expected = likely[scores >= score].sum()
        assert matrix.p_values[score] == pytest.approx(expected, rel=1e-12)
    assert matrix.p_values[scores.max() + 1 :].sum() == 0


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_rounded_log_odds(seed):
    motif = random_motif(seed, 8)
    matrix = score_matrix(motif, AT_RICH)
    added = (motif.counts + 0.1 * AT_RICH) / (motif.sites + 0.1)
    odds = np.log2(added / AT_RICH)
    assert matrix.scores.min() >= 0
    assert matrix.scores.max() <= 1000
    letters = np.random.default_rng(seed).integers(0, 4, (100, 8))
    bits = matrix.bits(matrix.scores[np.arange(8), letters].sum(axis=1))
    expected = odds[np.arange(8), letters].sum(axis=1)
    assert np.abs(bits - expected).max() <= 8 * 0.5 / matrix.scale


def test_a_motif_without_information_has_no_sites():
    motif = Motif("even", AT_RICH[None] * [[10]] * np.ones((3, 1)))
    assert scan([motif], random_tokens(1, 5, 20), list("abcde"), AT_RICH).empty
    assert len(scan([motif], random_tokens(1, 5, 20), list("abcde"), AT_RICH, 1)) == 2 * 5 * 18


@pytest.mark.parametrize(
    ("background", "said"),
    [
        ([0.5, 0.5, 0, 0], "above 0"),
        ([0.3, 0.3, 0.3, 0.3], "sum to 1"),
        ([1 / 3] * 3, "four frequencies"),
        ([0.4, 0.2, 0.2, 0.2], "over both strands"),
    ],
)
def test_an_invalid_background_is_refused(background, said):
    with pytest.raises(MotifError, match=said):
        score_matrix(random_motif(1, 3), np.array(background))


@pytest.mark.parametrize("width", [1, 4, 5, 6, 10, 13, 30, 31])
def test_sites_are_those_of_a_naive_search(width, monkeypatch):
    monkeypatch.setattr(scanning, "ROWS_AT_ONCE", 3)
    motif, tokens = random_motif(width, width), random_tokens(width, 10, 30, unknown=0.02)
    names = [f"s{number}" for number in range(10)]
    hits = scan([motif], tokens, names, AT_RICH, 0.3)
    assert found(hits) == naive(motif, tokens, names, AT_RICH, 0.3)
    assert hits.empty == (width == 31)
    assert list(hits.columns) == COLUMNS


def test_sites_at_either_end_and_none_across_sequences_or_n():
    motif = Motif("m", 100 * np.eye(4)[tokenise("GATTACCA")])
    sequences = ["GATTACCACCCC", "CCCCGATTACCA", "TGGTAATCCCCC", "CCCCTGGTAATC"]
    sequences += ["CCCCCCCCGATT", "ACCACCCCCCCC", "CCGATTNCCACC"]
    tokens = np.array([tokenise(sequence) for sequence in sequences])
    hits = scan([motif], tokens, list("abcdefg"), AT_RICH).sort_values("sequence")
    rows = hits[["sequence", "start", "end", "strand", "matched"]].to_numpy().tolist()
    assert rows == [
        ["a", 1, 8, "+", "GATTACCA"],
        ["b", 5, 12, "+", "GATTACCA"],
        ["c", 1, 8, "-", "GATTACCA"],
        ["d", 5, 12, "-", "GATTACCA"],
    ]
    places = zip(sequences, hits["start"] - 1, hits["end"], strict=False)
    sites = [sequence[before:end] for sequence, before, end in places]
    assert sites == ["GATTACCA", "GATTACCA", "TGGTAATC", "TGGTAATC"]
    # Only one word of 65,536 scores as much.
    expected = AT_RICH[tokenise("GATTACCA")].prod()
    assert hits["p_value"].tolist() == pytest.approx([expected] * 4)
    tests = 2 * (6 * 5 + 0)
    assert hits["q_value"].tolist() == pytest.approx([expected * tests / 4] * 4)


def test_the_other_strand_has_the_same_sites():
    motifs, tokens = [random_motif(1, 6), random_motif(2, 9)], random_tokens(3, 60, 40)
    names = [f"s{number}" for number in range(60)]
    one = scan(motifs, tokens, names, AT_RICH, 0.01)
    other = scan(motifs, reverse_complement(tokens), names, AT_RICH, 0.01)
    assert len(one) > 50
    one["start"], one["end"] = 41 - one["end"], 41 - one["start"]
    one["strand"] = one["strand"].map({"+": "-", "-": "+"})
    assert found(one) == found(other)
    assert sorted(one["p_value"]) == sorted(other["p_value"])
    assert np.sort(one["q_value"]) == pytest.approx(np.sort(other["q_value"]))


def test_as_many_sites_as_the_p_values_say():
    motif, tokens = random_motif(4, 8), random_tokens(4, 2000, 50)
    names = np.arange(2000).astype(str)
    hits = scan([motif], tokens, names, AT_RICH, 0.01)
    matrix = score_matrix(motif, AT_RICH)
    # By chance, on each strand: windows of a strand overlap, but few of them score so high.
    expected = 2000 * 43 * matrix.p_values[matrix.cutoff(0.01)]
    for strand in "+-":
        assert (hits["strand"] == strand).sum() == pytest.approx(expected, rel=0.15)


@pytest.fixture(scope="module")
def known():
    return {motif.name: motif for motif in known_motifs().motifs}


@pytest.mark.parametrize(
    ("name", "site", "score", "p_value"),
    [
        ("MA0363.2", "AGTGTTACCCGGACT", 18.5208, 4.56e-08),
        ("MA0363.2", "AATGTTACCCGGTAT", 15.125, 4.81e-06),
        ("MA0359.2", "TATGTATGGGTGTTT", 20.2319, 5.74e-08),
        ("MA0265.2", "ATTTCGTTTATAGTGATGCT", 18.4923, 1.39e-07),
        ("MA0321.1", "GCATATGAA", 10.4203, 9.99e-05),
    ],
)
def test_the_numbers_of_fimo(known, name, site, score, p_value):
    """Numbers of FIMO 5.5.8 for the same sites, with the background below, as printed."""
    background = np.array([0.3105, 0.1895, 0.1895, 0.3105])
    (hit,) = scan([known[name]], tokenise(site)[None], ["s"], background).itertuples()
    assert (hit.matched, hit.strand) == (site, "+")
    assert f"{hit.score:.6g}" == f"{score:g}"
    assert f"{hit.p_value:.3g}" == f"{p_value:.3g}"


@pytest.fixture
def files(tmp_path):
    """Motifs and sequences."""
    write_meme(tmp_path / "m.meme", [random_motif(1, 6), random_motif(2, 9)], AT_RICH)
    names = [f"s{number}" for number in range(20)]
    sequences = ["".join("ACGT"[i] for i in row) for row in random_tokens(5, 20, 40)]
    records = zip(names, sequences, strict=True)
    (tmp_path / "s.fa").write_text("".join(f">{name}\n{sequence}\n" for name, sequence in records))
    return tmp_path


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program `fimo` on the PATH that keeps its options and writes a table."""
    path = tmp_path / "bin" / "fimo"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{FAKE_FIMO}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setenv("WRITES", HEADER + HITS + NOTES)
    return str(path)


def test_fimo_gets_the_right_options(files, program):
    hits = fimo(program, files / "m.meme", files / "s.fa", AT_RICH, 2e-4)
    seen = json.loads((files / "seen.json").read_text())
    frequencies = dict(line.split() for line in seen["background"].splitlines())
    assert [float(frequencies[letter]) for letter in "ACGT"] == AT_RICH.tolist()
    assert float(seen["--thresh"]) == 2e-4
    # More than all windows there are.
    assert int(seen["--max-stored-scores"]) >= 2 * 20 * 40
    assert seen["files"] == [str(files / "m.meme"), str(files / "s.fa")]
    assert not Path(seen["--oc"]).exists()
    assert hits.to_dict("list") == {
        "motif": ["MA0359.2", "MA0363.2"],
        "sequence": ["7", "r0102"],
        "start": [33, 64],
        "end": [47, 78],
        "strand": ["-", "+"],
        "score": [20.2319, 18.5208],
        "p_value": [5.74e-08, 4.56e-08],
        "q_value": [0.00166, 0.0225],
        "matched": ["TATGTATGGGTGTTT", "AGTGTTACCCGGACT"],
    }


def test_fimo_that_fails_or_writes_something_else(files, program, monkeypatch):
    monkeypatch.setenv("WRITES", "motif_id\tstart\nm\t1\n")
    with pytest.raises(MotifError, match="fimo.tsv: is not a table of FIMO 5"):
        fimo(program, files / "m.meme", files / "s.fa", AT_RICH)
    monkeypatch.setenv("WRITES", "")
    with pytest.raises(MotifError, match="No motifs could be read"):
        fimo(program, files / "m.meme", files / "s.fa", AT_RICH)


def test_fimo_without_a_site(tmp_path):
    (tmp_path / "fimo.tsv").write_text(HEADER + NOTES)
    hits = read_fimo(tmp_path / "fimo.tsv")
    assert list(hits.columns) == COLUMNS
    assert hits.empty


def run_script(files, engine):
    out = files / f"{engine}.tsv.gz"
    job = SimpleNamespace(
        input=SimpleNamespace(motifs=files / "m.meme", sequences=files / "s.fa"),
        output=[out],
        params=SimpleNamespace(threshold=0.01, engine=engine),
        log=[files / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return pd.read_csv(out, sep="\t")


def test_the_script_with_the_built_in_engine(files):
    hits = run_script(files, "builtin")
    names, tokens = read_fasta(files / "s.fa")
    assert set(hits["engine"]) == {"built in"}
    assert set(hits["motif"]) == {"random-1", "random-2"}
    once = (files / "builtin.tsv.gz").read_bytes()
    run_script(files, "builtin")
    assert (files / "builtin.tsv.gz").read_bytes() == once
    assert set(hits["sequence"]) <= set(names)
    for hit in hits.itertuples():
        site = tokens[names.index(hit.sequence), hit.start - 1 : hit.end]
        site = site if hit.strand == "+" else reverse_complement(site)
        assert "".join("ACGT"[i] for i in site) == hit.matched


@pytest.mark.parametrize("engine", ["auto", "tool"])
def test_the_script_with_fimo(files, program, engine, capsys):
    hits = run_script(files, engine)
    assert list(hits.columns) == [*COLUMNS, "engine"]
    assert set(hits["engine"]) == {"fimo 5.5.9"}
    assert len(hits) == 2
    assert "engine: fimo 5.5.9" in capsys.readouterr().err


def test_the_script_without_a_motif(files, program):
    write_meme(files / "m.meme", [], AT_RICH)
    hits = run_script(files, "tool")
    assert list(hits.columns) == [*COLUMNS, "engine"]
    assert hits.empty
