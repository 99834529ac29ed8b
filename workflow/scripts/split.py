"""Takes training sequences for validation and for held-out test sets: whole families, or the rows
with some values in a column."""

import sys
from collections import Counter

from crmnet.data.sequences import Construct
from crmnet.data.splits import split
from crmnet.data.tables import Rejects, table_of
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
made = split(
    {m: [table_of(entry) for entry in tables] for m, tables in job.params.train.items()},
    [table_of(entry) for entry in job.params.test],
    job.params.held_out,
    Construct(**job.params.construct),
    validation_fraction=job.params.validation_fraction,
    validation=job.params.validation,
    single=job.params.single,
    seed=job.params.seed,
    # The script `shards` records the bad rows of these tables.
    rejects=Rejects(),
    **job.params.relatives,
)
made.save(job.output[0])
for medium, counts in made.counts.items():
    print(
        f"{medium}: {counts['sequences']:,} sequences in {counts['families']:,} families; the "
        f"largest family has {counts['largest']:,} rows",
        file=sys.stderr,
    )
for use, number in Counter(made.purposes.tolist()).items():
    print(f"for {use}: {number:,} sequences", file=sys.stderr)
