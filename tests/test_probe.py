"""The probe against real shared libraries that play a broken driver, and against processes that crash or hang."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from gpu_pipeline.engines import probe, rapids
from gpu_pipeline.errors import InputError, Unavailable

ROOT = Path(__file__).parents[1]

# A libcuda.so.1 with one GPU; the environment says how it misbehaves.
FAKE_DRIVER = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}
int cuInit(unsigned flags) {
    const char *mode = getenv("FAKE_INIT");
    if (mode && !strcmp(mode, "hang")) for (;;) sleep(1);
    if (mode && !strcmp(mode, "abort")) abort();
    puts("noise on standard output");
    return number("FAKE_ERROR", 0);
}
int cuDriverGetVersion(int *version) { *version = number("FAKE_VERSION", 13000); return 0; }
int cuDeviceGetCount(int *count) { *count = number("FAKE_COUNT", 1); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Fake GPU", length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)80 << 30; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 9 : 0; return 0; }
"""

ASK = """
import dataclasses, json
from gpu_pipeline.engines import probe
from gpu_pipeline.errors import Unavailable
try:
    print(json.dumps(dataclasses.asdict(probe.gpu())))
except Unavailable as reason:
    print(json.dumps(str(reason)))
"""


@pytest.fixture(scope="session")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a libcuda.so.1 that needs no GPU."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc, which makes the fake driver, is not installed")
    folder = tmp_path_factory.mktemp("driver")
    source = folder / "libcuda.c"
    source.write_text(FAKE_DRIVER)
    library = folder / probe.DRIVER
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-w", f"-Wl,-soname,{probe.DRIVER}", "-o", library, source], check=True
    )
    return folder


def python(program: str, folder: Path | None, **environment: str) -> object:
    """What a fresh interpreter prints as JSON, with the libraries of `folder` found first."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CUDA_", "GPU_PIPELINE_"))}
    env = {**clean, "PYTHONPATH": str(ROOT), **environment}
    if folder is not None:
        env["LD_LIBRARY_PATH"] = str(folder)
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_facts_of_the_gpu_come_from_the_driver(fake_driver: Path) -> None:
    found = python(ASK, fake_driver)
    assert isinstance(found, dict)
    driver = found.pop("driver")  # from libnvidia-ml.so.1, which a machine with a real driver has
    assert driver is None or isinstance(driver, str)
    # 80 GiB = 80 x 2^30 bytes; attributes 75 and 76 give 9 and 0.
    assert found == {
        "name": "Fake GPU",
        "memory": 85_899_345_920,
        "capability": [9, 0],
        "cuda": 13000,
        "count": 1,
    }


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (
            {"FAKE_ERROR": "100"},
            "the NVIDIA driver cannot be used: no GPU is visible to the driver (cuInit gave CUDA error 100)",
        ),
        (
            {"FAKE_ERROR": "803"},
            "the NVIDIA driver cannot be used: driver and kernel module differ; restart the computer "
            "(cuInit gave CUDA error 803)",
        ),
        ({"FAKE_ERROR": "7"}, "the NVIDIA driver cannot be used: it failed (cuInit gave CUDA error 7)"),
        ({"FAKE_COUNT": "0"}, "the NVIDIA driver cannot be used: no GPU is visible to the driver"),
        ({"CUDA_VISIBLE_DEVICES": ""}, "the GPU is hidden by CUDA_VISIBLE_DEVICES=''"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, "the GPU is hidden by CUDA_VISIBLE_DEVICES='-1'"),
        ({"CUDA_VISIBLE_DEVICES": "none,0"}, "the GPU is hidden by CUDA_VISIBLE_DEVICES='none,0'"),
        (
            {"CUDA_VISIBLE_DEVICES": "7", "FAKE_ERROR": "100"},
            "the NVIDIA driver cannot be used: no GPU is visible to the driver (cuInit gave CUDA error 100) "
            "(CUDA_VISIBLE_DEVICES='7')",
        ),
        ({"FAKE_INIT": "abort"}, "the NVIDIA driver crashed (SIGABRT)"),
        (
            {"FAKE_INIT": "hang", "GPU_PIPELINE_GPU_TIMEOUT": "0.5"},
            "the NVIDIA driver did not answer within 0.5 s",
        ),
    ],
)
def test_a_broken_driver_is_a_reason_and_not_the_end(
    fake_driver: Path, environment: dict[str, str], reason: str
) -> None:
    assert python(ASK, fake_driver, **environment) == reason


@pytest.mark.parametrize("visible", ["0", "1,0", "GPU-8932f937", "MIG-1/2/3"])
def test_a_visible_gpu_is_asked(fake_driver: Path, visible: str) -> None:
    assert isinstance(python(ASK, fake_driver, CUDA_VISIBLE_DEVICES=visible), dict)


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    (tmp_path / probe.DRIVER).write_text("not ELF")
    reason = python(ASK, tmp_path)
    assert isinstance(reason, str)
    assert reason.startswith("the NVIDIA driver cannot be loaded (")


def test_a_library_without_the_functions_of_a_driver(tmp_path: Path, fake_driver: Path) -> None:
    (tmp_path / "empty.c").write_text("int nothing;")
    command = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / probe.DRIVER), str(tmp_path / "empty.c")]
    subprocess.run(command, check=True)
    reason = python(ASK, tmp_path)
    assert isinstance(reason, str)
    assert reason.startswith("the NVIDIA driver failed: AttributeError: ")
    assert "cuInit" in reason


def test_no_driver_is_found_out_without_a_process() -> None:
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has an NVIDIA driver")
    # Any process would fail to start: the interpreter's path is taken away.
    program = "import sys; sys.executable = '/nonexistent'\n" + ASK
    assert python(program, None) == "no NVIDIA driver (libcuda.so.1 not found)"


def test_the_gpu_library_is_not_touched_here(fake_driver: Path) -> None:
    """After the probe the program has called nothing in the driver: a cuInit that aborts has not run in it."""
    program = ASK + "import os, sys; assert not {'cupy', 'cuml', 'cudf', 'rmm'} & set(sys.modules)"
    assert python(program, fake_driver, FAKE_INIT="abort") == "the NVIDIA driver crashed (SIGABRT)"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Makes an importable module with a function `work` of the given body."""

    def make(body: str) -> str:
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        (tmp_path / "child_work.py").write_text(f"import os, signal, sys, time\ndef work():\n{lines}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        return "child_work"

    return make


def test_a_child_answers(module: Callable[[str], str]) -> None:
    name = module("print('noise'); os.system('echo more noise'); return {'a': [1, None]}")
    assert probe.in_child(name, "work", 30, "the work") == {"a": [1, None]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the work crashed (SIGSEGV)"),
        ("sys.exit(3)", "the work failed: exit code 3"),
        ("raise KeyError('missing')", "the work failed: KeyError: 'missing'"),
        (
            "from gpu_pipeline.errors import Unavailable\nraise Unavailable('it rains')",
            "the work cannot be used: it rains",
        ),
        (  # Another process has the memory.
            "from gpu_pipeline.engines.failure import guarded\n"
            "def take():\n    raise MemoryError('Out of memory allocating 512 bytes')\n"
            "guarded('the copy to the GPU')(take)()",
            "the work cannot be used: memory ran out in the copy to the GPU (Out of memory allocating 512 bytes)",
        ),
    ],
)
def test_a_child_that_fails(module: Callable[[str], str], body: str, reason: str) -> None:
    with pytest.raises(Unavailable) as error:
        probe.in_child(module(body), "work", 30, "the work")
    assert str(error.value) == reason


def test_a_child_that_hangs(module: Callable[[str], str]) -> None:
    with pytest.raises(Unavailable, match=r"the work did not answer within 0\.5 s"):
        probe.in_child(module("time.sleep(60)"), "work", 0.5, "the work")


def test_a_child_takes_its_own_children_along(module: Callable[[str], str], tmp_path: Path) -> None:
    """A compiler that the GPU libraries started must not outlive the probe."""
    note = tmp_path / "pid"
    name = module(
        f"import subprocess\nchild = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\ntime.sleep(60)"
    )
    with pytest.raises(Unavailable, match="did not answer within 3 s"):
        probe.in_child(name, "work", 3, "the work")
    state = Path(f"/proc/{note.read_text()}/status")
    # Gone, or dead and not yet collected by init.
    assert not state.exists() or "State:\tZ" in state.read_text()


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(Unavailable, match="no process could be started to try the work"):
        probe.in_child("os", "getpid", 1, "the work")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf", ""])
def test_a_timeout_that_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(probe.TIMEOUT_VARIABLE, text)
    with pytest.raises(InputError, match="give a positive number of seconds"):
        probe.timeout(30.0)


def test_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(probe.TIMEOUT_VARIABLE, raising=False)
    assert probe.timeout(30.0) == 30.0
    monkeypatch.setenv(probe.TIMEOUT_VARIABLE, "2.5")
    assert probe.timeout(30.0) == 2.5


# The engine's own check, up to a stack that crashes

HERE = importlib.util.find_spec("cuml") is not None
without_rapids = pytest.mark.skipif(HERE, reason="RAPIDS is installed here, which hides made-up wheels")
with_rapids = pytest.mark.skipif(not HERE, reason="cuML is not installed: pip install 'gpu-pipeline[cuda13]'")

H200 = probe.Gpu("NVIDIA H200", 150_000_000_000, (9, 0), 13000, "580.95.05", 1)


def wheels(folder: Path, *names: str, body: str = "") -> None:
    """Made-up wheels: packages cuml and cupy, and the metadata of distributions with these names."""
    for package in ("cuml", "cupy"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(body)
    for name in names:
        info = folder / f"{name.replace('-', '_')}-26.10.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 26.10.0\n")
    importlib.invalidate_caches()


@without_rapids
@pytest.mark.parametrize(("cuda", "extra"), [(13000, "cuda13"), (13020, "cuda13"), (12040, "cuda12")])
def test_rapids_not_installed_names_the_extra_for_the_driver(cuda: int, extra: str) -> None:
    with pytest.raises(Unavailable) as error:
        rapids.check_versions(replace(H200, cuda=cuda))
    assert str(error.value) == f"RAPIDS is not installed: pip install 'gpu-pipeline[{extra}]'"


@without_rapids
@pytest.mark.parametrize(
    ("names", "changes", "reason"),
    [
        (
            ("cuml-cu13", "cupy-cuda13x"),
            {"cuda": 12040},
            "driver supports CUDA 12.4 but these wheels need 13.0: update the driver or install "
            "'gpu-pipeline[cuda12]' in a new environment",
        ),
        (
            ("cuml-cu12",),
            {"cuda": 11080},
            "driver supports CUDA 11.8 but these wheels need 12.2: update the driver",
        ),
        (
            ("cuml-cu13",),
            {"name": "Tesla V100", "capability": (7, 0)},
            "Tesla V100 has compute capability 7.0 but these wheels need 7.5",
        ),
        (
            ("cuml-cu12", "cuml-cu13"),
            {},
            "RAPIDS is installed for CUDA 12 and for CUDA 13, which exclude each other: "
            "install 'gpu-pipeline[cuda13]' in a new environment",
        ),
    ],
)
def test_wheels_that_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], changes: dict[str, Any], reason: str
) -> None:
    wheels(tmp_path, *names)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(Unavailable) as error:
        rapids.check_versions(replace(H200, **changes))
    assert str(error.value) == reason


@without_rapids
@pytest.mark.parametrize(
    ("names", "changes"),
    [
        (("cuml-cu13", "cupy-cuda13x"), {}),
        (("cuml-cu12",), {"cuda": 12020, "capability": (7, 0)}),
        (("cuml-cu12",), {}),  # a newer driver serves older wheels
        ((), {"cuda": 12040}),  # conda's packages: left to the try-out
    ],
)
def test_wheels_that_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], changes: dict[str, Any]
) -> None:
    wheels(tmp_path, *names)
    monkeypatch.syspath_prepend(str(tmp_path))
    rapids.check_versions(replace(H200, **changes))


CHECK = """
import json, sys
from gpu_pipeline.engines import rapids
from gpu_pipeline.errors import Unavailable
reasons = []
for _ in range(2):
    try:
        rapids.check()
        reasons.append(None)
    except Unavailable as reason:
        reasons.append(str(reason))
assert reasons[0] == reasons[1]
assert not {"cupy", "cuml", "cudf", "rmm"} & set(sys.modules), "a GPU library was imported in the program itself"
print(json.dumps(reasons[0]))
"""


def checked(folder: Path, *path: Path, **environment: str) -> object:
    """What `check` says in a fresh process with the driver in `folder`."""
    return python(CHECK, folder, PYTHONPATH=os.pathsep.join(map(str, (ROOT, *path))), **environment)


@without_rapids
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import os; os.abort()", "RAPIDS crashed (SIGABRT)"),
        ("import time; time.sleep(60)", "RAPIDS did not answer within 4 s"),
        (
            "raise ImportError('libcublas.so.13: cannot open shared object file')",
            "RAPIDS failed: ImportError: libcublas.so.13: cannot open shared object file",
        ),
        (
            "raise RuntimeError('cudaErrorNoKernelImageForDevice')",
            "RAPIDS failed: RuntimeError: cudaErrorNoKernelImageForDevice",
        ),
    ],
)
def test_a_broken_stack_is_a_reason_and_not_the_end(fake_driver: Path, tmp_path: Path, body: str, reason: str) -> None:
    wheels(tmp_path, "cuml-cu13", body=body)
    seconds = {"GPU_PIPELINE_GPU_TIMEOUT": "4"} if "sleep" in body else {}
    assert checked(fake_driver, tmp_path, **seconds) == reason


@with_rapids
def test_real_wheels_on_a_driver_that_cannot_do_anything(fake_driver: Path) -> None:
    """The real CuPy raises a real CUDA error in the child, and the program goes on."""
    reason = checked(fake_driver)
    assert isinstance(reason, str)
    assert reason.startswith(
        "RAPIDS cannot be used: the GPU failed in the copy to the GPU of 200 x 8 values (cudaError"
    )


@with_rapids
def test_real_wheels_on_a_driver_that_is_too_old(fake_driver: Path) -> None:
    if not any(item.name == "cuml-cu13" for item in metadata.distributions()):
        pytest.skip("these wheels are not those for CUDA 13")
    reason = checked(fake_driver, FAKE_VERSION="12040")
    assert isinstance(reason, str)
    assert reason.startswith("driver supports CUDA 12.4 but these wheels need 13.0: ")
