"""Checks that this machine sees what others have written."""

import json
from pathlib import Path

from crmnet import rehearsal
from crmnet.data.checksums import sha256
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
checks = rehearsal.Checks()
what, mend = "files of other machines", "use a disk that all nodes share for `outdir`"
written = json.loads(Path(job.params.written).read_text())
others = sorted({known["host"] for known in written.values()} - {checks.host})
with checks.check(what, mend, rehearsal.READY if others else rehearsal.UNTESTED) as found:
    for path, known in written.items():
        if sha256(Path(path)) != known["sha256"]:
            raise OSError(f"{path}, written on {known['host']}, has another content here")
    found.append(
        f"{len(written)} files written on {', '.join(others)} are seen on {checks.host}"
        if others
        else f"all jobs of this rehearsal ran on {checks.host}"
    )
checks.write(job.output[0])
