"""How far a run is, for whoever looks: on the terminal, and as a page and a JSON file beside the work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engines import Progress
from ..steps import Observer
from ..store import replace_file
from ..timing import now, seconds
from .kept import read_json, write_json
from .source import Partition

STEPS = ("survey", "embed", "place", "cluster", "score", "table", "draw")
"""The steps of a run, in their order."""

_EVERY = 1.0  # Seconds between two writings of the page.
_RECENT = 64  # Partitions over which the rate is taken.

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>{{ name }}</title>
<style>body{font:16px/1.5 sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem;color:#222}
td{padding:.2rem 1.5rem .2rem 0}progress{width:100%;height:1.2rem}.now{font-weight:bold}</style>
<h1>{{ name }}</h1>
<p>{{ step }}: {{ done }}{% if total %} of {{ total }}{% endif %} partitions
{%- if rate %}, {{ rate }} rows a second{% endif %}
{%- if left %}, about {{ left }} left in this step{% endif %}.</p>
<progress{% if total %} value="{{ done }}" max="{{ total }}"{% endif %}></progress>
<table>{% for each in steps %}
<tr class="{{ 'now' if each.step == step }}"><td>{{ each.step }}</td><td>{{ each.state }}</td>
<td>{{ each.seconds }}</td></tr>{% endfor %}</table>
{% if dashboard %}<p>Dask's own dashboard: <a href="{{ dashboard }}">{{ dashboard }}</a></p>{% endif %}
<p>Written {{ updated }} UTC. If the run was ended, the same command goes on from here.</p></html>
"""


@dataclass
class Watch:
    """Tells how far a run is, and keeps the seconds of its steps over several processes.

    Attributes
    ----------
    folder
        Of the work.
    name
        What is worked on, for the page.
    observer
        Who is told, beside the page.
    dashboard
        Address of Dask's dashboard, or empty.
    spent
        Step -> seconds so far, those of earlier processes included.
    """

    folder: Path
    name: str
    observer: Observer
    dashboard: str = ""
    spent: dict[str, float] = field(default_factory=dict)
    _written: float = -_EVERY

    def __post_init__(self) -> None:
        self.spent = {step: float(value) for step, value in read_json(self.folder / "seconds.json").items()}

    @contextmanager
    def step(
        self, name: str, partitions: int | None = 1, passes: int = 1
    ) -> Iterator[Callable[[Partition, Any], None]]:
        """A step; the block is given what to call with each partition that is done.

        Parameters
        ----------
        name
            One of `STEPS`.
        partitions, passes
            How often that will be: partitions times passes; None if it is not known.
        """
        state = _Step(name, None if partitions is None else partitions * passes)
        self.observer.begin(name, None)
        self._write(state, always=True)
        start, kept = seconds(), self.spent.get(name, 0.0)

        def done(partition: Partition, result: Any) -> None:
            state.add(partition.rows)
            rate = state.rate()
            self.observer.progress(name, Progress(done=state.done, total=state.total, rows_a_second=rate))
            self._keep(name, kept + seconds() - start)
            self._write(state)

        try:
            yield done
        finally:
            self.spent[name] = kept + seconds() - start
        self._keep(name, self.spent[name], always=True)
        self.observer.end(name, self.spent[name])

    def _keep(self, name: str, value: float, always: bool = False) -> None:
        self.spent[name] = value
        if always or seconds() - self._written > _EVERY:
            write_json(self.folder / "seconds.json", self.spent)

    def _write(self, state: _Step, always: bool = False) -> None:
        if not always and seconds() - self._written < _EVERY:
            return
        self._written = seconds()
        rate = state.rate()
        values = {
            **{"name": self.name, "step": state.name, "partitions_done": state.done, "partitions": state.total},
            **{"rows_a_second": rate, "seconds_left": state.left(), "seconds": self.spent},
            **{"dashboard": self.dashboard, "updated": now()},
        }
        write_json(self.folder / "progress.json", values)
        page = _page(state, values)
        replace_file(self.folder / "progress.html", lambda draft: draft.write_text(page, encoding="utf-8"))


@dataclass
class _Step:
    name: str
    total: int | None
    done: int = 0
    recent: deque[tuple[float, int]] = field(default_factory=lambda: deque([(seconds(), 0)], _RECENT))

    def add(self, rows: int) -> None:
        self.done += 1
        self.recent.append((seconds(), rows))

    def rate(self) -> float | None:
        """Rows a second over the last partitions."""
        (first, _), (last, _) = self.recent[0], self.recent[-1]
        rows = sum(rows for _, rows in list(self.recent)[1:])
        return rows / (last - first) if last > first else None

    def left(self) -> float | None:
        """Seconds to the end of the step."""
        if self.total is None:
            return None
        (first, _), (last, _) = self.recent[0], self.recent[-1]
        return (last - first) / (len(self.recent) - 1) * (self.total - self.done) if last > first else None


def _page(state: _Step, values: dict[str, Any]) -> str:
    from jinja2 import Environment

    here = STEPS.index(state.name)
    steps = [
        {
            "step": step,
            "state": "done" if i < here else "under way" if i == here else "",
            "seconds": _duration(values["seconds"].get(step)),
        }
        for i, step in enumerate(STEPS)
    ]
    rate = values["rows_a_second"]
    return (
        Environment(autoescape=True)
        .from_string(_PAGE)
        .render(
            name=values["name"],
            step=state.name,
            done=state.done,
            total=state.total,
            rate=f"{rate:,.0f}" if rate else "",
            left=_duration(values["seconds_left"]),
            steps=steps,
            dashboard=values["dashboard"],
            updated=values["updated"][:19].replace("T", " "),
        )
    )


def _duration(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min" if value < 7_200 else f"{value / 3_600:.1f} h"
