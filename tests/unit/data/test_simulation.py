"""The simulated assay: its model against numbers worked out by hand, its tables against the
truth."""

import dataclasses
import functools
import gzip
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from crmnet.data import sequences
from crmnet.data import simulation as module
from crmnet.data.sequences import Construct
from crmnet.data.simulation import FACTORS, Factor, Parameters
from crmnet.motifs.known import known_motifs

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "workflow" / "scripts" / "simulate.py"
CONSTRUCT = Construct("TGCATTTTTTTCACATC", "GGTTACGGCTGTT", 80, 112)
MEDIA = ["complex", "defined"]
PARAMETERS = Parameters(train=4000, native_families=30, native_per_family=10, random=400)
SEED = 7
LEFT = len(CONSTRUCT.left_flank)


@functools.cache
def known():
    return {
        motif.alt: Factor.of_counts(motif.alt, motif.name, motif.counts)
        for motif in known_motifs().motifs
    }


def simulated(parameters=PARAMETERS, media=MEDIA, construct=CONSTRUCT, seed=SEED):
    return module.simulate(parameters, media, construct, seed, known())


@pytest.fixture(scope="module")
def simulation():
    return simulated()


@pytest.fixture(scope="module")
def factors():
    return {name: known()[name] for name in FACTORS}


def tokens_of(table):
    return sequences.encode(table["sequence"], CONSTRUCT.length)


def inserts_of(table):
    """Tokens (n, 80) of the inserts of a test set."""
    return tokens_of(table)[:, LEFT : LEFT + CONSTRUCT.insert_length]


def tables(result):
    """Every table of a simulation, by name."""
    named = {f"train {medium}": table for medium, table in result.train.items()}
    for medium, sets in result.test.items():
        named |= {f"{name} {medium}": table for name, table in sets.items()}
    return named | {"sites": result.sites, "factors": result.factors}


def changed(before, after):
    before, after = tables(before), tables(after)
    return {name for name in before if not before[name].equals(after[name])}


# The model


def test_occupancy_by_hand():
    # A typical site has ln affinity 0 by definition. Column 1: A 0.97, others 0.01; column 2: all
    # 0.25, so that only column 1 counts, and at an N nothing binds.
    sharp, flat = [0.97, 0.01, 0.01, 0.01], [0.25] * 4
    factor = Factor("F", "M", np.array([sharp, flat]))
    mean = 0.97 * np.log(0.97) + 0.03 * np.log(0.01)
    strong, weak = 0.97 / np.exp(mean), 0.01 / np.exp(mean)
    cases = {
        # Plus strand: AC. Minus strand reads GT.
        "AC": strong + weak,
        # Plus: AC, CC, CT. Minus, reading AGGT: AG, GG, GT.
        "ACCT": 2 * (strong + 2 * weak),
        # No window fits between the N.
        "NAN": 0,
        "NACN": strong + weak,
    }
    for sequence, affinity in cases.items():
        s = module.CONCENTRATION * affinity
        got = module.occupancies(sequences.tokenise(sequence)[None], [factor])
        assert got == pytest.approx(np.array([[s / (1 + s)]]), rel=1e-5), sequence


def test_response_by_hand(monkeypatch):
    monkeypatch.setattr(module, "BASAL", -1.0)
    monkeypatch.setattr(module, "AT_EFFECT", 2.0)
    monkeypatch.setattr(module, "MOST_AT", 0.75)
    occupancy = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 0.0]])
    at = np.array([0.5, 0.5, 0.75, 1.0])
    # Logits -1; -1 + 0.5 * 4 = 1; -1 + 2 * 0.25 + 0.5 * 4 - 2 = -0.5; and -1 + 2 * 0.25, because
    # a share above 0.75 has no further effect.
    expected = 17 / (1 + np.exp([1.0, -1.0, 0.5, 0.5]))
    assert module.response(occupancy, at, np.array([4.0, -2.0])) == pytest.approx(expected)


def test_narrow_and_wide_factors_scan_alike(factors):
    rng = np.random.default_rng(0)
    tokens = rng.integers(4, size=(module.CHUNK + 3, 60), dtype=np.uint8)
    together = module.occupancies(tokens, list(factors.values()))
    alone = [module.occupancies(tokens, [factor])[:, 0] for factor in factors.values()]
    assert together == pytest.approx(np.transpose(alone), rel=1e-4)
    turned = module.occupancies(sequences.reverse_complement(tokens), list(factors.values()))
    assert together == pytest.approx(turned, rel=1e-4)


def test_substitutions_are_the_expression_of_each_mutated_sequence(factors, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    rng = np.random.default_rng(4)
    tokens = rng.integers(4, size=(3, 50), dtype=np.uint8)
    tokens[1, 40:] = sequences.N
    tokens[2, 25] = sequences.N
    factors, activities = list(factors.values()), rng.normal(size=len(factors)) * 2
    found = module.substitutions(tokens, factors, activities)
    assert found.shape == (3, 50, 4)
    for row in range(3):
        for position in range(50):
            if tokens[row, position] == sequences.N:
                assert np.isnan(found[row, position]).all()
                continue
            mutants = np.tile(tokens[row], (4, 1))
            mutants[:, position] = range(4)
            expected = module.expression(mutants, factors, activities)
            assert found[row, position] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", FACTORS)
def test_a_consensus_site_is_bound_and_acts_by_its_sign(factors, name):
    factor = factors[name]
    rng = np.random.default_rng(1)
    without = rng.integers(4, size=(200, 110), dtype=np.uint8)
    planted = without.copy()
    planted[:, 40 : 40 + factor.width] = factor.probabilities.argmax(axis=1)

    occupancy = module.occupancies(without, [factor])
    assert np.median(occupancy) < 0.05
    assert module.occupancies(planted, [factor]).min() > 0.9

    everything = list(factors.values())
    for medium in MEDIA:
        activities = np.array([FACTORS[other][medium] for other in factors])
        change = module.expression(planted, everything, activities) - module.expression(
            without, everything, activities
        )
        assert np.sign(np.median(change)) == np.sign(FACTORS[name][medium])


# The tables


def test_same_seed_same_tables(simulation):
    assert not changed(simulation, simulated())
    other = simulated(seed=SEED + 1)
    assert changed(simulation, other) == set(tables(simulation)) - {"factors"}


@pytest.mark.parametrize(
    ("size", "touched"),
    [
        ("train", {"train complex", "train defined", "sites"}),
        ("leaks", {"train complex", "train defined"}),
        ("random", {"train complex", "train defined", "random complex", "random defined", "sites"}),
    ],
)
def test_a_size_changes_only_its_own_set(simulation, size, touched):
    parameters = dataclasses.replace(PARAMETERS, **{size: getattr(PARAMETERS, size) // 2})
    other = simulated(parameters)
    assert changed(simulation, other) == touched
    if size != "train":
        for medium in MEDIA:
            new = slice(PARAMETERS.train)
            assert other.train[medium][new].equals(simulation.train[medium][new])


def test_another_medium_leaves_the_first(simulation):
    alone = simulated(media=MEDIA[:1])
    assert alone.train["complex"].equals(simulation.train["complex"])
    assert alone.test["complex"]["native"].equals(simulation.test["complex"]["native"])


def test_training_tables(simulation):
    for table in simulation.train.values():
        assert len(table) == PARAMETERS.train + PARAMETERS.leaks
        assert table["expression"].dtype.kind == "i"
        assert table["expression"].between(0, 17).all()
        assert table["sequence"].str.startswith(CONSTRUCT.left_flank).all()
        assert table["sequence"].str.endswith(CONSTRUCT.right_flank).all()
        lengths = table["sequence"].str.len().value_counts(normalize=True)
        assert set(lengths.index) == {108, 109, 110, 111, 112}
        assert 0.94 < lengths[110] < 0.99
    complex_, defined = (
        set(table["sequence"][: PARAMETERS.train]) for table in simulation.train.values()
    )
    assert not complex_ & defined


def test_leaks_are_in_training_and_test(simulation):
    for medium, sets in simulation.test.items():
        tests = set(sets["native"]["sequence"]) | set(sets["random"]["sequence"])
        leaked = simulation.train[medium]["sequence"].isin(tests)
        assert leaked.sum() == PARAMETERS.leaks
        assert leaked[PARAMETERS.train :].all()


def test_media_share_test_sequences_and_differ_in_labels(simulation):
    for name in ("native", "random"):
        one, other = (simulation.test[medium][name] for medium in MEDIA)
        assert one["sequence"].equals(other["sequence"])
        r = one["Measured Expression"].corr(other["Measured Expression"])
        assert 0.6 < r < 0.95


def test_labels_follow_the_truth(simulation, factors):
    for medium in MEDIA:
        activities = simulation.factors[medium].to_numpy()

        def truth(table, activities=activities):
            return module.expression(tokens_of(table), list(factors.values()), activities)

        train = simulation.train[medium]
        assert 0.88 < np.corrcoef(truth(train), train["expression"])[0, 1] < 0.95
        for table in simulation.test[medium].values():
            measured = table["Measured Expression"]
            assert np.corrcoef(truth(table), measured)[0, 1] > 0.98
            assert measured.quantile(0.02) < 4
            assert measured.quantile(0.98) > 14
            assert measured.between(0, 17).all()


@pytest.mark.parametrize(
    "name, mean, spread, slope", [("random", 9.8, 4.1, -29.5), ("native", 9.1, 3.2, -8.5)]
)
def test_expression_is_spread_as_measured(factors, name, mean, spread, slope):
    """The numbers are of Random_complex.csv and Native_complex.csv (Vaishnav et al. 2022): mean
    and standard deviation of expression, and its slope over the share of A and T of the insert."""
    demo = yaml.safe_load((ROOT / "config/demo.yaml").read_text())["simulation"]
    sizes = {"train": 1, "native_families": 1000, "native_per_family": 1, "random": 2000}
    table = simulated(Parameters(**demo | sizes)).test["complex"][name]
    expression = table["Measured Expression"]
    insert = table["sequence"].str[len(CONSTRUCT.left_flank) : -len(CONSTRUCT.right_flank)]
    at = insert.str.count("[AT]") / insert.str.len()
    assert expression.mean() == pytest.approx(mean, abs=1.5)
    assert expression.std() == pytest.approx(spread, abs=0.9)
    assert np.polyfit(at, expression, 1)[0] == pytest.approx(slope, abs=9)


def test_native_families(simulation):
    inserts = inserts_of(simulation.test["complex"]["native"])
    assert 0.59 < np.isin(inserts, [sequences.A, sequences.T]).mean() < 0.65
    families = inserts.reshape(PARAMETERS.native_families, PARAMETERS.native_per_family, -1)
    distances = (families != families[:, :1]).sum(axis=2)
    assert (distances[:, 0] == 0).all()
    assert set(np.unique(distances[:, 1:])) == {1, 2, 3, 4, 5}
    founders = families[:, 0]
    apart = (founders[:, None] != founders).sum(axis=2)[np.triu_indices(len(founders), 1)]
    assert apart.min() > 20
    tracts = (
        simulation.test["complex"]["native"]["sequence"].str[LEFT:-13].str.contains("A{6}|T{6}")
    )
    assert 0.4 < tracts.mean() < 0.95


def test_sites_match_their_matrix(simulation, factors):
    inserts = inserts_of(simulation.test["complex"]["random"])
    sites = simulation.sites[simulation.sites["set"] == "random"]
    background = np.random.default_rng(2)
    for name, table in sites.groupby("factor"):
        factor = factors[name]
        assert set(table["matrix_id"]) == {factor.matrix_id}
        words = np.array([inserts[s.row, s.start - 1 : s.end] for s in table.itertuples()])
        minus = (table["strand"] == "-").to_numpy()
        words[minus] = sequences.reverse_complement(words[minus])
        log_odds = np.log2(factor.probabilities / 0.25)
        position = np.arange(factor.width)
        score = log_odds[position, words].sum(axis=1).mean()
        information = (factor.probabilities * log_odds).sum()
        assert score == pytest.approx(information, abs=2)
        chance = background.integers(4, size=words.shape)
        assert score > log_odds[position, chance].sum(axis=1).mean() + 15


def test_sites_table(simulation):
    sites = simulation.sites
    columns = ["set", "row", "factor", "matrix_id", "start", "end", "strand"]
    assert list(sites.columns) == columns
    assert set(sites["set"]) == {"native", "random", "train_complex", "train_defined"}
    assert sites["start"].min() == 1
    assert set(sites["strand"]) == {"+", "-"}
    assert sites.groupby(["set", "row"]).size().max() == module.MAX_SITES
    ordered = sites.sort_values(["set", "row", "start"])
    following = ordered.groupby(["set", "row"])["start"].shift(-1)
    assert not (ordered["end"] >= following).any()

    # Every member of a family has its founder's sites.
    native = sites[sites["set"] == "native"]
    family = native["row"] // PARAMETERS.native_per_family
    sizes = native.groupby([family, "factor", "start", "end", "strand"]).size()
    assert (sizes == PARAMETERS.native_per_family).all()


def test_sites_lie_within_inserts_of_every_length(simulation):
    sites = simulation.sites[simulation.sites["set"] == "train_complex"]
    lengths = simulation.train["complex"]["sequence"].str.len() - LEFT - len(CONSTRUCT.right_flank)
    behind = lengths[sites["row"]].to_numpy() - sites["end"].to_numpy()
    assert behind.min() == 0


def test_factors_table(simulation):
    table = simulation.factors.set_index("factor")
    assert table["matrix_id"]["REB1"] == "MA0363.2"
    assert table[MEDIA].to_dict("index") == FACTORS


# Errors


@pytest.mark.filterwarnings("ignore:Zero motifs")
@pytest.mark.parametrize(
    ("parameters", "media", "construct", "message"),
    [
        ({"factors": {"SOX2": {"complex": 1.0}}}, ["complex"], CONSTRUCT, "SOX2"),
        ({}, ["complex", "acid"], CONSTRUCT, "REB1 has no finite activity in medium acid"),
        ({}, ["complex", "complex"], CONSTRUCT, "media"),
        ({}, [], CONSTRUCT, "media"),
        ({}, ["complex"], Construct("A", "C", 40, 42), "cannot hold 3 sites"),
        ({"train": 0}, ["complex"], CONSTRUCT, "train"),
        ({"leaks": 10_000}, ["complex"], CONSTRUCT, "leaks"),
        ({"noise": -1.0}, ["complex"], CONSTRUCT, "noise"),
        ({"factors": {}}, ["complex"], CONSTRUCT, "factor"),
    ],
)
def test_bad_arguments(parameters, media, construct, message):
    with pytest.raises(ValueError, match=message):
        simulated(dataclasses.replace(PARAMETERS, **parameters), media, construct)


# The script


class Named(dict):
    """Entries by attribute too, as in Snakemake's objects."""

    __getattr__ = dict.__getitem__


def test_script_writes_the_published_forms(tmp_path, simulation, capsys):
    def run(folder):
        folder.mkdir()
        output = Named(
            {name: [f"{folder}/{name}_{m}.csv" for m in MEDIA] for name in ("native", "random")},
            train=[f"{folder}/{medium}.tsv.gz" for medium in MEDIA],
            sites=f"{folder}/sites.tsv",
            factors=f"{folder}/factors.tsv",
        )
        params = Named(
            media=MEDIA,
            simulation=dataclasses.asdict(PARAMETERS),
            construct=dataclasses.asdict(CONSTRUCT),
            seed=SEED,
        )
        job = Named(params=params, output=output, log=[f"{folder}/log"])
        runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
        return output

    output, again = run(tmp_path / "one"), run(tmp_path / "two")
    for path, other in zip(output.train, again.train, strict=True):
        assert Path(path).read_bytes() == Path(other).read_bytes()

    with gzip.open(output.train[0], "rt") as lines:
        sequence, expression = next(lines).rstrip("\n").split("\t")
    first = simulation.train["complex"].iloc[0]
    assert (sequence, int(expression)) == (first["sequence"], first["expression"])
    native = pd.read_csv(output.native[1], index_col=0)
    pd.testing.assert_frame_equal(native, simulation.test["defined"]["native"])
    assert pd.read_csv(output.sites, sep="\t").equals(simulation.sites)
    assert pd.read_csv(output.factors, sep="\t").equals(simulation.factors)
    assert "4050 sequences" in capsys.readouterr().err
