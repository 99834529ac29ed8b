"""Enrichment: words compared with a plain count, planted motifs and random sequences, the hold-out;
the wrapper of MEME with a program that imitates it."""

import json
import math
import os
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.sequences import COMPLEMENT, N, letters, reverse_complement, tokenise
from crmnet.evaluation.hypergeometric import ln_fisher
from crmnet.motifs import discover as module
from crmnet.motifs.discover import COLUMNS, discover, hold_out, meme, word_counts
from crmnet.motifs.matching import tfbstools_similarity
from crmnet.motifs.motif import MotifError, read_meme

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "discover.py"
AT_RICH = np.array([0.31, 0.19, 0.19, 0.31])

# What MEME 5.5 writes, letter for letter, but for the sections between.
REPORT = """\
********************************************************************************
MEME version 5.5.8 (Release date: Thu May 15 15:01:46 2025 -0700)
ALPHABET= ACGT
strands: + -
Background letter frequencies (from file dataset with add-one prior applied):
A 0.311 C 0.189 G 0.189 T 0.311 
Background model order: 0
MOTIF AWC MEME-1	width =   3  sites =  16  llr = 131  p-value = 6.1e-001  E-value = 8.3e-001
letter-probability matrix: alength= 4 w= 3 nsites= 16 E= 8.3e-001 
 1.000000  0.000000  0.000000  0.000000 
 0.500000  0.000000  0.000000  0.500000 
 0.000000  1.000000  0.000000  0.000000 
MOTIF CCG MEME-2	width =   3  sites =  26  llr = 240  p-value = 7.0e-403  E-value = 7.0e-403
letter-probability matrix: alength= 4 w= 3 nsites= 26 E= 7.0e-403 
 0.000000  1.000000  0.000000  0.000000 
 0.000000  1.000000  0.000000  0.000000 
 0.000000  0.000000  1.000000  0.000000 
"""  # noqa: W291
FAKE_MEME = """\
import json, os, pathlib, sys
if "--version" in sys.argv:
    sys.exit("error at: --version")
if "-version" in sys.argv:
    print(os.environ["VERSION"])
    sys.exit()
arguments = sys.argv[1:]
files = [arguments[0], arguments[arguments.index("-neg") + 1]]
seen = {"arguments": arguments, "files": [pathlib.Path(file).read_text() for file in files]}
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(seen))
print("a warning", file=sys.stderr)
if not os.environ["WRITES"]:
    sys.exit(1)
print(os.environ["WRITES"], end="")
"""


def random_tokens(seed, number, length=60):
    return np.random.default_rng(seed).choice(4, (number, length), p=AT_RICH).astype(np.uint8)


def planted(seed, number, probabilities, share):
    """Tokens of top and bottom. A share of each (top, bottom) has sites, on both strands."""
    rng = np.random.default_rng(seed)
    tokens, top = random_tokens(seed + 1, 2 * number), np.arange(2 * number) < number
    width = len(probabilities)
    for row in np.flatnonzero(rng.random(2 * number) < np.where(top, *share)):
        site = np.array([rng.choice(4, p=p) for p in probabilities], np.uint8)
        start = rng.integers(tokens.shape[1] - width + 1)
        tokens[row, start : start + width] = site if rng.random() < 0.5 else COMPLEMENT[site[::-1]]
    return tokens, top


def degenerate(consensus, share=0.85):
    """Probabilities with `share` for a letter, or half of it for each letter of W or S, or
    even ones for N."""
    sets = {**{letter: letter for letter in "ACGT"}, "W": "AT", "S": "CG", "N": "ACGT"}
    rows = [[letter in sets[c] for letter in "ACGT"] for c in consensus]
    rows = np.array(rows) / np.sum(rows, axis=1, keepdims=True)
    return share * rows + (1 - share) / 4


def similarity(motif, probabilities):
    counts = 100 * probabilities
    return max(
        tfbstools_similarity(motif.counts, other).pearson
        for other in (counts, counts[::-1, COMPLEMENT[:4]])
    )


@pytest.mark.parametrize(("letters_of_word", "gap"), [(3, 0), (6, 0), (4, 1), (6, 5)])
def test_words_are_counted_once_a_sequence_on_both_strands(letters_of_word, gap):
    tokens = random_tokens(1, 30, 20)
    tokens[np.random.default_rng(2).random(tokens.shape) < 0.05] = N
    top = np.random.default_rng(3).random(30) < 0.4
    span, half = letters_of_word + gap, (letters_of_word + 1) // 2
    expected = np.zeros((2, 4**letters_of_word))
    for row, end in zip(tokens, np.where(top, 0, 1), strict=True):
        windows = [row[start : start + span] for start in range(20 - span + 1)]
        words = {
            min(
                sum(
                    int(letter) * 4**place
                    for place, letter in enumerate([*strand[:half], *strand[half + gap :]][::-1])
                )
                for strand in (window, reverse_complement(window))
            )
            for window in windows
            if N not in window
        }
        for word in words:
            expected[end, word] += 1
    assert np.array_equal(word_counts(tokens, top, letters_of_word, gap), expected)
    assert not np.any(word_counts(tokens[:, : span - 1], top, letters_of_word, gap))


@pytest.mark.parametrize("seed", range(3))
def test_the_hold_out_is_a_random_half_of_either_end(seed):
    top = np.random.default_rng(seed).random(801) < 0.4
    held = hold_out(top, seed)
    for end in (top, ~top):
        assert (held & end).sum() == end.sum() // 2
    assert np.array_equal(held, hold_out(top, seed))
    assert not np.array_equal(held, hold_out(top, seed + 1))


def test_too_few_sequences_to_halve():
    with pytest.raises(MotifError, match="1 sequences of the top and 5 of the bottom cannot be"):
        hold_out(np.arange(6) < 1)


@pytest.mark.parametrize("consensus", ["TTACCCGG", "TGTWTGGSTGT", "GATTACWW", "CACGTG"])
def test_a_planted_motif_is_found(consensus):
    truth = degenerate(consensus)
    tokens, top = planted(3, 300, truth, (0.7, 0.1))
    best = discover(tokens, top, np.arange(600), 3)[0]
    assert best.motif.name == "meme_1"
    assert best.motif.ln_e_value < math.log(1e-3)
    assert similarity(best.motif, truth) > 0.9
    shown = best.motif.consensus(), best.motif.reverse_complement().consensus()
    core = consensus.strip("W")
    assert any(
        sum(a == b for a, b in zip(core, text[start:], strict=False)) >= len(core) - 1
        for text in shown
        for start in range(len(text) - len(core) + 1)
    )
    assert best.positives > 2.5 * best.negatives > 0
    assert (best.held_top, best.held_bottom) == (150, 150)


def test_two_planted_motifs_are_found_one_after_the_other():
    first, second = degenerate("TTACCCGG"), degenerate("GTGAGTCAT")
    tokens, top = planted(5, 200, first, (0.7, 0.1))
    other, _ = planted(6, 200, second, (0.7, 0.1))
    found = discover(np.concatenate([tokens, other], axis=1), top, np.arange(400), 3)
    assert [each.motif.name for each in found] == [f"meme_{i + 1}" for i in range(len(found))]
    ln_e = [each.motif.ln_e_value for each in found]
    assert ln_e == sorted(ln_e)
    for truth in (first, second):
        # Masked once found, it is not found again.
        alike = [similarity(each.motif, truth) > 0.85 for each in found[:2]]
        assert sum(alike) == 1
    for each in found:
        assert each.motif.ln_e_value == pytest.approx(each.ln_p + math.log(3))
        assert each.ln_p == pytest.approx(
            float(ln_fisher(each.positives, each.negatives, each.held_top, each.held_bottom))
        )


@pytest.mark.parametrize(
    ("consensus", "number", "share"),
    [
        ("TCACNNNNNACGA", 300, (0.5, 0.05)),
        ("TCACNNNNNACGA", 800, (0.1, 0.0)),
        ("TTACCCGGTT", 800, (0.1, 0.0)),
    ],
)
def test_a_motif_with_a_gap_and_one_of_a_tenth_of_the_top_are_found(consensus, number, share):
    tokens, top = planted(3, number, degenerate(consensus, 0.97), share)
    best = discover(tokens, top, np.arange(2 * number), 1)[0]
    assert best.motif.ln_e_value < math.log(1e-3)
    # The ends may be one column farther inside.
    shown = best.motif.consensus(), best.motif.reverse_complement().consensus()
    assert any(consensus[1:-1] in text for text in shown)


def test_e_values_are_as_large_as_they_promise():
    """Random sequences with random labels: with expectation at most x, a run has x motifs with an
    E-value up to x. Searches mostly end early, which must not change this."""
    runs, number = 200, 4
    found = [
        discover(
            random_tokens(seed, 40, 20), np.arange(40) < 20, np.arange(40), number, (5, 7), seed
        )
        for seed in range(runs)
    ]
    ln_e = np.array([each.motif.ln_e_value for motifs in found for each in motifs])
    assert len(ln_e) >= runs
    assert any(len(motifs) < number for motifs in found)
    for e_value in (1.0, 0.2, 0.05):
        # Three standard deviations of the count above what is expected.
        expected = runs * e_value
        assert (ln_e <= math.log(e_value)).sum() <= expected + 3 * math.sqrt(expected)


def test_e_values_hold_for_relatives_with_random_labels():
    """The test is exact if any sequence could have any label, however alike the sequences are."""
    runs = 40
    low = 0
    for seed in range(runs):
        families = np.arange(80) // 8
        tokens = random_tokens(seed, 10, 30)[families]
        top = np.random.default_rng(seed).permutation(80) < 40
        found = discover(tokens, top, families, 2, (5, 7), seed)
        low += sum(each.motif.ln_e_value <= math.log(0.2) for each in found)
    assert low <= 0.2 * runs + 3 * math.sqrt(0.2 * runs)


def test_what_is_enriched_in_the_bottom_is_not_reported():
    truth = degenerate("TTACCCGG")
    tokens, top = planted(3, 200, truth, (0.1, 0.6))
    found = discover(tokens, top, np.arange(400), 3)
    assert all(each.motif.ln_e_value > math.log(0.05) for each in found)
    assert all(similarity(each.motif, truth) < 0.85 for each in found)


def test_the_families_with_a_motif_are_counted():
    truth = degenerate("TTACCCGG", 0.97)
    tokens, top = planted(9, 150, truth, (0.5, 0.0))
    first = discover(tokens, top, np.arange(300) // 10, 1)[0]
    assert similarity(first.motif, truth) > 0.9
    # Of the 15 families of the top, almost all have the motif in some of their sequences.
    assert first.positives > 2 * first.positive_families
    assert 13 <= first.positive_families <= 15


@pytest.mark.parametrize("widths", [(6, 6), (10, 12), (4, 5)])
def test_widths_are_kept_to(widths):
    tokens, top = planted(3, 150, degenerate("TTACCCGG"), (0.6, 0.1))
    found = discover(tokens, top, np.arange(300), 2, widths)
    assert found
    assert all(widths[0] <= each.motif.width <= widths[1] for each in found)


def test_masked_sites_are_n_and_no_more():
    motif = module.Motif("m", 100 * np.eye(4)[tokenise("GATTACCA")])
    rows = ["CCGATTACCACC", "TTTGGTAATCTT", "CCGATTACCGCC", "GATTACCANNNN"]
    tokens = np.array([tokenise(row) for row in rows])
    matrix = module.score_matrix(motif, AT_RICH)
    sequences = module._Sequences(tokens, np.array([True, True, False, False]), 15)
    # The exact word alone.
    threshold = matrix.scores.max(axis=1).sum()
    masked = sequences.masked(matrix, threshold).tokens
    expected = ["CCNNNNNNNNCC", "TTNNNNNNNNTT", "CCGATTACCGCC", "NNNNNNNNNNNN"]
    assert np.array_equal(masked, [tokenise(row) for row in expected])
    sites = sequences.best(matrix)
    assert sites.start[[0, 1, 3]].tolist() == [2, 2, 0]
    assert sites.reverse[[0, 1, 3]].tolist() == [False, True, False]
    shown = sequences.windows(np.array([0, 1]), sites, 8, 3)
    assert [letters(row) for row in shown] == ["CCGATTACCACC", "AAGATTACCAAA"]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program `meme` on the PATH that keeps its options and writes a report."""
    path = tmp_path / "bin" / "meme"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{FAKE_MEME}")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=os.pathsep)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setenv("WRITES", REPORT)
    monkeypatch.setenv("VERSION", "5.5.8")
    return str(path)


@pytest.fixture
def files(tmp_path):
    """A ranked list of 20 families of ten."""
    tokens, top = planted(3, 100, degenerate("TTACCCGG"), (0.7, 0.1))
    names = [f"s{row}" for row in np.random.default_rng(1).permutation(200)]
    records = zip(names, map(letters, tokens), strict=True)
    (tmp_path / "r.fa").write_text("".join(f">{name}\n{text}\n" for name, text in records))
    table = pd.DataFrame({"sequence": names, "family": np.arange(200) % 20})
    table.to_csv(tmp_path / "r.tsv", sep="\t", index=False)
    return tmp_path


def test_meme_gets_the_right_options_and_its_motifs_are_sorted(files, program, capfd):
    found = meme(program, files / "r.fa", files / "r.fa", 7, (6, 12), 3)
    seen = json.loads((files / "seen.json").read_text())["arguments"]
    assert seen[0] == str(files / "r.fa")
    assert {"-text", "-nostatus", "-dna", "-revcomp"} <= set(seen)
    options = {option: seen[seen.index(option) + 1] for option in seen if option[0] == "-"}
    expected = {"-objfun": "de", "-neg": seen[0], "-nmotifs": "7", "-minw": "6", "-maxw": "12"}
    expected |= {"-searchsize": "0", "-seed": "3"}
    assert expected.items() <= options.items()
    assert [each.motif.name for each in found] == ["meme_1", "meme_2"]
    assert [each.motif.consensus() for each in found] == ["CCG", "AWC"]
    assert [each.motif.sites for each in found] == [26, 16]
    ln_e = [math.log(7) - 403 * math.log(10), math.log(0.83)]
    assert [each.motif.ln_e_value for each in found] == pytest.approx(ln_e)
    assert found[1].ln_p == pytest.approx(math.log(0.61))
    assert found[0].positives is None
    # What it warns of is in the log.
    assert "a warning" in capfd.readouterr().err


@pytest.mark.parametrize("version", ["4.12.0", "4.11.2"])
def test_an_old_meme_is_refused(files, program, monkeypatch, version):
    monkeypatch.setenv("VERSION", version)
    with pytest.raises(MotifError, match=rf"meme {version} is too old.*install MEME 5.5, or set"):
        meme(program, files / "r.fa", files / "r.fa", 1)


def test_meme_that_fails_or_writes_something_else(files, program, monkeypatch):
    for text, said in [
        ("", r"meme .*r.fa.*failed \(1\); see the log"),
        ("nothing\n", "no line `MEME version`"),
        (REPORT.replace("p-value = 6.1e-001", ""), "p-values and motifs in its report differ"),
    ]:
        monkeypatch.setenv("WRITES", text)
        with pytest.raises(MotifError, match=said):
            meme(program, files / "r.fa", files / "r.fa", 1)


def run_script(files, engine, top=60, low=False):
    job = SimpleNamespace(
        input=SimpleNamespace(sequences=files / "r.fa", table=files / "r.tsv"),
        output=SimpleNamespace(motifs=files / "discover.meme", table=files / "discover.tsv"),
        params=SimpleNamespace(top=top, motifs=2, widths=[6, 12], engine=engine, seed=1, low=low),
        log=[files / "log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    motifs = read_meme(files / "discover.meme")
    table = pd.read_csv(files / "discover.tsv", sep="\t", dtype={"e_value": str, "p_value": str})
    assert list(table.columns) == COLUMNS
    assert table["motif"].tolist() == [motif.name for motif in motifs]
    assert table["width"].tolist() == [motif.width for motif in motifs]
    assert set(table["method"]) <= {"meme"}
    return table


def test_the_script_with_the_built_in_engine(files, capsys):
    table = run_script(files, "builtin")
    first = table.iloc[0]
    assert first["engine"] == "built in"
    assert first[["top", "bottom", "families_top", "families_bottom"]].tolist() == [60, 60, 20, 20]
    assert first[["held_top", "held_bottom"]].tolist() == [30, 30]
    assert 5 < first["positive_families"] <= min(20, first["positives"])
    assert float(first["e_value"]) == pytest.approx(math.exp(first["ln_e_value"]), rel=1e-4)
    assert float(first["e_value"]) == pytest.approx(2 * float(first["p_value"]), rel=1e-4)
    said = capsys.readouterr().err
    assert "60 sequences of 20 families are at the top" in said
    assert "treat each sequence as independent" in said
    assert "Only 30 sequences of the top and 30 of the bottom" in said
    once = [(files / name).read_bytes() for name in ("discover.meme", "discover.tsv")]
    run_script(files, "builtin")
    assert once == [(files / name).read_bytes() for name in ("discover.meme", "discover.tsv")]


@pytest.mark.parametrize("engine", ["auto", "tool"])
def test_the_script_with_meme(files, program, engine):
    table = run_script(files, engine)
    assert set(table["engine"]) == {"meme 5.5.8"}
    assert table["e_value"].tolist() == ["7.00000e-403", "8.30000e-1"]
    assert table["positives"].isna().all()
    seen = json.loads((files / "seen.json").read_text())
    lines = (files / "r.fa").read_text().splitlines(keepends=True)
    assert seen["files"] == ["".join(lines[:120]), "".join(lines[-120:])]


def test_the_low_end_is_searched_against_the_high_one(files, program):
    run_script(files, "tool", low=True)
    seen = json.loads((files / "seen.json").read_text())
    lines = (files / "r.fa").read_text().splitlines(keepends=True)
    assert seen["files"] == ["".join(lines[-120:]), "".join(lines[:120])]


def test_the_script_takes_no_more_than_half_of_the_list(files, program, capsys):
    table = run_script(files, "tool", top=5000)
    assert set(table["top"]) == set(table["bottom"]) == {100}
    assert "top is 100 instead of 5000: half of all 200 sequences" in capsys.readouterr().err


def test_the_script_without_a_motif(files, program, monkeypatch):
    monkeypatch.setenv("WRITES", REPORT[: REPORT.index("MOTIF")])
    assert run_script(files, "tool").empty


def test_the_script_with_the_table_of_another_list(files):
    (files / "r.tsv").write_text("sequence\tfamily\ns1\t0\n")
    with pytest.raises(MotifError, match="r.tsv and .*r.fa do not have the same sequences"):
        run_script(files, "builtin")
