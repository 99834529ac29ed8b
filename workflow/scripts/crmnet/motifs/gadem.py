"""Motifs of the most highly ranked sequences: GADEM (Li 2009, J. Comput. Biol. 16:317), by the R
package rGADEM, or a built-in stand-in for it.

Both are unsupervised: they look for what is common to the sequences that they are given, the top of
the ranked list, and never see the others. Their E-values take each sequence as independent, so that
what related sequences share by descent is a motif too.
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

# What gadem.R writes.
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
# By how much a PWM may differ from the letters of its sites: it is printed with four decimals.
ROUNDED = 1e-3

# As in GADEM: what is added to each probability, the largest p-value of a site, the share of the
# sequences that a motif has sites for, at least (and 2 sites), and the largest ln E of a motif.
PSEUDO = 5e-4
SITE_P = 2e-4
FEW = 0.05
LN_E_VALUE = 0.0

# Dyads: lengths of their words, and the gaps between.
WORDS = range(3, 7)
GAPS = range(11)
# How many dyads are tried, the probability of their letters to start with, and rounds of EM.
TRIED = 20
CERTAIN = 0.8
ROUNDS = 10
# Sites of background added to a motif in each round.
PRIOR = 1.0


def ln_e_value(
    probabilities: np.ndarray, sites: int, frequencies: np.ndarray, starts: int
) -> float:
    """Natural logarithm of a motif's E-value, as GADEM has it from MEME (Bailey and Elkan 1994).

    How likely random sites are as informative as these, times the ways of choosing as many sites
    from all places on two strands. A column's p-value is the chi-square tail of its log-likelihood
    ratio; that of their product is exact (Bailey and Gribskov 1998, Bioinformatics 14:48). GADEM
    itself tabulates the columns' distribution, which lets E-values of few sites be lower.

    Args:
        probabilities: (width, 4), above 0.
        sites: how many.
        frequencies: (4,) of the background.
        starts: places of a site on one strand.

    Returns:
        It; infinity where there are more sites than places.
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
    """Natural logarithms of the upper tail of chi-square with three degrees of freedom, which has
    a closed form; 0 and above only."""
    with np.errstate(divide="ignore"):
        density = 0.5 * np.log(2 * x / np.pi) - x / 2
    return np.minimum(np.logaddexp(math.log(2) + log_ndtr(-np.sqrt(x)), density), 0)


def letter_counts(sites: Sequence[str]) -> np.ndarray:
    """Counts (width, 4) of sites of the same width, without N; where all have N, evenly spread, as
    GADEM has it."""
    tokens = tokenise("".join(sites)).reshape(len(sites), -1)
    counts = (tokens[:, :, None] == np.arange(4)).sum(axis=0).astype(float)
    counts[~counts.any(axis=1)] = len(sites) / 4
    return counts


def ranked(
    candidates: Sequence[pd.DataFrame], tokens: np.ndarray, names: Sequence[str], number: int
) -> tuple[list[Motif], pd.DataFrame]:
    """Motifs by their sites, lowest E-value first.

    Args:
        candidates: a table a motif: row, start, end, strand, site, p_value of each site.
        tokens: (n, length), the sequences, N behind shorter ones.
        names: of the sequences.
        number: of motifs to keep.

    Returns:
        The motifs, named gadem_1, gadem_2, ...; their sites, with `SITE_COLUMNS`, lowest p-value
        first.
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
    """The table of motifs, with `COLUMNS`.

    Args:
        motifs, sites: as of `ranked`.
        engine: what has found them.
        sequences: how many it was given.
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
    """Rscript's path, or None where the stand-in does its job; and the name of what does it.

    Args:
        engine: see `programs.tool`.

    Raises:
        MotifError: see `programs.tool`; or `tool` finds no such package.
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
                f"`engine: auto` or `builtin`\n{error}"
            ) from error
        print(f"R has no package rGADEM: {error}", file=sys.stderr)
        return None, STAND_IN


def rgadem(
    program: str,
    script: str | Path,
    tokens: np.ndarray,
    *,
    seed: int,
    motifs: int,
    generations: int,
    population: int,
) -> list[pd.DataFrame]:
    """Motifs by rGADEM (checked with 2.54 and 2.55).

    It keeps to `motifs` only where a cycle of its search ends with just as many. Its sites have N
    for the letters of earlier motifs; a column then rests on fewer letters, but GADEM's E-value
    takes it to be of as many as the others, and is too low. Time grows with generations times
    population, and with the number of sequences.

    Args:
        program: Rscript's path.
        script: gadem.R.
        tokens: (n, length), N behind shorter sequences.
        seed, motifs, generations, population: of the genetic algorithm.

    Returns:
        A table a motif, in its order: see `ranked`.

    Raises:
        MotifError: it fails, or writes something else.
    """
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("sequences.fa", "sites.tsv", "motifs.tsv")]
        write_fasta(paths[0], enumerate(map(_text, tokens)))
        run_tool([program, script, *paths, *map(str, (seed, motifs, generations, population))])
        return read_rgadem(*paths[1:], tokens)


def _text(tokens: np.ndarray) -> str:
    """A sequence without the N behind it, but with those before, for positions to be the same."""
    return np.frombuffer(ALPHABET.encode(), np.uint8)[tokens].tobytes().decode().rstrip("N")


def read_rgadem(sites: str | Path, motifs: str | Path, tokens: np.ndarray) -> list[pd.DataFrame]:
    """What gadem.R has written: a table a motif, see `ranked`.

    Args:
        sites, motifs: its two files.
        tokens: (n, length) that it was given.

    Raises:
        MotifError: they are other tables, or of other sequences; or the letters of the sites do not
            make the motif's PWM.
    """
    raw, pwms = _raw(sites, RAW_SITES), _raw(motifs, RAW_MOTIFS)
    tables = []
    for name, rows in pwms.groupby("motif", sort=False):
        own = raw[raw["motif"] == name]
        if len(own) != rows["sites"].iloc[0]:
            raise MotifError(
                f"{sites}: has {len(own)} sites of motif {name}, but {motifs} states "
                f"{rows['sites'].iloc[0]}; make both anew"
            )
        tables.append(resolved(own, len(rows), tokens))
        letters = tables[-1]["site"].tolist()
        # A site over the end of a sequence has letters that only GADEM knows.
        outside = (tables[-1]["end"] - tables[-1]["start"] < len(rows)).any()
        stated = rows[list(LETTERS)].to_numpy()
        if not outside and np.abs(_pwm(letter_counts(letters)) - stated).max() > ROUNDED:
            raise MotifError(f"{motifs}: the PWM of motif {name} is not that of its sites")
    if len(raw) != sum(map(len, tables)):
        raise MotifError(f"{sites}: has sites of motifs that {motifs} has not; make both anew")
    return tables


def _raw(path: str | Path, columns: dict[str, type]) -> pd.DataFrame:
    try:
        raw = read_table(path, columns).fillna("")
        # Large whole numbers may be written as 1e+05.
        whole = {name: float for name, kind in columns.items() if kind is int}
        return raw[list(columns)].astype(whole).astype(columns)
    except (OSError, ValueError, KeyError) as error:
        raise MotifError(f"{path}: is no table of gadem.R: {error}") from error


def resolved(raw: pd.DataFrame, width: int, tokens: np.ndarray) -> pd.DataFrame:
    """Sites of one motif as rGADEM has them, with strand, place and letters.

    Its `pos` is the leftmost base of a site on the plus strand and the rightmost on the minus
    strand, from 1. It leaves out the strand where no letter follows a site, and the letters of a
    site that begins before its sequence. A strand that is left out is the one whose letters are the
    site's, N being any; with both, the one on which the site is at the end of the sequence.

    Args:
        raw: seqID (from 1), strand (+, - or nothing), pos, seq, pval.
        width: of the motif.
        tokens: (n, length), the sequences, N behind shorter ones.

    Returns:
        row (of tokens), start, end (from 0 on the plus strand, half-open, within the sequence),
        strand, site (`width` letters on the motif's strand, N outside the sequence and where it is
        masked), p_value.

    Raises:
        MotifError: a site is in none of the sequences, or its letters are others.
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
        # Letters of the site before its sequence, and behind it.
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
    # Letters that GADEM states win: they are N where an earlier motif is.
    stated = (size > 0)[:, None] & (window != N)
    site = np.where(stated, known, window)
    return pd.DataFrame(
        {
            "row": row,
            "start": np.maximum(start, 0),
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


def search(tokens: np.ndarray, number: int) -> list[pd.DataFrame]:
    """Motifs by the built-in stand-in for GADEM.

    Like GADEM, it starts from spaced dyads (two words with a gap between), makes each a motif by
    expectation maximisation (EM), takes all sites with a p-value of at most `SITE_P`, and keeps the
    motif with the lowest E-value; its sites are masked, and the search goes on until no motif has
    an E-value of 1 or less. GADEM draws dyads at random and improves them with a genetic algorithm;
    here the most over-represented ones are all tried, so there is none, nor a seed. A sequence has
    no or one site in EM (Bailey and Elkan 1994), on either strand, and any number in the end, none
    of which overlap or have an N.

    Args:
        tokens: (n, length), N behind shorter sequences.
        number: of motifs, at most.

    Returns:
        A table a motif, see `ranked`.

    Raises:
        MotifError: a letter does not occur.
    """
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
        columns = np.arange(best["end"].iloc[0] - best["start"].iloc[0])
        left[best["row"].to_numpy()[:, None], best["start"].to_numpy()[:, None] + columns] = N
    return motifs


def _candidates(tokens: np.ndarray, frequencies: np.ndarray) -> Iterator[pd.DataFrame]:
    """Sites of the motifs that the best dyads lead to, if they are many enough."""
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
    """Sites of one width, without those that overlap one before them."""
    kept, taken = [], {}
    for row, start, end in zip(sites["row"], sites["start"], sites["end"], strict=True):
        others = taken.setdefault(row, [])
        kept.append(all(abs(other - start) >= end - start for other in others))
        if kept[-1]:
            others.append(start)
    return sites[kept]


def over_represented(tokens: np.ndarray, frequencies: np.ndarray) -> list[str]:
    """Spaced dyads in more sequences, on either strand, than the background's letters lead to: the
    best one of each shape (lengths of the words, gap), best first, with N in the gap.

    They rank by Chernoff's bound of the Poisson tail, times the number of such dyads. A shape comes
    with the shorter word first: the other strand shows it the other way round.

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
    """The best of the dyads (2n, places) of one shape, where they are `there`; 0 for none."""
    number = len(sequence) // 2
    # Sorted by dyad, then sequence: np.unique is slower.
    occurrences = np.sort((dyads * number + sequence[:, None])[there])
    if not occurrences.size:
        return 0.0, 0
    occurrences = occurrences[np.flatnonzero(np.diff(occurrences, prepend=-1))] // number
    first = np.flatnonzero(np.diff(occurrences, prepend=-1))
    dyad, count = occurrences[first], np.diff(first, append=len(occurrences))
    digits = dyad[:, None] >> 2 * np.arange(length) & 3
    ln_likely = np.log(frequencies)[digits].sum(axis=1)
    # On both strands: expected sequences, of `number` with as many places each.
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
    """Expected counts (width, 4) of the motifs that dyads of one width lead to, after EM."""
    width, number = len(dyads[0]), len(dyads)
    windows = sliding_window_view(tokens, width, axis=1)
    known = (windows != N).all(axis=2)[:, :, None]
    # A product of small matrices a sequence: faster than one of large ones, which BLAS would spread
    # over threads, and the same on any number of them.
    letters = (windows[..., None] == np.arange(4)).astype(np.float32)
    letters = letters.reshape(*windows.shape[:2], 4 * width)
    motifs = np.stack([_started(dyad, frequencies) for dyad in dyads])
    share = np.full(number, 0.5)
    places = np.maximum(2 * known.sum(axis=1), 1)
    for _ in range(ROUNDS):
        odds = np.log(motifs / frequencies)
        # Of both strands: A C G T from the back is the complement.
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
    """A dyad's letters as likely as `CERTAIN`, and its gap background (width, 4)."""
    tokens = tokenise(dyad)
    certain = np.where(tokens == N, 0, CERTAIN)[:, None]
    return certain * np.eye(5)[tokens, :4] + (1 - certain) * frequencies
