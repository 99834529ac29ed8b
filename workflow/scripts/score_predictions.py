"""Predicts the expression of the user's sequences and the effects of variants, and makes saliency
maps."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

from pathlib import Path

import numpy as np

from crmnet.data.sequences import Construct
from crmnet.data.tsv import read_table, write_tsv
from crmnet.interpretation import scores

# Remove the results of an earlier run that this run does not make, so that they do not mislead.
for name in ("variants.tsv", "saliency.tsv", "saliency.npz"):
    Path(job.output.predictions).with_name(name).unlink(missing_ok=True)
files = dict(zip(job.params.media, job.input.models, strict=True))
scorer = scores.Scorer(files, Construct(**job.params.construct))
sequences = read_table(job.input.sequences)
with scorer.exactly():
    expression = scorer.expression(sequences["whole"])
    write_tsv(job.output.predictions, scores.predictions(sequences, expression), digits=6)
    print(f"{len(sequences):,} sequences predicted", file=sys.stderr)
    if path := job.output.get("variants"):
        blocks = read_table(job.input.variants, chunksize=scores.BLOCK)
        number = write_tsv(path, scorer.effects(blocks, expression), digits=6)
        print(f"{number:,} variants predicted", file=sys.stderr)
if path := job.output.get("saliency"):
    maps = scorer.saliency_maps(sequences)
    write_tsv(path, scores.saliency_tables(maps, sequences), digits=6)
    np.savez_compressed(job.output.maps, **maps)
    print(f"{len(sequences):,} saliency maps", file=sys.stderr)
