"""The known motifs against what JASPAR's own site says of them, and the script that writes them."""

import pytest
from Bio import BiopythonWarning

from crmnet.motifs.jaspar import known_motifs
from crmnet.motifs.motif import MotifError


def test_motifs_of_yeast():
    known = {motif.name: motif for motif in known_motifs()}
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
        known_motifs(species=1)
