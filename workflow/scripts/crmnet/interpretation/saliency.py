"""Saliency maps: gradients of the predicted expression with respect to the one-hot sequence
(Simonyan et al. 2014), with TensorFlow or JAX; and their sanity check by randomised weights
(Adebayo et al. 2018)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise

import keras
import numpy as np
import pandas as pd
import scipy.stats
from keras import layers, ops

from crmnet.data.sequences import ALPHABET, COMPLEMENT, Construct, N, insert_span, one_hot
from crmnet.evaluation.statistics import rank_correlations
from crmnet.interpretation.maps import Maps, masked, window
from crmnet.logs import Progress
from crmnet.models.layers import OneHot, ReverseComplement, SelfAttention

BATCH = 128
# Computes predictions (n,) and a map (n, length, 4), in the order A C G T, of tokens (n, length).
Attribution = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
# Layers in which every position depends on every other, and all layers that only occur in blocks
# with such layers.
MIXING = (SelfAttention, layers.MultiHeadAttention, layers.RNN, layers.Bidirectional)
BLOCK = (*MIXING, layers.LayerNormalization)
COLUMNS = [
    *("stage", "layers", "down_to", "draw"),
    *("signed", "signed_low", "signed_high"),
    *("absolute", "absolute_low", "absolute_high", "n"),
]


class _Channels(layers.Layer):
    """Replaces `OneHot`: it puts the channels of a one-hot (batch, length, 5), A C G T N, into the
    order of letters of that layer."""

    def __init__(self, order: str, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.index = [ALPHABET.index(letter) for letter in order]

    def call(self, x):
        return ops.take(x, self.index, axis=-1)


class _OtherStrand(layers.Layer):
    """Replaces `ReverseComplement`: it gives the one-hot (batch, length, 5) of the other strand."""

    def call(self, x):
        return ops.flip(ops.take(x, COMPLEMENT.tolist(), axis=-1), axis=1)


def from_one_hot(model: keras.Model) -> keras.Model:
    """Returns a copy of a model that reads one-hot input instead of tokens.

    The input is (batch, length, 5), float32, in the order A C G T N. The copy shares the model's
    variables. Every layer that makes a one-hot of the tokens or of their reverse complement, also
    in nested models, is replaced by one that uses the input itself. So gradients with respect to
    the input are total derivatives.

    Raises:
        ValueError: no layer of the model is a `OneHot`.
    """
    if not _has_one_hot(model):
        raise ValueError(
            f'the model "{model.name}" has no OneHot layer, so it has no gradient with respect to '
            "the bases"
        )

    def stand_in(layer):
        if isinstance(layer, OneHot):
            return _Channels(layer.order, name=layer.name)
        if isinstance(layer, ReverseComplement):
            return _OtherStrand(dtype="float32", name=layer.name)
        return copied(layer) if isinstance(layer, keras.Model) else layer

    def copied(part):
        bases = keras.Input((part.input_shape[1], len(ALPHABET)), dtype="float32")
        return keras.models.clone_model(part, input_tensors=bases, clone_function=stand_in)

    return copied(model)


def _has_one_hot(model: keras.Model) -> bool:
    return any(
        _has_one_hot(layer) if isinstance(layer, keras.Model) else isinstance(layer, OneHot)
        for layer in model.layers
    )


@contextlib.contextmanager
def in_float32(model: keras.Model) -> Iterator[None]:
    """Makes all layers of a model compute in float32, whatever the precision of its training.

    This holds for calls within the context, and for functions that are first traced within it."""
    policies = [(layer, layer.dtype_policy) for layer in model._flatten_layers()]
    try:
        for layer, _ in policies:
            layer.dtype_policy = "float32"
        yield
    finally:
        for layer, policy in policies:
            layer.dtype_policy = policy


class Gradients:
    """Computes predictions of a model and their gradients, with the model's current weights.

    All computations are in float32, because half precision loses small gradients.

    Raises:
        ValueError: see `from_one_hot`; or the backend is neither TensorFlow nor JAX.
    """

    def __init__(self, model: keras.Model):
        steps = {"tensorflow": _tensorflow, "jax": _jax}
        backend = keras.backend.backend()
        if backend not in steps:
            raise ValueError(f'gradients need the backend "tensorflow" or "jax", not "{backend}"')
        self.model = model
        self._model = from_one_hot(model)
        self._step = steps[backend](self._model)

    def __call__(
        self,
        tokens: np.ndarray,
        batch: int = BATCH,
        inputs: Callable[[np.ndarray], np.ndarray] = one_hot,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns predictions (n,) and gradients (n, length, 4) of tokens (n, length), in float32.

        A gradient is d prediction / d one-hot, in the order A C G T. Both are taken at `inputs` of
        a batch of tokens, (batch, length, 5). Long computations report their progress on stderr."""
        n, length = tokens.shape
        predictions, gradients = np.empty(n, np.float32), np.empty((n, length, 4), np.float32)
        # Pad the last batch, because a batch of another size would be compiled again.
        batch = min(batch, 1 << max(0, n - 1).bit_length())
        progress = Progress(n, "sequences")
        with in_float32(self._model):
            for at in range(0, n, batch):
                part = tokens[at : at + batch]
                end = at + len(part)
                padded = np.pad(part, ((0, batch - len(part)), (0, 0)), constant_values=N)
                prediction, gradient = self._step(inputs(padded))
                predictions[at:end] = np.asarray(prediction)[: len(part)]
                gradients[at:end] = np.asarray(gradient)[: len(part), :, :4]
                progress(end)
        return predictions, gradients


def _tensorflow(model: keras.Model) -> Callable:
    """Returns a compiled function: one-hot (batch, length, 5) -> predictions (batch,), gradients
    (batch, length, 5)."""
    import tensorflow as tf

    @tf.function
    def step(bases):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(bases)
            expression = model(bases, training=False)[:, 0]
        return expression, tape.gradient(expression, bases)

    return lambda bases: step(tf.convert_to_tensor(bases))


def _jax(model: keras.Model) -> Callable:
    """See `_tensorflow`."""
    import jax

    def total(bases, *variables):
        expression = model.stateless_call(*variables, bases, training=False)[0][:, 0]
        return expression.sum(), expression

    differentiated = jax.jit(jax.grad(total, has_aux=True))

    def step(bases):
        groups = (model.trainable_variables, model.non_trainable_variables)
        variables = [[variable.value for variable in group] for group in groups]
        gradient, expression = differentiated(bases, *variables)
        return expression, gradient

    return step


def gradients(model: keras.Model, tokens: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """Returns d prediction / d one-hot (n, length, 4), in the order A C G T, of tokens (n, length).

    See `Gradients`."""
    return Gradients(model)(tokens, batch)[1]


def insert_saliency(
    model: keras.Model,
    tokens: np.ndarray,
    measured: np.ndarray,
    construct: Construct,
    attribute: Attribution | None = None,
) -> Maps:
    """Returns the maps of the inserts in tokens (n, length), the model's input.

    Args:
        attribute: computes the maps (see `attributions.METHODS`); by default the gradients.

    Raises:
        ValueError: there are no sequences, or a sequence has no insert; the model reads sequences
            of another length; or a map is not finite.
    """
    if not len(tokens):
        raise ValueError("there are no sequences to make saliency maps of")
    if model.input_shape[1] != tokens.shape[1]:
        raise ValueError(
            f"the model reads {model.input_shape[1]} tokens, but the sequences have "
            f"{tokens.shape[1]}; set `construct: length` to the length that the model was trained "
            "with"
        )
    start, end = insert_span(tokens, construct)
    without = np.flatnonzero(end <= start)
    if len(without):
        raise ValueError(
            f"{len(without)} sequence(s) have no insert between the flanks, the first in row "
            f"{without[0]} (from 0); remove them from the table, or correct `construct: "
            "left_flank` and `right_flank`"
        )
    prediction, gradient = (attribute or Gradients(model))(tokens)
    bad = np.flatnonzero(~np.isfinite(gradient).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(
            f"the map of {len(bad)} sequence(s) is not finite, the first in row {bad[0]} "
            "(from 0); the model's weights are damaged or its training diverged: delete the model "
            "and run the workflow again"
        )
    width = int((end - start).max())
    outside = np.arange(width) >= (end - start)[:, None]
    return Maps(
        row=np.arange(len(tokens)),
        tokens=np.where(outside, np.uint8(N), window(tokens, start, width)),
        gradient=np.where(outside[..., None], np.float32(0), window(gradient, start, width)),
        prediction=prediction,
        measured=np.asarray(measured, np.float32),
        start=start,
    )


def weighted_layers(model: keras.Model) -> list[layers.Layer]:
    """Returns the layers with weights from the output down to the input, also of nested models.

    Every layer comes before the layers whose outputs it reads."""
    weighted = []
    for layer in reversed(model.layers):
        if isinstance(layer, keras.Model):
            weighted += weighted_layers(layer)
        elif layer.weights:
            weighted.append(layer)
    return weighted


def stages(model: keras.Model) -> dict[str, int]:
    """Returns the stages of the cascade: stage -> how many of the `weighted_layers` are randomised.

    - none: no layer.
    - head: the layer that gives the expression.
    - dense: all layers after the last one whose output has positions.
    - upper: also the layers above the blocks of attention or recurrence (CRMnet's decoder).
    - middle: also these blocks (CRMnet's transformer); in a model without such blocks, half of the
      layers whose output has positions.
    - all: every layer.

    A stage that adds no layer to the stage before is left out.
    """
    weighted = weighted_layers(model)
    behind = [len(layer.output.shape) < 3 for layer in weighted]
    dense = behind.index(False) if False in behind else len(weighted)
    block = [depth for depth, layer in enumerate(weighted) if isinstance(layer, BLOCK)]
    mixing = [depth for depth in block if isinstance(weighted[depth], MIXING)]
    depths = {
        "none": 0,
        "head": 1,
        "dense": dense,
        "upper": block[0] if mixing else dense,
        "middle": mixing[-1] + 1 if mixing else (dense + len(weighted)) // 2,
        "all": len(weighted),
    }
    deepest, kept = -1, {}
    for stage, depth in depths.items():
        if depth > deepest:
            kept[stage], deepest = depth, depth
    return kept


def cascade(
    model: keras.Model,
    tokens: np.ndarray,
    maps: Maps,
    *,
    seed: int,
    draws: int = 5,
    attribute: Attribution | None = None,
) -> pd.DataFrame:
    """Checks saliency maps by cascading randomisation of the model.

    The method is that of Adebayo et al. 2018, section 3. The weights of layers are randomised from
    the output down. Maps that reflect what the model has learned lose their rank correlation with
    the real maps. Maps that reflect only the sequence keep it.

    Weights are drawn by each layer's own initialisers, as at the start of training and as in the
    paper. The moving statistics of batch normalisation are reset, too, to mean 0 and variance 1:
    they describe the outputs of the layers below, so trained ones would scale random activations by
    numbers of another network. Trained statistics never apply to the output of a randomised layer,
    because every layer above a randomised one is randomised, too.

    Afterwards the model has its own weights again. The function sets Keras's random seed.

    Args:
        tokens: (n, length) the whole sequences.
        maps: the maps of the inserts of these sequences.
        seed: seed of the random weights.
        draws: number of random draws of the weights for each stage.
        attribute: computes the maps with the model's current weights; by default the gradients.

    Returns:
        A table with `COLUMNS`, one row per stage (see `stages`) and draw. `layers` is the number of
        randomised layers and `down_to` the last of them. `signed` and `absolute` are means over n
        sequences of Spearman's correlation of the input-masked gradients, or of their absolute
        values, at the bases of an insert. Each mean has a 95 % interval (normal). n leaves out
        sequences with a constant map. The interval treats sequences as independent. It is too
        narrow if some belong to families of near-identical sequences, and it does not cover the
        spread between draws.
    """
    real, known = masked(maps.gradient, maps.tokens), maps.tokens != N
    evaluate = attribute or Gradients(model)
    top_down, depths = weighted_layers(model), stages(model)
    rows = []

    def compare(stage, draw):
        gradient = evaluate(tokens)[1]
        random = masked(window(gradient, maps.start, maps.tokens.shape[1]), maps.tokens)
        pair = [
            rank_correlations(real, random, known),
            rank_correlations(np.abs(real), np.abs(random), known),
        ]
        pair = np.array(pair)[:, np.isfinite(pair).all(axis=0)]
        depth = depths[stage]
        down_to = top_down[depth - 1].name if depth else ""
        signed, absolute = map(_mean_interval, pair)
        rows.append((stage, depth, down_to, draw, *signed, *absolute, pair.shape[1]))
        print(
            f"{stage} ({depth} layers), draw {draw}: rank correlation {signed[0]:.3f}, "
            f"of absolute values {absolute[0]:.3f}",
            file=sys.stderr,
        )

    compare("none", 0)
    trained = model.get_weights()
    for draw in range(draws):
        fresh = _drawn(model, seed, draw)
        try:
            for (_, done), (stage, depth) in pairwise(depths.items()):
                for layer in top_down[done:depth]:
                    for weight in layer.weights:
                        weight.assign(fresh[id(weight)])
                compare(stage, draw)
        finally:
            model.set_weights(trained)
    order = list(depths)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("stage", key=lambda stage: stage.map(order.index), kind="stable")


def _drawn(model: keras.Model, seed: int, draw: int) -> dict[int, np.ndarray]:
    """Returns random weights for a model: id of a variable -> new value."""
    (word,) = np.random.SeedSequence([seed, draw]).generate_state(1)
    keras.utils.set_random_seed(int(word))
    fresh = keras.models.clone_model(model).get_weights()
    return {id(weight): value for weight, value in zip(model.weights, fresh, strict=True)}


def _mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Returns the mean of correlations and its 95 % interval (normal distribution, within -1..1);
    NaN if there are too few values."""
    n = len(values)
    mean = values.mean() if n else np.nan
    half = scipy.stats.norm.ppf(0.975) * values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return mean, max(mean - half, -1), min(mean + half, 1)
