"""Each error in a config gives a sentence that names the key and says what to change."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from configs import CONFIG, PAPER, WHOLE, config, overlaid
from snakemake.utils import update_config

from crmnet.configuration import (
    SCHEMA,
    ConfigError,
    checked,
    faults_of_yaml,
    given,
    inherited_media,
    laid,
    overlay,
)
from crmnet.data import tables
from crmnet.data.sequences import letters
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


def test_the_config_of_one_gpu_compares_precisions_of_two_sizes():
    lite = config(**yaml.safe_load((CONFIG / "lite.yaml").read_text()))
    update_config(lite, yaml.safe_load((CONFIG / "one_gpu.yaml").read_text()))
    plan = Plan(checked(lite))
    assert plan.config["outdir"] == "results/one_gpu"
    figures = {"figure4": ("crmnet", "bfloat16"), "figure3": ("full_size", "full_size_bfloat16")}
    for figure, (name, half) in figures.items():
        assert plan.config["figures"][figure]["model"] == name
        assert half in plan.config["figures"][figure]["against"]
        assert plan.architecture(name) == plan.architecture(half)
        precisions = [plan.precision(model) for model in (name, half)]
        assert precisions == ["float32", "mixed_bfloat16"]
    papers = {"architecture": "crmnet", **PAPER["model"], "bins": 0}
    assert plan.architecture(plan.config["benchmark"]["model"]) == papers
    assert plan.config["benchmark"]["devices"] == [1]


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
        ({"file": FASTA}, {"file": FASTA}, ["score.variants", "is a FASTA file, not a table"]),
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
        ({"construct": {"left_flank": None}}, ["construct.left_flank", 'write ""']),
        ({"data": {"validation_fraction": 5}}, ["data.validation_fraction", "between 0 and 1"]),
        ({"training": {"launcher": "srun 'a"}}, ["training.launcher", "quote"]),
        ({"training": {"launcher": "srun -N {nodes}"}}, ["training.launcher", "{hosts}"]),
        # Python would make a text of this many letters.
        ({"training": {"launcher": "srun {hosts:>9999999999}"}}, ["training.launcher", "braces"]),
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
    assert "and 10 more; add it" in said[0] + said[1]


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


@pytest.mark.parametrize(
    ("content", "table", "said"),
    [
        (b"ACGTACGTAC\t1\n", {}, "line 1 reads as data, not as names"),
        (b"seq\tlevel\nACGT\t1\n", {"header": False}, "line 1 reads as names"),
        (b"seq\t1\t2\nACGT\t5\t6\n", {"columns": {"sequence": "seq", "expression": 2}}, "2 can"),
        (b"PK\x03\x04 [Content_Types].xml", {}, "is an Excel workbook"),
        (b"# note\nseq\tlevel\nACGT\t1\n", {}, '`comment: "#"`'),
        (b"seq\tlevel\n1\tACGT\t1\n", {}, "R's write.table"),
        (b"seq;level\nACGT;1,5\n", {}, "decimals need a point"),
        (b"seq\tlevel\nACGT\t1\n", {"separator": "comma"}, "separated by comma"),
        (b"seq\tlevel\n", {}, "no usable row"),
        (b"", {}, "is empty"),
        (b"seq\tlevel\nACGT\t\x1b[2J\n", {}, r"but '\x1b[2J'"),
    ],
)
def test_a_local_file_that_is_not_as_the_config_says(tmp_path, content, table, said):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    table = {"columns": {"sequence": 1, "expression": 2}, **table}
    own = {"train": [{"file": str(path), **table}], "test": {"held": {"held_out": 0.1}}}
    text = message(media={"mine": {**own, "split": "sequences"}})
    assert f"media.mine.train.0: {path}: " in text and said in text
    # The message of one error is one line.
    assert len(text.splitlines()) == 2 and text.replace("\n", "").isprintable()


@pytest.mark.parametrize("separator", ["\t", ";", "~", "tab", "space"])
def test_a_table_can_say_how_it_is_read(tmp_path, separator):
    path = tmp_path / "mine.txt"
    between = {"tab": "\t", "space": "  "}.get(separator, separator)
    path.write_text(f"# note\nseq{between}level\n{WHOLE}{between}1\n")
    how = {"separator": separator, "comment": "#"}
    table = {"file": str(path), "columns": {"sequence": "seq", "expression": "level"}, **how}
    own = {"train": [table], "test": {"held": {"held_out": 0.1}}, "split": "sequences"}
    done = checked(config(media={"mine": own}))
    (read,) = Plan(done).train_tables("mine")
    assert {key: read[key] for key in how} == how
    tokens, values = tables.read(tables.table_of(read), 112)
    assert list(map(letters, tokens)) == [WHOLE] and values["expression"].tolist() == [1.0]


@pytest.mark.parametrize("separator", ["", "tabs", "ab", '"', "A", "1", "\n", "é", "\\t"])
def test_a_separator_that_cannot_be_one(separator):
    said = message(**random_set(separator=separator))
    assert "random.separator" in said and "tab, comma, semicolon, pipe and space" in said


@pytest.mark.parametrize("comment", ["", " #", "A", "1", '"', "#\n"])
def test_a_comment_that_cannot_be_one(comment):
    assert "random.comment" in message(**random_set(comment=comment))


def test_nothing_that_a_terminal_obeys_is_in_a_message():
    text = message(**random_set(file="a\x1b[2Jb.csv"))
    assert "control character" in text and text.replace("\n", "").isprintable()


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
    local.write_text(f"sequence,Measured Expression\n{WHOLE},1\n")
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
    path.write_text(f"sequence,Measured Expression\n{WHOLE},1\n")
    said = message(**random_set(file=str(path), checksum=f"md5:{'0' * 32}"))
    assert "media.complex.test.random.checksum" in said and "remove it" in said


def test_a_download_whose_name_is_none():
    said = message(**random_set(file="https://example.org/%7Bx%7D.csv"))
    assert "random.file: '{x}.csv'" in said and "saved_as" in said


def test_a_local_file_whose_name_is_a_pattern(tmp_path):
    path = tmp_path / "{x}.csv"
    path.write_text(f"sequence,Measured Expression\n{WHOLE},1\n")
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
    table.write_text(f"insert,level\n{WHOLE},1\n")
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
    table.write_text(f"insert,level,gene\n{WHOLE},1,x\n")
    columns = {"sequence": "insert", "expression": "level"}

    def own(family):
        entry = {"file": str(table), "columns": {**columns, "family": family}}
        medium = {"train": [entry], "test": {"kept": {"held_out": 0.1}}, "split": "sequences"}
        return {"media": {"complex": None, "defined": None, "a": medium}}

    kept = Plan(checked(config(**own("gene")))).test_tables("a")["kept"]
    assert "family" not in kept["columns"]
    assert "media.a.train.0" in (said := message(**own("chromosome"))) and "'chromosome'" in said


@pytest.fixture
def drawn(tmp_path):
    """Returns a config of two media of one's own, with changes of the first, or of both."""
    header = "insert,level,chrom,set\n"
    (tmp_path / "mine.csv").write_text(f"{header}{WHOLE},1,chr1,test\n")
    (tmp_path / "bare.csv").write_text("insert,level\nACGT,1\n")

    def medium(held_out, second="mine.csv", marks=(False, False), **further):
        columns = [
            {"sequence": "insert", "expression": "level"} | ({"split": "set"} if mark else {})
            for mark in marks
        ]
        files = [str(tmp_path / name) for name in ("mine.csv", second)]
        train = [{"file": f, "columns": c} for f, c in zip(files, columns, strict=True)]
        return {"train": train, "test": {"far": {"held_out": held_out}}, **further}

    def own(*media, **changes):
        media = dict(zip("ab", [medium(**keys) for keys in media], strict=False))
        return {"media": {"complex": None, "defined": None} | media, **changes}

    return own


BY = {"by": "chrom", "values": ["chr1", 2]}


def test_how_a_column_decides_stays_as_it_is_written(drawn):
    keys = {"held_out": BY, "validation": {"by": 3, "fraction": 0.1}}
    done = checked(config(**drawn(keys, keys)))
    assert done["media"]["a"]["test"]["far"]["held_out"] == BY
    plan = Plan(done)
    assert plan.split_media == ["a", "b"] and plan.by_column("b") == {"far": "chrom"}
    assert [table["by"] for table in plan.train_tables("a")] == [["chrom", 3]] * 2
    assert checked(done) == done


def test_single_sequences_need_no_split_unless_a_column_decides(drawn):
    one, other = ({"held_out": h, "split": "sequences"} for h in (0.1, BY))
    assert Plan(checked(config(**drawn(one)))).split_media == []
    # With pre-training, a sequence has one purpose in all media.
    share = {**one, "validation": {"fraction": 0.1}}
    both = drawn(share, one)
    assert Plan(checked(config(**both))).split_media == ["a", "b"]
    alone = {name: {"pretrain": False} for name, own in PAPER["models"].items() if own["pretrain"]}
    assert Plan(checked(config(**both, models=alone))).split_media == ["a"]
    plan = Plan(checked(config(**drawn(other))))
    assert plan.split_media == ["a"]
    assert "family" not in plan.test_tables("a")["far"]["columns"]
    marked = {"held_out": {"by": "split"}, "marks": (True, True), "split": "sequences"}
    plan = Plan(checked(config(**drawn(marked))))
    assert plan.split_media == ["a"] and "by" not in plan.train_tables("a")[0]


@pytest.mark.parametrize(
    ("medium", "said"),
    [
        ({"held_out": {"by": "chrom"}}, ["far.held_out: lacks `fraction` or `values`"]),
        ({"held_out": {}}, ["far.held_out: lacks `fraction` or `values`"]),
        ({"held_out": BY | {"fraction": 0.1}}, ["has both `fraction` and `values`"]),
        ({"held_out": {"values": ["x"]}}, ["held_out.values: name the column"]),
        ({"held_out": {"by": "family", "values": ["x"]}}, ["held_out.values: name the column"]),
        ({"held_out": BY | {"values": [True]}}, ["held_out.values.0", "True"]),
        ({"held_out": {"by": "chrom", "share": 0.1}}, ["held_out: unknown key 'share'"]),
        ({"held_out": {"by": "chrom", "fraction": 1.2}}, ["held_out.fraction"]),
        (
            {"held_out": {"by": "family", "fraction": 0.1}, "split": "sequences"},
            ["far.held_out.by: families are known only with `split: families`"],
        ),
        ({"held_out": {"by": "split"}}, ["far.held_out.by: the training tables name no column"]),
        (
            {"held_out": {"by": "split", "fraction": 0.1}, "marks": (True, True)},
            ["the marks `test` decide", "remove fraction"],
        ),
        (
            {"held_out": {"by": "split"}, "marks": (True, False)},
            ["media.a.train.1.columns: names no `split`, but media.a.train.0 does"],
        ),
        (
            {"held_out": 0.1, "marks": (True, True), "validation": BY},
            ["media.a.validation: the column `split`"],
        ),
        ({"held_out": 0.1, "validation": {"by": "split"}}, ["media.a.validation.by"]),
        (
            {"held_out": BY, "validation": {"by": "chrom", "values": ["2"]}},
            ["media.a.validation: media.a.test.far.held_out takes value '2' of column chrom too"],
        ),
        (
            {"held_out": BY, "second": "bare.csv"},
            ["media.a.train.1: ", "bare.csv: has no column 'chrom', only 'insert', 'level'"],
        ),
        (
            {"held_out": 0.1, "validation": {"by": 5, "fraction": 0.1}},
            ["media.a.train.0: ", "has no column 5", "correct `by` (of `held_out`"],
        ),
    ],
)
def test_how_rows_are_drawn_is_checked(drawn, medium, said):
    text = message(**drawn(medium))
    assert all(part in text for part in said), text


def test_media_of_one_pre_training_are_drawn_by_the_same_columns(drawn):
    said = message(**drawn({"held_out": BY}, {"held_out": 0.1}))
    assert "media: in a, chrom decides what rows are for, but in b, no column does" in said
    alone = {name: {"pretrain": False} for name in PAPER["models"]}
    checked(config(**drawn({"held_out": BY}, {"held_out": 0.1}, models=alone)))
    # A value is for one thing in all media.
    other = {"held_out": {"by": "chrom", "values": ["chr9"]}, "validation": BY}
    assert "media.b.validation: media.a.test.far.held_out takes" in message(
        **drawn({"held_out": BY}, other, models=alone)
    )


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"folds": 1}, ["cross_validation.folds"]),
        ({"models": ["other"]}, ["cross_validation.models: 'other' is not declared"]),
        ({"by": "split"}, ["cross_validation.by: name a column"]),
        (
            {"by": "arm"},
            ["media.a.train.0: ", "has no column 'arm'", "correct `by` (of `held_out`"],
        ),
    ],
)
def test_cross_validation_is_checked(drawn, section, said):
    section = {"folds": 3, "models": ["crmnet"]} | section
    text = message(**drawn({"held_out": 0.1}, cross_validation=section))
    assert all(part in text for part in said), text


def test_released_weights_cannot_be_cross_validated():
    said = message(weights="released", cross_validation={"folds": 3, "models": ["crmnet"]})
    assert "cross_validation.models: crmnet takes the released weights" in said


def test_a_cross_validation_changes_no_other_job(drawn):
    section = {"folds": 3, "models": ["crmnet"], "by": "chrom"}
    with_it = Plan(checked(config(**drawn({"held_out": 0.1}, cross_validation=section))))
    without = Plan(checked(config(**drawn({"held_out": 0.1}))))
    assert with_it.train_tables("a") == without.train_tables("a")
    assert with_it.train_tables("a", with_it.column_of_folds)[0]["by"] == ["chrom"]
    # A rehearsal looks for the column in a download too.
    assert with_it.sources()[0]["table"]["by"] == ["chrom"]
    assert with_it.folds == [1, 2, 3] and without.folds == []
    (name, table), *_ = with_it.fold_table("a", 2).items()
    assert name == "fold 2" and table["path"] == "results/folds/2/data/a/test.tsv"


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
def test_an_error_gives_the_lines_of_a_repeated_key(text, said):
    lines = faults_of_yaml(text, "twice.yaml")
    assert len(lines) == len(said)
    for line, words in zip(lines, said, strict=True):
        assert line == f"twice.yaml: the key {words}; keep only one of them"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  a: 3\n",
        "base: &base {a: 1}\nmore: &more {b: 1}\nall:\n  <<: *base\n  <<: *more\n",
        "1: a\n'1': b\n",
        "a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    ],
)
def test_anchors_and_merges_are_no_repetition(text):
    assert faults_of_yaml(text, "once.yaml") == []


@pytest.mark.parametrize(
    "text",
    [
        "loop: &loop [*loop]\n",
        "loop: &loop {a: *loop}\n",
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 10}]\n" for n in range(1, 30)),
    ],
)
def test_aliases_that_never_end_are_refused(text):
    (line,) = faults_of_yaml(text, "bomb.yaml")
    assert line.startswith("bomb.yaml: its aliases")


def write(path, text):
    path.write_text(text)
    return {path: yaml.safe_load(text)}


def test_inner_values_of_the_command_line_have_the_types_of_yaml(tmp_path):
    files = write(tmp_path / "base.yaml", "a: {b: 1, c: x}\nd: 1\ne: folder\n")
    entries = ["a={b: 2.5, f: [1, true, null]}", "d=", "e=null", "g='3'", "h=results/mine"]
    assert laid(*given(files, entries)) == {
        "a": {"b": 2.5, "c": "x", "f": [1, True, None]},
        **{"d": None, "e": None, "g": "3", "h": "results/mine"},
    }


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (["a={b: 1, b: 2}"], "--config a: the key b occurs in lines 1 and 1"),
        (["a=1", "b=2", "a=3"], "--config: the key a is given twice"),
        (["a={b: 1"], "--config a={b: 1: the value is not YAML"),
    ],
)
def test_a_fault_of_the_command_line_names_the_entry(entries, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        given({}, entries)


def test_a_config_does_not_revive_what_an_earlier_one_removed(tmp_path):
    """Snakemake itself lays the second file over the first before both lie over the workflow's."""
    files = write(tmp_path / "1.yaml", "media: {a: {train: [1], test: {x: 1}}, b: {train: [2]}}\n")
    files |= write(tmp_path / "2.yaml", "media: {a: null, mine: {train: [3]}}\n")
    files |= write(tmp_path / "3.yaml", "media: {a: {test: {y: 2}}}\n")
    media = laid(*given(files, []))["media"]
    assert media == {"mine": {"train": [3]}, "a": {"test": {"y": 2}}, "b": {"train": [2]}}
    assert list(media) == ["a", "mine", "b"]


def test_media_of_the_papers_config_beside_ones_own_are_named():
    own = {"media": {"complex": None, "mine": {"train": [{"file": "mine.tsv"}]}}}
    (said,) = inherited_media([PAPER, own])
    assert said.startswith("the training files of defined are those of config/config.yaml")
    (said,) = inherited_media([PAPER, own, {"media": {"complex": {"label": "x"}}}])
    assert "files of defined are" in said
    assert inherited_media([PAPER, {"media": {"complex": {"label": "x"}}}]) == []
    assert inherited_media([PAPER, {"media": None}, {"media": {"mine": {"train": [1]}}}]) == []
    mine = {"train": [{"file": "mine.tsv"}], "test": {"native": None, "kept": {"held_out": 0.1}}}
    (said,) = inherited_media([PAPER, {"media": {"defined": mine, "complex": None}}])
    assert said.startswith("the test sets random of defined are those of config/config.yaml")
    for name in ("demo", "lite"):
        over = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
        assert inherited_media([PAPER, over]) == []


def test_configs_are_laid_over_each_other_as_snakemake_lays_them():
    for name in ("demo", "lite"):
        over = yaml.safe_load((CONFIG / f"{name}.yaml").read_text())
        assert repr(laid(PAPER, over)) == repr(config(**over))


@pytest.mark.parametrize(
    "path",
    [*CONFIG.glob("*.yaml"), *CONFIG.parent.glob("profiles/*/config.yaml"), SCHEMA],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_no_file_of_the_workflow_has_a_key_twice(path):
    assert faults_of_yaml(path.read_text(), path) == []


def own_table(tmp_path, sequences, construct=None, data=None, longer=None, **entry):
    """The config of a medium with a training table of these sequences."""
    path = tmp_path / "mine.csv"
    path.write_text("sequence,level\n" + "".join(f"{s},{n}\n" for n, s in enumerate(sequences)))
    entry |= {"file": str(path), "columns": {"sequence": "sequence", "expression": "level"}}
    medium = {"train": [entry], "test": {"kept": {"held_out": 0.1}}}
    medium |= {"longer": longer} if longer else {}
    changes = {"construct": construct, "data": data}
    changes = {key: value for key, value in changes.items() if value}
    return {"media": {"complex": None, "defined": None, "a": medium}, **changes}


def test_bare_inserts_are_told_before_any_job(tmp_path):
    bare = own_table(tmp_path, ["ACGTACGT", "TTGACA"])
    said = message(**bare)
    assert f"media.a.train.0: {tmp_path}/mine.csv: no sequence begins with" in said
    assert "`flanks: add`" in said and "no sequence ends with" in said
    checked(config(**own_table(tmp_path, ["ACGTACGT", "TTGACA"], flanks="add")))
    checked(config(**own_table(tmp_path, ["ACGT"], {"left_flank": "", "right_flank": ""})))
    assert "have both flanks already, the first in line 3; set `flanks: present`" in message(
        **own_table(tmp_path, ["ACGTACGT", WHOLE], flanks="add")
    )
    # A row with them is enough.
    checked(config(**own_table(tmp_path, ["ACGTACGT", WHOLE.lower()])))


def test_a_wrong_base_in_a_flank_is_told_before_any_job(tmp_path):
    left = PAPER["construct"]["left_flank"]
    said = message(**own_table(tmp_path, [WHOLE, WHOLE], {"left_flank": left[:-1] + "A"}))
    assert f"2 of the first 2 begin with {left}, which differs from it at position 17" in said
    assert "ends with" not in said


def test_sequences_that_are_too_long_are_told_before_any_job(tmp_path):
    long = [WHOLE, WHOLE.replace("ACGT", "ACGT" * 30)]
    said = message(**own_table(tmp_path, long))
    assert "1 of the first 2 sequences are longer than `construct: length` (112)" in said
    assert "the first in line 3 with 150 letters" in said and "`longer: cut`" in said
    checked(config(**own_table(tmp_path, long, longer="cut")))
    checked(config(**own_table(tmp_path, long, data={"on_bad_rows": "drop"})))
    checked(config(**own_table(tmp_path, long, {"length": 152})))
    said = message(**own_table(tmp_path, ["A" * 83], flanks="add"))
    assert "in line 2 with 113 letters with the flanks" in said
    checked(config(**own_table(tmp_path, ["A" * 82], flanks="add")))


def of_rows(tmp_path, train=None, test=None, columns=None, header=True):
    """A config of one medium with keys that say which rows of its tables are used."""
    table = tmp_path / "mine.csv"
    names = "insert,level,again,quality,set,cells\n" if header else ""
    table.write_text(f"{names}{WHOLE},1,2,30,train,5\n")
    entry = {
        "file": str(table),
        "header": header,
        "columns": {"sequence": "insert", "expression": "level"} | (columns or {}),
    }
    medium = {
        "train": [entry | (train or {})],
        "test": {"kept": {"held_out": 0.1}, "own": entry | {"where": {"set": "test"}}},
    }
    if test:
        medium["test"]["own"] |= test
    else:
        del medium["test"]["own"]
    return {"media": {"complex": None, "defined": None, "a": medium}}


CHOICE = {"quality": ">= 10", "set": ["train", "more"], 6: 5, "level": "!= 0.5"}


def test_keys_that_choose_rows_reach_the_jobs(tmp_path):
    keys = {"where": CHOICE, "missing": "skip", "transform": "log2"}
    columns = {"expression": ["level", 3], "weight": "cells"}
    done = checked(config(**of_rows(tmp_path, keys, columns=columns)))
    assert repr(checked(done)) == repr(done)
    (read,) = Plan(done).train_tables("a")
    assert {key: read[key] for key in keys} == keys and list(read["where"]) == list(CHOICE)
    assert read["columns"] == {"sequence": "insert", **columns}
    assert "on_bad_rows" not in read
    # Of a test set that is held out, the rows are chosen and transformed already.
    assert set(Plan(done).test_tables("a")["kept"]) == {"path", "header", "columns"}
    written = yaml.safe_dump(plain(overlay(done)), sort_keys=False)
    assert repr(checked(yaml.safe_load(written))) == repr(done)


def test_bad_rows_are_dropped_in_every_table(tmp_path):
    given = of_rows(tmp_path, test={"where": {"set": "test"}})
    plan = Plan(checked(config(**given, data={"on_bad_rows": "drop"})))
    tables = [*plan.train_tables("a"), plan.test_tables("a")["own"], plan.sources()[0]["table"]]
    assert [table["on_bad_rows"] for table in tables] == ["drop"] * 3


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"depth": 5}, "where: {path}: has no column 'depth'|correct `where:`"),
        ({7: 5}, "has no column 7, only 6|correct `where:`"),
        ({"quality": ">="}, "train.0.where.quality: '>=' does not compare with a number"),
        ({"set": ["a", "!= b"]}, "train.0.where.set: a list has either values"),
        ({"set": []}, "train.0.where.set: "),
        # A null elsewhere removes an entry, but a condition must not vanish.
        ({"set": None, "level": "> 3"}, "train.0.where.set: must be a number or text or a list"),
        ({}, "train.0.where: "),
        ({0: 5}, "train.0.where: must be a column's name or its number (counted from 1), not 0"),
        ({1.5: 5}, "where: must be a column's name or its number (counted from 1), not 1.5"),
        (
            {"set": True},
            "where.set: must be a number or text or a list, not True; put it in quotes",
        ),
        ({"set": [["a"]]}, "train.0.where.set.0: must be a number or text"),
        ("set == train", "train.0.where: must be keys with values"),
    ],
)
def test_a_condition_that_cannot_be_met_or_read(tmp_path, where, said):
    text = message(**of_rows(tmp_path, {"where": where}))
    for part in said.removeprefix("where: {path}: ").split("|"):
        assert part in text


def test_a_column_of_a_condition_by_name_without_a_header(tmp_path):
    given = of_rows(tmp_path, {"where": {"set": "train"}}, header=False)
    given["media"]["a"]["train"][0]["columns"] = {"sequence": 1, "expression": 2}
    assert "gives column 'set' by name, but sets `header: false`" in message(**given)


@pytest.mark.parametrize("column", [[], ["level", "level"], ["level", 0], [["level"]], {"a": 1}])
def test_columns_of_expression_that_are_no_list_of_different_columns(tmp_path, column):
    text = message(**of_rows(tmp_path, columns={"expression": column}))
    assert "or a list of different columns" in text
    text = message(**of_rows(tmp_path, columns={"sequence": ["insert"]}))
    assert "number (counted from 1), not ['insert']" in text


def test_one_of_several_columns_of_expression_is_not_there(tmp_path):
    text = message(**of_rows(tmp_path, columns={"expression": ["level", "third"]}))
    assert "has no column 'third'" in text


def test_weights_are_for_training_and_in_every_table_of_a_medium(tmp_path):
    given = of_rows(tmp_path, columns={"weight": "cells"})
    train = given["media"]["a"]["train"]
    without = {key: of for key, of in train[0]["columns"].items() if key != "weight"}
    checked(config(**given))
    train.append(train[0] | {"columns": without})
    assert ("media.a.train.1.columns: names no `weight`, but media.a.train.0 does") in message(
        **given
    )
    given = of_rows(tmp_path, test={"columns": {**without, "weight": "cells"}})
    assert "media.a.test.own.columns.weight: weights are for training" in message(**given)


@pytest.mark.parametrize("key", [{"where": {"set": "a"}}, {"missing": "skip"}])
def test_a_held_out_test_set_has_no_rows_to_choose(tmp_path, key):
    given = of_rows(tmp_path)
    given["media"]["a"]["test"]["kept"] |= key
    assert f"test.kept: has both `held_out` and {next(iter(key))!r}" in message(**given)
