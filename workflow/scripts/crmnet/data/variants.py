"""Puts a user's sequences, and variants of them, into the construct that the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from crmnet.data import fasta
from crmnet.data.delimited import TableError, first_row, is_fasta, rows
from crmnet.data.flanks import ADD, PRESENT
from crmnet.data.sequences import Construct, bad_letter

# Stands for all variants: every SNV of every insert.
ALL = "all"
EXAMPLES = 5
# The number of rows that are put into a table at once.
ROWS = 1 << 16


class Placed(NamedTuple):
    """A sequence in its construct.

    Attributes:
        id: its name.
        sequence: the sequence as the user gave it, in upper case.
        whole: the sequence that the model reads, with flanks, without the N around it.
        first, last: positions of the insert's first and last base in `sequence`, from 1.
        start: position of the insert's first base in `whole`, from 1.
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
        row: the number of the sequence, from 0.
        id: the id of the sequence.
        position: the position of the first base of `ref` in the user's sequence, from 1.
        ref, alt: the bases before and after the change. Each has at least one base, so an
            insertion or deletion includes the base before it, as in VCF.
        whole: the changed sequence that the model reads.
    """

    row: int
    id: str
    position: int
    ref: str
    alt: str
    whole: str


def place(name: str, sequence: str, construct: Construct, flanks: str) -> Placed:
    """Returns a sequence in its construct. N around it is padding, as in all tables.

    Args:
        flanks: `ADD` or `PRESENT`. With `PRESENT`, a flank is recognised only if it is there letter
            for letter, and the rest is the insert.

    Raises:
        ValueError: the sequence is empty, has a letter outside ACGTN, has no insert, would have
            its flanks twice, or is longer than the model's input.
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
        # The right flank comes off first, as in `sequences.insert_span`.
        behind = bare.removesuffix(right)
        insert, whole = behind.removeprefix(left), bare
        start = len(behind) - len(insert)
        before += start
        if not insert:
            raise ValueError("has flanks, but no insert between them")
    _check_length(whole, construct, flanks)
    return Placed(name, sequence, whole, before + 1, before + len(insert), start + 1)


def has_flanks(sequence: str, construct: Construct) -> bool:
    """Tells whether a sequence has both flanks, letter for letter."""
    left, right = construct.left_flank, construct.right_flank
    long = len(sequence) >= len(left + right)
    return long and sequence.startswith(left) and sequence.endswith(right)


def changed(sequence: str, position: int, ref: str, alt: str) -> str:
    """Returns the sequence with `alt` in place of `ref` at a position (from 1). To undo the change,
    swap `ref` and `alt`.

    Raises:
        ValueError: the position is not in the sequence, or the sequence has other bases there.
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
    """Yields position, ref and alt of every SNV of an insert; positions with N are skipped."""
    for position in range(placed.first, placed.last + 1):
        ref = placed.sequence[position - 1]
        if ref != "N":
            yield from ((position, ref, alt) for alt in "ACGT" if alt != ref)


def read_sequences(
    path: Path, columns: dict, header: bool, flanks: str, construct: Construct
) -> list[Placed]:
    """Returns the sequences of a FASTA file, whose ids are the first words of the headers, or of a
    table.

    Args:
        columns: for a table, its columns `sequence` and `id`. If `id` is None, the column named
            `id` is used, and without one the sequences are numbered from 1.
        flanks: see `place`.

    Raises:
        TableError: the file cannot be read or has no sequence; a sequence is bad (see `place`); an
            id is missing or repeated; or no sequence has the flanks that should be present.
    """
    sequences, seen, bad = [], {}, []
    for where, name, sequence in _records(path, columns, header):
        try:
            if not name:
                raise ValueError("no id")
            if name in seen:
                raise ValueError(f"{seen[name]} has the same id; give this one another")
            seen[name] = where
            sequences.append(place(name, sequence, construct, flanks))
        except ValueError as error:
            bad.append(f"{where} ({name!r}): {error}")
    _stop_at(bad, path)
    if not sequences:
        raise TableError(f"{path}: has no sequence; name a file with sequences in the config")
    if flanks == PRESENT and not any(
        has_flanks(p.sequence.strip("N"), construct) for p in sequences
    ):
        raise TableError(
            f"{path}: no sequence begins with {construct.left_flank} and ends with "
            f"{construct.right_flank}; for bare inserts set `flanks: add`, otherwise "
            "correct `construct: left_flank` and `right_flank`"
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
    """Yields the variants of a table, in its order.

    Args:
        columns: `id`, `position`, `ref` and `alt`.
        sequences: what they are variants of.

    Raises:
        TableError: the file cannot be read or has no variant; or a variant has an unknown id, lies
            outside the insert, has another `ref` than the sequence, has no letters, or makes the
            sequence longer than the model's input. It is raised at the end of the file, so that it
            counts all bad variants.
    """
    row_of = {placed.id: row for row, placed in enumerate(sequences)}
    bad, empty = [], True
    for line, cells in rows(path, columns, header):
        empty = False
        try:
            if cells["id"] not in row_of:
                raise ValueError("no sequence has this id; correct the id, or add the sequence")
            row = row_of[cells["id"]]
            yield _variant(row, sequences[row], _change(cells), construct, flanks)
        except ValueError as error:
            bad.append(f"line {line} ({cells['id']!r}): {error}")
    _stop_at(bad, path)
    if empty:
        raise TableError(
            f"{path}: has no variant; name a file with variants, or `variants: all`, in the config"
        )


def saturation(sequences: list[Placed], construct: Construct, flanks: str) -> Iterator[Variant]:
    """Yields every SNV of every insert (in-silico saturation mutagenesis)."""
    for row, placed in enumerate(sequences):
        for change in single_changes(placed):
            yield _variant(row, placed, change, construct, flanks)


def tables(records: Iterable[Placed] | Iterable[Variant]) -> Iterator[pd.DataFrame]:
    """Yields sequences or variants as parts of a table, whose columns are their attributes."""
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
            "the model was trained with constant flanks and cannot score a change in them"
        )
    whole = changed(placed.whole, position - placed.first + placed.start, ref, alt)
    _check_length(whole, construct, flanks)
    return Variant(row, placed.id, position, ref, alt, whole)


def _records(path: Path, columns: dict, header: bool) -> Iterator[tuple[str, str, str]]:
    """Yields for each sequence the place in the file, the id and the letters."""
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
        raise ValueError(f"position {position!r} is not a whole number from 1")
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
        flanked = " with the added flanks" if flanks == ADD else ""
        raise ValueError(
            f"{len(whole)} letters{flanked}, but the model reads only {construct.length}; shorten "
            "it"
        )


def _stop_at(bad: list[str], path: Path) -> None:
    if bad:
        examples = "\n".join(f"  {reason}" for reason in bad[:EXAMPLES])
        raise TableError(f"{path}: {len(bad)} bad row(s):\n{examples}\nCorrect the file.")
