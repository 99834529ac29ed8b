"""Predicts the expression of every test sequence of a medium."""

import sys

from crmnet import devices
from crmnet.logs import log_to

job = snakemake  # noqa: F821

log_to(job.log[0])
devices.setup(**job.params.hardware, threads=job.threads, seed=0)

# Keras takes its backend when it is imported, so only now.
import pandas as pd  # noqa: E402

from crmnet.baselines import load_model  # noqa: E402
from crmnet.predictions import write  # noqa: E402
from crmnet.sequences import letters  # noqa: E402
from crmnet.tables import read, table_of  # noqa: E402
from crmnet.training import predict  # noqa: E402

model = load_model(job.input.model)
parts = []
for name, entry in job.params.test.items():
    tokens, values = read(table_of(entry), job.params.length)
    parts.append(
        pd.DataFrame(
            {
                "test_set": name,
                "sequence": [letters(row) for row in tokens],
                "measured": values["expression"],
                "predicted": predict(model, tokens),
            }
        )
    )
    print(f"{name}: {len(tokens):,} sequences predicted", file=sys.stderr)
write(job.output[0], parts)
