"""Checks that each file of the config is there or can be downloaded, and that tables begin as the
config says."""

from pathlib import Path

from crmnet import rehearsal
from crmnet.data import probes, tables
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])
checks = rehearsal.Checks()
known = {}
for file in job.params.files:
    with checks.check(f"file {Path(file['path']).name}", "") as found:
        place = {"destination": file["path"], "mirror": job.params.mirror}
        probe = (
            probes.probe(file["url"], **place, checksum=file["checksum"])
            if file["url"]
            else probes.on_disk(Path(file["path"]))
        )
        size = "unknown size" if probe.size is None else rehearsal.byte_size(probe.size)
        found += [f"{file['key']}: {probe.source}", size, probe.checksum or "no checksum known"]
        known[file["path"]] = {"size": probe.size, "there": probe.there, "row": None}
        if file["table"]:
            table, whole = tables.table_of(file["table"]), len(probe.start) == probe.size
            with tables.unrecorded(job.params.on_bad_rows) as rejects:
                row = tables.preview(table, probe.start, rejects, whole)
            known[file["path"]]["row"] = row
            found.append("its first rows can be read")
checks.write(job.output[0], files=known)
