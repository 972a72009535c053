"""Colours that a person gives to classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..render import Key
from ..render.key import MOST_INKS
from ..render.palette import rgb

Paint = tuple[str, str, str]
"""A column, a class of it, and its colour as #rrggbb."""

_COLOUR = re.compile("#[0-9a-f]{6}")


def is_colour(text: str) -> bool:
    """Whether a text is a colour as #rrggbb."""
    return _COLOUR.fullmatch(text) is not None


def painted(key: Key, paints: Sequence[Paint]) -> Key:
    """A key with the colours that were given to its classes; what is no class of it is passed over."""
    given = {name: colour for column, name, colour in paints if column == key.column and name in key.names}
    # Beyond, classes share their inks, and with them their colours.
    if key.kind != "classes" or not given or len(key.names) > MOST_INKS:
        return key
    colours = key.colours.copy()
    for name, colour in given.items():
        colours[key.names.index(name)] = rgb([colour])[0]
    return replace(key, colours=colours)


def paints_to_pairs(paints: Sequence[Paint]) -> tuple[tuple[str, str], ...]:
    """Paints as (column, "#rrggbb class")."""
    return tuple((column, f"{colour} {name}") for column, name, colour in paints)


def paints_from_pairs(pairs: Sequence[tuple[str, str]]) -> tuple[Paint, ...]:
    """Paints from their pairs, those that are none left out."""
    return tuple((column, text[8:], text[:7]) for column, text in pairs if is_colour(text[:7]) and text[7:8] == " ")
