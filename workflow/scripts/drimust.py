"""Finds words that are enriched at the top of a ranked list, and motifs made of them."""

import sys

from crmnet.data.fasta import read_fasta
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to
from crmnet.motifs import drimust
from crmnet.motifs.motif import background, write_meme
from crmnet.motifs.programs import BUILTIN

job = snakemake

log_to(job.log[0])
names, tokens = read_fasta(job.input.sequences)
words = drimust.enriched_words(
    tokens, tuple(job.params.words), job.params.strands, job.params.threshold
)
print(
    f"{len(words.lengths)} of {words.tested} words have B * mHG up to {job.params.threshold:g}, in "
    f"{len(names)} sequences. P-values treat each sequence as independent. They are far too low if "
    "many sequences are similar.",
    file=sys.stderr,
)
motifs = drimust.motifs(words, tokens, job.params.motifs)
print(f"{len(motifs)} motifs", file=sys.stderr)
write_meme(job.output.motifs, [each.motif for each in motifs], background(tokens))
write_tsv(job.output.table, drimust.table(motifs, words, BUILTIN))
write_tsv(job.output.words, drimust.word_table(words))
