"""Trains one model in one stage: on all media, or on one medium."""

import dataclasses
import sys
from pathlib import Path

from crmnet.data.tsv import write_tsv
from crmnet.training import devices, hosts

job = snakemake
options, checkpoint = job.params.training, Path(job.params.checkpoint)
if options["hosts"] > 1 and not hosts.joined():
    hosts.launch(__file__, job, options["hosts"], options["launcher"], checkpoint.parent)
    sys.exit()

hardware = devices.setup_job(
    job,
    {name: options[name] for name in devices.CPU} | {"count": options["devices"]},
    job.params.seed,
)

from crmnet.data import shards
from crmnet.data.bins import placed
from crmnet.data.sequences import Construct
from crmnet.logs import say
from crmnet.models import registry
from crmnet.models.files import load_model, save_model
from crmnet.models.layers import BINS, expected_bin
from crmnet.models.means import both_strands
from crmnet.models.origin import PRETRAINED
from crmnet.training import loop, machine


def build():
    """Returns a new model: the one that predicts, and the one that the builder returns."""
    model = registry.build(**job.params.architecture, length=construct.length)
    if bins := expected_bin(model):
        bins.first, bins.width = places(model.get_layer(BINS).units)
    return (both_strands(model) if recipe.reverse_complement else model), model


def places(number):
    """Returns the centre of the first bin and the width of the bins: those of the model to start
    from, or those that the expressions of all training rows give."""
    if start:
        bins = expected_bin(start)
        return bins.first, bins.width
    return placed(number, [manifest["expression_range"] for manifest in manifests])


construct = Construct(**job.params.construct)
recipe = loop.recipe_of(options, seed=job.params.seed)
folders = [Path(folder) for folder in job.input.shards]
manifests = [shards.manifest_of(folder) for folder in folders]
rows = shards.training_rows(folders)
batch = recipe.batch_size * hardware.count
steps = max(1, rows // batch)
if job.params.budget:
    everything = [Path(folder) for folder in job.input.pretraining]
    rows_of = {"pretrain": shards.training_rows(everything), "finetune": rows}
    epochs = loop.equal_epochs(
        job.params.budget, rows_of, hardware.count, steps, recipe.warmup_epochs
    )
    recipe = dataclasses.replace(recipe, epochs=epochs)
# To prepare more steps in one execution than an epoch has would only take time.
recipe = dataclasses.replace(recipe, steps_per_execution=min(recipe.steps_per_execution, steps))
print(
    f"{job.wildcards.model}/{job.wildcards.seed}/{job.wildcards.stage}: {rows:,} sequences, at "
    f"most {recipe.epochs} epochs of {steps} steps with batch size {batch}, on {hardware.count} "
    f"{hardware.kind}(s) with {hardware.backend} in {options['precision']}",
    file=sys.stderr,
)

with hardware.scope():
    start = job.input.start and load_model(job.input.start, construct, PRETRAINED)
    model, built = build()
    if start:
        model.set_weights(start.get_weights())
    fitted = loop.compile_model(built, recipe, hardware.kind)
if hardware.kind == "cpu":
    large = built.count_params() >= loop.LARGE
    if said := machine.advice(options["precision"], large):
        say(said)
if bins := expected_bin(built):
    last = bins.first + bins.width * (built.get_layer(BINS).units - 1)
    say(f"the bins of expression are {bins.first:g} to {last:g}, {bins.width:g} apart")

with shards.named(folders):
    history = loop.train(
        model,
        fitted,
        recipe,
        lambda epoch: shards.batches(
            folders,
            batch,
            steps,
            seed=recipe.seed,
            epoch=epoch,
            reverse_complement=recipe.reverse_complement,
            part=(hardware.host, hardware.hosts),
        ),
        steps,
        shards.validation(folders),
        devices=hardware.count,
        checkpoint=checkpoint,
        host=hardware.host,
        belongs_to=loop.fingerprint(
            job.params.code,
            job.params.architecture_code,
            dict(job.params.architecture),
            dataclasses.asdict(recipe),
            options["backend"],
            options["precision"],
            # It differs between kinds of devices, and with it what a checkpoint holds.
            type(fitted.optimizer).__name__,
            hardware.count,
            dict(job.params.construct),
            [[manifest[key] for key in ("sha256", "expression_range")] for manifest in manifests],
            model.get_weights(),
        ),
    )
# A new model has no optimiser state, which would be twice the size of the model. Every host builds
# it, because the hosts share its weights.
final, _ = build()
final.set_weights(model.get_weights())
if hardware.host == 0:
    write_tsv(job.output.history, history)
    save_model(final, job.output.model, construct, job.wildcards.stage)
    checkpoint.unlink(missing_ok=True)
