"""What works on this computer and what does not, with the reasons: `gpu-pipeline doctor`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from . import machine
from .engines import ENGINES, NAMES, candidates, tried
from .errors import InputError, Unavailable


def examine(data_dir: str | Path | None = None) -> dict[str, Any]:
    """The doctor's findings, as JSON-serialisable values.

    Parameters
    ----------
    data_dir
        The first folder to search for data sets.

    Returns
    -------
    `machine` (see `machine.facts`), `engines` (`engine`, `device`, `usable`, `reason`, `methods` of each),
    `default` (method -> the engine that "auto" takes), `data` (`name`, `path`, `note` of each data set) and
    `warnings` (sentences).
    """
    from .datasets import locate

    tried.forget()  # Who asks wants to know how it is now.
    engines = [_engine(name) for name in NAMES]
    usable = {engine["engine"] for engine in engines if engine["usable"]}
    facts = machine.facts()
    return {
        "machine": facts,
        "engines": engines,
        "default": {method: next((name for name in candidates(method) if name in usable), None) for method in ENGINES},
        "data": [
            {"name": name, "path": None if path is None else str(path), "note": note}
            for name, path, note in locate(data_dir)
        ],
        "warnings": _warnings(facts),
    }


def _engine(name: str) -> dict[str, Any]:
    """State of one engine."""
    package = f"{__package__}.engines"
    device, reason = None, None
    try:
        module = importlib.import_module(f"{package}.{name}")
        device = module.DEVICE
        module.check()
    except (InputError, Unavailable) as obstacle:
        reason = str(obstacle)
    except ImportError as error:
        if str(error.name).startswith(__package__):
            raise
        reason = f"a library cannot be imported: {error}"
    return {
        "engine": name,
        "device": device,
        "usable": reason is None,
        "reason": reason,
        "methods": [method for method, names in ENGINES.items() if name in names],
    }


def _warnings(facts: dict[str, Any]) -> list[str]:
    """What would make a run differ from what its record says."""
    found = []
    if facts["environment"].get("CUML_ACCEL_ENABLED", "").lower() in ("1", "true"):
        found.append(
            "CUML_ACCEL_ENABLED is set: where cuML is installed it takes the place of scikit-learn and umap-learn, so "
            "that the CPU engines do not run on the CPU, and break where there is no GPU; unset it."
        )
    return found


def show(findings: dict[str, Any]) -> None:
    """Print what `examine` found."""
    from .report import table

    facts = findings["machine"]
    table([{"machine": name, "": value} for name, value in _machine_lines(facts).items()])
    print()
    table(
        [
            {
                "engine": engine["engine"],
                "device": engine["device"],
                "state": "ready" if engine["usable"] else "not usable",
                "default for": ", ".join(m for m, name in findings["default"].items() if name == engine["engine"]),
                "reason": engine["reason"] or "",
            }
            for engine in findings["engines"]
        ]
    )
    print()
    table([{"data set": data["name"], "at": data["path"], "note": data["note"]} for data in findings["data"]])
    print()
    table([{"library": name, "version": version} for name, version in facts["versions"].items()])
    for sentence in findings["warnings"]:
        print(f"warning: {sentence}")


def _machine_lines(facts: dict[str, Any]) -> dict[str, str]:
    """The machine in words."""
    gpu = facts["gpu"]
    lines = {
        "system": f"{facts['os']} ({facts['architecture']})",
        "processor": f"{facts['cpu'] or 'unknown'}; {facts['threads']} threads for this process",
        "memory": f"{facts['memory'] / 2**30:.1f} GiB",
        "python": facts["python"],
        "gpu-pipeline": facts["package"] + (f", commit {facts['commit']}" if facts["commit"] else ""),
        "driver": facts["gpu_reason"] or "",
        "GPU": "none that can be used",
    }
    if gpu is not None:
        cuda = f"{gpu['cuda'] // 1000}.{gpu['cuda'] % 1000 // 10}"
        lines["driver"] = f"{gpu['driver'] or 'version unknown'}, CUDA up to {cuda}"
        lines["GPU"] = (
            f"{gpu['name']}, {gpu['memory'] / 2**30:.1f} GiB, compute capability "
            f"{'.'.join(map(str, gpu['capability']))}" + (f"; {gpu['count']} visible" if gpu["count"] > 1 else "")
        )
    return lines | {f"${name}": value for name, value in facts["environment"].items()}
