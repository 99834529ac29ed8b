"""A table of predictions is read whole, or not at all."""

import pandas as pd
import pytest

from crmnet import predictions

PARTS = [
    pd.DataFrame(
        {"test_set": name, "sequence": "ACGT", "measured": [1.5, 11.0], "predicted": [2.25, 0.5]}
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


def test_a_table_cut_short_anywhere_is_told_by_its_name(path):
    content = path.read_bytes()
    # But for the last line's end.
    for length in range(len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=f"{path}: is no whole table of predictions; delete"):
            predictions.read(path)


@pytest.mark.parametrize("text", ["", "\n", "no table", "\0\xff", "test_set\trows\n"])
def test_another_file_is_told_by_its_name(path, text):
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"{path}: is no whole table"):
        predictions.read(path)


def test_a_row_too_few_or_too_many_is_found_out(path):
    lines = path.read_text().splitlines(keepends=True)
    for changed in (lines[:2] + lines[3:], [*lines, lines[-1]]):
        path.write_text("".join(changed))
        with pytest.raises(ValueError, match="no whole table"):
            predictions.read(path)
