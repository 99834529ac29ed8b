"""Measures saliency at the matches of the selected motifs and expression with them, and chooses
examples."""

import sys

import numpy as np

from crmnet.data import sequences
from crmnet.data.sequences import ALPHABET
from crmnet.data.tsv import read_table, write_tsv
from crmnet.interpretation.effects import examples, motif_effects
from crmnet.interpretation.maps import load, masked
from crmnet.logs import log_to
from crmnet.motifs.motif import read_meme

job = snakemake

log_to(job.log[0])
motifs = read_table(job.input.motifs)
targets = motifs[motifs["selected"].notna()]
targets = targets.iloc[targets["selected"].astype(int).argsort()][["target", "target_name"]]
hits = read_table(job.input.hits)
ranked = read_table(job.input.ranked)
maps = load(job.input.saliency).of(ranked["row"])
saliency = masked(maps.gradient, maps.tokens)
lengths = sequences.lengths(maps.tokens)

known = {motif.name: motif.information() for motif in read_meme(job.input.jaspar)}

table = motif_effects(
    targets,
    hits,
    ranked,
    saliency,
    lengths,
    known,
    replicates=job.params.replicates,
    permutations=job.params.permutations,
    seed=job.params.seed,
)
print(table.to_string(), file=sys.stderr)
write_tsv(job.output.effects, table, digits=6)
# Keep each N inside an insert, so that letters and saliency have the same positions.
text = np.array(list(ALPHABET))[maps.tokens]
inserts = ["".join(row[:length]) for row, length in zip(text, lengths, strict=True)]
shown = examples(targets, hits, ranked, saliency, inserts, maps.prediction)
write_tsv(job.output.examples, shown, digits=6)
