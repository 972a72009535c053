"""Rows of a stored run by the text of a selection, as the dashboard's address has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import arguments
from ..errors import InputError
from ..record import Run
from ..store import open_run
from .opened import Opened
from .selecting import Step, selected, step_from_text

if TYPE_CHECKING:
    import pandas as pd


def rows(run: Run | str | Path, select: str, folder: str | Path = "runs") -> pd.DataFrame:
    """The points of a run that a selection names.

    Parameters
    ----------
    run
        The run, or its path or name as `open_run` takes it.
    select
        Steps with semicolons between, one after the other: `=`, `+`, `-` or `&` (begin anew, add, take away, keep what
        is in both), a kind, a colon, and what it needs. `box:x0,x1,y0,y1` and `lasso:x,y,x,y,...` are in the map's
        units; `where:column=class,...` are the points that have of each column one of the classes named, `none` being
        no class and `yes` or `no` an answer, where the column `among` is the class of most neighbours on the map;
        `within:column=low~high,...` those within all of these limits, numbers or times such as `2024-05~2024-06`;
        `find:text` what the dashboard's search finds; `all:` all. It is what the dashboard shows under its selection.
    folder
        Where runs are stored, if `run` is a name.

    Returns
    -------
    pd.DataFrame
        Columns as `Run.points` has them, in its order.

    Raises
    ------
    InputError
        If there is no such run, a step cannot be read, it names a column or a class that is not there, or it was drawn
        on another run's map.

    Examples
    --------
    >>> gpu_pipeline.rows("mnist-tsne", "=where:label=4,among=9")  # doctest: +SKIP
    """
    opened_run = run if isinstance(run, Run) else open_run(run, folder)
    opened = Opened(opened_run.title()[0], opened_run.points, opened_run)
    mask = np.asarray(selected(steps_of(select), opened.n, opened.matching))
    found: pd.DataFrame = opened_run.points.loc[np.flatnonzero(mask)]
    return found


def steps_of(select: str) -> tuple[Step, ...]:
    """The steps of a selection; unlike an address, which anyone may have made up, it has to be right.

    Raises
    ------
    InputError
        If there is none, or one cannot be read or needs a second map.
    """
    steps = []
    for text in arguments.text(select, "the selection", "a text such as =where:label=4").split(";"):
        step = step_from_text(text)
        if step is None:
            raise InputError(
                f"the selection has a step that cannot be read, {text[:80]!r}: give steps such as =box:0,1,0,1, "
                "+where:label=4 or &within:price=0~10, with semicolons between."
            )
        if step.kind.endswith("2"):
            raise InputError(
                f"the step {text[:80]!r} was drawn on the other map of a comparison: select on this run's own map."
            )
        steps.append(step)
    return tuple(steps)
