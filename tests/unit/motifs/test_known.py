"""The known motifs: of species and groups in JASPAR, and of a user's own file."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from crmnet.data.sequences import tokenise
from crmnet.motifs.known import known_motifs, taxon_of
from crmnet.motifs.motif import Motif, MotifError, read_meme, write_meme

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "known.py"
EVEN = np.full(4, 0.25)


def test_motifs_of_yeast():
    motifs, source = known_motifs()
    known = {motif.name: motif for motif in motifs}
    assert source == "JASPAR 2022 CORE, Saccharomyces cerevisiae (170 motifs)"
    assert len(known) == 170
    reb1 = known["MA0363.2"]
    assert (reb1.alt, reb1.width) == ("REB1", 15)
    assert "TTACCCGG" in reb1.consensus()
    # Counts are as in the database: whole, and positions may have different totals.
    abf2 = known["MA0266.1"]
    assert abf2.counts[0].tolist() == [18, 39, 25, 18]
    assert abf2.counts.sum(axis=1).tolist() == [100, 100, 100, 100, 100, 100, 101]


@pytest.mark.parametrize(
    ("taxon", "expected"),
    [
        (9606, ("species", "9606", "Homo sapiens")),
        ("9606", ("species", "9606", "Homo sapiens")),
        ("homo sapiens", ("species", "9606", "Homo sapiens")),
        ("Vertebrates", ("tax_group", "vertebrates", "vertebrates")),
    ],
)
def test_a_taxon_is_a_species_or_a_group(taxon, expected):
    assert taxon_of("CORE", taxon) == expected


def test_a_group_has_the_motifs_of_its_species():
    motifs, source = known_motifs({"collection": "CORE", "taxon": "fungi"})
    assert source == "JASPAR 2022 CORE, fungi (179 motifs)"
    yeast = {motif.name for motif in known_motifs().motifs}
    assert yeast < {motif.name for motif in motifs}


def test_a_taxon_that_jaspar_does_not_have_is_refused():
    # Escherichia coli.
    for taxon in (511145, "Escherichia coli", "fungus", "", 10**20):
        with pytest.raises(MotifError, match=f"no motif of {taxon!r} in .* CORE; .*fungi, insects"):
            known_motifs({"collection": "CORE", "taxon": taxon})
    # The collections differ. Of Bos taurus, JASPAR has only old versions of its matrices.
    assert taxon_of("UNVALIDATED", 3483)[2] == "Cannabis sativa"
    for taxon in (3483, 9913):
        with pytest.raises(MotifError, match=f"no motif of {taxon} in its collection CORE"):
            taxon_of("CORE", taxon)


def test_a_matrix_with_an_empty_position_is_left_out(capsys):
    motifs, _ = known_motifs({"collection": "UNVALIDATED", "taxon": 9606})
    assert len(motifs) > 200
    assert "UN0498.1 is left out: a position has no counts" in capsys.readouterr().err


@pytest.fixture
def own(tmp_path):
    sites = {"REB1": "TTACCCG", "ABF1": "TCACTAGACGA"}
    motifs = [
        Motif(f"m{number}", 100 * np.eye(4)[tokenise(site)], alt=name)
        for number, (name, site) in enumerate(sites.items())
    ]
    path = tmp_path / "own.meme"
    write_meme(path, motifs, EVEN)
    return SimpleNamespace(path=path, sites=sites)


def test_motifs_of_a_file(own):
    motifs, source = known_motifs(str(own.path))
    assert source == "own.meme (2 motifs)"
    assert {motif.alt: motif.consensus() for motif in motifs} == own.sites


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.split("MOTIF")[0], "own.meme: has no motif"),
        (lambda text: text.replace("m1", "m0"), "own.meme: several motifs are named m0"),
        (lambda text: text.replace("MEME version 4", ""), "own.meme: has no line `MEME version`"),
        (lambda text: text.replace("ALPHABET= ACGT", 'ALPHABET "RNA"'), "line 3: the alphabet is"),
    ],
)
def test_a_file_without_usable_motifs_is_refused(own, change, message):
    own.path.write_text(change(own.path.read_text()))
    with pytest.raises(MotifError, match=message):
        known_motifs(str(own.path))
    with pytest.raises(MotifError, match=r"other.meme: there is no such file"):
        known_motifs(str(own.path.with_name("other.meme")))
    with pytest.raises(MotifError, match=r"cannot be read: Is a directory"):
        known_motifs(str(own.path.parent))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("ALPHABET= ACGT", 'ALPHABET "DNA" DNA-LIKE\nEND ALPHABET'),
        lambda text: "\ufeff" + text,
    ],
)
def test_other_forms_of_a_file_are_read(own, change):
    own.path.write_text(change(own.path.read_text()), encoding="utf-8")
    assert {
        motif.alt: motif.consensus() for motif in known_motifs(str(own.path)).motifs
    } == own.sites


def test_a_motif_with_one_name_is_shown_by_it(own):
    own.path.write_text(own.path.read_text().replace("m0 REB1", "m0"))
    assert [motif.alt for motif in known_motifs(str(own.path)).motifs] == ["m0", "ABF1"]


def test_the_script(own, tmp_path, capsys):
    job = SimpleNamespace(
        output=[tmp_path / "known.meme"],
        params=SimpleNamespace(known=str(own.path)),
        log=["log"],
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    written = read_meme(tmp_path / "known.meme")
    assert {motif.alt: motif.consensus() for motif in written} == own.sites
    assert "own.meme (2 motifs)" in capsys.readouterr().err
