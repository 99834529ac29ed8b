"""The known motifs of yeast, and the script that writes them."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from Bio import BiopythonWarning

from crmnet.data.sequences import tokenise
from crmnet.motifs import jaspar
from crmnet.motifs.motif import Motif, MotifError, read_meme

SCRIPT = Path(__file__).parents[3] / "workflow" / "scripts" / "jaspar.py"


def test_motifs_of_yeast():
    known = {motif.name: motif for motif in jaspar.known_motifs()}
    assert len(known) == 170
    reb1 = known["MA0363.2"]
    assert (reb1.alt, reb1.width) == ("REB1", 15)
    assert "TTACCCGG" in reb1.consensus()
    # Counts are as in the database: whole, and positions may have different totals.
    abf2 = known["MA0266.1"]
    assert abf2.counts[0].tolist() == [18, 39, 25, 18]
    assert abf2.counts.sum(axis=1).tolist() == [100, 100, 100, 100, 100, 100, 101]
    with (
        pytest.warns(BiopythonWarning),
        pytest.raises(MotifError, match="no matrix of species 1 in CORE"),
    ):
        jaspar.known_motifs(species=1)


def test_the_script(tmp_path, monkeypatch):
    sites = {"REB1": "TTACCCG", "ABF1": "TCACTAGACGA"}
    motifs = [
        Motif(f"MA{number}", 100 * np.eye(4)[tokenise(site)], alt=name)
        for number, (name, site) in enumerate(sites.items())
    ]
    asked = {}

    def known_motifs(**options):
        asked.update(options)
        return motifs

    monkeypatch.setattr(jaspar, "known_motifs", known_motifs)
    options = {"collection": "CORE", "species": 4932}
    job = SimpleNamespace(
        output=[tmp_path / "jaspar.meme"], params=SimpleNamespace(jaspar=options), log=["log"]
    )
    runpy.run_path(str(SCRIPT), init_globals={"snakemake": job})
    written = read_meme(tmp_path / "jaspar.meme")
    assert asked == options
    assert {motif.alt: motif.consensus() for motif in written} == sites
