"""Text on a picture: whatever string it is, it is cleaned, cut to its room, and drawn."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from PIL import ImageFont

LONGEST = 300
"""Characters looked at; no room on a picture holds more."""


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's own font (Aileron) in a size in pixels."""
    face = ImageFont.load_default(size)
    assert isinstance(face, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return face


def clean(text: str) -> str:
    """One line that any font can try to draw: no control characters, no half surrogate pairs.

    Letters that the font lacks are drawn as an empty box.
    """
    text = text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def isolated(text: str) -> str:
    """A text within a sentence: where it has letters that run from right to left, what follows keeps its place.

    Without it "2 of א, 1 of ב" is shown with the 1 in the place of the 2.
    """
    # First strong isolate, and its end: UAX 9.
    return f"\u2068{text}\u2069" if any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text) else text


def width(text: str, size: int) -> int:
    """Pixels that a line takes, rounded up."""
    return int(font(size).getlength(text)) + 1


def cut(text: str, size: int, room: float) -> str:
    """The line, cleaned, and cut with an ellipsis where it is wider than `room` pixels."""
    text = clean(text)
    if width(text, size) <= room:
        return text
    short, long = 0, len(text)
    while short < long:
        middle = (short + long + 1) // 2
        if width(text[:middle].rstrip() + "…", size) <= room:
            short = middle
        else:
            long = middle - 1
    return text[:short].rstrip() + "…" if short else ""
