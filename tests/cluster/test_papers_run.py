"""The paper's run from its config: config/config.yaml itself, on stand-ins of all public files, to
every figure and table.

It first runs through profiles/local. Then the authors' weights and all baselines are asked for, and
the run goes on through profiles/nci_dgx, with Slurm's commands of PBS, or through profiles/local
where there is no Slurm.
"""

import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pypdfium2
import pytest
import stand_ins
import yaml
from configs import CONFIG, PAPER, config
from runs import LOCAL, PROFILES, ROOT, Run
from slurm import missing

from crmnet.configuration import checked
from crmnet.plan import Plan, declared
from crmnet.report import claims

pytestmark = pytest.mark.slow

# All that differs from the paper's config: sizes and epochs of the models, devices, and how alike
# motifs must be.
MODEL = {"width": 8, "kernel_size": 3, "transformer_blocks": 1, "heads": 1}
SMALL = {
    "model": MODEL,
    # A CPU takes twenty times as long in float16, a fifth of the whole run.
    "models": {"half_precision": {"precision": "mixed_bfloat16"}},
    "training": {"epochs": 1, "warmup_epochs": 0, "device": "auto", "devices": 1}
    | {"threads": 1, "mem_mb": 4000},
    # The config's cells, of up to 16,384 sequences on each of eight devices, would take days here.
    "benchmark": {"batch_size": [1024], "precision": ["float32", "mixed_bfloat16"]}
    | {"devices": [1], "steps": 1, "epochs": 2},
    # Among the stand-ins, which are few, a motif differs more from the one that was planted.
    "motifs": {"match": {"cutoffs": {"euclidean": 0.3}}},
}
RELEASED = {"weights": "released", "baselines": "both"}
NCI_DGX = PROFILES[1]
# What neither the weights nor the baselines change runs again, so that each rule runs through each
# profile: what is made anew in the second run, with all that depends on it, and what else is made
# anew after it, without what depends on it.
AGAIN = (
    *("rank", "known", "figure1", "figureS1", "tableS1"),
    "results/benchmark/1024_float32_1.json",
)
ALONE = (
    *("results/data/defined/families.tsv", "results/data/defined/manifest.json"),
    "results/predictions/cnn-published/defined.tsv",
)
# Claims on what no machine without several GPUs or TPUs can show.
OTHER_HARDWARE = {"speed-devices", "memory-devices", *(f"table1-{row}" for row in range(2, 18))}


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """A folder with the stand-ins, and what they were written from."""
    folder = tmp_path_factory.mktemp("mirror")
    plan = Plan(checked(config(**SMALL)))
    made = stand_ins.write(plan, folder)
    stand_ins.write_archives(plan, folder)
    return folder, made


@pytest.fixture(scope="module")
def first(mirror, tmp_path_factory):
    """The folder of the run of the paper's config."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL | {"mirror": str(mirror[0])}))
    status, text = Run(LOCAL, None, folder, "--configfile", folder / "small.yaml").finish()
    assert status == 0, text
    return folder


@pytest.fixture(scope="module")
def cluster(request):
    """The profile of the second run, and its Slurm."""
    if (why := missing()) and os.environ.get("SLURM_TESTS") != "required":
        warnings.warn(f"NO SLURM TO TEST WITH: {why}", stacklevel=2)
        return LOCAL, None
    return NCI_DGX, request.getfixturevalue("slurm")


@pytest.fixture(scope="module")
def second(first, cluster, tmp_path_factory):
    """The folder of the run with the authors' weights and all baselines, which goes on from the
    results of the first.

    Released weights need a model of the paper's size, which takes a CPU too long. So this is the
    workflow of a paper with a small model: a copy, in which config/paper.yaml alone is another."""
    folder = tmp_path_factory.mktemp("second") / "run"
    shutil.copytree(first, folder)
    workflow = folder.parent / "workflow_of_small_model"
    for part in ("config", "envs", "rules", "workflow"):
        shutil.copytree(ROOT / part, workflow / part, ignore=shutil.ignore_patterns("__py*"))
    for file in ("Snakefile", "CITATION.cff"):
        shutil.copy(ROOT / file, workflow)
    paper = yaml.safe_load((workflow / "config" / "paper.yaml").read_text())
    paper["model"] |= MODEL
    (workflow / "config" / "paper.yaml").write_text(yaml.safe_dump(paper, sort_keys=False))
    (folder / "released.yaml").write_text(yaml.safe_dump(RELEASED))
    arguments = (
        "--snakefile",
        workflow / "Snakefile",
        "--retries",
        0,
        "--configfile",
        folder / "small.yaml",
        folder / "released.yaml",
    )
    arguments += ("--jobs", 3) if cluster[1] else ()
    for more in (("--forcerun", *AGAIN), ("--force", *ALONE)):
        status, text = Run(*cluster, folder, *arguments, *more).finish()
        assert status == 0, text
    return folder


@pytest.fixture(scope="module", params=["first", "second"])
def results(request):
    return request.getfixturevalue(request.param) / "results"


def entries():
    """Medium, test set -> its entry in the config."""
    return {
        (medium, name): entry
        for medium, of in PAPER["media"].items()
        for name, entry in of["test"].items()
    }


def table_of(mirror, entry):
    """A stand-in as pandas alone reads it: the columns that the config names."""
    path = mirror / (entry.get("saved_as") or entry["file"].split("/")[-1].split("?")[0])
    if entry.get("header", True):
        table = pd.read_csv(path, index_col=0)
        return table[[*entry["columns"].values()]].set_axis([*entry["columns"]], axis=1)
    return pd.read_csv(path, sep="\t", names=[*entry["columns"]])


def test_the_config_downloads_the_public_files(mirror):
    names = {path.name for path in mirror[0].iterdir()}
    assert len(names) == len({entry["file"] for _, entry in declared(PAPER)}) == 29


def test_every_figure_and_table_is_there(results):
    figures = {path.stem for path in results.glob("*.pdf")}
    assert figures == {
        *("figure1", "figure2", "figureS1", "figure3", "figure4", "figure5", "figureS2"),
        *("figure_sanity", "training_curves", "table1"),
    }
    for name in figures:
        assert len(pd.read_csv(results / f"{name}.tsv", sep="\t"))
        with pypdfium2.PdfDocument(results / f"{name}.pdf") as document:
            page = document[0].render().to_numpy()
        assert (page < 128).mean() > 0.001
    for name in ("metrics.tsv", "tableS1.md", "table1.md", "claims.md", "motifs/all/motifs.tsv"):
        assert (results / name).stat().st_size
    page = (results / "index.html").read_text()
    assert all(f'<a href="{name}.pdf"' in page for name in figures)


def test_every_claim_has_its_number(results):
    table = pd.read_csv(results / "claims.tsv", sep="\t").set_index("id")
    paper = yaml.safe_load((CONFIG / "paper.yaml").read_text())
    assert list(table.index) == [claim["id"] for claim in claims.claims_of(paper)]
    assert set(table.index[table["ours"].isna()]) == OTHER_HARDWARE
    # In the second run, the paper's model is as small as this one.
    assert set(table.drop("parameters")["verdict"]) == {"not compared"}
    assert table.loc["motifs", "ours"] != "none (0 of the paper's 5)"


def test_the_data_are_counted(results, mirror):
    counted = pd.read_csv(results / "tableS1.tsv", sep="\t").set_index(["medium", "set"])
    for (medium, name), entry in entries().items():
        row = counted.loc[medium, name]
        assert row["sequences"] == len(table_of(mirror[0], entry)) > 100
        relatives = stand_ins.RELATIVES if "native" in name else 0
        assert row["rows that are their relatives"] == relatives
    for medium, of in PAPER["media"].items():
        row = counted.loc[medium, "train"]
        rows = len(table_of(mirror[0], of["train"][0]))
        # Some of these are padded with N in the test set, or cut there.
        own, other = stand_ins.LEAKS * len(of["test"]), stand_ins.LEAKS
        assert (row["sequences"], row["in a test set"]) == (rows, own)
        assert row["in another medium's"] == other
        assert row["trained on"] + row["validation"] == rows - own - other
        assert row["rejected"] == row["relatives left out"] == 0


def test_published_predictions_have_the_r_that_pandas_finds(results, mirror):
    metrics = pd.read_csv(results / "metrics.tsv", sep="\t")
    metrics = metrics[metrics["metric"] == "pearson_r"]
    found = metrics[metrics["model"].str.endswith("-published")]
    found = found.set_index(["model", "medium", "test_set"])["value"].to_dict()
    expected = {}
    for (medium, name), entry in entries().items():
        measured = table_of(mirror[0], entry)
        for model, file in entry["published"].items():
            both = measured.merge(table_of(mirror[0], file), on="sequence", validate="1:1")
            assert len(both) == len(measured)
            r = np.corrcoef(both["expression"], both["prediction"])[0, 1]
            expected[f"{model}-published", medium, name] = r
    assert found == pytest.approx(expected) and len(found) == 21


def test_provenance_lists_the_public_files(results, mirror):
    inputs = json.loads((results / "provenance.json").read_text())["inputs"]
    urls = {entry["file"] for key, entry in declared(PAPER)}
    # Only released weights need their archive.
    if results.parent.name == "first0":
        urls -= {entry["file"] for entry in PAPER["released"].values()}
    assert {entry["url"] for entry in inputs} == urls
    for entry in inputs:
        content = (mirror[0] / Path(entry["path"]).name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_results_of_one_profile_are_those_of_another(first):
    run = Run(NCI_DGX, None, first, "-n", "--configfile", first / "small.yaml")
    status, text = run.finish()
    assert status == 0 and "Nothing to be done" in text, text


def test_the_authors_weights_predict_in_their_medium_alone(second):
    columns = {
        medium: list(pd.read_csv(second / f"results/predictions/crmnet/{medium}.tsv", sep="\t"))[3]
        for medium in PAPER["media"]
    }
    assert columns == {"complex": "released", "defined": "1"}


def test_both_kinds_of_baselines_are_judged(second):
    metrics = pd.read_csv(second / "results" / "metrics.tsv", sep="\t")
    trained = [name for name, model in PAPER["models"].items() if "architecture" in model]
    for model in trained:
        sets = metrics[metrics["model"] == model]
        assert set(zip(sets["medium"], sets["test_set"], strict=True)) == set(entries())


def test_every_rule_was_submitted_to_its_queue(second, cluster):
    if cluster[0] is LOCAL:
        pytest.skip(f"NO SLURM TO TEST WITH: {missing()}")
    jobs = json.loads((second / "results" / "provenance.json").read_text())["jobs"]
    rules = {job["rule"] for job in jobs} | {"provenance", "index"}
    submitted = {path.name.split(".")[0] for path in second.glob(NCI_DGX.logs)}
    assert submitted == rules and {"download", "released", "train", "index"} < rules
    columns = ("--noheader", "--parsable2", "--format", "JobName,Partition,State")
    told = cluster[1].ask("sacct", "--allocations", *columns).splitlines()
    queues = {tuple(line.split("|")) for line in told if line.split("|")[0] in rules}
    on_gpu = {"train", "predict", "saliency", "sanity", "training_speed"}
    expected = {name: "gpu" if name in on_gpu else "main" for name in rules} | {"download": "copy"}
    assert queues == {(name, queue, "COMPLETED") for name, queue in expected.items()}
