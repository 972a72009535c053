"""The figures of docs/benchmarks.md, drawn by Matplotlib as SVG, each with the digest of its numbers inside.

Engines differ in colour and in marker; the colours are those of Okabe and Ito (2008), which colour-blind people tell
apart. The paper stays white, so that a figure reads the same on a light and on a dark page. Only drawing needs
Matplotlib: the check compares digests.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu_pipeline.errors import InputError

from .cells import ratio
from .series import Panel, digest
from .summary import REST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENGINES = {
    "mesh": ("#0072B2", "o"),
    "rapids": ("#009E73", "D"),
    "scikit_learn": ("#D55E00", "s"),
    "scikit_learn_intelex": ("#E69F00", "^"),
    "opentsne": ("#CC79A7", "v"),
    "umap_learn": ("#56B4E9", "P"),
    "umap_learn_mesh": ("#0072B2", "P"),
    "pacmap": ("#000000", "X"),
    "faiss": ("#666666", "*"),
    "umap_learn_threads": ("#009E73", "p"),
    "render": ("#0072B2", "o"),
    "datashader": ("#D55E00", "s"),
}
"""Engine -> colour and marker; others take what is left."""

SPARE = (("#8C6D31", "p"), ("#5B4B8A", "h"), ("#7F7F7F", "d"), ("#4D7F17", "<"))
STAGES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
GREY = "#c4c8cf"
WIDTH, NARROW = 8.8, 5.5
"""Inches; a page of GitHub shows 880 pixels. A figure of one panel is narrow."""

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gpu_pipeline",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.markersize": 5.5,
    "lines.linewidth": 1.4,
}


def look(name: str, others: Sequence[str] = ()) -> tuple[str, str]:
    """Colour and marker of an engine; `others` are all engines of the figure, among which the unknown ones choose."""
    engine = re.split(r"[@,]", name)[0]
    unknown = sorted({re.split(r"[@,]", other)[0] for other in others} - set(ENGINES))
    return ENGINES.get(engine) or SPARE[unknown.index(engine) % len(SPARE) if engine in unknown else 0]


def stage_colours(stages: Sequence[str]) -> dict[str, str]:
    """Stage -> colour; what is not told apart is grey."""
    known = [stage for stage in stages if stage != REST]
    return {stage: GREY if stage == REST else STAGES[known.index(stage) % len(STAGES)] for stage in stages}


def svg(name: str, panels: list[Panel]) -> str:
    """The figure `name` of `series.FIGURES`.

    Raises
    ------
    InputError
        If Matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError as missing:
        if missing.name != "matplotlib":
            raise
        raise InputError("figures are drawn by Matplotlib, which is not there: pip install '.[bench]'.") from missing
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_STYLE}):
        figure = _DRAW[name](panels)
        text = io.StringIO()
        about = {"Date": None, "Creator": None, "Description": f"sha256:{digest(panels)}"}
        figure.savefig(text, format="svg", metadata=about)
    return re.sub(r" +$", "", text.getvalue(), flags=re.MULTILINE)


def digest_of(path: Path) -> str | None:
    """The digest in a figure's file; None if there is no such file, or none in it."""
    if not path.is_file():
        return None
    found = re.search(r"sha256:([0-9a-f]{64})", path.read_text(encoding="utf-8"))
    return found[1] if found else None


def _grid(panels: Sequence[Panel], columns: int, height: float, head: float) -> tuple[Figure, list[Axes]]:
    """A figure with an axis a panel, and `head` inches above them for the legend."""
    from matplotlib.figure import Figure

    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    width = WIDTH if columns > 1 else NARROW
    total = rows * height + head
    figure = Figure(figsize=(width, total), layout="constrained", facecolor="white")
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - head / total), hspace=0.06, wspace=0.04)  # type: ignore[union-attr]
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[len(panels) :]:
        spare.set_visible(False)
    return figure, list(axes[: len(panels)])


def _titled(ax: Axes, panel: Panel) -> None:
    ax.set_title(panel["title"], loc="left", fontweight="bold")


def _names(panels: Iterable[Panel]) -> list[str]:
    return list(dict.fromkeys(name for panel in panels for name in panel["series"]))


def _drawn(name: str, names: Sequence[str]) -> dict[str, Any]:
    """What a GPU drew is hollow and dashed."""
    colour, marker = look(name, names)
    if name.endswith(", UMAP"):
        marker = "P"  # the same engine's t-SNE may stand beside it
    fill = "white" if "@" in name else colour
    return {"color": colour, "marker": marker, "markerfacecolor": fill, "linestyle": "--" if "@" in name else "-"}


def _legend(figure: Figure, names: Sequence[str], bare: bool) -> None:
    """One legend above all panels; `bare` leaves the lines away."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **{**_drawn(n, names), **({"linestyle": ""} if bare else {})}, label=n) for n in names]
    figure.legend(handles=handles, loc="upper left", ncols=_ncols(figure.get_figwidth()), fontsize=8.5)


def _ncols(width: float) -> int:
    return 5 if width == WIDTH else 3


def _head(names: Sequence[str], panels: Sequence[Panel]) -> float:
    """Inches that the legend takes."""
    return 0.1 + 0.2 * -(-len(names) // _ncols(WIDTH if len(panels) > 1 else NARROW))


def _plain_ticks(ax: Axes, which: str) -> None:
    """1, 10, 0.1 instead of powers, as few as read well."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = axis.get_view_interval()
    few = high / low > 12
    axis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(_tick))
    axis.set_minor_locator(NullLocator())


def _tick(value: float, _: int) -> str:
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if value >= unit:
            return f"{value / unit:g}{letter}"
    return f"{value:g}"


def _growth(panels: list[Panel]) -> Figure:
    names = _names(panels)
    figure, axes = _grid(panels, 2, 2.6, 0.05)
    for ax, panel in zip(axes, panels, strict=True):
        for name, line in panel["series"].items():
            ax.plot(*zip(*line["points"], strict=True), **_drawn(name, names), label=f"{name}, {line['slope']:.2f}")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.margins(y=0.08)
        _titled(ax, panel)
        ax.set_xlabel("points")
        ax.set_ylabel(f"time, {panel['unit']}")
        ax.set_xticks(_sizes(panel))
        ax.set_xticks([], minor=True)
        ax.xaxis.set_major_formatter(_tick)
        _plain_ticks(ax, "y")
        ax.legend(fontsize=7, title="slope", title_fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _sizes(panel: Panel) -> list[int]:
    return sorted({n for line in panel["series"].values() for n, _ in line["points"]})


def _trade(panels: list[Panel]) -> Figure:
    names = _names(panels)
    measures = {panel["measure"]: [p for p in panels if p["measure"] == panel["measure"]] for panel in panels}
    figure, axes = _grid(panels, max(map(len, measures.values())), 2.5, _head(names, panels))
    for ax, panel in zip(axes, panels, strict=True):
        front = [panel["series"][name] for name in panel["front"]]
        ax.plot(*zip(*front, strict=True), color="#b9bfca", linewidth=1, drawstyle="steps-post", zorder=1)
        ax.plot(*zip(*front, strict=True), "o", color="#dfe3ea", markersize=12, zorder=1)
        for name, (time, quality) in panel["series"].items():
            ax.plot([time], [quality], **{**_drawn(name, names), "linestyle": ""})
        ax.set_xscale("log")
        ax.margins(0.12)
        _titled(ax, panel)
        ax.set_xlabel(f"time, {panel['unit']}")
        ax.set_ylabel(f"{panel['measure']}, {'lower' if panel['measure'] == 'KL' else 'higher'} is better")
        _plain_ticks(ax, "x")
    _legend(figure, names, bare=True)
    return figure


def _progress(panels: list[Panel]) -> Figure:
    names = _names(panels)
    figure, axes = _grid(panels, 3, 3, _head(names, panels))
    for ax, panel in zip(axes, panels, strict=True):
        for name, points in panel["series"].items():
            times, kls, iterations = zip(*points, strict=True)
            ax.plot(times, kls, **_drawn(name, names))
            for i in (0, len(points) - 1):
                ax.annotate(f"{iterations[i]:,}", (times[i], kls[i]), (3, 4), textcoords="offset points", fontsize=6.5)
        ax.set_xscale("log")
        ax.margins(0.08)
        _titled(ax, panel)
        ax.set_xlabel(f"time, {panel['unit']}")
        ax.set_ylabel("KL, lower is better")
        _plain_ticks(ax, "x")
    _legend(figure, names, bare=False)
    return figure


def _stages(panels: list[Panel]) -> Figure:
    from matplotlib.patches import Patch

    stages = list(dict.fromkeys(s for panel in panels for line in panel["series"].values() for s in line["shares"]))
    colours = stage_colours(stages)
    most = max(len(panel["series"]) for panel in panels)
    figure, axes = _grid(panels, 2, 0.75 + 0.24 * most, _head(stages, panels))
    for ax, panel in zip(axes, panels, strict=True):
        for y, line in enumerate(panel["series"].values()):
            left = 0.0
            for stage, share in line["shares"].items():
                ax.barh(y, share, left=left, color=colours[stage], edgecolor="white", linewidth=0.7, height=0.72)
                left += share
            if line["time"] is not None:
                ax.annotate(f"\N{MULTIPLICATION SIGN} {ratio(line['time'])}", (1.02, y), va="center", fontsize=8)
        ax.set_yticks(range(len(panel["series"])), list(panel["series"]))
        ax.invert_yaxis()
        ax.set_xlim(0, 1.16)
        ax.set_xticks([0, 0.5, 1], ["0", "half", "all of its time"])
        ax.grid(axis="y", visible=False)
        _titled(ax, panel)
    figure.legend(
        handles=[Patch(color=c, label=s) for s, c in colours.items()],
        loc="upper left",
        ncols=_ncols(figure.get_figwidth()),
    )
    return figure


_DRAW = {"growth": _growth, "trade": _trade, "progress": _progress, "stages": _stages}
