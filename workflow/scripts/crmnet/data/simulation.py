"""The positive control: a simulated assay in which sites, factors and activities are known.

Random and native-like promoters contain binding sites of real yeast factors. Their expression
follows a billboard model: each factor binds by mass action, whatever the place and strand of its
sites, and the effects of bound factors add up in a logistic response (de Boer et al. 2020, Nat.
Biotechnol. 38:56).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crmnet.data import sequences
from crmnet.data.sequences import Construct

BINS = 17.0  # expression is the mean sorting bin, 0..17
BASAL = -0.2  # logit of an unbound promoter of half A and T
# Logit from no A or T to all A or T, up to a share of MOST_AT. In the demo, expression so falls by
# 25 bins per unit of this share in random and by 11 in native promoters; in the measurements in
# complex medium (Vaishnav et al. 2022) by 29 and by 9.
AT_EFFECT = -16.0
MOST_AT = 0.55
CONCENTRATION = 4.0  # in units of the dissociation constant of a typical site, so 80 % bound
CELLS = 50  # cells averaged in a label of a test set

MAX_SITES = 3  # planted in a sequence; 0..3 are equally likely
OTHER_LENGTHS = (-2, -1, 1, 2)  # of random inserts, relative to the nominal length ...
OTHER_LENGTH_SHARE = 0.03  # ... in this share of the training sequences
RANDOM_AT = 0.5  # mean share of A and T of a random insert before sites
AT_SPREAD = 0.058  # its standard deviation between inserts; 0.08 with chance, as measured
NATIVE_AT = 0.63  # share of A and T of a founder before tracts and sites, 62 % after them
MAX_TRACTS = 2  # poly-A and poly-T, in a founder: 0..2
TRACT_LENGTHS = (6, 15)  # half-open
MAX_SUBSTITUTIONS = 5  # in a variant of a founder: 1..5

BASES, WEAK = (0, 1, 2, 3), (sequences.A, sequences.T)
CHUNK = 1024  # sequences scanned at a time: some 10 MB for eight factors
SITE_COLUMNS = ["row", "factor", "matrix_id", "start", "end", "strand"]

FACTORS: Mapping[str, Mapping[str, float]] = {
    "REB1": {"complex": 1.3, "defined": 0.9},
    "ABF1": {"complex": 1.3, "defined": 1.4},
    "RAP1": {"complex": 1.5, "defined": 0.9},
    "AZF1": {"complex": 1.4, "defined": 0.7},
    "NHP10": {"complex": 2.0, "defined": 1.6},
    "GCN4": {"complex": 0.3, "defined": 1.7},
    "ROX1": {"complex": -1.4, "defined": -0.9},
    "UME6": {"complex": -1.2, "defined": -1.4},
}


@dataclass(frozen=True)
class Parameters:
    """Sizes, noise and truth of a simulation.

    Attributes:
        train: new random sequences per medium; its training table has `leaks` more rows.
        native_families: founders of the native set.
        native_per_family: sequences of a family, the founder included.
        random: sequences of the random test set.
        leaks: test sequences that are measured again in the training table of a medium.
        noise: standard deviation of one cell's measurement, in bins.
        factors: factor -> medium -> activity, in logits when always bound; negative represses.

    Raises:
        ValueError: a size or the noise is out of its range, or there is no factor.
    """

    train: int
    native_families: int
    native_per_family: int
    random: int
    leaks: int = 50
    noise: float = 1.9
    factors: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: FACTORS)

    def __post_init__(self) -> None:
        for name in ("train", "native_families", "native_per_family", "random"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        tests = self.random + self.native_families * self.native_per_family
        if not 0 <= self.leaks <= tests:
            raise ValueError(f"leaks must lie in 0..{tests} (test sequences), not {self.leaks}")
        if not 0 <= self.noise < np.inf:
            raise ValueError(f"noise must be finite and not negative, not {self.noise}")
        if not self.factors:
            raise ValueError("a simulation needs at least one factor")


@dataclass(frozen=True)
class Factor:
    """A transcription factor: its JASPAR matrix as base probabilities (width, 4), A C G T."""

    name: str
    matrix_id: str
    probabilities: np.ndarray

    @classmethod
    def of_counts(cls, name: str, matrix_id: str, counts: np.ndarray) -> Factor:
        """Returns the factor of a matrix of counts (width, 4): probabilities are (count + 0.2) /
        (n + 0.8), as in TFBSTools."""
        counts = counts + 0.2
        return cls(name, matrix_id, counts / counts.sum(axis=1, keepdims=True))

    @property
    def width(self) -> int:
        """The number of bases of a site."""
        return len(self.probabilities)

    @property
    def log_affinities(self) -> np.ndarray:
        """The contribution of each base to ln of the affinity of a site (width, 4): the log-odds
        score minus its mean over the factor's own sites (Berg and von Hippel 1987, J. Mol. Biol.
        193:723).

        Affinities are thus relative to a typical site, not to the consensus, because hardly any
        site of a wide matrix comes near its consensus. A uniform background cancels out.
        """
        logs = np.log(self.probabilities)
        return logs - (self.probabilities * logs).sum(axis=1, keepdims=True)


def factors_of(motifs: Iterable) -> dict[str, Factor]:
    """Returns name -> factor of known motifs (`motif.Motif`) with counts."""
    return {motif.alt: Factor.of_counts(motif.alt, motif.name, motif.counts) for motif in motifs}


@dataclass(frozen=True)
class Simulation:
    """Simulated measurements, and the truth behind them.

    Attributes:
        train: medium -> sequence, expression (whole bins).
        test: medium -> native, random -> sequence, Measured Expression (mean bin). The sequences
            are the same in all media. A family of the native set is `native_per_family` rows in
            succession, its founder first.
        sites: set (native, random or train_<medium>), row (from 0), factor, matrix_id, start, end
            (the first and the last position in the insert, from 1), strand. A variant has its
            founder's sites, including sites that a substitution hit. The sites of a leaked sequence
            are listed only under its test set.
        factors: factor, matrix_id, and the activity in each medium.
    """

    train: dict[str, pd.DataFrame]
    test: dict[str, dict[str, pd.DataFrame]]
    sites: pd.DataFrame
    factors: pd.DataFrame


def occupancies(tokens: np.ndarray, factors: Sequence[Factor]) -> np.ndarray:
    """Returns the occupancy (n, factors), 0..1, of each factor on sequences of tokens (n, length).

    It is S / (1 + S), where S is the concentration times the sum of the affinities of all positions
    on both strands. Chance sites count, and nothing binds across an N.
    """
    tables, number = _tables(factors), len(factors)
    strength = np.empty((len(tokens), number))
    for first in range(0, len(tokens), CHUNK):
        strands = _affinities(tokens[first : first + CHUNK], tables).sum(axis=1)
        strength[first : first + CHUNK] = strands[:, :number] + strands[:, number:]
    strength *= CONCENTRATION
    return strength / (1 + strength)


def _tables(factors: Sequence[Factor]) -> np.ndarray:
    """Returns the contribution of each letter to ln of the affinity (width, 5, 2 factors), of the
    factors' sites on the given strand and then on the other; 0 beyond the end of a site."""
    width, number = max(factor.width for factor in factors), len(factors)
    tables = np.zeros((width, len(sequences.ALPHABET), 2 * number), np.float32)
    for i, factor in enumerate(factors):
        tables[: factor.width, : sequences.N, i] = factor.log_affinities
        tables[: factor.width, : sequences.N, number + i] = factor.log_affinities[::-1, ::-1]
        tables[: factor.width, sequences.N, [i, number + i]] = -np.inf
    return tables


def _affinities(tokens: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Returns the affinities (n, length, 2 factors) of the sites that begin at each position of
    tokens (n, length)."""
    width, length = len(tables), tokens.shape[1]
    padded = np.pad(tokens, ((0, 0), (0, width - 1)), constant_values=sequences.N)
    scores = tables[0][padded[:, :length]]
    for offset in range(1, width):
        scores += tables[offset][padded[:, offset : offset + length]]
    return np.exp(scores)


def response(occupancy: np.ndarray, at: np.ndarray, activities: np.ndarray) -> np.ndarray:
    """Returns expression (n,) in bins, from occupancies (n, factors), the share of A and T in each
    sequence (n,) and the activities (factors,)."""
    logit = BASAL + AT_EFFECT * (np.minimum(at, MOST_AT) - 0.5) + occupancy @ activities
    return BINS / (1 + np.exp(-logit))


def expression(tokens: np.ndarray, factors: Sequence[Factor], activities: np.ndarray) -> np.ndarray:
    """Returns the expression without noise (n,), in bins, of sequences of tokens (n, length)."""
    at = np.isin(tokens, WEAK).sum(axis=1) / (tokens != sequences.N).sum(axis=1)
    return response(occupancies(tokens, factors), at, activities)


def substitutions(
    tokens: np.ndarray, factors: Sequence[Factor], activities: np.ndarray
) -> np.ndarray:
    """Returns the `expression` (n, length, 4) of each sequence of tokens (n, length) with A, C, G
    or T in place of the letter at each position; NaN at an N.

    A substitution changes only the sites that cover it. So their affinities are replaced in the
    sums, and no mutated sequence is scanned.
    """
    tables, number = _tables(factors).astype(float), len(factors)
    letters = np.arange(len(BASES))
    result = np.empty((*tokens.shape, len(BASES)))
    for first in range(0, len(tokens), CHUNK):
        chunk = tokens[first : first + CHUNK]
        own = np.minimum(chunk, sequences.N - 1)
        affinities = _affinities(chunk, tables)
        change = np.zeros((*chunk.shape, len(BASES), 2 * number))
        for offset in range(min(len(tables), chunk.shape[1])):
            factor = np.exp(tables[offset, : sequences.N])
            # The sites whose letter number `offset` is at each position.
            covering = affinities[:, : chunk.shape[1] - offset]
            ratio = factor / factor[own[:, offset:], None] - 1
            change[:, offset:] += covering[:, :, None] * ratio
        strength = affinities.sum(axis=1)[:, None, None] + change
        strength = CONCENTRATION * (strength[..., :number] + strength[..., number:])
        weak, known = np.isin(chunk, WEAK), chunk != sequences.N
        more = np.isin(letters, WEAK) - weak[..., None].astype(int)
        at = weak.sum(axis=1)[:, None, None] + more
        at = at / known.sum(axis=1)[:, None, None]
        value = response(strength / (1 + strength), at, activities)
        result[first : first + CHUNK] = np.where(known[..., None], value, np.nan)
    return result


def simulate(
    parameters: Parameters,
    media: Sequence[str],
    construct: Construct,
    seed: int,
    known: Mapping[str, Factor],
) -> Simulation:
    """Simulates the assay in each medium.

    Each test set and each medium has its own random streams. If the size of one changes, the
    sequences and labels of the others stay the same, except for the choice of leaks.

    Args:
        known: name -> factor; more factors than those of `parameters` are allowed.

    Raises:
        ValueError: there is no medium, or one occurs twice; a factor is unknown, is too wide for
            the insert, or has no finite activity in a medium.
    """
    media = list(media)
    if not media or len(set(media)) < len(media):
        raise ValueError(f"media must be one or more different names, not {media}")
    activities = _activities(parameters.factors, media)
    if missing := [name for name in parameters.factors if name not in known]:
        raise ValueError(
            f"no matrix of JASPAR 2022 (CORE, species 4932) is named {', '.join(missing)}; correct "
            "`simulation: factors`"
        )
    factors = [known[name] for name in parameters.factors]
    shortest = construct.insert_length + min(OTHER_LENGTHS)
    for factor in factors:
        if MAX_SITES * factor.width > shortest:
            raise ValueError(
                f"an insert of {shortest} bp cannot hold {MAX_SITES} sites of {factor.name},"
                f" {factor.width} bp each; remove the factor from `simulation: factors`"
            )

    native_seed, random_seed, *media_seeds = np.random.SeedSequence(seed).spawn(2 + len(media))
    native, native_sites = _native(
        np.random.default_rng(native_seed), parameters, construct.insert_length, factors
    )
    lengths = np.full(parameters.random, construct.insert_length)
    random, random_sites = _random(np.random.default_rng(random_seed), lengths, factors)
    tests = {
        "native": sequences.in_construct(native, construct),
        "random": sequences.in_construct(random, construct),
    }
    test_letters = {name: _letters(tokens) for name, tokens in tests.items()}
    all_letters = test_letters["native"] + test_letters["random"]
    sites = {"native": native_sites, "random": random_sites}

    train, test = {}, {}
    for medium, medium_seed in zip(media, media_seeds, strict=True):
        train_rng, leak_rng, *test_rngs = map(np.random.default_rng, medium_seed.spawn(4))
        activity = activities[medium].to_numpy()
        truth = {name: expression(tokens, factors, activity) for name, tokens in tests.items()}
        test[medium] = {}
        for name, rng in zip(tests, test_rngs, strict=True):
            measured = _measure(rng, truth[name], parameters.noise / np.sqrt(CELLS))
            test[medium][name] = pd.DataFrame(
                {"sequence": test_letters[name], "Measured Expression": measured}
            )

        lengths = _train_lengths(train_rng, parameters.train, construct.insert_length)
        inserts, sites[f"train_{medium}"] = _random(train_rng, lengths, factors)
        tokens = sequences.in_construct(inserts, construct)
        leaked = leak_rng.choice(len(all_letters), parameters.leaks, replace=False)
        levels = np.concatenate(
            [expression(tokens, factors, activity), np.concatenate(list(truth.values()))[leaked]]
        )
        train[medium] = pd.DataFrame(
            {
                "sequence": _letters(tokens) + [all_letters[i] for i in leaked],
                "expression": np.rint(_measure(train_rng, levels, parameters.noise)).astype(int),
            }
        )

    site_table = pd.concat([table.assign(set=name) for name, table in sites.items()])
    factor_table = pd.DataFrame(
        {"factor": [f.name for f in factors], "matrix_id": [f.matrix_id for f in factors]}
    ).join(activities.reset_index(drop=True))
    return Simulation(
        train, test, site_table[["set", *SITE_COLUMNS]].reset_index(drop=True), factor_table
    )


def _activities(factors: Mapping[str, Mapping[str, float]], media: list[str]) -> pd.DataFrame:
    for name, activity in factors.items():
        for medium in media:
            if not np.isfinite(activity.get(medium, np.nan)):
                raise ValueError(
                    f"factor {name} has no finite activity in medium {medium}; add it to "
                    "`simulation: factors`"
                )
    return pd.DataFrame.from_dict(factors, orient="index", dtype=float)[media]


def _train_lengths(rng: np.random.Generator, number: int, nominal: int) -> np.ndarray:
    other = rng.random(number) < OTHER_LENGTH_SHARE
    return nominal + np.where(other, rng.choice(OTHER_LENGTHS, number), 0)


def _random(
    rng: np.random.Generator, lengths: np.ndarray, factors: Sequence[Factor]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Returns random inserts of the given lengths (n, longest), padded with N at the end, and their
    sites."""
    inserts = _background(rng, (len(lengths), lengths.max()), RANDOM_AT)
    sites = _plant(rng, inserts, lengths, factors)
    inserts[np.arange(lengths.max()) >= lengths[:, None]] = sequences.N
    return inserts, sites


def _native(
    rng: np.random.Generator, parameters: Parameters, length: int, factors: Sequence[Factor]
) -> tuple[np.ndarray, pd.DataFrame]:
    """Returns native-like inserts (n, length), family by family, founder first, and their sites."""
    families, members = parameters.native_families, parameters.native_per_family
    founders = _background(rng, (families, length), NATIVE_AT)
    _lay_tracts(rng, founders)
    founder_sites = _plant(rng, founders, np.full(families, length), factors)

    inserts = founders.repeat(members, axis=0)
    number = rng.integers(1, MAX_SUBSTITUTIONS + 1, len(inserts))
    number[::members] = 0  # the founders
    rank = rng.random(inserts.shape).argsort(axis=1).argsort(axis=1)
    shift = rng.integers(1, 4, size=inserts.shape, dtype=np.uint8)
    inserts = np.where(rank < number[:, None], (inserts + shift) % 4, inserts)

    sites = founder_sites.loc[founder_sites.index.repeat(members)]
    member = np.tile(np.arange(members), len(founder_sites))
    sites = sites.assign(row=sites["row"] * members + member).sort_values(["row", "start"])
    return inserts, sites


def _background(rng: np.random.Generator, shape: tuple[int, int], at: float) -> np.ndarray:
    """Returns inserts (n, length) without sites. The expected share of A and T of each is drawn
    from a normal distribution around `at`."""
    share = np.clip(rng.normal(at, AT_SPREAD, (shape[0], 1)), 0, 1)
    weak, coin = rng.random(shape) < share, rng.integers(2, size=shape, dtype=np.uint8)
    return np.where(weak, coin * sequences.T, sequences.C + coin).astype(np.uint8)


def _lay_tracts(rng: np.random.Generator, inserts: np.ndarray) -> None:
    """Writes poly-A and poly-T tracts into the inserts (n, length)."""
    number, length = inserts.shape
    there = rng.integers(MAX_TRACTS + 1, size=number)
    for tract in range(MAX_TRACTS):
        width = rng.integers(*TRACT_LENGTHS, size=(number, 1))
        start = rng.integers(length - width + 1)
        base = rng.choice([sequences.A, sequences.T], size=(number, 1)).astype(np.uint8)
        offset = np.arange(length) - start
        mask = (offset >= 0) & (offset < width) & (tract < there[:, None])
        np.copyto(inserts, base, where=mask)


def _plant(
    rng: np.random.Generator, inserts: np.ndarray, lengths: np.ndarray, factors: Sequence[Factor]
) -> pd.DataFrame:
    """Writes sites drawn from the factors' matrices into the inserts (n, longest), and returns the
    table of the sites."""
    shape = (len(inserts), MAX_SITES)
    widths = np.array([factor.width for factor in factors])
    chosen = rng.integers(len(factors), size=shape)
    used = np.arange(MAX_SITES) < rng.integers(MAX_SITES + 1, size=(len(inserts), 1))
    minus = rng.random(shape) < 0.5
    # Sites do not overlap, because each starts after the sites before it and a part of the free
    # bases.
    taken = np.where(used, widths[chosen], 0)
    free = (lengths - taken.sum(axis=1))[:, None]
    starts = np.sort(rng.integers(free + 1, size=shape), axis=1) + taken.cumsum(axis=1) - taken

    tables = []
    for i, factor in enumerate(factors):
        rows, slots = np.nonzero(used & (chosen == i))
        draws = rng.random((len(rows), factor.width, 1))
        words = (draws > factor.probabilities.cumsum(axis=1)[:, :3]).sum(axis=2).astype(np.uint8)
        turned = minus[rows, slots]
        words[turned] = sequences.reverse_complement(words[turned])
        start = starts[rows, slots]
        inserts[rows[:, None], start[:, None] + np.arange(factor.width)] = words
        columns = (
            rows,
            factor.name,
            factor.matrix_id,
            start + 1,
            start + factor.width,
            np.where(turned, "-", "+"),
        )
        tables.append(pd.DataFrame(dict(zip(SITE_COLUMNS, columns, strict=True))))
    return pd.concat(tables).sort_values(["row", "start"], ignore_index=True)


def _letters(tokens: np.ndarray) -> list[str]:
    return [sequences.letters(row) for row in tokens]


def _measure(rng: np.random.Generator, levels: np.ndarray, noise: float) -> np.ndarray:
    return np.clip(levels + rng.normal(0, noise, len(levels)), 0, BINS)
