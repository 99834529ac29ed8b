"""Downloads one file of the config, or takes it from the mirror."""

from crmnet.data.downloads import fetch
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
# The mirror is no parameter of the rule: a file from it is the same file.
fetch(job.params.url, job.output[0], job.params.checksum, job.config["mirror"])
