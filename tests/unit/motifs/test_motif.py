"""Motifs: their properties, and writing and reading MEME's text format."""

import math
from decimal import Decimal

import numpy as np
import pytest
from Bio.motifs import minimal
from hypothesis import given
from hypothesis import strategies as st

from crmnet.data.sequences import tokenise
from crmnet.motifs import motif as module
from crmnet.motifs.motif import Motif, MotifError, read_background, read_meme, write_meme

EVEN = np.full(4, 0.25)
COUNTS = [[7, 1, 1, 1], [0, 10, 0, 0], [5, 0, 5, 0]]

# As the program MEME reports: with much else around a motif's matrix.
REPORT = """\
MEME version 5.5.9 (Release date: Thu May 29 10:59:56 2025 -0700)

ALPHABET= ACGT

Background letter frequencies (from file dataset with add-one prior applied):
A 0.31 C 0.19 G 0.19 T 0.31

MOTIF TTACCC MEME-1\twidth =   2  sites =  12  llr = 33  p-value = 2.4e-003  E-value = 1.1e-400
	Motif TTACCC MEME-1 position-specific scoring matrix
log-odds matrix: alength= 4 w= 2 n= 70 bayes= 7.1 E= 1.1e-400
  -1023   -123   -23     13
  -1023   -123   -23     13
	Motif TTACCC MEME-1 position-specific probability matrix
letter-probability matrix: alength= 4 w= 2 nsites= 12 E= 1.1e-400
 0.250000  0.000000  0.000000  0.750000
 1.000000  0.000000  0.000000  0.000000
--------------------------------------------------------------------------------
"""


def random_motif(seed, width=7, sites=100, **fields):
    rows = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), width)
    return Motif(f"random-{seed}", rows * sites, sites, **fields)


def test_a_motif_by_hand():
    motif = Motif("m", COUNTS)
    assert (motif.width, motif.sites) == (3, 10)
    assert motif.probabilities()[0] == pytest.approx([0.7, 0.1, 0.1, 0.1])
    # Two sites of background added to ten: (0 + 2 x 0.4) / 12.
    twice = 12 * motif.probabilities(2, np.array([0.4, 0.1, 0.1, 0.4]))
    assert twice[1] == pytest.approx([0.8, 10.2, 0.2, 0.8])
    assert 12 * motif.probabilities(2)[1] == pytest.approx([0.5, 10.5, 0.5, 0.5])
    assert motif.consensus() == "ACR"
    assert motif.reverse_complement().consensus() == "YGT"


@pytest.mark.parametrize(
    ("counts", "letter"),
    [
        ([10, 0, 0, 0], "A"),
        ([51, 25, 24, 0], "A"),  # More than half, and more than twice as much as the next.
        ([52, 26, 22, 0], "M"),  # Exactly twice as much: two letters, 78 of 100.
        ([50, 20, 15, 15], "N"),  # Not more than half.
        ([40, 0, 0, 36], "W"),
        ([0, 40, 0, 36], "Y"),
        ([0, 0, 50, 50], "K"),
        ([0, 40, 36, 0], "S"),
        ([36, 0, 40, 0], "R"),
        ([40, 35, 25, 0], "V"),  # Exactly three quarters: three letters, T never.
        ([0, 40, 35, 25], "B"),
        ([40, 0, 35, 25], "D"),
        ([40, 35, 0, 25], "H"),
        ([1, 1, 1, 1], "N"),
    ],
)
def test_consensus_letters(counts, letter):
    assert Motif("m", [counts]).consensus() == letter


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_a_reverse_complement_twice_is_the_motif(seed, width):
    motif = random_motif(seed, width, e_value=1e-3, alt="X")
    other = motif.reverse_complement()
    complement = str.maketrans("ACGTRYKMBVDHSWN", "TGCAYRMKVBHDSWN")
    assert other.consensus() == motif.consensus().translate(complement)[::-1]
    again = other.reverse_complement()
    assert np.array_equal(again.counts, motif.counts)
    assert (again.e_value, again.alt, again.sites) == (1e-3, "X", 100)


def test_each_e_value_follows_from_the_other():
    assert Motif("m", COUNTS, e_value=1e-5).ln_e_value == pytest.approx(-5 * math.log(10))
    assert Motif("m", COUNTS, ln_e_value=math.log(3)).e_value == pytest.approx(3)
    assert Motif("m", COUNTS, ln_e_value=-2000.0).e_value == 0
    assert Motif("m", COUNTS, e_value=0.0).ln_e_value == -math.inf
    assert Motif("m", COUNTS).e_value is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("m", np.ones((3, 5))), r"motif m: counts of shape \(3, 5\)"),
        (("m", np.ones((0, 4))), "counts of shape"),
        (("m", [[1, -1, 0, 0]]), "negative count"),
        (("m", [[0, 0, 0, 0]]), "none at all"),
        (("m", [[np.nan, 1, 1, 1]]), "negative count"),
        (("two words", COUNTS), "has a space"),
        (("", COUNTS), "is empty"),
        (("m", COUNTS, 0), "0 sites"),
    ],
)
def test_an_invalid_motif_is_refused(arguments, said):
    with pytest.raises(MotifError, match=said):
        Motif(*arguments)


def test_a_file_there_and_back_is_the_same_to_the_printed_digits(tmp_path):
    one, two = tmp_path / "one.meme", tmp_path / "two.meme"
    written = [
        Motif("counted", COUNTS, alt="ABC1"),
        random_motif(1, 21, 28379, ln_e_value=-1234.5),
        random_motif(2, 5, 12.5, e_value=3.25e-7),
        random_motif(3, 1, e_value=0.0),
        Motif("thirds", [[1, 1, 1, 0]]),
    ]
    write_meme(one, written, [0.3, 0.2, 0.2, 0.3])
    read = read_meme(one)
    for motif, found in zip(written, read, strict=True):
        assert (found.name, found.alt, found.sites) == (motif.name, motif.alt, motif.sites)
        assert found.probabilities() == pytest.approx(motif.probabilities(), abs=2.1e-6)
        assert found.ln_e_value == pytest.approx(motif.ln_e_value, abs=6e-6)
    assert read[0].counts == pytest.approx(np.array(COUNTS))
    assert read_background(one) == pytest.approx([0.3, 0.2, 0.2, 0.3])
    write_meme(two, read, read_background(one))
    assert two.read_text() == one.read_text()


def test_another_reader_finds_the_same(tmp_path):
    path = tmp_path / "motifs.meme"
    written = [Motif("one", COUNTS, e_value=2e-9), Motif("two", COUNTS[::-1], e_value=0.5)]
    write_meme(path, written, EVEN)
    with path.open() as file:
        read = minimal.read(file)
    for motif, found in zip(written, read, strict=True):
        assert (found.name, found.evalue, found.num_occurrences) == (motif.name, motif.e_value, 10)
        assert np.array_equal(np.array([found.counts[b] for b in "ACGT"]).T, motif.counts)
    assert read.background == dict(zip("ACGT", EVEN, strict=True))


def test_a_file_without_motifs_is_valid(tmp_path):
    write_meme(tmp_path / "none.meme", [], EVEN)
    assert read_meme(tmp_path / "none.meme") == []


def test_two_motifs_of_a_name_are_not_written(tmp_path):
    with pytest.raises(MotifError, match="several motifs are named m;"):
        write_meme(tmp_path / "m.meme", [Motif("m", COUNTS), Motif("m", COUNTS)], EVEN)


def test_a_whole_report_of_meme(tmp_path):
    path = tmp_path / "meme.txt"
    path.write_text(REPORT)
    (motif,) = read_meme(path)
    assert (motif.name, motif.alt, motif.sites, motif.e_value) == ("TTACCC", "MEME-1", 12, 0)
    assert motif.ln_e_value == pytest.approx(float(Decimal("1.1e-400").ln()))
    assert motif.counts.tolist() == [[3, 0, 0, 9], [12, 0, 0, 0]]
    assert read_background(path) == pytest.approx([0.31, 0.19, 0.19, 0.31])


def test_values_that_the_format_makes_optional(tmp_path):
    path = tmp_path / "bare.meme"
    matrix = "letter-probability matrix:\n.5 .5 0 0\n0 0 0 1\n"
    path.write_text(f"MEME version 4\nMOTIF m\n{matrix}\n#\n")
    (motif,) = read_meme(path)
    assert (motif.width, motif.sites, motif.e_value) == (2, 20, None)
    assert read_background(path).tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("MEME version", "version", "has no line `MEME version`"),
        ("= ACGT", "= ACDEFGHIKLMNPQRSTVWY", "line 3: the alphabet is not ACGT"),
        ("MOTIF", "motif", "line 14: this matrix has no line `MOTIF`"),
        (" 1.000000", " 1.100000", "line 16: must have four probabilities that sum to 1"),
        (" 1.000000", " one", "line 16: must have four probabilities"),
        (" 1.000000  0.000000", " 1.000000", "line 16: must have four probabilities"),
        ("0.250000  0.0", "1.250000 -1.0", "line 15: must have four probabilities"),
        (" 1.000000  0.000000  0.000000  0.000000\n", "", "line 16: must have four probabilities"),
        ("nsites= 12", "nsites= many", "line 14: cannot be read: letter-probability matrix"),
        ("nsites= 12", "nsites= 0", "line 14: cannot be read"),
        ("nsites= 12 E= 1.1e-400", "nsites= 12 E= low", "line 14: cannot be read"),
        ("nsites= 12 E= 1.1e-400", "nsites= 12 E= -1", "line 14: cannot be read"),
        ("letter-probability matrix", "matrix", "motif TTACCC has no matrix"),
        ("\tMotif TTACCC MEME-1 position-specific scoring", "MOTIF x", "line 9: motif TTACCC has"),
        ("MOTIF TTACCC MEME-1\twidth =   2  sites =  12", "MOTIF", "line 8: this motif has no"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path, old, new, said):
    path = tmp_path / "damaged.meme"
    text = REPORT.replace("  llr = 33  p-value = 2.4e-003  E-value = 1.1e-400", "")
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(MotifError, match=f"damaged.meme: {said}"):
        read_meme(path)


def test_a_damaged_background_is_named_with_its_line(tmp_path):
    path = tmp_path / "damaged.meme"
    path.write_text(REPORT.replace("T 0.31", "T 0.91"))
    with pytest.raises(MotifError, match="damaged.meme: line 6: must have .* `A 0.25"):
        read_background(path)


def test_a_missing_file_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(MotifError, match="there is no such file"):
        read_meme(tmp_path / "absent.meme")
    (tmp_path / "bytes.meme").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MotifError, match="is not a text file"):
        read_meme(tmp_path / "bytes.meme")


def test_background_by_hand():
    tokens = np.array([tokenise("AAACGN"), tokenise("TNNNNN")])
    assert 6 * module.background(tokens, both_strands=False) == pytest.approx([3, 1, 1, 1])
    assert 6 * module.background(tokens) == pytest.approx([2, 1, 1, 2])
    with pytest.raises(MotifError, match="C does not occur"):
        module.background(tokenise("AATNN"))
