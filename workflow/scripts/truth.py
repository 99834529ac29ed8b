"""Compares the planted motifs and sites of simulated promoters with those that the motif jobs and
saliency maps find."""

import sys

import numpy as np
import pandas as pd

from crmnet.data import sequences
from crmnet.data.sequences import Construct
from crmnet.data.simulation import factors_of
from crmnet.data.tsv import read_table, write_tsv
from crmnet.interpretation import truth
from crmnet.interpretation.effects import covered
from crmnet.interpretation.maps import load, masked
from crmnet.logs import log_to
from crmnet.motifs.known import known_motifs
from crmnet.motifs.selection import RANKED_BY, REPRODUCED_BY

job = snakemake

log_to(job.log[0])
# Read E-values as text, because they may be below the smallest double.
table = read_table(job.input.motifs, ["e_value"])
matches, hits, ranked, sites, factors = (
    read_table(job.input[name]) for name in ("matches", "hits", "ranked", "sites", "factors")
)
sites = sites[sites["set"] == job.params.test_set]
if sites.empty:
    raise ValueError(
        f"{job.input.sites}: has no sites of a test set {job.params.test_set!r}; set `motifs: "
        "test_set` to a simulated test set"
    )
maps = load(job.input.saliency).of(ranked["row"])
saliency = masked(maps.gradient, maps.tokens)
lengths = sequences.lengths(maps.tokens)

rule = (job.params.medium, job.params.measure, job.params.cutoff)
methods = [RANKED_BY, *REPRODUCED_BY]
low, low_matches = read_table(job.input.low, ["e_value"]), read_table(job.input.low_matches)
motifs = pd.concat(
    [
        truth.found_motifs(table, matches, factors, methods, *rule),
        truth.found_motifs(low, low_matches, factors, [RANKED_BY], *rule).assign(end="low"),
    ]
)
print(motifs.to_string(), file=sys.stderr)
write_tsv(job.output.found, motifs, digits=6)

draw = {"replicates": job.params.replicates, "seed": job.params.seed}
planted = truth.site_table(sites, hits, ranked, saliency, lengths, factors, **draw)
print(planted.to_string(), file=sys.stderr)
write_tsv(job.output.sites, planted, digits=6)

# All maps are compared on the sequences that all of them have.
beside = {name: load(job.input[name]) for name in job.params.maps}
for other in beside.values():
    ranked = ranked[ranked["row"].isin(other.row)]
of_map = {"gradient": maps, **beside}
of_map = {name: each.of(ranked["row"]) for name, each in of_map.items()}
values = {name: masked(each.gradient, each.tokens) for name, each in of_map.items()}
tokens = of_map["gradient"].tokens
known = tokens != sequences.N
here = sites[sites["row"].isin(ranked["row"])]
label = covered(here, pd.Index(ranked["row"]), tokens.shape[1], "row")
matrices = factors_of(known_motifs().motifs)
effects = truth.true_effects(
    tokens,
    Construct(**job.params.construct),
    [matrices[name] for name in factors["factor"]],
    factors[job.params.medium].to_numpy(float),
)
families = pd.factorize(ranked["family"])[0]
compared = truth.map_table(values, effects, label, known, families, **draw)
print(compared.to_string(), file=sys.stderr)
write_tsv(job.output.maps, compared, digits=6)
curves = [
    truth.curve(np.abs(values[name])[known], label[known]).assign(map=name) for name in values
]
write_tsv(job.output.curve, pd.concat(curves), digits=6)
