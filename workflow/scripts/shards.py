"""Writes a medium's training sequences as shards, without those of any test set."""

import json
import sys
from pathlib import Path

from crmnet.data.sequences import Construct
from crmnet.data.splits import FEWEST, Split
from crmnet.data.tables import Rejects, TableError, account, table_of
from crmnet.logs import log_to, say

job = snakemake

log_to(job.log[0])

# TensorFlow prints messages when it is imported, so it is imported after `log_to`.
from crmnet.data import shards


def tell(name, numbers):
    """Says how many rows of a table have the construct's flanks, and how many are cut."""
    said = (
        f"{name}: {numbers['both']:,} of {numbers['rows']:,} sequences have both flanks, "
        f"{numbers['left']:,} the left and {numbers['right']:,} the right"
    )
    if numbers["longer"]:
        said += f"; {numbers['longer']:,} are longer than the model reads and are cut at their end"
    # Rows that fit need no line on the terminal.
    fits = numbers["both"] == numbers["rows"] and not numbers["longer"]
    print(said, file=sys.stderr) if fits else say(said)


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
for name, table in own.items():
    if (number := manifest["fit"]["test"][name]["rows"]) < FEWEST:
        raise TableError(
            f"{table.path}: the test set has {number} sequence(s), but its metrics need at least "
            f"{FEWEST}; make it larger (`held_out`, if it is held out), or remove it from `media`"
        )
manifest["families"] = split.counts.get(job.wildcards.medium) if split else None
Path(job.output.manifest).write_text(json.dumps(manifest, indent=2) + "\n")

for source, counts in zip(sources, manifest["tables"], strict=True):
    for sentence in account(source, counts):
        say(f"training: {sentence}")
for name, counts in manifest["test_sets"].items():
    for sentence in account(own[name], counts):
        say(f"test set {name}: {sentence}")
for table in manifest["fit"]["train"]:
    tell(table["file"], table)
for name, numbers in manifest["fit"]["test"].items():
    tell(name, numbers)
related = manifest["relatives"]
for name, count in related["of_test_set"].items():
    text = (
        f"{name}: {count['sequences']:,} of {count['of']:,} sequences "
        f"({100 * count['sequences'] / max(count['of'], 1):.1f} %) have relatives among the "
        f"training rows, in {count['rows']:,} of these rows"
    )
    # A test set of whole families has none. One that a column decides may have many.
    if count["sequences"] and name.partition("/")[2] in job.params.by_column:
        say(f"{text}; `data: {{relatives: drop}}` would leave these rows out")
    else:
        print(text, file=sys.stderr)
print(f"{related['dropped']:,} relatives of test sequences were left out", file=sys.stderr)
if (share := manifest["validation_with_relative"]) is not None:
    say(f"{100 * share:.1f} % of the validation rows have a relative among the training rows")
