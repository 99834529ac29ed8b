"""Puts another model's published predictions beside the measurements, as `predict` does ours."""

import sys

import pandas as pd

from crmnet.logs import log_to
from crmnet.predictions import write
from crmnet.published import join
from crmnet.sequences import letters
from crmnet.tables import read, table_of

job = snakemake  # noqa: F821

log_to(job.log[0])
length = job.params.length
parts = []
for name, (test, published) in job.params.test.items():
    tokens, values = read(table_of(test), length)
    sequences = [letters(row) for row in tokens]
    predicted = join(sequences, table_of(published), length)
    parts.append(
        pd.DataFrame(
            {
                "test_set": name,
                "sequence": sequences,
                "measured": values["expression"],
                "published": predicted,
            }
        )
    )
    print(f"{name}: {len(sequences):,} published predictions", file=sys.stderr)
write(job.output[0], parts)
