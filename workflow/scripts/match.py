"""Matches motifs with the known motifs."""

import sys
from pathlib import Path

import pandas as pd

from crmnet.data.tsv import read_table, write_tsv
from crmnet.logs import log_to
from crmnet.motifs.known import known_motifs
from crmnet.motifs.matching import match
from crmnet.motifs.programs import BUILTIN, tool, version

job = snakemake

log_to(job.log[0])
targets, source = known_motifs(job.params.known)
program = tool("tomtom", job.params.engine)
engine = version(program) if program else BUILTIN
print(f"engine: {engine}; known motifs: {source}", file=sys.stderr)
parts = []
for path in job.input.motifs:
    matches = match(path, targets, program)
    methods = read_table(Path(path).with_suffix(".tsv"))
    matches.insert(1, "method", matches["motif"].map(methods.set_index("motif")["method"]))
    print(f"{path}: {matches['motif'].nunique()} motifs", file=sys.stderr)
    parts.append(matches)
table = pd.concat(parts).assign(engine=engine, known=source)
write_tsv(job.output[0], table, digits=6)
