"""The sequences on which motif jobs are tried."""

import numpy as np

from crmnet.data.fasta import read_fasta
from crmnet.data.tsv import read_table
from crmnet.motifs import scanning, trial
from crmnet.motifs.motif import read_meme


def test_the_planted_motif_is_in_the_upper_half_of_the_sequences(tmp_path):
    trial.write(tmp_path)
    names, tokens = read_fasta(tmp_path / "ranked.fa")
    assert read_table(tmp_path / "ranked.tsv")["sequence"].tolist() == names
    (planted,) = read_meme(tmp_path / "planted.meme")
    hits = scanning.scan([planted], tokens, names, np.full(4, 0.25), 1e-4)
    half = set(names[: len(names) // 2])
    assert half <= set(hits["sequence"])
