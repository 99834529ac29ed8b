"""In-silico insertion with models whose effects are known; the scripts and their errors."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crmnet.data.sequences import Construct, N, letters, reverse_complement, tokenise
from crmnet.interpretation.insertion import (
    BOTH,
    COLUMNS,
    in_construct,
    insertion_effects,
    random_inserts,
    sites,
)
from crmnet.motifs.motif import Motif, MotifError, write_meme
from crmnet.report.motif_figures import insertion

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
CONSTRUCT = Construct("TTGCA", "GGA", 20, 32)
SITE = "TTACCCGG"


def motif_of(site, name="MA1", alt="REB1"):
    """A motif with this most likely site."""
    return Motif(name, 20 * (0.7 * np.eye(4)[tokenise(site)] + 0.075), alt=alt)


def weights_of(seed):
    """The contribution to the expression of each letter at each position of the model's input."""
    return np.random.default_rng(seed).normal(0, 1, (CONSTRUCT.length, 5))


def linear(weights):
    return lambda tokens: weights[np.arange(tokens.shape[1]), tokens].sum(axis=1)


def best_site(site):
    """A model that counts the letters of a site at its best position on either strand."""

    def predict(tokens):
        windows = np.lib.stride_tricks.sliding_window_view(tokens, len(site), axis=1)
        strands = tokenise(site), reverse_complement(tokenise(site))
        return np.max([(windows == one).sum(axis=2).max(axis=1) for one in strands], axis=0)

    return predict


def effects(motifs, predict, **options):
    settings = {"inserts": 40, "positions": 4, "seed": 1, "replicates": 200} | options
    return insertion_effects(motifs, predict, CONSTRUCT, **settings)


@pytest.mark.parametrize("positions", [1, 4])
def test_a_linear_model_has_the_difference_of_its_weights(positions):
    weights = weights_of(3)
    table = effects([motif_of(SITE)], linear(weights), positions=positions)
    inserts = random_inserts(40, CONSTRUCT, 1)
    rows = table[table["strand"] != BOTH]
    assert rows["position"].tolist() == ([7, 7] if positions == 1 else [1, 1, 5, 5, 9, 9, 13, 13])
    assert rows["strand"].tolist() == ["+", "-"] * positions
    for row in rows.itertuples():
        site = tokenise(SITE) if row.strand == "+" else reverse_complement(tokenise(SITE))
        start = int(row.position) - 1
        at = len(CONSTRUCT.left_flank) + start + np.arange(len(SITE))
        expected = [
            weights[at, site].sum() - weights[at, insert[start : start + len(SITE)]].sum()
            for insert in inserts
        ]
        assert row.effect == pytest.approx(np.mean(expected))
    (overall,) = table[table["strand"] == BOTH].itertuples()
    assert np.isnan(overall.position)
    assert overall.effect == pytest.approx(rows["effect"].mean())
    assert overall.control == pytest.approx(rows["control"].mean())
    assert (table["low"] < table["effect"]).all()
    assert (table["effect"] < table["high"]).all()


def test_a_model_that_counts_letters_cannot_tell_the_site_from_the_control():
    weights = np.tile(weights_of(5)[:1], (CONSTRUCT.length, 1))
    table = effects([motif_of(SITE)], linear(weights))
    for one, other in (("effect", "control"), ("low", "control_low"), ("high", "control_high")):
        assert table[one].to_numpy() == pytest.approx(table[other].to_numpy())


def test_a_model_without_a_strand_has_the_same_effect_on_both():
    table = effects([motif_of(SITE)], best_site(SITE)).set_index(["position", "strand"])
    for position in (1, 5, 9, 13):
        plus, minus = table.loc[(position, "+")], table.loc[(position, "-")]
        assert plus["effect"] == minus["effect"]
        assert plus["low"] == minus["low"]
    overall = table.xs(BOTH, level="strand").iloc[0]
    # A site has 8 letters of 8; a random insert's best has half of them, or a few more.
    assert 2 < overall["effect"] < 5
    assert abs(overall["control"]) < 1
    assert overall["control_high"] < overall["low"]


def test_intervals_hold_the_truth_as_often_as_they_say():
    weights = weights_of(7)
    at = len(CONSTRUCT.left_flank) + 6 + np.arange(len(SITE))
    # Over all random inserts.
    truth = (weights[at, tokenise(SITE)] - weights[at, :4].mean(axis=1)).sum()
    tables = [
        effects([motif_of(SITE)], linear(weights), positions=1, seed=seed) for seed in range(120)
    ]
    rows = pd.concat(tables).query("strand == '+'")
    held = ((rows["low"] <= truth) & (truth <= rows["high"])).mean()
    assert 0.88 <= held <= 0.99


def test_only_the_site_is_changed():
    seen = []

    def predict(tokens):
        assert tokens.dtype == np.uint8
        seen.append(tokens)
        return np.zeros(len(tokens))

    table = effects([motif_of(SITE)], predict)
    without, with_site, with_control = seen
    left, width = len(CONSTRUCT.left_flank), CONSTRUCT.insert_length
    for tokens in seen:
        assert {letters(row[:left]) for row in tokens} == {"TTGCA"}
        assert {letters(row[left + width :]) for row in tokens} == {"GGA"}
        assert (tokens[:, left + width + 3 :] == N).all()
    found = with_site.reshape(4, 2, 40, -1)
    control = with_control.reshape(4, 2, 40, -1)
    positions = table["position"].dropna().astype(int).unique()
    for place, position in enumerate(positions):
        inside = slice(left + position - 1, left + position - 1 + len(SITE))
        for strand in (0, 1):
            for tokens in (found[place, strand], control[place, strand]):
                same = tokens == without
                same[:, inside] = True
                assert same.all()
        assert {letters(row) for row in found[place, 0, :, inside]} == {SITE}
        assert (found[place, 1, :, inside] == reverse_complement(tokenise(SITE))).all()
        shuffled = control[place, 0, :, inside]
        assert (np.sort(shuffled) == np.sort(tokenise(SITE))).all()
        assert len(np.unique(shuffled, axis=0)) > 20
        # The same at all positions, and its complement on the other strand.
        assert (shuffled == control[0, 0, :, left : left + len(SITE)]).all()
        assert (reverse_complement(shuffled) == control[place, 1, :, inside]).all()


def test_numbers_depend_on_the_seed_alone():
    motifs = [motif_of(SITE), motif_of("CACGTG", "MA2", "CBF1")]
    predict = linear(weights_of(1))
    both = effects(motifs, predict)
    assert list(both.columns) == COLUMNS
    pd.testing.assert_frame_equal(both, effects(motifs, predict))
    alone = effects(motifs[1:], predict)
    part = both[both["motif"] == "MA2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, alone)
    assert (both["effect"] != effects(motifs, predict, seed=2)["effect"]).all()


def test_sites_are_the_most_likely_one_or_drawn():
    motif = motif_of(SITE)
    rng = np.random.default_rng(1)
    assert {letters(row) for row in sites(motif, 5, rng)} == {SITE}
    drawn = sites(motif, 4000, rng, drawn=True)
    assert drawn.dtype == np.uint8
    shares = np.stack([(drawn == letter).mean(axis=0) for letter in range(4)], axis=1)
    assert shares == pytest.approx(motif.probabilities(), abs=0.03)
    sure = Motif("sure", np.eye(4)[tokenise("ACGT")])
    assert {letters(row) for row in sites(sure, 100, rng, drawn=True)} == {"ACGT"}
    # Other sites than the most likely one have less of an effect.
    table, less = (
        effects([motif], best_site(SITE), drawn=drawn).query(f"strand == '{BOTH}'")
        for drawn in (False, True)
    )
    assert less["effect"].item() < table["effect"].item()


def test_a_site_as_wide_as_the_insert_has_one_position():
    table = effects([motif_of(20 * "A")], linear(weights_of(1)))
    assert table["position"].tolist()[1:] == [1, 1]


def test_the_axis_of_positions_is_from_the_first_to_the_last():
    _, axis = insertion(effects([motif_of(SITE)], best_site(SITE)), "expression").axes
    assert axis.get_xlim() == (1, 13)


def test_invalid_motifs_and_constructs_are_refused():
    with pytest.raises(MotifError, match="MA1 REB1 has 21 positions, but an insert has only 20"):
        effects([motif_of(21 * "A")], linear(weights_of(1)))
    with pytest.raises(ValueError, match="not finite"):
        effects([motif_of(SITE)], lambda tokens: np.full(len(tokens), np.nan))
    with pytest.raises(ValueError, match="have 28 letters, but the model reads only 27"):
        in_construct(random_inserts(1, CONSTRUCT, 1), Construct("TTGCA", "GGA", 20, 27))


class Model:
    """A Keras model with one output."""

    def predict_on_batch(self, tokens):
        return best_site(SITE)(tokens)[:, None].astype(np.float32)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs insertion.py, then figure_insertion.py, on a table of motifs."""
    monkeypatch.setattr("crmnet.training.devices.setup", lambda **settings: None)
    monkeypatch.setattr("crmnet.models.files.load_model", lambda path, *_: Model())

    def both_scripts(selected, targets=("MA1", "MA2", "MA2"), sites="known"):
        motifs = [motif_of(SITE), motif_of("CACGTG", "MA2", "CBF1")]
        write_meme(tmp_path / "known.meme", motifs, np.full(4, 0.25))
        table = pd.DataFrame({"selected": pd.array(selected, "Int64"), "target": targets})
        table.to_csv(tmp_path / "motifs.tsv", sep="\t", index=False)
        job = SimpleNamespace(
            input=SimpleNamespace(
                model="a.keras", motifs=tmp_path / "known.meme", selected=tmp_path / "motifs.tsv"
            ),
            output=[tmp_path / "insertion.tsv"],
            params=SimpleNamespace(
                hardware={},
                construct=vars(CONSTRUCT),
                medium="complex",
                inserts=20,
                positions=3,
                sites=sites,
                seed=1,
            ),
            threads=1,
            log=[tmp_path / "log"],
        )
        runpy.run_path(str(SCRIPTS / "insertion.py"), init_globals={"snakemake": job})
        job.input = job.output
        job.params = SimpleNamespace(expression="expression")
        job.output = SimpleNamespace(pdf=tmp_path / "f.pdf", tsv=tmp_path / "f.tsv")
        runpy.run_path(str(SCRIPTS / "figure_insertion.py"), init_globals={"snakemake": job})
        assert job.output.pdf.read_bytes().startswith(b"%PDF")
        assert job.output.tsv.read_text() == job.input[0].read_text()
        return pd.read_csv(job.output.tsv, sep="\t")

    return both_scripts


def test_the_scripts_with_the_selected_motifs(run, tmp_path):
    table = run([2, 1, pd.NA])
    assert list(table.columns) == COLUMNS
    assert list(table["name"].unique()) == ["CBF1", "REB1"]
    assert len(table) == 2 * (1 + 3 * 2)
    once = (tmp_path / "insertion.tsv").read_bytes(), (tmp_path / "f.pdf").read_bytes()
    run([2, 1, pd.NA])
    assert once == ((tmp_path / "insertion.tsv").read_bytes(), (tmp_path / "f.pdf").read_bytes())


def test_the_scripts_without_a_selected_motif(run, capsys):
    table = run([pd.NA, pd.NA, pd.NA])
    assert list(table.columns) == COLUMNS
    assert table.empty
    assert "no motif is selected" in capsys.readouterr().err


def test_a_selected_motif_that_is_not_in_the_file(run):
    with pytest.raises(MotifError, match=r"known.meme: has no motif MA7, which .*motifs.tsv"):
        run([1, 2, pd.NA], ["MA1", "MA7", "MA2"])
