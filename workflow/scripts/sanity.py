"""Compares saliency maps with those of the same model with randomised weights."""

import sys

import numpy as np

from crmnet.data.tsv import write_tsv
from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

from crmnet.data.sequences import Construct
from crmnet.data.tables import read, table_of
from crmnet.interpretation.maps import load, same_inserts
from crmnet.interpretation.saliency import cascade
from crmnet.models.files import load_model

((name, entry),) = job.params.test.items()
maps = load(job.input.saliency)
construct = Construct(**job.params.construct)
tokens, _ = read(table_of(entry), construct.length)
if not same_inserts(maps, tokens):
    raise ValueError(
        f"{job.input.saliency} and {entry['path']} are not of the same sequences; delete the maps "
        "and run the workflow again"
    )
count = min(job.params.sequences, len(maps))
drawn = np.random.default_rng(job.params.seed).choice(len(maps), count, replace=False)
maps = maps.of(maps.row[np.sort(drawn)])
print(f"{name}: {count:,} of {len(tokens):,} sequences", file=sys.stderr)
model = load_model(job.input.model, construct, job.wildcards.medium)
table = cascade(model, tokens[maps.row], maps, seed=job.params.seed)
write_tsv(job.output[0], table, digits=6)
