"""Motifs of saliency maps: TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416) by the package
modisco-lite."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pandas as pd

from crmnet.data.sequences import one_hot
from crmnet.interpretation.maps import Maps, masked
from crmnet.motifs.motif import COLUMNS as MOTIF_COLUMNS
from crmnet.motifs.motif import MODISCO, Motif, MotifError

COLUMNS = [*MOTIF_COLUMNS, "sign", "contribution", "saliency"]

# Sites of yeast's factors have 6 to 15 bases. The package's own windows, 21 with 10 on either side,
# would be half an insert, and two sites in one insert a single seqlet.
WINDOW, FLANK = 15, 5
# Of a pattern while it is built: the window, and what is added on either side.
TRIMMED = 20
# N on either side of the maps: a pattern must fit in them, also of sites next to an insert's ends.
MARGIN = 15
# Clusterings, of which it takes the best. They take most of its time; its own 50, five times that.
LEIDEN_RUNS = 10
# Positions of the core have this share of the largest contribution, as in the package's report.
CORE = 0.3


@dataclass(frozen=True)
class Pattern:
    """A motif of saliency maps.

    Attributes:
        motif: its sites are seqlets, the stretches of the maps that were clustered.
        contribution: mean over the bases of its sites of what TF-MoDISco sees: how much a base adds
            over the mean of all four.
        saliency: the same of the input-masked gradient.
    """

    motif: Motif
    contribution: float
    saliency: float

    @property
    def sign(self) -> str:
        """Whether its sites raise the prediction (`positive`) or lower it (`negative`)."""
        # The package's group of patterns has a sign too, but that of wider windows.
        return "positive" if self.contribution > 0 else "negative"


def package(threads: int) -> ModuleType:
    """The package modisco-lite, set to use so many threads.

    Raises:
        ImportError: it cannot be imported.
    """
    # Numba reads it once, when it is imported.
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    try:
        import modiscolite
        import modiscolite.tfmodisco
    except ImportError as error:
        raise ImportError(
            "motifs of saliency maps need the package modisco-lite, which cannot be imported "
            f"({error}); install it (`pip install modisco-lite`), or let Snakemake do so "
            "(`--sdm conda`)"
        ) from error
    return modiscolite


def patterns(modiscolite: ModuleType, maps: Maps, seqlets: int) -> list[Pattern]:
    """All patterns in saliency maps, those of the most seqlets first, named modisco_1, ...

    Args:
        modiscolite: see `package`.
        maps: of sequences in a random order, of which the package takes the first seqlets.
        seqlets: how many of either sign it takes, at most.

    Raises:
        MotifError: no map has a gradient.
    """
    saliency = masked(maps.gradient, maps.tokens)
    if not saliency.any():
        raise MotifError("all maps are 0; is the model trained?")
    letters = one_hot(maps.tokens)[..., :4]
    # What a base adds over the mean of all four; where there is N, nothing.
    hypothetical = maps.gradient - maps.gradient.mean(axis=2, keepdims=True)
    hypothetical *= letters.any(axis=2, keepdims=True)
    sides = ((0, 0), (MARGIN, MARGIN), (0, 0))
    groups = modiscolite.tfmodisco.TFMoDISco(
        one_hot=np.pad(letters, sides),
        hypothetical_contribs=np.pad(hypothetical, sides),
        sliding_window_size=WINDOW,
        flank_size=FLANK,
        trim_to_window_size=TRIMMED,
        initial_flank_to_add=FLANK,
        n_leiden_runs=LEIDEN_RUNS,
        max_seqlets_per_metacluster=seqlets,
    )
    # A group without a pattern is None.
    raw = [pattern for group in groups for pattern in group or []]
    raw.sort(key=lambda pattern: -len(pattern.seqlets))
    saliency = np.pad(saliency, sides[:2])
    return [_pattern(f"{MODISCO}_{rank}", one, saliency) for rank, one in enumerate(raw, 1)]


def _pattern(name: str, raw, saliency: np.ndarray) -> Pattern:
    """The core of one of the package's patterns.

    Args:
        saliency: (n, width), of the maps as the package has them.
    """
    size = np.abs(raw.contrib_scores).sum(axis=1)
    core = np.flatnonzero(size >= CORE * size.max())
    seqlets = [seqlet.trim(core[0], core[-1] + 1) for seqlet in raw.seqlets]
    counts = np.sum([seqlet.sequence for seqlet in seqlets], axis=0)
    contribution = np.sum([seqlet.contrib_scores for seqlet in seqlets])
    gradient = sum(
        saliency[seqlet.example_idx, seqlet.start : seqlet.end].sum() for seqlet in seqlets
    )
    bases = counts.sum()
    return Pattern(Motif(name, counts, len(seqlets)), contribution / bases, gradient / bases)


def table(patterns: Sequence[Pattern], engine: str) -> pd.DataFrame:
    """The table of motifs, with `COLUMNS`; TF-MoDISco states no E-values.

    Args:
        engine: name and version of the package.
    """
    rows = []
    for pattern in patterns:
        motif = pattern.motif
        known = (motif.name, MODISCO, engine, motif.width, int(motif.sites), "", "")
        values = (pattern.sign, pattern.contribution, pattern.saliency)
        rows.append((*known, motif.consensus(), *values))
    return pd.DataFrame(rows, columns=COLUMNS)
