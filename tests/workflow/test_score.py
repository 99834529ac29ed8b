"""Sequences and variants of one's own through a model that is there, as their user would."""

import gzip
import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, run_snakemake, tiny_config

from crmnet.data.sequences import letters, reverse_complement, tokenise
from crmnet.interpretation.maps import load, masked

JOBS = {"score_input", "score_predictions", "figure_score", "score"}
NUMBER = 8


def jobs(done):
    return set(re.findall(r"^(\w+) +\d+$", done.stdout, re.M)) - {"total"}


def table(folder, name):
    path = folder / "results" / "demo" / "score" / f"{name}.tsv"
    return pd.read_csv(path, sep="\t", dtype={"id": str})


def score(folder, *arguments, **section):
    (folder / "score.yaml").write_text(yaml.safe_dump({**tiny_config(), "score": section}))
    return run_snakemake(
        folder, "score", "--cores", 2, "--configfile", folder / "score.yaml", *arguments
    )


@pytest.fixture(scope="module")
def trained(tiny_run):
    """The results of the tiny run, and its native test sequences without their flanks."""
    results = tiny_run[0] / "results" / "demo"
    maps = load(results / "saliency" / "crmnet" / "complex" / "native.npz")
    return results, maps, [letters(row) for row in maps.tokens[:NUMBER]]


@pytest.fixture(scope="module")
def scored(trained, tmp_path_factory):
    """A folder with nothing but models, in which inserts and variants of them were scored."""
    results, _, inserts = trained
    folder = tmp_path_factory.mktemp("scored")
    models = folder / "results" / "demo" / "models" / "crmnet" / "1"
    models.mkdir(parents=True)
    for medium in ("complex", "defined"):
        shutil.copy(results / "models" / "crmnet" / "1" / f"{medium}.keras", models)
        # Older than what it was made from would be, if that were looked at.
        os.utime(models / f"{medium}.keras", (0, 1e9))
    first = inserts[0]
    snv = first[:9] + "ACGT"["CGTA".index(first[9])] + first[10:]
    records = [*enumerate(inserts), ("snv", snv), ("longer", f"{first[:20]}GG{first[20:]}")]
    records.append(("shorter", first[:30] + first[33:]))
    text = "".join(f">{name} of mine\n{sequence}\n" for name, sequence in records)
    (folder / "mine.fa").write_text(text)
    changes = [
        ("0", 10, first[9], snv[9]),
        ("0", 20, first[19], f"{first[19]}GG"),
        ("0", 30, first[29:33], first[29]),
        ("snv", 10, snv[9], first[9]),
    ]
    changes = pd.DataFrame(changes, columns=["id", "position", "ref", "alt"])
    changes.to_csv(folder / "variants.tsv", sep="\t", index=False)
    section = {"sequences": {"file": "mine.fa"}, "variants": {"file": "variants.tsv"}}
    done = score(folder, **section)
    assert done.returncode == 0, done.stdout
    return folder, section, done


def test_a_model_that_is_there_needs_neither_data_nor_training(scored):
    folder, section, done = scored
    assert jobs(done) == JOBS
    assert "Nothing to be done" in score(folder, "-n", **section).stdout


def test_a_newer_model_scores_anew(scored):
    folder, section, _ = scored
    model = folder / "results" / "demo" / "models" / "crmnet" / "1" / "complex.keras"
    before = model.read_bytes()
    model.write_bytes(model.with_name("defined.keras").read_bytes())
    assert jobs(score(folder, "-n", **section)) == JOBS - {"score_input"}
    model.write_bytes(before)
    os.utime(model, (0, 1e9))


def test_without_a_model_it_is_trained(scored):
    folder, section, _ = scored
    assert {"train", "shards"} < jobs(score(folder, "-n", **section, model="cnn"))


def test_predictions_are_those_of_the_test_set(scored, trained):
    results, _, inserts = trained
    mine = table(scored[0], "predictions")
    assert mine["id"].tolist() == [*map(str, range(NUMBER)), "snv", "longer", "shorter"]
    assert mine["sequence"][:NUMBER].tolist() == inserts
    for medium in ("complex", "defined"):
        whole = pd.read_csv(results / "predictions" / "crmnet" / f"{medium}.tsv", sep="\t")
        for insert, predicted in zip(inserts, mine[f"predicted_{medium}"], strict=False):
            # Sequences of the test set that are the same have the same prediction.
            theirs = whole[whole["sequence"].str.contains(insert)]["1"]
            assert len(theirs) and predicted == pytest.approx(theirs.iloc[0], abs=1e-4)
    difference = mine["predicted_complex"] - mine["predicted_defined"]
    assert mine["difference"].to_numpy() == pytest.approx(difference.to_numpy(), abs=1e-4)


def test_a_variants_prediction_is_that_of_the_changed_sequence(scored):
    predictions = table(scored[0], "predictions").set_index("id")
    variants = table(scored[0], "variants")
    for medium in ("complex", "defined"):
        predicted = predictions[f"predicted_{medium}"]
        before, after = variants[f"reference_{medium}"], variants[f"alternative_{medium}"]
        assert before.to_numpy() == pytest.approx(predicted[variants["id"]].to_numpy(), abs=1e-4)
        changed = predicted[["snv", "longer", "shorter", "0"]].to_numpy()
        assert after.to_numpy() == pytest.approx(changed, abs=1e-4)
        effect = variants[f"effect_{medium}"].to_numpy()
        assert effect == pytest.approx((after - before).to_numpy(), abs=1e-4)
        assert effect[3] == pytest.approx(-effect[0], abs=1e-4) and abs(effect[0]) > 1e-3


def test_saliency_maps_are_those_of_the_test_set(scored, trained):
    _, maps, inserts = trained
    rows = table(scored[0], "saliency")
    for number, insert in enumerate(inserts):
        mine = rows[rows["id"] == str(number)]
        assert "".join(mine["base"]) == insert
        assert mine["position"].tolist() == list(range(1, len(insert) + 1))
        theirs = masked(maps.gradient[number], maps.tokens[number])[: len(insert)]
        np.testing.assert_allclose(mine["saliency_complex"], theirs, rtol=1e-3, atol=1e-4)
    saved = np.load(scored[0] / "results" / "demo" / "score" / "saliency.npz")
    assert saved["id"].tolist() == table(scored[0], "predictions")["id"].tolist()
    both = masked(saved["gradient_defined"], saved["tokens"])[saved["tokens"] < 4]
    np.testing.assert_allclose(both, rows["saliency_defined"], rtol=1e-4, atol=1e-6)


def test_the_figure_has_its_numbers(scored):
    folder = scored[0] / "results" / "demo" / "score"
    assert (folder / "figure_score.pdf").read_bytes().startswith(b"%PDF")
    numbers = table(scored[0], "figure_score")
    counted = numbers[numbers["measure"] == "number_effect"]
    assert counted.groupby("medium")["value"].sum().to_dict() == {"complex": 4, "defined": 4}
    drawn = numbers[numbers["measure"] == "effect"]
    assert set(drawn["id"]) == {"0", "snv"}


def test_every_snv_of_whole_constructs_in_one_medium(scored, trained):
    folder = scored[0]
    construct = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["construct"]
    left, right = construct["left_flank"], construct["right_flank"]
    inserts = trained[2][:2]
    text = "name;dna\n" + "".join(f"s{n};{left}{i}{right}\n" for n, i in enumerate(inserts))
    (folder / "whole.csv.gz").write_bytes(gzip.compress(text.encode()))
    before = table(folder, "predictions")["predicted_complex"][:2]
    columns = {"id": "name", "sequence": "dna"}
    done = score(
        folder,
        medium="complex",
        sequences={"file": "whole.csv.gz", "columns": columns, "flanks": "present"},
        variants="all",
        saliency=False,
    )
    assert done.returncode == 0, done.stdout
    assert jobs(done) == JOBS
    predictions = table(folder, "predictions")
    assert list(predictions) == ["id", "sequence", "predicted_complex"]
    assert predictions["predicted_complex"].to_numpy() == pytest.approx(before, abs=1e-4)
    variants = table(folder, "variants")
    assert len(variants) == 3 * sum(map(len, inserts))
    assert variants["position"].min() == len(left) + 1
    assert variants["effect_complex"].abs().max() > 1e-3
    assert not list((folder / "results" / "demo" / "score").glob("saliency.*"))


def test_regions_and_variants_of_a_genome_and_bad_rows_dropped(scored, trained):
    folder, section, _ = scored
    assert score(folder, **section).returncode == 0
    before = table(folder, "predictions").set_index("id")
    effects = table(folder, "variants")
    one, other = trained[2][:2]
    opposite = letters(reverse_complement(tokenise(other)))
    (folder / "genome.fa").write_text(f">I of mine\n{'ACGT' * 5}{one}{opposite.lower()}\n")
    ends = 20, 20 + len(one), 20 + len(one) + len(other)
    regions = [f"I {ends[0]} {ends[1]} 0 . +", f"I {ends[1]} {ends[2]} . . -", "I 9 8 bad"]
    (folder / "mine.bed").write_text("\n".join(regions) + "\n")
    changed = effects.iloc[0]
    calls = [
        ("I", 30, "rs1", changed["ref"], changed["alt"]),
        ("I", 5, "rs2", "A", "C"),
        ("I", 30, "rs3", "ACGT".replace(changed["ref"], "")[0], "N"),
        ("I", ends[1] + 1, ".", opposite[0], f"{opposite[0]}G"),
    ]
    calls = "".join("\t".join(map(str, call)) + "\n" for call in calls)
    (folder / "calls.vcf.gz").write_bytes(gzip.compress(f"##fileformat=VCFv4.3\n{calls}".encode()))
    done = score(
        folder,
        on_bad_rows="drop",
        sequences={"regions": "mine.bed", "reference": "genome.fa"},
        variants={"file": "calls.vcf.gz"},
    )
    assert done.returncode == 0, done.stdout
    for text in ("1 sequence(s) cannot be scored and are left out", "1 variant(s) cannot be"):
        assert f"score_input: {text}" in done.stdout
    assert "1 variant(s) do not lie in a region: see results/demo/score/refused.tsv" in done.stdout
    predictions, variants = table(folder, "predictions"), table(folder, "variants")
    assert predictions["id"].tolist() == ["0", f"I:{ends[1]}-{ends[2]}"]
    assert predictions["sequence"].tolist() == [one, other]
    for medium in ("complex", "defined"):
        wanted = before[f"predicted_{medium}"][["0", "1"]].to_numpy()
        assert predictions[f"predicted_{medium}"].to_numpy() == pytest.approx(wanted, abs=1e-4)
        effect = variants[f"effect_{medium}"]
        assert effect[0] == pytest.approx(changed[f"effect_{medium}"], abs=1e-4)
    assert variants["name"].tolist()[0] == "rs1" and pd.isna(variants["name"][1])
    assert variants["genome"][1] == f"I:{ends[1] + 1}:{opposite[0]}:{opposite[0]}G"
    assert variants["position"].tolist() == [10, len(other) - 1]
    assert [variants["ref"][1], variants["alt"][1]] == [other[-2], f"{other[-2]}C"]
    refused = table(folder, "refused")
    assert refused["kind"].tolist() == ["sequence", "outside", "variant"]
    assert refused["place"].tolist() == ["line 3", "line 3", "line 4"]


def test_a_bad_variant_stops_before_the_model_is_read(scored):
    folder = scored[0]
    (folder / "bad.csv").write_text("id,position,ref,alt\n0,1,N,A\n")
    done = score(folder, sequences={"file": "mine.fa"}, variants={"file": "bad.csv"})
    assert done.returncode != 0
    assert "TableError: bad.csv: 1 bad row(s):\n  line 2 ('0'): ref is N, but" in done.stdout
    assert "rule score_predictions" not in done.stdout and "Traceback" not in done.stdout
