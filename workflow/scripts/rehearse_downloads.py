"""Checks that each file of the config is there or can be downloaded, and that tables begin as the
config says."""

from pathlib import Path

from crmnet import rehearsal
from crmnet.data import downloads, tables
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
checks = rehearsal.Checks()
known = {}
for file in job.params.files:
    with checks.check(f"file {Path(file['path']).name}", "") as found:
        found.append(f"{file['key']}: {file['url'] or file['path']}")
        probe = downloads.probe(file["url"], file["checksum"], job.params.mirror, file["path"])
        known[file["path"]] = {"size": probe.size, "there": probe.there, "row": None}
        found.append(
            "its size is not told" if probe.size is None else rehearsal.byte_size(probe.size)
        )
        found.append(probe.checksum or "no checksum is known")
        if file["table"]:
            known[file["path"]]["row"] = tables.bytes_per_row(probe.head, file["table"])
            found.append("its first rows can be read")
checks.write(job.output[0], files=known)
