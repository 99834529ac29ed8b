"""A table of predictions is read completely or not at all."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from crmnet.data import predictions

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
PARTS = [
    pd.DataFrame(
        {
            "test_set": name,
            "sequence": ["ACGT", "CCGT"],
            "measured": [1.5, 11.0],
            "1": [2.25, 0.5],
            "7": [1.25, 1.0],
        }
    )
    for name in ("native", "random")
]


@pytest.fixture
def path(tmp_path):
    predictions.write(tmp_path / "predictions.tsv", PARTS)
    return tmp_path / "predictions.tsv"


def test_a_table_comes_back_as_it_was_written(path):
    expected = pd.concat(PARTS, ignore_index=True)
    pd.testing.assert_frame_equal(predictions.read(path), expected)


def test_an_error_names_a_table_that_is_cut_short_anywhere(path):
    content = path.read_bytes()
    # But for the last line's end.
    for length in range(len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(
            ValueError, match=f"{path}: is not a complete table of predictions; delete"
        ):
            predictions.read(path)


@pytest.mark.parametrize("text", ["", "\n", "no table", "\0\xff", "test_set\trows\n"])
def test_an_error_names_a_file_that_is_not_a_table_of_predictions(path, text):
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"{path}: is not a complete table"):
        predictions.read(path)


def test_a_row_too_few_or_too_many_is_found_out(path):
    lines = path.read_text().splitlines(keepends=True)
    for changed in (lines[:2] + lines[3:], [*lines, lines[-1]]):
        path.write_text("".join(changed))
        with pytest.raises(ValueError, match="not a complete table"):
            predictions.read(path)


def test_a_table_without_predictions_is_not_whole(tmp_path):
    predictions.write(tmp_path / "none.tsv", [PARTS[0][predictions.KEY]])
    with pytest.raises(ValueError, match="not a complete table"):
        predictions.read(tmp_path / "none.tsv")


def test_predictions_are_named_by_their_training(path):
    assert predictions.columns(predictions.read(path)) == ["1", "7"]


def families_of(tmp_path, sequences=("ACGT", "CCGT")):
    """A table of families of both test sets, and of one more that has no predictions."""
    rows = [
        {"test_set": name, "sequence": sequence, "family": family}
        for name in ("extra", "native", "random")
        for family, sequence in enumerate(sequences, start=3)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "families.tsv", sep="\t", index=False)
    return tmp_path / "families.tsv"


def test_each_test_set_has_its_families(path, tmp_path):
    found = predictions.test_sets(path, families_of(tmp_path))
    assert list(found) == ["native", "random"]
    for rows in found.values():
        assert list(rows.index) == [3, 4] and list(rows["7"]) == [1.25, 1.0]


@pytest.mark.parametrize("sequences", [("CCGT", "ACGT"), ("ACGT",), ("ACGT", "CCGT", "GGGG")])
def test_families_of_other_sequences_are_refused(path, tmp_path, sequences):
    with pytest.raises(ValueError, match="do not have the same sequences"):
        predictions.test_sets(path, families_of(tmp_path, sequences))


def test_the_ensemble_is_the_mean_of_the_trainings(path, tmp_path):
    job = SimpleNamespace(input=[str(path)], output=[str(tmp_path / "mean.tsv")], log=[""])
    runpy.run_path(str(SCRIPTS / "ensemble.py"), init_globals={"snakemake": job})
    table = predictions.read(tmp_path / "mean.tsv")
    assert list(table) == [*predictions.KEY, "ensemble"]
    assert list(table["ensemble"]) == [1.75, 0.75] * 2
