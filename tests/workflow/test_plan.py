"""What can be checked without running a job: plans, and that rules say what they use."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import configs
import pandas as pd
import pytest
import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DeploymentMethod,
    DeploymentSettings,
    OutputSettings,
    RerunTrigger,
    ResourceSettings,
)

from crmnet.configuration import checked, overlay
from crmnet.fingerprint import fingerprint
from crmnet.plan import Plan
from crmnet.report import claims

ROOT = Path(__file__).parents[2]
PAPER = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
SCRIPTS = ROOT / "workflow" / "scripts"
# What tells of the other jobs, after them.
UNMEASURED = {"provenance", "index"}
# Minutes that a job may take in the longest of the profiles' queues.
LONGEST = 48 * 60


def rules():
    """Name -> text of every rule; a rule that is made from another has the other's text before."""
    texts, others = {}, {}
    for path in [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]:
        blocks = re.split(r"^(?=rule \w+:|use rule )", path.read_text(), flags=re.M)
        for block in blocks:
            if match := re.match(r"rule (\w+):", block):
                texts[match[1]] = block
            elif match := re.match(r"use rule (\w+) as (\w+) with:", block):
                others[match[2]] = match[1], block
    return texts | {name: texts[base] + block for name, (base, block) in others.items()}


RULES = rules()
WITH_SCRIPT = {name: text for name, text in RULES.items() if "    script:" in text}
# The rules of a rehearsal that run in Snakemake's own environment, wherever it runs.
LOCAL = {name for name, text in WITH_SCRIPT.items() if "    localrule: True" in text}
WITH_JOB = [name for name in WITH_SCRIPT if name not in LOCAL]


def last(pattern, text):
    return re.findall(pattern, text, re.S)[-1]


def parsed(deployment=(), **config):
    """Name -> rule as Snakemake has it, of the paper's config with changes."""
    with SnakemakeApi(OutputSettings()) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            deployment_settings=DeploymentSettings(deployment_method=set(deployment)),
            config_settings=ConfigSettings(config=config),
            snakefile=ROOT / "Snakefile",
        )
        return {rule.name: rule for rule in workflow._workflow.rules}


@pytest.fixture(scope="module")
def parsed_rules(tmp_path_factory):
    """All rules: the paper's config, and the sections on scores and cross-validation."""
    sequences = tmp_path_factory.mktemp("score") / "mine.fa"
    sequences.write_text(">a\nACGT\n")
    return parsed(
        score={"medium": "complex", "sequences": {"file": str(sequences)}},
        cross_validation={"folds": 2, "models": ["crmnet"]},
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cores", 2),
        ("--profile", ROOT / "profiles" / "local"),
        ("--profile", ROOT / "profiles" / "local", "--configfile", ROOT / "config" / "lite.yaml"),
        ("--cores", 2, "--configfile", ROOT / "config" / "demo.yaml"),
        ("--profile", ROOT / "profiles" / "nci_dgx"),
        ("--profile", ROOT / "profiles" / "slurm"),
        ("--profile", ROOT / "profiles" / "tpu_vm"),
    ],
    ids=["paper", "local", "lite", "demo", "nci_dgx", "slurm", "tpu_vm"],
)
def test_plans_are_made_in_seconds(snakemake, arguments):
    before = os.times()
    done = snakemake("-n", *arguments)
    assert done.returncode == 0, done.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    assert jobs["figure2"] == "1" and int(jobs["train"]) > 1
    # With a profile, a table of jobs and nothing more.
    assert "--profile" not in arguments or len(done.stdout) < 3000
    # Of the processor, which others may use meanwhile: some 3 s.
    now = os.times()
    used = now.children_user + now.children_system - before.children_user - before.children_system
    assert used < 60


def test_the_demo_profile_makes_a_plan_from_the_root():
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/demo", "-n", "--nolock"]
    done = subprocess.run([*command, "-F"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^simulate +1$", done.stderr + done.stdout, re.M)


def test_a_plan_needs_no_framework():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from crmnet import configuration\n"
        "from crmnet.data import delimited, downloads, sequences\n"
        "from crmnet.evaluation import metrics\n"
        "from crmnet.report import motif_figures\n"
        "from crmnet.data import simulation, tables\n"
        "assert not {'tensorflow', 'keras', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(SCRIPTS)], check=True)


def test_families_are_split_where_a_medium_asks_for_it(snakemake, tmp_path):
    def jobs(*arguments):
        done = snakemake("data", "-n", "--cores", 2, *arguments)
        assert done.returncode == 0, done.stdout
        return dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))

    # As in the paper, none; by default, all media together.
    assert "split" not in jobs()
    assert jobs("--configfile", ROOT / "config" / "demo.yaml")["split"] == "1"


def test_one_figure_needs_only_what_it_is_made_from(snakemake):
    demo = ROOT / "config" / "demo.yaml"
    done = snakemake("results/demo/figureS1.pdf", "-n", "--cores", 2, "--configfile", demo)
    assert done.returncode == 0, done.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    assert jobs["train"] == "2" and jobs["predict"] == "1"
    assert "figure2" not in jobs and "figure1" not in jobs


@pytest.mark.parametrize("name", ["demo", "lite"])
def test_the_page_links_to_every_table_that_is_made(snakemake, name):
    done = snakemake("-n", "--forceall", "--cores", 2, "--configfile", ROOT / f"config/{name}.yaml")
    assert done.returncode == 0, done.stdout
    made = re.findall(r"^    output: (.*)$", done.stdout, re.M)
    tables = {path for paths in made for path in paths.split(", ") if ".tsv" in path}
    tables = {path for path in tables if not path.endswith("/train.tsv.gz")}
    (page,) = re.findall(r"^rule index:\n.*?    input: (.*?)$", done.stdout, re.M | re.S)
    assert len(tables) > 50 and not tables - set(page.split(", "))


def test_the_page_is_made_last(snakemake):
    done = snakemake("-n", "--cores", 2)
    jobs = re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M)
    assert jobs[-3:] == ["provenance", "index", "all"]


def test_what_reports_show_has_a_caption():
    common = (ROOT / "rules" / "common.smk").read_text()
    text = re.search(r"^REPORTED = (\{.*?^\})", common, re.M | re.S)[1]
    table = eval(text, {"WORDS": PAPER["words"]})
    captions = {path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")}
    assert captions == {*table, "workflow"}
    flagged = re.findall(r'reported\("(.+?)"\)', "".join(RULES.values()))
    assert {Path(file).stem for file in flagged} == set(table)
    assert [section for section, *_ in table.values()] == sorted(s for s, *_ in table.values())


def test_released_weights_need_no_training(snakemake):
    done = snakemake("figure2", "-n", "--cores", 2, "--config", "weights=released")
    assert done.returncode == 0, done.stdout
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    assert jobs["released"] == "1" and jobs["predict"] == "1"
    assert "train" not in jobs and "shards" not in jobs


def test_scores_need_the_released_weights_alone(snakemake, tmp_path):
    (tmp_path / "mine.fa").write_text(">a\nACGT\n")
    score = {"medium": "complex", "sequences": {"file": str(tmp_path / "mine.fa")}}
    (tmp_path / "score.yaml").write_text(yaml.safe_dump({"score": score, "weights": "released"}))
    done = snakemake("score", "-n", "--cores", 2, "--configfile", tmp_path / "score.yaml")
    assert done.returncode == 0, done.stdout
    jobs = set(re.findall(r"^(\w+) +\d+$", done.stdout, re.M)) - {"total"}
    scoring = {"score_input", "score_predictions", "figure_score", "score"}
    assert jobs == {"download", "released", *scoring}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--profile", "profiles/demo"), "has replaced that of the profile; name both: "),
        (("--profile", "profiles/local"), "do not exist and must be trained first: results/mod"),
        (
            ("--profile", "profiles/demo", "--configfile", "config/demo.yaml"),
            "do not exist and must be trained first: results/demo/models/crmnet/1/complex.keras, ",
        ),
    ],
)
def test_a_score_says_what_it_trains_first(snakemake, tmp_path, arguments, said):
    (tmp_path / "mine.fa").write_text(">a\nACGT\n")
    score = {"sequences": {"file": str(tmp_path / "mine.fa")}}
    (tmp_path / "score.yaml").write_text(yaml.safe_dump({"score": score}))
    name = () if "--configfile" in arguments else ("--configfile",)
    done = snakemake("score", "-n", *arguments, *name, tmp_path / "score.yaml")
    assert "score: these models do not exist" in done.stdout and said in done.stdout
    stopped = "replaced" in said
    assert (done.returncode != 0) == stopped
    assert not stopped or "`--configfile config/demo.yaml ...`" in done.stdout
    assert 'File "' not in done.stdout


def test_a_figure_of_simulated_data_is_left_out_of_others(snakemake):
    lite = ROOT / "config" / "lite.yaml"
    done = snakemake("figure_truth", "-n", "--cores", 1, "--configfile", lite)
    assert done.returncode != 0 and 'File "' not in done.stdout
    assert "figure_truth is left out: it shows the motifs that were planted" in done.stdout


def test_without_a_section_on_scores_a_sentence_says_so(snakemake):
    done = snakemake("score", "-n", "--cores", 1)
    assert done.returncode != 0 and "score is left out: there is nothing to score" in done.stdout
    assert "Traceback" not in done.stdout


def test_baselines_with_published_predictions_are_not_trained(snakemake):
    done = snakemake("figure3", "-n", "--cores", 2)
    assert done.returncode == 0, done.stdout
    trained = set(re.findall(r"models/(\w+)/1/\w+\.keras", done.stdout))
    assert trained == {"crmnet", "danq", "deepsea", "deepatt", "legnet"}


def test_a_tpu_is_for_one_job_at_a_time(snakemake):
    quiet = ("--quiet", "host", "--")
    done = snakemake("-n", "--profile", ROOT / "profiles" / "tpu_vm", *quiet, "models")
    trainings = re.findall(r"^rule train:.*?resources: (.*?)$", done.stdout, re.M | re.S)
    assert trainings and all("tpu=1" in asked and "gpu=0" in asked for asked in trainings)


@pytest.mark.parametrize("profile", ["nci_dgx", "slurm"])
def test_a_cluster_is_asked_for_the_papers_eight_gpus_of_one_node(snakemake, profile, tmp_path):
    (tmp_path / "site.yaml").write_text("training: {devices: 4}\n")
    for config, gpus in ((), 8), (("--configfile", tmp_path / "site.yaml"), 4):
        config = (*config, "--quiet", "host", "--")
        done = snakemake("-n", "--profile", ROOT / "profiles" / profile, *config, "models")
        assert done.returncode == 0, done.stdout
        trainings = re.findall(r"^rule train:.*?resources: (.*?)$", done.stdout, re.M | re.S)
        assert trainings
        for asked in trainings:
            assert {f"gpu={gpus}", "nodes=1"} <= set(asked.split(", "))


def test_a_job_on_eight_gpus_fits_into_the_longest_queue_of_ncis_dgx(parsed_rules):
    """dgxa100 gives 48 hours to jobs of at most 128 CPUs: eight GPUs, and 2 TB of memory."""
    site = yaml.safe_load((ROOT / "profiles" / "nci_dgx" / "config.yaml").read_text())
    train = parsed_rules["train"].resources
    memory, minutes = (
        train[key]._evaluator({}, input=SimpleNamespace(size_mb=0), attempt=1 + site["retries"])
        for key in ("mem_mb", "runtime")
    )
    assert train["gpu"].value * site["default-resources"]["cpus_per_gpu"] == 128
    assert memory < 2_000_000 and minutes == LONGEST


def test_the_papers_config_meets_all_conditions_of_the_papers_claims(parsed_rules):
    """As far as the config says; on four devices it does not."""
    paper = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())
    paper["claims"] = [claim for claim in paper["claims"] if claim["id"] == "crmnet-r"]
    rows = [
        {"medium": medium, "set": "train", "in another medium's": 0}
        | {"trained on": round(0.99 * sizes["train"])}
        for medium, sizes in paper["data_sizes"].items()
    ]
    row = {"model": "crmnet", "medium": "complex", "test_set": "random", "metric": "pearson_r"}
    row |= {"value": 0.987, "low": 0.98, "high": 0.99, "n": 2954, "seeds": 1, "p_value": "0"}
    tables = {"metrics": pd.DataFrame([row]), "tableS1": pd.DataFrame(rows)}

    def judged(rules):
        found = claims.table(paper, rules["claims"].params.run, tables).set_index("id")
        return tuple(found.loc["crmnet-r-complex-random", ["verdict", "why"]])

    assert judged(parsed_rules) == ("reproduced", "")
    why = "devices 4 instead of 8; global batch 4,096 instead of 8,192"
    assert judged(parsed(training={"devices": 4})) == ("not compared", why)


def test_a_run_without_conda_that_wants_it_says_so_before_it_starts(snakemake, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("conda"):
        pytest.skip("conda is in a folder of the system")
    demo = ROOT / "config" / "demo.yaml"
    done = snakemake("simulate", "--cores", 1, "--sdm", "conda", "--configfile", demo)
    assert done.returncode != 0
    assert "conda is not on the PATH" in done.stdout and "--sdm env-modules" in done.stdout
    assert "rule simulate" not in done.stdout and "Traceback" not in done.stdout


def test_a_wrong_config_ends_in_a_sentence(snakemake, tmp_path):
    (tmp_path / "wrong.yaml").write_text("sed: 2\n")
    done = snakemake("-n", "--cores", 1, "--configfile", tmp_path / "wrong.yaml")
    assert done.returncode != 0
    assert "unknown key 'sed' (did you mean 'seed'?)" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("name", ["twice.yaml", "twice.json"])
def test_a_key_that_stands_twice_ends_in_a_sentence_with_its_lines(snakemake, tmp_path, name):
    text = "training:\n  epochs: 3\n  epochs: 4\n"
    if name.endswith("json"):
        text = '{"training": {\n\t"epochs": 3,\n\t"epochs": 4}}'
    (tmp_path / name).write_text(text)
    good = ROOT / "config" / "demo.yaml"
    done = snakemake("-n", "--cores", 1, "--configfile", good, tmp_path / name)
    assert done.returncode != 0
    assert f"{name}: the key training.epochs occurs in lines 2 and 3" in done.stdout
    assert "Traceback" not in done.stdout and "rule simulate" not in done.stdout


def test_anchors_and_merges_go_on_working(snakemake, tmp_path):
    text = "recipes:\n  slow: &slow {epochs: 7}\n  slower: {<<: *slow, epochs: 8}\n"
    (tmp_path / "merged.yaml").write_text(text)
    done = snakemake("-n", "--cores", 1, "--configfile", tmp_path / "merged.yaml")
    assert done.returncode == 0, done.stdout


def in_the_way(tmp_path, file, **changes):
    """The demo's config, changed, and a table where a rule of the demo writes `file`."""
    path = tmp_path / "results" / "demo" / file
    path.parent.mkdir(parents=True)
    path.write_text(f"id\tsequence\tMeasured Expression\nmine\t{configs.WHOLE}\t1\n")
    config = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config | changes))
    return path, tmp_path / "mine.yaml"


@pytest.mark.parametrize(
    ("file", "rule", "key"),
    [
        ("score/predictions.tsv", "score_predictions", "score.sequences.file"),
        ("logs/metrics.log", "metrics", "score.sequences.file"),
        # A folder is made anew with all that is in it.
        ("data/defined/shards/mine.tsv", "shards", "score.sequences.file"),
        ("figure2.tsv", "figure2", "media.own.train.0.file"),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_an_input_in_the_place_of_an_output_is_refused(
    snakemake, tmp_path, file, rule, key, absolute
):
    named = (tmp_path if absolute else Path()) / "results" / "demo" / file
    table = {"file": str(named), "columns": {"sequence": "sequence"}}
    changes = {"score": {"sequences": table}}
    if key.startswith("media"):
        measured = {"sequence": "sequence", "expression": "Measured Expression"}
        own = {"train": [{**table, "columns": measured}], "test": {"kept": {"held_out": 0.1}}}
        changes = {"media": {"complex": None, "defined": None, "own": own}}
        changes |= {"simulation": None, "motifs": None, "figures": {}}
    path, config = in_the_way(tmp_path, file, **changes)
    before = path.read_bytes()
    done = snakemake("--cores", 1, "--configfile", config)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert f"{named} ({key}): this run reads the file, and its rule {rule} would" in done.stdout
    assert "choose another `outdir`" in done.stdout
    assert path.read_bytes() == before
    # Nothing has been made beside it.
    assert [file for file in (tmp_path / "results").rglob("*") if file.is_file()] == [path]


@pytest.mark.parametrize("link", [False, True])
def test_a_config_that_provenance_would_write_over_is_refused(snakemake, tmp_path, link):
    results = tmp_path / "results" / "demo"
    results.mkdir(parents=True)
    own = tmp_path / "own.yaml" if link else results / "config.yaml"
    shutil.copy(ROOT / "config" / "demo.yaml", own)
    if link:
        (results / "config.yaml").symlink_to(own)
    done = snakemake("--cores", 1, "--configfile", results / "config.yaml")
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert f"{results / 'config.yaml'} (--configfile): this run reads the file" in done.stdout
    assert "its rule provenance would write over it" in done.stdout
    assert own.read_bytes() == (ROOT / "config" / "demo.yaml").read_bytes()
    # Beside it there is room.
    (results / "config.yaml").rename(results / "mine.yaml")
    done = snakemake("-n", "--cores", 1, "--configfile", results / "mine.yaml")
    assert done.returncode == 0, done.stdout


# Entries of the paper's config are taken away, medium, models, a figure and all motifs.
FEW = {
    "media": {"defined": None, "complex": {"test": {"native": {"published": None}}}},
    "models": dict.fromkeys(("danq", "without_transformer", "half_precision")),
    "figures": {"figure4": None},
    "motifs": None,
    "seeds": [1, 2],
}


@pytest.mark.parametrize("name", ["demo", "few"])
def test_the_config_that_a_run_writes_plans_the_same_run(snakemake, tmp_path, name):
    given = ROOT / "config" / "demo.yaml"
    if name == "few":
        given = tmp_path / "few.yaml"
        given.write_text(yaml.safe_dump(FEW))

    def planned(file):
        done = snakemake("-n", "--cores", 2, "--configfile", file)
        assert done.returncode == 0, done.stdout
        jobs = re.sub(r"^    (?:jobid|reason): .*\n", "", done.stdout, flags=re.M)
        return sorted(re.findall(r"^(?:local)?rule \w+:\n(?: .*\n)+", jobs, re.M))

    before = planned(given)
    config = overlay(checked(configs.config(**yaml.safe_load(given.read_text()))))
    results = tmp_path / config["outdir"]
    results.mkdir(parents=True)
    (results / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert len(before) > 50 and planned(results / "config.yaml") == before


def test_a_config_in_the_folder_in_which_all_is_made_is_refused(snakemake, tmp_path):
    (tmp_path / "config.yaml").write_text("outdir: .\n")
    done = snakemake("-n", "--cores", 1, "--configfile", tmp_path / "config.yaml")
    assert done.returncode != 0 and "its rule provenance would write over it" in done.stdout


def test_a_mirror_to_which_downloads_go_is_refused(snakemake, tmp_path):
    (tmp_path / "resources").mkdir()
    for path in Plan(checked(PAPER)).files:
        names = "\tsequence\tseq110\tMeasured Expression\tPredicted Expression\n"
        text = (
            f"{configs.WHOLE}\t1\n"
            if path.endswith(".txt")
            else f"{names}0\t{configs.WHOLE}\t{configs.WHOLE}\t1\t1\n"
        )
        (tmp_path / "resources" / Path(path).name).write_text(text)
    done = snakemake("-n", "--cores", 1, "--config", f"mirror={tmp_path / 'resources'}")
    assert done.returncode != 0 and "(mirror): this run reads the file, and its rule" in done.stdout
    assert "choose another `resources`" in done.stdout


@pytest.mark.parametrize("name", WITH_SCRIPT)
def test_a_rules_script_has_its_name(name):
    script = Path(last(r'script:\s+"(.+?)"', WITH_SCRIPT[name]))
    original = re.match(r"rule (\w+):", WITH_SCRIPT[name])[1]
    assert script.name == f"{original}.py"
    assert (ROOT / "rules" / script).is_file()


@pytest.mark.parametrize("name", WITH_SCRIPT)
def test_a_job_has_the_fingerprint_of_its_script(name, parsed_rules):
    script = ROOT / "rules" / last(r'script:\s+"(.+?)"', WITH_SCRIPT[name])
    assert parsed_rules[name].params.code({}) == fingerprint(script.resolve())


def test_no_file_of_the_package_is_an_input(snakemake):
    done = snakemake("-n", "--cores", 2, "--configfile", ROOT / "config" / "demo.yaml")
    inputs = re.findall(r"^    input: (.*)$", done.stdout, re.M)
    assert len(inputs) > 30 and not [files for files in inputs if str(SCRIPTS) in files]


def test_only_a_rehearsal_has_rules_without_an_environment():
    assert {"rehearse", "rehearsal"} == LOCAL


@pytest.mark.parametrize("name", WITH_JOB)
def test_a_rule_has_an_environment_a_log_and_a_benchmark(name, parsed_rules):
    rule = parsed_rules[name]
    assert (ROOT / "rules" / rule.conda_env.format(environment="analysis")).is_file()
    assert rule.log
    if name in UNMEASURED:
        assert not rule.benchmark
    else:
        # Provenance has the job's name from there.
        assert re.match(rf"results/benchmarks/{name}(/|\.tsv$)", str(rule.benchmark))


@pytest.mark.parametrize(("weights", "used"), [("trained", False), ("released", True)])
def test_provenance_has_the_files_that_are_used(weights, used):
    files = set(parsed(weights=weights)["provenance"].expand_input({})[0])
    assert "resources/complex_media_training_data_Glu.txt" in files
    assert ("resources/crmnet_released.archive" in files) == used


def test_provenance_has_the_environments_of_the_jobs_where_conda_makes_them(tmp_path, monkeypatch):
    (tmp_path / "conda").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def environments(*deployment):
        return parsed(deployment)["provenance"].params.environments({})

    names = ("analysis", "meme", "rgadem", "train-cpu", "train-gpu")
    assert environments(DeploymentMethod.CONDA) == [f"{name}.yaml" for name in names]
    assert environments() == []


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").glob("*/config.yaml")))
def test_a_profile_names_only_rules_that_exist(profile):
    settings = yaml.safe_load(profile.read_text())
    for key in ("set-threads", "set-resources"):
        for entry in settings.get(key, []):
            assert re.split(r"[:=]", str(entry))[0] in RULES


@pytest.mark.parametrize("profile", sorted((ROOT / "profiles").glob("*/config.yaml")))
def test_with_a_profile_a_script_that_is_merely_newer_is_not_run_again(profile):
    triggers = yaml.safe_load(profile.read_text())["rerun-triggers"]
    assert set(triggers) == set(RerunTrigger.choices()) - {"code"}


def test_on_slurm_all_rules_that_ask_for_gpus_have_their_partition():
    settings = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    ask = {name for name, text in WITH_SCRIPT.items() if "accelerators(" in text or " gpu=" in text}
    assert set(settings["set-resources"]) == ask
    assert {entry["slurm_partition"] for entry in settings["set-resources"].values()} == {"gpu"}


def test_the_readme_has_two_commands_for_a_machine_with_python_alone():
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.M)
    demo, tests = commands
    assert "requirements.txt" in demo and "--profile profiles/demo" in demo
    assert "requirements-dev.txt" in tests and "pytest" in tests


def test_every_requirement_is_pinned():
    lines = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    wanted = [line for line in lines.splitlines() if line and line[0] not in "#-"]
    assert wanted and all(re.match(r"[\w-]+==[\w.]+", line) for line in wanted)


def test_the_snakefile_is_an_index():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 80


def test_every_key_of_the_config_is_explained():
    text = (ROOT / "config" / "README.md").read_text()
    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    inside = ("construct", "families", "data", "model", "training", "evaluation", "motifs")
    keys = [*config, *(key for section in inside for key in config[section])]
    keys += [key for model in config["models"].values() for key in model]
    assert not [key for key in keys if f"`{key}`" not in text and f"{key}`" not in text]


@pytest.mark.parametrize("name", WITH_JOB)
def test_a_job_asks_for_more_at_each_attempt_within_the_longest_queue(name, parsed_rules):
    resources = parsed_rules[name].resources

    def needed(key, attempt, size_mb):
        value = resources[key]._evaluator
        return value({}, input=SimpleNamespace(size_mb=size_mb), attempt=attempt)

    # The text of 30.7 million sequences, or the maps of 61,150 and several predictions of them.
    for size_mb in (0, 4000 if name == "shards" else 100):
        memory, minutes = (
            [needed(key, attempt, size_mb) for attempt in (1, 2, 3)]
            for key in ("mem_mb", "runtime")
        )
        assert memory == sorted(memory) and memory[0] < memory[1]
        assert minutes == sorted(minutes) and minutes[-1] <= LONGEST
        assert all(isinstance(value, int) for value in (*memory, *minutes))


def test_inner_values_of_the_command_line_are_no_text(snakemake):
    """Snakemake itself would hand over the number, and `null`, as text."""
    demo = ROOT / "config" / "demo.yaml"
    inner = ("--config", "evaluation={replicates: 10}", "mirror=null")
    done = snakemake("-n", "--cores", 1, "--configfile", demo, *inner)
    assert done.returncode == 0, done.stdout


def test_the_papers_media_beside_ones_own_are_named(snakemake, tmp_path):
    table = {"file": "mine.tsv", "columns": {"sequence": "s", "expression": "e"}}
    own = {"split": "sequences", "train": [table], "test": {"held": {"held_out": 0.1}}}
    (tmp_path / "mine.tsv").write_text(f"s\te\n{configs.WHOLE}\t1\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"media": {"complex": None, "own": own}}))
    said = snakemake("-n", "--cores", 1, "--configfile", tmp_path / "mine.yaml").stdout
    assert "Note: the training files of defined are those of config/config.yaml" in said
    (tmp_path / "more.yaml").write_text(yaml.safe_dump({"media": {"complex": {"label": "x"}}}))
    files = tmp_path / "mine.yaml", tmp_path / "more.yaml"
    done = snakemake("-n", "--cores", 1, "--configfile", *files)
    assert done.returncode == 1 and "media.complex: lacks the key 'train'" in done.stdout
