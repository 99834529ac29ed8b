"""Deals the training sequences to the folds of the cross-validation."""

import sys

from crmnet.data.folds import folds
from crmnet.data.sequences import Construct
from crmnet.data.tables import Rejects, table_of
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
splits, table = folds(
    {m: [table_of(entry) for entry in tables] for m, tables in job.params.train.items()},
    [table_of(entry) for entry in job.params.test],
    len(job.output.splits),
    Construct(**job.params.construct),
    by=job.params.by,
    validation_fraction=job.params.validation_fraction,
    single=job.params.single,
    seed=job.params.seed,
    # The script `shards` records the bad rows of these tables.
    rejects=Rejects(),
    **job.params.relatives,
)
for split, path in zip(splits, job.output.splits, strict=True):
    split.save(path)
write_tsv(job.output.table, table)
print(table.to_string(index=False), file=sys.stderr)
