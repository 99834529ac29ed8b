"""Writes a medium's training sequences as shards, without those of any test set."""

import json
import sys
from pathlib import Path

from crmnet.data.sequences import Construct
from crmnet.data.splits import Split
from crmnet.data.tables import Rejects, account, table_of
from crmnet.logs import log_to, say

job = snakemake

log_to(job.log[0])

# TensorFlow prints messages when it is imported, so it is imported after `log_to`.
from crmnet.data import shards

tests = {
    medium: {f"{medium}/{name}": table_of(entry) for name, entry in entries.items()}
    for medium, entries in job.params.test.items()
}
own = tests.pop(job.wildcards.medium)
sources = [table_of(entry) for entry in job.params.train]
split = Split.load(job.input.split) if job.input.split else None
with open(job.output.rejected, "w") as rejected:
    rejected.write("file\tline\treason\trow\n")
    manifest = shards.write(
        sources,
        own,
        Construct(**job.params.construct),
        Path(job.output.shards),
        seed=job.params.seed,
        validation_fraction=job.params.data["validation_fraction"],
        rejects=Rejects(rejected),
        held_elsewhere={name: t for entries in tests.values() for name, t in entries.items()},
        split=split,
        drop_relatives=job.params.data["relatives"] == "drop",
        **job.params.relatives,
    )
manifest["families"] = split.counts[job.wildcards.medium] if split else None
Path(job.output.manifest).write_text(json.dumps(manifest, indent=2) + "\n")

for source, counts in zip(sources, manifest["tables"], strict=True):
    for sentence in account(source, counts):
        say(f"training: {sentence}")
for name, counts in manifest["test_sets"].items():
    for sentence in account(own[name], counts):
        say(f"test set {name}: {sentence}")
related = manifest["relatives"]
for name, count in related["of_test_set"].items():
    print(
        f"{name}: {count['sequences']:,} sequences have relatives among the training rows, in "
        f"{count['rows']:,} of these rows",
        file=sys.stderr,
    )
print(f"{related['dropped']:,} relatives of test sequences were left out", file=sys.stderr)
if (share := manifest["validation_with_relative"]) is not None:
    say(f"{100 * share:.1f} % of the validation rows have a relative among the training rows")
