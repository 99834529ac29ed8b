"""Puts the motifs of all methods into one table and selects those of Figure 5."""

import sys
from pathlib import Path

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.motifs import selection
from crmnet.motifs.known import known_motifs
from crmnet.motifs.motif import read_background, read_meme

job = snakemake

log_to(job.log[0])
tables = [read_table(Path(path).with_suffix(".tsv"), ["e_value"]) for path in job.input.motifs]
table = selection.table(
    tables,
    [motif for path in job.input.motifs for motif in read_meme(path)],
    read_table(job.input.matches),
    known_motifs(job.params.known).motifs,
    read_background(job.input.motifs[0]),
    **job.params.select,
    measure=job.params.measure,
    cutoff=job.params.cutoff,
)
shown = ["motif", "e_value", "target_name", "match", "ties", "reproduced_by", "selected", "why"]
print(table[shown].to_string(), file=sys.stderr)
write_tsv(job.output[0], table, digits=6)
