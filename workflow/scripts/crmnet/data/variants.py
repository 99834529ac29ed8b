"""Sequences of one's own, and variants of them, put into the construct that the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from crmnet.data import fasta
from crmnet.data.delimited import TableError, first_row, is_fasta, rows
from crmnet.data.sequences import Construct, bad_letter

# Whether a file has bare inserts, to which the flanks are added, or whole constructs.
ADD, PRESENT = "add", "present"
# Variants: every SNV of every insert.
ALL = "all"
EXAMPLES = 5
# Of a table, at a time.
ROWS = 1 << 16


class Placed(NamedTuple):
    """A sequence in its construct.

    Attributes:
        id: its name.
        sequence: as given, in upper case.
        whole: what the model reads: with flanks, without N around it.
        first, last: positions of the insert's first and last base in `sequence`, from 1.
        start: letters before the insert in `whole`.
    """

    id: str
    sequence: str
    whole: str
    first: int
    last: int
    start: int


class Variant(NamedTuple):
    """A change of a sequence.

    Attributes:
        row: of the sequence, from 0.
        id: of the sequence.
        position: of the first base of `ref` in the sequence as given, from 1.
        ref, alt: what is there, and what takes its place; both have a base at least, so that an
            insertion or deletion comes with the base before it, as in VCF.
        whole: what the model reads of the changed sequence.
    """

    row: int
    id: str
    position: int
    ref: str
    alt: str
    whole: str


def place(name: str, sequence: str, construct: Construct, flanks: str) -> Placed:
    """A sequence as the model reads it. N around it is padding, as in all tables.

    Args:
        flanks: `ADD` or `PRESENT`; then a flank counts only when it is there letter for letter, and
            the rest is the insert.

    Raises:
        ValueError: it is empty, has a letter outside ACGTN, no insert or flanks twice, or is longer
            than the model sees.
    """
    sequence = sequence.upper()
    _check_letters(sequence)
    bare = sequence.strip("N")
    if not bare:
        raise ValueError("no sequence")
    before = len(sequence) - len(sequence.lstrip("N"))
    left, right = construct.left_flank, construct.right_flank
    if flanks == ADD:
        if left + right and has_flanks(bare, construct):
            raise ValueError("has the construct's flanks already; set `flanks: present`")
        insert, whole, start = bare, left + bare + right, len(left)
    else:
        # In the order of `sequences.insert_span`.
        behind = bare.removesuffix(right)
        insert, whole = behind.removeprefix(left), bare
        start = len(behind) - len(insert)
        before += start
        if not insert:
            raise ValueError("has flanks, but no insert between them")
    _check_length(whole, construct, flanks)
    return Placed(name, sequence, whole, before + 1, before + len(insert), start)


def has_flanks(sequence: str, construct: Construct) -> bool:
    """Whether both flanks are there, letter for letter."""
    left, right = construct.left_flank, construct.right_flank
    long = len(sequence) >= len(left + right)
    return long and sequence.startswith(left) and sequence.endswith(right)


def changed(sequence: str, position: int, ref: str, alt: str) -> str:
    """The sequence with `alt` in place of `ref` at a position from 1. `changed` with `ref` and
    `alt` swapped gives it back.

    Raises:
        ValueError: the position is not in the sequence, or something else than `ref` is there.
    """
    start, end = position - 1, position - 1 + len(ref)
    if start < 0 or end > len(sequence):
        raise ValueError(
            f"position {position}{f' to {end}' if len(ref) > 1 else ''} is not in the sequence, "
            f"which has {len(sequence)} letters; count from 1"
        )
    if sequence[start:end] != ref:
        raise ValueError(f"ref is {ref}, but the sequence has {sequence[start:end]} at {position}")
    return sequence[:start] + alt + sequence[end:]


def single_changes(placed: Placed) -> Iterator[tuple[int, str, str]]:
    """Position, ref and alt of every SNV of an insert, N left out."""
    for position in range(placed.first, placed.last + 1):
        ref = placed.sequence[position - 1]
        if ref != "N":
            yield from ((position, ref, alt) for alt in "ACGT" if alt != ref)


def read_sequences(
    path: Path, columns: dict, header: bool, flanks: str, construct: Construct
) -> list[Placed]:
    """The sequences of a FASTA file (ids: the first word of each header) or of a table.

    Args:
        columns: of a table: `sequence`, and `id` or None: then the column `id` where there is one,
            else the sequences are numbered from 1.
        flanks: see `place`.

    Raises:
        TableError: the file cannot be read, has no sequence, or bad ones (see `place`), or an id
            twice, or none; or no sequence of all has the flanks that are to be there.
    """
    sequences, seen, bad = [], {}, []
    for where, name, sequence in _records(path, columns, header):
        try:
            if not name:
                raise ValueError("no id")
            if name in seen:
                raise ValueError(f"this id is that of {seen[name]}, too; give it another")
            seen[name] = where
            sequences.append(place(name, sequence, construct, flanks))
        except ValueError as error:
            bad.append(f"{where} ({name!r}): {error}")
    _stop_at(bad, path)
    if not sequences:
        raise TableError(f"{path}: has no sequence")
    if flanks == PRESENT and not any(
        has_flanks(p.sequence.strip("N"), construct) for p in sequences
    ):
        raise TableError(
            f"{path}: no sequence begins with {construct.left_flank} and ends with "
            f"{construct.right_flank}; for bare inserts set `flanks: add`, else mend "
            "`construct: left_flank` and `right_flank`"
        )
    return sequences


def read_variants(
    path: Path,
    columns: dict,
    header: bool,
    sequences: list[Placed],
    construct: Construct,
    flanks: str,
) -> Iterator[Variant]:
    """The variants in a table, in its order.

    Args:
        columns: `id`, `position`, `ref` and `alt`.
        sequences: what they are variants of.

    Raises:
        TableError: the file cannot be read, has no variant, or bad ones: of an unknown id, not in
            the insert, of another `ref` than the sequence has, without letters, or that make the
            sequence longer than the model sees. At the end, so that the error counts them all.
    """
    row_of = {placed.id: row for row, placed in enumerate(sequences)}
    bad, empty = [], True
    for line, cells in rows(path, columns, header):
        empty = False
        try:
            if cells["id"] not in row_of:
                raise ValueError("no sequence has this id; mend it, or add the sequence")
            row = row_of[cells["id"]]
            yield _variant(row, sequences[row], _change(cells), construct, flanks)
        except ValueError as error:
            bad.append(f"line {line} ({cells['id']!r}): {error}")
    _stop_at(bad, path)
    if empty:
        raise TableError(f"{path}: has no variant")


def saturation(sequences: list[Placed], construct: Construct, flanks: str) -> Iterator[Variant]:
    """Every SNV of every insert (in-silico saturation mutagenesis)."""
    for row, placed in enumerate(sequences):
        for change in single_changes(placed):
            yield _variant(row, placed, change, construct, flanks)


def tables(records: Iterable[Placed] | Iterable[Variant]) -> Iterator[pd.DataFrame]:
    """Sequences or variants as parts of a table, whose columns are their attributes."""
    records = iter(records)
    while part := list(islice(records, ROWS)):
        yield pd.DataFrame(part)


def _variant(
    row: int, placed: Placed, change: tuple[int, str, str], construct: Construct, flanks: str
) -> Variant:
    position, ref, alt = change
    changed(placed.sequence, *change)
    if position < placed.first or position + len(ref) - 1 > placed.last:
        raise ValueError(
            f"position {position} is not in the insert, which is {placed.first} to {placed.last}; "
            "flanks the model knows only as they are"
        )
    whole = changed(placed.whole, position - placed.first + 1 + placed.start, ref, alt)
    _check_length(whole, construct, flanks)
    return Variant(row, placed.id, position, ref, alt, whole)


def _records(path: Path, columns: dict, header: bool) -> Iterator[tuple[str, str, str]]:
    """Where each sequence stands, its id, and itself."""
    if is_fasta(path):
        for number, (name, sequence) in enumerate(fasta.records(path), start=1):
            yield f"record {number}", name, sequence
        return
    named = columns["id"] or ("id" if header and "id" in first_row(path)[0] else None)
    wanted = {"sequence": columns["sequence"]} | ({"id": named} if named else {})
    for number, (line, cells) in enumerate(rows(path, wanted, header), start=1):
        yield f"line {line}", cells.get("id", str(number)), cells["sequence"].strip()


def _change(cells: dict[str, str]) -> tuple[int, str, str]:
    position = cells["position"].strip()
    if not (position.isascii() and position.isdigit()):
        raise ValueError(f"position {position!r} is no whole number from 1")
    ref, alt = (cells[name].strip().upper() for name in ("ref", "alt"))
    for name, allele in (("ref", ref), ("alt", alt)):
        if not allele:
            raise ValueError(
                f"{name} is empty; give an insertion or deletion with the base before it, as in VCF"
            )
        try:
            _check_letters(allele)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return int(position), ref, alt


def _check_letters(sequence: str) -> None:
    if fault := bad_letter(sequence):
        raise ValueError(fault)


def _check_length(whole: str, construct: Construct, flanks: str) -> None:
    if len(whole) > construct.length:
        flanked = " with the flanks that are added" if flanks == ADD else ""
        raise ValueError(
            f"{len(whole)} letters{flanked}, but the model sees {construct.length}; shorten it"
        )


def _stop_at(bad: list[str], path: Path) -> None:
    if bad:
        examples = "\n".join(f"  {reason}" for reason in bad[:EXAMPLES])
        raise TableError(f"{path}: {len(bad)} bad row(s):\n{examples}\nMend the file.")
