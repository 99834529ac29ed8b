"""Cuts regions out of a reference genome, and finds the regions that have a variant."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyfaidx

from crmnet.data import damage
from crmnet.data.delimited import TableError, is_fasta, is_gzip, open_text
from crmnet.data.refused import Mismatch, Outside

_COMPLEMENT = str.maketrans("ACGT", "TGCA")


class Region(NamedTuple):
    """A part of a genome. Positions count from 0, and `end` is not in it, as in BED.

    With strand "-", its sequence is the reverse complement of the reference."""

    chromosome: str
    start: int
    end: int
    strand: str


class Cut(NamedTuple):
    """A line of a BED file.

    Attributes:
        line: the number of the line, from 1.
        id: its name, or chromosome:start-end.
        region: None if the line is bad.
        sequence: the sequence of the region, in upper case.
        fault: why the line is bad; empty if it is not.
    """

    line: int
    id: str
    region: Region | None = None
    sequence: str = ""
    fault: str = ""


def opposite(sequence: str) -> str:
    """Returns the reverse complement of a sequence of the letters ACGTN."""
    return sequence.translate(_COMPLEMENT)[::-1]


def cut(bed: Path, reference: Path, folder: Path) -> Iterator[Cut]:
    """Yields the regions of a BED file with their sequences.

    Args:
        reference: a FASTA file, plain or gzip.
        folder: where temporary files may be written, such as the index of the reference if there
            is none beside it.

    Raises:
        TableError: a file cannot be read, or the BED file has no line.
    """
    with _opened(reference, folder) as genome:
        for number, cells in _bed_lines(bed):
            name = f"{cells[0]}:{'-'.join(cells[1:3])}"
            if len(cells) > 3 and cells[3] not in ("", "."):
                name = cells[3]
            try:
                region = _region(cells)
                yield Cut(number, name, region, _sequence(region, genome))
            except ValueError as error:
                yield Cut(number, name, fault=str(error))


class Regions:
    """The regions of a genome in which variants are looked up.

    Args:
        regions: the regions, in the order of the sequences that are scored.
    """

    def __init__(self, regions: Sequence[Region]) -> None:
        self.regions = regions
        self._of: dict[str, tuple[list[int], list[int], int]] = {}
        for row in sorted(range(len(regions)), key=lambda row: regions[row].start):
            region = regions[row]
            starts, rows, longest = self._of.get(region.chromosome, ([], [], 0))
            starts.append(region.start)
            rows.append(row)
            longest = max(longest, region.end - region.start)
            self._of[region.chromosome] = starts, rows, longest

    def near(self, chromosome: str, position: int, length: int) -> list[int]:
        """Returns the numbers of the regions that a part of the genome overlaps or touches, sorted.

        Args:
            position: the position of its first base, from 1.
            length: the number of its bases.

        Raises:
            Outside: there is no such region.
            ValueError: the regions have the chromosome by another name.
        """
        start, end = position - 1, position - 1 + length
        starts, rows, longest = self._of.get(chromosome, ([], [], 0))
        some = rows[bisect_left(starts, start - longest) : bisect_right(starts, end)]
        if found := sorted(row for row in some if self.regions[row].end >= start):
            return found
        bare = chromosome.removeprefix("chr")
        other = bare if bare != chromosome else f"chr{chromosome}"
        if not rows and other in self._of:
            raise ValueError(
                f"the file has chromosome {chromosome}, but the regions have {other}; give the "
                "chromosomes the same names in all files"
            )
        raise Outside("lies in no region")

    def with_change(self, rows: list[int], position: int, ref: str, alt: str) -> list[int]:
        """Returns those of the regions `rows` that have all bases of a change.

        The bases that `ref` and `alt` have in common at their ends do not count. An insertion at
        the edge of a region is in it.

        Raises:
            Outside: there is no such region.
        """
        start, ref, _ = minimal(position - 1, ref, alt)
        end, partly = start + len(ref), None
        found = []
        for row in rows:
            region = self.regions[row]
            if region.start <= start and end <= region.end:
                found.append(row)
            elif start < region.end and region.start < end:
                partly = region
        if partly and not found:
            raise Outside(
                f"reaches beyond the region {partly.chromosome}:{partly.start}-{partly.end}"
            )
        if not found:
            raise Outside("lies in no region")
        return found

    def change(
        self, row: int, sequence: str, first: int, position: int, ref: str, alt: str
    ) -> tuple[int, str, str]:
        """Returns the position (from 1), ref and alt of a change of the genome in the sequence of a
        region that has it. Bases that ref and alt have in common are left out, but for one beside
        an insertion or deletion: the base before it, as in VCF, or the base after it if there is
        none before.

        Args:
            row: the number of the region.
            sequence: its sequence.
            first: the position of the insert's first base in the sequence, from 1.
            position, ref, alt: the change, on the plus strand of the genome, from 1.

        Raises:
            Mismatch: the genome has other bases than `ref`.
            ValueError: the change deletes the whole region.
        """
        region = self.regions[row]
        forward = sequence if region.strand == "+" else opposite(sequence)
        low, high = max(position - 1, region.start), min(position - 1 + len(ref), region.end)
        there = forward[low - region.start : high - region.start]
        if ref[low - position + 1 : high - position + 1] != there:
            raise Mismatch(f"ref is {ref}, but the reference has {there} at {low + 1}")
        start, ref, alt = minimal(position - 1, ref, alt)
        start -= region.start
        if region.strand == "-":
            start = len(sequence) - start - len(ref)
            ref, alt = opposite(ref), opposite(alt)
        if not (ref and alt):
            if start >= first:
                start -= 1
                beside = sequence[start]
                ref, alt = beside + ref, beside + alt
            else:
                beside = sequence[start + len(ref) : start + len(ref) + 1]
                if not beside:
                    raise ValueError("deletes all of the region")
                ref, alt = ref + beside, alt + beside
        return start + 1, ref, alt


def minimal(start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Returns a change without the bases that `ref` and `alt` have in common at their ends, first
    those at the start."""
    common = len(os.path.commonprefix([ref, alt]))
    ref, alt = ref[common:], alt[common:]
    behind = len(os.path.commonprefix([ref[::-1], alt[::-1]]))
    return start + common, ref[: len(ref) - behind], alt[: len(alt) - behind]


def _bed_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    empty = True
    try:
        with open_text(path) as file:
            for number, text in enumerate(file, start=1):
                first = (text.split() or [""])[0]
                if first and first not in ("track", "browser") and not first.startswith("#"):
                    empty = False
                    cells = text.rstrip("\r\n").split("\t" if "\t" in text else None)
                    yield number, [cell.strip() for cell in cells]
    except damage.TEXT as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); download or create it again"
        ) from error
    if empty:
        raise TableError(f"{path}: has no region; name a BED file with regions in the config")


def _region(cells: list[str]) -> Region:
    """Returns the region of a BED line.

    Raises:
        ValueError: the line has no region.
    """
    if len(cells) < 3 or not all(cell.isascii() and cell.isdigit() for cell in cells[1:3]):
        raise ValueError(
            "a line of a BED file begins with a chromosome, a start (from 0) and an end, with tabs "
            "between them"
        )
    strand = cells[5] if len(cells) > 5 else "."
    if strand not in ("+", "-", "."):
        raise ValueError(f"the strand must be +, - or ., not {strand!r}")
    start, end = int(cells[1]), int(cells[2])
    if start >= end:
        raise ValueError(f"the start {start} does not come before the end {end}")
    return Region(cells[0], start, end, "-" if strand == "-" else "+")


def _sequence(region: Region, genome: pyfaidx.Fasta) -> str:
    chromosome, start, end, strand = region
    if chromosome not in genome:
        some = ", ".join(list(genome.keys())[:5])
        raise ValueError(
            f"the reference has no chromosome {chromosome}, but {some}; give the chromosomes the "
            "same names in all files"
        )
    if end > len(genome[chromosome]):
        raise ValueError(
            f"the end {end} is not on chromosome {chromosome} of the reference, which has "
            f"{len(genome[chromosome])} bases"
        )
    sequence = genome[chromosome][start:end]
    return opposite(sequence) if strand == "-" else sequence


@contextmanager
def _opened(path: Path, folder: Path) -> Iterator[pyfaidx.Fasta]:
    """Opens a reference. Nothing is written beside it: if it has no index that is newer than
    itself, an index is made in a temporary folder, and so is a copy if it is compressed."""
    if not is_fasta(path):
        raise TableError(
            f"{path}: is not a FASTA file; name the genome's FASTA file as `reference`"
        )
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        plain, index = path, Path(f"{path}.fai")
        try:
            if is_gzip(path):
                plain = Path(temporary, "reference.fa")
                with gzip.open(path) as packed, plain.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 1 << 20)
            if plain != path or not index.exists() or index.stat().st_mtime < path.stat().st_mtime:
                index = Path(temporary, "reference.fai")
            genome = pyfaidx.Fasta(
                str(plain), str(index), as_raw=True, sequence_always_upper=True, rebuild=False
            )
        # Of some faults pyfaidx says that they should be reported as its own (RuntimeError).
        except (*damage.TEXT, ValueError, RuntimeError, pyfaidx.FastaIndexingError) as error:
            raise TableError(
                f"{path}: cannot be read as a reference ({error}); all lines of a chromosome but "
                "the last must have the same length, and each chromosome another name"
            ) from error
        with genome:
            yield genome
