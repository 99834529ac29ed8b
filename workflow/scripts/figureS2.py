"""Figure S2: more examples of saliency maps at matches of the selected motifs."""

import sys

from crmnet.data.tsv import read_table
from crmnet.logs import log_to
from crmnet.motifs.motif import read_meme
from crmnet.report import logos, plotting

job = snakemake

log_to(job.log[0])
known = {motif.name: motif for motif in read_meme(job.input.jaspar)}
examples = read_table(job.input.examples)
groups = list(examples.groupby(["target", "example"], sort=False))
print(f"{len(groups)} examples", file=sys.stderr)
letters = plotting.letters(len(groups))
if groups:
    page, places, _ = logos.example_page(len(groups))
    for place, letter, ((target, _), rows) in zip(places, letters, groups, strict=True):
        first = rows.iloc[0]
        note = f"{first['share_above']:.0%} of families have more saliency on their match; "
        note += f"measured {first['expression']:.1f}, predicted {first['predicted']:.1f}"
        logos.example(place, rows, known[target], letter, note)
else:
    page = plotting.note_page("No motif was selected, so that there is no example.")
plotting.save(page, job.output.pdf)
of_group = {key: letter for letter, (key, _) in zip(letters, groups, strict=True)}
keys = zip(examples["target"], examples["example"], strict=True)
examples.insert(0, "panel", [of_group[key] for key in keys])
examples.to_csv(job.output.tsv, sep="\t", index=False)
