"""Checks that the scripts of an environment can import in it what they need."""

from crmnet import rehearsal
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
checks = rehearsal.Checks()
rehearsal.check_environment(
    checks, job.params.environment, job.params.dependencies, job.params.scripts, job.params.conda
)
checks.write(job.output[0])
