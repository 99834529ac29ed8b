"""Finds motifs in saliency maps: TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416) by the
package modisco-lite."""

import os
import sys

import numpy as np
import pandas as pd

from crmnet.data.sequences import one_hot
from crmnet.data.tsv import read_table
from crmnet.interpretation.maps import load, masked
from crmnet.logs import log_to
from crmnet.motifs.motif import Motif, MotifError, background, write_meme

job = snakemake

# Sites of yeast's factors have 6 to 15 bases. The package's own windows, 21 with 10 on either side,
# would be half an insert, and two sites in one insert a single seqlet.
WINDOW, FLANK = 15, 5
# Of a pattern while it is built: the window, and what is added on either side.
TRIMMED = 20
# N on either side of the maps: a pattern must fit in them, also of sites next to an insert's ends.
MARGIN = 15
# Clusterings, of which it takes the best. They take most of its time; its own 50, five times that.
LEIDEN_RUNS = 10
# Positions of the core have this share of the largest contribution, as in the package's report.
CORE = 0.3

log_to(job.log[0])
# Numba reads it once, when it is imported.
os.environ["NUMBA_NUM_THREADS"] = str(job.threads)
try:
    import modiscolite
    from modiscolite.tfmodisco import TFMoDISco
except ImportError as error:
    raise ImportError(
        f"motifs of saliency maps need the package modisco-lite, which cannot be imported ({error})"
        "; install it (`pip install modisco-lite`), or let Snakemake do so (`--sdm conda`)"
    ) from error

ranked = read_table(job.input.table)
# The package takes the first seqlets up to the maximum: of sequences in any order but the ranked.
rows = np.random.default_rng(job.params.seed).permutation(ranked["row"].to_numpy())
maps = load(job.input.saliency).of(rows)
saliency = masked(maps.gradient, maps.tokens)
if not saliency.any():
    raise MotifError(f"{job.input.saliency}: all maps are 0; is the model trained?")
letters = one_hot(maps.tokens)[..., :4]
# What a base adds over the mean of all four; where there is N, nothing.
hypothetical = maps.gradient - maps.gradient.mean(axis=2, keepdims=True)
hypothetical *= letters.any(axis=2, keepdims=True)
sides = ((0, 0), (MARGIN, MARGIN), (0, 0))
found = TFMoDISco(
    one_hot=np.pad(letters, sides),
    hypothetical_contribs=np.pad(hypothetical, sides),
    sliding_window_size=WINDOW,
    flank_size=FLANK,
    trim_to_window_size=TRIMMED,
    initial_flank_to_add=FLANK,
    n_leiden_runs=LEIDEN_RUNS,
    max_seqlets_per_metacluster=job.params.seqlets,
)
patterns = [pattern for some in found for pattern in some or []]
patterns.sort(key=lambda pattern: -len(pattern.seqlets))

engine = f"modisco-lite {modiscolite.__version__}"
saliency = np.pad(saliency, sides[:2])
motifs, table = [], []
for number, pattern in enumerate(patterns[: job.params.motifs], 1):
    size = np.abs(pattern.contrib_scores).sum(axis=1)
    core = np.flatnonzero(size >= CORE * size.max())
    seqlets = [seqlet.trim(core[0], core[-1] + 1) for seqlet in pattern.seqlets]
    counts = np.sum([seqlet.sequence for seqlet in seqlets], axis=0)
    motif = Motif(f"modisco_{number}", counts, sites=len(seqlets))
    sums = (
        np.sum([seqlet.contrib_scores for seqlet in seqlets]),
        sum(saliency[seqlet.example_idx, seqlet.start : seqlet.end].sum() for seqlet in seqlets),
    )
    row = (motif.name, "modisco", engine, motif.width, len(seqlets), "", "", motif.consensus())
    # Not that of the package's group of patterns: it is of wider windows.
    sign = "positive" if sums[0] > 0 else "negative"
    table.append((*row, sign, *(total / counts.sum() for total in sums)))
    motifs.append(motif)
columns = ["motif", "method", "engine", "width", "sites", "ln_e_value", "e_value", "consensus"]
# Means over the core's bases: of what TF-MoDISco sees, and of the input-masked gradient itself.
columns += ["sign", "contribution", "saliency"]
table = pd.DataFrame(table, columns=columns)
print(f"{len(patterns)} motifs in {len(ranked)} sequences\n{table.to_string()}", file=sys.stderr)
write_meme(job.output.motifs, motifs, background(maps.tokens))
table.to_csv(job.output.table, sep="\t", index=False, float_format="%.6g")
