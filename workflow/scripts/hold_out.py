"""Holds out a test set from a medium's training files: some of their families, sequences or rows
with some values in a column; or the sequences of a fold."""

import sys
import zlib

import numpy as np
import pandas as pd

from crmnet.data.sequences import Construct, hashes, strand_hashes
from crmnet.data.splits import FOLD, Draw, Split, keys_of
from crmnet.data.tables import Rejects, hold_out, table_of
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
construct = Construct(**job.params.construct)
split = Split.load(job.input.split) if job.input.split else None
given = Draw.of("", job.params.given) if job.params.given else None
wanted = given.purpose(job.wildcards.test_set) if given else FOLD
# The sequences of test sets are not in a fold.
tested = hashes(keys_of([table_of(entry) for entry in job.params.test], construct))


def chosen(keys):
    if split:
        mask, place = split.find(hashes(keys))
        mask[mask] = split.purposes[place] == wanted
        return mask & ~np.isin(hashes(keys), tested)
    # These are the same sequences in every medium, and not those that `shards` takes for
    # validation.
    seed = job.params.seed + zlib.crc32(job.wildcards.test_set.encode()) + 1
    return strand_hashes(keys, seed) < given.fraction * 2.0**64


sources = [table_of(entry) for entry in job.params.train]
# The script `shards` records the bad rows of these tables.
sequences, expression, rows, keys = hold_out(sources, construct, chosen, Rejects())
table = pd.DataFrame({"sequence": sequences, "expression": expression, "rows": rows})
if job.params.families:
    table["family"] = split.families[split.find(hashes(keys))[1]]
write_tsv(job.output[0], table)
families = f" and {table['family'].nunique():,} families" if job.params.families else ""
print(f"held out {len(table):,} sequences{families}, {rows.sum():,} rows", file=sys.stderr)
