"""Motifs of the most highly ranked sequences: GADEM (Li 2009, J. Comput. Biol. 16:317), by the R
package rGADEM or a built-in stand-in for it.

Both are unsupervised: they search the top of the ranked list for common patterns and never see the
other sequences. Their E-values treat each sequence as independent. So a pattern that related
sequences share by descent counts as a motif, too.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import gammaln, log_ndtr, xlogy

from crmnet.data.fasta import write_fasta
from crmnet.data.sequences import ALPHABET, COMPLEMENT, N, tokenise, words
from crmnet.data.tsv import read_table
from crmnet.logs import Progress
from crmnet.motifs.motif import (
    COLUMNS as MOTIF_COLUMNS,
)
from crmnet.motifs.motif import (
    GADEM,
    LETTERS,
    Motif,
    MotifError,
    background,
    described,
)
from crmnet.motifs.programs import BUILTIN, run_tool, tool
from crmnet.motifs.scanning import scan

STAND_IN = f"{BUILTIN} stand-in"

COLUMNS = [*MOTIF_COLUMNS, "with_site", "sequences"]
SITE_COLUMNS = ["motif", "sequence", "start", "end", "strand", "site", "p_value"]

# The columns of the files that gadem.R writes.
RAW_SITES = {
    "motif": int,
    "seqID": int,
    "strand": str,
    "pos": int,
    "seq": str,
    "pval": float,
}
RAW_MOTIFS = {
    "motif": int,
    "consensus": str,
    "sites": int,
    "position": int,
    **dict.fromkeys(LETTERS, float),
}
VERSION = 'cat(as.character(packageVersion("rGADEM")))'
# How much a PWM may differ from the letters of its sites, because it has only four decimals.
ROUNDED = 1e-3

# As in rGADEM: the number of motifs; the number added to each probability; the largest p-value of a
# site; the least number of sites of a motif (at least 2), as a share of the sequences; and the
# largest ln E of a motif.
MOTIFS = 25
PSEUDO = 5e-4
SITE_P = 2e-4
FEW = 0.05
LN_E_VALUE = 0.0

# Dyads: the lengths of their two words and of the gap between these.
WORDS = range(3, 7)
GAPS = range(11)
# How many dyads are tried, the initial probability of their letters, and the rounds of EM.
TRIED = 20
CERTAIN = 0.8
ROUNDS = 10
# Number of background sites (pseudocounts) added to a motif in each round.
PRIOR = 1.0


def ln_e_value(
    probabilities: np.ndarray, sites: int, frequencies: np.ndarray, starts: int
) -> float:
    """Returns the natural logarithm of a motif's E-value, which GADEM takes from MEME (Bailey and
    Elkan 1994).

    It is the probability that random sites are as informative as these, times the number of ways to
    choose as many sites from all positions on two strands. A column's p-value is the chi-square
    tail of its log-likelihood ratio. The p-value of the product of all columns is exact (Bailey and
    Gribskov 1998, Bioinformatics 14:48). GADEM itself tabulates the distribution of the columns, so
    its E-values can be lower for few sites.

    Args:
        probabilities: (width, 4), above 0.
        sites: number of sites.
        frequencies: (4,) of the background.
        starts: number of possible positions of a site on one strand.

    Returns:
        The logarithm; infinity if there are more sites than positions.
    """
    if sites > starts:
        return math.inf
    ratio = sites * (probabilities * np.log(probabilities / frequencies)).sum(axis=1)
    log_product = -_ln_chi_square_3(2 * np.maximum(ratio, 0)).sum()
    order = np.arange(len(ratio))
    terms = xlogy(order, log_product) - gammaln(order + 1)
    ways = gammaln(starts + 1) - gammaln(sites + 1) - gammaln(starts - sites + 1)
    return float(np.logaddexp.reduce(terms) - log_product + ways + sites * math.log(2))


def _ln_chi_square_3(x: np.ndarray) -> np.ndarray:
    """Returns the natural logarithms of the upper tail of chi-square with three degrees of freedom.

    It has a closed form. x must be 0 or above."""
    with np.errstate(divide="ignore"):
        density = 0.5 * np.log(2 * x / np.pi) - x / 2
    return np.minimum(np.logaddexp(math.log(2) + log_ndtr(-np.sqrt(x)), density), 0)


def letter_counts(sites: Sequence[str]) -> np.ndarray:
    """Returns the counts (width, 4) of sites of the same width, without N.

    A position at which all sites have N gets equal counts, as in GADEM."""
    tokens = tokenise("".join(sites)).reshape(len(sites), -1)
    counts = (tokens[:, :, None] == np.arange(4)).sum(axis=0).astype(float)
    counts[~counts.any(axis=1)] = len(sites) / 4
    return counts


def ranked(
    candidates: Sequence[pd.DataFrame], tokens: np.ndarray, names: Sequence[str], number: int | None
) -> tuple[list[Motif], pd.DataFrame]:
    """Makes motifs from their sites and keeps those with the lowest E-values.

    Args:
        candidates: one table per motif: row, start, end, strand, site, p_value of each site.
        tokens: (n, length), the sequences; shorter ones are padded with N.
        names: names of the sequences.
        number: number of motifs to keep; None keeps all.

    Returns:
        The motifs, lowest E-value first, named gadem_1, gadem_2, ...; and their sites, with
        `SITE_COLUMNS`, lowest p-value first.
    """
    motifs = [_motif(sites, tokens) for sites in candidates]
    order = sorted(range(len(candidates)), key=lambda number: motifs[number].ln_e_value)[:number]
    kept, tables = [], [pd.DataFrame(columns=SITE_COLUMNS)]
    for rank, index in enumerate(order, 1):
        motif, sites = motifs[index], candidates[index].sort_values(["p_value", "row", "start"])
        name = f"{GADEM}_{rank}"
        kept.append(Motif(name, motif.counts, motif.sites, ln_e_value=motif.ln_e_value))
        tables.append(sites.assign(motif=name, sequence=np.asarray(names, object)[sites["row"]]))
    return kept, pd.concat(tables[1:] or tables, ignore_index=True)[SITE_COLUMNS]


def _motif(sites: pd.DataFrame, tokens: np.ndarray) -> Motif:
    counts = letter_counts(sites["site"].tolist())
    starts = np.maximum((tokens != N).sum(axis=1) - len(counts) + 1, 0).sum()
    ln_e = ln_e_value(_pwm(counts), len(sites), background(tokens), int(starts))
    return Motif(GADEM, counts, len(sites), ln_e_value=ln_e)


def _pwm(counts: np.ndarray) -> np.ndarray:
    return (counts / counts.sum(axis=1, keepdims=True) + PSEUDO) / (1 + 4 * PSEUDO)


def table(
    motifs: Sequence[Motif], sites: pd.DataFrame, engine: str, sequences: int
) -> pd.DataFrame:
    """Returns the table of motifs, with `COLUMNS`.

    Args:
        motifs, sites: the results of `ranked`.
        engine: the engine that found them.
        sequences: the number of sequences that were searched.
    """
    with_site = sites.groupby("motif")["sequence"].nunique()
    rows = [
        {
            **described(motif, GADEM, engine),
            "with_site": with_site[motif.name],
            "sequences": sequences,
        }
        for motif in motifs
    ]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def installed(engine: str) -> tuple[str | None, str]:
    """Returns the path of Rscript, or None if the built-in stand-in is used; and the engine's name.

    Args:
        engine: see `programs.tool`.

    Raises:
        MotifError: see `programs.tool`; or the engine is `tool`, but R has no package rGADEM.
    """
    program = tool("Rscript", engine)
    if program is None:
        return None, STAND_IN
    try:
        return program, f"rGADEM {run_tool([program, '-e', VERSION]).strip()}"
    except MotifError as error:
        if engine == "tool":
            raise MotifError(
                "engine `tool`: R has no package rGADEM; install it from Bioconductor, or set "
                f"`engine: auto` or `builtin` ({error})"
            ) from error
        print(f"R has no package rGADEM: {error}", file=sys.stderr)
        return None, STAND_IN


def rgadem(
    program: str,
    script: str | Path,
    tokens: np.ndarray,
    *,
    seed: int,
    motifs: int | None,
    generations: int | None,
    population: int | None,
    ext_trim: bool | None,
) -> list[pd.DataFrame]:
    """Finds motifs by rGADEM (checked with 2.19, 2.54 and 2.55).

    rGADEM can return more than `motifs` motifs, because it stops only if a cycle of its search ends
    with exactly this number. Its sites have N for the letters of earlier motifs. A column with N
    has fewer letters, but GADEM's E-value counts it like the others, so this E-value is too low.
    The time grows with generations times population and with the number of sequences.

    Args:
        program: path of Rscript.
        script: path of gadem.R.
        tokens: (n, length), shorter sequences padded with N.
        seed: seed of the genetic algorithm.
        motifs, generations, population, ext_trim: rGADEM's `nmotifs`, `numGeneration`,
            `populationSize` and `extTrim`; None is rGADEM's own default.

    Returns:
        One table per motif, in rGADEM's order; see `ranked`.

    Raises:
        MotifError: rGADEM fails, or its output cannot be read.
    """
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("sequences.fa", "sites.tsv", "motifs.tsv")]
        write_fasta(paths[0], enumerate(map(_text, tokens)))
        settings = {
            "seed": seed,
            "nmotifs": motifs,
            "numGeneration": generations,
            "populationSize": population,
            "extTrim": ext_trim,
        }
        given = [f"{name}={int(v)}" for name, v in settings.items() if v is not None]
        run_tool([program, script, *paths, *given])
        return read_rgadem(*paths[1:], tokens)


def _text(tokens: np.ndarray) -> str:
    """Returns a sequence without its trailing N. Leading N stay, so that positions are the same."""
    return np.frombuffer(ALPHABET.encode(), np.uint8)[tokens].tobytes().decode().rstrip("N")


def read_rgadem(sites: str | Path, motifs: str | Path, tokens: np.ndarray) -> list[pd.DataFrame]:
    """Reads the output of gadem.R: one table per motif, see `ranked`.

    Args:
        sites, motifs: the two files.
        tokens: (n, length), the sequences that were searched.

    Raises:
        MotifError: the files have other columns, belong to other sequences, or do not belong
            together.
    """
    raw, pwms = _raw(sites, RAW_SITES), _raw(motifs, RAW_MOTIFS)
    tables = []
    for name, rows in pwms.groupby("motif", sort=False):
        own = raw[raw["motif"] == name]
        if len(own) != rows["sites"].iloc[0]:
            raise MotifError(
                f"{sites}: has {len(own)} sites of motif {name}, but {motifs} states "
                f"{rows['sites'].iloc[0]}; delete both files and run the workflow again"
            )
        tables.append(resolved(own, len(rows), tokens))
        letters = tables[-1]["site"].tolist()
        # A site that extends beyond its sequence has letters that only GADEM knows.
        outside = (tables[-1]["end"] - tables[-1]["start"] + 1 < len(rows)).any()
        stated = rows[list(LETTERS)].to_numpy()
        if not outside and np.abs(_pwm(letter_counts(letters)) - stated).max() > ROUNDED:
            raise MotifError(f"{motifs}: the PWM of motif {name} differs from that of its sites")
    if len(raw) != sum(map(len, tables)):
        raise MotifError(
            f"{sites}: has sites of motifs that are not in {motifs}; delete both files and run the "
            "workflow again"
        )
    return tables


def _raw(path: str | Path, columns: dict[str, type]) -> pd.DataFrame:
    try:
        raw = read_table(path, columns).fillna("")
        # R may write large integers as 1e+05.
        whole = {name: float for name, kind in columns.items() if kind is int}
        return raw[list(columns)].astype(whole).astype(columns)
    except (OSError, ValueError, KeyError) as error:
        raise MotifError(f"{path}: is not a table of gadem.R: {error}") from error


def resolved(raw: pd.DataFrame, width: int, tokens: np.ndarray) -> pd.DataFrame:
    """Completes rGADEM's sites of one motif with strand, position and letters.

    rGADEM's `pos` is the leftmost base of a site on the plus strand and the rightmost on the minus
    strand, from 1. rGADEM leaves out the strand if no letter follows a site, and the letters if a
    site begins before its sequence. A missing strand is the one with the site's letters, where N
    matches any letter. If both strands match, it is the one on which the site is at the end of the
    sequence.

    Args:
        raw: seqID (from 1), strand (+, - or empty), pos, seq, pval.
        width: width of the motif.
        tokens: (n, length), the sequences; shorter ones are padded with N.

    Returns:
        A table with row (of tokens), start, end (the first and the last position on the plus
        strand, from 1, within the sequence), strand, site (`width` letters on the motif's strand,
        with N outside the sequence and at masked positions), p_value.

    Raises:
        MotifError: a site is outside all sequences, or its letters differ from the sequence.
    """
    lengths = tokens.shape[1] - np.argmax(tokens[:, ::-1] != N, axis=1)
    row, pos = raw["seqID"].to_numpy() - 1, raw["pos"].to_numpy()
    strand, given = raw["strand"].to_numpy(str), raw["seq"].to_numpy(str)
    there = (row >= 0) & (row < len(tokens)) & (np.abs(pos) <= tokens.shape[1] + width)
    size = np.strings.str_len(given)
    _check(raw, there & (size <= width))
    try:
        known = tokenise("".join(site.ljust(width, "N") for site in given)).reshape(-1, width)
    except ValueError as error:
        raise MotifError(f"sites of motif {raw['motif'].iloc[0]}: {error}") from None
    padded = np.pad(tokens, ((0, 0), (2 * width, 2 * width)), constant_values=N)
    fits, last, windows, starts = [], [], [], []
    for sign, start in (("+", pos - 1), ("-", pos - width)):
        window = padded[row[:, None], start[:, None] + 2 * width + np.arange(width)]
        # Number of the site's letters before and after its sequence.
        before, behind = -start, start + width - lengths[row]
        if sign == "-":
            window, before, behind = COMPLEMENT[window[:, ::-1]], behind, before
        same = ((known == window) | (known == N) | (window == N)).all(axis=1)
        same &= size == np.where(before > 0, 0, width - np.maximum(behind, 0))
        same &= (before < width) & (behind < width)
        fits.append(same & ((strand == sign) | (strand == "")))
        last.append(behind >= 0)
        windows.append(window)
        starts.append(start)
    _check(raw, fits[0] | fits[1])
    minus = fits[1] & (~fits[0] | (last[1] & ~last[0]))
    start = np.where(minus, starts[1], starts[0])
    window = np.where(minus[:, None], windows[1], windows[0])
    # Prefer the letters that GADEM reports, which are N where it has masked an earlier motif.
    stated = (size > 0)[:, None] & (window != N)
    site = np.where(stated, known, window)
    return pd.DataFrame(
        {
            "row": row,
            "start": np.maximum(start, 0) + 1,
            "end": np.minimum(start + width, lengths[row]),
            "strand": np.where(minus, "-", "+"),
            "site": _words(site),
            "p_value": raw["pval"].to_numpy(),
        }
    )


def _check(raw: pd.DataFrame, there: np.ndarray) -> None:
    if not there.all():
        site = raw.iloc[int(np.argmin(there))]
        raise MotifError(
            f"motif {site['motif']}: the site {site['seq']!r} at {site['pos']} on strand "
            f"{site['strand']!r} is not in sequence {site['seqID']} of those that GADEM was given"
        )


def _words(tokens: np.ndarray) -> list[str]:
    text = np.frombuffer(ALPHABET.encode(), np.uint8)[tokens].tobytes().decode()
    return [text[at : at + tokens.shape[1]] for at in range(0, len(text), tokens.shape[1])]


def search(tokens: np.ndarray, number: int | None) -> list[pd.DataFrame]:
    """Finds motifs by the built-in stand-in for GADEM.

    Like GADEM, it starts from spaced dyads (two words with a gap between them). Each dyad becomes a
    motif by expectation maximisation (EM). Its sites are all those with a p-value of at most
    `SITE_P`. The motif with the lowest E-value is kept and its sites are masked. The search goes on
    until no motif has an E-value of 1 or less.

    GADEM draws dyads at random and improves them with a genetic algorithm. Here the most
    over-represented dyads are all tried, so there is no genetic algorithm and no seed. In EM, a
    sequence has one site or none (Bailey and Elkan 1994), on either strand. In the result it can
    have any number of sites, which do not overlap and have no N.

    Args:
        tokens: (n, length), shorter sequences padded with N.
        number: the largest number of motifs; None is rGADEM's default.

    Returns:
        One table per motif, see `ranked`.

    Raises:
        MotifError: a letter does not occur.
    """
    number = number or MOTIFS
    frequencies = background(tokens)
    left, motifs, progress = tokens.copy(), [], Progress(number, "motifs")
    while len(motifs) < number:
        candidates = list(_candidates(left, frequencies))
        values = [_motif(sites, tokens).ln_e_value for sites in candidates]
        if not values or min(values) > LN_E_VALUE:
            break
        best = candidates[int(np.argmin(values))]
        motifs.append(best)
        progress(len(motifs))
        columns = np.arange(best["end"].iloc[0] - best["start"].iloc[0] + 1)
        left[best["row"].to_numpy()[:, None], best["start"].to_numpy()[:, None] - 1 + columns] = N
    return motifs


def _candidates(tokens: np.ndarray, frequencies: np.ndarray) -> Iterator[pd.DataFrame]:
    """Yields the sites of the motifs that the best dyads lead to, if these have enough sites."""
    dyads = over_represented(tokens, frequencies)[:TRIED]
    widths = sorted({len(dyad) for dyad in dyads})
    refined = [
        Motif(f"{width}-{rank}", counts)
        for width in widths
        for rank, counts in enumerate(
            _refined([dyad for dyad in dyads if len(dyad) == width], tokens, frequencies)
        )
    ]
    hits = scan(refined, tokens, np.arange(len(tokens)), frequencies, SITE_P)
    hits = hits.rename(columns={"sequence": "row", "matched": "site"})
    hits["row"] = hits["row"].astype(int)
    for _, sites in hits.groupby("motif"):
        sites = _apart(sites[["row", "start", "end", "strand", "site", "p_value"]])
        if len(sites) >= max(2, int(FEW * len(tokens))):
            yield sites


def _apart(sites: pd.DataFrame) -> pd.DataFrame:
    """Returns sites of one width without those that overlap a site before them in the table."""
    kept, taken = [], {}
    for row, start, end in zip(sites["row"], sites["start"], sites["end"], strict=True):
        others = taken.setdefault(row, [])
        kept.append(all(abs(other - start) > end - start for other in others))
        if kept[-1]:
            others.append(start)
    return sites[kept]


def over_represented(tokens: np.ndarray, frequencies: np.ndarray) -> list[str]:
    """Returns spaced dyads that occur in more sequences, on either strand, than expected from the
    background.

    The result has the best dyad of each shape (lengths of the two words and of the gap), best
    first, with N in the gap. Dyads are ranked by Chernoff's bound of the Poisson tail times the
    number of dyads of the shape. In a shape, the shorter word comes first; the other strand covers
    the opposite order.

    Args:
        tokens: (n, length); a word has no N.
        frequencies: (4,) of the background, the same on both strands.
    """
    strands = np.concatenate([tokens, COMPLEMENT[tokens[:, ::-1]]])
    sequence = np.tile(np.arange(len(tokens)), 2)
    numbered = {length: words(strands, length) for length in WORDS}
    best = []
    for first in WORDS:
        for last in range(first, WORDS.stop):
            for gap in GAPS:
                places = tokens.shape[1] - first - gap - last + 1
                if places < 1:
                    continue
                one, known = (each[:, :places] for each in numbered[first])
                begin = first + gap
                other, there = (each[:, begin : begin + places] for each in numbered[last])
                there = there & known
                dyads = (one << 2 * last) + other
                score, dyad = _most_over_represented(
                    dyads, there, sequence, first + last, frequencies
                )
                if score > 0:
                    word = _spelled(dyad, first + last)
                    best.append((score, word[:first] + gap * "N" + word[first:]))
    return [dyad for _, dyad in sorted(best, key=lambda pair: -pair[0])]


def _most_over_represented(
    dyads: np.ndarray, there: np.ndarray, sequence: np.ndarray, length: int, frequencies: np.ndarray
) -> tuple[float, int]:
    """Returns the score and number of the best dyad of one shape; the score is 0 if there is none.

    The dyads are (2n, places). Only those that are `there` count."""
    number = len(sequence) // 2
    # Sort by dyad, then by sequence, because np.unique is slower.
    occurrences = np.sort((dyads * number + sequence[:, None])[there])
    if not occurrences.size:
        return 0.0, 0
    occurrences = occurrences[np.flatnonzero(np.diff(occurrences, prepend=-1))] // number
    first = np.flatnonzero(np.diff(occurrences, prepend=-1))
    dyad, count = occurrences[first], np.diff(first, append=len(occurrences))
    digits = dyad[:, None] >> 2 * np.arange(length) & 3
    ln_likely = np.log(frequencies)[digits].sum(axis=1)
    # Expected number of sequences with the dyad on either strand, if all have equally many places.
    expected = number * -np.expm1(-np.exp(ln_likely) * there.sum() / number)
    bound = count * np.log(count / expected) - count + expected
    score = np.where(count > expected, bound, 0) - length * math.log(4)
    at = int(np.argmax(score))
    return float(score[at]), int(dyad[at])


def _spelled(word: int, length: int) -> str:
    return "".join(LETTERS[word >> 2 * place & 3] for place in range(length - 1, -1, -1))


def _refined(
    dyads: Sequence[str], tokens: np.ndarray, frequencies: np.ndarray
) -> Iterator[np.ndarray]:
    """Yields the expected counts (width, 4), after EM, of the motifs from dyads of one width."""
    width, number = len(dyads[0]), len(dyads)
    windows = sliding_window_view(tokens, width, axis=1)
    known = (windows != N).all(axis=2)[:, :, None]
    # Multiply small matrices, one per sequence. This is faster than one large product, which BLAS
    # would spread over threads, and its result does not depend on the number of threads.
    letters = (windows[..., None] == np.arange(4)).astype(np.float32)
    letters = letters.reshape(*windows.shape[:2], 4 * width)
    motifs = np.stack([_started(dyad, frequencies) for dyad in dyads])
    share = np.full(number, 0.5)
    places = np.maximum(2 * known.sum(axis=1), 1)
    for _ in range(ROUNDS):
        odds = np.log(motifs / frequencies)
        # Add the other strand: A C G T in reverse order are the complements.
        odds = np.concatenate([odds, odds[:, ::-1, ::-1]]).reshape(2 * number, -1)
        weights = np.exp(letters @ odds.T.astype(np.float32)) * known
        prior = np.tile(share, 2) / places
        total = (weights.sum(axis=1) * prior).reshape(-1, 2, number).sum(axis=1) + 1 - share
        weights *= (prior / np.tile(total, 2)).astype(np.float32)[:, None]
        counts = (weights.transpose(0, 2, 1) @ letters).sum(axis=0, dtype=float)
        plus, minus = counts.reshape(2, number, width, 4)
        counts = plus + minus[:, ::-1, ::-1]
        share = counts.sum(axis=(1, 2)) / width / len(tokens)
        share = np.clip(share, 1 / (len(tokens) + 1), len(tokens) / (len(tokens) + 1))
        motifs = counts + PRIOR * frequencies
        motifs /= motifs.sum(axis=2, keepdims=True)
    yield from motifs * (share * len(tokens))[:, None, None]


def _started(dyad: str, frequencies: np.ndarray) -> np.ndarray:
    """Returns initial probabilities (width, 4): `CERTAIN` for a dyad's letters, background in its
    gap."""
    tokens = tokenise(dyad)
    certain = np.where(tokens == N, 0, CERTAIN)[:, None]
    return certain * np.eye(5)[tokens, :4] + (1 - certain) * frequencies
