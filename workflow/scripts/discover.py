"""Finds motifs enriched at one end of a ranked list against the other."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from crmnet.data.fasta import read_fasta, write_fasta
from crmnet.data.sequences import letters
from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.motifs import discover
from crmnet.motifs.motif import MotifError, background, write_meme
from crmnet.motifs.programs import BUILTIN, tool, version

job = snakemake

log_to(job.log[0])
names, tokens = read_fasta(job.input.sequences)
ranked = read_table(job.input.table)
if ranked["sequence"].tolist() != names:
    raise MotifError(
        f"{job.input.table} and {job.input.sequences} do not have the same sequences; delete both "
        "files and run the workflow again"
    )
number = min(job.params.top, len(names) // 2)
if number < job.params.top:
    print(
        f"top is {number} instead of {job.params.top}: half of all {len(names)} sequences",
        file=sys.stderr,
    )
chosen = np.r_[:number, len(names) - number : len(names)]
top = np.arange(2 * number) < number
tokens, families = tokens[chosen], ranked["family"].to_numpy()[chosen]
known = {
    "top": number,
    "bottom": number,
    "families_top": len(np.unique(families[top])),
    "families_bottom": len(np.unique(families[~top])),
}
print(
    f"{number} sequences of {known['families_top']} families are at the top and {number} of "
    f"{known['families_bottom']} at the bottom. E-values treat each sequence as independent. They "
    "are far too low if families are large: then see how many families have the motif "
    "(`positive_families`, `negative_families`), or set `motifs: families: representatives`.",
    file=sys.stderr,
)
if job.params.low:
    print("The motifs are those of the bottom against the top.", file=sys.stderr)
    top = ~top
program = tool("meme", job.params.engine)
engine = version(program) if program else BUILTIN
print(f"engine: {engine}", file=sys.stderr)
sought = job.params.motifs, tuple(job.params.widths), job.params.seed
if program:
    with TemporaryDirectory() as folder:
        files = [Path(folder, f"{end}.fa") for end in ("top", "bottom")]
        for path, end in zip(files, (top, ~top), strict=True):
            write_fasta(
                path, zip(np.array(names)[chosen][end], map(letters, tokens[end]), strict=True)
            )
        motifs = discover.meme(program, *files, *sought)
else:
    motifs = discover.discover(tokens, top, families, *sought)
if motifs and motifs[0].held_top and min(motifs[0].held_top, motifs[0].held_bottom) < discover.FEW:
    print(
        f"Only {motifs[0].held_top} sequences of the top and {motifs[0].held_bottom} of the bottom "
        "are held out, so even a real motif may have a large E-value.",
        file=sys.stderr,
    )
write_meme(job.output.motifs, [each.motif for each in motifs], background(tokens))
table = discover.table(motifs, engine, **known)
write_tsv(job.output.table, table)
