"""The known motifs of a species in JASPAR 2022 (Castro-Mondragon et al. 2022, Nucleic Acids Res.
50:D165), from the database in the package `pyjaspar`."""

from __future__ import annotations

import numpy as np

from crmnet.motifs.motif import LETTERS, Motif, MotifError


def known_motifs(collection: str = "CORE", species: int = 4932) -> list[Motif]:
    """Returns the newest version of every matrix of a species; `name` is the matrix id, `alt` the
    factor.

    Raises:
        MotifError: there are no matrices.
    """
    from pyjaspar import jaspardb  # slow to import

    matrices = jaspardb(release="JASPAR2022").fetch_motifs(
        collection=collection, species=[str(species)]
    )
    if not matrices:
        raise MotifError(f"JASPAR 2022 has no matrix of species {species} in {collection}")
    return [
        Motif(m.matrix_id, np.array([m.counts[letter] for letter in LETTERS]).T, alt=m.name)
        for m in matrices
    ]
