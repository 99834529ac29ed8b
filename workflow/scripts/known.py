"""Writes the known motifs, and says where they come from."""

import sys

import numpy as np

from crmnet.logs import log_to
from crmnet.motifs.known import known_motifs
from crmnet.motifs.motif import write_meme

job = snakemake

log_to(job.log[0])
motifs, source = known_motifs(job.params.known)
print(source, file=sys.stderr)
write_meme(job.output[0], motifs, np.full(4, 0.25))
