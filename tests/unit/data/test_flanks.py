"""The construct's flanks: added as in scoring, counted, and missed."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmnet.data import flanks, variants
from crmnet.data.flanks import FlankCount, add_flanks, lacks
from crmnet.data.sequences import Construct, strip_n, tokenise
from crmnet.data.tables import TableError

CONSTRUCT = Construct("GACTACGGATCC", "CTCGAGTT", 20, 48)
LEFT, RIGHT = CONSTRUCT.left_flank, CONSTRUCT.right_flank


def places_of(sequences):
    """The buffer, starts and ends of sequences, without the N around them."""
    sizes = np.array([len(sequence) for sequence in sequences], np.int64)
    ends = np.cumsum(sizes)
    buffer = tokenise("".join(sequences))
    return buffer, *strip_n(buffer, ends - sizes, ends)


def counted(sequences, construct=CONSTRUCT):
    count = FlankCount(construct)
    count.count(*places_of(sequences))
    return count


def complaint(sequences, construct=CONSTRUCT):
    with pytest.raises(TableError) as error:
        counted(sequences, construct).check("mine.csv")
    return str(error.value)


@given(
    st.lists(st.text("ACGTN", min_size=1, max_size=23).filter(lambda s: s.strip("N")), max_size=8),
    st.sampled_from([CONSTRUCT, Construct("", "", 20, 48), Construct("AC" * 12, "", 20, 48)]),
)
def test_flanks_are_added_as_in_scoring(sequences, construct):
    wanted = [variants.place("x", s, construct, flanks.ADD).whole for s in sequences]
    buffer, starts, ends = add_flanks(*places_of(sequences), construct)
    rows = [buffer[start:end] for start, end in zip(starts, ends, strict=True)]
    assert ["".join("ACGTN"[token] for token in row) for row in rows] == wanted


def test_rows_with_each_flank_are_counted():
    insert = "ACGTACGTAA"
    rows = [LEFT + insert + RIGHT] * 3 + [insert + RIGHT, LEFT + insert, insert, LEFT + 40 * "A"]
    rows += ["NN" + LEFT + insert + RIGHT + "N", LEFT[1:] + insert + RIGHT]
    count = counted(rows)
    assert count.numbers() == {"rows": 9, "left": 6, "right": 6, "both": 4, "longer": 1}
    count.check("mine.csv")


def test_a_part_of_the_rows_may_lack_flanks():
    counted([LEFT + "ACGT" + RIGHT, *["ACGTTGCA"] * 99]).check("mine.csv")


def test_bare_inserts_are_an_error_with_the_mends():
    said = complaint(["ACGTACGTAAGGCCT", "TTGACCAGT"])
    assert said.startswith("mine.csv: no sequence begins with `construct: left_flank`, " + LEFT)
    assert f"ends with `construct: right_flank`, {RIGHT}" in said
    assert "the first sequence begins with ACGTACGTAAGG)" in said
    assert "correct `construct`" in said and "`flanks: add`" in said and "flank empty" in said


def test_a_wrong_base_in_a_flank_is_found():
    wrong = Construct(LEFT[:-1] + "G", RIGHT, 20, 48)
    said = complaint([LEFT + insert + RIGHT for insert in ("ACGT", "TTT", "CGGA")], wrong)
    assert (
        f"3 of the first 3 begin with {LEFT}, which differs from it at position {len(LEFT)}" in said
    )
    assert "right_flank" not in said
    said = complaint(
        [LEFT + insert + RIGHT for insert in ("ACGT", "TTT")],
        Construct(LEFT, "A" + RIGHT[1:], 9, 48),
    )
    assert f"2 of the first 2 end with {RIGHT}, which differs from it at position 1" in said
    assert "left_flank" not in said


def test_without_flanks_in_the_construct_none_are_missed():
    counted(["ACGT"], Construct("", "", 20, 48)).check("mine.csv")
    assert "right_flank" not in complaint(["CCGT"], Construct("ACG", "", 20, 48))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_flank_is_looked_for_in_the_whole_file(tmp_path, ending):
    path = tmp_path / f"mine.csv{ending}"

    def written(text):
        path.write_bytes(gzip.compress(text.encode()) if ending else text.encode())

    written("x," + "ACGT\n" * 40000 + LEFT.lower())
    assert not lacks(path, LEFT) and lacks(path, RIGHT)
    # The flank lies across the end of a part.
    for shift in range(len(LEFT) + 1):
        written("A" * ((1 << 16) - shift) + LEFT + "\n")
        assert not lacks(path, LEFT)


def test_of_a_huge_file_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(flanks, "SEARCHED", 1000)
    (tmp_path / "mine.csv").write_text("ACGT\n" * 300)
    assert not lacks(tmp_path / "mine.csv", LEFT)
