"""environment.yml and pyproject.toml name the same needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def name(requirement: str) -> str:
    """Of a requirement, as PyPI writes it; conda-forge has underscores in some, and another name for one."""
    return re.split(r"[\[<>=!; ]", requirement)[0].replace("_", "-").replace("python-isal", "isal")


def conda() -> dict[str, str]:
    """Package -> its line in environment.yml."""
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").split("dependencies:")[1].splitlines()
    needs = [line.strip().removeprefix("- ") for line in lines if line.strip().startswith("- ")]
    return {name(need): need for need in needs}


def test_every_base_dependency_is_in_the_environment() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {name(need) for need in project["dependencies"]} <= set(conda())


def test_both_ask_for_the_same_rapids() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for library in ("cuml", "cudf"):
        release = conda()[library].removeprefix(f"{library}=")
        assert extras["cuda13"] == [
            need.replace("cu12", "cu13").replace("cuda12x", "cuda13x") for need in extras["cuda12"]
        ]
        assert any(need == f"{library}-cu13=={release}.*" for need in extras["cuda13"])
    assert any(conda()["cupy"].removeprefix("cupy") in need for need in extras["cuda13"])
