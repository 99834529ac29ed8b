"""Writes another model's published predictions beside the measurements, in the format of
`predict`."""

import sys

import pandas as pd

from crmnet.data.predictions import PUBLISHED, write
from crmnet.data.published import join
from crmnet.data.sequences import letters
from crmnet.data.tables import Rejects, read, table_of
from crmnet.logs import log_to, say

job = snakemake

log_to(job.log[0])
length = job.params.length
parts = []
for name, (test, published) in job.params.test.items():
    tokens, values = read(table_of(test), length)
    sequences = [letters(row) for row in tokens]
    table, rejects = table_of(published), Rejects(sys.stderr)
    predicted = join(sequences, table, length, rejects)
    if rejects.count:
        say(
            f"{table.path}: {rejects.count:,} rows are bad and are left out (`on_bad_rows: drop`); "
            f"{job.log[0]} lists them"
        )
    parts.append(
        pd.DataFrame(
            {
                "test_set": name,
                "sequence": sequences,
                "measured": values["expression"],
                PUBLISHED: predicted,
            }
        )
    )
    print(f"{name}: {len(sequences):,} published predictions", file=sys.stderr)
write(job.output[0], parts)
