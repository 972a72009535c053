"""Labels against clusters, the pairs confused most, and the points among another class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...render.text import cut_apart
from ..contrast import ink_on, mixed
from ..mistakes import Confusion, confusion, crossed
from ..opened import MOST_SOUGHT, Opened
from ..selecting import Pairs, Step, pairs_to_text
from ..views import hexadecimal, image_uri, page
from ..votes import NEIGHBORS
from .values import items

INTRUDERS = 60
WORST = 8

MOST_CELLS = 40
"""Labels or clusters beyond which a heat map is no picture any more."""

MOST_UPRIGHT = 3
"""Letters of a name that are no wider than a column of figures."""

HEAD_ROOM, LINE_ROOM = 88, 150
"""Pixels of a name over its column, where it stands turned, and before its line, in two rows, as the styles have it."""

PAPERS = {"light": (255, 255, 255), "dark": (35, 38, 46)}
AGREE = {"light": (26, 95, 180), "dark": (138, 184, 245)}
DIFFER = {"light": (176, 28, 0), "dark": (255, 155, 133)}
"""Colours of a cell without points and of one with all points of its label, for either theme."""


def mistakes(opened: Opened, chosen: Pairs) -> str:
    """The pane of mistakes.

    Parameters
    ----------
    chosen
        The cell that is selected, as (column, class) pairs; empty for none.
    """
    missing = [name for name in ("label", "cluster") if not opened.has_classes(name)]
    if missing:
        reason = f"The points have no {' and no '.join(missing)}s: there is nothing to be mistaken about."
        return page("confusion", heat=None, many="", worst=None, intruders=None, reason=reason)
    rows, columns = (
        len(opened.codes(column)[1].names) - (opened.absent(column) >= 0) for column in ("label", "cluster")
    )
    heat, many = None, ""
    if max(rows, columns) > MOST_CELLS:
        many = f"{rows:,} labels and {columns:,} clusters are too many for a heat map of at most {MOST_CELLS} each."
    else:
        heat = _heat(opened, opened.part("confusion", lambda: _confusion(opened)), chosen)
    if opened.ground is not None:
        reason = "Among which class of the map each placed point lies is its vote: search for label=4 and vote=9."
        return page("confusion", heat=heat, many=many, worst=None, intruders=None, reason=reason)
    if opened.n > MOST_SOUGHT:
        reason = f"Beyond {MOST_SOUGHT:,} points neighbours on the map are not sought, so that no more is known."
        return page("confusion", heat=heat, many=many, worst=None, intruders=None, reason=reason)
    worst, intruders = _worst(opened), _intruders(opened, chosen)
    return page("confusion", heat=heat, many=many, worst=worst, intruders=intruders, reason="")


def _confusion(opened: Opened) -> Confusion:
    (labels, label_key), (clusters, cluster_key) = (opened.codes(column) for column in ("label", "cluster"))
    table = crossed(labels, clusters, len(label_key.names), len(cluster_key.names))
    return confusion(table, opened.absent("label"), opened.absent("cluster"))


def _heat(opened: Opened, table: Confusion, chosen: Pairs) -> dict[str, Any]:
    """The heat map's columns and lines."""
    label_names, cluster_names = (opened.codes(column)[1].names for column in ("label", "cluster"))
    names = [label_names[code] for code in table.classes]
    means = opened.means("cluster")
    columns = [
        {
            "cluster": cluster_names[code],
            "title": names[table.owners[j]] if j < len(table.owners) else "-",
            "image": image_uri(means[cluster_names[code]]) if cluster_names[code] in means else "",
        }
        for j, code in enumerate(table.clusters)
    ]
    turned = max((len(column["title"]) for column in columns), default=0) > MOST_UPRIGHT
    for column, short in zip(columns, _short_names([column["title"] for column in columns], HEAD_ROOM), strict=True):
        column["short"] = short
    lines = _lines(table, names, columns, chosen)
    return {"columns": columns, "turned": turned, "lines": lines, "images": bool(means)}


def _lines(
    table: Confusion, names: Sequence[str], columns: Sequence[Mapping[str, str]], chosen: Pairs
) -> list[dict[str, Any]]:
    totals, short = np.maximum(table.counts.sum(axis=1), 1), _short_names(names, LINE_ROOM)
    lines = []
    for i, label in enumerate(names):
        cells = []
        for j, column in enumerate(columns):
            pairs = (("label", label), ("cluster", column["cluster"]))
            count = int(table.counts[i, j])
            cells.append(
                {
                    **column,
                    "count": count,
                    "text": _short(count),
                    "style": cell_style(count / totals[i], j < len(table.owners) and table.owners[j] == i),
                    "value": pairs_to_text(pairs),
                    "chosen": chosen == pairs,
                }
            )
        lines.append({"label": label, "short": short[i], "cells": cells})
    return lines


def _short_names(names: Sequence[str], room: int) -> list[str]:
    return cut_apart(names, 12, [room] * len(names))


def cell_style(share: float, right: bool) -> str:
    """Colours of a cell for both themes, shaded by the root of its share of the label, so that few are seen too.

    Parameters
    ----------
    share
        Points in the cell of all points of its label, 0 to 1; a cell without points has no colour of its own.
    right
        Whether the cell is agreement.
    """
    if not share:
        return ""
    full = AGREE if right else DIFFER
    papers = [mixed(np.array(PAPERS[theme]), np.array(full[theme]), float(np.sqrt(share))) for theme in PAPERS]
    pairs = zip(("background", "color"), (papers, [ink_on(paper) for paper in papers]), strict=True)
    return ";".join(f"{name}:light-dark({','.join(map(hexadecimal, colours))})" for name, colours in pairs)


def _worst(opened: Opened) -> list[dict[str, Any]]:
    """Pairs of a label and the class among which its points lie, those with the most points first."""
    codes, key = opened.codes("label")
    m = len(key.names)

    def count() -> tuple[np.ndarray, np.ndarray]:
        found = opened.strangers()
        pairs = codes[found].astype(np.int64) * m + opened.votes().among[found]
        return np.unique(pairs, return_counts=True)

    pairs, counts = opened.part("worst", count)
    order = np.argsort(-counts, kind="stable")[:WORST]
    return [
        {
            "label": key.names[label],
            "among": key.names[other],
            "count": n,
            "share": 100 * n / key.counts[label],
            "value": pairs_to_text((("label", key.names[label]), ("among", key.names[other]))),
        }
        for (label, other), n in ((divmod(int(pairs[i]), m), int(counts[i])) for i in order)
    ]


def _intruders(opened: Opened, chosen: Pairs) -> dict[str, Any]:
    """The points among another class, of the chosen cell or of all, the surest first."""
    found = opened.strangers()
    title = "Points among another class"
    if chosen:
        found = found[opened.matching(Step("new", "where", pairs=chosen))[found]]
        names = dict(chosen)
        if names.keys() == {"label", "among"}:
            title += f": {names['label']} among {names['among']}"
        else:
            title += f": {names['label']}" if names.keys() == {"label"} else " in this cell"
    codes, key = opened.codes("label")
    votes, places = opened.votes(), found[:INTRUDERS]
    named = np.union1d(codes[places], votes.among[places]).tolist()
    short = dict(zip(named, _short_names([key.names[code] for code in named], LINE_ROOM), strict=True))
    listed = []
    for item in items(opened, places.tolist()):
        own, other = int(codes[item["place"]]), int(votes.among[item["place"]])
        share = f"{votes.share[item['place']]:.0%} of its neighbours on the map are {key.names[other]}"
        listed.append({**item, "name": f"{short[own]} in {short[other]}", "tip": f"{item['tip']}, {share}"})
    return {"title": title, "k": NEIGHBORS, "items": listed, "total": len(found)}


def _short(count: int) -> str:
    return f"{count / 1000:.0f}k" if count >= 10_000 else str(count) if count else ""
