"""Scans sequences for sites of motifs."""

import sys

from crmnet.data.fasta import read_fasta
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to
from crmnet.motifs import scanning
from crmnet.motifs.motif import background, read_meme
from crmnet.motifs.programs import BUILTIN, tool, version

job = snakemake

log_to(job.log[0])
motifs = read_meme(job.input.motifs)
names, tokens = read_fasta(job.input.sequences)
frequencies = background(tokens)
program = tool("fimo", job.params.engine)
engine = version(program) if program else BUILTIN
print(f"engine: {engine}", file=sys.stderr)
# FIMO does not accept a file without motifs.
if program and motifs:
    hits = scanning.fimo(
        program, job.input.motifs, job.input.sequences, frequencies, job.params.threshold
    )
else:
    hits = scanning.scan(motifs, tokens, names, frequencies, job.params.threshold)
print(f"{len(hits)} sites in {len(names)} sequences", file=sys.stderr)
write_tsv(job.output[0], hits.assign(engine=engine), digits=6)
