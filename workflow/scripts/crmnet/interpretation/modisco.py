"""Motifs of saliency maps, by TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416) in the package
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
# are half as long as an insert, so two sites in one insert would become a single seqlet.
WINDOW, FLANK = 15, 5
# The width of a pattern while it is built, without the flanks that are added on either side.
TRIMMED = 20
# Number of N on either side of the maps, so that patterns of sites at an insert's ends fit.
MARGIN = 15
# Number of clusterings, of which the best is used. Most of the time is spent on them, and the
# package's default, 50, takes five times as long.
LEIDEN_RUNS = 10
# The core of a pattern is between the outermost positions with this share of the largest
# contribution, as in the package's report.
CORE = 0.3


@dataclass(frozen=True)
class Pattern:
    """A motif of saliency maps.

    Attributes:
        motif: the motif. Its sites are seqlets, the stretches of the maps that were clustered.
        contribution: the mean contribution of the bases in its sites, as TF-MoDISco sees them: the
            gradient of a base minus the mean of all four.
        saliency: the mean input-masked gradient of these bases.
    """

    motif: Motif
    contribution: float
    saliency: float

    @property
    def sign(self) -> str:
        """Whether the motif's sites raise the prediction (`positive`) or lower it (`negative`)."""
        # The package's groups of patterns have a sign, too, but it is that of wider windows.
        return "positive" if self.contribution > 0 else "negative"


def package(threads: int) -> ModuleType:
    """Imports the package modisco-lite and sets its number of threads.

    Raises:
        ImportError: the package cannot be imported.
    """
    # Numba reads this variable only when it is imported.
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    try:
        import modiscolite
        import modiscolite.tfmodisco
    except ImportError as error:
        raise ImportError(
            "motifs of saliency maps need the package modisco-lite, which cannot be imported "
            f"({error}); install it (`pip install modisco-lite`), or let Snakemake install it "
            "(`--sdm conda`)"
        ) from error
    return modiscolite


def patterns(modiscolite: ModuleType, maps: Maps, seqlets: int) -> list[Pattern]:
    """Finds all patterns in saliency maps, those with the most seqlets first, named modisco_1, ...

    Args:
        modiscolite: the result of `package`.
        maps: the maps of sequences in random order, because the package uses the first seqlets.
        seqlets: the largest number of seqlets of either sign.

    Raises:
        MotifError: all maps are 0.
    """
    saliency = masked(maps.gradient, maps.tokens)
    if not saliency.any():
        raise MotifError("all saliency maps are 0; check that the model was trained")
    letters = one_hot(maps.tokens)[..., :4]
    # The contribution of a base is its gradient minus the mean of all four, and 0 at an N.
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
    # A group without patterns is None.
    raw = [pattern for group in groups for pattern in group or []]
    raw.sort(key=lambda pattern: -len(pattern.seqlets))
    saliency = np.pad(saliency, sides[:2])
    return [_pattern(f"{MODISCO}_{rank}", one, saliency) for rank, one in enumerate(raw, 1)]


def _pattern(name: str, raw, saliency: np.ndarray) -> Pattern:
    """Returns the core of one of the package's patterns.

    Args:
        name: the motif's name.
        raw: the package's pattern.
        saliency: (n, width) input-masked gradients, padded as in the package's input.
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
    """Returns the table of motifs, with `COLUMNS`. TF-MoDISco gives no E-values.

    Args:
        patterns: the result of `patterns`.
        engine: name and version of the package.
    """
    rows = []
    for pattern in patterns:
        motif = pattern.motif
        known = (motif.name, MODISCO, engine, motif.width, int(motif.sites), "", "")
        values = (pattern.sign, pattern.contribution, pattern.saliency)
        rows.append((*known, motif.consensus(), *values))
    return pd.DataFrame(rows, columns=COLUMNS)
