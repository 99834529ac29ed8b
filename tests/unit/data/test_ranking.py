"""The ranked list: inserts letter for letter, and their order by hand."""

import numpy as np
import pytest

from crmnet.data.ranking import inserts_of, rank, unfit
from crmnet.data.sequences import Construct, encode, texts

CONSTRUCT = Construct("GGTG", "CCAC", 6, 16)


def test_inserts_keep_every_letter_between_the_flanks():
    inserts = ["ACGTAC", "NAAN", "TT"]
    tokens = encode([f"GGTG{insert}CCAC" for insert in inserts], 16)
    found, lengths = inserts_of(tokens, CONSTRUCT)
    assert texts(found, lengths) == inserts and lengths.tolist() == [6, 4, 2]


def test_the_best_expressed_come_first_and_ties_stay_in_their_order():
    tokens = encode(["AAAA", "CCCC", "AAAA", "AAAT", "GGGG"], 8)
    expression, family = np.array([1.0, 5.0, 5.0, 9.0, 1.0]), np.array([0, 1, 0, 0, 2])
    table = rank(tokens, expression, family, representatives=False)
    assert table["row"].tolist() == [3, 1, 2, 0, 4]
    assert table["sequence"].tolist() == ["s3", "s1", "s2", "s0", "s4"]
    assert table["rank"].tolist() == [0, 1, 2, 3, 4]
    assert table["size"].tolist() == [3, 1, 3, 3, 1]
    # Of two that are the same, the first is the medoid, though the other is expressed more.
    assert table.loc[table["medoid"], "row"].tolist() == [1, 0, 4]
    medoids = rank(tokens, expression, family, representatives=True)
    assert medoids["row"].tolist() == [1, 0, 4] and medoids["rank"].tolist() == [0, 1, 2]


def test_a_sequence_without_an_insert_is_refused():
    with pytest.raises(ValueError, match="1 sequence.* no insert, the first in row 1 .from 0."):
        inserts_of(encode(["GGTGACCCAC", "GGTGCCAC"], 16), CONSTRUCT)


def ranked(sequences, expression, representatives=False):
    tokens = encode(sequences, 8)
    family = np.unique(sequences, return_inverse=True)[1]
    return rank(tokens, np.array(expression, float), family, representatives), tokens


def test_a_set_in_which_motifs_cannot_be_looked_for_is_told():
    four = ["ACGT", "CCGA", "TTAC", "GGTA"]
    assert unfit(*ranked(four, [1, 2, 2, 2])) is None
    assert "only 3 sequence(s)" in unfit(*ranked(four[:3], [1, 2, 3]))
    same = ["ACGT"] * 3 + ["CCGA"]
    assert unfit(*ranked(same, range(4))) is None
    assert "only 2 sequence(s)" in unfit(*ranked(same, range(4), representatives=True))
    assert "the same expression" in unfit(*ranked(four, [3, 3, 3, 3]))
    assert "without C and G" in unfit(*ranked(["AATT", "ATAN", "TTTA", "AAAA"], range(4)))
    assert "without A and T" in unfit(*ranked(["CCCG", "CCCN", "GGCC", "GCGC"], range(4)))
