"""Ranks the inserts of a test set by measured expression, with their families and medoids."""

import sys

import numpy as np
import pandas as pd

from crmnet.data.families import medoids
from crmnet.data.fasta import write_fasta
from crmnet.data.sequences import ALPHABET, Construct, N, insert_span, pad
from crmnet.data.tables import read, table_of
from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
entry, construct = job.params.entry, Construct(**job.params.construct)
tokens, values = read(table_of(entry), job.params.length)
start, end = insert_span(tokens, construct)
offsets = np.arange(len(tokens)) * tokens.shape[1]
inserts = pad(tokens.ravel(), offsets + start, offsets + end, tokens.shape[1])
without = np.flatnonzero((inserts == N).all(axis=1))
if len(without):
    raise ValueError(
        f"{entry['path']}: {len(without)} sequence(s) have no insert, the first in row "
        f"{without[0]} (from 0): nothing, or only N, stands between the flanks; take them out, or "
        "mend `construct: left_flank` and `right_flank`"
    )

# In the order of the table: were the best expressed first, ties would make them the medoids.
known = read_table(job.input.families)
family = known.loc[known["test_set"] == job.params.test_set, "family"].to_numpy()
sizes = np.bincount(family)
ranked = pd.DataFrame(
    {
        "row": np.arange(len(tokens)),
        "expression": values["expression"],
        "family": family,
        "medoid": medoids(inserts, family),
        "size": sizes[family],
    }
)
if job.params.families == "representatives":
    ranked = ranked[ranked["medoid"]]
ranked = ranked.iloc[np.argsort(-ranked["expression"].to_numpy(), kind="stable")]
ranked.insert(0, "sequence", "s" + ranked["row"].astype(str))
ranked.insert(2, "rank", np.arange(len(ranked)))

# Letter for letter, also N at an end, so that positions are those of the saliency maps.
text = np.frombuffer(ALPHABET.encode(), np.uint8)[inserts]


def insert(row: int) -> str:
    return text[row, : end[row] - start[row]].tobytes().decode()


write_fasta(job.output.fasta, zip(ranked["sequence"], map(insert, ranked["row"]), strict=True))
write_tsv(job.output.tsv, ranked)
print(
    f"{len(tokens):,} sequences in {len(sizes):,} families: {(sizes == 1).sum():,} singletons, the "
    f"largest of {sizes.max():,}; {len(ranked):,} sequences are left ({job.params.families})",
    file=sys.stderr,
)
