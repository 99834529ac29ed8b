"""Downloads one file of the config, or takes it from the mirror."""

import sys

from crmnet.downloads import DownloadError, fetch

job = snakemake  # noqa: F821

sys.stderr = open(job.log[0], "w", buffering=1)  # noqa: SIM115
try:
    fetch(job.params.url, job.output[0], job.params.checksum, job.params.mirror)
except DownloadError as error:
    for stream in (sys.stderr, sys.__stderr__):
        print(error, file=stream)
    sys.exit(1)
