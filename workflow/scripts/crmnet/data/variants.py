"""Puts a user's sequences, and variants of them, into the construct that the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from crmnet.data import fasta, genome, vcf
from crmnet.data.delimited import TableError, first_row, is_fasta, rows
from crmnet.data.flanks import ADD, PRESENT
from crmnet.data.refused import SEQUENCE, SHOWN, VARIANT, Mismatch, Refused
from crmnet.data.sequences import ALPHABET, Construct, bad_letter

# Stands for all variants: every SNV of every insert.
ALL = "all"
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
        name: the variant's name in a VCF file, empty if it has none; None without such a file.
        genome: the variant in the genome, as chromosome:position:ref:alt; None if the file gives
            positions in the sequences.
    """

    row: int
    id: str
    position: int
    ref: str
    alt: str
    whole: str
    name: str | None = None
    genome: str | None = None


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
        Mismatch: the position is not in the sequence, or the sequence has other bases there.
    """
    start, end = position - 1, position - 1 + len(ref)
    if start < 0 or end > len(sequence):
        raise Mismatch(
            f"position {position}{f' to {end}' if len(ref) > 1 else ''} is not in the sequence, "
            f"which has {len(sequence)} letters; count from 1"
        )
    if sequence[start:end] != ref:
        raise Mismatch(f"ref is {ref}, but the sequence has {sequence[start:end]} at {position}")
    return sequence[:start] + alt + sequence[end:]


def single_changes(placed: Placed) -> Iterator[tuple[int, str, str]]:
    """Yields position, ref and alt of every SNV of an insert; positions with N are skipped."""
    for position in range(placed.first, placed.last + 1):
        ref = placed.sequence[position - 1]
        if ref != "N":
            yield from ((position, ref, alt) for alt in "ACGT" if alt != ref)


def read_sequences(
    entry: dict, construct: Construct, refused: Refused, folder: Path
) -> tuple[list[Placed], list[genome.Region]]:
    """Returns the sequences that the section `score` of the config names, and their regions if they
    are cut out of a genome.

    Args:
        entry: `file` is a FASTA file, whose ids are the first words of the headers, or a table,
            which `header` and `columns` describe. If `columns` has no `id`, the column named `id`
            is used, and without one the sequences are numbered from 1. In place of `file`,
            `regions` is a BED file and `reference` the genome's FASTA file. For `flanks` see
            `place`.
        refused: takes the bad sequences: those that cannot be placed (see `place`), and those
            without an id, with an id that is repeated, or with an id that cannot be printed.
        folder: where temporary files may be written.

    Raises:
        TableError: a file cannot be read or has no sequence; there are bad sequences, and they are
            not dropped; or no sequence has the flanks that should be present.
    """
    path, flanks = Path(entry.get("file") or entry["regions"]), entry["flanks"]
    sequences, regions, seen = [], [], {}
    for record in _records(entry, folder):
        name = record.name
        with refused.noting(path, SEQUENCE, record.where, name):
            _check_name(record, seen)
            if record.fault:
                raise ValueError(record.fault)
            sequences.append(place(name, record.sequence, construct, flanks))
            if record.region:
                regions.append(record.region)
    refused.ids -= {placed.id for placed in sequences}
    refused.finish(path, SEQUENCE, len(sequences))
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
    return sequences, regions


def read_variants(
    entry: dict,
    sequences: list[Placed],
    regions: list[genome.Region],
    construct: Construct,
    flanks: str,
    refused: Refused,
) -> Iterator[Variant]:
    """Yields the variants of a table or a VCF file, in its order. A line may have several
    alternatives, with commas between them.

    Args:
        entry: `file` is a VCF file, or a table, whose `columns` are `id`, `position`, `ref` and
            `alt`.
        sequences: what they are variants of.
        regions: where the sequences lie in a genome. If there are any, a VCF file gives positions
            in the genome, and a variant is one of every region that has it. Otherwise its
            chromosomes are ids of sequences.
        refused: takes the bad variants: those of an unknown id, outside the insert, with another
            `ref` than the sequence, without a change, without letters, that make the sequence
            longer than the model's input, or that repeat an earlier one. It also takes those that
            lie in no region.

    Raises:
        TableError: the file cannot be read, or no variant is left; or there are bad variants, and
            they are not dropped, or there are so many with another `ref` that the positions or the
            genome must be wrong. It is raised at the end of the file, so that it counts all bad
            variants.
    """
    path = Path(entry["file"])
    called = vcf.is_vcf(path)
    if called and regions:
        frame = _Genome(sequences, regions)
    else:
        frame = _Sequences(sequences, refused, called)
    seen: dict[tuple[int, int, str, str], int] = {}
    number = kept = 0
    for line in vcf.lines(path) if called else _lines(entry):
        for allele in line.alt.split(","):
            at, rows_, number = f"line {line.number}", [], number + 1
            with refused.noting(path, VARIANT, at, line.place):
                _check_printable("name", line.name or "")
                rows_, change = frame.find(line, allele)
            for row in rows_:
                with refused.noting(path, VARIANT, at, sequences[row].id):
                    own = frame.in_sequence(row, change)
                    variant = _variant(row, sequences[row], own, construct, flanks)
                    if first := seen.get((row, *own)):
                        raise ValueError(f"line {first} has the same variant; remove one of them")
                    seen[row, *own] = line.number
                    kept += 1
                    yield variant._replace(name=line.name, genome=frame.origin(line, change))
    refused.finish(path, VARIANT, kept, frame.doubt(kept))
    if not number:
        raise TableError(
            f"{path}: has no variant; name a file with variants, or `variants: all`, in the config"
        )


class _Sequences:
    """Takes the variants of a file that has the ids of sequences, and positions in them.

    Args:
        called: whether the file is VCF.
    """

    def __init__(self, sequences: list[Placed], refused: Refused, called: bool) -> None:
        self._sequences, self._refused, self._called = sequences, refused, called
        self._row_of = {placed.id: row for row, placed in enumerate(sequences)}
        self._near = {placed.id.casefold(): placed.id for placed in sequences}
        self._found = self._others = self._shifted = 0

    def find(self, line: vcf.Line, allele: str) -> tuple[list[int], tuple[int, str, str]]:
        """Returns the numbers of the sequences that have a change; and its position, ref and alt.

        Raises:
            ValueError: there is no such sequence, or no such change.
        """
        position, (ref, alt) = _position(line.position), _alleles(line.ref, allele)
        row = self._row(line.place)
        sequence = self._sequences[row].sequence
        here, after = (sequence[start : start + len(ref)] for start in (position - 1, position))
        self._found += 1
        self._others += here != ref
        self._shifted += after == ref
        return [row], (position, ref, alt)

    def in_sequence(self, row: int, change: tuple[int, str, str]) -> tuple[int, str, str]:
        """Returns position, ref and alt of a change in a sequence."""
        return change

    def origin(self, line: vcf.Line, change: tuple[int, str, str]) -> str | None:
        """Returns what the change is in a genome."""
        return None

    def doubt(self, kept: int) -> str:
        """Returns why not only the bad rows of the file may be wrong; empty if nothing says so."""
        if not self._others or self._shifted < self._found or self._called:
            return ""
        return (
            "Each ref fits one position further on, so the positions seem to count from 0; add 1 "
            "to each."
        )

    def _row(self, name: str) -> int:
        if name in self._row_of:
            return self._row_of[name]
        if name in self._refused.ids:
            raise ValueError("the sequence with this id is refused")
        if one := self._near.get(name.casefold()):
            raise ValueError(f"no sequence has this id, but one has the id {one!r}; correct the id")
        genome_ = "; for positions in a genome, give `regions` and `reference`"
        raise ValueError(
            "no sequence has this id; correct the id, or add the sequence" + genome_ * self._called
        )


class _Genome:
    """Takes the variants of a file that has chromosomes and positions in them. Its methods are
    those of `_Sequences`."""

    def __init__(self, sequences: list[Placed], regions: list[genome.Region]) -> None:
        self._sequences, self._regions = sequences, genome.Regions(regions)
        self._others = 0

    def find(self, line: vcf.Line, allele: str) -> tuple[list[int], tuple[int, str, str]]:
        position = _position(line.position)
        # Of what lies in no region, nothing else matters.
        near = self._regions.near(line.place, position, len(line.ref))
        change = (position, *_alleles(line.ref, allele))
        return self._regions.with_change(near, *change), change

    def in_sequence(self, row: int, change: tuple[int, str, str]) -> tuple[int, str, str]:
        placed = self._sequences[row]
        try:
            return self._regions.change(row, placed.sequence, placed.first, *change)
        except Mismatch:
            self._others += 1
            raise

    def origin(self, line: vcf.Line, change: tuple[int, str, str]) -> str:
        return ":".join(map(str, (line.place, *change)))

    def doubt(self, kept: int) -> str:
        if self._others <= kept:
            return ""
        return (
            f"{self._others:,} variants have another ref than the reference, and {kept:,} the "
            "same. Is the reference of the assembly that the variants were called on?"
        )


def saturation(sequences: list[Placed], construct: Construct, flanks: str) -> Iterator[Variant]:
    """Yields every SNV of every insert (in-silico saturation mutagenesis)."""
    for row, placed in enumerate(sequences):
        for change in single_changes(placed):
            yield _variant(row, placed, change, construct, flanks)


def tables(records: Iterable[Placed] | Iterable[Variant]) -> Iterator[pd.DataFrame]:
    """Yields sequences or variants as parts of a table, whose columns are their attributes but
    those that are None."""
    records = iter(records)
    while part := list(islice(records, ROWS)):
        yield pd.DataFrame(part).dropna(axis="columns", how="all")


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


class _Record(NamedTuple):
    """A sequence of a file: the place in the file, the text that has the id, the id itself, the
    letters, why it is bad (empty if it is not), and its region in a genome."""

    where: str
    title: str
    name: str
    sequence: str
    fault: str = ""
    region: genome.Region | None = None


def _records(entry: dict, folder: Path) -> Iterator[_Record]:
    if "regions" in entry:
        for found in genome.cut(Path(entry["regions"]), Path(entry["reference"]), folder):
            yield _Record(
                f"line {found.line}", found.id, found.id, found.sequence, found.fault, found.region
            )
        return
    path, columns, header = Path(entry["file"]), entry["columns"], entry["header"]
    if is_fasta(path):
        for number, (title, sequence) in enumerate(fasta.records(path), start=1):
            yield _Record(f"record {number}", title, fasta.name(title), sequence)
        return
    how = _how(entry)
    named = columns["id"] or ("id" if header and "id" in first_row(path, **how)[0] else None)
    wanted = {"sequence": columns["sequence"]} | ({"id": named} if named else {})
    for number, (line, cells) in enumerate(rows(path, wanted, header, **how), start=1):
        name = cells.get("id", str(number)).strip()
        yield _Record(f"line {line}", name, name, cells["sequence"].strip())


def _lines(entry: dict) -> Iterator[vcf.Line]:
    for line, cells in rows(Path(entry["file"]), entry["columns"], entry["header"], **_how(entry)):
        yield vcf.Line(line, cells["id"].strip(), cells["position"], cells["ref"], cells["alt"])


def _how(entry: dict) -> dict[str, str]:
    """Returns how a table is read, as far as the config says so."""
    return {key: entry[key] for key in ("separator", "comment") if key in entry}


def _check_name(record: _Record, seen: dict[str, _Record]) -> None:
    """Checks an id, and adds it to those that were seen."""
    name = record.name
    if not name:
        raise ValueError("no id")
    _check_printable("id", name)
    if (first := seen.setdefault(name, record)) is record:
        return
    if first.title != record.title:
        raise ValueError(
            f"{first.where} has the same id, because the id is the first word of a header "
            f"({first.title[:SHOWN]!r} and {record.title[:SHOWN]!r}); make the first words differ"
        )
    raise ValueError(f"{first.where} has the same id; give this one another")


def _check_printable(what: str, text: str) -> None:
    if "\ufffd" in text:
        raise ValueError(f"the {what} has a letter that is not UTF-8; save the file as UTF-8")
    if not text.isprintable():
        bad = ascii(next(letter for letter in text if not letter.isprintable()))
        raise ValueError(f"the {what} has the control or invisible character {bad}; remove it")


def _position(text: str) -> int:
    position = text.strip()
    if not (position.isascii() and position.isdigit()):
        raise ValueError(f"position {position[:SHOWN]!r} is not a whole number from 1")
    return int(position)


def _alleles(ref: str, alt: str) -> tuple[str, str]:
    ref, alt = ref.strip().upper(), alt.strip().upper()
    for name, allele in (("ref", ref), ("alt", alt)):
        if reason := _no_bases(allele):
            raise ValueError(f"{name} is {reason}")
        try:
            _check_letters(allele)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if ref == alt:
        raise ValueError(f"ref and alt are both {ref[:SHOWN]}, which changes nothing")
    return ref, alt


def _no_bases(allele: str) -> str | None:
    """Returns what an allele is that has no bases; None if it should have some."""
    if allele in ("", "-"):
        return (
            f"{repr(allele) if allele else 'empty'}; give an insertion or deletion with the base "
            "before it, as in VCF"
        )
    if allele == ".":
        return "'.', so there is no variant; remove the line"
    if allele == "*":
        return "'*', a base that another variant deletes; only that variant can be scored"
    if allele[0] == "<" or set(allele) & set("[]"):
        return f"{allele[:SHOWN]!r}, which has no letters; give the bases before and after"
    return None


def _check_letters(sequence: str) -> None:
    if fault := bad_letter(sequence):
        raise ValueError(fault + _mend(set(sequence.upper()) - set(ALPHABET)))


def _mend(foreign: set[str]) -> str:
    """Returns what the letters of a sequence that are not DNA's point to."""
    if ";" in foreign:
        return "; remove comments that begin with `;`"
    if foreign == {"U"}:
        return "; this is RNA: replace U by T"
    if foreign & set("EFILPQJOXZ*"):
        return "; this looks like a protein, and the model reads DNA"
    if foreign <= set("-."):
        return "; remove the gaps of the alignment"
    if foreign <= set("RYSWKMBDHV"):
        return "; it stands for several bases: give one of them, or N"
    return ""


def _check_length(whole: str, construct: Construct, flanks: str) -> None:
    if len(whole) > construct.length:
        flanked = " with the added flanks" if flanks == ADD else ""
        raise ValueError(
            f"{len(whole)} letters{flanked}, but the model reads only {construct.length}; shorten "
            "it"
        )
