"""Puts sites of the selected motifs into random inserts and predicts their effects."""

import sys

from crmnet.training import devices

job = snakemake
devices.setup_job(job, job.params.hardware)

from crmnet.data.sequences import Construct
from crmnet.data.tsv import read_table, write_tsv
from crmnet.interpretation.insertion import insertion_effects
from crmnet.models.files import load_model
from crmnet.motifs.motif import MotifError, read_meme, selected
from crmnet.training.prediction import predict

targets = selected(read_table(job.input.selected), job.params.sites)["target"]
known = {motif.name: motif for motif in read_meme(job.input.motifs)}
missing = sorted(set(targets) - set(known))
if missing:
    raise MotifError(
        f"{job.input.motifs}: has no motif {', '.join(missing)}, which {job.input.selected} "
        "selects; delete both files and run the workflow again"
    )
motifs = [known[target] for target in dict.fromkeys(targets)]
if not motifs:
    print(f"{job.input.selected}: no motif is selected", file=sys.stderr)
construct = Construct(**job.params.construct)
model = load_model(job.input.model, construct, job.params.medium)
effects = insertion_effects(
    motifs,
    lambda tokens: predict(model, tokens),
    construct,
    inserts=job.params.inserts,
    positions=job.params.positions,
    seed=job.params.seed,
)
print(effects[effects["position"].isna()].to_string(), file=sys.stderr)
write_tsv(job.output[0], effects, digits=6)
