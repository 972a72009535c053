"""What a map by Dask costs: rows a second of each step against the number of workers, memory, scores.

    python -m benchmarks.scale --rows 1000000 --workers 1 2 [--landmarks 100000] [--memory 4GB] [--out FILE.jsonl]
    python -m benchmarks.scale --write FILE.jsonl docs/scale.md

Digits are made in a folder of their own if they are not there yet, and `gpu-pipeline run --landmarks` is started in a
process of its own for each number of workers, under its own memory flag. One JSON line a run:

    seconds         of each step, as the run's record has them, and `all` from the start of the command to its end
    rows_a_second   of the steps that pass over all rows
    memory          `parent`, `workers` and `all`: the most that was resident at once, in bytes, looked at every 50 ms;
                    `flag`: what was allowed
    passes          of k-means over all rows
    scores, sizes   of the map, and over how many rows each is
    made            rows a second with which the data were made, where they were

The second form writes the table of a file's runs into a document, between the comments `scale:runs` and `/scale`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from gpu_pipeline.machine import facts
from gpu_pipeline.timing import now, seconds

ROOT = Path(__file__).parents[1]
PASSES = ("survey", "place", "score", "table")
"""Steps that pass over all rows a fixed number of times."""

SHOWN = ("label_accuracy", "neighbor_recall", "trustworthiness", "accuracy", "silhouette")
BLOCK = re.compile(r"(<!-- scale:runs -->\n).*?(<!-- /scale -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """What was asked for on the command line; the exit code."""
    asked = _parser().parse_args(arguments)
    if asked.write is not None:
        results, document = asked.write
        write(results, document)
        return 0
    folder = asked.data or Path(tempfile.gettempdir()) / f"digits-{asked.rows}.parquet"
    made = _make(folder, asked.rows)
    for workers in asked.workers:
        line = measure(folder, asked.rows, workers, asked.landmarks, asked.memory) | {"made": made}
        text = json.dumps(line)
        print(text, flush=True)
        if asked.out is not None:
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--landmarks", type=int, default=100_000)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--data", type=Path, help="folder for the digits; default in the folder of temporary files")
    parser.add_argument("--out", type=Path, help="JSON lines to add to")
    parser.add_argument("--write", type=Path, nargs=2, metavar=("FILE.jsonl", "DOCUMENT"))
    return parser


def _make(folder: Path, rows: int) -> float | None:
    """Make the digits that are missing; rows a second if all were."""
    whole = not folder.exists()
    begun = seconds()
    command = ["data", "make", "digits", "--rows", str(rows), "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "gpu_pipeline", *command], check=True, stdout=sys.stderr, env=_environment())
    return rows / (seconds() - begun) if whole else None


def measure(data: Path, rows: int, workers: int, landmarks: int, memory: str) -> dict[str, Any]:
    """One run in a process of its own, watched to its end."""
    with tempfile.TemporaryDirectory(prefix="scale-", dir=data.parent) as out:
        command = ["run", "--data", str(data), "--landmarks", str(landmarks), "--memory", memory]
        command += ["--workers", str(workers), "--out", out, "--json"]
        begun = seconds()
        process = subprocess.Popen(
            [sys.executable, "-m", "gpu_pipeline", *command], stdout=subprocess.PIPE, text=True, env=_environment()
        )
        most = _watch(process)
        said = process.communicate()[0]
        if process.returncode:
            raise SystemExit(process.returncode)
        whole = seconds() - begun
        made = json.loads(said)
        where = Path(made["run"])
        record = json.loads((where / "record.json").read_text(encoding="utf-8"))
        scores = json.loads((where / "scores.json").read_text(encoding="utf-8"))
    spent = made["seconds"]
    return {
        "rows": rows,
        "workers": workers,
        "landmarks": landmarks,
        "seconds": {**spent, "all": whole},
        "rows_a_second": {**{step: rows / spent[step] for step in PASSES}, "all": rows / whole},
        "memory": {**most, "flag": memory},
        "passes": record["facts"]["cluster"]["passes"],
        "scores": scores["values"],
        "sizes": scores["sizes"],
        "machine": facts(),
        "created": now(),
    }


def _watch(process: subprocess.Popen[str]) -> dict[str, int]:
    """The most memory of the process and of those that it starts, until it ends."""
    own = psutil.Process(process.pid)
    most = {"parent": 0, "workers": 0, "all": 0}
    while process.poll() is None:
        try:
            parent = own.memory_info().rss
            children = sum(child.memory_info().rss for child in own.children(recursive=True))
        except psutil.NoSuchProcess:
            continue  # one of them has just ended
        for name, size in (("parent", parent), ("workers", children), ("all", parent + children)):
            most[name] = max(most[name], size)
        time.sleep(0.05)
    return most


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The runs as Markdown: one table of rows a second and memory, one of scores."""
    costs = ["| rows | workers | survey | embed, s | place | k-means | score | table | all, s | peak, GB of flag |"]
    costs.append("| ---: " * 10 + "|")
    worth = ["| rows | workers | " + " | ".join(name.replace("_", " ") for name in SHOWN) + " | queries |"]
    worth.append("| ---: " * (len(SHOWN) + 3) + "|")
    for line in lines:
        rate, spent, rows, memory = line["rows_a_second"], line["seconds"], line["rows"], line["memory"]
        lloyd = rows * line["passes"] / spent["cluster"]
        head = f"| {rows:,} | {line['workers']} |"
        costs.append(
            f"{head} {rate['survey']:,.0f} | {spent['embed']:,.0f} | {rate['place']:,.0f} | {lloyd:,.0f} | "
            f"{rate['score']:,.0f} | {rate['table']:,.0f} | {spent['all']:,.0f} | "
            f"{memory['all'] / 1e9:.2f} of {memory['flag']} |"
        )
        scores = " | ".join(f"{line['scores'][name]:.3f}" for name in SHOWN)
        worth.append(f"{head} {scores} | {line['sizes']['neighbor_recall']:,} |")
    cpu = lines[0]["machine"]["cpu"]
    first = f"On {lines[0]['machine']['threads']} threads of {cpu}, {lines[0]['landmarks']:,} landmarks."
    first += " Columns without a unit are rows a second (of k-means: rows times passes)."
    return "\n".join([first, "", *costs, "", *worth])


def write(results: Path, document: Path) -> None:
    """Put the table of a file of results into its place in a document."""
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines() if line]
    text = document.read_text(encoding="utf-8")
    filled, count = BLOCK.subn(lambda found: f"{found[1]}{table(lines)}\n{found[2]}", text)
    if count != 1:
        raise SystemExit(f"{document} has {count} places for the table: write one pair of comments.")
    document.write_text(filled, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
