"""Holds out a test set from a medium's training files: a share of their families or sequences."""

import sys
import zlib

import pandas as pd

from crmnet.data.sequences import Construct, hashes
from crmnet.data.splits import Split, purpose
from crmnet.data.tables import Rejects, hold_out, table_of
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
test_set, fraction = job.wildcards.test_set, job.params.fraction
split = Split.load(job.input.split) if job.input.split else None


def chosen(keys):
    if split:
        mask, place = split.find(hashes(keys))
        mask[mask] = split.purposes[place] == purpose(test_set, fraction)
        return mask
    # These are the same sequences in every medium, and not those that `shards` takes for
    # validation.
    return hashes(keys, job.params.seed + zlib.crc32(test_set.encode()) + 1) < fraction * 2.0**64


sources = [table_of(entry) for entry in job.params.train]
construct = Construct(**job.params.construct)
# The script `shards` records the bad rows of these tables.
sequences, expression, rows, keys = hold_out(sources, construct, chosen, Rejects())
table = pd.DataFrame({"sequence": sequences, "expression": expression, "rows": rows})
if split:
    table["family"] = split.families[split.find(hashes(keys))[1]]
write_tsv(job.output[0], table)
families = f" and {table['family'].nunique():,} families" if split else ""
print(f"held out {len(table):,} sequences{families}, {rows.sum():,} rows", file=sys.stderr)
