"""Measures saliency at the sites of the selected motifs and expression with them, and chooses
examples."""

import sys

from crmnet.data import sequences
from crmnet.data.tsv import read_table, write_tsv
from crmnet.interpretation.effects import examples, motif_effects
from crmnet.interpretation.maps import load, masked
from crmnet.logs import log_to
from crmnet.motifs.motif import read_meme, selected

job = snakemake

log_to(job.log[0])
targets = selected(read_table(job.input.motifs), job.params.sites)[["target", "target_name"]]
hits = read_table(job.input.hits)
ranked = read_table(job.input.ranked)
maps = load(job.input.saliency).of(ranked["row"])
saliency = masked(maps.gradient, maps.tokens)
lengths = sequences.lengths(maps.tokens)

logos = {motif.name: motif.information() for motif in read_meme(job.input.scanned)}

table = motif_effects(
    targets,
    hits,
    ranked,
    saliency,
    lengths,
    logos,
    replicates=job.params.replicates,
    permutations=job.params.permutations,
    seed=job.params.seed,
)
print(table.to_string(), file=sys.stderr)
write_tsv(job.output.effects, table, digits=6)
inserts = sequences.texts(maps.tokens, lengths)
shown = examples(targets, hits, ranked, saliency, inserts, maps.prediction)
write_tsv(job.output.examples, shown, digits=6)
