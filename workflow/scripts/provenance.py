"""Writes the origin of all figures and tables, as JSON and as an RO-Crate."""

import json
import sys
from pathlib import Path

import yaml

from crmnet.logs import log_to
from crmnet.report import provenance

job = snakemake

log_to(job.log[0])
run = provenance.record(
    config=job.params.config,
    files=job.input.files,
    urls=job.params.urls,
    # Snakemake's package comes with the job and may be missing in this job's environment.
    snakemake=sys.modules["snakemake"].__version__,
    environments=job.params.environments,
    tables=dict(zip(job.params.engines, job.input.engines, strict=True)),
    benchmarks=job.params.benchmarks,
    folder=job.params.folder,
)
Path(job.output.json).write_text(json.dumps(run, indent=2) + "\n")
written = provenance.plain(job.params.written)
Path(job.output.config).write_text(yaml.safe_dump(written, sort_keys=False))
outdir = Path(job.output.json).parent
# The numbers of a figure lie beside it, under the same name.
made = map(Path, job.input.results)
results = {path for each in made for path in each.parent.glob(f"{each.stem}.*")}
crate = provenance.crate(run, outdir, results)
Path(job.output.crate).write_text(json.dumps(crate.metadata.generate(), indent=2) + "\n")
