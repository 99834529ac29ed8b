"""Downloads one file of the config, or copies it from the mirror."""

from crmnet.data.downloads import fetch
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
# The mirror is not a parameter of the rule, because a file from the mirror is the same file.
fetch(job.params.url, job.output[0], job.params.checksum, job.config["mirror"])
