"""The plan of a config: files, trainings, predictions, figures."""

import copy
import dataclasses

import numpy as np
import pytest
from configs import WHOLE, config, overlaid

from crmnet.configuration import checked
from crmnet.data.sequences import Construct
from crmnet.data.tables import table_of
from crmnet.motifs.motif import Motif, write_meme
from crmnet.plan import Plan


def planned(given):
    return Plan(checked(given))


@pytest.mark.parametrize("name", ["config", "demo", "lite"])
def test_a_plan_leaves_its_config_as_it_is(name):
    plan = planned(overlaid(name))
    before = copy.deepcopy(plan.config)
    for each in dir(plan):
        getattr(plan, each)
    for medium in plan.config["media"]:
        plan.train_tables(medium), plan.test_tables(medium)
    for model in plan.config["models"]:
        plan.architecture(model), plan.budget(model)
        for stage in plan.stages(model):
            plan.recipe(model, stage)
    assert plan.config == before
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.config = {}


def test_downloads_and_local_files_get_their_path(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(f"sequence,Measured Expression\n{WHOLE},1\n")
    random = {"test": {"random": {"file": str(table)}}}
    plan = planned(config(resources="elsewhere", media={"complex": random}))
    download = "elsewhere/complex_media_training_data_Glu.txt"
    assert plan.test_tables("complex")["random"]["path"] == str(table)
    assert plan.train_tables("complex")[0]["path"] == download
    assert plan.downloads[download] == plan.config["media"]["complex"]["train"][0]
    assert str(table) in plan.files and str(table) not in plan.downloads
    assert ("media.complex.test.random.file", table) in plan.given_files()


def test_a_file_of_known_motifs_is_an_input(tmp_path):
    own = tmp_path / "own.meme"
    write_meme(own, [Motif("m", np.eye(4))], np.full(4, 0.25))
    plan = planned(config(motifs={"known": str(own)}))
    assert str(own) in plan.files and ("motifs.known", own) in plan.given_files()
    assert planned(config()).known_motifs == planned(config(motifs=None)).known_motifs == []


def test_a_held_out_test_set_lies_where_its_rule_writes_it(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text(f"insert,level,gene\n{WHOLE},1,x\n")
    columns = {"sequence": "insert", "expression": "level", "family": "gene"}
    train = [{"file": str(table), "columns": columns}]
    media = {
        split: {"split": split, "train": train, "test": {"kept": {"held_out": 0.1}}}
        for split in ("families", "sequences")
    }
    alone = {name: {"pretrain": False} for name in config()["models"]}
    plan = planned(config(media={"complex": None, "defined": None, **media}, models=alone))
    assert plan.held_out("families") == {"kept": 0.1}
    named = {"sequence": "sequence", "expression": "expression"}
    path = "results/data/sequences/held_out/kept.tsv"
    expected = {"path": path, "header": True, "columns": named}
    assert plan.test_tables("sequences") == {"kept": expected}
    assert plan.test_tables("families")["kept"]["columns"] == {**named, "family": "family"}
    assert path in plan.files and path not in dict(plan.given_files()).values()


def test_a_model_takes_its_own_keys_over_those_of_all():
    plan = planned(config(models={"narrow": {"pretrain": False, "width": 64}}))
    narrow = plan.architecture("narrow")
    assert narrow == {**plan.config["model"], "architecture": "crmnet", "width": 64, "bins": 0}


def test_a_baseline_takes_the_width_alone():
    plan = planned(config(model={"width": 64}, models={"danq": {"width": 32}}))
    assert plan.architecture("cnn") == {"architecture": "cnn", "width": 64}
    assert plan.architecture("danq") == {"architecture": "danq", "width": 32}


def test_a_stage_takes_its_own_keys_over_those_of_all():
    plan = planned(config(training={"stages": {"finetune": {"epochs": 20}}}))
    assert plan.recipe("crmnet", "finetune")["epochs"] == 20
    assert plan.recipe("crmnet", "pretrain")["epochs"] == 50


def test_a_recipe_lies_over_training_and_its_stages_over_those():
    plan = planned(
        config(
            training={"stages": {"finetune": {"epochs": 20, "patience": 3}}},
            recipes={"mine": {"epochs": 30, "bins": 18, "stages": {"finetune": {"epochs": 25}}}},
            models={"crmnet": {"recipe": "mine"}},
        )
    )
    assert plan.recipe("crmnet", "pretrain")["epochs"] == 30
    finetune = plan.recipe("crmnet", "finetune")
    assert (finetune["epochs"], finetune["patience"]) == (25, 3)
    assert plan.architecture("crmnet")["bins"] == 18
    ablated = plan.recipe("without_transformer", "finetune")
    assert ablated["epochs"] == 20


def test_the_recipe_of_all_is_that_of_models_that_name_none():
    plan = planned(config(recipe="improved", models={"crmnet": {"recipe": "paper"}}))
    assert plan.recipe_name("crmnet") == "paper"
    assert plan.recipe_name("danq") == "improved"


def test_baselines_are_trained_only_where_nothing_is_published():
    predictors = planned(config()).predictors
    assert "cnn" not in predictors and "transformer" not in predictors
    assert predictors["cnn-published"] == ["complex", "defined"]
    assert predictors["danq"] == ["defined"] and predictors["danq-published"] == ["complex"]
    assert predictors["legnet"] == predictors["legnet-published"] == ["complex", "defined"]
    assert predictors["without_transformer"] == ["complex", "defined"]


def test_one_test_set_without_published_predictions_is_predicted_here():
    plan = planned(config())
    assert plan.predicted_sets("legnet", "defined") == ["random"]
    assert plan.published_sets("legnet", "defined") == ["native"]
    published = plan.published_table("legnet", "defined", "native")
    assert published["path"] == "resources/LegNet_defined_Native.txt"


@pytest.mark.parametrize(("baselines", "published"), [("trained", False), ("both", True)])
def test_baselines_can_be_trained_in_any_case(baselines, published):
    plan = planned(config(baselines=baselines))
    predictors = plan.predictors
    assert predictors["cnn"] == ["complex", "defined"]
    assert ("cnn-published" in predictors) is published
    assert plan.predicted_sets("cnn", "defined") == ["native", "random"]


def test_simulated_data_has_no_published_predictions():
    predictors = planned(overlaid("demo")).predictors
    assert not [name for name in predictors if name.endswith("-published")]
    assert predictors["crmnet"] == ["complex", "defined"]


def test_a_model_is_trained_where_figures_show_it():
    in_complex = {name: {"media": ["complex"]} for name in ("figure3", "figure4")}
    mine = {"mine": {"pretrain": False, "label": "mine"}}
    predictors = planned(config(figures=in_complex, models=mine)).predictors
    assert predictors["without_transformer"] == ["complex"]
    assert predictors["crmnet"] == ["complex", "defined"]  # Figure S1 shows it in defined medium
    assert predictors["mine"] == ["complex", "defined"]  # no figure shows it


def test_a_model_is_trained_where_its_ensemble_or_its_maps_are_shown():
    figures = {"figureS1": None, "figure4": None}
    figures["figure3"] = {"model": "crmnet-ensemble", "against": ["danq"], "media": ["defined"]}
    motifs = {"model": "without_transformer", "medium": "defined"}
    plan = planned(config(figures=figures, seeds=[1, 2], motifs=motifs))
    assert plan.predictors["crmnet-ensemble"] == ["complex", "defined"]
    assert plan.predictors["danq"] == ["defined"]
    assert plan.predictors["without_transformer"] == ["defined"]
    assert ("without_transformer", 1, "defined") in plan.trainings


def test_each_model_is_trained_once_for_each_of_its_seeds():
    plan = planned(config(seeds=[1, 5], models={"danq": {"seeds": [7]}}))
    trainings = plan.trainings
    stages = ("pretrained", "complex", "defined")
    for seed in (1, 5):
        assert [t for t in trainings if t[:2] == ("crmnet", seed)] == [
            ("crmnet", seed, stage) for stage in stages
        ]
    assert [t for t in trainings if t[0] == "danq"] == [("danq", 7, "defined")]
    predictors = plan.predictors
    assert predictors["crmnet-ensemble"] == predictors["crmnet"]
    # One training, or none of ours, has no mean of its own.
    assert not {"danq-ensemble", "cnn-ensemble"} & set(predictors)


def test_the_authors_weights_are_one_model_whatever_the_seeds():
    plan = planned(config(seeds=[1, 2], weights="released"))
    assert {medium for model, _, medium in plan.trainings if model == "crmnet"} == {
        "pretrained",
        "defined",
    }
    assert plan.predictors["crmnet-ensemble"] == ["defined"]
    # Nor are they another precision's, or another recipe's.
    assert plan.released("half_precision") == []


def test_equal_steps_are_those_of_both_stages():
    plan = planned(config(training={"stages": {"finetune": {"epochs": 20, "batch_size": 64}}}))
    assert plan.budget("without_pretraining_equal_steps") == {
        "pretrain": {"epochs": 50, "batch_size": 1024},
        "finetune": {"epochs": 20, "batch_size": 64},
    }
    assert plan.budget("without_pretraining") is None


def test_one_model_can_have_its_own_precision():
    plan = planned(config())
    precisions = {
        name: plan.recipe(name, "pretrain")["precision"] for name in plan.config["models"]
    }
    assert precisions.pop("half_precision") == "mixed_float16"
    assert set(precisions.values()) == {"float32"}


def test_the_whole_model_takes_released_weights_and_their_flavour():
    plan = planned(config(weights="released"))
    taking = [name for name in plan.config["models"] if plan.released(name)]
    assert taking == ["crmnet"]
    assert plan.architecture("crmnet")["flavour"] == "released"
    assert plan.architecture("without_transformer")["flavour"] == "paper"
    assert plan.path(plan.config["released"]["complex"]) == "resources/crmnet_released.archive"


def test_released_weights_can_be_a_folder(tmp_path):
    plan = planned(config(weights="released", released={"complex": {"file": str(tmp_path)}}))
    assert plan.path(plan.config["released"]["complex"]) == str(tmp_path)


def test_panels_are_the_test_sets_that_are_not_taken_out():
    plan = planned(config())
    drawn = [("complex", "all_native"), ("complex", "random")]
    assert plan.panels("figure2") == drawn
    assert ("complex", "native") in plan.panels("figure3")


def test_a_figure_without_enough_data_is_left_out_with_a_reason():
    plan = planned(config(media={"defined": None}, models={"cnn": None}, motifs=None))
    assert "figureS1" not in plan.figures and "figure2" in plan.figures
    left_out = plan.left_out
    assert "only one medium" in left_out["figureS1"] and "motifs: null" in left_out["figure5"]
    assert "figure3" not in left_out
    names = ("transformer", "cnn", "danq", "deepsea", "deepatt", "legnet")
    plan = planned(config(models=dict.fromkeys(names), benchmark=None))
    assert "crmnet" in plan.left_out["figure3"] and "benchmark" in plan.left_out["table1"]
    assert "`figures`" in planned(config(figures={"figure4": None})).left_out["figure4"]
    tests = {name: {"scatter": False} for name in ("all_native", "random")}
    plan = planned(config(media={"complex": {"test": tests}}))
    assert "scatter" in plan.left_out["figure2"]


def test_jobs_get_the_construct_with_tables_of_measurements():
    plan = planned(config(media={"defined": {"longer": "stop"}}))
    construct = plan.config["construct"]
    for medium, longer in (("complex", "cut"), ("defined", "stop")):
        measured = [*plan.train_tables(medium), *plan.test_tables(medium).values()]
        assert all((t["construct"], t["longer"]) == (construct, longer) for t in measured)
    (train, *_) = plan.train_tables("complex")
    assert [s["table"] for s in plan.sources() if s["path"] == train["path"]] == [train]


def test_published_predictions_of_bare_inserts_get_flanks():
    published = {"cnn": {"flanks": "add"}}
    plan = planned(config(media={"complex": {"test": {"native": {"published": published}}}}))
    bare, whole = (plan.published_table(m, "complex", "native") for m in ("cnn", "transformer"))
    assert table_of(bare).construct == Construct(**plan.config["construct"])
    assert table_of(whole).construct is None
