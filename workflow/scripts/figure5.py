"""Figure 5: saliency maps beside the motifs of highly expressed promoters, and what these do."""

import sys

import pandas as pd

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.motifs.motif import read_meme
from crmnet.report import logos, plotting

job = snakemake
EFFECTS = 40.0  # height, mm
MEASURES = {"saliency": "mean saliency", "expression": "mean expression"}

log_to(job.log[0])
motifs = read_table(job.input.motifs, ["e_value"]).fillna({"ties": ""})
motifs = motifs[motifs["selected"].notna()].sort_values("selected").set_index("target")
known = {motif.name: motif for motif in read_meme(job.input.jaspar)}
examples = read_table(job.input.examples)
examples = examples[examples["example"] == 1]
effects = read_table(job.input.effects)
shown = [target for target in motifs.index if target in set(examples["target"])]
print(f"{len(motifs)} motifs selected, {len(shown)} with a match", file=sys.stderr)

letters = plotting.letters(len(shown) + len(MEASURES))
if len(motifs):
    page, places, axes = logos.example_page(len(shown), EFFECTS, len(MEASURES))
    for place, target, letter in zip(places, shown, letters, strict=False):
        motif = motifs.loc[target]
        engine = motif["engine"].replace("meme", "MEME")
        note = f"E = {logos.short(motif['e_value'])} ({engine}); also by {motif['reproduced_by']}"
        if ties := sorted(set(motif["ties"].split(", ")) - {"", motif["target_name"]}):
            note += f"; matched as well by {', '.join(ties[:2])}" + ", ..." * (len(ties) > 2)
        rows = examples[examples["target"] == target]
        logos.example(place, rows, known[target], letter, note)
    for axis, letter, (measure, name) in zip(
        axes, letters[len(shown) :], MEASURES.items(), strict=True
    ):
        plotting.effects(axis, effects[effects["measure"] == measure], name)
        plotting.panel(axis, letter)
else:
    page = plotting.note_page(
        "No motif passes the rule of selection:\nthe table of all motifs says why."
    )
plotting.save(page, job.output.pdf)

panel_of = dict(zip(shown, letters, strict=False))
measured = dict(zip(MEASURES, letters[len(shown) :], strict=True))
numbers = effects[effects["measure"].isin(MEASURES)]
table = pd.concat(
    [
        examples.assign(panel=examples["target"].map(panel_of), measure="saliency").rename(
            columns={"saliency": "value"}
        ),
        numbers.assign(panel=numbers["measure"].map(measured)),
    ]
)
columns = ["panel", "target", "target_name", "measure", "value", "low", "high"]
columns += ["control", "control_low", "control_high", "difference", "p_value", "p_holm"]
columns += ["matches", "sequences", "families", "tested_families"]
columns += ["sequence", "row", "expression", "predicted", "position", "letter"]
columns += ["match_start", "match_end", "match_strand", "match_p_value"]
table.reindex(columns=columns).to_csv(job.output.tsv, sep="\t", index=False)
