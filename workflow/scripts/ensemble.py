"""Averages the predictions of a model's trainings from several seeds."""

import sys

from crmnet.data.predictions import KEY, columns, read, write
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
table = read(job.input[0])
names = columns(table)
write(job.output[0], [table[KEY].assign(ensemble=table[names].mean(axis=1))])
print(f"averaged {len(names)} trainings on {len(table):,} sequences", file=sys.stderr)
