"""The motif figures: their numbers are those of the tables, also if there is little to show."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from crmnet.data.sequences import tokenise
from crmnet.interpretation.effects import COLUMNS, EXAMPLE_COLUMNS, examples, motif_effects
from crmnet.interpretation.truth import ALL, CURVE_POINTS, TRUTH
from crmnet.motifs.motif import Motif, write_meme
from crmnet.motifs.scanning import scan
from crmnet.motifs.selection import COLUMNS as MOTIF_COLUMNS
from crmnet.plan import MAPS
from crmnet.report import logos, motif_figures, style
from crmnet.report.drawings import letters as panel_letters

SCRIPTS = Path(__file__).parents[3] / "workflow" / "scripts"
EVEN = np.full(4, 0.25)
NAMES = ["NHP10", "REB1", "ABF1", "AZF1", "RAP1"]
SITES = ["GCCGGGGA", "TTACCCG", "TCACTAGACGA", "AAAAAGAAA", "TGTATGGGTGTTT"]
# Short inserts, as letters take long to draw.
WIDTH, FAMILIES = 16, 24


def known():
    """Motifs by name, similar to those of JASPAR, with one main letter per position."""
    motifs = []
    for number, (name, site) in enumerate(zip(NAMES, SITES, strict=True)):
        rows = np.random.default_rng(number).dirichlet(np.full(4, 0.5), len(site))
        main = np.eye(4)[["ACGT".index(letter) for letter in site]]
        motifs.append(Motif(f"MA0{300 + number}.2", 100 * (0.2 * rows + 0.8 * main), alt=name))
    return motifs


def write_tables(folder, shown=5, matched=5, families=FAMILIES):
    """The inputs of Figures 5 and S2: numbers of selected motifs, of those with matches, and of
    families."""
    rng = np.random.default_rng(1)
    motifs = known()
    write_meme(folder / "known.meme", motifs, EVEN)
    number = 2 * FAMILIES
    ranked = pd.DataFrame({"sequence": [f"s{row}" for row in range(number)], "row": range(number)})
    ranked = ranked.assign(expression=np.linspace(17, 3, number), family=ranked["row"] // 2)
    letters = ["".join(row) for row in rng.choice(list("ACGT"), (number, WIDTH))]
    saliency = 0.05 * rng.normal(size=(number, WIDTH))
    hits = []
    for place, (motif, site) in enumerate(zip(motifs[:matched], SITES, strict=False)):
        for row in rng.choice(2 * families, 2 * families - 1, replace=False):
            start, strand = int(rng.integers(0, WIDTH - len(site))), rng.choice(["+", "-"])
            end = start + len(site)
            planted = site if strand == "+" else site[::-1].translate(str.maketrans("ACGT", "TGCA"))
            letters[row] = letters[row][:start] + planted + letters[row][end:]
            saliency[row, start:end] += rng.uniform(0, 0.3, len(site)) * (1 - 0.35 * place)
            hits.append(
                (motif.name, f"s{row}", start + 1, end, strand, 10.0 ** -rng.integers(4, 8))
            )
    hits = pd.DataFrame(hits, columns=["motif", "sequence", "start", "end", "strand", "p_value"])
    targets = pd.DataFrame({"target": [m.name for m in motifs], "target_name": NAMES})[:shown]
    table = targets.assign(selected=range(1, shown + 1))
    table.loc[len(table)] = ["MA0999.1", "of no motif", None]
    table = table.assign(method="meme", engine="meme 5.5.7", e_value="1.23456e-869")
    table = table.assign(reproduced_by=[*["drimust, gadem"] * shown, ""])
    table = table.assign(measure="pearson", match=0.954, known="JASPAR of yeast")
    table["selected"] = table["selected"].astype("Int64")
    # The order of the panels is that of `selected`, whatever the rows'.
    table = table[::-1]
    table.reindex(columns=MOTIF_COLUMNS).to_csv(folder / "motifs.tsv", sep="\t", index=False)
    lengths = np.full(number, WIDTH)
    effects = motif_effects(
        targets,
        hits,
        ranked,
        saliency,
        lengths,
        {motif.name: motif.information() for motif in motifs},
        replicates=50,
        permutations=99,
        seed=1,
    )
    predicted = ranked["expression"].to_numpy() + 0.5
    rows = examples(targets, hits, ranked, saliency, letters, predicted)
    for name, part in (("effects", effects), ("examples", rows)):
        part.to_csv(folder / f"{name}.tsv", sep="\t", index=False, float_format="%.6g")
    return effects, rows


def draw(name, folder, inputs, **params):
    job = SimpleNamespace(
        input=SimpleNamespace(**{key: folder / file for key, file in inputs.items()}),
        output=SimpleNamespace(pdf=folder / f"{name}.pdf", tsv=folder / f"{name}.tsv"),
        params=SimpleNamespace(**params),
        log=[folder / "log"],
    )
    runpy.run_path(str(SCRIPTS / f"{name}.py"), init_globals={"snakemake": job})
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    return pd.read_csv(folder / f"{name}.tsv", sep="\t")


def figure5(folder, beside=None):
    files = ("motifs", "examples", "effects")
    tables = {name: f"{name}.tsv" for name in files}
    params = {"sites": "known", "measure": "pearson", "cutoff": 0.9, "expression": "expression"}
    params["map"] = beside
    return draw("figure5", folder, {"scanned": "known.meme", **tables}, **params)


def figure_s2(folder):
    tables = {name: f"{name}.tsv" for name in ("motifs", "examples")}
    params = {"measure": "pearson", "cutoff": 0.9}
    return draw("figureS2", folder, {"scanned": "known.meme", **tables}, **params)


@pytest.fixture(autouse=True)
def fonts_that_are_fast_to_embed(monkeypatch):
    monkeypatch.setitem(style.STYLE, "pdf.fonttype", 3)
    # They have no sign of that number.
    monkeypatch.setitem(matplotlib.rcParams, "axes.unicode_minus", False)


@pytest.fixture
def texts(monkeypatch):
    """Collects all texts on the saved figures."""
    seen = []
    save = style.save

    def saved(figure, path):
        save(figure, path)
        seen.extend(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))

    monkeypatch.setattr(style, "save", saved)
    return seen


@pytest.mark.parametrize("count", [1, 5])
def test_figure_5(tmp_path, texts, count):
    effects, rows = write_tables(tmp_path, count)
    table = figure5(tmp_path)
    letters = panel_letters(count + 2)
    order = effects["target"].unique()
    maps = table[table["panel"].isin(letters[:count])]
    for letter, target in zip(letters, order, strict=False):
        expected = rows[(rows["target"] == target) & (rows["example"] == 1)]
        drawn = maps[maps["panel"] == letter]
        assert set(drawn["target"]) == {target}
        assert drawn["letter"].tolist() == expected["letter"].tolist()
        assert drawn["value"].to_numpy() == pytest.approx(expected["saliency"].to_numpy(), rel=1e-5)
    for letter, measure in zip(letters[count:], ("saliency", "expression"), strict=True):
        drawn = table[table["panel"] == letter].set_index("target")
        expected = effects[effects["measure"] == measure].set_index("target").loc[drawn.index]
        assert set(drawn["measure"]) == {measure} and len(drawn) == count
        for column in COLUMNS[3:]:
            assert drawn[column].to_numpy(float) == pytest.approx(
                expected[column].to_numpy(float), rel=1e-5, nan_ok=True
            )
    assert set(letters) <= set(texts)
    notes = [
        text
        for text in texts
        if text.startswith("E = 1.2e-869 (MEME 5.5.7); also by drimust, gadem; match: r = 0.95")
    ]
    assert len(notes) == count
    assert "Known motifs: JASPAR of yeast; a match has Pearson's r at least 0.9." in texts
    if count == 1:
        once = (tmp_path / "figure5.pdf").read_bytes()
        figure5(tmp_path)
        assert (tmp_path / "figure5.pdf").read_bytes() == once


@pytest.mark.parametrize("start", [1, 11, 18])
@pytest.mark.parametrize(("strand", "site"), [("+", "TTACCCG"), ("-", "CGGGTAA")])
def test_a_planted_site_is_where_it_is_from_the_scan_to_figure_5(start, strand, site):
    around = "CAGATGCATCAGTCATG"
    insert = around[: start - 1] + site + around[start - 1 :]
    width, end = len(insert), start + 6
    tokens = tokenise(insert)[None]
    motif = Motif("MA1", 100 * np.eye(4)[tokenise("TTACCCG")], alt="REB1")
    hits = scan([motif], tokens, ["s0"], EVEN)
    assert hits[["start", "end", "strand"]].to_numpy().tolist() == [[start, end, strand]]

    ranked = pd.DataFrame({"sequence": ["s0"], "row": 0, "expression": 9.0, "family": 0})
    saliency = np.zeros((1, width))
    saliency[0, start - 1 : end] = 0.5
    motifs = pd.DataFrame({"target": ["MA1"], "target_name": "REB1", "engine": "meme 5.5.7"})
    motifs = motifs.assign(e_value="1e-9", reproduced_by="gadem", ties="")
    motifs = motifs.assign(measure="pearson", match=1.0)
    rows = examples(motifs, hits, ranked, saliency, [insert], np.array([8.0]))
    lengths, bits = np.array([width]), {"MA1": motif.information()}
    draws = {"replicates": 9, "permutations": 9, "seed": 1}
    effects = motif_effects(motifs, hits, ranked, saliency, lengths, bits, **draws)
    page, table = motif_figures.figure_5(
        motifs, {"MA1": motif}, rows, effects, "", "activity (log2)"
    )

    labels = [(axis.get_xlabel(), axis.get_ylabel()) for axis in page.axes]
    assert any("mean activity (log2)" in pair for pair in labels)
    drawn = table[table["panel"] == "A"]
    assert drawn["position"].tolist() == list(range(1, width + 1))
    on_match = drawn["position"].between(drawn["match_start"], drawn["match_end"])
    assert "".join(drawn["letter"][on_match]) == site
    assert set(drawn["match_strand"]) == {strand}
    assert on_match.tolist() == (drawn["value"] > 0).tolist()
    for axis in page.axes[:2]:
        assert axis.get_xlim() == (0.5, width + 0.5)
        to_data = axis.transData.inverted()
        boxes = [patch.get_extents().transformed(to_data) for patch in axis.patches]
        # The mark, and the letters in it.
        assert (start - 0.5, end + 0.5) in [(round(b.x0, 6), round(b.x1, 6)) for b in boxes]
        centres = {round((box.x0 + box.x1) / 2, 6) for box in boxes}
        assert centres == set(range(start, end + 1))


@pytest.mark.parametrize("matched", [0, 1])
def test_figure_5_with_motifs_that_match_nowhere(tmp_path, texts, matched):
    write_tables(tmp_path, 5, matched)
    table = figure5(tmp_path)
    assert table["panel"].nunique() == matched + 2
    assert texts.count("not tested") >= 5 - matched
    saliency = table[table["panel"] == panel_letters(matched + 1)[-1]]
    assert saliency["value"].notna().sum() == matched


def test_figure_5_without_a_motif(tmp_path, texts):
    write_tables(tmp_path, 0)
    table = figure5(tmp_path)
    assert table.empty
    assert any("No motif passes" in text for text in texts)


@pytest.mark.parametrize(("count", "each"), [(0, 0), (1, 4), (5, 1)])
def test_figure_s2(tmp_path, texts, count, each):
    _, rows = write_tables(tmp_path, count, families=FAMILIES if each == 4 else 1)
    table = figure_s2(tmp_path)
    assert list(table.columns) == ["panel", *EXAMPLE_COLUMNS]
    assert len(table) == len(rows)
    panels = table.drop_duplicates(["target", "example"])["panel"].tolist()
    assert panels == panel_letters(each * count)
    assert set(panels) <= set(texts)
    assert any("no example" in text for text in texts) == (count == 0)
    assert any("JASPAR of yeast" in text for text in texts) == (count > 0)
    if count:
        shares = [f"{share:.0%} of families have" for share in rows["share_above"].unique()]
        assert all(any(text.startswith(share) for text in texts) for share in shares)


def truth_tables(folder, factors=("REB1", "RAP1", "ABF1", "UME6", "MCM1", "GCN4"), finds=True):
    rng = np.random.default_rng(2)
    methods = ["meme", "drimust", "gadem"]
    found = pd.DataFrame(
        [(method, factor) for method in methods for factor in factors], columns=["method", "factor"]
    )
    found["ln_e_value"] = np.where(
        finds & (rng.random(len(found)) < 0.6), -(10 ** rng.uniform(0, 3, len(found))), np.nan
    )
    found["found"] = found["ln_e_value"].notna()
    found = found.assign(engine="built in", end="high")
    low = found[found["method"] == "meme"].assign(end="low", engine=None)
    found = pd.concat([found, low])
    number = len(factors)
    share = np.linspace(0.2, 0.9, number)
    sites = pd.DataFrame({"factor": factors, "sites": 50, "share": share})
    sites = sites.assign(share_low=share - 0.1, share_high=share + 0.08, matches=90)
    sites = sites.assign(matches_planted=np.arange(number) * 10, base_rate=0.03, elsewhere=0.05)
    area = np.linspace(0.05, 0.4, number)
    sites = sites.assign(saliency=0.2 * share, average_precision=area)
    sites = sites.assign(average_precision_low=area - 0.02, average_precision_high=area + 0.03)
    # A factor without a site.
    sites.loc[number - 1, ["share", "share_low", "share_high", "saliency", "elsewhere"]] = np.nan
    sites.loc[number - 1, ["average_precision", "base_rate"]] = np.nan
    sites.loc[number - 1, ["average_precision_low", "average_precision_high"]] = np.nan
    whole = sites.iloc[:1].assign(factor=ALL, sites=300, base_rate=0.12)
    recall = np.arange(1, CURVE_POINTS + 1) / CURVE_POINTS
    curve = pd.DataFrame({"recall": recall, "precision": 0.9 * (1 - recall) ** 2 + 0.1})
    curve = pd.concat([curve.assign(map=name) for name in ("gradient", *MAPS)])
    maps = pd.DataFrame({"map": ["gradient", *MAPS, TRUTH], "sequences": 90})
    for name, chance in (("rank_correlation", 0), ("planted", 0.2), ("effective", 0.1)):
        value = np.linspace(0.3, 0.9, len(maps)) + (name == "planted") * 0.01
        ends = {f"{name}_low": value - 0.05, f"{name}_high": value + 0.04}
        maps = maps.assign(**{name: value}, **ends, **{f"{name}_base_rate": chance})
    sites = pd.concat([sites, whole])
    tables = {"found": found, "sites": sites, "curve": curve, "maps": maps}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    return tables


@pytest.mark.parametrize("case", [{}, {"factors": ("REB1", "RAP1"), "finds": False}])
@pytest.mark.parametrize("beside", ["mutagenesis", None])
def test_figure_of_the_truth(tmp_path, texts, case, beside):
    tables = truth_tables(tmp_path, **case)
    files = {name: f"{name}.tsv" for name in tables}
    table = draw("figure_truth", tmp_path, files, threshold=1e-4, map=beside)
    found = table[table["panel"] == "A"]
    assert found["ln_e_value"].to_numpy() == pytest.approx(
        tables["found"]["ln_e_value"].to_numpy(), nan_ok=True
    )
    sites = table[table["panel"] == "BD"]
    assert sites["factor"].tolist() == tables["sites"]["factor"].tolist()
    assert sites["share"].to_numpy() == pytest.approx(
        tables["sites"]["share"].to_numpy(), nan_ok=True
    )
    curve, given = table[table["panel"] == "C"], tables["curve"]
    assert curve["map"].unique().tolist() == ["gradient", beside][: 1 + bool(beside)]
    expected = given[given["map"].isin(["gradient", beside])]["precision"]
    assert curve["precision"].to_numpy() == pytest.approx(expected.to_numpy())
    maps = table[table["panel"] == "CEF"]
    assert maps["map"].tolist() == ["gradient", *MAPS, TRUTH]
    assert maps["effective"].to_numpy() == pytest.approx(tables["maps"]["effective"].to_numpy())
    assert {"corrected gradient", "SmoothGrad", "the truth itself"} < set(texts)
    assert ("mutagenesis: area 0.790" in texts) == bool(beside)
    assert texts.count("not\nfound") == (~tables["found"]["found"]).sum()
    assert {"gadem\n(built in)", "meme, low end\n(no motif)"} < set(texts)


def sanity_table():
    rng = np.random.default_rng(3)
    rows = []
    for place, stage in enumerate(("none", "head", "dense", "upper", "middle", "all")):
        for run in range(5 if place else 1):
            signed, absolute = 0.8**place + 0.04 * rng.normal(size=2) if place else (1.0, 1.0)
            half = 0.02 if place else 0.0
            rows.append((stage, run, signed, signed - half, signed + half))
            rows[-1] += (absolute, absolute - half, absolute + half)
    names = [f"{kind}{end}" for kind in ("signed", "absolute") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["stage", "draw", *names]).assign(map="gradient")


def test_figure_of_the_sanity_check(tmp_path):
    given = sanity_table()
    given.to_csv(tmp_path / "sanity.tsv", sep="\t", index=False)
    table = draw("figure_sanity", tmp_path, {"sanity": "sanity.tsv"})
    pd.testing.assert_frame_equal(table, given)


def test_the_sanity_check_of_two_maps(tmp_path, fits):
    given = sanity_table()
    given = pd.concat([given, given.assign(map="mutagenesis")])
    page = motif_figures.sanity(given)
    fits(page)
    first, second = page.axes
    assert first.get_ylabel() and not second.get_ylabel()
    assert first.get_ylim() == second.get_ylim()
    titles = {text.get_text() for axis in page.axes for text in axis.texts}
    assert {"gradient", "mutagenesis"} <= titles


def test_the_effects_of_a_second_map_stand_beside_the_papers(tmp_path, texts):
    effects, _ = write_tables(tmp_path)
    other = effects[effects["measure"] == "saliency"]
    other = other.assign(**2 * other[["value", "low", "high"]], measure="mutagenesis")
    both = pd.concat([effects, other])
    both.to_csv(tmp_path / "effects.tsv", sep="\t", index=False, float_format="%.6g")
    table = figure5(tmp_path, "mutagenesis")
    drawn = table[table["panel"] == "H"]
    assert set(drawn["measure"]) == {"mutagenesis"}
    assert drawn["value"].to_numpy() == pytest.approx(other["value"].to_numpy(), rel=1e-5)
    # The letters of the paper's panels stay.
    measures = table.groupby("panel")["measure"].first()
    assert measures[["F", "G"]].tolist() == ["saliency", "expression"]
    assert "mean mutagenesis" in texts


def test_the_sanity_check_names_its_steps_and_draws_whole_dots(fits):
    page = motif_figures.sanity(sanity_table())
    fits(page)
    (axis,) = page.axes
    assert axis.get_xlabel() == "randomised layers, from the output down"
    # Before, the highest dot was cut at the upper edge.
    assert not any(line.get_clip_on() for line in axis.lines if line.get_marker() == "o")


@pytest.mark.parametrize(
    ("length", "start", "end", "letters", "shown"),
    [
        (80, 5, 12, 100, (1, 80)),
        (230, 1, 8, 100, (1, 100)),
        (230, 223, 230, 100, (131, 230)),
        (230, 101, 110, 100, (56, 155)),
        (230, 51, 110, 50, (51, 110)),
    ],
)
def test_a_map_shows_the_part_around_its_match(length, start, end, letters, shown):
    assert logos.window(length, start, end, letters) == shown


def an_example(letter, length=230, start=120):
    motif = known()[int(length + start) % 5]
    letters = np.random.default_rng(start).choice(list("ACGT"), length)
    rows = pd.DataFrame({"letter": letters, "saliency": np.linspace(-0.1, 0.3, length)})
    rows = rows.assign(match_start=start, match_end=start + motif.width - 1, match_strand="-")
    rows = rows.assign(target=motif.name, target_name=motif.alt)
    note = "75% of families have more; measured 12.3, predicted 11.2"
    return logos.Example(rows, motif, letter, note)


@pytest.mark.parametrize(
    ("count", "panels", "columns"),
    [(1, 0, 1), (4, 0, 2), (20, 0, 2), (5, 2, 1), (10, 2, 2)],
)
def test_examples_fit_a_page_in_line_and_with_wide_letters(
    count, panels, columns, fits, monkeypatch
):
    # Letters take long to draw, and have no text.
    monkeypatch.setattr(logos, "logo", lambda *_: None)
    some = [an_example(letter) for letter in panel_letters(count)]
    page, _ = logos.example_page(some, 40.0 * (panels > 0), panels, 5.0 * (panels > 0), "Known.")
    fits(page)
    maps = [axis for axis in page.axes if axis.get_ylabel() == "saliency"]
    assert len(maps) == count
    assert len({round(axis.get_position().x0, 6) for axis in maps}) == columns
    for axis in maps:
        low, high = axis.get_xlim()
        assert high - low == 100 / columns
        # Before, letters of 230 positions were 0.7 mm wide.
        width = axis.get_position().width * style.DOUBLE / (high - low)
        assert width > 1.4
        assert f"{low + 0.5:.0f} to {high - 0.5:.0f} of" in " ".join(
            text.get_text().replace("\n", " ") for text in axis.texts
        )


def test_figure_s2_says_how_many_examples_have_no_room(fits, monkeypatch):
    monkeypatch.setattr(logos, "logo", lambda *_: None)
    parts = [
        an_example("", 80, 20).rows.assign(target=f"M{motif}", example=example, share_above=0.25)
        for motif in range(6)
        for example in range(1, 5)
    ]
    examples_ = pd.concat(parts).assign(measured=12.0, predicted=11.0, expression=12.0)
    scanned = {f"M{motif}": known()[0] for motif in range(6)}
    page, table = motif_figures.figure_s2(scanned, examples_, "Known motifs: some.")
    fits(page)
    notes = [text.get_text() for text in page.texts]
    assert notes == ["Known motifs: some. 4 more examples are in the table of the figure."]
    assert table["panel"].nunique() == 20 and table["panel"].isna().sum() == 4 * 80


def test_the_effects_of_figure_5_have_titles_and_long_words_fit(
    tmp_path, fits, long_words, monkeypatch
):
    effects, rows = write_tables(tmp_path)
    monkeypatch.setattr(logos, "logo", lambda *_: None)
    motifs = pd.DataFrame({"target": effects["target"].unique(), "engine": "built in"})
    motifs = motifs.assign(target_name=NAMES, e_value="1e-9", reproduced_by="gadem")
    motifs = motifs.assign(ties="NSI1, ABC1, DEF1", measure="pearson", match=1.0)
    scanned = {motif.name: motif for motif in known()}
    rows, first = rows[rows["example"] == 1], effects.iloc[0]["target"]
    # A motif of two factors.
    effects.loc[effects["target"] == first, "target_name"] = "ARNT::HIF1A::AHR"
    page, _ = motif_figures.figure_5(motifs, scanned, rows, effects, "Known.", long_words[0])
    fits(page)
    titles = {text.get_text() for axis in page.axes for text in axis.texts}
    assert set(motif_figures.TITLES.values()) <= titles


def test_long_words_fit_the_other_motif_figures(fits, long_words):
    unit, title = long_words
    table = pd.DataFrame({"sites": [9, 9], "sign": "positive", "target": ["MA1", None]})
    table = table.assign(
        target_name=["a_factor_of_a_long_name::another_one", ""], match=0.1, ties="b"
    )
    fits(motif_figures.patterns(known()[1:3], table, "pearson", f"Known motifs: {title}", unit))
    sites = pd.DataFrame(
        [("M", "REB1", position, strand) for strand in "+-" for position in (1, 9, 17)]
        + [("M", "REB1", np.nan, "both")],
        columns=["motif", "name", "position", "strand"],
    )
    sites = sites.assign(effect=0.5, low=0.4, high=0.6, inserts=500)
    sites = sites.assign(control=0.0, control_low=-0.1, control_high=0.1)
    fits(motif_figures.insertion(sites, unit))


def test_a_motif_in_bits():
    bits = logos.information(Motif("m", np.array([[4, 0, 0, 0], [1, 1, 1, 1], [2, 2, 0, 0]])))
    assert bits.tolist() == [[2, 0, 0, 0], [0, 0, 0, 0], [0.5, 0.5, 0, 0]]
    p = np.random.default_rng(1).dirichlet(np.ones(4), 6)
    entropy = -(p * np.log2(p)).sum(axis=1)
    assert logos.information(Motif("m", p)).sum(axis=1) == pytest.approx(2 - entropy)


def test_heights_of_a_map():
    heights = logos.map_heights("ANTC", np.array([1.0, 5.0, -2.0, 0.5]))
    assert heights.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, -2], [0, 0.5, 0, 0]]


def test_letters_stand_where_their_height_is():
    axis = Figure().subplots()
    logos.logo(axis, np.array([[0.5, 0, 0, 0], [0, 0, 0, -1.5], [0, 0, 0, 0], [0, 1, 0.5, 0]]), 7)
    boxes = [patch.get_path().get_extents().bounds for patch in axis.patches]
    boxes = sorted((x + width / 2, y, height) for x, y, width, height in boxes)
    assert np.round(boxes, 6).tolist() == [
        [7, 0, 0.5],
        [8, -1.5, 1.5],
        [10, 0, 0.5],
        [10, 0.5, 1],
    ]


def test_motifs_of_maps_have_room_for_all_letters():
    motifs = known()[1:3]
    table = {"sites": 9, "sign": "positive", "target": [None, None]}
    axes = motif_figures.patterns(motifs, pd.DataFrame(table), "pearson", "", "activity").axes
    for axis, motif in zip(axes[1::3], motifs, strict=True):
        assert axis.get_xlim() == (0.5, 11.5)
        boxes = [patch.get_path().get_extents() for patch in axis.patches]
        centres = {round((box.x0 + box.x1) / 2, 6) for box in boxes}
        assert centres == set(range(1, motif.width + 1))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("0", "0"),
        ("1.23456e-869", "1.2e-869"),
        ("3.1e-05", "3.1e-5"),
        ("0.0449", "0.045"),
        ("12", "12"),
        ("1e3", "1.0e+3"),
    ],
)
def test_numbers_are_short(number, said):
    assert logos.short(number) == said


def test_figures_are_the_same_whatever_matplotlib_is_set_to(tmp_path, monkeypatch):
    write_tables(tmp_path, 1)
    tables = {name: f"{name}.tsv" for name in truth_tables(tmp_path)}

    def pages():
        figure5(tmp_path)
        figure_s2(tmp_path)
        draw("figure_truth", tmp_path, tables, threshold=1e-4, map="corrected")
        names = ("figure5", "figureS2", "figure_truth")
        return [(tmp_path / f"{name}.pdf").read_bytes() for name in names]

    before = pages()
    for key, value in {"font.size": 20, "lines.linewidth": 5, "axes.spines.top": True}.items():
        monkeypatch.setitem(matplotlib.rcParams, key, value)
    assert pages() == before
