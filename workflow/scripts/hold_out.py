"""Takes a test set from a medium's training files: a share of their sequences."""

import os
import sys
import zlib

import pandas as pd

from crmnet.logs import log_to
from crmnet.sequences import Construct
from crmnet.tables import Rejects, hold_out, table_of

job = snakemake  # noqa: F821

log_to(job.log[0])
# The same sequences in every medium; others than those that `shards` takes for validation.
seed = job.params.seed + zlib.crc32(job.wildcards.test_set.encode()) + 1
with open(os.devnull, "w") as nowhere:
    # Bad rows that are dropped are set aside by `shards`.
    rejects = Rejects(nowhere if job.params.on_bad_rows == "drop" else None)
    sequences, expression, rows = hold_out(
        [table_of(entry) for entry in job.params.train],
        Construct(**job.params.construct),
        job.params.fraction,
        seed,
        rejects,
    )
table = pd.DataFrame({"sequence": sequences, "expression": expression, "rows": rows})
table.to_csv(job.output[0], sep="\t", index=False)
print(f"{len(table):,} sequences held out, of {rows.sum():,} rows", file=sys.stderr)
