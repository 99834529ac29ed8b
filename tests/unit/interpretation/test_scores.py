"""Scores of sequences and variants: models of both strands, half precision, and errors."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from configs import PAPER

from crmnet.data.sequences import encode, letters, reverse_complement, tokenise
from crmnet.interpretation.saliency import Gradients
from crmnet.models.architectures.crmnet import crmnet
from crmnet.models.means import both_strands
from crmnet.training import devices

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "score_predictions.py"
SMALL = PAPER["model"] | {"width": 8, "kernel_size": 3, "transformer_blocks": 1, "heads": 2}
LENGTH = 24
CONSTRUCT = {"left_flank": "", "right_flank": "", "insert_length": LENGTH, "length": LENGTH}


class Named(dict):
    """Files by name, as Snakemake gives them."""

    __getattr__ = dict.get


def model_of(policy="float32", seed=1):
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        return both_strands(crmnet(LENGTH, **SMALL))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


@pytest.fixture
def score(tmp_path, monkeypatch):
    """Scores sequences and variants of them, each a row and the changed sequence."""
    monkeypatch.setattr(devices, "setup", lambda **given: None)

    def run(models, sequences, variants):
        table = pd.DataFrame({"sequence": sequences, "whole": sequences})
        ids = [f"s{n}" for n in range(len(table))]
        table = table.assign(id=ids, first=1, last=table["whole"].str.len(), start=0)
        table.to_csv(tmp_path / "sequences.tsv", sep="\t", index=False)
        changes = pd.DataFrame(variants, columns=["row", "whole"])
        changes = changes.assign(
            id="s0", position=1, ref="A", alt="C", name="rs1", genome="I:1:A:C"
        )
        changes.to_csv(tmp_path / "changed.tsv", sep="\t", index=False)
        paths = []
        for medium, model in models.items():
            paths.append(str(tmp_path / f"{medium}.keras"))
            model.save(paths[-1])
        made = Named(predictions="p.tsv", variants="v.tsv", saliency="s.tsv", maps="m.npz")
        made = Named({name: str(tmp_path / file) for name, file in made.items()})
        job = SimpleNamespace(
            input=SimpleNamespace(
                models=paths,
                sequences=tmp_path / "sequences.tsv",
                variants=tmp_path / "changed.tsv",
            ),
            output=made,
            params=SimpleNamespace(media=list(models), hardware={}, construct=CONSTRUCT),
            threads=1,
            log=[tmp_path / "log"],
        )
        runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
        return [pd.read_csv(made[name], sep="\t") for name in ("predictions", "variants")]

    return run


def random_sequences(number):
    tokens = np.random.default_rng(3).integers(0, 4, (number, LENGTH)).astype(np.uint8)
    return [letters(row) for row in tokens]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_predictions_are_of_both_strands_and_in_float32(score, policy):
    model, sequences = model_of(policy), random_sequences(6)
    other = letters(reverse_complement(tokenise(sequences[0])))
    predictions, variants = score(
        {"rich": model}, sequences, [(0, other), (1, sequences[1]), (1, sequences[2])]
    )
    exact, _ = Gradients(model)(encode(sequences, LENGTH))
    predicted = predictions["predicted_rich"].to_numpy()
    # Six digits are written; bfloat16 has not three.
    assert predicted == pytest.approx(exact, rel=2e-5) and np.ptp(exact) > 0
    assert set(variants["name"]) == {"rs1"} and set(variants["genome"]) == {"I:1:A:C"}
    effect = variants["effect_rich"].to_numpy()
    assert effect[:2] == pytest.approx(0, abs=1e-6)
    assert effect[2] == pytest.approx(exact[2] - exact[1], rel=1e-2, abs=1e-6)


def test_n_that_a_variant_puts_at_the_start_keeps_its_place(score):
    model, (sequence,) = model_of(), random_sequences(1)
    changed = "NN" + sequence[2:]
    _, variants = score({"rich": model}, [sequence], [(0, changed)])
    tokens = np.concatenate([[4, 4], tokenise(sequence[2:])]).astype(np.uint8)
    exact, _ = Gradients(model)(tokens[None])
    shifted, _ = Gradients(model)(encode([changed], LENGTH))
    assert variants["alternative_rich"][0] == pytest.approx(exact[0], rel=2e-5)
    assert abs(shifted[0] - exact[0]) > 1e-4 * abs(exact[0])


@pytest.mark.slow
def test_the_difference_is_of_two_media_alone(score):
    sequences = random_sequences(3)
    models = {"rich": model_of(), "poor": model_of(seed=2)}
    predictions, _ = score(models, sequences, [(0, sequences[1])])
    difference = predictions["predicted_rich"] - predictions["predicted_poor"]
    assert predictions["difference"].to_numpy() == pytest.approx(difference.to_numpy(), abs=1e-5)
    predictions, _ = score(models | {"acid": model_of(seed=3)}, sequences, [(0, sequences[1])])
    assert "difference" not in predictions


def test_a_model_of_another_length_and_one_that_diverged_are_refused(score):
    sequences = random_sequences(2)
    with pytest.raises(ValueError, match="reads 32 tokens, not 24; set `construct: length`"):
        score({"rich": crmnet(32, **SMALL)}, sequences, [])
    model = model_of()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(
        ValueError, match=r"rich\.keras: the model predicts an expression that is not"
    ):
        score({"rich": model}, sequences, [])
