"""Motifs as counts of letters, files in MEME's text format, and background frequencies. Needs only
numpy."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crmnet.data.sequences import COMPLEMENT

if TYPE_CHECKING:
    import pandas as pd

LETTERS = "ACGT"
# The first columns of every table of motifs.
COLUMNS = [
    *("motif", "method", "engine", "width", "sites", "ln_e_value", "e_value", "consensus"),
]
# The names of the methods in tables. A motif's name begins with the name of its method.
MEME, DRIMUST, GADEM, MODISCO = "meme", "drimust", "gadem", "modisco"
# MEME's format sets this number of sites for motifs without `nsites`.
DEFAULT_SITES = 20.0
# How much the sum of a position's probabilities may differ from 1, because they are rounded.
ROUNDING = 0.01
DECIMALS = 6

# The index of an IUPAC letter is the sum of the letters it stands for, with A C G T = 1 2 4 8.
_IUPAC = "?ACMGRSVTWYHKDBN"


class MotifError(ValueError):
    """A motif or a file of motifs cannot be used. The message says what is wrong, where, and what
    to do."""


@dataclass(frozen=True, eq=False)
class Motif:
    """A motif without gaps.

    Attributes:
        name: the motif's id, without spaces.
        counts: (width, 4) float, in the order A C G T: how often each letter occurs at each
            position, or probabilities times sites.
        sites: the number of sites behind the counts; by default the sum of the first position.
        e_value, ln_e_value: the E-value of the motif's method and its natural logarithm, which also
            works below the smallest double. If only one is given, the other is computed.
        alt: another name, such as that of the factor, without spaces.

    Raises:
        MotifError: the counts have another shape, or a position has negative counts or none; a
            name is empty or has a space; or the number of sites is not above 0.
    """

    name: str
    counts: np.ndarray
    sites: float | None = None
    e_value: float | None = None
    ln_e_value: float | None = None
    alt: str = ""

    def __post_init__(self) -> None:
        counts = np.array(self.counts, float)
        if counts.ndim != 2 or counts.shape[1] != len(LETTERS) or not len(counts):
            raise MotifError(f"motif {self.name}: counts of shape {counts.shape}, not (width, 4)")
        if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.any(axis=1).all()):
            raise MotifError(f"motif {self.name}: a position has a negative count, or none at all")
        if not self.name or any(map(str.isspace, self.name + self.alt)):
            raise MotifError(f"motif {self.name!r} {self.alt!r}: a name is empty or has a space")
        sites = float(counts[0].sum() if self.sites is None else self.sites)
        if not 0 < sites < math.inf:
            raise MotifError(f"motif {self.name}: {sites:g} sites; give a number above 0")
        e_value, ln_e_value = self.e_value, self.ln_e_value
        if ln_e_value is None and e_value is not None:
            ln_e_value = math.log(e_value) if e_value > 0 else -math.inf
        if e_value is None and ln_e_value is not None:
            e_value = float(np.exp(ln_e_value))
        counts.flags.writeable = False
        for field, value in (
            ("counts", counts),
            ("sites", sites),
            ("e_value", e_value),
            ("ln_e_value", ln_e_value),
        ):
            object.__setattr__(self, field, value)

    @property
    def width(self) -> int:
        """Number of positions."""
        return len(self.counts)

    def probabilities(
        self, pseudocount: float = 0.0, background: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns the probabilities (width, 4) of the letters at each position.

        Args:
            pseudocount: number of sites to add to each position, as MEME's tools do.
            background: (4,) frequencies by which these sites are spread over the letters; by
                default evenly.
        """
        observed = self.counts / self.counts.sum(axis=1, keepdims=True)
        prior = np.full(4, 0.25) if background is None else np.asarray(background)
        return (observed * self.sites + pseudocount * prior) / (self.sites + pseudocount)

    def information(self) -> np.ndarray:
        """Returns the information (width,) of each position in bits.

        The method is that of Schneider and Stephens 1990, Nucleic Acids Res. 18:6097, without the
        correction for few sites."""
        p = self.probabilities()
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 + np.where(p > 0, p * np.log2(p), 0).sum(axis=1)

    def reverse_complement(self) -> Motif:
        """Returns the motif on the other strand."""
        counts = self.counts[::-1, COMPLEMENT[:4]]
        return Motif(self.name, counts, self.sites, self.e_value, self.ln_e_value, self.alt)

    def consensus(self) -> str:
        """Returns the motif in IUPAC letters, by Cavener (1987, Nucleic Acids Res. 15:1353).

        A position gets one letter that has more than half of the sites and more than twice as many
        as the next. Otherwise it gets two letters that together have more than three quarters, or
        three letters if the fourth never occurs, or N.
        """
        return "".join(map(_iupac, self.probabilities()))


def selected(table: pd.DataFrame, sites: str = "known") -> pd.DataFrame:
    """Returns the rows of a table of motifs that are selected (`selection.table`), in their order.

    If the sites of a motif are those of the motif itself (`found`), and not those of the known
    motif that it matches (`known`), then its name is its `target`."""
    rows = table[table["selected"].notna()].sort_values("selected")
    return rows.assign(target=rows["motif"]) if sites == "found" else rows


def described(motif: Motif, method: str, engine: str) -> dict[str, object]:
    """Returns a motif's row in a table, with `COLUMNS`. Its E-value must be known.

    Args:
        motif: the motif.
        method: the method that found it.
        engine: the program that ran this method.
    """
    values = (
        motif.name,
        method,
        engine,
        motif.width,
        f"{motif.sites:.10g}",
        f"{motif.ln_e_value:.6g}",
        scientific(motif.ln_e_value),
        motif.consensus(),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _iupac(row: np.ndarray) -> str:
    order = np.argsort(-row, kind="stable")
    first, second, third, fourth = row[order]
    if first > 0.5 and first > 2 * second:
        number = 1
    elif first + second > 0.75:
        number = 2
    else:
        number = 3 if fourth == 0 else 4
    return _IUPAC[sum(1 << int(letter) for letter in order[:number])]


def background(tokens: np.ndarray, *, both_strands: bool = True) -> np.ndarray:
    """Returns the frequencies (4,) of A C G T in tokens of any shape, without N.

    With both strands, A is as frequent as T, and C as G, as in MEME's `fasta-get-markov`.

    Raises:
        MotifError: a letter does not occur, so that its log-odds are undefined.
    """
    counts = np.bincount(np.ravel(tokens), minlength=5)[:4].astype(float)
    if both_strands:
        counts += counts[COMPLEMENT[:4]]
    if not counts.all():
        missing = LETTERS[int(np.argmin(counts))]
        raise MotifError(
            f"background: {missing} does not occur in the sequences; give other sequences"
        )
    return counts / counts.sum()


def repeated_names(motifs: Iterable[Motif]) -> list[str]:
    """Returns the names that several motifs have."""
    return [name for name, number in Counter(m.name for m in motifs).items() if number > 1]


def write_meme(path: str | Path, motifs: Iterable[Motif], background: np.ndarray) -> None:
    """Writes motifs in MEME's text format, version 4, with background frequencies (4,).

    Raises:
        MotifError: two motifs have the same name.
    """
    motifs = list(motifs)
    if twice := repeated_names(motifs):
        raise MotifError(f"{path}: several motifs are named {', '.join(twice)}; rename them")
    frequencies = " ".join(
        f"{letter} {frequency:.{DECIMALS}f}"
        for letter, frequency in zip(LETTERS, background, strict=True)
    )
    parts = [
        "MEME version 4",
        f"ALPHABET= {LETTERS}",
        "strands: + -",
        f"Background letter frequencies\n{frequencies}",
        *map(_written, motifs),
    ]
    Path(path).write_text("\n\n".join(parts) + "\n")


def _written(motif: Motif) -> str:
    e_value = "" if motif.ln_e_value is None else f" E= {scientific(motif.ln_e_value)}"
    rows = motif.probabilities().round(DECIMALS)
    # Make the rounded row sum to 1, so that it stays the same when it is read and written again.
    rows[np.arange(motif.width), rows.argmax(axis=1)] += 1 - rows.sum(axis=1)
    return "\n".join(
        [
            f"MOTIF {motif.name} {motif.alt}".rstrip(),
            f"letter-probability matrix: alength= {len(LETTERS)} w= {motif.width} "
            f"nsites= {motif.sites:.10g}{e_value}",
            *(" ".join(f"{p:.{DECIMALS}f}" for p in row) for row in rows),
        ]
    )


def scientific(logarithm: float) -> str:
    """Returns a number as text from its natural logarithm, also below the smallest double."""
    return "0" if logarithm == -math.inf else f"{Decimal(logarithm).exp():.5e}"


def read_meme(path: str | Path) -> list[Motif]:
    """Reads the motifs of a file in MEME's text format, either minimal or a whole report of MEME.

    Counts are probabilities times `nsites`, or times 20 without it, as the format defines.

    Raises:
        MotifError: the file does not exist, is not in MEME's format, has another alphabet or is
            damaged. The message has the file and line.
    """
    path = Path(path)
    return list(_motifs(path, _lines(path)))


def read_background(path: str | Path) -> np.ndarray:
    """Reads the background frequencies (4,) of a file in MEME's text format.

    Without them the frequencies are equal, as the format defines.

    Raises:
        MotifError: see `read_meme`; or the frequencies cannot be read.
    """
    path = Path(path)
    lines = _lines(path)
    for number, line in enumerate(lines, 1):
        if line.startswith("Background letter frequencies"):
            cells = " ".join(lines[number : number + 1]).split()
            try:
                frequencies = [float(cell) for cell in cells[1::2]]
            except ValueError:
                frequencies = []
            if "".join(cells[::2]) != LETTERS or not abs(sum(frequencies) - 1) <= ROUNDING:
                raise MotifError(
                    f"{path}: line {number + 1}: must have four frequencies, as in `A 0.25 C 0.25 "
                    "G 0.25 T 0.25`"
                )
            return np.array(frequencies) / sum(frequencies)
    return np.full(4, 0.25)


def _lines(path: Path) -> list[str]:
    """Returns the lines of a file after a check that it is in MEME's text format."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise MotifError(f"{path}: there is no such file") from None
    except OSError as error:
        raise MotifError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MotifError(f"{path}: is not a text file; give motifs in MEME's text format") from None
    if not any(line.startswith("MEME version") for line in lines):
        raise MotifError(f"{path}: has no line `MEME version`; give motifs in MEME's text format")
    for number, line in enumerate(lines, 1):
        # An alphabet is its letters, or a block that begins with its name in quotes.
        stated = re.match(r'ALPHABET(?:=\s*(?P<letters>.*\S)|\s+"(?P<name>[^"]*)")', line)
        if stated and (stated["letters"] or LETTERS, stated["name"] or "DNA") != (LETTERS, "DNA"):
            raise MotifError(f"{path}: line {number}: the alphabet is not {LETTERS}: {line}")
    return lines


def _motifs(path: Path, lines: Sequence[str]) -> Iterator[Motif]:
    name = None
    for number, line in enumerate(lines):
        if line.startswith("MOTIF"):
            if name:
                raise MotifError(f"{path}: line {number + 1}: motif {name[0]} has no matrix")
            name = line.split()[1:3]
            if not name:
                raise MotifError(f"{path}: line {number + 1}: this motif has no name")
        elif line.startswith("letter-probability matrix:"):
            if not name:
                raise MotifError(f"{path}: line {number + 1}: this matrix has no line `MOTIF`")
            yield _motif(path, lines, number, *name)
            name = None
    if name:
        raise MotifError(f"{path}: motif {name[0]} has no matrix; the file may be truncated")


def _motif(path: Path, lines: Sequence[str], start: int, name: str, alt: str = "") -> Motif:
    """Returns the motif whose matrix has its heading in line `start` (from 0)."""
    heading = lines[start].split(":", 1)[1].replace("=", " = ").split()
    stated = dict(zip(heading[::3], heading[2::3], strict=False))
    try:
        sites = float(stated.get("nsites", DEFAULT_SITES))
        width = int(stated["w"]) if "w" in stated else None
        logarithm = float(Decimal(stated["E"]).ln()) if "E" in stated else None
        if not 0 < sites < math.inf:
            raise ValueError
    except (ValueError, InvalidOperation):
        raise MotifError(f"{path}: line {start + 1}: cannot be read: {lines[start]}") from None
    rows = []
    for number in range(start + 1, len(lines) if width is None else start + 1 + width):
        line = lines[number] if number < len(lines) else ""
        if width is None and not line.strip():
            break
        rows.append(_row(path, number, line))
    try:
        return Motif(name, np.array(rows) * sites, sites, ln_e_value=logarithm, alt=alt)
    except MotifError as error:
        raise MotifError(f"{path}: line {start + 1}: {error}") from None


def _row(path: Path, number: int, line: str) -> list[float]:
    try:
        row = [float(cell) for cell in line.split()]
    except ValueError:
        row = []
    if len(row) != len(LETTERS) or min(row) < 0 or not abs(sum(row) - 1) <= ROUNDING:
        raise MotifError(
            f"{path}: line {number + 1}: must have four probabilities that sum to 1: {line!r}"
        )
    return row
