"""One interactive page of all samples, with Bokeh inside: nothing is fetched, and no text of a result is markup."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bokeh.embed import components
from bokeh.layouts import column, gridplot, row
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    CustomJS,
    FactorRange,
    GroupFilter,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.widgets import DataTable, NumberFormatter, Select, TableColumn
from bokeh.plotting import figure
from bokeh.resources import INLINE
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gpu_pipeline.errors import InputError
from gpu_pipeline.store import replace_file

from . import tables
from .cells import NOT_MEASURED, number, plain
from .figures import look, stage_colours
from .series import Panel
from .summary import MEASURES, TASKS, Line, Machine, waited

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

    from .report import Report

MARKERS = {
    "o": "circle", "D": "diamond", "s": "square", "^": "triangle", "v": "inverted_triangle", "P": "plus", "X": "x",
    "*": "star", "p": "hex", "h": "hex", "d": "diamond", "<": "triangle",
}  # fmt: skip
"""Matplotlib's marker -> Bokeh's."""

WIDTH = 1100
SHOWN = {"time": "time, baseline = 1", "processor": "processor time, baseline = 1", "seconds": "seconds on a GPU"} | {
    name: measure.heading for name, measure in MEASURES.items()
}
"""Columns of numbers -> heading."""


def write(report: Report, to: Path) -> Path:
    """Write the page, whole or not at all.

    Raises
    ------
    InputError
        If there is no such folder, or the file cannot be written.
    """
    if not to.parent.is_dir():
        raise InputError(f"there is no folder {to.parent}: give the path of a file in one that is there.")
    text = html(report)
    return replace_file(to, lambda draft: draft.write_text(text, encoding="utf-8"))


def html(report: Report) -> str:
    """The page as text."""
    from .report import CAPTIONS

    parts = [
        [("Samples", _explorer(machine))]
        + [
            (CAPTIONS[name], _DRAW[name](panels))
            for (where, name), panels in report.panels.items()
            if where == machine.name and name in _DRAW
        ]
        for machine in report.machines
    ]
    layouts = [layout for machine in parts for _, layout in machine]
    script, divs = components(layouts, wrap_script=True) if layouts else ("", ())
    there = iter(divs)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("html_report.html").render(
        machines=[
            {
                "name": machine.name,
                "phrase": tables.described(machine),
                "parts": [{"title": title, "div": next(there)} for title, _ in own],
            }
            for machine, own in zip(report.machines, parts, strict=True)
        ],
        sections=_sections(report.machines),
        bokeh_js=_bokeh(),
        bokeh_script=script,
    )


def _bokeh() -> str:
    """Bokeh itself as script, without the extensions of whatever else the process has imported."""
    return "\n".join(f"<script>{text}</script>" for text in INLINE.js_raw)


def _sections(machines: Sequence[Machine]) -> list[dict[str, Any]]:
    found = {TASKS[task]: tables.task_tables(machines, task) for task in TASKS}
    found |= {
        "Growth with the number of points": tables.growth_table(machines),
        "Where others are better": tables.beaten(machines),
        "What was not done": tables.not_done(machines),
        "What engines did otherwise than asked": tables.notes(machines),
        "Machines": tables.machine_table(machines),
    }
    return [{"title": title, "tables": there} for title, there in found.items() if there]


def _explorer(machine: Machine) -> LayoutDOM:
    """Every sample of a case as a mark, the figure on the vertical axis to choose, and the table of all samples."""
    names = list(dict.fromkeys(line.name for line in machine.lines))
    columns = _columns(machine)
    source = ColumnDataSource({**columns})
    cases: list[Any] = list(dict.fromkeys(line.case for line in machine.lines if line.samples)) or [""]
    figures: list[Any] = [(name, SHOWN[name]) for name in (*MEASURES, "processor", "seconds")]
    case = Select(title="Case", value=cases[0], options=cases, width=300)
    what = Select(title="Vertical axis", value="kl", options=figures, width=300)
    only = GroupFilter(column_name="case", group=cases[0])
    plot = figure(
        width=WIDTH, height=380, x_axis_type="log", tools="pan,wheel_zoom,box_zoom,tap,reset,save",
        x_axis_label=SHOWN["time"], y_axis_label=SHOWN["kl"],
    )  # fmt: skip
    for name in names:
        own = CDSView(filter=only & GroupFilter(column_name="engine", group=name))
        colour, marker = look(name, names)
        plot.scatter(
            "time", "y", source=source, view=own, size=11, marker=MARKERS[marker], line_color=colour, line_width=2,
            fill_color="white" if "@" in name else colour, legend_label=name, nonselection_alpha=0.35,
        )  # fmt: skip
    tips = [(heading, f"@{{{name}_text}}") for name, heading in SHOWN.items()]
    plot.add_tools(HoverTool(tooltips=[("engine", "@engine"), ("case", "@case"), ("seed", "@seed"), *tips]))
    plot.legend.click_policy, plot.toolbar.logo = "hide", None
    plot.add_layout(plot.legend[0], "right")
    heading = CustomJS(
        args={"source": source, "axis": plot.yaxis[0], "headings": SHOWN},
        code="source.data.y = source.data[this.value]; source.change.emit(); axis.axis_label = headings[this.value];",
    )
    what.js_on_change("value", heading)
    chosen = CustomJS(args={"only": only, "source": source, "what": what}, code=_CHOSEN)
    case.js_on_change("value", chosen)
    return column(row(case, what), plot, _table(source, columns))


_CHOSEN = """
only.group = this.value;
const rows = [...source.data.case.keys()].filter((i) => source.data.case[i] == this.value);
const there = (name) => rows.some((i) => isFinite(source.data[name][i]));
if (!there(what.value)) what.value = what.options.map(([name]) => name).find(there) ?? what.value;
"""
"""Show the case that was chosen, and by a figure that it has."""


def _columns(machine: Machine) -> dict[str, list[Any]]:
    """A column for each figure, as a number to plot and to sort and as text to read; refusals are rows too."""
    rows = [row for line in machine.lines for row in (*_samples(line), *_troubles(line))]
    found: dict[str, list[Any]] = {key: [row.get(key) for row in rows] for key in ("case", "engine", "seed", "status")}
    found["reason"] = [plain(row.get("reason", "")) for row in rows]
    for name in SHOWN:
        values = [row.get(name) for row in rows]
        digits = MEASURES[name].digits if name in MEASURES else 3
        found[name] = [float("nan") if value is None else value for value in values]
        found[f"{name}_text"] = [NOT_MEASURED if value is None else number(value, digits) for value in values]
    return found | {"y": found["kl"]}


def _samples(line: Line) -> list[dict[str, Any]]:
    found = []
    for sample, time, processor in zip(line.samples, line.times, line.processors, strict=True):
        values = {name: line.value(sample, name) for name in MEASURES}
        seconds = waited(sample) if line.device != "cpu" else None
        found.append({**_named(line), "seed": sample["seed"], "status": "done", **values, "seconds": seconds})
        found[-1] |= {"time": time, "processor": processor}
    return found


def _troubles(line: Line) -> list[dict[str, Any]]:
    return [{**_named(line), "status": status, "reason": reason} for status, reason in line.troubles]


def _named(line: Line) -> dict[str, Any]:
    return {"case": line.case, "engine": line.name}


def _table(source: ColumnDataSource, columns: dict[str, list[Any]]) -> DataTable:
    widths = {"case": 230, "engine": 150, "status": 80}
    words = [TableColumn(field=name, title=name, width=width) for name, width in widths.items()]
    numbers = [
        TableColumn(
            field=name,
            title=heading,
            width=max(80, 8 * len(heading)),
            formatter=NumberFormatter(
                format=f"0,0.{'0' * (MEASURES[name].digits if name in MEASURES else 3)}".removesuffix("."),
                text_align="right",
                nan_format=NOT_MEASURED,
            ),
        )
        for name, heading in SHOWN.items()
        if not all(math.isnan(value) for value in columns[name])
    ]
    reason = TableColumn(field="reason", title="reason", width=600)
    return DataTable(
        source=source, columns=[*words, *numbers, reason], width=WIDTH, height=420,
        index_position=None, reorderable=False, autosize_mode="none",
    )  # fmt: skip


def _growth(panels: list[Panel]) -> LayoutDOM:
    plots: list[Any] = []
    for panel in panels:
        lines = {
            f"{name}, slope {line['slope']:.2f}": (name, [(n, t) for n, t in line["points"]])
            for name, line in panel["series"].items()
        }
        plot = _lines(panel, lines, ("points", f"time, {panel['unit']}"), "log")
        plot.xaxis.ticker = sorted({n for line in panel["series"].values() for n, _ in line["points"]})
        plot.xaxis.formatter = NumeralTickFormatter(format="0a")
        plots.append(plot)
    return gridplot(plots, ncols=2, merge_tools=False, toolbar_options={"logo": None})


def _progress(panels: list[Panel]) -> LayoutDOM:
    plots: list[Any] = []
    for panel in panels:
        lines = {name: (name, [(t, kl) for t, kl, _ in points]) for name, points in panel["series"].items()}
        plots.append(_lines(panel, lines, (f"time, {panel['unit']}", "KL"), "linear"))
    return gridplot(plots, ncols=2, merge_tools=False, toolbar_options={"logo": None})


def _lines(panel: Panel, lines: dict[str, tuple[str, list[Any]]], labels: tuple[str, str], scale: Any) -> figure:
    """A plot of named lines; `labels` are those of the axes."""
    plot = figure(
        title=panel["title"], width=WIDTH // 2, height=340, x_axis_type="log", y_axis_type=scale,
        x_axis_label=labels[0], y_axis_label=labels[1], tools="pan,wheel_zoom,reset,save",
    )  # fmt: skip
    names = [name for name, _ in lines.values()]
    for label, (name, points) in lines.items():
        colour, marker = look(name, names)
        x, y = zip(*points, strict=True)
        source = ColumnDataSource({"x": x, "y": y, "name": [name] * len(x)})
        plot.line("x", "y", source=source, color=colour, line_dash="dashed" if "@" in name else "solid", line_width=2,
                  legend_label=label)  # fmt: skip
        plot.scatter("x", "y", source=source, marker=MARKERS[marker], size=8, line_color=colour,
                     fill_color="white" if "@" in name else colour, legend_label=label)  # fmt: skip
    tips = [("", "@name"), (labels[0], "@x{0,0.[000]}"), (labels[1], "@y{0,0.000}")]
    plot.add_tools(HoverTool(tooltips=tips))
    plot.add_layout(plot.legend[0], "below")
    plot.toolbar.logo = None
    plot.legend.click_policy, plot.legend.ncols = "hide", 2
    return plot


def _stages(panels: list[Panel]) -> LayoutDOM:
    stages = list(dict.fromkeys(s for panel in panels for line in panel["series"].values() for s in line["shares"]))
    plots: list[Any] = []
    for panel in panels:
        names = list(panel["series"])
        shares = {s: [panel["series"][name]["shares"].get(s, 0.0) for name in names] for s in stages}
        plot = figure(
            title=panel["title"], width=WIDTH // 2, height=150 + 26 * len(names), y_range=FactorRange(*names[::-1]),
            x_axis_label="share of its own time", tools="save", x_range=Range1d(start=0, end=1),
        )  # fmt: skip
        colours = list(stage_colours(stages).values())
        plot.hbar_stack(
            stages, y="name", height=0.7, color=colours, line_color="white", legend_label=stages,
            source=ColumnDataSource({"name": names, **shares}),
        )  # fmt: skip
        plot.add_tools(HoverTool(tooltips=[("", "@name"), ("stage", "$name"), ("share", "@$name{0.0%}")]))
        plot.add_layout(plot.legend[0], "below")
        plot.toolbar.logo = None
        plot.legend.ncols = 4
        plots.append(plot)
    return gridplot(plots, ncols=2, merge_tools=False, toolbar_options={"logo": None})


_DRAW = {"growth": _growth, "progress": _progress, "stages": _stages}
