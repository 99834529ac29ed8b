"""Reads the variants of a VCF file, plain, gzip or bgzip. Needs the standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crmnet.data import damage
from crmnet.data.delimited import TableError, open_text

# The columns of each line, after which come those that are not read here.
COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT")


class Line(NamedTuple):
    """A line of a file with variants.

    Attributes:
        number: the number of the line, from 1.
        place: the id of a sequence, or the name of a chromosome.
        position: the position of the first base of `ref`, from 1, as text.
        ref, alt: the bases before and after the change; `alt` may have several alternatives with
            commas between them.
        name: the variant's own name; empty if it has none, None if the file has no names.
    """

    number: int
    place: str
    position: str
    ref: str
    alt: str
    name: str | None = None


def is_vcf(path: Path) -> bool:
    """Tells by the first line of a file whether it is VCF."""
    try:
        with open_text(path) as file:
            return file.readline(64).startswith(("##fileformat=VCF", COLUMNS[0]))
    except damage.TEXT:
        return False


def lines(path: Path) -> Iterator[Line]:
    """Yields the lines of a VCF file. Filters, genotypes and all else after ALT are not read.

    Raises:
        TableError: a line has too few columns, or the file cannot be read to its end.
    """
    try:
        with open_text(path) as file:
            for number, text in enumerate(file, start=1):
                if text.startswith("##") or not text.strip():
                    continue
                cells = text.rstrip("\r\n").split("\t", len(COLUMNS))[: len(COLUMNS)]
                if text.startswith(COLUMNS[0]):
                    if tuple(cells) != COLUMNS:
                        raise TableError(
                            f"{path}: line {number} must begin with the columns "
                            f"{', '.join(COLUMNS)}, with tabs between them; correct that line"
                        )
                    continue
                if len(cells) < len(COLUMNS):
                    raise TableError(
                        f"{path}: line {number} has {len(cells)} column(s), but a line of a VCF "
                        f"file has at least {len(COLUMNS)}, with tabs between them; correct that "
                        "line"
                    )
                chromosome, position, name, ref, alt = cells
                yield Line(number, chromosome, position, ref, alt, "" if name == "." else name)
    except damage.TEXT as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); download or create it again"
        ) from error
