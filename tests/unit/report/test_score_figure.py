"""The figure of the user's own sequences: lines of long maps, its legend, its page."""

import numpy as np
import pandas as pd
import pytest

from crmnet.report import score_figure, style


def tables(length, media, saturated, variants=True):
    """Six sequences with their variants (all SNVs, or one), and their maps."""
    rng = np.random.default_rng(1)
    ids = [f"s{number}" for number in range(6)]
    predictions = pd.DataFrame({"id": ids, **{f"predicted_{m}": rng.normal(size=6) for m in media}})
    positions = range(1, length + 1) if saturated else [3]
    changes = [(name, place, "A", alt) for name in ids for place in positions for alt in "CGT"]
    changes = pd.DataFrame(changes, columns=["id", "position", "ref", "alt"])
    changes = changes.assign(**{f"effect_{m}": rng.normal(size=len(changes)) for m in media})
    maps = pd.DataFrame({"id": np.repeat(ids, length), "position": [*range(1, length + 1)] * 6})
    maps = maps.assign(base="A", **{f"saliency_{m}": rng.normal(size=len(maps)) for m in media})
    return predictions, changes if variants else None, maps


@pytest.fixture(autouse=True)
def no_letters(monkeypatch):
    """Letters take long to draw."""
    monkeypatch.setattr(score_figure, "logo", lambda *_: None)


@pytest.mark.parametrize(
    ("length", "media", "saturated", "sequences", "lines"),
    [(80, 1, False, 6, 6), (80, 2, True, 3, 6), (170, 1, False, 5, 10), (230, 1, True, 2, 6)],
)
def test_a_long_map_goes_over_several_lines(length, media, saturated, sequences, lines, fits):
    labels = {f"m{number}": f"medium {number}" for number in range(media)}
    predictions, variants, maps = tables(length, labels, saturated)
    shown = score_figure.mapped(predictions, variants, media)
    args = predictions, variants, shown, maps, labels, saturated, "activity"
    page, table = score_figure.draw(*args)
    fits(page)
    drawn = [axis for axis in page.axes if axis.get_ylabel() == "saliency"]
    assert table["id"].nunique() == sequences and len(drawn) == lines
    for axis in drawn:
        low, high = axis.get_xlim()
        # Letters that are thinner cannot be read.
        assert axis.get_position().width * style.DOUBLE / (high - low) > 1.4
    # The lines of a map have all of its positions, and one scale.
    of_one = drawn[: lines // sequences // media]
    assert of_one[0].get_xlim()[0] == 0.5 and of_one[-1].get_xlim()[1] >= length + 0.5
    assert len({axis.get_ylim() for axis in of_one}) == 1
    numbers = table[(table["measure"] == "saliency") & (table["id"] == "s0")]
    assert numbers["position"].tolist() == list(range(1, length + 1)) * media


def test_the_legend_and_long_words_fit(fits, long_words):
    unit, title = long_words
    labels = {f"m{number}": f"{title[40:]} {number}" for number in range(5)}
    predictions, variants, maps = tables(80, labels, saturated=False)
    shown = score_figure.mapped(predictions, variants, len(labels))
    page, _ = score_figure.draw(predictions, variants, shown, maps, labels, False, unit)
    fits(page)
    assert [text.get_text() for text in page.legends[0].get_texts()] == list(labels.values())
    assert not any(axis.get_legend() for axis in page.axes)


def test_a_sequence_that_fills_the_page_alone_is_drawn(fits):
    predictions, variants, maps = tables(2000, ["m"], saturated=False, variants=False)
    shown = score_figure.mapped(predictions, None, 1)
    args = predictions, None, shown, maps, {"m": "medium"}, False, "activity"
    page, table = score_figure.draw(*args)
    fits(page)
    assert table["id"].nunique() == 1


def test_histograms_alone_need_no_letter(fits):
    predictions, _, _ = tables(80, ["m"], saturated=False, variants=False)
    page, _ = score_figure.draw(predictions, None, predictions, None, {"m": "a"}, False, "activity")
    fits(page)
    assert not any(axis.get_title(loc="left").strip() for axis in page.axes)
