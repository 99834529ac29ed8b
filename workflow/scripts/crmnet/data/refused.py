"""Collects the user's sequences and variants that cannot be scored, with the reason. Needs the
standard library only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from crmnet.data.delimited import TableError
from crmnet.logs import printable

EXAMPLES = 5
# The longest part of an id in a message.
SHOWN = 60
COLUMNS = ("kind", "file", "place", "id", "reason")
SEQUENCE, VARIANT, OUTSIDE = "sequence", "variant", "outside"


class Mismatch(ValueError):
    """A sequence has other bases than the `ref` of a variant."""


class Outside(ValueError):
    """A variant of a genome lies in no region whose sequence is scored, which is no error."""


class Refused:
    """The sequences and variants of some files that are not scored.

    Args:
        sink: the text file in which they are listed as a table of tab-separated columns
            (`COLUMNS`); None lists them nowhere.
        drop: whether bad rows are left out. Otherwise they end the reading of a file with an error.

    Attributes:
        ids: the ids of refused sequences.
        counts: kind (`SEQUENCE`, `VARIANT` or `OUTSIDE`) -> number.
    """

    def __init__(self, sink: TextIO | None = None, drop: bool = False) -> None:
        self.ids: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._sink, self._drop, self._examples = sink, drop, {}
        self._write(*COLUMNS)

    @contextmanager
    def noting(self, path: Path, kind: str, place: str, name: str) -> Iterator[None]:
        """Refuses a sequence or a variant if a ValueError is raised within the context, which says
        why.

        Args:
            kind: `SEQUENCE` or `VARIANT`.
            place: the line or the record of the file.
            name: the id of the sequence.
        """
        try:
            yield
        except ValueError as error:
            kind = OUTSIDE if isinstance(error, Outside) else kind
            self.counts[kind] += 1
            if kind == SEQUENCE:
                self.ids.add(name)
            shown = repr(name if len(name) <= SHOWN else f"{name[:SHOWN]}...")
            examples = self._examples.setdefault(kind, [])
            if len(examples) < EXAMPLES:
                examples.append(f"  {place} ({shown}): {error}")
            if self._drop or kind == OUTSIDE:
                self._write(kind, str(path), place, name, str(error))

    def finish(self, path: Path, kind: str, kept: int, doubt: str = "") -> None:
        """Ends the reading of a file.

        Args:
            kept: the number of rows that are not refused.
            doubt: why the other rows of the file may be wrong, too; such a file is an error in any
                case.

        Raises:
            TableError: there are bad rows, and they are not left out; or no row is left.
        """
        bad, mend = self.counts[kind], "Correct the file."
        if bad and not self._drop:
            mend = (
                "Correct the file, or set `on_bad_rows: drop` in the section `score` to leave bad "
                "rows out."
            )
        if bad and (doubt or not self._drop or not kept):
            examples = "\n".join(self._examples[kind])
            raise TableError(f"{path}: {bad:,} bad row(s):\n{examples}\n{doubt or mend}")
        if not kept and self.counts[OUTSIDE]:
            examples = "\n".join(self._examples[OUTSIDE])
            raise TableError(
                f"{path}: none of its {self.counts[OUTSIDE]:,} variants lies in a region:\n"
                f"{examples}\nName variants of these regions in the config."
            )

    def named(self) -> Iterator[tuple[str, int]]:
        """Yields what was refused, in words, with its number."""
        for kind, what in (
            (SEQUENCE, "sequence(s) cannot be scored and are left out"),
            (VARIANT, "variant(s) cannot be scored and are left out"),
            (OUTSIDE, "variant(s) do not lie in a region"),
        ):
            if self.counts[kind]:
                yield what, self.counts[kind]

    def _write(self, *cells: str) -> None:
        if self._sink:
            # Neither a tab nor a line end may end a cell.
            spelled = (printable(cell, kept="") for cell in cells)
            print(*spelled, sep="\t", file=self._sink)
