"""CUDA kernels on this computer: compiled for its processor, and called with NumPy's arrays.

`cuda_host.hpp` stands in for CUDA; every argument of every call is checked against the kernel's own signature.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {
    "int": np.int32,
    "unsigned int": np.uint32,
    "signed char": np.int8,
    "long long": np.int64,
    "u64": np.uint64,
    "float": np.float32,
    "double": np.float64,
    "float2": np.float32,
    "Edge": np.uint32,
}
"""C types of the kernels' parameters -> the array types to give for them."""


@dataclass(frozen=True)
class Program:
    """Kernels.

    Attributes
    ----------
    source
        In CUDA C++, including nothing.
    kernels
        Their names.
    """

    source: str
    kernels: tuple[str, ...]


def signatures(source: str) -> dict[str, list[tuple[str, bool]]]:
    """Kernel -> type of each parameter, and whether it is a pointer."""
    found = {}
    for name, parameters in re.findall(r"__global__ void (\w+)\(([^)]*)\)", source):
        parts = [re.sub(r"const |__restrict__ ", "", part).strip() for part in parameters.split(",")]
        found[name] = [(part.rpartition(" ")[0].rstrip("* "), "*" in part) for part in parts]
    return found


def compiler() -> str | None:
    return shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library(program: Program) -> Path:
    """The kernels compiled for this processor, once for each state of their source."""
    header = (Path(__file__).parent / "cuda_host.hpp").read_bytes()
    digest = hashlib.sha256(header + program.source.encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"gpu-pipeline-kernels-{os.getuid()}-{digest}.so"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            build(program, Path(folder)).replace(kept)
    return kept


def build(program: Program, folder: Path) -> Path:
    """Compile the kernels for this processor."""
    launchers = "\n".join(f"LAUNCHER({name})" for name in program.kernels)
    text = (Path(__file__).parent / "cuda_host.hpp").read_text(encoding="utf-8")
    code, made = folder / "kernels.cpp", folder / "kernels.so"
    code.write_text(f"{text}\n{program.source}\n{launchers}\n", encoding="utf-8")
    command = [
        str(compiler()),
        "-std=c++17",
        "-O2",
        "-ffp-contract=off",
        "-Wall",
        "-Werror",
        "-Wno-unknown-pragmas",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
    ]
    ended = subprocess.run([*command, str(code), "-o", str(made)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return made


class Kernels:
    """A program's kernels, ready to be called.

    Parameters
    ----------
    program
        The kernels.
    backwards
        Run blocks, and between two barriers the threads of a block, in the other order.
    """

    def __init__(self, program: Program, backwards: bool = False) -> None:
        self._library, self._signatures = ctypes.CDLL(str(library(program))), signatures(program.source)
        self._backwards = backwards

    def launch(self, kernel: str, grid: int, block: int, arguments: tuple[Any, ...]) -> None:
        """Run all blocks, one after another."""
        values = []
        for (kind, pointer), argument in zip(self._signatures[kernel], arguments, strict=True):
            assert isinstance(argument, np.ndarray) == pointer, (kernel, kind)
            wanted = np.complex64 if kind == "float2" and argument.dtype.kind == "c" else TYPES[kind]
            assert argument.dtype == wanted, (kernel, kind)
            if pointer:
                assert argument.flags.c_contiguous, (kernel, kind)
                values.append(ctypes.c_void_p(argument.ctypes.data))
            else:
                values.append(np.ctypeslib.as_ctypes_type(argument.dtype)(argument.item()))
        self._library.run_backwards(int(self._backwards))
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        getattr(self._library, f"launch_{kernel}")(grid, block, pointers)


def nvcc(architecture: str) -> list[str]:
    """CUDA's own compiler with the options that CuPy adds to ours, of which `-ftz` changes what is computed."""
    return ["nvcc", f"-arch=sm_{architecture}", "-std=c++17", "-ftz=true"]


def spills(program: Program, architecture: str, folder: Path) -> list[tuple[str, str, str]]:
    """Bytes of stack frame, spill stores and spill loads of each function, by CUDA's own compiler for a GPU."""
    code = folder / "kernels.cu"
    code.write_text(program.source, encoding="utf-8")
    command = [*nvcc(architecture), "-cubin", "-Xptxas", "-v", "-Werror", "all-warnings"]
    ended = subprocess.run(
        [*command, str(code), "-o", str(folder / "kernels.cubin")], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", ended.stderr)
