"""The doctor says of every engine whether it can be used, and why not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from gpu_pipeline import doctor
from gpu_pipeline.engines import ENGINES, NAMES, rapids
from gpu_pipeline.errors import Unavailable


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> str:
    """The reason of a computer without a driver, on any computer."""
    reason = "no NVIDIA driver (libcuda.so.1 not found)"

    def check() -> None:
        raise Unavailable(reason)

    monkeypatch.setattr(rapids, "check", check)
    return reason


def test_findings_survive_json() -> None:
    findings = doctor.examine()
    assert json.loads(json.dumps(findings)) == findings


def test_every_engine_has_a_state() -> None:
    engines = {engine["engine"]: engine for engine in doctor.examine()["engines"]}
    assert tuple(engines) == NAMES
    for engine in engines.values():
        assert engine["usable"] == (engine["reason"] is None)
    assert engines["scikit_learn"] == {
        "engine": "scikit_learn",
        "device": "cpu",
        "usable": True,
        "reason": None,
        "methods": [method for method, names in ENGINES.items() if "scikit_learn" in names],
    }


def test_without_a_gpu_the_reason_is_told_and_the_cpu_is_the_default(no_gpu: str) -> None:
    findings = doctor.examine()
    assert findings["engines"][NAMES.index("rapids")] == {
        "engine": "rapids",
        "device": "gpu",
        "usable": False,
        "reason": no_gpu,
        "methods": ["pca", "tsne", "umap", "kmeans", "neighbors"],
    }
    assert set(findings["default"]) == set(ENGINES)
    assert findings["default"]["pca"] == "scikit_learn"
    assert findings["default"]["umap"] == "umap_learn"
    assert "rapids" not in findings["default"].values()


def test_a_gpu_that_works_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rapids, "check", lambda: None)
    assert doctor.examine()["default"]["pca"] == "rapids"


def test_a_library_that_cannot_be_imported_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a broken upgrade: scikit-learn is there, but its import fails."""
    monkeypatch.delitem(sys.modules, "gpu_pipeline.engines.scikit_learn", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn", None)  # Python's own way to make an import fail
    engine = doctor.examine()["engines"][NAMES.index("scikit_learn")]
    assert not engine["usable"]
    assert engine["reason"].startswith("a library cannot be imported: ")
    assert "sklearn" in engine["reason"]


def test_a_bug_of_the_project_is_not_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gpu_pipeline.engines.scikit_learn", raising=False)
    monkeypatch.setitem(sys.modules, "gpu_pipeline.engines.scikit_learn", None)
    with pytest.raises(ImportError):
        doctor.examine()


def test_data_sets_are_located(tmp_path: Path) -> None:
    data = doctor.examine(tmp_path)["data"]
    assert {"mnist", "digits"} <= {entry["name"] for entry in data}
    assert all(set(entry) == {"name", "path", "note"} for entry in data)


@pytest.mark.parametrize(("value", "count"), [("1", 1), ("True", 1), ("0", 0), ("", 0)])
def test_cuml_in_place_of_scikit_learn_is_warned_of(monkeypatch: pytest.MonkeyPatch, value: str, count: int) -> None:
    monkeypatch.setenv("CUML_ACCEL_ENABLED", value)
    warnings = doctor.examine()["warnings"]
    assert len(warnings) == count
    assert all(sentence.startswith("CUML_ACCEL_ENABLED is set: ") for sentence in warnings)


def test_what_is_shown(no_gpu: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("CUML_ACCEL_ENABLED", "1")
    findings = doctor.examine()
    findings["machine"]["gpu"] = None
    findings["machine"]["gpu_reason"] = no_gpu
    doctor.show(findings)
    shown = capsys.readouterr().out
    for words in (no_gpu, "not usable", "scikit_learn", "ready", "mnist", "numpy", "warning: CUML_ACCEL_ENABLED"):
        assert words in shown


def test_a_gpu_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    findings = doctor.examine()
    findings["machine"] |= {
        "gpu_reason": None,
        "gpu": {
            "name": "NVIDIA H200",
            "memory": 140 * 2**30,
            "capability": [9, 0],
            "cuda": 13020,
            "driver": "580.95.05",
            "count": 8,
        },
    }
    doctor.show(findings)
    shown = capsys.readouterr().out
    assert "NVIDIA H200, 140.0 GiB, compute capability 9.0; 8 visible" in shown
    assert "580.95.05, CUDA up to 13.2" in shown
