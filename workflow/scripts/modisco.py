"""Finds motifs in saliency maps by TF-MoDISco."""

import sys

import numpy as np

from crmnet.data.tsv import read_table, write_tsv
from crmnet.interpretation import modisco
from crmnet.interpretation.maps import load
from crmnet.logs import log_to
from crmnet.motifs.motif import MotifError, background, write_meme

job = snakemake

log_to(job.log[0])
package = modisco.package(job.threads)
ranked = read_table(job.input.table)
# The package uses the first seqlets up to the maximum, so sequences must not be sorted by rank.
rows = np.random.default_rng(job.params.seed).permutation(ranked["row"].to_numpy())
maps = load(job.input.saliency).of(rows)
try:
    patterns = modisco.patterns(package, maps, job.params.seqlets)
except MotifError as error:
    raise MotifError(f"{job.input.saliency}: {error}") from error
shown = patterns[: job.params.motifs]
table = modisco.table(shown, f"modisco-lite {package.__version__}")
print(f"{len(patterns)} motifs in {len(ranked)} sequences\n{table.to_string()}", file=sys.stderr)
write_meme(job.output.motifs, [pattern.motif for pattern in shown], background(maps.tokens))
write_tsv(job.output.table, table, digits=6)
