"""The ranked list: inserts letter for letter, and their order by hand."""

import numpy as np
import pytest

from crmnet.data.ranking import inserts_of, rank
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
