"""Compares saliency maps, and the map beside them, with those of the same model with randomised
weights."""

import sys

import numpy as np
import pandas as pd

from crmnet.data.tsv import write_tsv
from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

from crmnet.data.sequences import Construct
from crmnet.data.tables import read, table_of
from crmnet.interpretation.attributions import METHODS
from crmnet.interpretation.maps import load, same_inserts
from crmnet.interpretation.saliency import Gradients, cascade
from crmnet.models.files import load_model

((name, entry),) = job.params.test.items()
construct = Construct(**job.params.construct)
tokens, _ = read(table_of(entry), construct.length)
model = load_model(job.input.model, construct, job.wildcards.medium)
evaluate, tables = Gradients(model), []
for kind, number in job.params.sequences.items():
    maps = load(job.input[kind])
    if not same_inserts(maps, tokens):
        raise ValueError(
            f"{job.input[kind]} and {entry['path']} are not of the same sequences; delete the maps "
            "and run the workflow again"
        )
    count = min(number, len(maps))
    drawn = np.random.default_rng(job.params.seed).choice(len(maps), count, replace=False)
    maps = maps.of(maps.row[np.sort(drawn)])
    print(f"{name}: {kind} of {count:,} of {len(tokens):,} sequences", file=sys.stderr)
    attribute = METHODS[kind](evaluate, construct) if kind in METHODS else evaluate
    table = cascade(model, tokens[maps.row], maps, seed=job.params.seed, attribute=attribute)
    tables.append(table.assign(map=kind))
write_tsv(job.output[0], pd.concat(tables), digits=6)
