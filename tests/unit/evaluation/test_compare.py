"""The scripts that measure a model and compare two: each training, its families, the same rows."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.predictions import KEY, write
from crmnet.data.tsv import read_table
from crmnet.evaluation.metrics import metrics, paired_difference

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
MEDIA = ["complex", "defined"]


def run(script, job):
    runpy.run_path(
        str(SCRIPTS / f"{script}.py"), init_globals={"snakemake": SimpleNamespace(**job)}
    )


@pytest.fixture
def predictions(tmp_path):
    """(model, medium) -> predictions on two test sets in two media, but `cnn` has none on random
    promoters in defined medium; and a table of families, of three sequences each, a medium."""
    random = np.random.default_rng(1)
    measured = random.normal(10, 3, 60)
    tables = {}
    for model, names in (("crmnet", ["1", "2", "5"]), ("cnn", ["1", "2", "5"]), ("old", ["old"])):
        of_model = {name: measured + random.normal(0, 2, 60) for name in names}
        table = pd.DataFrame({"sequence": [f"A{n}" for n in range(60)], "measured": measured})
        table = table.assign(**of_model)
        sets = [table[:40].assign(test_set="random"), table[30:].assign(test_set="native")]
        sets = [one[[*KEY, *names]] for one in sets]
        tables[model, "complex"] = pd.concat(sets)
        tables[model, "defined"] = pd.concat(sets[model == "cnn" :])
    for medium in MEDIA:
        rows = tables["crmnet", medium][["test_set", "sequence"]]
        rows = rows.assign(family=np.r_[np.arange(40) // 3, np.arange(30) // 3])
        rows.to_csv(tmp_path / f"families_{medium}.tsv", sep="\t", index=False)
    return tables


def compare(tmp_path, predictions, against):
    """Runs the script; returns the table that it wrote."""
    files = []
    for (model, medium), table in predictions.items():
        files.append(str(tmp_path / f"{model}_{medium}.tsv"))
        write(files[-1], [table])
    families = [str(tmp_path / f"families_{medium}.tsv") for medium in MEDIA]
    params = {"model": "crmnet", "against": against, "tables": [list(key) for key in predictions]}
    params |= {"media": MEDIA, "replicates": 50, "seed": 1}
    job = {
        "input": SimpleNamespace(predictions=files, families=families),
        "output": [str(tmp_path / "comparisons.tsv")],
        "params": SimpleNamespace(**params),
        "log": [""],
    }
    run("compare", job)
    return read_table(job["output"][0])


def test_models_are_compared_wherever_there_are_predictions(tmp_path, predictions):
    table = compare(tmp_path, predictions, ["danq", "cnn", "old"])
    columns = ["metric", "difference", "low", "high", "n", "families", "seeds", "against_seeds"]
    columns.append("p_value")
    assert list(table) == ["medium", "test_set", "model", "against", *columns]
    found = table.groupby(["medium", "test_set", "against"], sort=False)
    assert list(found.groups) == [
        ("complex", "random", "cnn"),
        ("complex", "native", "cnn"),
        ("complex", "random", "old"),
        ("complex", "native", "old"),
        ("defined", "native", "cnn"),
        ("defined", "random", "old"),
        ("defined", "native", "old"),
    ]
    # Seeds pair; what was published once has none to pair.
    native = {key: one[one["test_set"] == "native"] for key, one in predictions.items()}
    for against, paired in (("cnn", True), ("old", False)):
        mine, other = (native[model, "defined"] for model in ("crmnet", against))
        expected = paired_difference(
            mine["measured"].to_numpy(),
            *(one.drop(columns=KEY).to_numpy() for one in (mine, other)),
            np.arange(30) // 3,
            paired=paired,
            replicates=50,
            seed=1,
        )
        given = found.get_group(("defined", "native", against))[columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(given, expected[columns], check_dtype=False)
        assert set(given["families"]) == {10}
        assert set(given["against_seeds"]) == {3 if paired else 1}


@pytest.mark.parametrize("change", ["order", "sequence", "measurement", "test set"])
def test_other_sequences_are_refused(tmp_path, predictions, change):
    table = predictions["cnn", "defined"].reset_index(drop=True)
    if change == "order":
        table = table[::-1]
    elif change == "sequence":
        table.loc[3, "sequence"] = "C"
    elif change == "measurement":
        table.loc[3, "measured"] += 1
    else:
        table["test_set"] = "other"
    predictions["cnn", "defined"] = table
    with pytest.raises(ValueError, match="cnn_defined.tsv .*do not have the same sequences"):
        compare(tmp_path, predictions, ["cnn"])


def test_nothing_to_compare_with_is_refused(tmp_path, predictions):
    with pytest.raises(ValueError, match="no predictions of danq"):
        compare(tmp_path, predictions, ["danq"])


def evaluate(tmp_path, table, model, histories):
    write(tmp_path / "predictions.tsv", [table])
    paths = [tmp_path / f"{number}.history.tsv" for number in range(len(histories))]
    for path, scores in zip(paths, histories, strict=True):
        history = pd.DataFrame({"epochs": len(scores), "validation_r2": scores})
        history.to_csv(path, sep="\t", index=False)
    outputs = {"table": tmp_path / "metrics.tsv", "seeds": tmp_path / "seeds.tsv"}
    families = tmp_path / "families_complex.tsv"
    inputs = {"predictions": tmp_path / "predictions.tsv", "families": families}
    job = {
        "input": SimpleNamespace(**inputs, histories=paths),
        "output": SimpleNamespace(**outputs),
        "wildcards": SimpleNamespace(predictor=model, medium="complex"),
        "params": SimpleNamespace(replicates=20, seed=1),
        "log": [""],
    }
    run("evaluate", job)
    return read_table(outputs["table"], ["p_value"]), read_table(outputs["seeds"])


def test_a_metric_is_the_mean_of_the_trainings_and_each_is_told(tmp_path, predictions):
    table = predictions["crmnet", "complex"].assign(**{"5": 11.0})
    learned, flat = [0.7, 0.7], [0.01, 0.02]
    found, by_seed = evaluate(tmp_path, table, "crmnet", [learned, flat, learned])
    random = table[:40]
    expected = metrics(
        random["measured"], random[["1", "2", "5"]], np.arange(40) // 3, replicates=20, seed=1
    )
    given = found[found["test_set"] == "random"].reset_index(drop=True)
    for column in ("value", "low", "high", "n", "families", "seeds"):
        np.testing.assert_allclose(given[column], expected[column])
    one = by_seed[(by_seed["test_set"] == "native") & (by_seed["metric"] == "rmse")]
    native = table[40:]
    assert one["value"].tolist() == pytest.approx(
        [np.sqrt(np.mean((native[name] - native["measured"]) ** 2)) for name in ("1", "2", "5")]
    )
    first, second, third = one["problem"].fillna("")
    assert first == "" and "under 0.1" in second and "the same for every sequence" in third


def test_published_predictions_have_no_history_to_judge(tmp_path, predictions):
    _, by_seed = evaluate(tmp_path, predictions["old", "complex"], "old-published", [])
    assert by_seed["problem"].isna().all() and set(by_seed["seed"]) == {"old"}
