"""Text on a drawn sheet: what fits a cell, in letters that the built-in font has."""

import unicodedata
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_TESTED_SIZE = 12
#: Letters of card names that Unicode does not take apart.
_PLAIN = str.maketrans(
    {
        "Æ": "Ae",
        "æ": "ae",
        "Œ": "Oe",
        "œ": "oe",
        "ß": "ss",
        "Ø": "O",
        "ø": "o",
        "ł": "l",
        "\u2013": "-",
        "\u2014": "-",
        "\u2019": "'",
        "\ua789": ":",
    }
)


@lru_cache(maxsize=8)
def font(size: int) -> Font:
    """Return the built-in font in a size in pixels."""
    return ImageFont.load_default(size)


def wrapped(text: str, letters: Font, width: int, most: int) -> list[str]:
    """Break a text into at most `most` lines of at most `width` pixels."""
    words = drawable(text).split()
    lines: list[str] = []
    while words and len(lines) < most:
        count, is_last = len(words), len(lines) == most - 1
        while count > 1 and not is_last and letters.getlength(" ".join(words[:count])) > width:
            count -= 1
        lines.append(shortened(" ".join(words[:count]), letters, width))
        words = words[count:]
    return lines


def shortened(text: str, letters: Font, width: int) -> str:
    """Return as much of a text as fits `width` pixels."""
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


def drawable(text: str) -> str:
    """Replace what the built-in font can't draw: by its base letters, else by question marks."""
    return "".join(_glyphs(letter) for letter in text.translate(_PLAIN))


@lru_cache(maxsize=4096)
def _glyphs(letter: str) -> str:
    if _has_glyph(letter):
        return letter
    base = "".join(part for part in unicodedata.normalize("NFKD", letter) if _has_glyph(part))
    return base or ("" if unicodedata.combining(letter) else "?")


def _has_glyph(letter: str) -> bool:
    """Tell whether the built-in font knows a letter: unknown ones all look like U+FFFF."""
    letters = font(_TESTED_SIZE)
    return letter.isspace() or bytes(letters.getmask(letter)) != bytes(letters.getmask("\uffff"))
