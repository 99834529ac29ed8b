"""Checks the sequences and variants to score, and puts them into the construct."""

import csv
import gzip
import sys
from pathlib import Path

from crmnet.data.sequences import Construct
from crmnet.data.variants import ALL, Placed, Variant, read_sequences, read_variants, saturation
from crmnet.logs import log_to

job = snakemake


def write(path, columns, records):
    """Writes named tuples as a table; says how many."""
    count = 0
    with gzip.open(path, "wt", compresslevel=1, newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        for record in records:
            writer.writerow(record)
            count += 1
    return count


log_to(job.log[0])
construct = Construct(**job.params.construct)
flanks = job.params.sequences["flanks"]
entry = job.params.sequences
sequences = read_sequences(
    Path(entry["file"]), entry["columns"], entry["header"], flanks, construct
)
write(job.output.sequences, Placed._fields, sequences)
print(f"{entry['file']}: {len(sequences):,} sequences", file=sys.stderr)
if entry := job.params.variants:
    if entry == ALL:
        variants = saturation(sequences, construct, flanks)
    else:
        variants = read_variants(
            Path(entry["file"]), entry["columns"], entry["header"], sequences, construct, flanks
        )
    print(f"{write(job.output.variants, Variant._fields, variants):,} variants", file=sys.stderr)
