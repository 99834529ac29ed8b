"""Writes the family of each test sequence of a medium."""

import sys

import numpy as np
import pandas as pd

from crmnet.data.sequences import Construct
from crmnet.data.splits import families_of
from crmnet.data.tables import table_of
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
parts = []
for name, entry in job.params.test.items():
    sequences, family = families_of(
        [table_of(entry)], Construct(**job.params.construct), **job.params.relatives
    )
    parts.append(pd.DataFrame({"test_set": name, "sequence": sequences, "family": family}))
    sizes = np.bincount(family)
    print(
        f"{name}: {len(family):,} sequences in {len(sizes):,} families; {(sizes == 1).sum():,} "
        f"families have one sequence, and the largest has {sizes.max():,}",
        file=sys.stderr,
    )
write_tsv(job.output[0], pd.concat(parts))
