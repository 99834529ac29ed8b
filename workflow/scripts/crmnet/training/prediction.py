"""Predicts with a model on all devices that it was built on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np

from crmnet.data.sequences import encode
from crmnet.logs import Progress


def predict_sequences(model: keras.Model, sequences: Sequence[str]) -> np.ndarray:
    """Returns the predicted expression (n,) of sequences of A, C, G, T and N. Each sequence
    includes the flanks that the model was trained with; N around it is ignored.

    Raises:
        ValueError: a sequence has another letter, or is longer than the model's input.
    """
    length = model.input_shape[1]
    for number, sequence in enumerate(sequences, start=1):
        if (letters := len(sequence.strip("Nn"))) > length:
            raise ValueError(
                f"sequence {number} has {letters} letters, but the model reads only {length}; "
                "shorten it"
            )
    return predict(model, encode(sequences, length))


def predict(model: keras.Model, tokens: np.ndarray, batch: int = 1024) -> np.ndarray:
    """Returns the predicted expression (n,) of tokens (n, length)."""
    n = len(tokens)
    if not n:
        return np.empty(0, np.float32)
    # All batches are whole, because a partial one is compiled anew, and fails if devices share it.
    share = replicas(model)
    batch = -(-min(batch, 1 << (n - 1).bit_length()) // share) * share
    padded = np.concatenate([tokens, np.zeros((-n % batch, tokens.shape[1]), tokens.dtype)])
    forward, progress, parts = _forward(model), Progress(n, "sequences"), []
    for at in range(0, n, batch):
        parts.append(forward(padded[at : at + batch]))
        progress(min(at + batch, n))
    return np.concatenate(parts)[:n, 0]


def _forward(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function that predicts a batch with all devices. Keras's own `predict_on_batch`
    would have each device predict the whole batch."""
    if replicas(model) == 1:
        return model.predict_on_batch
    if keras.backend.backend() == "tensorflow":
        return lambda tokens: model.predict(tokens, batch_size=len(tokens), verbose=0)
    import jax

    distribution = keras.distribution.distribution()
    variables = model.trainable_variables, model.non_trainable_variables
    state = [[variable.value for variable in group] for group in variables]
    parted = distribution.get_data_layout((1, 1)).backend_layout

    def forward(tokens):
        whole = jax.make_array_from_callback(tokens.shape, parted, lambda part: tokens[part])
        return np.asarray(_compiled_forward()(model, *state, whole))

    return forward


@functools.cache
def _compiled_forward() -> Callable:
    """Returns the compiled function whose predictions every host has whole. It is compiled once for
    each model."""
    import jax

    mesh = keras.distribution.distribution().device_mesh.backend_mesh
    return jax.jit(
        lambda model, trained, others, tokens: model.stateless_call(trained, others, tokens)[0],
        static_argnums=0,
        out_shardings=jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()),
    )


def replicas(model: keras.Model) -> int:
    """Returns the number of devices that share a batch."""
    if distribution := keras.distribution.distribution():
        return distribution.device_mesh.devices.size
    strategy = getattr(model, "distribute_strategy", None)
    return strategy.num_replicas_in_sync if strategy else 1
