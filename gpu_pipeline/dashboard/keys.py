"""The keys that do something, and what the page says of them."""

KEYS = {
    "m": ("tool", "pan"),
    "b": ("tool", "box"),
    "l": ("tool", "lasso"),
    "+": ("how", "add"),
    "-": ("how", "subtract"),
    "&": ("how", "keep"),
    "z": ("undo", ""),
    "Escape": ("clear", ""),
    "f": ("zoom", ""),
    "r": ("home", ""),
    "h": ("release", ""),
    "i": ("move", "in"),
    "o": ("move", "out"),
    **{f"Arrow{way}": ("move", way.lower()) for way in ("Left", "Right", "Up", "Down")},
}
"""Key -> action and its value."""

KEY_TEXTS = (
    ("B", "draw a box to select"),
    ("L", "draw a lasso to select"),
    ("M", "drag the map again"),
    ("+  -  &", "the next shape adds, takes away, or keeps what is in both"),
    ("Z", "take back what was last done to the selection"),
    ("Esc", "select nothing; in the search, empty it and leave it"),
    ("/", "search, and select what is found"),
    ("F", "zoom to the selection"),
    ("R", "show the whole map"),
    ("I  O", "zoom in, zoom out"),
    ("arrows", "move the map"),
    ("H", "let the held point go"),
    ("Tab", "go on to the next control; Enter or the space bar presses it"),
)
