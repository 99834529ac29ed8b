"""The letters of panels."""

from crmnet.report.drawings import letters


def test_letters_go_on_after_z():
    assert letters(0) == []
    assert letters(3) == ["A", "B", "C"]
    assert letters(54)[25:] == ["Z", *(f"{chr(65 + i)}2" for i in range(26)), "A3", "B3"]
    assert len(set(letters(100))) == 100
