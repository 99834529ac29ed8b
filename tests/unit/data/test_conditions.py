"""Conditions of `where`: how they are read, and which cells meet them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmnet.data.cells import meets
from crmnet.data.conditions import ConditionError, condition, text


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
        (" > 3", "==", (" > 3",)),
        ("!= test", "!=", ("test",)),
        ("!= 3", "!=", (3.0,)),
        ("!=", "!=", ("",)),
        ("= 3", "==", (3.0,)),
        ("== chr1", "==", ("chr1",)),
        ("== <5", "==", ("<5",)),
        (">= 2020-01-01", ">=", ("2020-01-01",)),
    ],
)
def test_a_condition_is_a_value_a_list_or_an_operator_with_a_value(written, operator, values):
    found = condition(written)
    assert (found.operator, found.values) == (operator, values)


@pytest.mark.parametrize("written", [">=", "< ", [">= 3", "b"], ["a", "!= b"]])
def test_a_condition_that_says_too_little_or_too_much_is_an_error(written):
    with pytest.raises(ConditionError):
        condition(written)


def test_conditions_in_a_readable_form():
    where = {"quality": ">= 10", "set": "train", 3: ["chr1", 2], "score": "!=0.5"}
    wanted = "quality >= 10, set == train, 3 one of chr1, 2, score != 0.5"
    assert text(where) == wanted


def of(cells, written):
    column = pa.array([cell.encode() for cell in cells], pa.binary())
    met, unclear = meets(column, condition(written))
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
        (">= b", "--------++"),
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
        pa.array([repr(n).encode() for n in numbers]), condition(f"{operator} {limit!r}")
    )
    assert found.tolist() == expected and not unclear.any()


@given(st.lists(st.sampled_from(["chr1", "chr2", "chrX", "", "NA"]), min_size=1, max_size=8))
def test_a_condition_and_its_opposite_share_out_the_texts(cells):
    column = pa.array([cell.encode() for cell in cells])
    met, _ = meets(column, condition("chr1"))
    unmet, _ = meets(column, condition("!= chr1"))
    assert np.array_equal(met, ~unmet)
    assert met.tolist() == [cell == "chr1" for cell in cells]
