"""Writes the motifs of a species in JASPAR 2022."""

import sys

import numpy as np

from crmnet.logs import log_to
from crmnet.motifs.jaspar import known_motifs
from crmnet.motifs.motif import write_meme

job = snakemake

log_to(job.log[0])
motifs = known_motifs(**job.params.jaspar)
print(f"{len(motifs)} motifs", file=sys.stderr)
write_meme(job.output[0], motifs, np.full(4, 0.25))
