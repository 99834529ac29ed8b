"""Conditions of `where`: how they are read, and which cells meet them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmnet.data.cells import meets, missing
from crmnet.data.conditions import ConditionError, of_column, text


@pytest.mark.parametrize(
    ("written", "operator", "values"),
    [
        (10, "==", (10,)),
        (1.5, "==", (1.5,)),
        ("train", "==", ("train",)),
        ("10", "==", ("10",)),
        ("", "==", ("",)),
        (["chr1", 2], "==", ("chr1", 2)),
        (">= 10", ">=", (10.0,)),
        (">=10", ">=", (10.0,)),
        ("<-1.5e-3", "<", (-0.0015,)),
        (" > 3", ">", (3.0,)),
        ("!= test", "!=", ("test",)),
        ("!= 3", "!=", (3.0,)),
        ("!=", "!=", ("",)),
        ("= 3", "==", (3.0,)),
        ("== chr1", "==", ("chr1",)),
        ("== <5", "==", ("<5",)),
    ],
)
def test_a_condition_is_a_value_a_list_or_an_operator_with_a_value(written, operator, values):
    (found,) = of_column(written)
    assert (found.operator, found.values) == (operator, values)


@pytest.mark.parametrize(
    "written",
    [">=", "< ", [">= 3", "b"], ["a", "!= b"], ">= 10%", "> 5 and < 10", ">= 1,000", "!= a, b"],
)
def test_a_condition_that_says_too_little_or_too_much_is_an_error(written):
    with pytest.raises(ConditionError):
        of_column(written)


def test_several_conditions_on_a_column_all_hold():
    low, high = of_column([">= 5", "< 10"])
    assert (low.operator, low.values, high.operator, high.values) == (">=", (5.0,), "<", (10.0,))
    assert text({"depth": [">= 5", "< 10"]}) == "depth >= 5, depth < 10"


def test_spaces_around_a_cell_do_not_count():
    assert "".join(of([" train", "train ", "test"], "train")) == "++-"
    assert missing(pa.array([b" NA", b"- ", b"#N/A", b"1"])).tolist() == [True, True, True, False]


def test_conditions_in_a_readable_form():
    where = {"quality": ">= 10", "set": "train", 3: ["chr1", 2], "score": "!=0.5"}
    wanted = "quality >= 10, set == train, 3 one of chr1, 2, score != 0.5"
    assert text(where) == wanted


def of(cells, written):
    column = pa.array([cell.encode() for cell in cells], pa.binary())
    met, unclear = meets(column, *of_column(written))
    assert not (met & unclear).any()
    return ["?" if u else "+" if m else "-" for m, u in zip(met, unclear, strict=True)]


CELLS = ["10", "9.5", "1e1", "+11", "", "NA", "nan", ".", "high", "inf"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (">= 10", "+-++----??"),
        ("< 10", "-+------??"),
        (10, "+-+-------"),
        ("!= 10", "-+-+----++"),
        ([9.5, "high"], "-+------+-"),
        ("high", "--------+-"),
        ("!= high", "++++++++-+"),
        ("!= NA", "+++++-++++"),
        ("!=", "++++-+++++"),
        ("10", "+---------"),
    ],
)
def test_which_cells_meet_a_condition(written, expected):
    assert "".join(of(CELLS, written)) == expected


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS, st.sampled_from([">=", "<=", ">", "<"]))
def test_numbers_are_compared_as_python_compares_them(numbers, limit, operator):
    expected = [
        {">=": n >= limit, "<=": n <= limit, ">": n > limit, "<": n < limit}[operator]
        for n in numbers
    ]
    found, unclear = meets(
        pa.array([repr(n).encode() for n in numbers]), *of_column(f"{operator} {limit!r}")
    )
    assert found.tolist() == expected and not unclear.any()


@given(st.lists(st.sampled_from(["chr1", "chr2", "chrX", "", "NA"]), min_size=1, max_size=8))
def test_a_condition_and_its_opposite_share_out_the_texts(cells):
    column = pa.array([cell.encode() for cell in cells])
    met, _ = meets(column, *of_column("chr1"))
    unmet, _ = meets(column, *of_column("!= chr1"))
    assert np.array_equal(met, ~unmet)
    assert met.tolist() == [cell == "chr1" for cell in cells]
