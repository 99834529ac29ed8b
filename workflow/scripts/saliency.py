"""Makes a model's saliency maps of the inserts of a test set, and other maps of some of them."""

import dataclasses
import sys
import time

from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

import numpy as np

from crmnet.data.sequences import Construct
from crmnet.data.tables import read, table_of
from crmnet.interpretation.attributions import METHODS
from crmnet.interpretation.maps import save
from crmnet.interpretation.saliency import Gradients, insert_saliency
from crmnet.models.files import load_model

((name, entry),) = job.params.test.items()
construct = Construct(**job.params.construct)
model = load_model(job.input.model, construct, job.wildcards.medium)
tokens, values = read(table_of(entry), construct.length)
evaluate = Gradients(model)
some = np.arange(len(tokens))
if (number := job.params.sequences) and number < len(tokens):
    some = np.sort(np.random.default_rng(job.params.seed).choice(some, number, replace=False))
for kind in ("gradient", *job.params.maps):
    attribute, rows = evaluate, slice(None)
    if kind != "gradient":
        attribute, rows = METHODS[kind](evaluate, construct), some
    start = time.process_time()
    try:
        maps = insert_saliency(
            model, tokens[rows], values["expression"][rows], construct, attribute
        )
    except ValueError as error:
        raise ValueError(f"{job.input.model} on {entry['path']}: {error}") from error
    maps = dataclasses.replace(maps, row=np.arange(len(tokens))[rows])
    print(
        f"{name}: {kind} of {len(maps):,} inserts of up to {maps.tokens.shape[1]} bases, "
        f"{time.process_time() - start:.1f} CPU seconds",
        file=sys.stderr,
    )
    save(job.output[kind], maps)
