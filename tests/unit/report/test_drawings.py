"""The letters of panels, texts of a limited width, panels side by side."""

import pytest

from crmnet.report.drawings import (
    grid_columns,
    legend_columns,
    letters,
    panel,
    squares,
    text_width,
    wrapped,
)
from crmnet.report.style import SMALL


def test_letters_go_on_after_z():
    assert letters(0) == []
    assert letters(3) == ["A", "B", "C"]
    assert letters(54)[25:] == ["Z", *(f"{chr(65 + i)}2" for i in range(26)), "A3", "B3"]
    assert len(set(letters(100))) == 100


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "several words that are too wide",
        "x_very_long_name_of_a_test_set",
        "two\nlines",
        "",
    ],
)
@pytest.mark.parametrize("room", [15, 30, 500])
def test_wrapped_text_is_as_narrow_as_it_must_be_and_loses_nothing(text, room):
    lines = wrapped(text, room, SMALL)
    assert text_width(lines) <= room
    assert "".join(lines.split()) == "".join(text.split())
    assert lines == text or text_width(text) > room


def test_entries_of_a_legend_stand_side_by_side_if_they_fit():
    assert legend_columns(["a", "b", "c"], 85) == 3
    assert legend_columns(["primary human hepatocytes, day 14, donor 3"] * 5, 180) == 2
    assert legend_columns(["primary human hepatocytes, day 14, donor 3"] * 5, 40) == 1


def test_panels_fill_the_page():
    counts = {count: grid_columns(count) for count in (1, 2, 6, 7, 12, 13, 20, 21)}
    assert counts == {1: 1, 2: 2, 6: 2, 7: 3, 12: 3, 13: 4, 20: 4, 21: 5}


def test_the_letter_stands_beside_the_first_line_of_a_long_title(fits):
    figure, (axis,) = squares(1, 5)
    panel(axis, "A", "first line\nsecond line", "a note\nof two lines")
    fits(figure)
    letter = axis.get_title(loc="left")
    note, title = (text.get_window_extent() for text in axis.texts)
    assert letter == "A" and note.y1 <= title.y0 + 1
    first = axis._left_title.get_window_extent()
    assert first.y1 == pytest.approx(title.y1, abs=4)


def test_the_only_panel_has_no_letter_but_room_for_its_title(fits):
    figure, (axis,) = squares(1, 5)
    panel(axis, "", "first line\nsecond line", "a note\nof two lines")
    fits(figure)
    assert not axis.get_title(loc="left").strip()
