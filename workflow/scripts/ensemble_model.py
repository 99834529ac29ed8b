"""Combines a model's trainings from several seeds into one model, which predicts their mean."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, devices.CPU | {"backend": job.params.backend})

from crmnet.models.files import load_model, save_model
from crmnet.models.means import ensemble

save_model(ensemble([load_model(path) for path in job.input.models]), job.output[0])
print(f"combined {', '.join(job.input.models)}", file=sys.stderr)
