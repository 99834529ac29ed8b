"""Sequences as tokens: cases worked out by hand, properties, and plain per-row references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmnet.data import sequences
from crmnet.data.sequences import Construct, N

LEFT, RIGHT = "TGCATTTTTTTCACATC", "GGTTACGGCTGTT"
CONSTRUCT = Construct(LEFT, RIGHT, 80, 112)
SMALL = Construct("TGC", "GT", 4, 10)
DNA = st.text("ACGT")
DNA_N = st.text("ACGTN", max_size=30)
few = settings(max_examples=50, deadline=None, derandomize=True)


def random_dna(random, length):
    return "".join(random.choice(list("ACGT"), length))


def buffer_of(texts):
    """Sequences one after the other, as in a chunk of a table: tokens, starts, ends."""
    lengths = np.array([len(text) for text in texts], np.int64)
    ends = np.cumsum(lengths)
    return sequences.tokenise("".join(texts)), ends - lengths, ends


def keys_of(texts, construct=CONSTRUCT):
    keys = sequences.leak_keys(*buffer_of(texts), construct)
    return ["".join(sequences.ALPHABET[token] for token in key) for key in keys]


def key_by_hand(text, construct):
    """The leak key of one sequence, with string operations."""
    text = text.upper().strip("N").removesuffix(construct.right_flank)
    text = text.removeprefix(construct.left_flank)
    return text[-construct.insert_length :].rjust(construct.insert_length, "N")


def test_tokens_follow_the_papers_channel_order_a_c_g_t_n():
    assert sequences.tokenise("ACGTN").tolist() == [0, 1, 2, 3, 4]
    assert sequences.tokenise("acgtn").tolist() == [0, 1, 2, 3, 4]
    assert sequences.tokenise("ACGTN").dtype == np.uint8
    assert sequences.tokenise("").tolist() == []


@pytest.mark.parametrize("letter", ["R", "Y", "U", "-", " ", "\t", "\n", "1", "é", "\0"])
def test_any_letter_but_acgtn_is_refused_and_named(letter):
    with pytest.raises(ValueError) as error:
        sequences.tokenise(f"ACG{letter}T")
    assert repr(letter) in str(error.value)
    with pytest.raises(ValueError) as error:
        sequences.encode(["ACGT", f"ACG{letter}T", "ACGT"], 8)
    assert repr(letter) in str(error.value)


def test_encode_pads_behind_and_cuts_at_the_end():
    tokens = sequences.encode(["AC", "ACGTAC", "ACGTA"], 5)
    assert tokens.tolist() == [[0, 1, 4, 4, 4], [0, 1, 2, 3, 0], [0, 1, 2, 3, 0]]
    assert tokens.dtype == np.uint8


def test_encode_at_the_models_length():
    random = np.random.default_rng(1)
    texts = [random_dna(random, length) for length in (1, 110, 111, 112, 113, 150)]
    tokens = sequences.encode(texts, 112)
    assert tokens.shape == (6, 112)
    assert (tokens[1, 110:] == N).all() and (tokens[1, :110] != N).all()
    assert [sequences.letters(row) for row in tokens] == [text[:112] for text in texts]


def test_encode_takes_n_off_both_ends_but_not_inside():
    tokens = sequences.encode(["NNACNGTNN", "NACNGT", "ACNGTN", "NNNN", ""], 6)
    assert [sequences.letters(row) for row in tokens] == ["ACNGT"] * 3 + ["", ""]
    assert tokens[:3].tolist() == [[0, 1, 4, 2, 3, 4]] * 3
    assert (tokens[3:] == N).all()


def test_n_is_taken_off_before_the_sequence_is_cut():
    assert sequences.letters(sequences.encode(["N" * 10 + "ACGTACGT"], 8)[0]) == "ACGTACGT"


def test_encode_of_no_sequences_has_no_rows():
    assert sequences.encode([], 112).shape == (0, 112)


@few
@given(st.lists(DNA_N, max_size=6), st.integers(1, 20))
def test_encode_agrees_with_string_operations_on_each_row(texts, length):
    expected = [text.strip("N")[:length].ljust(length, "N") for text in texts]
    tokens = sequences.encode(texts, length)
    assert ["".join(sequences.ALPHABET[token] for token in row) for row in tokens] == expected


@few
@given(st.lists(DNA_N, min_size=1, max_size=8))
def test_strip_n_agrees_with_str_strip(texts):
    buffer, starts, ends = buffer_of(texts)
    before = starts.copy(), ends.copy()
    first, last = sequences.strip_n(buffer, starts, ends)
    spans = zip(first, last, strict=True)
    assert [sequences.letters(buffer[a:b]) for a, b in spans] == [t.strip("N") for t in texts]
    assert (last - first).tolist() == [len(text.strip("N")) for text in texts]
    assert (starts == before[0]).all() and (ends == before[1]).all(), "the arguments were changed"


@few
@given(DNA)
def test_letters_undoes_tokenise(text):
    assert sequences.letters(sequences.tokenise(text)) == text


def test_one_hot_channels_are_a_c_g_t_n():
    hot = sequences.one_hot(sequences.tokenise("GATNC")[None])
    assert hot.shape == (1, 5, 5) and hot.dtype == np.float32
    assert hot[0].tolist() == [
        [0, 0, 1, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
        [0, 1, 0, 0, 0],
    ]


def test_reverse_complement_by_hand():
    tokens = np.stack([sequences.tokenise("AACGTN"), sequences.tokenise("GATTAC")])
    turned = sequences.reverse_complement(tokens)
    assert [row.tolist() for row in turned] == [
        sequences.tokenise("NACGTT").tolist(),
        sequences.tokenise("GTAATC").tolist(),
    ]


@few
@given(DNA_N)
def test_reverse_complement_twice_is_the_sequence(text):
    tokens = sequences.tokenise(text)
    turned = sequences.reverse_complement(tokens)
    expected = text.translate(str.maketrans("ACGT", "TGCA"))[::-1]
    assert turned.tolist() == sequences.tokenise(expected).tolist()
    assert sequences.reverse_complement(turned).tolist() == tokens.tolist()


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("TGCAAAAGT", (3, 7)),  # both flanks
        ("AAAA", (0, 4)),  # none
        ("TGCAAAA", (3, 7)),  # the left one only
        ("AAAAGT", (0, 4)),  # the right one only
        ("GCAAAAGT", (0, 6)),  # the left one lacks its first letter
        ("TGAAAAAGT", (0, 7)),  # the left one has another letter
        ("TGCAAAAG", (3, 8)),  # the right one lacks its last letter
        ("TGCAAAACT", (3, 9)),  # the right one has another letter
        ("TGCGT", (3, 3)),  # an empty insert
        ("GT", (0, 0)),
        ("TGC", (3, 3)),
        ("TG", (0, 2)),
        ("TGCAANAGT", (3, 7)),  # an N inside
        ("", (0, 0)),
    ],
)
def test_insert_span_takes_off_flanks_that_are_there_letter_for_letter(text, span):
    starts, ends = sequences.insert_span(sequences.encode([text, "ACGT"], 10), SMALL)
    assert (starts[0], ends[0]) == span
    assert (starts[1], ends[1]) == (0, 2), "ACGT ends in the right flank"


def test_insert_span_of_flanks_that_would_overlap_takes_the_right_one():
    overlapping = Construct("AC", "CA", 4, 10)
    starts, ends = sequences.insert_span(sequences.encode(["ACA"], 10), overlapping)
    assert (starts[0], ends[0]) == (0, 1)


def test_insert_span_without_flanks_is_the_whole_sequence():
    starts, ends = sequences.insert_span(
        sequences.encode(["TGCAAAAGT", "A"], 10), Construct("", "", 4, 10)
    )
    assert starts.tolist() == [0, 0] and ends.tolist() == [9, 1]


def test_insert_span_of_the_real_construct():
    random = np.random.default_rng(2)
    inserts = [random_dna(random, length) for length in (80, 79, 82, 1)]
    tokens = sequences.encode([LEFT + insert + RIGHT for insert in inserts], 112)
    starts, ends = sequences.insert_span(tokens, CONSTRUCT)
    spans = list(zip(starts, ends, strict=True))
    assert spans == [(17, 97), (17, 96), (17, 99), (17, 18)]
    found = [sequences.letters(row[a:b]) for row, (a, b) in zip(tokens, spans, strict=True)]
    assert found == inserts


def test_every_representation_of_a_sequence_has_the_same_leak_key():
    insert = random_dna(np.random.default_rng(3), 80)
    whole = LEFT + insert + RIGHT
    forms = [whole, whole.lower(), insert, LEFT + insert, insert + RIGHT, f"NN{whole}", f"{whole}N"]
    assert keys_of(forms) == [insert] * len(forms)


@pytest.mark.parametrize("length", [1, 40, 79, 80, 81, 90, 97])
def test_a_published_test_sequence_has_the_key_of_the_one_measured(length):
    """Published test sets pad or cut every sequence on the left to 110 letters."""
    insert = random_dna(np.random.default_rng(length), length)
    measured = LEFT + insert + RIGHT
    published = measured[-110:].rjust(110, "N")
    expected = insert[-80:].rjust(80, "N")
    assert keys_of([measured, published]) == [expected, expected]


def test_leak_keys_of_other_inserts_differ():
    insert = random_dna(np.random.default_rng(4), 80)
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    changed = [
        insert[:position] + other[insert[position]] + insert[position + 1 :]
        for position in range(80)
    ]
    keys = keys_of([LEFT + text + RIGHT for text in [insert, *changed, insert[1:]]])
    assert len(set(keys)) == 82


def test_a_partial_flank_is_part_of_the_key():
    assert keys_of(["GCAAGT"], SMALL) == ["GCAA"]
    assert keys_of(["TGCAAG"], SMALL) == ["NAAG"]


@few
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "N", "NNN"]),
            st.sampled_from(["", "TGC", "GC"]),
            st.text("ACGTN", max_size=8),
            st.sampled_from(["", "GT", "G"]),
            st.sampled_from(["", "NN"]),
        ).map("".join),
        max_size=8,
    )
)
def test_leak_keys_agree_with_string_operations_on_each_row(texts):
    assert keys_of(texts, SMALL) == [key_by_hand(text, SMALL) for text in texts]


def splitmix(key, seed):
    """The hash of one key, with Python's integers."""
    mask = 2**64 - 1
    state = (seed * 0x9E3779B97F4A7C15 + 1) & mask
    padded = bytes(key) + bytes(-len(key) % 8)
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        state = ((state + 0x9E3779B97F4A7C15) & mask) ^ word
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state


def test_hashes_are_the_same_on_every_machine():
    """A different value would move rows between training and validation."""
    keys = sequences.encode(["ACGT" * 20, "TTTT", ""], 80)
    assert sequences.hashes(keys).tolist() == [
        0x2E1E67B642B66447,
        0xA2211A9A75847173,
        0x37941787C6CF82B4,
    ]
    assert sequences.hashes(keys, 7).tolist() == [
        0xA71DFC85D1657998,
        0x7C4A6AEC35D0A429,
        0x24F239A92D7471A4,
    ]


@few
@given(
    st.integers(1, 20).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=5
        )
    ),
    st.integers(0, 2**32),
)
def test_hashes_agree_with_pythons_integers(rows, seed):
    keys = np.array(rows, np.uint8)
    expected = [splitmix(row, seed) for row in rows]
    assert sequences.hashes(keys, seed).tolist() == expected


@pytest.fixture(scope="module")
def many_keys():
    keys = np.random.default_rng(5).integers(0, 4, (100_000, 80), dtype=np.uint8)
    assert len(np.unique(keys, axis=0)) == len(keys)
    return keys


def test_hashes_of_many_keys_do_not_collide(many_keys):
    assert len(np.unique(sequences.hashes(many_keys))) == len(many_keys)


def test_hashes_of_keys_that_differ_in_one_letter_do_not_collide():
    keys = np.zeros((1 + 80 * 4, 80), np.uint8)
    for row in range(1, len(keys)):
        keys[row, (row - 1) // 4] = (row - 1) % 4 + 1
    assert len(np.unique(sequences.hashes(keys))) == len(keys)


def test_hashes_are_uniform(many_keys):
    """Every bit is set half the time; 64 bins of the top bits fill evenly."""
    values = sequences.hashes(many_keys)
    bits = np.unpackbits(values.view(np.uint8)).reshape(len(values), 64).mean(axis=0)
    assert np.abs(bits - 0.5).max() < 5 * 0.5 / len(values) ** 0.5
    counts = np.bincount((values >> np.uint64(58)).astype(int), minlength=64)
    expected = len(values) / 64
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 115, "P < 1e-4 for 63 degrees of freedom"


def test_hashes_of_two_seeds_are_independent(many_keys):
    one, two = (sequences.hashes(many_keys, seed) for seed in (0, 1))
    assert not np.isin(one, two).any()
    below = [values < np.uint64(2**63) for values in (one, two)]
    correlation = np.corrcoef(*below)[0, 1]
    assert abs(correlation) < 5 / len(many_keys) ** 0.5


@pytest.mark.parametrize("shortest", [30, 12])
def test_the_two_strands_share_a_hash_and_others_do_not(shortest):
    rng = np.random.default_rng(3)
    construct = Construct("", "", 31, 32)
    letters_ = [*"ACGTN"]
    texts = []
    for _ in range(2000):
        inner = rng.choice(letters_, rng.integers(shortest, 32) - 2, p=[0.24] * 4 + [0.04])
        texts.append("A" + "".join(inner) + rng.choice([*"ACGT"]))
    turned = [text.translate(str.maketrans("ACGT", "TGCA"))[::-1] for text in texts]

    def hashed(some):
        buffer = np.concatenate([sequences.tokenise(text) for text in some])
        ends = np.cumsum([len(text) for text in some])
        keys = sequences.leak_keys(buffer, ends - [len(text) for text in some], ends, construct)
        return sequences.strand_hashes(keys, 5)

    first = hashed(texts)
    assert (first == hashed(turned)).all()
    assert len(set(first.tolist())) == len({min(*both) for both in zip(texts, turned, strict=True)})
    changed = ["C" + text[1:] for text in texts]
    assert not set(first.tolist()) & set(hashed(changed).tolist())


def test_codes_of_words_by_hand():
    tokens = sequences.tokenise("ACNT")
    assert sequences.codes(tokens, 2).tolist() == [0 * 5 + 1, 1 * 5 + 4, 4 * 5 + 3]
    assert sequences.codes(np.stack([tokens, tokens[::-1]]), 3).tolist() == [[9, 48], [96, 105]]
    assert sequences.codes(tokens, 5).shape == (0,)
