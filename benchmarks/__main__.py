"""Measure, report, compare: `python -m benchmarks run|report|compare --help`."""

from __future__ import annotations

import argparse
import platform
import re
import sys
from pathlib import Path

from gpu_pipeline.engines import threads
from gpu_pipeline.errors import InputError

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """What was asked for on the command line; the exit code."""
    # The report has options of its own.
    if sys.argv[1:2] == ["report"]:
        from . import report

        return report.main(sys.argv[2:])
    asked = _parser().parse_args()
    try:
        code: int = asked.do(asked)
    except InputError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("benchmarks: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="run|judge|report|compare")
    run = commands.add_parser("run", help="measure cases; what is in the file already is not measured again")
    run.add_argument("subset", nargs="?", choices=("quick", "full", "gpu"), default="quick")
    run.add_argument("--only", nargs="+", default=[], metavar="PATTERN", help="cases by name, of all: 'tsne-*'")
    run.add_argument("--engines", nargs="+", default=[], metavar="ENGINE")
    run.add_argument("--out", type=Path, help="JSON lines to add to; default benchmarks/results/<machine>.jsonl")
    run.add_argument("--threads", type=int, default=threads(), help="processors for each process")
    run.add_argument("--memory", type=float, metavar="GIB", help="memory at which a process is ended")
    run.add_argument("--again", action="store_true", help="measure again what was not done")
    run.add_argument("--unjudged", type=Path, metavar="FOLDER", help="keep what engines make there, and judge it later")
    run.add_argument("--list", action="store_true", help="show the cases and engines, and measure nothing")
    run.add_argument("--table", default="benchmarks.engines", help=argparse.SUPPRESS)
    run.set_defaults(do=_run)
    judge = commands.add_parser("judge", help="score what `run --unjudged` kept, on any computer")
    judge.add_argument("folder", type=Path, metavar="FOLDER")
    judge.add_argument("--out", type=Path, required=True, help="the JSON lines that the same run wrote")
    judge.set_defaults(do=_judge)
    commands.add_parser("report", help="tables, figures and a page from the results", add_help=False)
    both = commands.add_parser("compare", help="what got slower or worse from A to B; exit code 1 if anything did")
    both.add_argument("a", type=Path)
    both.add_argument("b", type=Path)
    both.add_argument("--spread", type=float, help="share of the median below which a difference of time is none")
    both.add_argument("--any-machine", action="store_true", help="compare results of different machines")
    both.set_defaults(do=_compare)
    return parser


def _run(asked: argparse.Namespace) -> int:
    from . import cases, suite

    if asked.threads < 1 or asked.threads > threads():
        raise InputError(f"--threads is {asked.threads} but this process may use 1 to {threads()}: change it.")
    chosen = cases.choose(asked.subset, asked.only, asked.engines)
    if asked.list:
        for case in chosen:
            print(f"{case.name:<36} {' '.join(case.engines)}")
        return 0
    path = asked.out or RESULTS / f"{machine_name()}.jsonl"
    most = int(asked.memory * 2**30) if asked.memory else None
    options = {"table": asked.table, "most_bytes": most, "again": asked.again, "unjudged": asked.unjudged}
    added = suite.run(chosen, path, threads=asked.threads, **options, say=_say)
    print(f"{len(added)} results added to {path}")
    return 0


def _judge(asked: argparse.Namespace) -> int:
    from . import later, suite

    judged = later.judge(asked.out, asked.folder, lambda line: _say(suite.summary(line)))
    print(f"{judged} results judged in {asked.out}")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def machine_name() -> str:
    """A file name for this computer: processor, processors that may be used, GPU."""
    from gpu_pipeline import machine

    facts = machine.facts()
    parts = [
        facts["cpu"] or platform.machine(),
        f"{threads()} threads",
        *([facts["gpu"]["name"]] if facts["gpu"] else []),
    ]
    words = re.sub(r"\((r|tm)\)|processor|cpu|@.*", " ", " ".join(parts), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _compare(asked: argparse.Namespace) -> int:
    from . import compare, results

    options = {} if asked.spread is None else {"spread": asked.spread}
    found = compare.compare(results.read(asked.a), results.read(asked.b), any_machine=asked.any_machine, **options)
    for difference in found:
        who = f"{difference.case} {difference.engine} on {difference.device}"
        print(f"{'worse ' if difference.worse else 'better'}  {who}: {difference.sentence}")
    worse = sum(difference.worse for difference in found)
    print(f"{worse} worse, {len(found) - worse} better")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
