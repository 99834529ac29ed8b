"""Checks that each file of the config is there or can be downloaded, and that tables begin as the
config says."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from crmnet import rehearsal
from crmnet.data import probes, tables
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])


def probe_of(file):
    if not file["url"]:
        return probes.on_disk(Path(file["path"]))
    place = {"destination": file["path"], "mirror": job.params.mirror}
    return probes.probe(file["url"], **place, checksum=file["checksum"])


checks = rehearsal.Checks()
known, failed = {}, {}
# A network that swallows requests takes the time of all attempts for each file.
with ThreadPoolExecutor(8) as pool:
    asked = [(file, pool.submit(probe_of, file)) for file in job.params.files]
for file, answer in asked:
    name = Path(file["path"]).name
    known[file["path"]] = {"size": None, "there": False, "row": None}
    if error := answer.exception():
        reason = str(error).replace(file["url"] or "", "").lstrip(": ")
        failed.setdefault((urlsplit(file["url"] or "").hostname, reason), []).append(name)
        continue
    with checks.check(f"file {name}", f"correct `{file['key']}` in the config") as found:
        probe = answer.result()
        size = "unknown size" if probe.size is None else rehearsal.byte_size(probe.size)
        found += [f"{file['key']}: {probe.source}", size, probe.checksum or "no checksum known"]
        known[file["path"]] |= {"size": probe.size, "there": probe.there}
        if file["table"]:
            table, whole = tables.table_of(file["table"]), len(probe.start) == probe.size
            known[file["path"]]["row"] = tables.preview(table, probe.start, whole)
            found.append("its first rows can be read")
# A network that cannot be reached is one thing to mend, for however many files.
for (host, reason), names in failed.items():
    what = f"file {names[0]}" if len(names) == 1 else f"{len(names)} files of {host}"
    said = reason if len(names) == 1 else f"{reason} ({', '.join(names)})"
    checks.add(what, rehearsal.NOT_READY, said, "mend the network, the URL or the mirror")
checks.write(job.output[0], files=known)
