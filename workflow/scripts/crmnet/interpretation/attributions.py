"""Maps of what each base of an insert contributes to the predicted expression: by gradients, and by
mutations of the sequence.

Every map has the form of the gradient, a value for A, C, G and T at each position, of which the one
of the base in the sequence is shown. Their mean over the four letters is 0, so a value compares a
letter with the mean of all four. If expression is a linear function of the one-hot sequence, all
maps are its weights minus their mean over the letters.

DeepLIFT (Shrikumar et al. 2017) is not among them. Its rules are for linear layers and functions of
one input. CRMnet also multiplies activations with each other, in attention and in
squeeze-and-excitation, and divides them by their spread, in layer normalisation. The rules do not
say how to share such a product between its factors, and each way gives another map. Integrated
gradients has the same property, contributions that sum to the difference from a baseline, without
rules for layers.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from crmnet.data.sequences import Construct, N, insert_span, one_hot
from crmnet.interpretation.saliency import Attribution, Gradients, in_float32
from crmnet.training.prediction import predict

# Steps from the baseline to the sequence; noisy copies of a sequence, and the standard deviation of
# the noise.
STEPS, COPIES, NOISE = 16, 16, 0.2
# Mutated sequences in a batch, and batches that are made at a time.
BATCH, AT_ONCE = 1024, 64


def corrected(evaluate: Gradients, construct: Construct) -> Attribution:
    """Makes gradients minus their mean over the letters (Majdandzic et al. 2023).

    A sequence has one letter at each position. How a model responds to anything else is arbitrary,
    so the gradient's component in that direction is noise."""

    def maps(tokens):
        prediction, gradient = evaluate(tokens)
        return prediction, _centred(gradient)

    return maps


def integrated(evaluate: Gradients, construct: Construct) -> Attribution:
    """Makes integrated gradients (Sundararajan et al. 2017): the mean gradient on the straight line
    from a baseline to the sequence, sampled in the middle of `STEPS` equal steps.

    The baseline has 0.25 of each letter at every base of the insert, and the flanks as they are. It
    prefers no letter, and the values of the bases sum to the difference of the predictions."""

    def at(share):
        def inputs(tokens):
            bases = one_hot(tokens)
            bases[_inside(tokens, construct)] *= share
            bases[..., :4] += _inside(tokens, construct)[..., None] * (1 - share) / 4
            return bases

        return inputs

    return _mean_gradient(evaluate, [at((step + 0.5) / STEPS) for step in range(STEPS)])


def smooth(evaluate: Gradients, construct: Construct) -> Attribution:
    """Makes SmoothGrad (Smilkov et al. 2017), corrected: the mean gradient over `COPIES` copies of
    the sequence with normal noise on all letters at the bases of the insert.

    The noise depends on the sequence alone, so that it has the same map in any batch."""

    def copy(number):
        def inputs(tokens):
            bases = one_hot(tokens)
            for row, inside in enumerate(_inside(tokens, construct)):
                random = np.random.default_rng([number, zlib.crc32(tokens[row].tobytes())])
                bases[row, inside, :4] += NOISE * random.standard_normal(
                    (inside.sum(), 4), np.float32
                )
            return bases

        return inputs

    return _mean_gradient(evaluate, [copy(number) for number in range(COPIES)])


def mutagenesis(evaluate: Gradients, construct: Construct) -> Attribution:
    """Makes maps by in-silico mutagenesis (Zhou and Troyanskaya 2015): the prediction with each
    letter at each position of the insert, one at a time.

    A base's value is 3/4 of the mean change if each of the other letters replaces it, with the
    opposite sign."""

    def maps(tokens):
        row, position = np.nonzero(_inside(tokens, construct))
        own, before = tokens[row, position], len(tokens)
        letter = (own[:, None] + np.arange(1, 4, dtype=np.uint8)).ravel() % 4
        of_row, at = row.repeat(3), position.repeat(3)
        # The sequences themselves come first. All batches have the same size, because another one
        # would be compiled again.
        total = before + len(at)
        batch = max(1, -(-total // max(1, -(-total // BATCH))))
        predicted = np.empty(total, np.float32)
        with in_float32(evaluate.model):
            for start in range(0, total, AT_ONCE * batch):
                these = np.arange(start, min(start + AT_ONCE * batch, total))
                mutant = these[these >= before] - before
                changed = tokens[np.append(these[these < before], of_row[mutant])]
                changed[len(these) - len(mutant) :][np.arange(len(mutant)), at[mutant]] = letter[
                    mutant
                ]
                predicted[these] = predict(evaluate.model, changed, batch)
        values = np.zeros((*tokens.shape, 4), np.float32)
        values[row, position, own] = predicted[row]
        values[of_row, at, letter] = predicted[before:]
        return predicted[:before], _centred(values)

    return maps


# The maps that can stand beside the paper's.
METHODS: Mapping[str, Callable[[Gradients, Construct], Attribution]] = {
    "corrected": corrected,
    "integrated": integrated,
    "smooth": smooth,
    "mutagenesis": mutagenesis,
}


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=-1, keepdims=True)


def _inside(tokens: np.ndarray, construct: Construct) -> np.ndarray:
    """Returns which of the tokens (n, length) are bases of the insert."""
    start, end = insert_span(tokens, construct)
    position = np.arange(tokens.shape[1])
    return (position >= start[:, None]) & (position < end[:, None]) & (tokens != N)


def _mean_gradient(
    evaluate: Gradients, inputs: Sequence[Callable[[np.ndarray], np.ndarray]]
) -> Attribution:
    """Makes the mean of the gradients at several inputs, minus its mean over the letters."""

    def maps(tokens):
        prediction, _ = evaluate(tokens)
        total = sum(evaluate(tokens, inputs=each)[1] for each in inputs)
        return prediction, _centred(total / len(inputs))

    return maps
