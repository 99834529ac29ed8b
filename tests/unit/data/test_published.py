"""Published predictions: each goes to its own sequence, or the error says what does not fit."""

import dataclasses
import gzip
import io
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.published import join
from crmnet.data.sequences import Construct
from crmnet.data.tables import Rejects, Table, TableError

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "published.py"
LENGTH = 12


@pytest.fixture
def published(tmp_path):
    """Writes a file of (sequence, prediction), and returns its table."""

    def write(*rows):
        path = tmp_path / "published.txt"
        path.write_text("".join(f"{sequence}\t{value}\n" for sequence, value in rows))
        return Table(path, 1, {"prediction": 2}, header=False)

    return write


def refused(measured, table):
    with pytest.raises(TableError) as error:
        join(measured, table, LENGTH)
    assert str(table.path) in str(error.value)
    return str(error.value)


def test_each_prediction_goes_to_its_sequence_in_any_order(tmp_path):
    random = np.random.default_rng(1)
    sequences = sorted({"".join(random.choice(list("ACGT"), 10)) for _ in range(500)})
    predictions = pd.Series(random.normal(10, 3, len(sequences)), sequences)
    # In another order, with more sequences than are measured, and in a form of its own.
    shuffled = predictions.iloc[random.permutation(len(sequences))]
    path = tmp_path / "published.csv"
    with gzip.open(path, "wt") as file:
        shuffled.rename_axis("DNA").rename("Predicted").reset_index().to_csv(file, sep=";")
    measured = list(random.choice(sequences, 300, replace=False))
    found = join(measured, Table(path, "DNA", {"prediction": "Predicted"}), LENGTH)
    np.testing.assert_array_equal(found, predictions[measured])


@pytest.mark.parametrize("there", ["ACGTA", "NNACGTA", "ACGTANN", "acgta", "nAcgTaN"])
@pytest.mark.parametrize("here", ["ACGTA", "NNACGTA", "ACGTANN", "acgta"])
def test_padding_and_case_do_not_make_another_sequence(published, here, there):
    table = published(("ACGT", 1), (there, 2), ("ACNGTA", 3))
    assert join([here], table, LENGTH) == [2]


def test_sequences_are_the_same_where_the_model_sees_them_so(published):
    table = published(("ACGTACGTACGTA", 1), ("CCGTACGTACGTA", 2))
    # Of the 13 letters here and of the 14 there it sees the first 12.
    assert list(join(["CCGTACGTACGTAA", "ACGTACGTACGTAA"], table, LENGTH)) == [2, 1]


def test_missing_sequences_are_counted_and_named(published):
    table = published(("AAAA", 1), ("CCCC", 2))
    message = refused(["AAAA", "GGGG", "CCCC", "GGGG", *(f"T{'A' * n}" for n in range(6))], table)
    assert "8 of 10 measured sequences have no prediction" in message
    # No more than the first five.
    assert message.count("\n  ") == 5 and "TAAA" not in message


def test_equal_predictions_of_a_sequence_are_one(published):
    table = published(("AAAA", 1), ("CCCC", 2), ("AAAA", 1), ("NAAAA", 1))
    assert list(join(["AAAA", "CCCC", "AAAA"], table, LENGTH)) == [1, 2, 1]


def test_as_many_predictions_as_measurements_keep_their_order(published):
    table = published(("AAAA", 1), ("CCCC", 9), ("AAAA", 3), ("AAAA", 2))
    measured = ["AAAA", "AAAA", "CCCC", "aaaa", "CCCC"]
    assert list(join(measured, table, LENGTH)) == [1, 3, 9, 2, 9]


@pytest.mark.parametrize("times", [1, 3])
def test_different_predictions_of_one_sequence_are_refused(published, times):
    table = published(("AAAA", 1), ("CCCC", 9), ("AAAA", 3))
    message = refused(["CCCC"] + times * ["AAAA"], table)
    assert f"1 of {times + 1} measured sequences" in message and "  AAAA" in message


def test_a_prediction_that_is_no_number_is_refused(published):
    assert "prediction 'x' is not a finite number" in refused(
        ["AAAA"], published(("CCCC", 1), ("AAAA", "x"))
    )


def test_a_bad_prediction_is_left_out_and_counted_if_the_table_says_so(published):
    table = published(("CCCC", 1), ("AAAA", "x"), ("GGGG", 3))
    table, rejects = dataclasses.replace(table, on_bad_rows="drop"), Rejects(io.StringIO())
    assert list(join(["GGGG", "CCCC"], table, LENGTH, rejects)) == [3, 1]
    assert rejects.count == 1 and "\t2\tprediction 'x'" in rejects.sink.getvalue()
    assert "1 of 1 measured sequences have no prediction" in refused(["AAAA"], table)


def test_what_is_ambiguous_but_not_measured_does_no_harm(published):
    table = published(("AAAA", 1), ("AAAA", 3), ("CCCC", 9))
    assert list(join(["CCCC"], table, LENGTH)) == [9]


def entry(path, value):
    """A table in the form in which a rule passes it to its script."""
    return {"path": str(path), "header": False, "columns": {"sequence": 1, value: 2}}


def run_script(tmp_path, test):
    out = tmp_path / "predictions.tsv"
    params = SimpleNamespace(test=test, length=LENGTH)
    job = SimpleNamespace(params=params, output=[str(out)], log=[""])
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    return pd.read_csv(out, sep="\t")


def test_script_keeps_the_measurements_in_their_order(tmp_path):
    files = {
        "random": "NACGT,1.5\nGGGG,-2\nGGGG,7\n",
        "native": "TTTT,3\n",
        "random_cnn": "ACGT,4\nGGGG,5\nGGGG,6\n",
        "native_cnn": "TTTT,8\nAAAA,0\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    test = {
        name: [entry(tmp_path / name, "expression"), entry(tmp_path / f"{name}_cnn", "prediction")]
        for name in ("random", "native")
    }
    table = run_script(tmp_path, test)
    assert list(table) == ["test_set", "sequence", "measured", "published", "rows"]
    assert list(table["test_set"]) == ["random"] * 3 + ["native"]
    assert list(table["sequence"]) == ["ACGT", "GGGG", "GGGG", "TTTT"]
    assert list(table["measured"]) == [1.5, -2, 7, 3]
    assert list(table["published"]) == [4, 5, 6, 8]


def test_bare_published_sequences_are_joined_with_their_flanks(tmp_path):
    construct = Construct("GACTACGG", "CTCGAG", 10, 24)
    path = tmp_path / "published.tsv"
    path.write_text("ACGTAC\t1.5\nTTTTTTTTTTTTT\t2.5\n")
    table = Table(path, 1, {"prediction": 2}, header=False, flanks="add", construct=construct)
    # The second is cut as the model reads it.
    measured = ["GACTACGG" + "T" * 13 + "CTC", "GACTACGGACGTACCTCGAG"]
    assert join(measured, table, 24).tolist() == [2.5, 1.5]
