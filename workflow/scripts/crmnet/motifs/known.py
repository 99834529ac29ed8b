"""The known motifs, with which found motifs are compared: those of a species or a taxonomic group
in JASPAR 2022 (Castro-Mondragon et al. 2022, Nucleic Acids Res. 50:D165), from the database in the
package `pyjaspar`, or those of the user's own file."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crmnet.motifs.motif import LETTERS, Motif, MotifError, read_meme, repeated_names

RELEASE = "JASPAR2022"
YEAST = {"collection": "CORE", "taxon": 4932}


class Known(NamedTuple):
    """Known motifs, and where they come from, as a text for tables and figures."""

    motifs: list[Motif]
    source: str


def known_motifs(known: str | Mapping = YEAST) -> Known:
    """Returns the known motifs; `name` is the id of a matrix, `alt` the name of the factor.

    Args:
        known: the path of a file in MEME's text format; or, for the newest version of each matrix
            of JASPAR 2022, its `collection` and `taxon`: a species by its number in the NCBI's
            taxonomy or its name, or a taxonomic group, such as `vertebrates`.

    Raises:
        MotifError: JASPAR has no such motifs (see `taxon_of`); or the file has no motif, or cannot
            be used (see `of_file`).
    """
    if isinstance(known, str):
        motifs = of_file(known)
        return Known(motifs, f"{Path(known).name} ({len(motifs)} motifs)")
    column, value, name = taxon_of(**known)
    from pyjaspar import jaspardb  # slow to import

    matrices = jaspardb(release=RELEASE).fetch_motifs(
        collection=known["collection"], **{column: [value]}
    )
    motifs = []
    for matrix in matrices:
        counts = np.array([matrix.counts[letter] for letter in LETTERS]).T
        if counts.any(axis=1).all():
            motifs.append(Motif(matrix.matrix_id, counts, alt=matrix.name))
        else:
            print(f"{matrix.matrix_id} is left out: a position has no counts", file=sys.stderr)
    source = f"JASPAR 2022 {known['collection']}, {name} ({len(motifs)} motifs)"
    return Known(motifs, source)


def of_file(path: str) -> list[Motif]:
    """Returns the motifs of a file in MEME's text format.

    Raises:
        MotifError: see `read_meme`; or the file has no motif, or two of one name.
    """
    motifs = read_meme(path)
    if not motifs:
        raise MotifError(f"{path}: has no motif; give a file with known motifs")
    if twice := repeated_names(motifs):
        raise MotifError(f"{path}: several motifs are named {', '.join(twice[:5])}; rename them")
    # Tables and figures show the second name.
    return [replace(motif, alt=motif.alt or motif.name) for motif in motifs]


def taxon_of(collection: str, taxon: int | str) -> tuple[str, str, str]:
    """Returns what a taxon is in JASPAR 2022: `species` or `tax_group`, its number or name there,
    and its name for people.

    It only needs the file of the database, so it is fast enough for a check of the config.

    Raises:
        MotifError: the collection has no matrix of this taxon.
    """
    path = Path(find_spec("pyjaspar").origin).parent / "data" / f"{RELEASE}.sqlite"
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        of_collection = (
            "SELECT ID FROM MATRIX WHERE COLLECTION = ? AND (BASE_ID, VERSION) IN "
            "(SELECT BASE_ID, MAX(VERSION) FROM MATRIX GROUP BY BASE_ID)"
        )
        group = database.execute(
            "SELECT VAL FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group' AND VAL = ? "
            f"AND ID IN ({of_collection})",
            (str(taxon), collection),
        ).fetchone()
        if group:
            return "tax_group", group[0], group[0]
        species = database.execute(
            "SELECT TAX.TAX_ID, SPECIES FROM TAX JOIN MATRIX_SPECIES ON TAX.TAX_ID = "
            "CAST(MATRIX_SPECIES.TAX_ID AS INTEGER) WHERE "
            f"(CAST(TAX.TAX_ID AS TEXT) = ? OR SPECIES = ?) AND ID IN ({of_collection})",
            (str(taxon), str(taxon), collection),
        ).fetchone()
        if species:
            return "species", str(species[0]), species[1]
        groups = database.execute(
            "SELECT DISTINCT VAL FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group' "
            f"AND ID IN ({of_collection}) ORDER BY VAL",
            (collection,),
        ).fetchall()
    finally:
        database.close()
    raise MotifError(
        f"JASPAR 2022 has no motif of {taxon!r} in its collection {collection}; give a species "
        "by its number or name in the NCBI's taxonomy, a group "
        f"({', '.join(name for (name,) in groups)}), or a file in MEME's format"
    )
