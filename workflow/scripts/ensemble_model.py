"""Puts a model's trainings from several seeds into one model, which predicts their mean."""

import sys

from crmnet.logs import log_to
from crmnet.training import devices

job = snakemake

log_to(job.log[0])
devices.setup(
    backend=job.params.backend, device="cpu", precision="float32", threads=job.threads, seed=0
)

# Keras takes its backend when it is imported, so only now.
from crmnet.models.files import load_model
from crmnet.models.means import ensemble

ensemble([load_model(path) for path in job.input.models]).save(job.output[0])
print(f"the mean of {', '.join(job.input.models)}", file=sys.stderr)
