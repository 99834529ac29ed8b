"""The whole workflow on a tiny simulation, run as its user would."""

import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, run_snakemake, tiny_config
from rocrate.rocrate import ROCrate

from crmnet.configuration import checked
from crmnet.report.provenance import plain

FIGURES = ["figure1", "figure2", "figureS1", "figure3", "figure4", "training_curves"]
MOTIF_FIGURES = ["figure5", "figureS2", "figure_sanity", "figure_truth"]


@pytest.fixture(scope="module")
def results(tiny_run):
    return tiny_run[0] / "results" / "demo"


def again(tiny_run, *arguments):
    folder, _ = tiny_run
    return run_snakemake(folder, "--cores", 2, "--configfile", folder / "tiny.yaml", *arguments)


@pytest.mark.parametrize("figure", [*FIGURES, *MOTIF_FIGURES])
def test_every_figure_is_there_with_its_numbers(results, figure):
    assert (results / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    assert len(pd.read_csv(results / f"{figure}.tsv", sep="\t"))


def test_every_model_has_metrics_on_every_test_set(results):
    table = pd.read_csv(results / "metrics.tsv", sep="\t")
    keys = set(map(tuple, table[["model", "medium", "test_set", "metric"]].to_numpy()))
    sets = {
        ("complex", "native"),
        ("complex", "random"),
        ("defined", "native"),
        ("defined", "random"),
    }
    measures = {"pearson_r", "squared_r", "r2", "spearman_rho", "rmse"}
    models = {"crmnet", "without_pretraining_equal_steps", "cnn", "danq-published"}
    models.add("crmnet-ensemble")
    assert keys == {(model, *s, m) for model in models for s in sets for m in measures}
    assert (table["low"] <= table["high"]).all()
    assert set(table.loc[table["test_set"] == "random", "n"]) == {100}


def test_no_test_sequence_is_trained_on(results):
    for medium in ("complex", "defined"):
        manifest = json.loads((results / "data" / medium / "manifest.json").read_text())
        assert manifest["rows"] == 1507
        assert manifest["leaked"]["rows"] == 7
        kept = manifest["train"] + manifest["validation"] + manifest["elsewhere"]
        assert kept == 1500


def test_predictions_are_of_the_measured_sequences_in_their_order(results):
    predicted = pd.read_csv(results / "predictions" / "crmnet" / "defined.tsv", sep="\t")
    # Another seed, another model.
    assert (predicted["1"] - predicted["2"]).std() > 0
    for name in ("native", "random"):
        measured = pd.read_csv(results / "simulated" / "defined" / f"{name}.csv")
        mine = predicted[predicted["test_set"] == name]
        assert list(mine["sequence"]) == list(measured["sequence"])
        assert mine["measured"].to_numpy() == pytest.approx(measured["Measured Expression"])


def test_published_predictions_are_judged_like_our_own(results):
    table = pd.read_csv(results / "metrics.tsv", sep="\t")
    r = table[(table["model"] == "danq-published") & (table["metric"] == "pearson_r")]
    assert len(r) == 4 and r["value"].to_numpy() == pytest.approx(1)
    drawn = pd.read_csv(results / "figure3.tsv", sep="\t")
    shown = ["crmnet", "crmnet-ensemble", "cnn", "danq-published"]
    assert list(drawn["model"].unique()) == shown
    against = drawn[(drawn["model"] == "danq-published") & (drawn["metric"] == "pearson_r")]
    assert (against["difference"] < 0).all() and against["undecided"].isna().all()


def test_metrics_are_means_of_the_trainings(results):
    table = pd.read_csv(results / "metrics.tsv", sep="\t")
    by_seed = pd.read_csv(results / "metrics_by_seed.tsv", sep="\t")
    key = ["model", "medium", "test_set", "metric"]
    mean = by_seed.groupby(key)["value"].mean()
    assert table.set_index(key)["value"].to_dict() == pytest.approx(mean.to_dict())
    assert set(table.loc[table["model"] == "crmnet", "seeds"]) == {2}
    assert set(table.loc[table["test_set"] == "native", "families"]) == {5}
    # Of the figure's models, one was trained twice, and the other once.
    drawn = pd.read_csv(results / "figure4.tsv", sep="\t")
    against = drawn[drawn["model"] == "without_pretraining_equal_steps"]
    assert set(against.loc[against["seed"] == "all", "undecided"]) == {
        "one of them was trained once"
    }


def test_a_model_without_pre_training_makes_as_many_steps(results):
    def steps(model, stage, media):
        manifests = [
            json.loads((results / "data" / medium / "manifest.json").read_text())
            for medium in media
        ]
        rows = sum(m["train"] + m["elsewhere"] * (len(media) == 1) for m in manifests)
        history = pd.read_csv(results / "models" / model / "1" / f"{stage}.history.tsv", sep="\t")
        return history["epochs"].iloc[0] * (rows // 64)

    of_both = steps("crmnet", "pretrained", ["complex", "defined"])
    of_both += steps("crmnet", "complex", ["complex"])
    alone = steps("without_pretraining_equal_steps", "complex", ["complex"])
    assert alone == pytest.approx(of_both, rel=0.1)


def test_simulated_data_reproduces_no_claim(results):
    claims = pd.read_csv(results / "claims.tsv", sep="\t")
    trained = claims[claims["id"].str.startswith("crmnet-r-")]
    assert len(trained) == 4 and trained["ours"].notna().all()
    assert set(claims["verdict"]) == {"not compared"}
    assert trained["why"].str.contains("simulated data").all()
    assert "This run uses simulated data" in (results / "claims.md").read_text()


def test_checkpoints_are_gone_after_success(results):
    assert not list((results / "checkpoints").rglob("*.npz"))


def jobs_of(said):
    """Rule -> how many jobs a run or a plan has of it, but for those that only gather."""
    table = re.search(r"^Job stats:\n.*?\n-.*?\n(.*?)^total ", said, re.M | re.S)[1]
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
    return {rule: count for rule, count in jobs.items() if rule not in ("all", "index")}


def listed(results):
    """The same, as provenance lists them."""
    run = json.loads((results / "provenance.json").read_text())
    return pd.DataFrame(run["jobs"]).groupby("rule").size().to_dict()


def test_provenance_lists_the_jobs_that_ran(tiny_run, results):
    ran = jobs_of(tiny_run[1])
    assert ran.pop("provenance") == 1
    assert listed(results) == ran
    run = json.loads((results / "provenance.json").read_text())
    assert all(job["seconds"] > 0 for job in run["jobs"])
    trained = [job for job in run["jobs"] if job["rule"] == "train"]
    assert all(job["peak_mb"] > 100 and job["cpu_seconds"] > 0 for job in trained)
    jobs = {job["job"] for job in trained}
    assert {"crmnet/1/pretrained", "crmnet/2/complex", "cnn/1/complex"} < jobs
    assert run["total"]["seconds"] == pytest.approx(sum(job["seconds"] for job in run["jobs"]))


def test_provenance_has_the_hashes_of_all_inputs(tiny_run, results):
    run = json.loads((results / "provenance.json").read_text())
    names = ("train.tsv.gz", "native.csv", "random.csv")
    media = ("complex", "defined")
    used = {f"results/demo/simulated/{medium}/{name}" for medium in media for name in names}
    assert {entry["path"] for entry in run["inputs"]} == used
    for entry in run["inputs"]:
        data = (tiny_run[0] / entry["path"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest() and entry["bytes"] == len(data)
        assert entry["url"] is None


def test_provenance_has_the_whole_config_and_what_found_the_motifs(results):
    run = json.loads((results / "provenance.json").read_text())
    assert run["config"]["evaluation"] == {"replicates": 50} and run["seed"] == 1
    motifs = pd.read_csv(results / "motifs" / "all" / "motifs.tsv", sep="\t")
    assert run["software"]["snakemake"] == run["software"]["packages"]["snakemake"]
    engines = run["software"]["engines"]
    assert set(engines) <= {"discover", "drimust", "gadem", "match", "scan"}
    assert set(motifs["engine"]) <= set(engines.values())


def test_the_config_that_a_run_writes_makes_the_same_run(tiny_run, results, tmp_path):
    """Where it lies, and as a copy elsewhere: there is nothing to do."""
    written = (results / "config.yaml").read_text()
    recorded = json.loads((results / "provenance.json").read_text())["config"]
    assert plain(checked(yaml.safe_load(written))) == recorded
    (tmp_path / "copy.yaml").write_text(written)
    for file in (results / "config.yaml", tmp_path / "copy.yaml"):
        for more in ((), ("--replace-workflow-config",)):
            done = run_snakemake(tiny_run[0], "-n", "--cores", 2, "--configfile", file, *more)
            assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_whole_workflow_runs_on_jax(tmp_path):
    pytest.importorskip("jax")
    config = tiny_config()
    config["training"]["backend"] = "jax"
    config["models"]["crmnet"] = {"seeds": [1]}
    (tmp_path / "jax.yaml").write_text(yaml.safe_dump(config))
    done = run_snakemake(tmp_path, "--cores", 2, "--configfile", tmp_path / "jax.yaml")
    assert done.returncode == 0, done.stdout
    made = tmp_path / "results" / "demo"
    for figure in (*FIGURES, *MOTIF_FIGURES, "table1"):
        assert (made / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    logs = list((made / "logs" / "train").rglob("*.log"))
    assert logs and all("with jax in float32" in log.read_text() for log in logs)


@pytest.mark.slow
def test_a_run_from_the_config_that_it_wrote_writes_it_again(tiny_run, results):
    file = results / "config.yaml"
    written = yaml.safe_load(file.read_text())
    arguments = ("--cores", 2, "--configfile", file)
    done = run_snakemake(tiny_run[0], *arguments, "--forcerun", "provenance")
    assert done.returncode == 0, done.stdout
    assert yaml.safe_load(file.read_text()) == written
    # Another config is not written over it.
    done = run_snakemake(tiny_run[0], "-n", *arguments, "--config", "seed=2")
    assert done.returncode != 0 and "its rule provenance would write over it" in done.stdout


def test_the_crate_names_every_figure_and_table(results):
    crate = ROCrate(results)
    made = {entity.id for entity in crate.root_dataset["mentions"]["result"]}
    drawn = {path.name for path in results.glob("*.pdf")}
    assert drawn and drawn | {"metrics.tsv", "claims.md", "figure2.tsv"} < made
    assert all((results / name).is_file() for name in made)


def test_jobs_of_a_model_that_is_no_longer_in_the_config_are_not_listed(tiny_run, results):
    before = listed(results)
    stale = results / "benchmarks" / "train" / "removed" / "complex.tsv"
    stale.parent.mkdir()
    stale.write_text((results / "benchmarks" / "metrics.tsv").read_text())
    done = again(tiny_run, "--forcerun", "provenance")
    stale.unlink()
    assert jobs_of(done.stdout) == {"provenance": 1}
    assert listed(results) == before


def test_a_change_of_the_config_that_changes_no_job_remakes_provenance_alone(tiny_run, tmp_path):
    done = again(tiny_run, "-n", "--config", f"mirror={tmp_path}")
    assert jobs_of(done.stdout) == {"provenance": 1}


def test_nothing_is_made_twice(tiny_run):
    assert "Nothing to be done" in again(tiny_run, "-n").stdout


@pytest.fixture
def edited(tiny_run, tmp_path):
    """Plans the tiny run again after an edit of a file of the workflow: rule -> jobs."""
    for folder in ("config", "envs", "rules", "workflow"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__py*"))
    shutil.copy(ROOT / "Snakefile", tmp_path)

    def plan(name, edit):
        (path,) = (tmp_path / "workflow" / "scripts").rglob(name)
        before = path.read_text()
        after = edit(before)
        assert after != before
        path.write_text(after)
        # As the profiles have it, but that some files of the workflow lie elsewhere here.
        triggers = ("--rerun-triggers", "params")
        config = ("--configfile", tiny_run[0] / "tiny.yaml")
        done = run_snakemake(
            tiny_run[0], "-n", "--cores", 2, *config, *triggers, snakefile=tmp_path / "Snakefile"
        )
        assert done.returncode == 0, done.stdout
        return {} if "Nothing to be done" in done.stdout else jobs_of(done.stdout)

    plan.root = tmp_path
    return plan


def test_a_reworded_docstring_comment_or_message_runs_nothing_again(edited):
    def reword(text):
        text, messages = re.subn(r'\b(say\(\s*f?)"', r'\1"so: ', text)
        assert messages
        return text.replace('"""', '"""In other words: ', 1).replace("\n# ", "\n# That is, ")

    assert edited("loop.py", reword) == {}
    assert edited("train.py", lambda text: text.replace('"""Trains', '"""Fits') + "# End.\n") == {}
    assert edited("logs.py", lambda text: text + "\nUNUSED = 1\n") == {}


def test_another_loss_trains_again_but_keeps_the_data(edited):
    jobs = edited("loop.py", lambda text: text.replace("losses.Huber()", "losses.Huber(2.0)"))
    assert {"train", "predict", "metrics", "figure2", "training_speed"} <= set(jobs)
    assert not {"simulate", "split", "shards", "families", "rank", "drimust"} & set(jobs)


def test_another_style_draws_again_and_trains_nothing(edited):
    jobs = edited("style.py", lambda text: text + "\nUNUSED = 1\n")
    assert {"figure2", "figure3"} <= set(jobs)
    assert not {"train", "predict", "metrics", "saliency", "match"} & set(jobs)


def test_a_new_architecture_trains_nothing_and_an_edited_one_its_own_models(edited):
    def new(text):
        Path(edited.root, "workflow/scripts/crmnet/models/architectures/mlp.py").write_text(text)
        return text + "# mlp is new.\n"

    assert edited("cnn.py", new) == {}
    jobs = edited("cnn.py", lambda text: text + "\nUNUSED = 1\n")
    # In both media, from one seed.
    assert jobs["train"] == jobs["predict"] == 2
    assert "saliency" not in jobs and "shards" not in jobs


@pytest.mark.slow
def test_another_program_runs_its_job_again(edited):
    jobs = edited("gadem.R", lambda text: text + "invisible(0)\n")
    assert "gadem" in jobs and not {"train", "discover", "drimust"} & set(jobs)


def test_another_learning_rate_trains_again_but_keeps_the_data(tiny_run, tmp_path):
    changed = tiny_config()
    changed["training"]["stages"]["finetune"]["peak_rate"] = 0.002
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(changed))
    folder, _ = tiny_run
    arguments = ("--cores", 2, "--configfile", tmp_path / "changed.yaml", "-n")
    done = run_snakemake(folder, *arguments).stdout
    assert "rule train" in done and "stage=complex" in done
    assert "stage=pretrained" not in done and "rule shards" not in done


def test_a_bad_row_stops_the_run_with_its_line(tiny_run, tmp_path):
    folder, _ = tiny_run
    source = folder / "results" / "demo" / "simulated" / "complex" / "random.csv"
    lines = source.read_text().splitlines()
    lines[3] = lines[3].replace("TGCA", "TGRA", 1)
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join(lines) + "\n")
    config = tiny_config()
    config["outdir"] = "other"
    config["media"]["complex"]["test"]["random"]["file"] = str(bad)
    # The simulated files of the run that is there already.
    for medium in config["media"].values():
        for table in [*medium["train"], *filter(None, medium["test"].values())]:
            if table["file"].startswith("results/demo"):
                table["file"] = str(folder / table["file"])
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(config))
    done = run_snakemake(
        folder,
        "other/data/complex/manifest.json",
        "--cores",
        2,
        "--configfile",
        tmp_path / "bad.yaml",
    )
    assert done.returncode != 0
    assert f"{bad}: 1 bad row(s), the first in line 4" in done.stdout
    assert "letter 'R'" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_page_shows_every_figure(results):
    page = (results / "index.html").read_text()
    links = re.findall(r'<a href="([^"#]+)"', page)
    assert {f"{figure}.pdf" for figure in (*FIGURES, *MOTIF_FIGURES, "table1")} <= set(links)
    pictures = re.findall(r'<img src="data:image/webp;base64,[^"]+" width="\d+"', page)
    assert len(pictures) == len(FIGURES) + len(MOTIF_FIGURES)
    local = [link for link in links if not link.startswith("https://doi.org/")]
    assert all((results / link).is_file() for link in local)
    tables = [path for path in results.rglob("*.tsv") if not {"benchmarks"} & set(path.parts)]
    assert {str(path.relative_to(results)) for path in tables} <= set(links)
    assert "Simulated data, a model of width 8" in page and len(page) < 10_000_000


@pytest.mark.parametrize("ending", ["html", "zip"])
def test_snakemake_reports_without_a_network(tiny_run, tmp_path, monkeypatch, ending):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    report = tmp_path / f"report.{ending}"
    done = again(tiny_run, "--report", report)
    assert done.returncode == 0, done.stdout
    if ending == "zip":
        with zipfile.ZipFile(report) as files:
            text = files.read("report/report.html").decode()
    else:
        text = report.read_text()
    categories = json.loads(re.search(r"var categories = (\{.*?\});", text)[1])
    shown = [Path(path).name for of in categories.values() for one in of.values() for path in one]
    figures = [f"{name}.{as_}" for name in (*FIGURES, *MOTIF_FIGURES) for as_ in ("pdf", "tsv")]
    assert {*figures, "metrics.tsv", "motifs.tsv", "claims.md", "provenance.json"} <= set(shown)
    assert sorted(categories)[0] == "1. Model" and sorted(categories)[-1] == "7. Provenance"
    assert "Simulated data; model of width 8" in text.replace(r"\n", " ")
