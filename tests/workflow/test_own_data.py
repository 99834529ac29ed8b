"""Data of one's own, as docs/own-data.md has it: three media, 60-bp inserts, other flanks.

Two media, the test set and a model have names that pandas takes for missing values or numbers."""

import gzip
import json
import re

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
        | {MODEL: {"architecture": "cnn", "pretrain": False}},
        "figures": {"figure3": {"against": [MODEL]}, "figure4": {"against": []}},
        "benchmark": None,
        **{key: tiny[key] for key in ("data", "model", "training", "evaluation")},
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


def by_chromosome(folder, **changes):
    """The config of a library with chromosomes, of which one is the test set and one the validation
    set; two media, one model, two folds. Each chromosome has variants of a sequence of another."""
    library(folder / "plain.csv.gz")
    table = pd.read_csv(folder / "plain.csv.gz")
    # The last 100 rows are the first 100 again.
    table["chrom"] = [f"chr{1 + n % (ROWS - 100) % 6}" for n in range(ROWS)]
    other = table.iloc[:60].assign(chrom=[f"chr{1 + (n + 1) % 6}" for n in range(60)])
    other["promoter"] = other["promoter"].str.replace("^(.{40}).", r"\1A", regex=True)
    pd.concat([table, other]).to_csv(folder / "library.csv.gz", index=False)
    config = own_config(folder / "library.csv.gz", media=MEDIA[:2])
    for medium in MEDIA[:2]:
        config["media"][medium] |= {
            "test": {TEST_SET: {"held_out": {"by": "chrom", "values": ["chr6"]}}},
            "validation": {"by": "chrom", "values": ["chr5"]},
        }
    config["motifs"] = None
    config["models"]["without_pretraining"] = None
    config["models"]["crmnet"] = {"pretrain": True}
    config["seeds"] = [1]
    return config | {"cross_validation": {"folds": 2, "models": ["crmnet", MODEL]}} | changes


def test_a_cross_validation_is_in_the_plan(tmp_path):
    (tmp_path / "cross.yaml").write_text(text(by_chromosome(tmp_path)))
    done = run_snakemake(tmp_path, "-n", "--cores", 2, "--configfile", tmp_path / "cross.yaml")
    assert done.returncode == 0, done.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    # CRMnet has three trainings in each fold, the other model two.
    counts = {"folds": 1, "fold_hold_out": 4, "fold_shards": 4, "fold_train": 10, "fold_predict": 8}
    counts |= {"out_of_fold": 1, "figure_cross_validation": 1, "split": 1, "hold_out": 2}
    assert {name: int(jobs[name]) for name in counts} == counts


@pytest.mark.slow
def test_chromosomes_and_folds_from_the_table_to_the_figure(tmp_path):
    (tmp_path / "cross.yaml").write_text(text(by_chromosome(tmp_path)))
    arguments = ("--cores", 2, "--configfile", tmp_path / "cross.yaml")
    done = run_snakemake(tmp_path, "cross_validation", "tableS1", *arguments)
    assert done.returncode == 0, done.stdout
    results = tmp_path / "results" / "mine"
    chrom = pd.read_csv(tmp_path / "library.csv.gz").groupby("promoter")["chrom"].agg(set)
    tested = as_text(results / "data" / "glucose" / "held_out" / f"{TEST_SET}.tsv")
    assert set(tested["sequence"]) == set(chrom.index[["chr6" in names for names in chrom]])
    said = re.findall(rf"glucose/{TEST_SET}: (\d+) of (\d+) sequences .*training rows", done.stdout)
    assert said[0][1] == str(len(tested)) and int(said[0][0]) >= 5
    table = as_text(results / "cross_validation" / "predictions.tsv")
    for _, rows in table.groupby(["model", "medium"]):
        # Every sequence that is not in the test set, once; and no family in two folds.
        assert rows["sequence"].is_unique
        assert set(rows["sequence"]) == set(chrom.index) - set(tested["sequence"])
        assert (rows.groupby("family")["fold"].nunique() == 1).all()
        assert rows["prediction"].astype(float).notna().all()
    assert {*table["model"]} == {"crmnet", MODEL} and {*table["medium"]} == {*MEDIA[:2]}
    numbers = as_text(results / "cross_validation" / "metrics.tsv")
    assert {*numbers["fold"]} == {"all", "1", "2"}
    for path in results.glob("folds/*/data/*/manifest.json"):
        manifest = json.loads(path.read_text())
        fold = manifest["relatives"]["of_test_set"][f"{path.parts[-2]}/fold {path.parts[-4]}"]
        assert fold["sequences"] == fold["rows"] == 0 and fold["of"] > 300
    assert (results / "figure_cross_validation.pdf").exists()


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
        ("cross_validation", "nothing is cross-validated"),
        ("results/mine/figure_cross_validation.pdf", "`cross_validation: null`"),
        ("results/mine/figure5.pdf", "`motifs: null`"),
    ]:
        done = run_snakemake(tmp_path, target, *arguments)
        assert done.returncode != 0
        assert "is left out" in done.stdout and reason in done.stdout
        assert "Traceback" not in done.stdout and 'File "' not in done.stdout


def test_the_truth_of_real_data_cannot_be_asked_for(tmp_path):
    library(tmp_path / "library.csv.gz")
    config = own_config(tmp_path / "library.csv.gz", media=["glucose"])
    (tmp_path / "one.yaml").write_text(text(config))
    arguments = ("-n", "--cores", 2, "--configfile", tmp_path / "one.yaml")
    for target in ("figure_truth", "results/mine/figure_truth.pdf"):
        done = run_snakemake(tmp_path, target, *arguments)
        assert done.returncode != 0
        assert "figure_truth is left out: it shows the motifs that were planted" in done.stdout
        assert "Traceback" not in done.stdout


def bare_config(path, **construct):
    """A small model of bare inserts, trained on the same file that is scored."""
    columns = {"sequence": "insert", "expression": "level"}
    train = {"file": str(path), "columns": columns, "flanks": "add"}
    config = own_config(path, media=["glucose"])
    config["construct"] |= construct
    config["media"]["glucose"] = {"train": [train], "test": {TEST_SET: {"held_out": 0.2}}}
    config["models"] = dict.fromkeys([*config["models"], "without_pretraining", "cnn"])
    config["models"]["crmnet"] = {"pretrain": False, "recipe": "binned", "seeds": [1]}
    config["recipes"] = {"binned": {"bins": 12}}
    config["figures"] = {"figure3": None, "figure4": None}
    config["motifs"] = None
    sequences = {"file": str(path), "columns": {"sequence": "insert", "id": "name"}}
    config["score"] = {"sequences": sequences, "saliency": False}
    return config


@pytest.mark.slow
def test_bare_inserts_are_predicted_as_they_are_scored(tmp_path):
    """On a scale of log ratios, with bins. Then the model is scored with another construct."""
    random = np.random.default_rng(8)
    inserts = ["".join(row) for row in random.choice([*"ACGT"], (400, 60))]
    ratio = np.array([8 * np.isin(tokenise(insert), (0, 3)).mean() - 4 for insert in inserts])
    table = pd.DataFrame({"name": [f"n{n}" for n in range(400)], "insert": inserts, "level": ratio})
    table.to_csv(tmp_path / "bare.csv", index=False)

    def run(target, **construct):
        config = bare_config(tmp_path / "bare.csv", **construct)
        (tmp_path / "bare.yaml").write_text(text(config))
        arguments = ("--cores", 2, "--configfile", tmp_path / "bare.yaml")
        return run_snakemake(tmp_path, *target, *arguments)

    predictions = "results/mine/predictions/crmnet/glucose.tsv"
    assert (done := run([predictions])).returncode == 0, done.stdout
    assert (done := run(["score"])).returncode == 0, done.stdout
    predicted = pd.read_csv(tmp_path / predictions, sep="\t")
    scored = pd.read_csv(tmp_path / "results/mine/score/predictions.tsv", sep="\t")
    scored = scored.set_index("sequence")["predicted_glucose"]
    bare = predicted["sequence"].str.removeprefix(LEFT).str.removesuffix(RIGHT)
    np.testing.assert_allclose(scored[bare], predicted["1"], atol=1e-5)
    assert predicted["1"].between(ratio.min(), ratio.max()).all()

    done = run(["score"], left_flank="TTTTACGGATCCAAGG")
    assert done.returncode != 0
    assert f"was trained with left_flank {LEFT}, but the config has" in done.stdout
    plan = run([predictions, "-n"], left_flank="TTTTACGGATCCAAGG").stdout
    assert "rule train:" in plan
