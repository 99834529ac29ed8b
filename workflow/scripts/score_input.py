"""Checks the sequences and variants to score, and puts them into the construct."""

import sys
from pathlib import Path

from crmnet.data import variants
from crmnet.data.refused import Refused
from crmnet.data.sequences import Construct
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to, say

job = snakemake

log_to(job.log[0])
construct, entry = Construct(**job.params.construct), job.params.sequences
with open(job.output.refused, "w", encoding="utf-8") as sink:
    refused = Refused(sink, drop=job.params.on_bad_rows == "drop")
    sequences, regions = variants.read_sequences(
        entry, construct, refused, Path(job.output.sequences).parent
    )
    write_tsv(job.output.sequences, variants.tables(sequences), level=1)
    print(f"{len(sequences):,} sequences", file=sys.stderr)
    if changed := job.params.variants:
        if changed == variants.ALL:
            changes = variants.saturation(sequences, construct, entry["flanks"])
        else:
            changes = variants.read_variants(
                changed, sequences, regions, construct, entry["flanks"], refused
            )
        number = write_tsv(job.output.variants, variants.tables(changes), level=1)
        print(f"{number:,} variants", file=sys.stderr)
for what, number in refused.named():
    say(f"{number:,} {what}: see {job.output.refused}")
