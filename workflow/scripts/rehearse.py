"""Tells how a rehearsal has ended. It fails if the run would."""

import sys

from crmnet.data.tsv import read_table
from crmnet.logs import log_to, say
from crmnet.rehearsal import NOT_READY

job = snakemake

log_to(job.log[0])
findings = read_table(job.input.table, ["found", "mend", "where"]).fillna("")
missing = findings[findings["state"] == NOT_READY]
for row in missing.itertuples():
    say(f"{row.what}: {row.state}: {row.found}{row.mend and '; ' + row.mend}")
said = f"{len(missing)} of {len(findings)} are not ready; see {job.input.page}"
if len(missing):
    sys.exit(said)
say(f"All is ready, with {len(findings)} findings; see {job.input.page}")
