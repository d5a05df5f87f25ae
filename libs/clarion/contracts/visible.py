"""Whether a text shows anything to its reader. Pure.

`str.strip` is not enough: Unicode counts many characters that show nothing as letters, marks or symbols.
"""

import unicodedata
from typing import Final

_NOT_DRAWN: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})  # controls, formats and separators
# These show nothing, though their category says otherwise: fillers of Hangul, the Braille pattern without dots, the
# musical null notehead, and the rest of Unicode's property Default_Ignorable_Code_Point.
_BLANK: Final = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0, 0x1D159)))
_IGNORABLE: Final = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))
_NAMED: Final = 3


def shows_something(text: str) -> bool:
    """Return whether at least one character can be seen. Mostly the first one decides, so this is cheap."""
    return "!" <= text[:1] <= "~" or any(map(_is_visible, text))


def blanks(text: str) -> str:
    """Return the names of the first different characters of a text that shows nothing."""
    found = list(dict.fromkeys(text))
    named = [f"U+{ord(one):04X} {unicodedata.name(one, '')}".rstrip() for one in found[:_NAMED]]
    return ", ".join(named) + (", …" if len(found) > _NAMED else "")


def _is_visible(one: str) -> bool:
    """Return whether a character can be seen. One that is newer than this Python's tables counts as visible."""
    if unicodedata.category(one) in _NOT_DRAWN or one in _BLANK:
        return False
    return not any(first <= ord(one) <= last for first, last in _IGNORABLE)
