"""Each error in a config gives a sentence that names the key and says what to change."""

import copy
from pathlib import Path

import pytest
import yaml
from configs import CONFIG, PAPER, config, overlaid

from crmnet.configuration import SCHEMA, ConfigError, checked, overlay, repeated_keys
from crmnet.plan import Plan
from crmnet.report.provenance import plain


def message(**changes):
    with pytest.raises(ConfigError) as error:
        checked(config(**changes))
    return str(error.value)


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
    assert name in done["media"] and name in Plan(done).predictors


def test_a_name_that_yaml_does_not_read_as_text_needs_quotes():
    given = yaml.safe_load("models: {null: {pretrain: false}}")
    assert "models: must be text, not None; put it in quotes" in message(**given)


# Changes of all kinds: entries that are taken away, one medium, no test table, nothing to explain.
MEDIUM = {
    "train": [{"file": "https://example.org/a.csv", "columns": {"sequence": 1, "expression": 2}}],
    "test": {"kept": {"held_out": 0.1}},
}
OWN = {
    "media": {"complex": None, "defined": None, "own": MEDIUM},
    "recipes": {"improved": None},
    "models": {"cnn": None, "danq": {"seeds": [3], "label": None}},
    "figures": {"figure4": None, "figure2": {"media": ["own"]}},
    "motifs": None,
    "outdir": "results//own/",
}
BARE = {"models": {name: None for name in PAPER["models"] if name != "crmnet"}}
BARE |= {"media": {"complex": {"test": {"native": {"scatter": None, "published": {"cnn": None}}}}}}
BARE |= {"weights": "released", "seeds": [1, 2]}
GIVEN = {name: overlaid(name) for name in ("config", "demo", "lite")}
GIVEN |= {"own": config(**OWN), "bare": config(**BARE)}


@pytest.mark.parametrize("name", GIVEN)
def test_a_checked_config_is_a_config(name):
    done = checked(GIVEN[name])
    # Also in its order: a job runs again if the order of its parameters changes.
    assert repr(checked(done)) == repr(done)


@pytest.mark.parametrize("name", GIVEN)
def test_a_config_that_is_written_down_is_the_same_again(name):
    """Snakemake lays the written config over the paper's, and removed entries must not come
    back."""
    done = checked(GIVEN[name])
    written = yaml.safe_dump(plain(overlay(done)), sort_keys=False)
    again = checked(config(**yaml.safe_load(written)))
    assert repr(again) == repr(done)
    # Also in its order: the first medium and the first figure are not like the others.
    assert yaml.safe_dump(plain(overlay(again)), sort_keys=False) == written
    # Nor need it be laid over anything.
    assert checked(yaml.safe_load(written)) == done


def test_defaults_are_filled_in():
    media = {"complex": {"test": {"mine": {**PAPER["media"]["defined"]["test"]["random"]}}}}
    media["complex"]["test"]["mine"] |= {"saved_as": "mine.csv", "published": None}
    done = checked(config(media=media, models={"mine": {"pretrain": True}}))
    mine = done["media"]["complex"]["test"]["mine"]
    assert (mine["header"], mine["scatter"], mine["published"]) == (True, True, {})
    assert done["models"]["mine"] == {"pretrain": True, "architecture": "crmnet"}


RULES = yaml.safe_load(SCHEMA.read_text())


def defaults(schema, path=()):
    """Path of each key of the schema that has a default; `*` stands for any name."""
    for key, part in schema.get("properties", {}).items():
        if "default" in part:
            yield (*path, key)
        yield from defaults(part, (*path, key))
    for inner in ("additionalProperties", "items"):
        if isinstance(schema.get(inner), dict):
            yield from defaults(resolved(schema[inner]), (*path, "*"))


def resolved(part):
    return RULES["$defs"][part["$ref"].split("/")[-1]] if list(part) == ["$ref"] else part


def test_a_default_stands_in_one_place():
    """Defaults are in the paper's config. They are in the schema only if that config has no such
    key, because a config chooses the name above it or the section is null there."""
    found = list(defaults(RULES))
    assert ("media", "*", "split") in found and ("score", "saliency") in found
    for path in found:
        section = PAPER
        for key in path[:-1]:
            section = None if section is None or key == "*" else section.get(key)
        assert section is None or path[-1] not in section, path


def required(schema, config, path=()):
    """Keys of the paper's config that the schema does not ask for."""
    for key, value in config.items():
        part = schema.get("properties", {}).get(key)
        if part is None:
            continue
        if key not in schema.get("required", ()):
            yield (*path, key)
        if isinstance(value, dict):
            yield from required(part, value, (*path, key))


def test_every_key_of_the_papers_config_is_asked_for():
    """Otherwise a config in place of the paper's could lack the key, which has no default."""
    stages = {("training", "stages", stage) for stage in ("pretrain", "finetune", "scratch")}
    figures = {("figures", name) for name in PAPER["figures"]}
    assert set(required(RULES, PAPER)) == stages | figures


def test_a_fasta_file_to_score_has_no_columns(tmp_path):
    fasta = tmp_path / "mine.fa"
    fasta.write_text(">a\nACGT\n")
    score = checked(config(score={"sequences": {"file": str(fasta)}}))["score"]
    assert score["model"] == "crmnet" and score["medium"] is None and score["saliency"] is True
    assert score["sequences"]["flanks"] == "add" and score["variants"] is None
    assert score["on_bad_rows"] == "stop"


FASTA, VCF, BED = ">a\nACGT\n", "##fileformat=VCFv4.3\n", "chr1\t0\t9\n"


@pytest.mark.parametrize(
    ("sequences", "variants", "said"),
    [
        ({"file": FASTA}, {"file": VCF}, []),
        ({"regions": BED, "reference": FASTA}, {"file": VCF}, []),
        ({"regions": BED, "reference": FASTA}, "all", []),
        ({"regions": BED}, None, ["sequences: has 'regions'; give `file`, or both `regions` and"]),
        ({"file": FASTA, "reference": FASTA}, None, ["has 'file' and 'reference'; give"]),
        ({}, None, ["sequences: has no file; give `file`, or both"]),
        ({"regions": BED, "reference": BED}, None, ["sequences.reference: ", "is not a FASTA"]),
        ({"file": VCF}, None, ["is a VCF file; name it as `score: variants: file`"]),
        ({"file": "@r1\nACGT\n+\nIIII\n"}, None, ["seems to be FASTQ; write its reads as FASTA"]),
        ({"file": ";mine\n>a\nACGT\n"}, None, ["begins with `;`; a FASTA file begins with `>`"]),
        ({"file": FASTA}, {"file": FASTA}, ["score.variants", "no column 'id'"]),
    ],
)
def test_files_to_score_are_known_by_their_first_line(tmp_path, sequences, variants, said):
    def file(text):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.txt"
        path.write_text(text)
        return str(path)

    score = {"sequences": {key: file(text) for key, text in sequences.items()}}
    score["variants"] = {"file": file(variants["file"])} if isinstance(variants, dict) else variants
    if not said:
        given = Plan(checked(config(score=score))).scored_files()
        assert list(given.values()) == [
            *score["sequences"].values(),
            *(score["variants"].values() if isinstance(variants, dict) else ()),
        ]
        return
    with pytest.raises(ConfigError) as error:
        checked(config(score=score))
    assert all(part in str(error.value) for part in said), error.value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sed": 1}, ["unknown key 'sed'", "did you mean 'seed'?"]),
        ({"models": {"crmnet": {"equal_steps": True}}}, ["models.crmnet.equal_steps", "pretrain"]),
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
        ({"score": {"sequences": {}, "on_bad_rows": "skip"}}, ["score.on_bad_rows", "drop"]),
        (
            {"score": {"sequences": {"regions": "none.bed", "reference": "none.fa"}}},
            ["score.sequences.regions: the file none.bed does", "sequences.reference: the file"],
        ),
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
        ({"motifs": {"match": {"measure": "tfbstools"}}}, ["motifs.match.measure", "pearson"]),
        ({"motifs": {"known": {"taxon": 511145}}}, ["motifs.known", "511145", "vertebrates"]),
        ({"motifs": {"known": {"collection": "core"}}}, ["motifs.known.collection", "CORE"]),
        ({"motifs": {"known": "no.meme"}}, ["motifs.known: no.meme: there is no such file"]),
        ({"motifs": {"known": "requirements.txt"}}, ["motifs.known", "no line `MEME version`"]),
        ({"motifs": {"known": "https://a.org/b"}}, ["motifs.known", "URL", "download"]),
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
        ({"models": {"cnn": {"heads": 3}}}, ["models.cnn.heads", "cnn", "remove it"]),
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
            ["weights", "no model can take"],
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
        ({"recipes": {"paper": {"bins": 1}}}, ["models.crmnet", "bins", "2 or more"]),
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
        ({"figures": {"figure3": {"against": ["crmnet"]}}}, ["figure3.against", "remove it"]),
        (
            {"figures": {"figure3": {"against": ["crmnet", "cnn"]}}},
            ["figure3.against", "remove it"],
        ),
        ({"figures": {"figure3": {"against": [{"cnn": 1}]}}}, ["figure3.against.0", "text"]),
        ({"figures": {"figure3": {"media": ["complex", "complex"]}}}, ["figure3.media", "unique"]),
    ],
)
def test_each_error_names_its_key(changes, said):
    text = message(**changes)
    for words in said:
        assert words in text


@pytest.mark.parametrize("key", list(PAPER))
def test_an_error_asks_for_a_missing_section(key):
    lacking = config()
    del lacking[key]
    with pytest.raises(ConfigError, match=f"lacks the key '{key}'"):
        checked(lacking)


def test_many_keys_that_are_not_there_are_one_sentence():
    lacking = config() | {"training": {}, "motifs": {"model": "crmnet"}}
    with pytest.raises(ConfigError) as error:
        checked(lacking)
    said = str(error.value).splitlines()[1:]
    assert len(said) == 2 and all(len(line) < 120 for line in said)
    assert "motifs: lacks the key 'families', 'top'," in said[0] + said[1]
    assert "and 9 more; add it" in said[0] + said[1]


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
    assert Plan(done).train_tables("complex")[0]["path"].startswith("downloads/")


def test_results_must_go_where_they_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    assert f"outdir: {tmp_path} cannot be written to" in message(
        outdir=str(tmp_path / "new" / "er")
    )
    # Downloads that are all there need no such folder.
    checked(config(resources=str(tmp_path)))


def test_all_errors_are_reported_at_once():
    text = message(sed=1, training={"epochs": "many"})
    assert "sed" in text and "training.epochs" in text


def random_set(**table):
    return {"media": {"complex": {"test": {"random": table}}}}


def test_a_local_file_that_is_not_there():
    assert "the file no/such.csv does not exist" in message(**random_set(file="no/such.csv"))


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
    assert (
        "media.complex.test.random.columns.sequence" in text and "number (counted from 1)" in text
    )


def test_a_mirror_without_the_file(tmp_path):
    text = message(mirror=str(tmp_path))
    assert "has no file complex_media_training_data_Glu.txt" in text


def test_two_downloads_of_one_name():
    text = message(**random_set(file="https://example.org/Native_complex.csv"))
    assert "same file name, Native_complex.csv" in text and "saved_as" in text


def test_saved_as_tells_two_downloads_of_one_name_apart():
    url = "https://example.org/Native_complex.csv"
    done = checked(config(**random_set(file=url, saved_as="other.csv")))
    assert Plan(done).test_tables("complex")["random"]["path"] == "resources/other.csv"


@pytest.mark.parametrize(
    "end", ["/", "/x/..", "/x/%2e%2E", "/x/.", "/a%2Fb.csv", "/..%2F..%2Fb.csv?download=1"]
)
def test_a_url_without_a_file_name(end):
    url = f"https://example.org{end}"
    said = message(**random_set(file=url))
    assert f"media.complex.test.random.file: {url}: the URL names no file" in said
    assert "saved_as" in said
    checked(config(**random_set(file=url, saved_as="b.csv")))


def test_a_url_without_a_file_name_of_weights_that_are_not_used():
    weights = {"file": "https://example.org/", "saved_as": None}
    said = message(weights="trained", released={"complex": weights})
    assert "released.complex.file: https://example.org/: the URL names no file" in said


@pytest.mark.parametrize("ending", [".part", ".part.json"])
def test_a_file_with_the_name_of_an_unfinished_download(ending, tmp_path):
    name = f"Native_complex.csv{ending}"
    said = message(**random_set(file=f"https://example.org/{name}"))
    assert f"media.complex.test.random.file: {name} is what the download of " in said
    assert "media.complex.test.native is called until it is complete" in said
    local = tmp_path / name
    local.write_text("sequence,Measured Expression\nACGT,1\n")
    assert f"{name} is what" in message(**random_set(file=str(local)), resources=str(tmp_path))
    # Without that download, the name is as good as any.
    checked(config(**random_set(file=str(local))))
    checked(config(**random_set(file="https://example.org/a.csv.part")))


def test_a_record_of_zenodo_is_no_table():
    said = message(**random_set(file="https://zenodo.org/records/4436477"))
    assert "random.file: https://zenodo.org/records/4436477 is a record of Zenodo" in said


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
    assert "simulated files are in other/simulated" in message(**demo | {"outdir": "other"})


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
    assert "media.complex.test.random.checksum" in said and "remove it" in said


def test_a_download_whose_name_is_none():
    said = message(**random_set(file="https://example.org/%7Bx%7D.csv"))
    assert "random.file: '{x}.csv'" in said and "saved_as" in said


def test_a_local_file_whose_name_is_a_pattern(tmp_path):
    path = tmp_path / "{x}.csv"
    path.write_text("sequence,Measured Expression\nACGT,1\n")
    assert "{ } < >" in message(**random_set(file=str(path)))


def test_a_model_that_is_taken_away_is_gone_altogether():
    done = checked(config(models={"danq": None}))
    assert not [name for name in Plan(done).predictors if "danq" in name]
    assert "danq" not in done["figures"]["figure3"]["against"]


def test_published_predictions_of_an_unknown_model():
    table = {"file": "https://example.org/x.csv", "columns": {"sequence": 1, "prediction": 2}}
    text = message(**random_set(published={"trasformer": table}))
    assert "test.random.published: 'trasformer' is not declared" in text


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


@pytest.mark.parametrize("seeds", [[], [1, 1], [-1], [1.5], "123", 3])
def test_seeds_that_are_none_are_refused(seeds):
    assert "seeds" in message(seeds=seeds)
    assert "models.crmnet.seeds" in message(models={"crmnet": {"seeds": seeds}})


def test_without_motif_jobs_there_are_none():
    assert checked(config(motifs=None))["motifs"] is None


def test_motif_jobs_take_missing_keys_from_the_papers_config():
    done = checked(config(motifs={"test_set": "native", "drimust": {"motifs": 3}}))["motifs"]
    assert done["test_set"] == "native" and done["medium"] == "complex"
    assert done["drimust"] == PAPER["motifs"]["drimust"] | {"motifs": 3}


def test_shown_media_follow_from_the_declared_media():
    done = checked(config())
    assert done["figures"]["figure2"]["media"] == ["complex"]
    assert done["figures"]["figureS1"]["media"] == ["defined"]
    assert done["figures"]["figure3"]["media"] == ["complex", "defined"]
    assert done["motifs"]["medium"] == "complex" and done["motifs"]["test_set"] == "all_native"
    assert done["benchmark"]["medium"] == "complex"
    assert Plan(done).left_out == {}


def test_data_of_ones_own_need_only_be_declared(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("insert,level\nACGT,1\n")
    mine = {"file": str(table), "columns": {"sequence": "insert", "expression": "level"}}
    media = {name: {"train": [mine], "test": {"kept": {"held_out": 0.1}}} for name in "abc"}
    done = checked(config(media={"complex": None, "defined": None} | media))
    assert done["figures"]["figureS1"]["media"] == ["b", "c"]
    assert done["motifs"]["medium"] == "a" and done["motifs"]["test_set"] == "kept"
    kept = Plan(done).test_tables("b")["kept"]
    assert kept["path"] == "results/data/b/held_out/kept.tsv"
    assert [done["media"][medium]["split"] for medium in "abc"] == ["families"] * 3
    assert kept["columns"]["family"] == "family"


def test_a_column_of_families_is_one_of_the_table(tmp_path):
    table = tmp_path / "mine.csv"
    table.write_text("insert,level,gene\nACGT,1,x\n")
    columns = {"sequence": "insert", "expression": "level"}

    def own(family):
        entry = {"file": str(table), "columns": {**columns, "family": family}}
        medium = {"train": [entry], "test": {"kept": {"held_out": 0.1}}, "split": "sequences"}
        return {"media": {"complex": None, "defined": None, "a": medium}}

    kept = Plan(checked(config(**own("gene")))).test_tables("a")["kept"]
    assert "family" not in kept["columns"]
    assert "media.a.train.0" in (said := message(**own("chromosome"))) and "'chromosome'" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nseeds: [1]\nseed: 2\n", ["seed occurs in lines 1 and 3"]),
        ("seed: 1\n'seed': 2\nseed: 3\n", ["seed occurs in lines 1, 2 and 3"]),
        (
            "models:\n  cnn: {pretrain: true,\n    pretrain: false}\n",
            ["models.cnn.pretrain occurs in lines 2 and 3"],
        ),
        (
            "media:\n  a:\n    train:\n    - {file: x,\n       file: y}\n"
            "    label: a\n    label: b\n",
            [
                "media.a.train.0.file occurs in lines 4 and 5",
                "media.a.label occurs in lines 6 and 7",
            ],
        ),
        ('{\n\t"seed": 1,\n\t"seed": 2\n}', ["seed occurs in lines 2 and 3"]),
        # One anchor is one mapping, however often it is named.
        ("a: &a {b: 1,\n  b: 2}\nc: *a\n", ["a.b occurs in lines 1 and 2"]),
    ],
)
def test_an_error_gives_the_lines_of_a_repeated_key(tmp_path, text, said):
    path = tmp_path / "twice.yaml"
    path.write_text(text)
    lines = repeated_keys(path)
    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert line == f"{path}: the key {words}; keep only one of them"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  a: 3\n",
        "base: &base {a: 1}\nmore: &more {b: 1}\nall:\n  <<: *base\n  <<: *more\n",
        "1: a\n'1': b\n",
        "loop: &loop [*loop]\n",
    ],
)
def test_anchors_and_merges_are_no_repetition(tmp_path, text):
    path = tmp_path / "once.yaml"
    path.write_text(text)
    assert repeated_keys(path) == []


@pytest.mark.parametrize(
    "path",
    [*CONFIG.glob("*.yaml"), *CONFIG.parent.glob("profiles/*/config.yaml"), SCHEMA],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_no_file_of_the_workflow_has_a_key_twice(path):
    assert repeated_keys(path) == []
