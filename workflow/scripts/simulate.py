"""Simulates measurements in the format of the published files, and writes the truth behind them."""

import sys

from crmnet.data.sequences import Construct
from crmnet.data.simulation import Parameters, factors_of, simulate
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to
from crmnet.motifs.known import known_motifs

job = snakemake

log_to(job.log[0])
media = list(job.params.media)
simulation = simulate(
    Parameters(**job.params.simulation),
    media,
    Construct(**job.params.construct),
    job.params.seed,
    factors_of(known_motifs().motifs),
)

for medium, path in zip(media, job.output.train, strict=True):
    table = simulation.train[medium]
    write_tsv(path, table, header=False)
    print(f"{path}: {len(table)} sequences", file=sys.stderr)

for name in ("native", "random"):
    for medium, path in zip(media, job.output[name], strict=True):
        table = simulation.test[medium][name]
        table.to_csv(path)
        print(f"{path}: {len(table)} sequences", file=sys.stderr)

for name in ("sites", "factors"):
    table = getattr(simulation, name)
    write_tsv(job.output[name], table)
    print(f"{job.output[name]}: {len(table)} {name}", file=sys.stderr)
