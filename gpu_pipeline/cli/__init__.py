"""The command `gpu-pipeline`: parse, call, print.

`making` holds the command that makes a run, `placing` the one that places new rows on its map, `stored` those that look
at stored runs, `around` the others.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from ..errors import EngineFailed, InputError, Unavailable, Unsupported
from . import around, making, placing, stored

app = typer.Typer(
    help="Turn a large set of high-dimensional things into a map that can be trusted.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# Typer does not export the class of its own usage errors; it is the base of one that it does.
_UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]


def main() -> None:
    """Run the command line: exit code 0; 2 if input cannot be used; 1 if an engine broke; 130 on Ctrl-C."""
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except _UsageError as error:
        _fail(error.format_message(), 2)  # type: ignore[attr-defined]
    except (InputError, Unavailable, Unsupported) as error:
        _fail(str(error), 2)
    except EngineFailed as error:
        _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        # Whoever read the output has had enough (`| head`); what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    # On Ctrl-C some versions of Typer raise Abort, and others return 130.
    if code == 130:
        _fail("stopped; nothing is left half-written.", code)
    sys.exit(code)


def _fail(sentence: str, code: int) -> None:
    # Some libraries break the lines of their errors; here each is one line.
    print("gpu-pipeline:", " ".join(sentence.split()), file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _no_command(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from .. import __version__

        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


app.command()(making.run)
app.command()(placing.place)
app.command(name="list")(stored.list_runs)
for _commands, _names in (
    (stored, ("show", "score", "draw", "rows", "compare", "report")),
    (around, ("dashboard", "data", "doctor")),
):
    for _name in _names:
        app.command()(getattr(_commands, _name))
