"""One run of one engine, in a process that does nothing else.

    python -m benchmarks.child FOLDER

FOLDER has `asked.json`; `outcome.json` and the arrays that were made are put beside it. The outcome is written again
after each phase, so that of a process that is killed it is known how far it came.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from .work import Engine, Job

WARM_ROWS, WARM_ITERATIONS = 5_000, 50
"""What is done beforehand, so that all is compiled: umap-learn takes other ways below 4,096 rows."""


def main() -> None:
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    _settle(asked["threads"])
    # Only now: libraries count the processors when they are imported.
    from gpu_pipeline.errors import EngineFailed, InputError, Unavailable, Unsupported

    from .work import Refused

    outcome: dict[str, Any] = {}
    # Whatever else goes wrong ends the process with its traceback, whose last line is the reason.
    try:
        _work(asked, folder, outcome)
        outcome |= {"status": "done", "reason": None}
    except (Refused, Unsupported) as refused:
        outcome |= {"status": "refused", "reason": str(refused)}
    except Unavailable as unavailable:
        outcome |= {"status": "unavailable", "reason": str(unavailable)}
    except (EngineFailed, InputError) as failed:
        outcome |= {"status": "failed", "reason": str(failed)}
    except MemoryError as error:
        outcome |= {"status": "failed", "reason": f"out of memory: {error}"}
    _write(folder, outcome)


def _settle(threads: int) -> None:
    """Use so many processors, die with the parent, and be the first to go where the computer's memory runs out."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")


def _work(asked: dict[str, Any], folder: Path, outcome: dict[str, Any]) -> None:
    """Load, warm up, transfer, run, fetch; `outcome` is filled on the way."""
    import numpy as np

    from gpu_pipeline.timing import Stopwatch

    from .cases import Case
    from .memory import DeviceMemory, HostMemory, Processors
    from .work import Job

    case, watch = Case(**asked["case"]), Stopwatch()
    engine = _engine(asked["table"], case.task, asked["engine"], asked["device"])
    outcome["seconds"] = watch.seconds
    with watch.measure("load"):
        arrays = {name: np.load(path, allow_pickle=False) for name, path in asked["inputs"].items()}
        X = arrays.pop(case.input)
    job = Job(case.method(), asked["seed"], arrays.get("labels", arrays.get("classes")), arrays.get("start"))
    _write(folder, outcome)
    with watch.measure("warm_up", engine.sync):
        _warm_up(engine, X[:, :WARM_ROWS] if case.input == "points" else X[:WARM_ROWS], job)
    _write(folder, outcome)
    with watch.measure("transfer", engine.sync):
        held = engine.put(X)
    _write(folder, outcome)
    host, device, processors = HostMemory(), DeviceMemory(engine.device), Processors()
    with host, device, processors, watch.measure("run", engine.sync):
        made = engine.run(held, job)
    watch.seconds["run"] -= made.apart
    with watch.measure("fetch", engine.sync):
        results = _fetched(engine, made.arrays)
    for name, array in results.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    # What was done apart from the work used processors and memory too.
    outcome |= {
        "stages": dict(made.stages),
        "notes": list(made.notes),
        "cpu_seconds": None if made.apart else processors.seconds,
        "memory": {"host": None if made.apart else host.above, "device": device.above},
    }


def _engine(table: str, task: str, name: str, device: str) -> Engine:
    from gpu_pipeline.errors import EngineFailed, Unavailable

    known = importlib.import_module(table).ENGINES[task]
    if name not in known:
        raise Unavailable(f"this version has no engine {name} for {task}")
    engine: Engine = known[name]()
    if engine.device != device:
        raise EngineFailed(f"it works on {engine.device}, not on {device}")
    return engine


def _warm_up(engine: Engine, X: np.ndarray, job: Job) -> None:
    """The same work on the first rows, with few iterations."""
    from gpu_pipeline.methods import TSNE, UMAP
    from gpu_pipeline.recipe import Recipe

    settings = job.settings
    if isinstance(settings, Recipe):
        embed = settings.embed.model_copy(update={"iterations": 250 + WARM_ITERATIONS})
        settings = settings.model_copy(update={"embed": embed})
    elif isinstance(settings, TSNE):
        # Both phases, the first as long as the case's: scikit-learn's cannot be shorter.
        early, late = settings.phases()
        both = {"iterations": early + min(late, WARM_ITERATIONS), "early_iterations": early}
        settings = settings.model_copy(update=both)
    elif isinstance(settings, UMAP):
        settings = settings.model_copy(update={"n_epochs": 20})
    few = replace(job, settings=settings, labels=_first(job.labels), start=_first(job.start))
    _fetched(engine, engine.run(engine.put(X), few).arrays)


def _first(rows: np.ndarray | None) -> np.ndarray | None:
    return None if rows is None else rows[:WARM_ROWS]


def _fetched(engine: Engine, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: engine.get(array) for name, array in arrays.items()}


def _write(folder: Path, outcome: dict[str, Any]) -> None:
    draft = folder / "outcome.draft"
    draft.write_text(json.dumps(outcome))
    draft.replace(folder / "outcome.json")


if __name__ == "__main__":
    main()
