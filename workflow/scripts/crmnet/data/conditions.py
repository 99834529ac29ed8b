"""Reads the conditions of `where`, by which a config chooses rows of a table. Needs the standard
library only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crmnet.data.delimited import NUMBER

# Two-letter operators first, because the text is read from its start.
_OPERATOR = re.compile(r"(>=|<=|==|!=|>|<|=)\s*(.*)", re.DOTALL)
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


def of_column(written: object) -> list[Condition]:
    """Returns the conditions on a column, all of which must hold, as a config writes them: a number
    or text that the cell equals, a list of these, of which it is one, text that begins with an
    operator, or a list of such texts.

    Raises:
        ConditionError: they cannot be read.
    """
    if not isinstance(written, list):
        return [_condition(written)]
    compares = [isinstance(each, str) and bool(_OPERATOR.match(each.strip())) for each in written]
    if all(compares):
        return [_condition(each) for each in written]
    if any(compares):
        raise ConditionError(
            "a list has either values, of which the cell is one, or conditions, all of which hold, "
            f"but {written[compares.index(True)]!r} begins with an operator, and "
            f"{written[compares.index(False)]!r} does not"
        )
    return [Condition("==", tuple(written))]


def _condition(written: object) -> Condition:
    found = _OPERATOR.fullmatch(written.strip()) if isinstance(written, str) else None
    if not found:
        return Condition("==", (written,))
    operator, operand = "==" if found[1] == "=" else found[1], found[2].strip()
    number = NUMBER.fullmatch(operand)
    if operator in ORDERING and not number:
        raise ConditionError(
            f"{written!r} does not compare with a number; write for instance '{operator} 10', and "
            "several conditions as a list, ['>= 5', '< 10']"
        )
    if operator == "!=" and "," in operand:
        raise ConditionError(
            f"{written!r} names several values; write a list, for instance ['!= a', '!= b']"
        )
    return Condition(operator, (float(operand) if number else operand,))


def conditions(where: dict | None) -> Iterator[tuple[str | int, Condition]]:
    """Yields each condition of `where` with its column.

    Raises:
        ConditionError: see `of_column`.
    """
    for column, written in (where or {}).items():
        yield from ((column, wanted) for wanted in of_column(written))


def text(where: dict) -> str:
    """Returns `where` in a readable form: quality >= 10, set == train."""
    return ", ".join(f"{column} {wanted}" for column, wanted in conditions(where))
