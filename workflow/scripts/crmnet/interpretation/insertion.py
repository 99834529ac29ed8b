"""In-silico insertion: the effects of motif sites on the predicted expression of random inserts (as
in Koo et al. 2021, PLoS Comput. Biol. 17:e1008925). Needs no deep learning framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from crmnet.data import sequences
from crmnet.data.sequences import Construct, N, reverse_complement
from crmnet.motifs.motif import Motif, MotifError

COLUMNS = [
    *("motif", "name", "position", "strand", "effect", "low", "high"),
    *("control", "control_low", "control_high", "inserts"),
]
# The strand in the row that averages over all positions and both strands.
BOTH = "both"


def random_inserts(number: int, construct: Construct, seed: int) -> np.ndarray:
    """Returns tokens (number, insert_length), uint8, of inserts with equally likely letters."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, (number, construct.insert_length), np.uint8)


def in_construct(inserts: np.ndarray, construct: Construct) -> np.ndarray:
    """Returns the model's input, tokens (n, length), for inserts (n, w) between the flanks.

    Raises:
        ValueError: inserts and flanks together are longer than the model's input.
    """
    whole = sequences.in_construct(inserts, construct)
    room = construct.length - whole.shape[1]
    if room < 0:
        raise ValueError(
            f"insert and flanks have {whole.shape[1]} letters, but the model reads only "
            f"{construct.length}; correct `construct` in the config"
        )
    return np.pad(whole, ((0, 0), (0, room)), constant_values=N)


def sites(
    motif: Motif, number: int, rng: np.random.Generator, *, drawn: bool = False
) -> np.ndarray:
    """Returns tokens (number, width), uint8, of sites of a motif.

    Each is the motif's most likely site, or, if `drawn`, a random one from its probabilities."""
    probabilities = motif.probabilities()
    if not drawn:
        return np.tile(probabilities.argmax(axis=1).astype(np.uint8), (number, 1))
    below = probabilities.cumsum(axis=1)[:, :3] <= rng.random((number, motif.width, 1))
    return below.sum(axis=2, dtype=np.uint8)


def insertion_effects(
    motifs: Sequence[Motif],
    predict: Callable[[np.ndarray], np.ndarray],
    construct: Construct,
    *,
    inserts: int,
    positions: int,
    seed: int,
    drawn: bool = False,
    replicates: int = 1000,
) -> pd.DataFrame:
    """Returns the effects of each motif's sites in random inserts.

    An effect is the predicted expression of an insert with a site minus that of the same insert
    without the site. Sites are placed at evenly spaced positions and on both strands. The control
    is a site with the same letters in an order that is shuffled for each insert. All motifs get the
    same inserts, and the numbers of one motif do not depend on the others.

    Args:
        motifs: the motifs.
        predict: tokens (n, length), uint8 -> expression (n,).
        construct: the construct that the inserts are placed in.
        inserts: number of random inserts.
        positions: number of start positions of a site, from the insert's first letter to the last
            one at which the site fits. A single position is the middle.
        seed: seed of the inserts, sites and bootstrap.
        drawn: see `sites`.
        replicates: number of bootstrap replicates of the inserts, for 95 % percentile intervals.

    Returns:
        A table with `COLUMNS`. Each motif has one row per position (of the site's first letter in
        the insert, from 1) and strand. Before these comes a row with their mean, whose position is
        NaN and whose strand is `BOTH`.

    Raises:
        MotifError: a motif is wider than an insert.
        ValueError: see `in_construct`; or a prediction is not finite.
    """
    width = construct.insert_length
    for motif in motifs:
        if motif.width > width:
            raise MotifError(
                f"motif {motif.name} {motif.alt} has {motif.width} positions, but an insert has "
                f"only {width}; select another motif or make `construct: insert_length` larger"
            )
    random = random_inserts(inserts, construct, seed)
    # The number of copies of each insert in each replicate.
    copies = np.random.default_rng(seed).multinomial(
        inserts, np.full(inserts, 1 / inserts), replicates
    )

    def expression(several: np.ndarray) -> np.ndarray:
        """Returns the predicted expression (..., n) of inserts (..., n, width)."""
        predicted = np.asarray(predict(in_construct(several.reshape(-1, width), construct)), float)
        if not np.isfinite(predicted).all():
            raise ValueError(
                "the model predicts an expression that is not finite; delete the model and train "
                "it again"
            )
        return predicted.reshape(several.shape[:-1])

    without = expression(random) if motifs else None
    parts = []
    for motif in motifs:
        rng = np.random.default_rng([seed, *motif.name.encode()])
        inserted = sites(motif, inserts, rng, drawn=drawn)
        shuffled = rng.permuted(inserted, axis=1)
        starts = _starts(width - motif.width, positions)
        effect, control = (
            expression(_inserted(random, each, starts)) - without for each in (inserted, shuffled)
        )
        part = pd.DataFrame(
            {
                "motif": motif.name,
                "name": motif.alt or motif.name,
                "position": [np.nan, *np.repeat(starts + 1, 2)],
                "strand": [BOTH, *"+-" * len(starts)],
                "inserts": inserts,
            }
        )
        names = (("effect", "low", "high"), ("control", "control_low", "control_high"))
        for keys, values in zip(names, (effect, control), strict=True):
            rows = np.concatenate([values.mean(axis=0, keepdims=True), values])
            part[list(keys)] = _intervals(rows, copies)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def _starts(room: int, positions: int) -> np.ndarray:
    """Returns up to `positions` different starts, evenly spaced from 0 to `room`."""
    if positions == 1:
        return np.array([room // 2])
    return np.unique(np.linspace(0, room, positions).round().astype(int))


def _inserted(inserts: np.ndarray, site: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Returns inserts (2 p, n, w) with their sites (n, width) at each of p starts, on + and -."""
    strands = (site, reverse_complement(site))
    several = np.tile(inserts, (2 * len(starts), 1, 1))
    for place, changed in enumerate(several):
        start = starts[place // 2]
        changed[:, start : start + site.shape[1]] = strands[place % 2]
    return several


def _intervals(values: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Returns mean, low and high (rows, 3) of values (rows, n); `copies` (b, n) are the replicates'
    counts."""
    means = copies @ values.T / values.shape[1]
    return np.column_stack([values.mean(axis=1), *np.percentile(means, [2.5, 97.5], axis=0)])
