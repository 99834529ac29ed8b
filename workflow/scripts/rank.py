"""Ranks the inserts of a test set by measured expression, with their families and medoids."""

import sys

import numpy as np

from crmnet.data import ranking
from crmnet.data.fasta import write_fasta
from crmnet.data.sequences import Construct, texts
from crmnet.data.tables import read, table_of
from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
entry = job.params.entry
tokens, values = read(table_of(entry), job.params.length)
try:
    inserts, lengths = ranking.inserts_of(tokens, Construct(**job.params.construct))
except ValueError as error:
    raise ValueError(f"{entry['path']}: {error}") from error
known = read_table(job.input.families)
family = known.loc[known["test_set"] == job.params.test_set, "family"].to_numpy()
ranked = ranking.rank(
    inserts, values["expression"], family, job.params.families == "representatives"
)
if reason := ranking.unfit(ranked, inserts):
    each = " (one of each family)" if job.params.families == "representatives" else ""
    raise ValueError(
        f"{entry['path']}{each}: {reason}; name another test set (`motifs: test_set`), make this "
        "one larger, or leave the motif jobs out (`motifs: null`)"
    )
rows = ranked["row"].to_numpy()
sequences = texts(inserts[rows], lengths[rows])
write_fasta(job.output.fasta, zip(ranked["sequence"], sequences, strict=True))
write_tsv(job.output.tsv, ranked)
sizes = np.bincount(family)
print(
    f"{len(tokens):,} sequences in {len(sizes):,} families; {(sizes == 1).sum():,} families have "
    f"one sequence, and the largest has {sizes.max():,}; kept {len(ranked):,} sequences "
    f"({job.params.families})",
    file=sys.stderr,
)
