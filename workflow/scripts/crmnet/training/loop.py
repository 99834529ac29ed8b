"""Trains a model: learning rate, loop over epochs, early stopping, and checkpoints to resume
from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from keras import ops

from crmnet.data import damage
from crmnet.evaluation.agreement import pearson, r_squared, rmse
from crmnet.logs import Progress, duration, say
from crmnet.models.layers import BINS, expected_bin
from crmnet.training.prediction import predict, replicas

# The parameters from which a faster step of `FusedAdam` outweighs its slower start on CPUs.
LARGE = 1_000_000


@dataclass(frozen=True)
class Recipe:
    """The settings of a training (paper, section 4.4). Learning rates and batch size are per
    device.

    Attributes:
        epochs: the most epochs.
        batch_size: sequences per step and device.
        warmup_epochs: epochs over which the learning rate rises from `start_rate` to `peak_rate`.
            It then falls along a cosine to `final_rate` at the end of the last epoch.
        schedule: the shape of the rise: linear ("warmup_cosine", the paper's) or a cosine
            ("one_cycle", Smith & Topin 2019).
        patience: epochs without a better validation R2 after which training stops.
        weight_decay: the share of each kernel that a step subtracts, per unit of the learning
            rate (AdamW, Loshchilov & Hutter 2019); 0 gives Adam.
        ema: the decay per step of the exponential moving average of the weights. The averaged
            weights are validated and kept. With 0, the weights themselves are used.
        norm_momentum: the decay per step of the moving statistics of batch normalisation; None for
            the architecture's own.
        reverse_complement: whether to train on either strand and predict the mean of both.
        synchronized: whether devices that share a batch normalise by the statistics of the whole
            batch, not of their own part; on JAX they always do.
        steps_per_execution: training steps that the device runs before it reports back.
        seed: the seed of the order of the rows and of dropout.
    """

    epochs: int
    batch_size: int
    warmup_epochs: int
    start_rate: float
    peak_rate: float
    final_rate: float
    patience: int
    steps_per_execution: int
    seed: int
    schedule: str = "warmup_cosine"
    weight_decay: float = 0.0
    ema: float = 0.0
    norm_momentum: float | None = None
    reverse_complement: bool = False
    synchronized: bool = False


def learning_rate(recipe: Recipe, epoch: int, devices: int) -> float:
    """Returns the learning rate of an epoch (from 0), multiplied by the number of devices."""
    if epoch < recipe.warmup_epochs:
        share = epoch / recipe.warmup_epochs
        if recipe.schedule == "one_cycle":
            share = (1 - math.cos(math.pi * share)) / 2
        return devices * (recipe.start_rate + (recipe.peak_rate - recipe.start_rate) * share)
    share = (epoch - recipe.warmup_epochs) / max(1, recipe.epochs - recipe.warmup_epochs)
    cosine = (1 + math.cos(math.pi * share)) / 2
    return devices * (recipe.final_rate + (recipe.peak_rate - recipe.final_rate) * cosine)


def equal_epochs(
    budget: dict[str, dict[str, int]],
    rows: dict[str, int],
    devices: int,
    steps: int,
    warmup_epochs: int = 0,
) -> int:
    """Returns the epochs in which a model makes as many steps as several stages can make together.

    Args:
        budget: stage -> its `epochs`, and `batch_size` on each device.
        rows: stage -> number of sequences to train on.
        devices: the number of devices that share a batch.
        steps: the steps of an epoch of the model.
        warmup_epochs: the warm-up of its recipe.

    Raises:
        ValueError: the warm-up would take all epochs.
    """
    total = sum(
        of["epochs"] * max(1, rows[stage] // (of["batch_size"] * devices))
        for stage, of in budget.items()
    )
    epochs = max(1, round(total / steps))
    if epochs <= warmup_epochs:
        raise ValueError(
            f"a model with `equal_steps` has {epochs} epoch(s) here, and the warm-up takes "
            f"all of them ({warmup_epochs}); lower `training: stages: scratch: warmup_epochs`"
        )
    return epochs


class _Adam(keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015), with the correction of both moments for their start at 0 in the
    rate, which is computed once per step."""

    def corrected(self, rate):
        step = ops.cast(self.iterations + 1, "float32")
        power_1 = ops.power(ops.cast(self.beta_1, "float32"), step)
        power_2 = ops.power(ops.cast(self.beta_2, "float32"), step)
        return rate * ops.sqrt(1 - power_2) / (1 - power_1)


@keras.saving.register_keras_serializable("crmnet")
class FlatAdam(_Adam):
    """Adam with the moments of all variables in two long vectors.

    It gives the same numbers as Keras's Adam. It needs a few operations on vectors, not thirty on
    each of some hundred variables; tracing those takes most of the time before a small model's
    first step.
    """

    def build(self, variables):
        if self.built:
            return
        keras.optimizers.Optimizer.build(self, variables)
        size = sum(math.prod(variable.shape) for variable in variables)
        self.momentum = self.add_variable((size,), name="momentum")
        self.velocity = self.add_variable((size,), name="velocity")

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        gradient = ops.concatenate([ops.reshape(gradient, (-1,)) for gradient in grads])
        self.assign_add(self.momentum, (gradient - self.momentum) * (1 - self.beta_1))
        self.assign_add(self.velocity, (ops.square(gradient) - self.velocity) * (1 - self.beta_2))
        rate = self.corrected(learning_rate)
        change = self.momentum * rate / (ops.sqrt(self.velocity) + self.epsilon)
        ends = np.cumsum([math.prod(variable.shape) for variable in trainable_variables])
        for variable, part in zip(
            trainable_variables, ops.split(change, ends[:-1].tolist()), strict=True
        ):
            self.assign_sub(variable, ops.reshape(part, variable.shape))


@keras.saving.register_keras_serializable("crmnet")
class FusedAdam(_Adam):
    """Adam for TensorFlow, with one operation for each variable: the one that Keras 2 used, which
    trained the paper's models.

    It differs from Keras 3's Adam by the rounding of 1 - beta (4e-5 of the velocity). It reads and
    writes each number once, where the operations of `FlatAdam` take a fifth of the full model's
    step in half precision. Its many variables take a second more before the first step.
    """

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        rate = self.corrected(learning_rate)
        super()._backend_update_step(grads, trainable_variables, rate)

    def update_step(self, gradient, variable, learning_rate):
        import tensorflow as tf

        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            # The rate is corrected already.
            beta1_power=0.0,
            beta2_power=0.0,
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def compile_model(model: keras.Model, recipe: Recipe, device_kind: str) -> keras.Model:
    """Returns the compiled model to fit. Must be called in the scope in which the model was built.

    It is the model itself, with Adam on the Huber loss (paper, section 4.4). If the model's head
    has bins, it is the part up to their logits, on the divergence from the bins of the
    measurements. The bins must have their places already.

    Args:
        device_kind: "cpu", "gpu" or "tpu".
    """
    tensorflow = keras.backend.backend() == "tensorflow"
    # With replicas, TensorFlow sums gradients only in Keras's own optimisers, and Keras 3 fails
    # with more than one step per execution.
    mirrored = tensorflow and replicas(model) > 1
    if mirrored:
        adam = keras.optimizers.Adam
    elif tensorflow and device_kind == "cpu" and model.count_params() >= LARGE:
        adam = FusedAdam
    else:
        adam = FlatAdam
    optimizer = adam(
        weight_decay=recipe.weight_decay or None,
        use_ema=bool(recipe.ema),
        ema_momentum=recipe.ema or 0.99,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    bins = expected_bin(model)
    fitted = keras.Model(model.input, model.get_layer(BINS).output) if bins else model

    def divergence(expression, logits):
        return soft_bins(expression, logits, bins.first, bins.width)

    for layer in fitted.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = recipe.synchronized and mirrored
            if recipe.norm_momentum is not None:
                layer.momentum = recipe.norm_momentum
    fitted.compile(
        optimizer=optimizer,
        loss=divergence if bins else keras.losses.Huber(),
        steps_per_execution=1 if mirrored else recipe.steps_per_execution,
        # XLA makes TensorFlow's convolutions slower on CPUs.
        jit_compile=False if tensorflow and device_kind == "cpu" else "auto",
    )
    # With float16, `fitted.optimizer` wraps the optimiser and scales the loss.
    fitted.optimizer.build(fitted.trainable_variables)
    return fitted


def soft_bins(
    expression: keras.KerasTensor,
    logits: keras.KerasTensor,
    first: float = 0.0,
    width: float = 1.0,
) -> keras.KerasTensor:
    """Returns the Kullback-Leibler divergence (batch,) of the predicted bins from the measured
    bins. The measured bins are those of a normal distribution around the expression, with a
    standard deviation of half a bin (Penzar et al. 2023).

    Args:
        expression: (batch,) or (batch, 1).
        logits: (batch, bins), the logits of the bins.
        first, width: the centre of the first bin, and the width of each (`layers.ExpectedBin`).
    """
    bins = logits.shape[-1]
    expression = (expression - first) / width
    edges = ops.arange(bins - 1, dtype=logits.dtype) + 0.5
    below = 0.5 * (1 + ops.erf((edges - ops.reshape(expression, (-1, 1))) / 0.5 / math.sqrt(2)))
    padded = ops.pad(below, ((0, 0), (1, 0))), ops.pad(below, ((0, 0), (0, 1)), constant_values=1)
    # JAX's erf is not monotonous to the last bit, and the logarithm of less than 0 is not a number.
    wanted = ops.maximum(padded[1] - padded[0], 0)
    gap = ops.log(wanted + 1e-7) - ops.log_softmax(logits, axis=-1)
    return ops.sum(wanted * gap, axis=-1)


def fingerprint(*parts: object) -> str:
    """Returns a hash of config, data and weights, which decides whether a checkpoint belongs to a
    training.

    Args:
        parts: values that JSON can hold, arrays (hashed by their bytes), and others (hashed by
            their `str`).
    """

    def plain(part):
        return sha256(part.tobytes()) if isinstance(part, np.ndarray) else str(part)

    def sha256(content):
        return hashlib.sha256(content).hexdigest()

    return sha256(json.dumps(parts, sort_keys=True, default=plain).encode())


def train(
    model: keras.Model,
    fitted: keras.Model,
    recipe: Recipe,
    epoch_batches: Callable[[int], object],
    steps: int,
    validation: tuple[np.ndarray, ...],
    *,
    devices: int,
    checkpoint: Path,
    belongs_to: str,
    host: int = 0,
) -> pd.DataFrame:
    """Trains a model, leaves it with the weights of its best epoch, and returns the history.

    After each epoch the whole state is saved to `checkpoint`. A call that finds a checkpoint with
    the same fingerprint continues from it, to the same weights as an uninterrupted run.

    Args:
        model: the model that predicts.
        fitted: the model that is fitted and shares its weights (`compile_model`).
        epoch_batches: function from an epoch to its batches, `steps` of them; see
            `shards.batches`.
        validation: tokens (n, length) and expression (n,), whose R2 decides on early stopping;
            and weight (n,), if rows have weights.
        devices: the number of devices that train together.
        checkpoint: the file, which the caller deletes once the model is saved.
        belongs_to: `fingerprint` of config and data.
        host: the number of this host, from 0. All hosts read the checkpoint, host 0 writes it.

    Returns:
        The history, one row per epoch.

    Raises:
        FloatingPointError: the loss or a prediction is not finite.
        ValueError: there are too few validation rows for an R2.
    """
    tokens, expression, *rest = validation
    weights = rest[0] if rest else None
    counted = expression if weights is None else expression[weights > 0]
    if len(np.unique(counted)) < 2:
        that_count = "" if weights is None else " of a weight above 0"
        raise ValueError(
            f"the validation set has {len(counted)} sequences{that_count} and fewer than two "
            "different values, so that it has no R2; raise `data: validation_fraction` or train "
            "on more sequences"
        )
    state = _State(model, fitted, checkpoint, belongs_to, writes=host == 0)
    state.restore()
    while not state.stopped(recipe):
        epoch, started = len(state.history), time.time()
        _seed_dropout(fitted, recipe.seed, epoch)
        rate = learning_rate(recipe, epoch, devices)
        fitted.optimizer.learning_rate.assign(rate)
        progress = _EpochProgress(epoch, recipe.epochs, steps, devices * recipe.batch_size)
        end = _End(model)
        fit = fitted.fit(
            epoch_batches(epoch),
            steps_per_epoch=steps,
            shuffle=False,  # the batches are already shuffled
            verbose=0,
            callbacks=[progress, end],
        )
        loss = float(fit.history["loss"][0])
        trained = time.time()
        predicted = predict(model, tokens)
        if not (math.isfinite(loss) and np.isfinite(predicted).all()):
            raise FloatingPointError(
                f"after epoch {epoch + 1} the loss is {loss}, or a prediction is not finite; lower "
                "`training: peak_rate`, or train with `precision: float32`"
            )
        row = {
            "epoch": epoch + 1,
            "epochs": recipe.epochs,
            "learning_rate": rate,
            "loss": loss,
            "validation_r2": r_squared(expression, predicted, weights),
            "validation_r": pearson(expression, predicted, weights),
            "validation_rmse": rmse(expression, predicted, weights),
            "sequences_per_second": round(
                steps * devices * recipe.batch_size / (trained - started), 1
            ),
            "seconds": round(time.time() - started, 2),
        }
        state.end_epoch(row, end.weights)
        left = (recipe.epochs - epoch - 1) * row["seconds"]
        say(
            f"epoch {epoch + 1} of {recipe.epochs}: loss {loss:.4f}, validation R2 "
            f"{row['validation_r2']:.4f}, r {row['validation_r']:.4f}, "
            f"{row['sequences_per_second']:,.0f} sequences/s, at most {duration(left)} left"
        )
    state.finish()
    return pd.DataFrame(state.history)


class _State:
    """The state that training needs to resume: weights, optimiser, best weights and history."""

    def __init__(
        self, model: keras.Model, fitted: keras.Model, path: Path, belongs_to: str, *, writes: bool
    ):
        self.model, self.path, self.belongs_to, self.writes = model, path, belongs_to, writes
        self.optimizer = fitted.optimizer
        self.history: list[dict] = []
        self.best = -math.inf
        self.best_weights = model.get_weights()

    def stopped(self, recipe: Recipe) -> bool:
        scores = [row["validation_r2"] for row in self.history]
        # Among equal scores the first counts, because an equal R2 is not a better one.
        best_epoch = scores.index(self.best) + 1 if scores else 0
        return len(scores) >= recipe.epochs or len(scores) - best_epoch >= recipe.patience

    def end_epoch(self, row: dict, weights: list[np.ndarray]) -> None:
        """Keeps the validated weights if they are the best so far, then continues from
        `weights`."""
        self.history.append(row)
        if row["validation_r2"] > self.best:
            self.best, self.best_weights = row["validation_r2"], self.model.get_weights()
        self.model.set_weights(weights)
        if self.writes:
            self._save()

    def finish(self) -> None:
        self.model.set_weights(self.best_weights)
        print(f"kept the weights of the best validation R2, {self.best:.4f}", file=sys.stderr)

    def _groups(self) -> dict[str, list[np.ndarray]]:
        return {
            "weights": self.model.get_weights(),
            "optimizer": [np.asarray(v) for v in self.optimizer.variables],
            "best": self.best_weights,
        }

    def _save(self) -> None:
        arrays = {
            f"{group}/{number}": array
            for group, items in self._groups().items()
            for number, array in enumerate(items)
        }
        about = {"belongs_to": self.belongs_to, "best": self.best, "history": self.history}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def restore(self) -> None:
        """Continues from the checkpoint, if it belongs to this training and is whole. One that is
        not whole gets the ending `.damaged`, so that nobody meets it again."""
        if not self.path.exists():
            return
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                if about["belongs_to"] != self.belongs_to:
                    print(
                        f"{self.path}: belongs to another config or other data; starting from the "
                        "beginning",
                        file=sys.stderr,
                    )
                    return
                best, history = float(about["best"]), list(about["history"])
                # `stopped` reads the score of each epoch.
                if not (history and best in [row["validation_r2"] for row in history]):
                    raise ValueError("no epoch in it has its best R2")
                groups = {
                    group: [_like(item, saved[f"{group}/{n}"]) for n, item in enumerate(items)]
                    for group, items in self._groups().items()
                }
        except damage.ARRAYS as error:
            damaged = self.path.with_suffix(".damaged")
            if self.writes:
                self.path.replace(damaged)
            say(
                f"{self.path}: cannot be used ({type(error).__name__}: {error}); it is now "
                f"{damaged.name}, and training is starting from the beginning"
            )
            return
        self.model.set_weights(groups["weights"])
        for variable, value in zip(self.optimizer.variables, groups["optimizer"], strict=True):
            variable.assign(value)
        self.best_weights, self.best, self.history = groups["best"], best, history
        print(f"{self.path}: continuing after epoch {len(self.history)}", file=sys.stderr)


def _like(item: np.ndarray, saved: np.ndarray) -> np.ndarray:
    """Returns the saved array, which must have the shape and type of an array of the model."""
    if (saved.shape, saved.dtype) != (item.shape, item.dtype):
        raise ValueError(
            f"an array is {saved.dtype} {saved.shape} instead of {item.dtype} {item.shape}"
        )
    return saved


def _seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Seeds dropout by seed and epoch alone, so that training can resume."""
    states = [v for v in model.variables if v.name == "seed_generator_state"]
    for number, state in enumerate(states):
        words = np.random.SeedSequence([seed, epoch, number]).generate_state(2)
        state.assign(words.astype(state.dtype))


class _End(keras.callbacks.Callback):
    """Takes the weights at the end of an epoch, before `fit` replaces them by their average."""

    def __init__(self, predicts: keras.Model):
        super().__init__()
        self.predicts = predicts

    def on_epoch_end(self, epoch, logs=None):
        self.weights = self.predicts.get_weights()


class _EpochProgress(keras.callbacks.Callback):
    """Logs the progress of an epoch now and then."""

    # On JAX, Keras then calls this in a separate thread. Otherwise it would read the losses after
    # each execution, as on TensorFlow, and the device would wait for the host.
    async_safe = True

    def __init__(self, epoch: int, epochs: int, steps: int, batch: int):
        super().__init__()
        head, rest = f"epoch {epoch + 1} of {epochs}: ", epochs - epoch - 1
        self.batch, self.progress = batch, Progress(steps * batch, "sequences", head, rounds=rest)

    def on_train_batch_end(self, batch, logs=None):
        # The last execution may have fewer steps than Keras counts.
        self.progress(min((batch + 1) * self.batch, self.progress.total))


def recipe_of(config: dict, **changes: object) -> Recipe:
    """Returns the recipe of a section of the config, with changes."""
    known = {name: config[name] for name in Recipe.__dataclass_fields__ if name in config}
    return Recipe(**{**known, **changes})
