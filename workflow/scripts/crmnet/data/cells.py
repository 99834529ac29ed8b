"""Reads columns of cells as numbers, and chooses rows by conditions, a whole column at a time."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crmnet.data.conditions import ORDERING, Condition
from crmnet.data.delimited import NUMBER

_NUMBER = re.compile(NUMBER.pattern.encode())
# The cells, in lower case, that say that there is no value.
MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", ".", "-")
# Name -> function of a number, and the number above which it is defined.
TRANSFORMS = {
    "log2": (np.log2, 0.0),
    "log10": (np.log10, 0.0),
    "log": (np.log, 0.0),
    "log1p": (np.log1p, -1.0),
}
_ORDER = {">=": pc.greater_equal, "<=": pc.less_equal, ">": pc.greater, "<": pc.less}


def numbers(column: pa.BinaryArray) -> np.ndarray:
    """Returns a column as float64, with NaN where a cell is not a number."""
    try:
        return np.asarray(pc.cast(pc.cast(column, pa.string()), pa.float64()))
    except pa.ArrowInvalid:
        cells = trimmed(column).to_pylist()
        return np.array([float(c) if _NUMBER.fullmatch(c) else np.nan for c in cells])


def trimmed(column: pa.BinaryArray) -> pa.BinaryArray:
    """Returns cells without spaces and tabs around them."""
    return pc.cast(pc.ascii_trim(pc.cast(column, pa.string()), " \t"), pa.binary())


def missing(column: pa.BinaryArray) -> np.ndarray:
    """Returns a mask of the cells that are empty or a word for a missing value (`MISSING`)."""
    lower = pc.utf8_lower(pc.cast(trimmed(column), pa.string()))
    return np.asarray(pc.is_in(lower, pa.array(MISSING)))


def known_numbers(column: pa.BinaryArray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a column as float64, with NaN where a cell is not a number; and a mask of the cells
    without a value (`missing`)."""
    absent = missing(column)
    if absent.any():
        column = pc.if_else(pa.array(absent), pa.scalar(b"nan"), column)
    return numbers(column), absent


def meets(column: pa.BinaryArray, condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Returns a mask of the cells that meet a condition, and a mask of those for which it cannot be
    told: they have a value, but no finite number, and the condition puts numbers in an order.

    Numbers are compared as numbers, so that 1.0 equals 1. A cell that is no number differs from
    every number. An empty cell or a word for a missing value is neither more nor less than
    anything, and is not unequal to a number.
    """
    operator, values = condition.operator, condition.values
    texts = pc.cast(trimmed(column), pa.string())
    unclear = np.zeros(len(column), bool)
    if operator in ORDERING:
        (value,) = values
        found, absent = known_numbers(column)
        finite = np.isfinite(found)
        return np.asarray(_ORDER[operator](found, value)) & finite, ~finite & ~absent
    equal = np.asarray(pc.is_in(texts, pa.array([v for v in values if isinstance(v, str)], "str")))
    if of_numbers := [v for v in values if not isinstance(v, str)]:
        found, absent = known_numbers(column)
        equal = equal | np.isin(found, of_numbers)
        if operator == "!=":
            equal = equal | absent
    return (~equal if operator == "!=" else equal), unclear
