"""What a reader can see of a message."""

import pytest

from clarion.contracts import visible

NOTHING = [
    *" \u00a0\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u200d\u2028\u202e\u2060\u2065\u2800\u3000\u3164\ufe0f\ufeff",
    *"\0\t\n\uffa0\ufff0\U0001d159\U0001d173\U000e0020\U000e0100",
]
SOMETHING = ["a", "!", "~", "é", "語", "❤️", "👩‍👩‍👧", "\u0301", "\ue000", "ـ", "한", "\u2801", "\U0001fae9"]


@pytest.mark.parametrize("text", [*NOTHING, "".join(NOTHING)], ids=ascii)
def test_what_is_drawn_as_nothing_shows_nothing(text: str) -> None:
    assert not visible.shows_something(text)


@pytest.mark.parametrize("text", SOMETHING, ids=ascii)
def test_one_visible_character_is_enough(text: str) -> None:
    assert visible.shows_something(text)
    assert visible.shows_something("".join(NOTHING) + text)


def test_the_first_different_characters_are_named() -> None:
    assert visible.blanks("\u200b\u200b") == "U+200B ZERO WIDTH SPACE"
    assert visible.blanks("\0") == "U+0000"
    assert (
        visible.blanks(" \u3164\u2800\u200b") == "U+0020 SPACE, U+3164 HANGUL FILLER, U+2800 BRAILLE PATTERN BLANK, …"
    )
