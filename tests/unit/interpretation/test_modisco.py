"""Motifs of saliency maps: planted ones (if the package is installed), and the figure."""

import functools
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.sequences import N, reverse_complement, tokenise
from crmnet.interpretation.maps import Maps, save
from crmnet.motifs.motif import Motif, MotifError, read_meme, write_meme

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
RAISES, LOWERS = "TTACCCGGA", "GCACGTGT"
COLUMNS = ["motif", "method", "engine", "width", "sites", "ln_e_value", "e_value", "consensus"]
COLUMNS += ["sign", "contribution", "saliency"]


def planted_maps(number=400, seed=1):
    """Maps with noise and, in each half of the inserts, one of two sites on either strand."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 4, (number, 80), np.uint8)
    gradient = rng.normal(0, 0.05, (number, 80, 4)).astype(np.float32)
    for letters, effect in ((RAISES, 1.0), (LOWERS, -0.8)):
        for row in np.flatnonzero(rng.random(number) < 0.5):
            site = tokenise(letters)
            site = site if rng.random() < 0.5 else reverse_complement(site)
            at = rng.integers(0, 81 - len(site)) + np.arange(len(site))
            tokens[row, at] = site
            gradient[row, at] = 0
            gradient[row, at, site] = effect
    tokens[:20, 70:], gradient[:20, 70:] = N, 0
    zeros = np.zeros(number, np.float32)
    return Maps(np.arange(number), tokens, gradient, zeros, zeros, np.zeros(number, int))


def job_of(folder, maps, **params):
    save(folder / "maps.npz", maps)
    # All but a few of the maps, in another order.
    rows = np.arange(10, len(maps))[::-1]
    ranked = pd.DataFrame({"sequence": [f"s{row}" for row in rows], "row": rows})
    ranked.to_csv(folder / "ranked.tsv", sep="\t", index=False)
    return SimpleNamespace(
        input=SimpleNamespace(saliency=folder / "maps.npz", table=folder / "ranked.tsv"),
        output=SimpleNamespace(motifs=folder / "modisco.meme", table=folder / "modisco.tsv"),
        params=SimpleNamespace(**{"motifs": 10, "seqlets": 2000, "seed": 1} | params),
        threads=1,
        log=[folder / "log"],
    )


def run(job, script="modisco.py"):
    runpy.run_path(str(SCRIPTS / script), init_globals={"snakemake": job})


@pytest.fixture
def package(monkeypatch):
    """The package with one clustering, which is faster."""
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    pytest.importorskip("modiscolite")
    from modiscolite import tfmodisco

    def quick(*arguments, n_leiden_runs, **options):
        return found(*arguments, n_leiden_runs=1, **options)

    found = tfmodisco.TFMoDISco
    monkeypatch.setattr(tfmodisco, "TFMoDISco", functools.wraps(found)(quick))


def test_planted_sites_are_found(tmp_path, package):
    job = job_of(tmp_path, planted_maps())
    run(job)
    table = pd.read_csv(job.output.table, sep="\t")
    motifs = read_meme(job.output.motifs)
    assert list(table.columns) == COLUMNS
    assert set(table["method"]) == {"modisco"}
    assert table["engine"].str.startswith("modisco-lite ").all()
    assert table[["ln_e_value", "e_value"]].isna().all(axis=None)
    assert [motif.name for motif in motifs] == table["motif"].tolist()
    assert table["motif"].tolist() == [f"modisco_{i + 1}" for i in range(len(table))]
    assert (table["sites"].diff()[1:] <= 0).all()
    for letters, sign, effect in ((RAISES, "positive", 1.0), (LOWERS, "negative", -0.8)):
        best = table[table["sign"] == sign].iloc[0]
        motif = motifs[best.name]
        assert letters in (motif.consensus(), motif.reverse_complement().consensus())
        assert (motif.width, motif.sites) == (best["width"], best["sites"])
        assert best["sites"] > 100
        # The gradient of the letter that is there, and what it adds over the mean of all four.
        assert best["saliency"] == pytest.approx(effect, rel=0.05)
        assert best["contribution"] == pytest.approx(0.75 * effect, rel=0.05)
    # The same again, if there is room for one only.
    lines, first = job.output.table.read_text().splitlines(), motifs[0]
    run(job_of(tmp_path, planted_maps(), motifs=1))
    assert job.output.table.read_text().splitlines() == lines[:2]
    (motif,) = read_meme(job.output.motifs)
    assert (motif.counts == first.counts).all()


def test_too_few_seqlets_make_no_motif(tmp_path, package):
    job = job_of(tmp_path, planted_maps(60))
    run(job)
    assert read_meme(job.output.motifs) == []
    table = pd.read_csv(job.output.table, sep="\t")
    assert list(table.columns) == COLUMNS
    assert table.empty


def test_maps_without_a_gradient_are_refused(tmp_path, package):
    maps = planted_maps(20)
    maps.gradient[:] = 0
    with pytest.raises(MotifError, match=r"maps.npz: all saliency maps are 0; check that"):
        run(job_of(tmp_path, maps))


def test_without_the_package_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    monkeypatch.setitem(sys.modules, "modiscolite", None)
    with pytest.raises(ImportError, match="need the package modisco-lite.*pip install modisco-li"):
        run(job_of(tmp_path, planted_maps(20)))


@pytest.fixture
def figure(tmp_path):
    """Draws the figure of motifs with the rows of their best matches."""

    def draw(signs, matches):
        motifs = [
            Motif(f"modisco_{number + 1}", 30 * np.eye(4)[tokenise(RAISES[: 9 - number % 3])] + 1)
            for number in range(len(signs))
        ]
        write_meme(tmp_path / "m.meme", motifs, np.full(4, 0.25))
        table = pd.DataFrame(columns=COLUMNS)
        for key, values in (("motif", [m.name for m in motifs]), ("sign", signs)):
            table[key] = values
        table.assign(sites=1234).to_csv(tmp_path / "m.tsv", sep="\t", index=False)
        columns = ["motif", "by", "target", "target_name", "e_value", "tie", "known"]
        matches = pd.DataFrame(matches, columns=columns)
        matches.to_csv(tmp_path / "matches.tsv", sep="\t", index=False)
        job = SimpleNamespace(
            input=SimpleNamespace(
                motifs=tmp_path / "m.meme",
                table=tmp_path / "m.tsv",
                matches=tmp_path / "matches.tsv",
            ),
            output=SimpleNamespace(pdf=tmp_path / "f.pdf", tsv=tmp_path / "f.tsv"),
            params=SimpleNamespace(measure="tomtom", cutoff=0.1, expression="expression"),
            log=[tmp_path / "log"],
        )
        run(job, "figure_modisco.py")
        assert job.output.pdf.read_bytes().startswith(b"%PDF")
        return pd.read_csv(job.output.tsv, sep="\t")

    return draw


def test_the_figure_with_ties_and_without_a_match(figure, tmp_path):
    pytest.importorskip("logomaker")
    signs = 6 * ["positive"] + 4 * ["negative"]
    best = ("modisco_1", "tomtom", "MA0363.2", "REB1", 1e-5, True, "built in")
    matches = [best, *((*best[:2], f"MA{i}.1", f"T{i}", *best[4:]) for i in "123456")]
    matches += [("modisco_1", "kl", "MA0359.2", "RAP1", 1, False, "built in")]
    matches += [("modisco_2", "tomtom", "MA0281.2", "CBF1", 1e-7, False, "built in")]
    table = figure(signs, matches).set_index("motif")
    assert len(table) == 10
    assert table["target_name"].dropna().to_dict() == {"modisco_1": "REB1", "modisco_2": "CBF1"}
    assert table.loc["modisco_1", "ties"] == "REB1, T1, T2, T3, T4, T5, T6"
    once = (tmp_path / "f.pdf").read_bytes()
    figure(signs, matches)
    assert (tmp_path / "f.pdf").read_bytes() == once


def test_the_figure_without_a_motif(figure):
    pytest.importorskip("logomaker")
    assert figure([], []).empty
