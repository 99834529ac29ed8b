"""Schedule, early stopping and resuming of training, with a small model with dropout."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.stats
from keras import layers

from crmnet.models.layers import OneHot, SelfAttention, expected_bin, expression_head
from crmnet.models.means import both_strands
from crmnet.training import loop
from crmnet.training.loop import Recipe, compile_model, learning_rate, soft_bins, train

# A resumed training equals an undisturbed one bit for bit on a CPU, not on every GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = ""

PAPER = Recipe(
    epochs=50,
    batch_size=1024,
    warmup_epochs=10,
    start_rate=1e-4,
    peak_rate=1e-3,
    final_rate=1e-4,
    patience=10,
    steps_per_execution=50,
    seed=1,
)
RECIPE = replace(
    PAPER,
    epochs=4,
    batch_size=16,
    warmup_epochs=1,
    peak_rate=2e-2,
    patience=4,
    steps_per_execution=2,
)
LENGTH, STEPS = 12, 15
TIMINGS = ["sequences_per_second", "seconds"]


def sequences(seed, n):
    """Tokens, and an expression that grows with the number of A."""
    tokens = np.random.default_rng(seed).integers(0, 5, (n, LENGTH)).astype(np.uint8)
    return tokens, (tokens == 0).sum(axis=1).astype(np.float32)


VALIDATION = sequences(0, 30)


def batches(epoch):
    for step in range(STEPS):
        yield sequences([1, epoch, step], RECIPE.batch_size)


def built(seed, bins=0):
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((LENGTH,), dtype="uint8")
    x = layers.Conv1D(8, 3, activation="relu")(OneHot()(tokens))
    x = layers.Dropout(0.3)(layers.BatchNormalization()(x))
    x = layers.Dropout(0.3)(SelfAttention(2, 4)(x))
    return keras.Model(tokens, expression_head(layers.Flatten()(x), bins))


def compiled(seed):
    model = built(seed)
    compile_model(model, RECIPE, "cpu")
    return model


def run(model, checkpoint, recipe=RECIPE, epoch_batches=batches, belongs_to="this", **changes):
    arguments = {"fitted": model, "validation": VALIDATION, "devices": 1} | changes
    return train(
        model,
        arguments.pop("fitted"),
        recipe,
        epoch_batches,
        STEPS,
        checkpoint=checkpoint,
        belongs_to=belongs_to,
        **arguments,
    )


class Kill(Exception):
    pass


def stopping_at(epoch):
    def until(number):
        if number == epoch:
            raise Kill
        return batches(number)

    return until


def equal(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """History and weights of a training from start to end."""
    model = compiled(seed=1)
    history = run(model, tmp_path_factory.mktemp("undisturbed") / "checkpoint.npz")
    return history, model.get_weights()


@pytest.fixture(scope="module")
def reused():
    return compiled(seed=2)


@pytest.fixture
def model(reused):
    """A compiled model with its initial weights, shared because compiling takes longer than
    training."""
    keras.utils.set_random_seed(2)
    reused.set_weights(keras.models.clone_model(reused).get_weights())
    for variable in reused.optimizer.variables:
        variable.assign(np.zeros(variable.shape))
    return reused


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "checkpoints" / "model.npz"


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 8e-4), (5, 4.4e-3), (10, 8e-3), (20, 6.945584e-3), (30, 4.4e-3), (50, 8e-4)],
)
def test_learning_rate_of_the_paper_on_eight_devices(epoch, rate):
    # Epoch 20 is a quarter of the cosine: 8 (1e-4 + 9e-4 (1 + cos 45 deg) / 2).
    assert learning_rate(PAPER, epoch, 8) == pytest.approx(rate)


def test_learning_rate_rises_to_its_peak_and_falls_from_there():
    rates = [learning_rate(PAPER, epoch, 1) for epoch in range(51)]
    assert (np.diff(rates[:11]) > 0).all()
    assert (np.diff(rates[10:]) < 0).all()


def test_learning_rate_of_the_released_code_stays_at_its_peak():
    released = replace(PAPER, final_rate=PAPER.peak_rate)
    assert [learning_rate(released, epoch, 2) for epoch in (10, 25, 49)] == pytest.approx(
        [2e-3] * 3
    )


def test_equal_steps_are_those_of_pre_training_and_fine_tuning():
    budget = {
        "pretrain": {"epochs": 14, "batch_size": 64},
        "finetune": {"epochs": 8, "batch_size": 32},
    }
    rows = {"pretrain": 22_848, "finetune": 16_000}
    # On two devices: 14 * 178 + 8 * 250 steps, in epochs of 125.
    assert loop.equal_epochs(budget, rows, devices=2, steps=125) == round(4492 / 125)
    assert loop.equal_epochs(budget, {"pretrain": 1, "finetune": 1}, 1, steps=1000) == 1
    with pytest.raises(
        ValueError, match="36 epoch.* the warm-up takes all of them .40.; lower `training"
    ):
        loop.equal_epochs(budget, rows, 2, 125, warmup_epochs=40)


def test_training_learns_and_reports(undisturbed):
    history, _ = undisturbed
    assert list(history["epoch"]) == [1, 2, 3, 4]
    rates = [learning_rate(RECIPE, epoch, 1) for epoch in range(4)]
    assert list(history["learning_rate"]) == rates
    assert history["loss"][3] < history["loss"][0] / 2
    assert history["validation_r"][3] > 0.5
    # The three metrics are of the same predictions.
    tokens, expression = VALIDATION
    explained = 1 - history["validation_rmse"] ** 2 / expression.var()
    np.testing.assert_allclose(history["validation_r2"], explained, rtol=1e-5)


def test_training_learns_the_rate_times_the_devices(model, checkpoint):
    history = run(model, checkpoint, replace(RECIPE, epochs=2), devices=4)
    assert history["learning_rate"][1] == 4 * learning_rate(RECIPE, 1, 1)
    assert float(model.optimizer.learning_rate) == pytest.approx(history["learning_rate"][1])


def after_four_steps(optimizer):
    """Variables at the start, and after four steps of an optimiser."""
    random = np.random.default_rng(8)
    shapes = (3, 4), (4,), (2, 3, 5), ()
    variables = [keras.Variable(random.normal(size=shape), dtype="float32") for shape in shapes]
    start = [keras.ops.convert_to_numpy(variable) for variable in variables]
    optimizer.build(variables)
    for rate in (1e-3, 1e-2, 1e-2, 1e-4):
        optimizer.learning_rate.assign(rate)
        gradients = [random.normal(0, 9, shape).astype(np.float32) for shape in shapes]
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    return start, [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_adam_on_flat_vectors_equals_that_of_keras():
    expected = after_four_steps(keras.optimizers.Adam())[1]
    assert equal(after_four_steps(loop.FlatAdam())[1], expected)


def test_fused_adam_equals_that_of_keras_to_rounding():
    start, expected = after_four_steps(keras.optimizers.Adam())
    for ours, theirs, before in zip(
        after_four_steps(loop.FusedAdam())[1], expected, start, strict=True
    ):
        np.testing.assert_allclose(ours - before, theirs - before, rtol=1e-4, atol=1e-6)
        assert np.abs(theirs - before).max() > 5e-3


@pytest.mark.parametrize(
    ("least", "device", "adam"),
    [(1, "cpu", loop.FusedAdam), (1, "gpu", loop.FlatAdam), (10**9, "cpu", loop.FlatAdam)],
)
def test_large_models_on_cpus_have_the_fused_adam(monkeypatch, least, device, adam):
    monkeypatch.setattr(loop, "LARGE", least)
    model = keras.Sequential([keras.Input((LENGTH,)), layers.Dense(1)])
    assert type(compile_model(model, RECIPE, device).optimizer) is adam


def test_dropout_depends_on_seed_and_epoch_alone(model):
    tokens, _ = VALIDATION

    def outputs(seed, epoch):
        loop._seed_dropout(model, seed, epoch)
        return keras.ops.convert_to_numpy(model(tokens, training=True))

    first = outputs(1, 0)
    assert not np.array_equal(first, outputs(1, 1))
    assert not np.array_equal(first, outputs(2, 0))
    assert np.array_equal(first, outputs(1, 0))
    states = [
        tuple(keras.ops.convert_to_numpy(layer.seed_generator.state))
        for layer in model.layers
        if isinstance(layer, layers.Dropout)
    ]
    assert len(set(states)) == 2


def test_one_cycle_rises_and_falls_along_cosines():
    recipe = replace(PAPER, schedule="one_cycle", start_rate=0.1, peak_rate=1.1, final_rate=0.3)
    rates = [learning_rate(recipe, epoch, 2) for epoch in (0, 5, 10, 30, 50)]
    assert rates == pytest.approx([0.2, 1.2, 2.2, 1.4, 0.6])
    quarter = 0.1 + (1 - np.cos(np.pi / 4)) / 2
    assert learning_rate(replace(recipe, warmup_epochs=8), 2, 1) == pytest.approx(quarter)


def test_soft_bins_is_the_divergence_of_two_distributions():
    expression = np.array([0.2, 3.0, 4.9], np.float32)
    logits = np.random.default_rng(4).normal(0, 2, (3, 6)).astype(np.float32)
    edges = np.array([-np.inf, 0.5, 1.5, 2.5, 3.5, 4.5, np.inf])
    wanted = np.diff(scipy.stats.norm.cdf(edges, expression[:, None], 0.5), axis=1)
    got = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for column in (expression, expression[:, None]):
        found = keras.ops.convert_to_numpy(soft_bins(column, keras.ops.convert_to_tensor(logits)))
        np.testing.assert_allclose(found, scipy.stats.entropy(wanted, got, axis=1), rtol=1e-4)
    best = keras.ops.convert_to_tensor(np.log(wanted + 1e-7).astype(np.float32))
    assert np.abs(keras.ops.convert_to_numpy(soft_bins(expression, best))).max() < 1e-5


def test_weights_are_averaged_step_by_step():
    model = built(seed=3)
    optimizer = compile_model(model, replace(RECIPE, ema=0.8), "cpu").optimizer
    random, average = np.random.default_rng(5), None
    for step in range(5):
        gradients = [random.normal(size=v.shape) for v in model.trainable_variables]
        optimizer.apply([gradient.astype(np.float32) for gradient in gradients])
        weights = model.trainable_variables[0].numpy()
        average = weights if step == 0 else 0.8 * average + 0.2 * weights
    assert not np.allclose(weights, average, atol=1e-3)
    optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(model.trainable_variables[0].numpy(), average, atol=1e-6)


def test_the_average_is_kept_but_training_goes_on_from_the_weights(checkpoint):
    recipe = replace(RECIPE, ema=0.9, epochs=2, start_rate=1e-2)
    model = built(seed=3)
    fitted = compile_model(model, recipe, "cpu")
    run(model, checkpoint, replace(recipe, epochs=1), fitted=fitted)
    with np.load(checkpoint) as saved:
        assert np.array_equal(saved["best/0"], model.get_weights()[0])
        assert not np.allclose(saved["weights/0"], saved["best/0"], atol=1e-4)


def test_moving_statistics_follow_the_momentum_of_the_recipe():
    tokens = np.zeros((4, 8), np.uint8)
    for momentum, share in ((None, 0.01), (0.9, 0.1)):
        one_hot = OneHot()(inputs := keras.Input((8,), dtype="uint8"))
        x = keras.layers.BatchNormalization()(one_hot)
        x = keras.layers.Dense(1)(keras.layers.Flatten()(x))
        model = compile_model(
            keras.Model(inputs, x), replace(RECIPE, norm_momentum=momentum), "cpu"
        )
        model.train_on_batch(tokens, np.zeros(4, np.float32))
        # The mean of the first channel, which starts at 0, is 1 in every batch.
        (norm,) = [n for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
        assert norm.moving_mean.numpy()[0] == pytest.approx(share, rel=1e-5)


def test_weight_decay_is_decoupled_and_spares_biases():
    recipe = replace(RECIPE, weight_decay=0.1)
    model = built(seed=3)
    fitted = compile_model(model, recipe, "cpu")
    before = {v.path: v.numpy() for v in model.trainable_variables}
    fitted.optimizer.learning_rate.assign(0.5)
    fitted.optimizer.apply([np.zeros(v.shape, np.float32) for v in model.trainable_variables])
    for variable in model.trainable_variables:
        kept = 0.95 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable.numpy(), kept * before[variable.path], rtol=1e-6)


IMPROVED = replace(
    RECIPE, ema=0.9, weight_decay=0.01, schedule="one_cycle", reverse_complement=True
)


def improved(seed):
    """A model with everything that a recipe can switch on, and the model that is fitted."""
    model = built(seed, bins=LENGTH + 1)
    return both_strands(model), compile_model(model, IMPROVED, "cpu")


def test_every_switch_together_learns_and_resumes(tmp_path):
    model, fitted = improved(seed=1)
    history = run(model, tmp_path / "a.npz", IMPROVED, fitted=fitted)
    assert history["validation_r"].iloc[-1] > 0.5
    with pytest.raises(Kill):
        first, fitted = improved(seed=1)
        run(first, tmp_path / "b.npz", IMPROVED, fitted=fitted, epoch_batches=stopping_at(2))
    other, fitted = improved(seed=5)
    resumed = run(other, tmp_path / "b.npz", IMPROVED, fitted=fitted)
    assert equal(other.get_weights(), model.get_weights())
    assert resumed.drop(columns=TIMINGS).equals(history.drop(columns=TIMINGS))


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_interrupted_training_ends_as_an_undisturbed_one(undisturbed, checkpoint, epoch, capsys):
    history, weights = undisturbed
    with pytest.raises(Kill):
        run(compiled(seed=1), checkpoint, epoch_batches=stopping_at(epoch))
    other = compiled(seed=5)
    assert not equal(other.get_weights(), weights)
    resumed = run(other, checkpoint)
    assert f"continuing after epoch {epoch}" in capsys.readouterr().err
    assert equal(other.get_weights(), weights)
    assert resumed.drop(columns=TIMINGS).equals(history.drop(columns=TIMINGS))


def test_a_finished_training_is_not_repeated(model, checkpoint):
    run(model, checkpoint)
    weights = model.get_weights()
    model.set_weights([np.ones_like(weight) for weight in weights])
    run(model, checkpoint, epoch_batches=stopping_at(0))
    assert equal(model.get_weights(), weights)


SCRIPT = """
import sys, time
from pathlib import Path
import test_loop as t

def hanging(epoch):
    for step, batch in enumerate(t.batches(epoch)):
        if epoch == 2 and step == 3:
            print("hangs", flush=True)
            time.sleep(600)
        yield batch

hang, seed, checkpoint, weights = sys.argv[1:]
model = t.compiled(int(seed))
t.run(model, Path(checkpoint), epoch_batches=hanging if hang == "hang" else t.batches)
t.np.savez(weights, *model.get_weights())
"""


def test_a_killed_training_ends_as_an_undisturbed_one(undisturbed, checkpoint, tmp_path):
    script, weights = tmp_path / "script.py", tmp_path / "weights.npz"
    script.write_text(SCRIPT)
    paths = [str(Path(__file__).parent), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}

    def start(hang, seed):
        return subprocess.Popen(
            [sys.executable, script, hang, str(seed), checkpoint, weights],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    with start("hang", 1) as process:
        assert process.stdout.readline() == "hangs\n"  # in the third epoch
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not weights.exists()
    with start("on", 5) as process:
        pass
    assert process.returncode == 0
    with np.load(weights) as saved:
        assert equal(list(saved.values()), undisturbed[1])


def test_the_checkpoint_is_plain_arrays_and_json(model, checkpoint):
    with pytest.raises(Kill):
        run(model, checkpoint, epoch_batches=stopping_at(1))
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
    with zipfile.ZipFile(checkpoint) as archive:
        for name in archive.namelist():
            # Refuses a member that holds pickled objects.
            np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
    with np.load(checkpoint) as saved:
        about = json.loads(str(saved["about"]))
    assert set(about) == {"belongs_to", "best", "history"}
    assert len(about["history"]) == 1


def wide(text):
    """Text as numpy stores it."""
    return text.encode("utf-32-le")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole, "belongs to another config or other data"),
        (lambda whole: whole[: len(whole) // 2], "cannot be used"),
        (lambda whole: whole[:-1000] + bytes(1000), "cannot be used"),
        (lambda whole: whole.replace(wide("loss"), wide("lass"), 1), "cannot be used"),
        (lambda whole: b"garbage", "cannot be used"),
        (lambda whole: b"", "cannot be used"),
    ],
    ids=["other fingerprint", "truncated", "no directory", "corrupt", "garbage", "empty"],
)
def test_a_checkpoint_that_cannot_be_used_is_set_aside(model, checkpoint, damage, message, capsys):
    with pytest.raises(Kill):
        run(model, checkpoint, epoch_batches=stopping_at(1), belongs_to="another")
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    started = []

    def noting(epoch):
        started.append(epoch)
        return batches(epoch)

    belongs_to = "this" if "another" in message else "another"
    history = run(
        model, checkpoint, replace(RECIPE, epochs=1), epoch_batches=noting, belongs_to=belongs_to
    )
    error = capsys.readouterr().err
    assert (
        f"{checkpoint}: " in error and message in error and "starting from the beginning" in error
    )
    assert started == [0]
    assert len(history) == 1
    # What another config has left is no damage.
    assert checkpoint.with_suffix(".damaged").exists() == ("cannot be used" in message)


def without_best(about, arrays):
    return {"belongs_to": about["belongs_to"]}, arrays


def other_shapes(about, arrays):
    return about, {name: array[:1] for name, array in arrays.items()}


@pytest.mark.parametrize(
    "change",
    [
        lambda about, arrays: ([1], arrays),
        without_best,
        other_shapes,
        lambda about, arrays: (about, {n: a.astype(np.float32) for n, a in arrays.items()}),
        lambda about, arrays: (about | {"history": []}, arrays),
        lambda about, arrays: (about | {"history": [1, 2]}, arrays),
        lambda about, arrays: (about | {"history": 3}, arrays),
        lambda about, arrays: (about | {"best": "high"}, arrays),
        lambda about, arrays: (about | {"best": 0.75}, arrays),
        lambda about, arrays: (about, {n: a for n, a in arrays.items() if n != "best/0"}),
    ],
    ids=[
        *("a list", "no best", "shapes", "types", "no epochs", "numbers", "no list", "text"),
        *("another best", "an array less"),
    ],
)
def test_a_checkpoint_with_other_content_is_set_aside(tmp_path, change, capsys):
    path = tmp_path / "model.npz"
    state_of(path, 1.0).end_epoch({"epoch": 1, "validation_r2": 0.5}, [np.full(9, 2.0)])
    with np.load(path) as saved:
        arrays = {name: saved[name] for name in saved.files}
    about, arrays = change(json.loads(str(arrays.pop("about"))), arrays)
    np.savez(path, about=np.array(json.dumps(about)), **arrays)
    content = path.read_bytes()
    state = state_of(path, 3.0)
    state.restore()
    said = capsys.readouterr().err
    assert f"{path}: cannot be used (" in said and "it is now model.damaged" in said
    assert (state.model.values[0][0], state.best_weights[0][0], state.history) == (3.0, 3.0, [])
    assert not path.exists() and path.with_suffix(".damaged").read_bytes() == content


class Held:
    """A model or a variable of which only the values count."""

    def __init__(self, values):
        self.values = values

    def get_weights(self):
        return self.values

    def set_weights(self, values):
        self.values = values

    assign = set_weights

    def __array__(self, dtype=None, copy=None):
        return self.values


def state_of(path, value):
    fitted = SimpleNamespace(optimizer=SimpleNamespace(variables=[Held(np.full(5, value))]))
    return loop._State(Held([np.full(9, value)]), fitted, path, "this", writes=True)


def test_a_wrong_byte_in_a_checkpoint_is_never_a_wrong_weight(tmp_path, capsys):
    path, random = tmp_path / "checkpoint.npz", np.random.default_rng(6)
    state_of(path, 1.0).end_epoch({"epoch": 1, "validation_r2": 0.5}, [np.full(9, 2.0)])
    content = path.read_bytes()
    # Anywhere, and above all in the list of the parts at its end.
    places = [*random.integers(0, len(content), 300), *range(len(content) - 400, len(content))]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        state = state_of(path, 3.0)
        state.restore()
        said = capsys.readouterr().err
        values = (state.model.values[0][0], state.best_weights[0][0], len(state.history))
        assert values == ((3.0, 3.0, 0) if "starting from the beginning" in said else (2.0, 1.0, 1))


def test_a_full_disk_leaves_the_checkpoint_before(checkpoint, monkeypatch):
    state = state_of(checkpoint, 1.0)
    state.end_epoch({"epoch": 1, "validation_r2": 0.5}, [np.full(9, 2.0)])
    content = checkpoint.read_bytes()

    def full(file, **arrays):
        file.write(b"PK")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(np, "savez", full)
        state.end_epoch({"epoch": 2, "validation_r2": 0.6}, [np.full(9, 3.0)])
    assert checkpoint.read_bytes() == content
    again = state_of(checkpoint, 4.0)
    again.restore()
    assert len(again.history) == 1 and again.model.values[0][0] == 2


def scripted(monkeypatch, model, scores):
    """Sets the validation R2 of each epoch, and collects the weights that had each score."""
    weights = []

    def score(measured, predicted, _):
        weights.append(model.get_weights())
        return scores[len(weights) - 1]

    monkeypatch.setattr(loop, "r_squared", score)
    return weights


@pytest.mark.parametrize(
    ("scores", "epochs", "best"),
    [
        ([0.1, 0.5, 0.4, 0.3, 0.9], 4, 1),
        ([0.5, 0.4, 0.6, 0.5, 0.5, 0.9], 5, 2),
        ([0.5, 0.5, 0.5, 0.9], 3, 0),
        ([-3.0, -4.0, -5.0, 0.9], 3, 0),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 6, 5),
    ],
)
def test_early_stop_keeps_the_weights_of_the_best_epoch(
    model, checkpoint, monkeypatch, scores, epochs, best
):
    weights = scripted(monkeypatch, model, scores)
    history = run(model, checkpoint, replace(RECIPE, epochs=6, patience=2))
    assert list(history["validation_r2"]) == scores[:epochs]
    assert equal(model.get_weights(), weights[best])
    assert epochs == best + 1 or not equal(weights[best], weights[-1])


def test_patience_and_best_weights_last_over_an_interruption(model, checkpoint, monkeypatch):
    recipe = replace(RECIPE, epochs=6, patience=2)
    weights = scripted(monkeypatch, model, [0.1, 0.5, 0.4, 0.3, 0.9])
    with pytest.raises(Kill):
        run(model, checkpoint, recipe, epoch_batches=stopping_at(3))
    model.set_weights([np.ones_like(weight) for weight in weights[0]])
    history = run(model, checkpoint, recipe)
    assert list(history["validation_r2"]) == [0.1, 0.5, 0.4, 0.3]
    assert equal(model.get_weights(), weights[1])


def test_a_loss_that_is_not_finite_stops_training(model, checkpoint):
    def poisoned(epoch):
        for tokens, expression in batches(epoch):
            yield tokens, expression * (np.nan if epoch == 1 else 1)

    with pytest.raises(FloatingPointError, match="after epoch 2 the loss is nan.*peak_rate"):
        run(model, checkpoint, epoch_batches=poisoned)


def test_a_prediction_that_is_not_finite_stops_training(model, checkpoint, monkeypatch):
    monkeypatch.setattr(loop, "predict", lambda model, tokens: np.full(len(tokens), np.inf))
    with pytest.raises(FloatingPointError, match="a prediction is not finite"):
        run(model, checkpoint)


@pytest.mark.parametrize("expression", [[], [3.0], [3.0, 3.0, 3.0]])
def test_a_validation_set_without_variance_is_refused(model, checkpoint, expression):
    tokens, _ = sequences(0, len(expression))
    with pytest.raises(ValueError, match="validation_fraction"):
        run(model, checkpoint, validation=(tokens, np.array(expression, np.float32)))


def test_expressions_outside_the_bins_are_no_error(checkpoint):
    tokens, _ = VALIDATION
    values = np.linspace(-30, 40, len(tokens)).astype(np.float32)
    model = built(seed=1, bins=13)
    fitted = compile_model(model, RECIPE, "cpu")
    history = run(
        model,
        checkpoint,
        replace(RECIPE, epochs=1),
        fitted=fitted,
        epoch_batches=lambda epoch: ((tokens[:16], values[:16]) for _ in range(STEPS)),
        validation=(tokens, values),
    )
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize(("first", "width"), [(-2.2, 0.26), (0.0, 1 / 12), (-500.0, 900.0)])
def test_bins_of_any_scale_learn_the_same(checkpoint, first, width):
    """The same data on another scale give the same training, on that scale."""
    predicted = []
    for number, scale in enumerate([(0.0, 1.0), (first, width)]):
        model = built(seed=1, bins=13)
        bins = expected_bin(model)
        bins.first, bins.width = scale

        def scaled(tokens, values, scale=scale):
            return tokens, (scale[0] + scale[1] * values).astype(np.float32)

        run(
            model,
            checkpoint.with_name(f"{number}.npz"),
            replace(RECIPE, epochs=2),
            fitted=compile_model(model, RECIPE, "cpu"),
            epoch_batches=lambda epoch, scaled=scaled: (scaled(*batch) for batch in batches(epoch)),
            validation=scaled(*VALIDATION),
        )
        predicted.append((model.predict_on_batch(VALIDATION[0]) - scale[0]) / scale[1])
    np.testing.assert_allclose(predicted[1], predicted[0], atol=0.02)
    assert np.ptp(predicted[0]) > 0.5


def test_fingerprint_tells_configs_and_data_apart():
    one = loop.fingerprint({"epochs": 5, "seed": 1}, ["shards"])
    assert one == loop.fingerprint({"seed": 1, "epochs": 5}, ["shards"])
    assert one != loop.fingerprint({"seed": 2, "epochs": 5}, ["shards"])
    assert one != loop.fingerprint({"seed": 1, "epochs": 5}, ["other"])
    weights, others = np.zeros(5000, np.float32), np.zeros(5000, np.float32)
    others[2500] = 1e-6
    assert loop.fingerprint([weights]) == loop.fingerprint([weights.copy()])
    assert loop.fingerprint([weights]) != loop.fingerprint([others])


def test_recipe_takes_its_keys_of_the_config_and_changes():
    config = asdict(PAPER) | {"device": "auto", "seed": 5}
    assert loop.recipe_of(config, seed=1) == PAPER
    assert loop.recipe_of(config, epochs=3) == replace(PAPER, seed=5, epochs=3)


def test_progress_is_logged_during_an_epoch(monkeypatch, capsys):
    clock = iter([100.0, 110.0, 125.0, 130.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = loop._EpochProgress(epoch=2, epochs=9, steps=30, batch=64)
    for batch in (4, 9, 14):
        progress.on_train_batch_end(batch)
    # Ten steps in 25 s, twenty to go, and six epochs of thirty: said once, for the next line comes
    # 20 s later.
    assert capsys.readouterr().err == (
        "epoch 3 of 9: 640 of 1,920 sequences, 26 sequences/s, at most 8 min left\n"
    )


# Weights of rows. A batch normalisation or dropout would mix the rows.


def bare(bins):
    """A model without batch normalisation and dropout, and the one to fit."""
    keras.utils.set_random_seed(3)
    tokens = keras.Input((LENGTH,), dtype="uint8")
    model = keras.Model(tokens, expression_head(layers.Flatten()(OneHot()(tokens)), bins))
    return model, compile_model(model, replace(RECIPE, steps_per_execution=1), "cpu")


def loss_and_gradient(bins, *columns):
    """The loss of one step on one batch, and its gradient, which is a tenth of the first
    momentum."""
    _, fitted = bare(bins)
    done = fitted.fit((columns for _ in range(1)), steps_per_epoch=1, shuffle=False, verbose=0)
    return done.history["loss"][0], np.asarray(fitted.optimizer.momentum) * 10


def weighing(bins):
    """Loss and gradient: of rows with weights 2, 1, 0, 1 and mean 1, and of the first row twice,
    the others once and the third never."""
    tokens, expression = sequences(7, 4)
    weights = np.array([2, 1, 0, 1], np.float32)
    again = [0, 0, 1, 3]
    return (
        loss_and_gradient(bins, tokens, expression, weights),
        loss_and_gradient(bins, tokens[again], expression[again]),
        loss_and_gradient(bins, tokens, expression),
    )


def check_bins_of_many_expressions():
    expression = np.linspace(-0.5, 17.5, 50_001, dtype=np.float32)
    loss = soft_bins(expression, np.zeros((len(expression), 18), np.float32))
    assert np.isfinite(np.asarray(loss)).all()


def check_weighing(bins):
    (loss, gradient), (again, of_again), (_, unweighted) = weighing(bins)
    assert loss == pytest.approx(again, rel=1e-5)
    np.testing.assert_allclose(gradient, of_again, rtol=1e-4, atol=1e-6)
    assert np.abs(gradient - unweighted).max() > 1e-2


@pytest.mark.parametrize("bins", [0, 13])
def test_a_weight_of_two_equals_the_row_twice_in_loss_and_gradient(bins):
    check_weighing(bins)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_losses_with_jax():
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
    }
    code = (
        "import test_loop as t; t.check_bins_of_many_expressions(); "
        "t.check_weighing(0); t.check_weighing(13); "
        "print(t.keras.backend.backend())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "jax"


def test_validation_is_weighed_too(checkpoint):
    tokens, expression = VALIDATION
    weights = np.random.default_rng(1).integers(0, 4, len(tokens)).astype(np.float32)
    again = np.repeat(np.arange(len(tokens)), weights.astype(int))
    recipe = replace(RECIPE, epochs=2)
    of_weights, of_copies, unweighted = (
        run(compiled(seed=2), checkpoint.with_name(f"{n}.npz"), recipe, validation=validation)
        for n, validation in enumerate(
            [(tokens, expression, weights), (tokens[again], expression[again]), VALIDATION]
        )
    )
    for column in ("validation_r2", "validation_r", "validation_rmse"):
        np.testing.assert_allclose(of_weights[column], of_copies[column], rtol=1e-4)
        assert not np.allclose(of_weights[column], unweighted[column], rtol=1e-3)


def test_a_validation_set_without_variance_in_its_weighed_rows_is_refused(model, checkpoint):
    tokens, expression = VALIDATION
    weights = (expression == expression[0]).astype(np.float32)
    with pytest.raises(ValueError, match="sequences of a weight above 0 and fewer than two"):
        run(model, checkpoint, validation=(tokens, expression, weights))
