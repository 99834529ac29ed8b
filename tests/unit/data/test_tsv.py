"""The workflow's own tables are read as they were written, whatever names they contain."""

import gzip
import math
import re
from pathlib import Path

import pandas as pd
import pytest

from crmnet.data import predictions
from crmnet.data.tsv import read_table, write_tsv
from crmnet.report import claims

WORKFLOW = Path(__file__).parents[3] / "workflow"
# Words that pandas takes for missing values, numbers or truth values.
WORDS = ["NA", "nan", "NaN", "None", "null", "NULL", "inf", "Infinity", "True", "FALSE", "n"]


@pytest.mark.parametrize("column", ["model", "against", "medium", "test_set", "motif", "factor"])
@pytest.mark.parametrize("words", [WORDS, *([word] * 2 for word in [*WORDS, "1", "1e5"])])
def test_a_name_stays_a_name(tmp_path, column, words):
    table = pd.DataFrame({column: words, "value": range(len(words))})
    table.to_csv(tmp_path / "table.tsv", sep="\t", index=False)
    found = read_table(tmp_path / "table.tsv")
    assert found[column].tolist() == words
    assert [len(rows) for _, rows in found.groupby(column)] == [
        len(rows) for _, rows in table.groupby(column)
    ]


def test_only_an_empty_cell_is_missing_and_numbers_are_numbers(tmp_path):
    path = tmp_path / "table.tsv.gz"
    with gzip.open(path, "wt") as file:
        file.write("model\tp_value\tdifference\tn\tsequence\n")
        file.write("NA\tNA\t\t3\t1\n\t< 5e-324\t-0.25\t4\tACGT\nb\t0.050\tinf\t5\t\n")
    found = read_table(path, ["p_value"])
    assert found["p_value"].tolist() == ["NA", "< 5e-324", "0.050"]
    assert found["model"].isna().tolist() == [False, True, False]
    assert found["sequence"].isna().tolist() == [False, False, True]
    assert found["difference"].dtype == float and found["n"].dtype == int
    assert math.isnan(found["difference"][0]) and found["difference"][2] == math.inf


def test_a_large_table_comes_in_parts(tmp_path):
    pd.DataFrame({"id": WORDS, "value": 1.5}).to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    parts = list(read_table(tmp_path / "t.tsv", chunksize=4))
    assert [len(part) for part in parts] == [4, 4, 3]
    assert pd.concat(parts)["id"].tolist() == WORDS


def test_predictions_on_test_sets_of_such_names_come_back(tmp_path):
    parts = [
        pd.DataFrame({"test_set": word, "sequence": "A", "measured": [1.0], "predicted": [2.0]})
        for word in WORDS
    ]
    predictions.write(tmp_path / "predictions.tsv", parts)
    found = predictions.read(tmp_path / "predictions.tsv")
    assert [name for name, _ in found.groupby("test_set", sort=False)] == WORDS


def test_claims_see_such_names(tmp_path):
    table = pd.DataFrame({"model": WORDS, "value": 0.5, "p_value": "NA"})
    table.to_csv(tmp_path / "metrics.tsv", sep="\t", index=False)
    found = claims.read(tmp_path / "metrics.tsv")
    assert found["model"].tolist() == WORDS and set(found["p_value"]) == {"NA"}


def test_a_table_is_written_whole_or_in_parts_and_packed_by_its_name(tmp_path):
    table = pd.DataFrame({"id": WORDS, "value": [n / 3 for n in range(len(WORDS))]})
    for name in ("whole.tsv", "whole.tsv.gz"):
        assert write_tsv(tmp_path / name, table) == len(WORDS)
        pd.testing.assert_frame_equal(read_table(tmp_path / name), table)
    parts = [table.iloc[:3], table.iloc[3:3], table.iloc[3:]]
    assert write_tsv(tmp_path / "parts.tsv", iter(parts)) == len(WORDS)
    whole = (tmp_path / "whole.tsv").read_bytes()
    assert (tmp_path / "parts.tsv").read_bytes() == whole
    packed = (tmp_path / "whole.tsv.gz").read_bytes()
    # Bytes 4 to 7 of gzip are the time (RFC 1952).
    assert gzip.decompress(packed) == whole and packed[4:8] == bytes(4)
    write_tsv(tmp_path / "short.tsv", table, digits=3, header=False)
    assert (tmp_path / "short.tsv").read_text().splitlines()[1] == "nan\t0.333"


def test_no_table_is_read_in_another_way():
    readers = {
        path.relative_to(WORKFLOW).as_posix()
        for path in WORKFLOW.rglob("*.py")
        if re.search(r"\bpd\.read_|\bpandas\.read_|from pandas import", path.read_text())
    }
    assert readers == {"scripts/crmnet/data/tsv.py"}


def test_no_table_is_written_in_another_way():
    """The only exception is the published format of a test set, whose first column has no name."""
    writers = {
        path.relative_to(WORKFLOW).as_posix()
        for path in WORKFLOW.rglob("*.py")
        if re.search(r"\.to_csv\(|csv\.writer\(", path.read_text())
    }
    assert writers == {"scripts/crmnet/data/tsv.py", "scripts/simulate.py"}
