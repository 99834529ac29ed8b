"""Predicts the expression of every test sequence of a medium with each training of a model."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

import pandas as pd

from crmnet.data.predictions import write
from crmnet.data.sequences import Construct, letters
from crmnet.data.tables import read, table_of
from crmnet.models.files import load_model
from crmnet.training.prediction import predict

construct = Construct(**job.params.construct)
sets = {name: read(table_of(entry), construct.length) for name, entry in job.params.test.items()}
parts = {
    name: pd.DataFrame(
        {
            "test_set": name,
            "sequence": [letters(row) for row in tokens],
            "measured": values["expression"],
        }
    )
    for name, (tokens, values) in sets.items()
}
for training, path in zip(job.params.names, job.input.models, strict=True):
    model = load_model(path, construct, job.wildcards.medium)
    for name, (tokens, _) in sets.items():
        parts[name][training] = predict(model, tokens)
        print(f"{path}: predicted {len(tokens):,} sequences of {name}", file=sys.stderr)
write(job.output[0], list(parts.values()))
