"""FASTA files, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from Bio.SeqIO.FastaIO import SimpleFastaParser

from crmnet.data import damage
from crmnet.data.delimited import TableError, is_fasta, open_text
from crmnet.data.sequences import pad, tokenise


def records(path: Path) -> Iterator[tuple[str, str]]:
    """Name and sequence of each record, in the order of the file. The name is the first word of the
    header, empty where the header is.

    Raises:
        TableError: the file is empty, starts with other text than a header, or cannot be read to
            its end.
    """
    if not is_fasta(path):
        raise TableError(f"{path}: cannot be read: there is text before the first sequence")
    try:
        with open_text(path) as file:
            for title, sequence in SimpleFastaParser(file):
                yield (title.split() or [""])[0], sequence
    except damage.TEXT as error:
        raise TableError(
            f"{path}: cannot be read to its end ({error}); fetch or make it anew"
        ) from error


def read_fasta(path: str | Path) -> tuple[list[str], np.ndarray]:
    """Names and tokens (n, length) of the sequences of a FASTA file, N behind the shorter ones.

    Raises:
        TableError: see `records`; or a letter is none of ACGTN, or a name is empty or stands there
            twice.
    """
    sequences: dict[str, str] = {}
    for number, (name, sequence) in enumerate(records(Path(path)), start=1):
        if not name or name in sequences:
            problem = f"has the name {name!r} of another" if name else "has no name"
            raise TableError(f"{path}: cannot be read: record {number} {problem}; mend the file")
        sequences[name] = sequence
    try:
        buffer = tokenise("".join(sequences.values()))
    except ValueError as error:
        raise TableError(
            f"{path}: cannot be read: {error}; mend the file or make it anew"
        ) from error
    lengths = np.fromiter(map(len, sequences.values()), np.int64, len(sequences))
    ends = np.cumsum(lengths)
    return list(sequences), pad(buffer, ends - lengths, ends, int(lengths.max()))


def write_fasta(path: str | Path, records: Iterable[tuple[object, str]]) -> None:
    """Writes names and sequences, each sequence in one line."""
    with Path(path).open("w") as file:
        file.writelines(f">{name}\n{sequence}\n" for name, sequence in records)
