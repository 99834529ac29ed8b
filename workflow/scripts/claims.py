"""Compares the paper's claims with this run's numbers."""

import sys
from pathlib import Path

import pandas as pd
import yaml

from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to
from crmnet.report import claims

job = snakemake

log_to(job.log[0])
paper = yaml.safe_load(Path(job.input.paper).read_text())
run = dict(job.params.run)
# All inputs but `paper` are tables, or parts of a table.
parts = {name: paths for name, paths in job.input.items() if name != "paper" and paths}
tables = {
    name: pd.concat(map(claims.read, [paths] if isinstance(paths, str) else paths))
    for name, paths in parts.items()
}

table = claims.table(paper, run, tables)
write_tsv(job.output.tsv, table)
Path(job.output.md).write_text(claims.markdown(table, run, tables))
print(table["verdict"].value_counts().to_string(), file=sys.stderr)
