"""Out-of-fold predictions: each sequence once, with the metrics of all folds and of each."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data import predictions
from crmnet.data.tsv import read_table, write_tsv
from crmnet.evaluation.metrics import metrics
from crmnet.report import cross_validation

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
CONSTRUCT = {"left_flank": "", "right_flank": "", "insert_length": 20, "length": 24}
# Names that pandas takes for missing values or numbers.
MEDIA, MODELS = ("NA", "inf"), {"None": ["1"], "cnn": ["1", "2"]}
FOLDS = {1: "chr1, chrX", 2: "2"}


@pytest.fixture
def done(tmp_path):
    """Runs both scripts on two folds that share a sequence; returns their folder."""
    rng = np.random.default_rng(1)
    sequences = ["".join(row) for row in rng.choice([*"ACGT"], (41, 20))]
    of_fold = {1: sequences[:21], 2: sequences[20:]}
    # The second of fold 1 is a relative of the third of fold 2.
    sequences[1] = of_fold[1][1] = sequences[22][:-1] + ("A" if sequences[22][-1] != "A" else "C")
    tables = {medium: [] for medium in MEDIA}
    files, histories = [], []
    for medium in MEDIA:
        for fold, rows in of_fold.items():
            path = tmp_path / f"{medium}{fold}.tsv"
            write_tsv(path, pd.DataFrame({"sequence": rows, "expression": np.arange(len(rows))}))
            columns = {"sequence": "sequence", "expression": "expression"}
            tables[medium].append({"path": str(path), "header": True, "columns": columns})
    for model, seeds in MODELS.items():
        for medium in MEDIA:
            for fold, rows in of_fold.items():
                measured = np.arange(len(rows))
                table = pd.DataFrame(
                    {"test_set": f"fold {fold}", "sequence": rows, "measured": measured}
                )
                for seed in seeds:
                    table[seed] = measured + rng.normal(0, fold, len(rows))
                files.append(tmp_path / f"{model}{medium}{fold}.tsv")
                predictions.write(files[-1], [table])
                for seed in seeds:
                    histories.append(tmp_path / f"{model}{medium}{fold}{seed}.tsv")
                    bad = model == "None" and medium == "inf" and fold == 2
                    history = {"validation_r2": [0.0 if bad else 0.5] * 3, "epochs": [9] * 3}
                    write_tsv(histories[-1], pd.DataFrame(history))
    folds = pd.DataFrame({"fold": [1, 1, 2, 2], "values": [FOLDS[1]] * 2 + [FOLDS[2]] * 2})
    write_tsv(tmp_path / "folds.tsv", folds)
    job = SimpleNamespace(
        input=SimpleNamespace(predictions=files, histories=histories, folds=tmp_path / "folds.tsv"),
        output=SimpleNamespace(
            predictions=tmp_path / "predictions.tsv", metrics=tmp_path / "metrics.tsv"
        ),
        params=SimpleNamespace(
            seeds=MODELS,
            tables=tables,
            construct=CONSTRUCT,
            relatives={"distance": 2, "overlap": 16},
            replicates=20,
            seed=1,
        ),
        log=[tmp_path / "log"],
    )
    runpy.run_path(str(SCRIPTS / "out_of_fold.py"), init_globals={"snakemake": job})
    job = SimpleNamespace(
        input=job.output,
        output=SimpleNamespace(pdf=tmp_path / "figure.pdf", tsv=tmp_path / "figure.tsv"),
        params=SimpleNamespace(
            titles={
                f"{model} {medium}": f"{model}, {medium}" for model in MODELS for medium in MEDIA
            },
            expression="activity (log2)",
        ),
        log=[tmp_path / "log"],
    )
    runpy.run_path(str(SCRIPTS / "figure_cross_validation.py"), init_globals={"snakemake": job})
    return tmp_path


def test_each_sequence_is_predicted_once_in_each_medium(done):
    table = read_table(done / "predictions.tsv", ["fold"])
    for (model, medium), rows in table.groupby(["model", "medium"]):
        assert model in MODELS and medium in MEDIA
        assert len(rows) == 41 and rows["sequence"].is_unique
        # The one in both folds counts in the first.
        assert rows["fold"].tolist() == [FOLDS[1]] * 21 + [FOLDS[2]] * 20
        assert rows["family"].nunique() == 40 and rows["family"].iloc[1] == rows["family"].iloc[22]
        if model == "cnn":
            assert np.allclose(rows["prediction"], rows[["1", "2"]].mean(axis=1))


def test_metrics_are_those_of_all_folds_and_of_each(done):
    table = read_table(done / "predictions.tsv", ["fold"])
    found = read_table(done / "metrics.tsv", ["fold", "p_value"]).fillna({"problem": ""})
    assert len(found) == 2 * 2 * 3 * 5
    rows = table[(table["model"] == "cnn") & (table["medium"] == "NA")]
    for name in ("all", *FOLDS.values()):
        of = rows if name == "all" else rows[rows["fold"] == name]
        expected = metrics(
            of["measured"], of[["1", "2"]].to_numpy(), of["family"], replicates=20, seed=1
        )
        those = (found["model"] == "cnn") & (found["medium"] == "NA") & (found["fold"] == name)
        for column in ("value", "low", "high", "n", "families", "seeds"):
            assert np.allclose(found.loc[those, column], expected[column])
    wrong = found[found["problem"] != ""]
    assert set(map(tuple, wrong[["model", "medium", "fold"]].to_numpy())) == {("None", "inf", "2")}
    assert wrong["problem"].str.startswith("seed 1: not learned").all()


def test_the_figure_has_two_panels_for_each_model_and_medium(done):
    numbers = read_table(done / "figure.tsv", ["fold", "p_value"]).fillna({"problem": ""})
    assert list(dict.fromkeys(numbers["panel"])) == [*"ABCDEFGH"]
    assert {*numbers.loc[numbers["panel"].isin([*"ACEG"]), "fold"]} == {"all"}
    assert (done / "figure.pdf").read_bytes().startswith(b"%PDF")
    predicted = read_table(done / "predictions.tsv", ["fold"])
    titles = {("None", "inf"): "title"}
    some = cross_validation.panel_numbers(
        list(titles), numbers.loc[numbers["panel"].isin([*"CD"])].drop(columns="panel")
    )
    page = cross_validation.draw(titles, predicted, some, "activity")
    left, right, *_ = page.axes
    (points, *_) = left.collections
    assert len(points.get_offsets()) == 41
    assert [text.get_text() for text in right.get_xticklabels()] == [FOLDS[1], "2"]
    assert any(
        "NOT LEARNED OR NOT FINISHED: 1 of 2 folds" in text.get_text() for text in right.texts
    )
