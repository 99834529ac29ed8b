"""Writes the page of the run: figures, tables and facts in one HTML file."""

import sys
from pathlib import Path

import yaml

from crmnet.logs import log_to
from crmnet.report import pages

job = snakemake

log_to(job.log[0])
facts = pages.facts(
    captions={Path(path).stem: path for path in job.input.captions},
    tables=job.input.tables,
    provenance=job.input.provenance,
    paper=yaml.safe_load(Path(job.input.paper).read_text()),
    config=job.config,
    shown=job.params.shown,
    left_out=job.params.left_out,
    run=job.params.run,
    label=job.params.label,
)
text = pages.page(job.input.template, **facts)
Path(job.output[0]).write_text(text)
print(f"{len(facts['items'])} figures and tables; {len(text):,} characters", file=sys.stderr)
