"""Makes Table S1: sizes of the training and test sets, beside the paper's."""

import json
from pathlib import Path

import pandas as pd
import yaml

from crmnet.data.tables import LEFT_OUT
from crmnet.data.tsv import write_tsv
from crmnet.logs import log_to

job = snakemake

log_to(job.log[0])


def fit(tables):
    """Returns how many sequences of tables have both flanks, and how many are cut."""
    names = {"with both flanks": "both", "cut at the end": "longer"}
    return {name: sum(table[key] for table in tables) for name, key in names.items()}


SHARE = "validation with relatives in training"
paper = yaml.safe_load(Path(job.input.paper).read_text())["data_sizes"]
rows = []
for path, (medium, tests) in zip(job.input.manifests, job.params.test_sets.items(), strict=True):
    manifest = json.loads(Path(path).read_text())
    rows.append(
        {
            "medium": medium,
            "set": "train",
            "sequences": manifest["rows"],
            "paper": paper.get(medium, {}).get("train"),
            **{reason: sum(t[reason] for t in manifest["tables"]) for reason in LEFT_OUT},
            **fit(manifest["fit"]["train"]),
            "in a test set": manifest["leaked"]["rows"],
            "in another medium's": manifest["elsewhere"],
            "relatives left out": manifest["relatives"]["dropped"],
            "trained on": manifest["train"],
            "validation": manifest["validation"],
            "families": families["families"] if (families := manifest["families"]) else None,
            SHARE: manifest["validation_with_relative"],
        }
    )
    for name in tests:
        counts = manifest["test_sets"][f"{medium}/{name}"]
        size = paper.get(medium, {}).get(name)
        related = manifest["relatives"]["of_test_set"][f"{medium}/{name}"]
        rows.append(
            {
                "medium": medium,
                "set": name,
                "sequences": counts["rows"],
                "paper": size,
                **{reason: counts[reason] for reason in LEFT_OUT},
                **fit([manifest["fit"]["test"][f"{medium}/{name}"]]),
                "with relatives in the training files": related["sequences"],
                "rows that are their relatives": related["rows"],
            }
        )
table = pd.DataFrame(rows)
counts = table.columns[2:].drop(SHARE)
table[counts] = table[counts].astype("Int64")
write_tsv(job.output.tsv, table)

text = table.astype("string").fillna("")
text[SHARE] = [f"{share:.1%}" if pd.notna(share) else "" for share in table[SHARE]]
for column in counts:
    text[column] = [f"{n:,}" if pd.notna(n) else "" for n in table[column]]
lines = [text.columns.tolist(), ["---"] * len(text.columns), *text.to_numpy().tolist()]
Path(job.output.md).write_text("".join(f"| {' | '.join(line)} |\n" for line in lines))
