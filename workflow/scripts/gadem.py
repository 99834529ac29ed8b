"""Finds motifs in the most highly expressed sequences, by rGADEM or the built-in stand-in for it.

Neither uses expression values. Expression only decides which sequences are searched."""

import sys
from pathlib import Path

from crmnet.data.fasta import read_fasta
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to
from crmnet.motifs import gadem
from crmnet.motifs.motif import background, write_meme

job = snakemake

log_to(job.log[0])
names, tokens = read_fasta(job.input.sequences)
tokens, names = tokens[: job.params.top], names[: job.params.top]
program, engine = gadem.installed(job.params.engine)
print(f"engine: {engine}; {len(names)} sequences, best first", file=sys.stderr)
if program:
    candidates = gadem.rgadem(
        program,
        # gadem.R lies beside this script.
        Path(__file__).with_suffix(".R"),
        tokens,
        seed=job.params.seed,
        motifs=job.params.motifs,
        generations=job.params.generations,
        population=job.params.population,
        ext_trim=job.params.ext_trim,
    )
else:
    candidates = gadem.search(tokens, job.params.motifs)
motifs, sites = gadem.ranked(candidates, tokens, names, job.params.motifs)
print(
    f"{len(candidates)} motifs found, {len(motifs)} kept. E-values treat each sequence as "
    "independent, so a pattern that related sequences share counts as a motif, too.",
    file=sys.stderr,
)
write_meme(job.output.motifs, motifs, background(tokens))
table = gadem.table(motifs, sites, engine, len(names))
write_tsv(job.output.table, table)
write_tsv(job.output.sites, sites, digits=6)
