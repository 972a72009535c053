"""What may import what: imports point down only, and some libraries and habits have one home or none."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gpu_pipeline"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    ("__main__",),
    ("cli",),
    ("dashboard",),
    ("doctor", "page", "progress", "sklearn"),
    ("report", "scale"),
    ("pipeline", "placed"),
    ("store",),
    ("record",),
    ("compare", "placing", "render", "scoring"),
    ("pairs",),
    ("doubts", "sizes", "steps"),
    ("machine", "neighbors", "recipe"),
    ("engines",),
    ("preprocess",),
    ("datasets",),
    ("metrics", "upright"),
    ("affinities", "drafts", "shearing"),
    ("arguments", "contingency", "nearness", "normalisation"),
    ("compiling", "errors", "figures", "methods", "processors", "timing"),
    ("order", "tables", "times"),
)
"""Modules and packages, the highest first: each may import from lower lines, and a package from itself."""

UPWARD = {("record", "store")}
"""The exceptions: `Run.save` is a convenience for whoever holds a run."""

INSIDE_ENGINES = {
    ("machine", "engines.probe"),
    ("doctor", "engines.tried"),
    ("render", "engines.failure"),
    ("neighbors", "engines.quality"),
    ("pairs", "engines.quality"),
    *(("placing", f"engines.mesh.{name}") for name in ("affinities", "index", "place", "project")),
}
"""Who reaches past the table of engines: the record says which GPU there is, doctor tries it anew, one that fails in
drawing fails as one, and mesh places new rows on any map."""

GPU_LIBRARIES = {"cudf", "cuml", "cupy", "cupyx", "pylibraft", "rmm"}
GPU_MODULES = {"engines/rapids.py", "engines/mesh_cuda.py", "engines/mesh/gpu.py", "render/gpu.py"}

CLOCKS = {"datetime", "time", "timeit"}
PICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}

DASK = {"dask", "distributed"}

HEAVY = {
    *DASK,
    *("colorcet", "cuml", "cupy", "datashader", "faiss", "holoviews", "numba", "pandas", "panel", "PIL"),
    *("pooch", "pyarrow", "scipy", "sklearn", "umap"),
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def absolute_imports(path: Path) -> Iterator[str]:
    """Top-level names of the libraries that a module imports, wherever in it."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def own_imports(path: Path) -> Iterator[str]:
    """What a module imports of this package, as dotted names below it, wherever in it."""
    here = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = (*here[: len(here) - node.level + 1], *(node.module or "").split("."))
            for alias in node.names:
                whole = [part for part in (*base, alias.name) if part]
                known = PACKAGE.joinpath(*whole).with_suffix(".py").is_file() or PACKAGE.joinpath(*whole).is_dir()
                yield ".".join(whole if known else whole[:-1])


def home(path: Path) -> str:
    """The module or package directly below the package's root that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", [path for path in FILES if path != PACKAGE / "__init__.py"], ids=name_of)
def test_imports_point_down(path: Path) -> None:
    height = {name: -line for line, names in enumerate(LAYERS) for name in names}
    here = home(path)
    assert here in height, f"give {here} a line in LAYERS, and in docs/architecture.md"
    for target in filter(None, own_imports(path)):
        there = target.partition(".")[0]
        if there != here and (here, there) not in UPWARD:
            assert height[there] < height[here], f"{here} must not import {target}"


@pytest.mark.parametrize("path", [path for path in FILES if home(path) != "engines"], ids=name_of)
def test_engines_are_reached_through_their_table(path: Path) -> None:
    for target in own_imports(path):
        assert not target.startswith("engines.") or (home(path), target) in INSIDE_ENGINES, target


def test_exceptions_are_still_needed() -> None:
    used = {(home(path), target) for path in FILES for target in own_imports(path)}
    assert used >= UPWARD | INSIDE_ENGINES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_libraries_stay_in_their_homes(path: Path) -> None:
    imported = set(absolute_imports(path))
    assert "gpu_pipeline" not in imported, "imports of the package's own modules are relative"
    if name_of(path) not in GPU_MODULES:
        assert not imported & GPU_LIBRARIES
    if home(path) != "scale":
        assert not imported & DASK, "Dask is an extra: only scale/ imports it, when it is used"
    if name_of(path) != "timing.py":
        assert not imported & CLOCKS, "clocks are read in timing.py"
    assert not imported & PICKLERS


def caught(node: ast.AST) -> Iterator[str]:
    """Names of the exceptions that a handler, or `suppress`, takes; nothing named is everything."""
    if isinstance(node, ast.ExceptHandler):
        types = [node.type] if node.type is not None else [ast.Name("BaseException")]
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        types = node.args
    else:
        return
    for item in types:
        yield from (ast.unparse(each) for each in (item.elts if isinstance(item, ast.Tuple) else [item]))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_habits(path: Path) -> None:
    for node in ast.walk(parse(path)):
        names = set(caught(node))
        assert not names & {"Exception", "BaseException"}, f"line {node.lineno}: a blanket except"  # type: ignore[attr-defined]
        if names & {"ImportError", "ModuleNotFoundError"} and isinstance(node, ast.ExceptHandler):
            for inside in ast.walk(node):
                sentinel = isinstance(inside, ast.Assign) and ast.unparse(inside.value) in ("None", "False")
                assert not sentinel, f"line {node.lineno}: an import sentinel"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False", f"line {node.lineno}: never unpickle"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import gpu_pipeline; dir(gpu_pipeline)"),
        ("-c", "import gpu_pipeline.recipe"),
        ("-m", "gpu_pipeline", "--help"),
        ("-m", "gpu_pipeline", "run", "--help"),
        ("-m", "gpu_pipeline", "--version"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_loaded_before_it_is_needed(arguments: tuple[str, ...]) -> None:
    ended = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if line.startswith("import time:")}
    assert "gpu_pipeline" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY


@pytest.mark.parametrize("module", ["compare", "store", "metrics"])
def test_what_compiles_nothing_does_not_load_the_compiler(module: str) -> None:
    program = f"import sys, gpu_pipeline.{module}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_every_public_name_is_there() -> None:
    import gpu_pipeline

    for name in gpu_pipeline.__all__:
        assert getattr(gpu_pipeline, name).__name__ == name
    assert set(gpu_pipeline.__all__) <= set(dir(gpu_pipeline))
    assert re.fullmatch(r"\d+\.\d+\.\d+", gpu_pipeline.__version__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = gpu_pipeline.nothing
