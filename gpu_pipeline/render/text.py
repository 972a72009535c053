"""Text on a picture: whatever string it is, it is cleaned, cut to its room, and drawn."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

LONGEST = 300
"""Characters looked at; no room on a picture holds more."""


_FACES = (
    None,
    str(Path(__file__).parent / "fonts" / "DejaVuSansCondensed.ttf"),
    *("NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "wqy-zenhei.ttc"),
)
"""Fonts, the first that has all letters of a text draws it: Pillow's own (Aileron, of little but ASCII); DejaVu, of
Latin, Greek, Cyrillic, Arabic, Hebrew and signs; and by name, if the computer has them, some of Chinese, Japanese and
Korean."""

_NO_LETTER = "\U0010ffff"


def font(size: int, text: str) -> ImageFont.FreeTypeFont:
    """The font for a text, in a size in pixels; letters that no font has are drawn as an empty box."""
    letters, faces = frozenset(text), []
    for name in _FACES:
        face = _face(name, size)
        if face is not None:
            lacks = sum(_lacks(name, letter) for letter in letters)
            if not lacks:
                return face
            faces.append((lacks, face))
    return min(faces, key=lambda pair: pair[0])[1]


def boxes(texts: Iterable[str]) -> str | None:
    """What to say of texts on pictures if no font has some of their letters; None if one has each."""
    letters = dict.fromkeys("".join(clean(text) for text in texts))
    lacking = [letter for letter in letters if all(_face(name, 16) is None or _lacks(name, letter) for name in _FACES)]
    if not lacking:
        return None
    shown = "".join(lacking[:8]) + ("..." if len(lacking) > 8 else "")
    east = any(unicodedata.name(letter, "").startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL")) for letter in lacking)
    advice = ": install Noto Sans CJK, on Debian the package fonts-noto-cjk" if east else ""
    return f"no font that pictures are written with has {isolated(shown)}, so that boxes stand there{advice}"


@lru_cache(maxsize=64)
def _face(name: str | None, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        face = ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)
    except OSError:
        return None
    assert isinstance(face, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return face


@lru_cache(maxsize=4096)
def _lacks(name: str | None, letter: str) -> bool:
    """Whether a font draws a letter as what it draws for no letter at all."""
    face = _face(name, 16)
    assert face is not None
    here, nothing = face.getmask(letter), face.getmask(_NO_LETTER)
    return bool(here.size == nothing.size and bytes(here) == bytes(nothing))


def clean(text: str) -> str:
    """One line that any font can try to draw: no control characters, no half surrogate pairs."""
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
    return int(font(size, text).getlength(text)) + 1


@lru_cache(maxsize=4096)
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


def cut_apart(texts: Sequence[str], size: int, rooms: Sequence[float]) -> list[str]:
    """Lines as by `cut`, each in its room, and as by `apart`."""
    return [cut(line, size, room) for line, room in zip(apart(texts, size, rooms), rooms, strict=True)]


def apart(texts: Sequence[str], size: int, rooms: Sequence[float]) -> list[str]:
    """Lines, cleaned; where several would look alike once they are cut, what they begin with is shortened.

    "Networking: theory" and "Networking: tutorials" become "Net… theory" and "Net… tutorials".
    """
    lines = [clean(text) for text in texts]
    told = list(lines)
    for _ in range(3):  # Of those that begin alike some may go on alike.
        alike = defaultdict(list)
        for i, line in enumerate(told):
            shown = cut(line, size, rooms[i])
            if shown not in ("", lines[i]):
                alike[shown].append(i)
        for group in alike.values():
            common = _beginning([lines[i] for i in group])
            word = common.rfind(" ") + 1
            for i in group:
                head = cut(common, size, rooms[i] / 3)
                if lines[i] != common and head.endswith("…"):
                    told[i] = f"{head} {lines[i][word:]}"
    return told


def _beginning(texts: Sequence[str]) -> str:
    """What all begin with."""
    first, last = min(texts), max(texts)
    differ = (i for i, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]
