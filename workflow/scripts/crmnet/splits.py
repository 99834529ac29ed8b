"""Which sequences of tables are relatives, and which are for what: training, validation, tests."""

from __future__ import annotations

import numpy as np

from crmnet.families import families
from crmnet.sequences import Construct, leak_keys, letters, pad, unpadded
from crmnet.tables import Rejects, Table, chunks


def families_of(
    table: Table, construct: Construct, *, distance: int, overlap: int
) -> tuple[list[str], np.ndarray]:
    """The sequences of a test set, as the model sees them, and the family (n,) of each, from 0 in
    the order in which they appear: by the table's column of families, or else by a search among
    the inserts (see `families.families`).

    Raises:
        TableError: see `tables.chunks`.
        TooAlike: see `families.families`.
    """
    parts = list(chunks(table, Rejects()))
    text = [pad(part.buffer, part.starts, part.ends, construct.length) for part in parts]
    sequences = [letters(row) for rows in text for row in rows]
    if table.family is not None:
        names = np.concatenate([part.families for part in parts])
        number = {name: place for place, name in enumerate(dict.fromkeys(names))}
        return sequences, np.array([number[name] for name in names])
    keys = [leak_keys(part.buffer, part.starts, part.ends, construct) for part in parts]
    return sequences, families(unpadded(np.concatenate(keys)), distance, overlap)
