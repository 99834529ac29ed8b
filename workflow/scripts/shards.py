"""Writes a medium's training sequences as shards, without those of any test set."""

import json
from pathlib import Path

from crmnet.logs import log_to
from crmnet.sequences import Construct
from crmnet.tables import Rejects, table_of

job = snakemake  # noqa: F821

log_to(job.log[0])

# TensorFlow talks when it is imported, so only now.
from crmnet import shards  # noqa: E402

tests = {
    medium: {f"{medium}/{name}": table_of(entry) for name, entry in entries.items()}
    for medium, entries in job.params.test.items()
}
own = tests.pop(job.wildcards.medium)
with open(job.output.rejected, "w") as rejected:
    rejected.write("file\tline\treason\trow\n")
    manifest = shards.write(
        [table_of(entry) for entry in job.params.train],
        own,
        Construct(**job.params.construct),
        Path(job.output.shards),
        seed=job.params.seed,
        validation_fraction=job.params.data["validation_fraction"],
        rejects=Rejects(rejected if job.params.data["on_bad_rows"] == "drop" else None),
        held_elsewhere={name: t for entries in tests.values() for name, t in entries.items()},
    )
Path(job.output.manifest).write_text(json.dumps(manifest, indent=2) + "\n")
