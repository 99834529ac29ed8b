"""Reads and writes FASTA files, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from Bio.SeqIO.FastaIO import SimpleFastaParser

from crmnet.data import damage
from crmnet.data.delimited import TableError, is_fasta, open_text
from crmnet.data.sequences import pad, tokenise


def records(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the header and the sequence of each record, in the order of the file.

    Raises:
        TableError: the file is empty, does not start with a header, or cannot be read to its end.
    """
    if not is_fasta(path):
        raise TableError(
            f"{path}: cannot be read: there is text before the first header; remove that text"
        )
    try:
        with open_text(path) as file:
            yield from SimpleFastaParser(file)
    except damage.TEXT as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); download or create it again"
        ) from error


def name(header: str) -> str:
    """Returns the name of a record: the first word of its header, or empty if the header is."""
    return (header.split() or [""])[0]


def read_fasta(path: str | Path) -> tuple[list[str], np.ndarray]:
    """Returns the names and the tokens (n, length) of the sequences of a FASTA file. Shorter
    sequences are padded with N at their end.

    Raises:
        TableError: see `records`; also if a letter is not one of ACGTN, or a name is empty or
            occurs twice.
    """
    sequences: dict[str, str] = {}
    for number, (header, sequence) in enumerate(records(Path(path)), start=1):
        own = name(header)
        if not own or own in sequences:
            problem = f"repeats the name {own!r}" if own else "has no name"
            raise TableError(f"{path}: cannot be read: record {number} {problem}; correct the file")
        sequences[own] = sequence
    try:
        buffer = tokenise("".join(sequences.values()))
    except ValueError as error:
        raise TableError(
            f"{path}: cannot be read: {error}; correct the file or create it again"
        ) from error
    lengths = np.fromiter(map(len, sequences.values()), np.int64, len(sequences))
    ends = np.cumsum(lengths)
    return list(sequences), pad(buffer, ends - lengths, ends, int(lengths.max()))


def write_fasta(path: str | Path, records: Iterable[tuple[object, str]]) -> None:
    """Writes names and sequences as FASTA, each sequence on one line."""
    with Path(path).open("w") as file:
        file.writelines(f">{name}\n{sequence}\n" for name, sequence in records)
