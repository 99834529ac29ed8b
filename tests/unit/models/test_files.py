"""Model files: damaged files, files of older versions and of other models, complete saves."""

import dataclasses
import json
import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from configs import MODEL

from crmnet.data.sequences import Construct
from crmnet.models import registry
from crmnet.models.files import load_model, save_model
from crmnet.models.layers import expected_bin
from crmnet.models.means import both_strands
from crmnet.models.origin import OriginError, origin
from crmnet.training.prediction import predict_sequences

ROOT = Path(__file__).parents[3]
CONSTRUCT = Construct("TGCA", "GGTT", 20, 32)
# Module of today -> those in which its layers stood in earlier versions.
FORMER = {
    "crmnet.models.layers": "crmnet.layers",
    "crmnet.models.architectures.crmnet": "crmnet.model",
    "crmnet.models.baselines": "crmnet.baselines",
    "crmnet.models.architectures": "crmnet.baselines",
}
SMALL = {"crmnet": MODEL | {"width": 8, "kernel_size": 3, "heads": 2, "transformer_blocks": 1}}


def small(name: str, length: int = 32) -> keras.Model:
    return registry.build(name, **SMALL.get(name, {"width": 8}) | {"length": length})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a model's file."""
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    registry.build("cnn", 32, width=8).save(path)
    return path.read_bytes()


def others(folder):
    """A ZIP archive of something else."""
    with zipfile.ZipFile(folder / "other.zip", "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "[1, 2")
    return (folder / "other.zip").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole, folder: whole[: len(whole) // 2],
        lambda whole, folder: whole[:-1],
        lambda whole, folder: b"",
        lambda whole, folder: b"no archive",
        lambda whole, folder: whole[:-3000] + bytes(3000),
        lambda whole, folder: others(folder),
    ],
    ids=["half", "all but a byte", "empty", "text", "no directory", "other content"],
)
def test_an_error_names_a_damaged_model(saved, tmp_path, damage):
    path = tmp_path / "model.keras"
    path.write_bytes(damage(saved, tmp_path))
    with pytest.raises(ValueError) as error:
        load_model(path)
    said = str(error.value)
    assert (
        said.startswith(f"{path}: is not a complete model of this workflow (")
        and "delete it" in said
    )
    assert "\n" not in said


def test_a_wrong_byte_is_never_a_wrong_weight(saved, tmp_path):
    """Keras itself reads weights with wrong bytes without an error."""
    path = tmp_path / "model.keras"
    for place in np.random.default_rng(3).integers(len(saved) // 4, 3 * len(saved) // 4, 5):
        damaged = bytearray(saved)
        damaged[place] ^= 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            load_model(path)


def test_an_error_names_a_missing_model(tmp_path):
    with pytest.raises(ValueError, match="model.keras: is not a complete model"):
        load_model(tmp_path / "model.keras")


def test_a_model_with_code_in_it_is_refused(tmp_path):
    inputs = keras.Input((3,))
    outputs = keras.layers.Lambda(lambda x: 2 * x)(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="model.keras: is not a complete model .*Lambda"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize("name", registry.names())
def test_a_file_of_an_older_version_predicts_the_same(name, tmp_path):
    """The config in the file names modules that no longer exist."""
    model = small(name)
    save_model(model, tmp_path / "new.keras", CONSTRUCT, "complex")
    with (
        zipfile.ZipFile(tmp_path / "new.keras") as new,
        zipfile.ZipFile(tmp_path / "old.keras", "w") as old,
    ):
        for member in new.namelist():
            content = new.read(member)
            if member == "config.json":
                text = content.decode()
                for today, former in FORMER.items():
                    text = text.replace(f'"{today}', f'"{former}')
                assert '"crmnet.layers"' in text and '"crmnet.models' not in text
                content = json.dumps(json.loads(text)).encode()
            old.writestr(member, content)
    tokens = np.random.default_rng(1).integers(0, 5, (8, 32)).astype(np.uint8)
    expected = model.predict_on_batch(tokens)
    assert (load_model(tmp_path / "old.keras").predict_on_batch(tokens) == expected).all()


def edited(saved, path, version, **layer):
    """Writes a model's file as another version of Keras would, with other arguments of a layer."""
    (path.parent / "saved").write_bytes(saved)
    with zipfile.ZipFile(path.parent / "saved") as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            content = json.loads(old.read(member)) if member.endswith(".json") else None
            if member == "metadata.json":
                content["keras_version"] = version
            elif member == "config.json":
                dense = [e for e in content["config"]["layers"] if e["class_name"] == "Dense"]
                dense[-1]["config"] |= layer
            new.writestr(member, json.dumps(content) if content else old.read(member))


def test_an_error_names_both_versions_of_keras_and_keeps_the_model(saved, tmp_path):
    path = tmp_path / "model.keras"
    edited(saved, path, "3.999.0", input_axes=None)
    with pytest.raises(ValueError, match=r"model\.keras: was written by Keras 3\.999\.0 ") as error:
        load_model(path)
    said = str(error.value)
    assert f"cannot be read by Keras {keras.__version__} (" in said
    assert said.endswith("; install keras==3.999.0 where it is read")
    assert "delete" not in said and "\n" not in said


def test_a_newer_model_that_can_be_read_is_read(saved, tmp_path):
    edited(saved, tmp_path / "model.keras", "3.999.0")
    assert load_model(tmp_path / "model.keras").count_params() > 0


def test_a_newer_model_that_is_damaged_is_called_damaged(saved, tmp_path):
    path = tmp_path / "model.keras"
    edited(saved, path, "3.999.0")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="is not a complete model .*delete it"):
        load_model(path)


def test_a_model_is_saved_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    path, model = tmp_path / "model.keras", small("cnn")
    save_model(model, path, CONSTRUCT, "complex")
    whole = path.read_bytes()

    def interrupted(part):
        Path(part).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save", interrupted)
    with pytest.raises(OSError, match="No space"):
        save_model(model, path, CONSTRUCT, "complex")
    assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]


def test_the_lines_of_the_docs_predict(tmp_path, monkeypatch, capsys):
    lines = (ROOT / "docs" / "score.md").read_text().split("```python\n")[1].split("```")[0]
    path = Path("results/demo/models/crmnet/1/complex.keras")
    assert f'"{path}"' in lines
    monkeypatch.chdir(tmp_path)
    path.parent.mkdir(parents=True)
    model = small("crmnet", 112)
    save_model(model, path, CONSTRUCT, "complex")
    (tmp_path / "lines.py").write_text(lines)
    sequences = runpy.run_path("lines.py")["promoters"]
    assert capsys.readouterr().out == f"{predict_sequences(model, sequences)}\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "model.keras"
    save_model(small("cnn"), path, CONSTRUCT, "complex")
    return path


def test_a_model_says_what_it_was_trained_with(trained):
    construct = {"left_flank": "TGCA", "right_flank": "GGTT", "insert_length": 20, "length": 32}
    assert origin(trained) == {"construct": construct, "alphabet": "ACGTN", "medium": "complex"}
    assert load_model(trained, CONSTRUCT, "complex").count_params() > 0


def test_what_a_model_says_is_read_without_a_framework(trained):
    code = f"from crmnet.models.origin import origin; import sys; print(origin({str(trained)!r}))"
    code += "; assert not {'keras', 'tensorflow', 'jax'} & {*sys.modules}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow" / "scripts")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "'medium': 'complex'" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("changes", "medium", "said"),
    [
        (
            {"left_flank": "TGCC"},
            "complex",
            "was trained with left_flank TGCA, but the config has left_flank TGCC; correct",
        ),
        (
            {"right_flank": ""},
            "complex",
            "right_flank GGTT, but the config has right_flank (empty)",
        ),
        (
            {"insert_length": 24, "length": 40},
            "complex",
            "insert_length 20, length 32, but the config has insert_length 24, length 40",
        ),
        ({}, "defined", "was trained in medium complex, not in defined"),
        ({}, "pretrained", "was trained in medium complex, not in pretrained"),
    ],
)
def test_a_model_of_another_construct_or_medium_is_refused(trained, changes, medium, said):
    with pytest.raises(OriginError) as error:
        load_model(trained, dataclasses.replace(CONSTRUCT, **changes), medium)
    assert str(error.value).startswith(f"{trained}: ") and said in str(error.value)


def test_a_model_that_does_not_say_its_construct_is_told_of(saved, tmp_path, capsys):
    path = tmp_path / "model.keras"
    path.write_bytes(saved)
    assert origin(path) is None
    load_model(path, CONSTRUCT, "complex")
    said = capsys.readouterr().err
    assert f"{path}: does not say with which construct" in said and "left_flank TGCA" in said
    with pytest.raises(OriginError, match="reads 32 tokens, not 40"):
        load_model(path, dataclasses.replace(CONSTRUCT, length=40), "complex")


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_bins_are_kept_with_the_model(tmp_path, wrapped):
    model = registry.build(**SMALL["crmnet"] | {"length": 32, "bins": 9}, architecture="crmnet")
    bins = expected_bin(model)
    bins.first, bins.width = -2.2, 0.55
    model = both_strands(model) if wrapped else model
    save_model(model, tmp_path / "model.keras", CONSTRUCT, "complex")
    loaded = load_model(tmp_path / "model.keras", CONSTRUCT, "complex")
    assert (expected_bin(loaded).first, expected_bin(loaded).width) == (-2.2, 0.55)
    tokens = np.random.default_rng(1).integers(0, 5, (8, 32)).astype(np.uint8)
    expected = model.predict_on_batch(tokens)
    assert (loaded.predict_on_batch(tokens) == expected).all()
    assert (expected > -2.2).all() and (expected < -2.2 + 8 * 0.55).all()


def test_a_model_without_bins_has_none():
    assert expected_bin(small("cnn")) is None and expected_bin(both_strands(small("cnn"))) is None
