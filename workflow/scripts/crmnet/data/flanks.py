"""Finds, counts and adds the construct's flanks in tables of measured sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from crmnet.data.delimited import TableError, open_text
from crmnet.data.sequences import Construct, has_flanks, letters, tokenise

# Whether the flanks are to be added to the sequences of a file, or are present in them.
ADD, PRESENT = "add", "present"
# What happens to a sequence that is longer than the model's input.
STOP, CUT = "stop", "cut"
# The number of sequences that a message about missing flanks looks at.
SEEN = 5000
# The characters of a file that are searched for a flank before any job starts.
SEARCHED = 1 << 26


def add_flanks(
    buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray, construct: Construct
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the buffer, starts and ends (n,) of the sequences buffer[start:end] with the
    construct's flanks around them. The sequences are in the buffer's order, and none is empty."""
    left, right = tokenise(construct.left_flank), tokenise(construct.right_flank)
    size = ends - starts
    stops = np.cumsum(size + len(left) + len(right))
    begins = stops - size - len(left) - len(right)
    whole = np.empty(stops[-1] if len(stops) else 0, np.uint8)
    whole[begins[:, None] + np.arange(len(left))] = left
    whole[stops[:, None] - len(right) + np.arange(len(right))] = right
    inserts = _inside(len(whole), begins + len(left), stops - len(right))
    whole[inserts] = buffer[_inside(len(buffer), starts, ends)]
    return whole, begins, stops


def _inside(size: int, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns a mask (size,) of the places in one of the spans."""
    steps = np.zeros(size + 1, np.int8)
    steps[starts] += 1
    steps[ends] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).view(bool)


@dataclass
class FlankCount:
    """Counts the rows of a table that have the construct's flanks, letter for letter, and those
    that are longer than the model's input.

    Attributes:
        rows, left, right, both, longer: numbers of rows.
    """

    construct: Construct
    rows: int = 0
    left: int = 0
    right: int = 0
    both: int = 0
    longer: int = 0
    seen: list[str] = field(default_factory=list)

    def count(
        self, buffer: np.ndarray, starts: np.ndarray, ends: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Counts sequences without the N around them. Returns which of them (n,) have the left
        flank, and which have the right one."""
        left, right = has_flanks(buffer, starts, ends, self.construct)
        self.rows += len(starts)
        self.left += int(left.sum())
        self.right += int(right.sum())
        self.both += int((left & right).sum())
        self.longer += int((ends - starts > self.construct.length).sum())
        if not (self.left and self.right) and len(self.seen) < SEEN:
            some = zip(starts[:SEEN], ends[:SEEN], strict=True)
            self.seen += [letters(buffer[start:end]) for start, end in some]
        return left, right

    def numbers(self) -> dict[str, int]:
        """Returns the counts by their names."""
        return {name: getattr(self, name) for name in ("rows", "left", "right", "both", "longer")}

    def check(self, path: Path) -> None:
        """Checks that a table has the flanks that the config declares.

        Raises:
            TableError: no row has one of them.
        """
        missing = [side for side in ("left", "right") if not getattr(self, side)]
        if self.rows and (said := without_flanks(missing, self.seen, self.construct)):
            raise TableError(f"{path}: {said}")


def without_flanks(
    missing: Sequence[str], sequences: Sequence[str], construct: Construct
) -> str | None:
    """Returns what is wrong with a table in which no sequence has these flanks, and what to do;
    None if the construct has no such flanks.

    Args:
        missing: "left", "right" or both.
        sequences: some of the table's sequences.
    """
    parts = []
    for side in missing:
        flank = getattr(construct, f"{side}_flank")
        if not flank:
            continue
        cut = slice(len(flank)) if side == "left" else slice(-len(flank), None)
        verb = "begin" if side == "left" else "end"
        found = [sequence.upper().strip("N")[cut] for sequence in sequences]
        (most, number), *_ = Counter(found).most_common(1)
        differs = [n for n, base in enumerate(flank, 1) if most[n - 1 : n] != base]
        close = len(differs) <= len(flank) // 4 and number > 1
        instead = (
            f"{number:,} of the first {len(sequences):,} {verb} with {most}, which differs from it "
            f"at position {', '.join(map(str, differs))}"
            if close
            else f"the first sequence {verb}s with {found[0]}"
        )
        parts.append(f"no sequence {verb}s with `construct: {side}_flank`, {flank} ({instead})")
    if not parts:
        return None
    return (
        f"{', and '.join(parts)}; correct `construct`; or, if the table has bare inserts, set "
        "`flanks: add` for it; or, if the construct has no such flank, make the flank empty"
    )


def lacks(path: Path, flank: str) -> bool:
    """Tells whether a flank surely occurs nowhere in a file (plain or gzip). A file with the flank
    has it near its start. Of a file of more than `SEARCHED` characters nothing is told."""
    before, read = "", 0
    with open_text(path) as file:
        while part := file.read(1 << 16 if not read else 1 << 22):
            read += len(part)
            text = before + part.upper()
            if flank in text or read > SEARCHED:
                return False
            before = text[-len(flank) :]
    return True
