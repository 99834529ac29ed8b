"""Data of one's own, as docs/own-data.md has it: three media, 60-bp inserts, other flanks.

Two media, the test set and a model have names that pandas takes for missing values or numbers."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import run_snakemake, tiny_config

from crmnet.data.sequences import tokenise

LEFT, RIGHT = "GACTACGGATCCAAGG", "CTCGAGTTAGCA"
MEDIA = ("glucose", "NA", "inf")
TEST_SET, MODEL = "nan", "None"
ROWS = 1200


def library(path):
    """Random inserts, some measured twice, more A and T more expression; a column a medium."""
    random = np.random.default_rng(3)
    inserts = ["".join(row) for row in random.choice([*"ACGT"], (ROWS - 100, 60))]
    inserts += inserts[:100]
    weak = np.array([np.isin(tokenise(insert), (0, 3)).mean() for insert in inserts])
    table = pd.DataFrame({"promoter": [LEFT + insert + RIGHT for insert in inserts]})
    for number, medium in enumerate(MEDIA):
        table[medium] = (number + 10 * weak + random.normal(0, 0.5, ROWS)).round(3)
    with gzip.open(path, "wt") as file:
        table.to_csv(file, index=False)


def own_config(path, media=MEDIA):
    tiny = tiny_config()
    columns = {medium: {"sequence": "promoter", "expression": medium} for medium in media}
    return {
        "outdir": "results/mine",
        "construct": {
            "left_flank": LEFT,
            "right_flank": RIGHT,
            "insert_length": 60,
            "length": 88,
        },
        "media": {"complex": None, "defined": None}
        | {
            medium: {
                "train": [{"file": str(path), "columns": columns[medium]}],
                "test": {TEST_SET: {"held_out": 0.2}},
            }
            for medium in media
        },
        "models": tiny["models"]
        | dict.fromkeys(("without_pretraining_equal_steps", "danq", "cnn"))
        | {MODEL: {"architecture": "cnn", "pretrain": False, "recipe": "light"}},
        "figures": {"figure3": {"against": [MODEL]}, "figure4": {"against": []}},
        "benchmark": None,
        **{key: tiny[key] for key in ("data", "model", "recipes", "training", "evaluation")},
        "motifs": tiny["motifs"] | {"engine": "builtin", "top": 50, "model": "crmnet-ensemble"},
    }


def as_text(path):
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def text(config):
    # The first medium is the one that comes first.
    return yaml.safe_dump(config, sort_keys=False)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    library(folder / "library.csv.gz")
    (folder / "mine.yaml").write_text(text(own_config(folder / "library.csv.gz")))
    done = run_snakemake(folder, "--cores", 2, "--configfile", folder / "mine.yaml")
    assert done.returncode == 0, done.stdout
    return folder / "results" / "mine", done.stdout


@pytest.mark.slow
def test_all_figures_are_made_that_the_data_suffice_for(mine):
    results, _ = mine
    figures = {path.stem for path in results.glob("*.pdf")}
    shown = {"figure1", "figure2", "figureS1", "figure3", "figure5", "figureS2", "figure_sanity"}
    assert figures == shown | {"training_curves"}
    panels = as_text(results / "figureS1.tsv")
    assert list(panels["medium"].unique()) == ["NA", "inf"]


@pytest.mark.slow
def test_no_name_is_taken_for_a_missing_value_or_a_number(mine):
    results, _ = mine
    names, models = ("model", "medium", "test_set"), {"crmnet", "crmnet-ensemble", MODEL}
    for file in ("metrics", "figure3"):
        table = as_text(results / f"{file}.tsv")
        assert set(table[list(names)].itertuples(index=False, name=None)) == {
            (model, medium, TEST_SET) for model in models for medium in MEDIA
        }
        assert table["value"].astype(float).notna().all()
    scattered = [as_text(results / f"{name}.tsv") for name in ("figure2", "figureS1")]
    assert [set(table["medium"]) for table in scattered] == [{"glucose"}, {"NA", "inf"}]
    assert all(set(table["test_set"]) == {TEST_SET} for table in scattered)
    compared = as_text(results / "comparisons" / "figure3.tsv")
    assert set(compared["medium"]) == set(MEDIA) and set(compared["against"]) == models - {"crmnet"}


@pytest.mark.slow
def test_what_is_left_out_is_said_at_the_start_and_at_the_end(mine):
    said = " ".join(mine[1].split())
    assert "figure4 is left out: there is no model to compare crmnet with" in said
    assert "Left out: figure4: there is no model" in said
    assert "Left out: table1: no training times are measured" in said
    assert "Pearson's r of CRMnet, with its 95 % interval: glucose nan" in said


@pytest.mark.slow
def test_the_same_sequences_are_held_out_of_every_medium_and_trained_on_in_none(mine):
    results, _ = mine
    kept = [
        pd.read_csv(results / "data" / medium / "held_out" / f"{TEST_SET}.tsv", sep="\t")
        for medium in MEDIA
    ]
    assert all((table["sequence"] == kept[0]["sequence"]).all() for table in kept)
    assert kept[0]["sequence"].is_unique and set(kept[0]["rows"]) == {1, 2}
    for medium, table in zip(MEDIA, kept, strict=True):
        manifest = json.loads((results / "data" / medium / "manifest.json").read_text())
        assert manifest["leaked"]["rows"] == table["rows"].sum()
        assert manifest["train"] + manifest["validation"] == ROWS - table["rows"].sum()
        assert manifest["elsewhere"] == 0


def test_one_medium_needs_no_second(tmp_path):
    library(tmp_path / "library.csv.gz")
    config = own_config(tmp_path / "library.csv.gz", media=["glucose"])
    (tmp_path / "one.yaml").write_text(text(config))
    done = run_snakemake(tmp_path, "-n", "--cores", 2, "--configfile", tmp_path / "one.yaml")
    assert done.returncode == 0, done.stdout
    assert "rule figure2" in done.stdout and "rule figureS1" not in done.stdout


def test_a_figure_that_is_left_out_cannot_be_asked_for(tmp_path):
    library(tmp_path / "library.csv.gz")
    config = own_config(tmp_path / "library.csv.gz", media=["glucose"])
    config["motifs"] = None
    (tmp_path / "one.yaml").write_text(text(config))
    arguments = ("-n", "--cores", 2, "--configfile", tmp_path / "one.yaml")
    for target, reason in [
        ("figureS1", "only one medium"),
        ("figure4", "no model to compare"),
        ("benchmark", "`benchmark: null`"),
        ("score", "nothing to score"),
        ("figure_score", "nothing to score"),
        ("motifs", "`motifs: null`"),
        ("results/mine/figure5.pdf", "`motifs: null`"),
    ]:
        done = run_snakemake(tmp_path, target, *arguments)
        assert done.returncode != 0
        assert "is left out" in done.stdout and reason in done.stdout
        assert "Traceback" not in done.stdout and 'File "' not in done.stdout
