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
model, length = job.params.model, job.params.length
parts = []
for name, entry in job.params.test.items():
    if model not in entry.get("published", {}):
        continue
    tokens, values = read(table_of(entry), length)
    sequences = [letters(row) for row in tokens]
    predicted = join(sequences, table_of(entry["published"][model]), length)
    parts.append(
        pd.DataFrame(
            {
                "test_set": name,
                "sequence": sequences,
                "measured": values["expression"],
                "predicted": predicted,
            }
        )
    )
    print(f"{name}: {len(sequences):,} predictions of {model}", file=sys.stderr)
if not parts:
    raise ValueError(f"no test set has predictions of {model} under `published:` in the config")
write(job.output[0], parts)
