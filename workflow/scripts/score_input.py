"""Checks the sequences and variants to score, and puts them into the construct."""

import sys
from pathlib import Path

from crmnet.data import variants
from crmnet.data.sequences import Construct
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
construct, entry = Construct(**job.params.construct), job.params.sequences
flanks = entry["flanks"]
sequences = variants.read_sequences(
    Path(entry["file"]), entry["columns"], entry["header"], flanks, construct
)
write_tsv(job.output.sequences, variants.tables(sequences), level=1)
print(f"{entry['file']}: {len(sequences):,} sequences", file=sys.stderr)
if entry := job.params.variants:
    if entry == variants.ALL:
        changes = variants.saturation(sequences, construct, flanks)
    else:
        changes = variants.read_variants(
            Path(entry["file"]), entry["columns"], entry["header"], sequences, construct, flanks
        )
    number = write_tsv(job.output.variants, variants.tables(changes), level=1)
    print(f"{number:,} variants", file=sys.stderr)
