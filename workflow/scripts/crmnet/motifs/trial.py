"""A few sequences on which the motif jobs are tried before a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from crmnet.data.fasta import write_fasta
from crmnet.data.sequences import letters
from crmnet.data.tsv import write_tsv
from crmnet.motifs.motif import LETTERS, MEME, Motif, write_meme

# Half of this many sequences, those with the highest expression, have the planted site.
SEQUENCES, LENGTH = 40, 80
# The site that REB1 prefers.
SITE = "CGGGTAA"


def write(folder: Path, seed: int = 1) -> None:
    """Writes random sequences with a planted motif, in the forms that motif jobs read.

    These are ranked.fa and ranked.tsv (the inserts from highest to lowest expression), planted.meme
    and planted.tsv (the motif)."""
    random = np.random.default_rng(seed)
    site = np.array([LETTERS.index(letter) for letter in SITE])
    tokens = random.integers(0, 4, (SEQUENCES, LENGTH))
    for row in tokens[: SEQUENCES // 2]:
        start = random.integers(LENGTH - len(site))
        row[start : start + len(site)] = site
    names = [f"trial_{number}" for number in range(SEQUENCES)]
    folder.mkdir(parents=True, exist_ok=True)
    write_fasta(folder / "ranked.fa", zip(names, map(letters, tokens), strict=True))
    ranked = {"sequence": names, "row": range(SEQUENCES), "family": range(SEQUENCES)}
    write_tsv(folder / "ranked.tsv", pd.DataFrame(ranked))
    planted = Motif("meme_1", np.eye(4)[site], sites=SEQUENCES / 2, e_value=1e-9)
    write_meme(folder / "planted.meme", [planted], np.full(4, 0.25))
    write_tsv(folder / "planted.tsv", pd.DataFrame({"motif": ["meme_1"], "method": [MEME]}))
