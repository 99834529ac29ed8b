"""Tells how a rehearsal has ended. It fails if the run would."""

import sys

from crmnet.data.tsv import read_table
from crmnet.logs import log_to, say
from crmnet.rehearsal import NOT_READY

job = snakemake

log_to(job.log[0])
findings = read_table(job.input.table)
missing = (findings["state"] == NOT_READY).sum()
if missing:
    sys.exit(f"{missing} of {len(findings)} are not ready; see {job.input.page}")
say(f"all is ready; see {job.input.page}")
