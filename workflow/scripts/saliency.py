"""Makes a model's saliency maps of the inserts of a test set."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

from crmnet.data.sequences import Construct
from crmnet.data.tables import read, table_of
from crmnet.interpretation.maps import save
from crmnet.interpretation.saliency import insert_saliency
from crmnet.models.files import load_model

((name, entry),) = job.params.test.items()
construct = Construct(**job.params.construct)
model = load_model(job.input.model, construct, job.wildcards.medium)
tokens, values = read(table_of(entry), construct.length)
try:
    maps = insert_saliency(model, tokens, values["expression"], construct)
except ValueError as error:
    raise ValueError(f"{job.input.model} on {entry['path']}: {error}") from error
print(f"{name}: {len(maps):,} inserts of up to {maps.tokens.shape[1]} bases", file=sys.stderr)
save(job.output[0], maps)
