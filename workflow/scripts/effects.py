"""Measures saliency at the sites of the selected motifs and expression with them, and chooses
examples."""

import sys

import pandas as pd

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

draw = {key: getattr(job.params, key) for key in ("replicates", "permutations", "seed")}

table = motif_effects(targets, hits, ranked, saliency, lengths, logos, **draw)
if kind := job.params.map:
    # The same measures of the map beside the paper's, of the sequences that have one.
    beside = load(job.input.map[0])
    some = ranked[ranked["row"].isin(beside.row)]
    beside = beside.of(some["row"])
    other = motif_effects(
        targets,
        hits[hits["sequence"].isin(some["sequence"])],
        some,
        masked(beside.gradient, beside.tokens),
        sequences.lengths(beside.tokens),
        logos,
        **draw,
    )
    other = other[other["measure"] != "expression"]
    names = {"saliency": kind, "absolute_saliency": f"absolute_{kind}"}
    names["logo_similarity"] = f"{kind}_logo_similarity"
    table = pd.concat([table, other.assign(measure=other["measure"].map(names))])
print(table.to_string(), file=sys.stderr)
write_tsv(job.output.effects, table, digits=6)
inserts = sequences.texts(maps.tokens, lengths)
shown = examples(targets, hits, ranked, saliency, inserts, maps.prediction)
write_tsv(job.output.examples, shown, digits=6)
