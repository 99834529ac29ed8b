"""Every way in which a config can be wrong is said in a sentence with the key and the mend."""

import copy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from crmnet import configuration
from crmnet.configuration import ConfigError, checked
from crmnet.report import provenance

CONFIG = Path(__file__).parents[2] / "config"
PAPER = yaml.safe_load((CONFIG / "config.yaml").read_text())


def config(**changes):
    """The paper's config with changes laid over it, as Snakemake lays them."""
    merged = copy.deepcopy(PAPER)
    update_config(merged, changes)
    return merged


def message(**changes):
    with pytest.raises(ConfigError) as error:
        checked(config(**changes))
    return str(error.value)


def overlaid(name):
    return config(**yaml.safe_load((CONFIG / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("name", ["demo", "lite"])
def test_the_other_configs_hold_over_the_papers(name):
    done = checked(overlaid(name))
    assert done["outdir"] == f"results/{name}"
    assert list(done["media"]["complex"]["test"]) == ["native", "random"]


def test_the_config_that_was_given_is_left_as_it_was():
    before = config()
    given = copy.deepcopy(before)
    checked(given)
    assert given == before


@pytest.mark.parametrize("name", ["NA", "nan", "None", "null", "inf", "True"])
def test_words_that_mean_nothing_elsewhere_are_names_here(name):
    done = checked(
        config(
            media={name: copy.deepcopy(PAPER["media"]["defined"]), "defined": None},
            models={name: {"pretrain": False}},
        )
    )
    assert name in done["media"] and name in configuration.predictors(done)


def test_a_name_that_yaml_does_not_read_as_text_needs_quotes():
    given = yaml.safe_load("models: {null: {pretrain: false}}")
    assert "models: must be text, not None; put it in quotes" in message(**given)


@pytest.mark.parametrize("name", ["config", "demo", "lite"])
def test_a_config_that_is_written_down_is_the_same_again(name):
    given = overlaid(name)
    written = yaml.safe_dump(provenance.plain(given), sort_keys=False)
    again = config(**yaml.safe_load(written))
    assert again == given
    assert checked(again) == checked(given) == checked(yaml.safe_load(written))


def test_defaults_are_filled_in():
    minimal = {key: PAPER[key] for key in ("media", "models", "construct", "model", "training")}
    minimal["training"] = {k: v for k, v in PAPER["training"].items() if k != "backend"}
    done = checked(copy.deepcopy(minimal))
    assert done["seed"] == 1
    assert done["training"]["backend"] == "tensorflow"
    assert done["data"] == {
        "on_bad_rows": "stop",
        "validation_fraction": 0.01,
        "relatives": "keep",
    }
    assert done["families"] == {"distance": 8, "overlap": 30}
    assert done["media"]["complex"]["test"]["native"]["header"] is True


def test_downloads_and_local_files_get_their_path(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("sequence,Measured Expression\nACGT,1\n")
    random = {"test": {"random": {"file": str(table)}}}
    done = checked(config(resources="elsewhere", media={"complex": random}))
    complex_ = done["media"]["complex"]
    assert complex_["test"]["random"]["path"] == str(table)
    assert complex_["train"][0]["path"] == "elsewhere/complex_media_training_data_Glu.txt"


def test_a_fasta_file_to_score_has_no_columns(tmp_path):
    fasta = tmp_path / "mine.fa"
    fasta.write_text(">a\nACGT\n")
    score = checked(config(score={"sequences": {"file": str(fasta)}}))["score"]
    assert score["model"] == "crmnet" and score["medium"] is None and score["saliency"] is True
    assert score["sequences"]["flanks"] == "add" and score["variants"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sed": 1}, ["unknown key 'sed'", "did you mean 'seed'?"]),
        ({"training": {"bach_size": 3}}, ["training: unknown key", "'batch_size'"]),
        ({"model": {"widht": 64}}, ["model: unknown key 'widht'", "'width'"]),
        ({"models": {"mine": {"pretrain": True, "hedas": 2}}}, ["models.mine", "'heads'"]),
        ({"training": {"stages": {"finetun": {}}}}, ["training.stages", "'finetune'"]),
        ({"training": {"epochs": "many"}}, ["training.epochs", "'many'", "integer"]),
        ({"training": {"backend": "torch"}}, ["training.backend", "'torch'", "jax"]),
        ({"training": {"precision": "float16"}}, ["training.precision", "mixed_float16"]),
        ({"training": {"device": "npu"}}, ["training.device", "'npu'", "gpu"]),
        ({"training": {"device": "tpu"}}, ["training.device", "`training: backend: jax`"]),
        ({"training": {"hosts": 2}}, ["training.hosts", "`training: backend: jax`"]),
        ({"training": {"peak_rate": 0}}, ["training.peak_rate"]),
        ({"score": {"saliency": False}}, ["score", "lacks the key 'sequences'"]),
        ({"score": {"sequences": {"file": "a", "flank": "add"}}}, ["'flanks'"]),
        ({"score": {"sequences": {"file": "none.fa"}}}, ["score.sequences.file", "none.fa"]),
        (
            {"score": {"sequences": {"file": "https://example.org/a.fa"}}},
            ["score.sequences.file", "download"],
        ),
        (
            {"score": {"sequences": {"file": __file__}, "model": "mine"}},
            ["score.model", "'mine'", "crmnet"],
        ),
        (
            {"score": {"sequences": {"file": __file__}, "medium": "rich"}},
            ["score.medium", "'rich'", "complex, defined"],
        ),
        (
            {"score": {"sequences": {"file": __file__}, "variants": "each"}},
            ["score.variants", "'each'", "`all`"],
        ),
        ({"score": {"sequences": {"file": __file__}}}, ["score.sequences", "column 'sequence'"]),
        (
            {"score": {"sequences": {"file": __file__}, "variants": {"file": __file__}}},
            ["score.variants", "column 'id'"],
        ),
        ({"motifs": {"moddel": "crmnet"}}, ["motifs: unknown key", "'model'"]),
        ({"motifs": {"model": "mine"}}, ["motifs.model", "'mine'", "crmnet"]),
        ({"motifs": {"medium": "rich"}}, ["motifs.medium", "'rich'", "complex, defined"]),
        ({"motifs": {"test_set": "all"}}, ["motifs.test_set", "'all'", "all_native"]),
        ({"motifs": {"families": "some"}}, ["motifs.families", "representatives"]),
        ({"motifs": {"discover": {"widths": [15, 6]}}}, ["motifs.discover.widths", "smaller"]),
        ({"motifs": {"drimust": {"words": [5]}}}, ["motifs.drimust.words"]),
        ({"model": {"width": 20}}, ["model.width", "20", "8"]),
        ({"model": {"flavour": "vanilla"}}, ["model.flavour", "released"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"data": {"validation_fraction": 1.5}}, ["data.validation_fraction", "1.5"]),
        (
            {"families": {"distance": 17}},
            ["families.distance: 17", "a fifth", "(80)", "make it 16 at most"],
        ),
        ({"families": {"overlap": 15}}, ["families.overlap", "15"]),
        ({"motifs": {"distance": 8}}, ["motifs: unknown key 'distance'"]),
        ({"data": {"on_bad_rows": "ignore"}}, ["data.on_bad_rows", "drop"]),
        ({"construct": {"left_flank": "ACGX"}}, ["construct.left_flank", "ACGX"]),
        ({"construct": {"length": 110}}, ["construct.length", "110", "8"]),
        ({"construct": {"length": 104}}, ["construct.length", "104", "110"]),
        ({"mirror": "no/such/folder"}, ["mirror", "no/such/folder"]),
        ({"training": {"warmup_epochs": 50}}, ["warmup_epochs", "pretrain"]),
        ({"media": {"pretrained": PAPER["media"]["complex"]}}, ["media.pretrained", "name"]),
        ({"media": {"bad name": PAPER["media"]["complex"]}}, ["bad name"]),
        ({"media": {"complex": {"train": []}}}, ["media.complex.train"]),
        ({"media": {"complex": {"test": {"mine": {"header": True}}}}}, ["test.mine", "'file' and"]),
        (
            {"media": {"complex": {"test": {"native": {"held_out": 0.1}}}}},
            ["media.complex.test.native", "`held_out` and 'file'"],
        ),
        ({"media": {"complex": {"test": {"mine": {"held_out": 1}}}}}, ["test.mine.held_out"]),
        ({"models": {"crmnet": None}}, ["figures.figure2.model", "crmnet"]),
        ({"figures": {"figure2": {"media": ["complx"]}}}, ["figures.figure2.media", "complx"]),
        ({"figures": {"figure9": {}}}, ["figures: unknown key 'figure9'"]),
        ({"figures": {"figure3": {"against": ["crm"]}}}, ["figures.figure3.against", "'crm'"]),
        ({"figures": {"figure4": {"media": ["acid"]}}}, ["figures.figure4.media", "'acid'"]),
        ({"models": {"cnn": {"heads": 3}}}, ["models.cnn.heads", "cnn", "take it away"]),
        ({"models": {"cnn": {"architecture": "cmm"}}}, ["models.cnn.architecture", "'cmm'"]),
        (
            {"models": {"crmnet": {"recipe": "best"}}},
            ["models.crmnet.recipe", "'best'", "improved"],
        ),
        ({"recipe": "best"}, ["recipe", "'best'", "improved"]),
        ({"recipes": {"paper": {"emma": 0.9}}}, ["recipes.paper: unknown key 'emma'", "'ema'"]),
        ({"baselines": "all"}, ["baselines", "'all'", "both"]),
        ({"weights": "theirs"}, ["weights", "'theirs'", "released"]),
        (
            {"weights": "released", "models": {"crmnet": {"width": 64}}},
            ["weights", "no model takes"],
        ),
        ({"weights": "released", "released": {"acid": {"file": "x"}}}, ["released", "'acid'"]),
        ({"weights": "released", "model": {"width": 64}}, ["model.width", "released", "128"]),
        (
            {"weights": "released", "construct": {"length": 120}},
            ["construct.length", "released", "112"],
        ),
        ({"models": ["crmnet"]}, ["models", "keys with values"]),
        ({"models": {"released": {"pretrain": True}}}, ["models.released", "name"]),
        ({"training": None}, ["training", "keys with values", "None"]),
        ({"training": {"epochs": 5.0}}, ["training.epochs", "5.0"]),
        ({"training": {"peak_rate": float("nan")}}, ["training.peak_rate", "nan"]),
        ({"training": {"peak_rate": "1e-3"}}, ["training.peak_rate", "1.0e-3"]),
        ({"training": {"launcher": "srun 'a"}}, ["training.launcher", "quote"]),
        ({"training": {"launcher": "srun -N {nodes}"}}, ["training.launcher", "{hosts}"]),
        ({"recipes": {"paper": {"bins": 1}}}, ["models.crmnet", "bins", "two"]),
        ({"seed": 2**31}, ["seed", "2147483648"]),
        ({"outdir": "a{b}"}, ["outdir", "a{b}", "folder"]),
        ({"outdir": "a" * 999}, ["outdir", "too long"]),
        ({"outdir": f"{__file__}/results"}, ["outdir", f"{__file__} is a file"]),
        ({"resources": __file__}, ["resources", f"{__file__} is a file"]),
        ({"mirror": "a" * 999}, ["mirror", "no folder"]),
        ({"construct": {"left_flank": "ACGT\n"}}, ["construct.left_flank", "A, C, G and T"]),
        ({"models": {"cnn": {"label": "$x$"}}}, ["models.cnn.label", "$"]),
        ({"figures": {"figure2": {"model": "cnn"}}}, ["figure2.model", "cnn", "baselines: both"]),
        ({"figures": {"figure3": {"model": "danq"}}}, ["figure3.model", "danq", "complex"]),
        ({"figures": {"figure3": {"against": ["crmnet"]}}}, ["figure3.against", "take it away"]),
        (
            {"figures": {"figure3": {"against": ["crmnet", "cnn"]}}},
            ["figure3.against", "take it away"],
        ),
        ({"figures": {"figure3": {"against": [{"cnn": 1}]}}}, ["figure3.against.0", "text"]),
        ({"figures": {"figure3": {"media": ["complex", "complex"]}}}, ["figure3.media", "unique"]),
    ],
)
def test_what_is_wrong_is_said_with_its_key(changes, said):
    text = message(**changes)
    for words in said:
        assert words in text


@pytest.mark.parametrize("key", ["construct", "media", "model", "models", "training"])
def test_a_section_that_is_not_there_is_asked_for(key):
    lacking = config()
    del lacking[key]
    with pytest.raises(ConfigError, match=f"lacks the key '{key}'"):
        checked(lacking)


def test_a_long_value_is_shortened():
    said = message(training={"backend": PAPER["media"]}, seed="1" * 5000)
    assert "training.backend" in said and "seed" in said
    assert all(len(line) < 200 for line in said.splitlines())


def test_a_construct_too_short_for_the_baselines():
    short = {"left_flank": "", "right_flank": "", "insert_length": 20, "length": 24}
    said = message(construct=short)
    assert "models.cnn.architecture" in said and "at least 32" in said
    assert "models.crmnet" not in said


def test_a_folder_is_known_by_its_path_however_it_is_spelled():
    done = checked(config(outdir="results//mine/", resources="./downloads"))
    assert (done["outdir"], done["resources"]) == ("results/mine", "downloads")
    assert done["media"]["complex"]["train"][0]["path"].startswith("downloads/")


def test_results_must_go_where_they_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    assert f"outdir: {tmp_path} cannot be written to" in message(
        outdir=str(tmp_path / "new" / "er")
    )
    # Downloads that are all there need no such folder.
    checked(config(resources=str(tmp_path)))


def test_all_that_is_wrong_is_said_at_once():
    text = message(sed=1, training={"epochs": "many"})
    assert "sed" in text and "training.epochs" in text


def random_set(**table):
    return {"media": {"complex": {"test": {"random": table}}}}


def test_a_local_file_that_is_not_there():
    assert "there is no file no/such.csv" in message(**random_set(file="no/such.csv"))


def test_a_column_that_a_local_file_lacks(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("seq,Measured Expression\nACGT,1\n")
    text = message(**random_set(file=str(path)))
    assert "media.complex.test.random" in text
    assert "no column 'sequence'" in text and "'seq'" in text


def test_a_column_by_name_where_no_header_is_declared(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("ACGT,1\n")
    assert "header: true" in message(**random_set(file=str(path), header=False))


def test_a_column_number_below_one():
    text = message(**random_set(columns={"sequence": 0, "expression": 2}))
    assert "media.complex.test.random.columns.sequence" in text and "number from 1" in text


def test_a_mirror_without_the_file(tmp_path):
    text = message(mirror=str(tmp_path))
    assert "has no file complex_media_training_data_Glu.txt" in text


def test_two_downloads_of_one_name():
    text = message(**random_set(file="https://example.org/Native_complex.csv"))
    assert "same file name, Native_complex.csv" in text and "saved_as" in text


def test_two_downloads_of_one_name_are_told_apart():
    url = "https://example.org/Native_complex.csv"
    done = checked(config(**random_set(file=url, saved_as="other.csv")))
    assert done["media"]["complex"]["test"]["random"]["path"] == "resources/other.csv"


def test_a_url_without_a_file_name():
    assert "names no file" in message(**random_set(file="https://example.org/"))


def test_a_simulated_file_without_a_simulation():
    assert "`simulation` is null" in message(
        **random_set(file="results/simulated/complex/random.csv")
    )


def test_a_file_that_the_simulation_does_not_make():
    demo = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    demo["media"]["complex"]["test"]["random"]["file"] = "results/demo/simulated/complex/third.csv"
    said = message(**demo)
    assert "complex.test.random.file" in said and "simulated/complex/native.csv" in said


def test_simulated_files_outside_the_folder_of_the_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no demo has run
    demo = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    assert "`outdir` puts what is simulated in other/simulated" in message(
        **demo | {"outdir": "other"}
    )


def test_more_leaks_than_test_sequences():
    demo = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    demo["simulation"]["leaks"] = 3601
    assert "simulation.leaks: 3601" in message(**demo)


def test_a_simulated_factor_without_activity_in_a_medium():
    demo = yaml.safe_load((CONFIG / "demo.yaml").read_text())
    del demo["simulation"]["factors"]["REB1"]["defined"]
    assert "simulation.factors.REB1" in message(**demo)


def test_a_checksum_of_another_form():
    assert "checksum" in message(**random_set(checksum="md5:123"))


def test_a_checksum_of_a_file_that_is_no_download(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("sequence,Measured Expression\nACGT,1\n")
    said = message(**random_set(file=str(path), checksum=f"md5:{'0' * 32}"))
    assert "media.complex.test.random.checksum" in said and "take it away" in said


def test_a_download_whose_name_is_none():
    said = message(**random_set(file="https://example.org/%7Bx%7D.csv"))
    assert "random.file: '{x}.csv'" in said and "saved_as" in said


def test_a_local_file_whose_name_is_a_pattern(tmp_path):
    path = tmp_path / "{x}.csv"
    path.write_text("sequence,Measured Expression\nACGT,1\n")
    assert "{ } < >" in message(**random_set(file=str(path)))


def test_a_model_takes_its_own_keys_over_those_of_all():
    done = checked(config(models={"narrow": {"pretrain": False, "width": 64}}))
    narrow = configuration.architecture(done, "narrow")
    assert narrow == {**done["model"], "architecture": "crmnet", "width": 64, "bins": 0}


def test_a_baseline_takes_the_width_alone():
    done = checked(config(model={"width": 64}, models={"danq": {"width": 32}}))
    assert configuration.architecture(done, "cnn") == {"architecture": "cnn", "width": 64}
    assert configuration.architecture(done, "danq") == {"architecture": "danq", "width": 32}


def test_a_stage_takes_its_own_keys_over_those_of_all():
    done = checked(config(training={"stages": {"finetune": {"epochs": 20}}}))
    assert configuration.recipe(done, "crmnet", "finetune")["epochs"] == 20
    assert configuration.recipe(done, "crmnet", "pretrain")["epochs"] == 50


def test_a_recipe_lies_over_training_and_its_stages_over_those():
    done = checked(
        config(
            training={"stages": {"finetune": {"epochs": 20, "patience": 3}}},
            recipes={"mine": {"epochs": 30, "bins": 18, "stages": {"finetune": {"epochs": 25}}}},
            models={"crmnet": {"recipe": "mine"}},
        )
    )
    assert configuration.recipe(done, "crmnet", "pretrain")["epochs"] == 30
    finetune = configuration.recipe(done, "crmnet", "finetune")
    assert (finetune["epochs"], finetune["patience"]) == (25, 3)
    assert configuration.architecture(done, "crmnet")["bins"] == 18
    ablated = configuration.recipe(done, "without_transformer", "finetune")
    assert ablated["epochs"] == 20


def test_the_recipe_of_all_is_that_of_models_that_name_none():
    done = checked(config(recipe="improved", models={"crmnet": {"recipe": "paper"}}))
    assert done["models"]["crmnet"]["recipe"] == "paper"
    assert done["models"]["danq"]["recipe"] == "improved"


def test_baselines_are_trained_only_where_nothing_is_published():
    predictors = configuration.predictors(checked(config()))
    assert "cnn" not in predictors and "transformer" not in predictors
    assert predictors["cnn-published"] == ["complex", "defined"]
    assert predictors["danq"] == ["defined"] and predictors["danq-published"] == ["complex"]
    assert predictors["legnet"] == predictors["legnet-published"] == ["complex", "defined"]
    assert predictors["without_transformer"] == ["complex", "defined"]


def test_a_model_that_is_taken_away_is_gone_altogether():
    done = checked(config(models={"danq": None}))
    assert not [name for name in configuration.predictors(done) if "danq" in name]
    assert "danq" not in done["figures"]["figure3"]["against"]


def test_published_predictions_of_an_unknown_model():
    table = {"file": "https://example.org/x.csv", "columns": {"sequence": 1, "prediction": 2}}
    text = message(**random_set(published={"trasformer": table}))
    assert "test.random.published: 'trasformer' is not declared" in text


def test_one_test_set_without_published_predictions_is_predicted_here():
    done = checked(config())
    assert list(configuration.predicted_sets(done, "legnet", "defined")) == ["random"]
    assert list(configuration.published_sets(done, "legnet", "defined")) == ["native"]


@pytest.mark.parametrize(("baselines", "published"), [("trained", False), ("both", True)])
def test_baselines_can_be_trained_in_any_case(baselines, published):
    done = checked(config(baselines=baselines))
    predictors = configuration.predictors(done)
    assert predictors["cnn"] == ["complex", "defined"]
    assert ("cnn-published" in predictors) is published
    assert list(configuration.predicted_sets(done, "cnn", "defined")) == ["native", "random"]


def test_simulated_data_has_no_published_predictions():
    predictors = configuration.predictors(checked(overlaid("demo")))
    assert not [name for name in predictors if name.endswith("-published")]
    assert predictors["danq"] == ["complex", "defined"]


def test_each_model_is_trained_once_for_each_of_its_seeds():
    done = checked(config(seeds=[1, 5], models={"danq": {"seeds": [7]}}))
    trainings = configuration.trainings(done)
    stages = ("pretrained", "complex", "defined")
    for seed in (1, 5):
        assert [t for t in trainings if t[:2] == ("crmnet", seed)] == [
            ("crmnet", seed, stage) for stage in stages
        ]
    assert [t for t in trainings if t[0] == "danq"] == [("danq", 7, "defined")]
    predictors = configuration.predictors(done)
    assert predictors["crmnet-ensemble"] == predictors["crmnet"]
    # One training, or none of ours, has no mean of its own.
    assert not {"danq-ensemble", "cnn-ensemble"} & set(predictors)


def test_the_authors_weights_are_one_model_whatever_the_seeds():
    done = checked(config(seeds=[1, 2], weights="released"))
    assert {medium for model, _, medium in configuration.trainings(done) if model == "crmnet"} == {
        "pretrained",
        "defined",
    }
    assert configuration.predictors(done)["crmnet-ensemble"] == ["defined"]
    # Nor are they another precision's, or another recipe's.
    assert configuration.released(done, "half_precision") == []


def test_an_ensemble_can_stand_for_its_model():
    ensemble = {
        "figure2": {"model": "crmnet-ensemble"},
        "figure4": {"against": ["crmnet-ensemble"]},
    }
    done = checked(config(seeds=[1, 2], figures=ensemble, motifs={"model": "crmnet-ensemble"}))
    assert done["motifs"]["model"] == "crmnet-ensemble"
    said = message(figures=ensemble)
    assert "figures.figure2.model: 'crmnet-ensemble' is not declared" in said
    # An ensemble goes with its model.
    against = ["cnn-ensemble", "danq"]
    given = config(seeds=[1, 2], baselines="both", figures={"figure3": {"against": against}})
    given["models"]["cnn"] = None
    assert checked(given)["figures"]["figure3"]["against"] == ["danq"]


def test_an_ensemble_needs_trainings_in_the_medium():
    ensemble = {"figure2": {"model": "crmnet-ensemble"}}
    for changes, key in (
        ({"figures": ensemble}, "figures.figure2.model"),
        ({"motifs": {"model": "crmnet-ensemble"}}, "motifs.model"),
    ):
        said = message(seeds=[1, 2], weights="released", **changes)
        assert f"{key}: crmnet-ensemble has no trainings to average in medium complex" in said


def test_media_of_one_pre_training_are_split_alike():
    mixed = {"media": {"complex": {"split": "families"}}}
    said = message(**mixed)
    assert "complex has `split: families`, defined has `split: sequences`" in said
    alone = {name: {"pretrain": False} for name in PAPER["models"]}
    checked(config(**mixed, models=alone))


def test_families_are_named_in_every_training_table_or_in_none():
    def media(*columns):
        return {
            medium: {
                "split": "families",
                "train": [{"file": "http://a/b", "saved_as": medium, "columns": {**of}}],
            }
            for medium, of in zip(("complex", "defined"), columns, strict=True)
        }

    plain = {"sequence": 1, "expression": 2}
    named = plain | {"family": 3}
    assert "media.defined.train.0.columns: names no `family`" in message(media=media(named, plain))
    checked(config(media=media(named, named)))


def test_equal_steps_are_those_of_both_stages():
    done = checked(config(training={"stages": {"finetune": {"epochs": 20, "batch_size": 64}}}))
    assert configuration.budget(done, "without_pretraining_equal_steps") == {
        "pretrain": {"epochs": 50, "batch_size": 1024},
        "finetune": {"epochs": 20, "batch_size": 64},
    }
    assert configuration.budget(done, "without_pretraining") is None
    assert "models.crmnet.equal_steps" in message(models={"crmnet": {"equal_steps": True}})


def test_one_model_can_have_its_own_precision():
    done = checked(config())
    precisions = {
        name: configuration.recipe(done, name, "pretrain")["precision"] for name in done["models"]
    }
    assert precisions.pop("half_precision") == "mixed_float16"
    assert set(precisions.values()) == {"float32"}


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [1.5], "123", 3])
def test_seeds_that_are_none_are_refused(seeds):
    assert "seeds" in message(seeds=seeds)
    assert "models.crmnet.seeds" in message(models={"crmnet": {"seeds": seeds}})


def test_the_whole_model_takes_released_weights_and_their_flavour():
    done = checked(config(weights="released"))
    taking = [name for name in done["models"] if configuration.released(done, name)]
    assert taking == ["crmnet"]
    assert configuration.architecture(done, "crmnet")["flavour"] == "released"
    assert configuration.architecture(done, "without_transformer")["flavour"] == "paper"
    assert done["released"]["complex"]["path"] == "resources/crmnet_released.zip"


def test_released_weights_can_be_a_folder(tmp_path):
    done = checked(config(weights="released", released={"complex": {"file": str(tmp_path)}}))
    assert done["released"]["complex"]["path"] == str(tmp_path)


def test_without_motif_jobs_there_are_none():
    assert checked(config(motifs=None))["motifs"] is None


def test_motif_jobs_have_defaults_within_defaults():
    few = config(motifs=None)
    few["motifs"] = {"model": "crmnet", "medium": "complex", "test_set": "native"}
    done = checked(few)["motifs"]
    assert done["engine"] == "auto" and done["families"] == "all"
    assert done["drimust"]["words"] == [5, 10] and done["jaspar"]["species"] == 4932


def test_what_is_shown_follows_from_the_media_that_are_declared():
    done = checked(config())
    assert done["figures"]["figure2"]["media"] == ["complex"]
    assert done["figures"]["figureS1"]["media"] == ["defined"]
    assert done["figures"]["figure3"]["media"] == ["complex", "defined"]
    assert done["motifs"]["medium"] == "complex" and done["motifs"]["test_set"] == "all_native"
    assert done["benchmark"]["medium"] == "complex"
    assert done["left_out"] == {}


def test_panels_are_the_test_sets_that_are_not_taken_out():
    done = checked(config())
    drawn = [("complex", "all_native"), ("complex", "random")]
    assert configuration.panels(done, "figure2") == drawn
    assert ("complex", "native") in configuration.panels(done, "figure3")


def test_data_of_ones_own_need_only_be_declared(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("insert,level\nACGT,1\n")
    mine = {"file": str(table), "columns": {"sequence": "insert", "expression": "level"}}
    media = {name: {"train": [mine], "test": {"kept": {"held_out": 0.1}}} for name in "abc"}
    done = checked(config(media={"complex": None, "defined": None} | media))
    assert done["figures"]["figureS1"]["media"] == ["b", "c"]
    assert done["motifs"]["medium"] == "a" and done["motifs"]["test_set"] == "kept"
    assert done["media"]["b"]["test"]["kept"]["path"] == "results/data/b/held_out/kept.tsv"
    assert [done["media"][medium]["split"] for medium in "abc"] == ["families"] * 3
    assert done["media"]["b"]["test"]["kept"]["columns"]["family"] == "family"


def test_a_column_of_families_is_one_of_the_table(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("insert,level,gene\nACGT,1,x\n")
    columns = {"sequence": "insert", "expression": "level"}

    def own(family):
        entry = {"file": str(table), "columns": {**columns, "family": family}}
        medium = {"train": [entry], "test": {"kept": {"held_out": 0.1}}, "split": "sequences"}
        return {"media": {"complex": None, "defined": None, "a": medium}}

    kept = checked(config(**own("gene")))["media"]["a"]["test"]["kept"]
    assert "family" not in kept["columns"]
    assert "media.a.train.0" in (said := message(**own("chromosome"))) and "'chromosome'" in said


def test_what_does_not_suffice_for_a_figure_leaves_it_out_and_is_said():
    done = checked(config(media={"defined": None}, models={"cnn": None}, motifs=None))
    assert "figureS1" not in done["figures"] and "figure2" in done["figures"]
    left_out = done["left_out"]
    assert "no medium but" in left_out["figureS1"] and "motifs: null" in left_out["figure5"]
    assert "figure3" not in left_out
    names = ("transformer", "cnn", "danq", "deepsea", "deepatt", "legnet")
    done = checked(config(models=dict.fromkeys(names), benchmark=None))
    assert "crmnet" in done["left_out"]["figure3"] and "benchmark" in done["left_out"]["table1"]
    assert "`figures`" in checked(config(figures={"figure4": None}))["left_out"]["figure4"]
    tests = {name: {"scatter": False} for name in ("all_native", "random")}
    done = checked(config(media={"complex": {"test": tests}}))
    assert "scatter" in done["left_out"]["figure2"]
