"""The form of a new run, and the recipe that it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..datasets import DATASETS
from ..engines import NAMES
from ..errors import InputError
from ..recipe import Recipe, make
from ..record import METHODS
from .uploads import MARK, upload_path
from .views import page

FORM = {
    "data": "auto",
    "label_column": "",
    "keep": "",
    "sample": "5000",
    "preprocess": "auto",
    "method": "tsne",
    "engine": "auto",
    "perplexity": "30",
    "iterations": "1000",
    "n_neighbors": "15",
    "min_dist": "0.1",
    "clusters": "10",
    "seed": "0",
}

_WAYS = (
    ("auto", "as the data set recommends"),
    ("none", "all values alike to [0, 1]"),
    ("standardize", "columns standardized"),
    ("unit", "rows to length 1 (cosine)"),
    ("deskew", "images set upright"),
)
"""Ways to prepare rows, and what to call them."""


def form(files: Sequence[str] = (), chosen: str = "auto", turn: int = 0, columns: Sequence[str] = ()) -> str:
    """The form of a new run.

    Parameters
    ----------
    files
        Names of the uploaded files.
    chosen
        The data that are chosen at first.
    turn
        Another number where they are chosen anew, which replaces what a person has chosen since.
    columns
        Names of the columns of the uploaded files, to be offered.
    """
    return page(
        "run",
        values={**FORM, "data": chosen, **({"sample": "all"} if chosen.startswith(MARK) else {})},
        data=[(name, name) for name in ("auto", *DATASETS)] + [(f"{MARK}{name}", name) for name in files],
        uploads=bool(files),
        columns=columns,
        turn=turn,
        ways=_WAYS,
        methods=tuple(METHODS.items()),
        engines=("auto", *NAMES),
    )


def recipe_of(values: Mapping[str, Any], store: Path = Path()) -> Recipe:
    """The recipe that a filled form means.

    Parameters
    ----------
    values
        As the browser sent them.
    store
        Folder of the stored runs, where uploaded files are.

    Raises
    ------
    InputError
        If a value cannot be used.
    """
    text = {name: str(values.get(name, default)).strip() for name, default in FORM.items()}
    data: dict[str, Any] = {"name": text["data"]}
    if text["data"].startswith(MARK):
        data["name"] = str(upload_path(store, text["data"]))
        data |= {"label_column": text["label_column"]} if text["label_column"] else {}
        keep = [name for name in map(str.strip, text["keep"].split(",")) if name]
        data |= {"keep": keep} if keep else {}
    elif text["data"] not in ("auto", *DATASETS):
        raise InputError("choose one of the known data sets, or upload a file of your own.")
    data["sample"] = "all" if text["sample"] == "all" else _whole(text, "sample")
    embed: dict[str, Any] = {"method": text["method"]}
    if text["method"] == "tsne":
        embed |= {"perplexity": _number(text, "perplexity"), "iterations": _whole(text, "iterations")}
    elif text["method"] == "umap":
        embed |= {"n_neighbors": _whole(text, "n_neighbors"), "min_dist": _number(text, "min_dist")}
    return make(
        {
            "data": data,
            "preprocess": text["preprocess"],
            "embed": embed,
            "engine": text["engine"],
            "cluster": {"n_clusters": _whole(text, "clusters")},
            "seed": _whole(text, "seed"),
        }
    )


def _number(text: Mapping[str, str], name: str) -> float:
    try:
        return float(text[name])
    except ValueError:
        raise InputError(f"{name.replace('_', ' ')} is {text[name][:40]!r}: give a number.") from None


def _whole(text: Mapping[str, str], name: str) -> int:
    try:
        return int(text[name])
    except ValueError:
        words = " or all" if name == "sample" else ""
        raise InputError(f"{name.replace('_', ' ')} is {text[name][:40]!r}: give a whole number{words}.") from None
