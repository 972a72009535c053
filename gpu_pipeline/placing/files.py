"""A reference on disk: plain arrays, and one JSON file that names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..preprocess import Preparation
from .parts import Axes

if TYPE_CHECKING:
    from .reference import Reference

SCHEMA = 1
"""Version of a stored reference's form."""

FILE = "reference.json"
"""The file that names the others."""


def write(reference: Reference, folder: Path, rows: bool) -> None:
    """See `Reference.save`."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {**reference.index.arrays(), "usual": reference.usual}
    if rows:
        arrays |= {"centred": reference.index.X, "embedding": reference.embedding}
    for name, axes in (("reduction", reference.reduction), ("map", reference.map_axes)):
        if axes is not None:
            arrays |= {f"{name}-mean": axes.mean, f"{name}-axes": axes.axes}
    if reference.offset is not None:
        arrays["offset"] = reference.offset
    preparation = None
    if reference.preparation is not None:
        preparation, columns = reference.preparation.parts()
        arrays |= columns
    values: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: getattr(reference, name) for name in ("method", "perplexity", "exaggeration", "far")},
        "preparation": preparation,
        "field": None,
    }
    field, widths = reference.field, reference.widths
    if field is not None and widths is not None:
        arrays |= {"potential": field.potential, "beta": widths.beta, "level": widths.level}
        values["field"] = {name: value for name, value in vars(field).items() if name != "potential"}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    text = json.dumps({**values, "arrays": sorted(arrays)}, indent=1, allow_nan=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(folder: Path, features: np.ndarray | None, embedding: np.ndarray | None) -> dict[str, Any]:
    """The attributes of the `Reference` in a folder; see `Reference.load`."""
    if not (folder / FILE).is_file():
        raise InputError(f"there is no reference in {folder}: make its run again.")
    try:
        return _read(folder, features, embedding)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the reference in {folder} cannot be read ({error}): make its run again.") from None


def _read(folder: Path, features: np.ndarray | None, embedding: np.ndarray | None) -> dict[str, Any]:
    from ..engines.mesh import index, place
    from ..engines.mesh.affinities import Widths

    values = json.loads((folder / FILE).read_text(encoding="utf-8"))
    if values["schema"] != SCHEMA:
        raise ValueError(f"its form is {values['schema']}, this program reads {SCHEMA}")
    arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in values["arrays"]}
    kept = {name: arrays[name] for name in index.KEPT}
    centred = arrays["centred"] if features is None else np.asarray(features, dtype=np.float32) - kept["center"]
    embedding = np.ascontiguousarray(arrays["embedding"] if embedding is None else embedding, dtype=np.float32)
    if not len(centred) == len(embedding) == len(kept["order"]):
        raise ValueError(f"it is of {len(kept['order']):,} rows, but there are {len(centred):,} and {len(embedding):,}")
    attributes = {name: values[name] for name in ("method", "perplexity", "exaggeration", "far")}
    attributes |= {
        "index": index.restore(centred, kept),
        "embedding": embedding,
        "usual": arrays["usual"],
        "offset": arrays.get("offset"),
    }
    for name, prefix in (("reduction", "reduction"), ("map_axes", "map")):
        if f"{prefix}-mean" in arrays:
            attributes[name] = Axes(arrays[f"{prefix}-mean"], arrays[f"{prefix}-axes"])
    if values["preparation"] is not None:
        attributes["preparation"] = Preparation.from_parts(values["preparation"], arrays)
    if values["field"] is not None:
        attributes["field"] = place.Field(arrays["potential"], **_tuples(values["field"]))
        attributes["widths"] = Widths(arrays["beta"], arrays["level"])
    return attributes


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Lists of JSON as the tuples that they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
