"""Reads the conditions of `where`, by which a config chooses rows of a table. Needs the standard
library only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Two-letter operators first, because the text is read from its start.
_OPERATOR = re.compile(r"(>=|<=|==|!=|>|<|=)\s*(.*)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# The operators that put values in an order.
ORDERING = (">=", "<=", ">", "<")


class ConditionError(ValueError):
    """A condition cannot be read. The message says what to change."""


@dataclass(frozen=True)
class Condition:
    """A condition on the cell of a row.

    Attributes:
        operator: ">=", "<=", ">", "<", "==" (the cell is one of the values) or "!=" (it is none).
        values: numbers or texts; one, except for "==".
    """

    operator: str
    values: tuple[float | str, ...]

    def __str__(self) -> str:
        values = [v if isinstance(v, str) else f"{v:.15g}" for v in self.values]
        if len(values) > 1:
            return f"one of {', '.join(values)}"
        return f"{self.operator} {values[0]}"


def condition(written: object) -> Condition:
    """Returns the condition that a config writes: a number or text that the cell equals, a list of
    these, or text that begins with an operator.

    Raises:
        ConditionError: it cannot be read.
    """
    if isinstance(written, list):
        if with_operator := [v for v in written if isinstance(v, str) and _OPERATOR.match(v)]:
            raise ConditionError(
                f"a list names the values of which the cell is one, but {with_operator[0]!r} "
                "begins with an operator; list values only, or write one condition without a list"
            )
        return Condition("==", tuple(written))
    found = _OPERATOR.fullmatch(written) if isinstance(written, str) else None
    if not found:
        return Condition("==", (written,))
    operator, operand = "==" if found[1] == "=" else found[1], found[2].strip()
    if not operand and operator in ORDERING:
        raise ConditionError(f"{written!r} compares with nothing; write a number after {operator}")
    return Condition(operator, (float(operand) if _NUMBER.fullmatch(operand) else operand,))


def conditions(where: dict | None) -> Iterator[tuple[str | int, Condition]]:
    """Yields each column of `where` and its condition.

    Raises:
        ConditionError: see `condition`.
    """
    for column, written in (where or {}).items():
        yield column, condition(written)


def text(where: dict) -> str:
    """Returns `where` in a readable form: quality >= 10, set == train."""
    return ", ".join(f"{column} {wanted}" for column, wanted in conditions(where))
