"""The entry point: the verbs, what happens to errors, and the exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hinterland import __version__
from hinterland.cli import check, data, evaluate, explain, measure, plan, report, run, transfer
from hinterland.cli.output import BAD_INPUT, FAILED, INTERRUPTED, OK, refuse, say, show_findings, write
from hinterland.errors import HinterlandError, InputError, did_you_mean

LATER = ("stress", "monitor", "app", "verify")
"""Verbs that this version does not have yet."""


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


app = typer.Typer(
    name="hinterland",
    help="Measure industrial transfer between regions, evaluate the policies that steer it, and plan where it should go next.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or bad input, 3 finished and found something.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("check")(check.check)
app.command("measure")(measure.measure)
app.command("transfer")(transfer.transfer)
app.command("plan")(plan.plan)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("explain")(explain.explain)
app.add_typer(data.app, name="data")


def _show_version(asked: bool) -> None:
    if asked:
        write(f"hinterland {__version__}\n")
        raise typer.Exit(OK)


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Options before the verb; --debug is read by main, wherever it stands."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(invoke([a for a in given if a != "--debug"], debug="--debug" in given))


def invoke(arguments: Sequence[str], *, debug: bool = False) -> int:
    """Run one command line: the exit code. Bad input becomes findings on stderr, never a traceback (unless ``debug``)."""
    try:
        _fail_if_no_such_verb(arguments)
        app(args=list(arguments), prog_name="hinterland")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else OK if left.code is None else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout went away: what is still buffered must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # the border of the program: whatever happens becomes one message and a code
        if debug:
            raise
        return _failed(error)
    return OK


def _fail_if_no_such_verb(arguments: Sequence[str]) -> None:
    """A verb that is misspelt, or not there yet, deserves more than "no such command"."""
    verbs = [str(c.name) for c in app.registered_commands] + [str(g.name) for g in app.registered_groups]
    verb = next((a for a in arguments if not a.startswith("-")), None)
    if verb in LATER:
        refuse("not-available-yet", f"{verb!r} is not in version {__version__}", "command line", f"these verbs are: {', '.join(verbs)}")
    if verb is not None and verb not in verbs:
        refuse("unknown-verb", f"there is no verb {verb!r}", "command line", did_you_mean(verb, verbs))


def _failed(error: Exception) -> int:
    if isinstance(error, InputError):
        show_findings(error)
        return BAD_INPUT
    if isinstance(error, HinterlandError):
        say(str(error))
        return FAILED
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        place = error.filename or "standard output"
        say(f"the output cannot be written: {error.strerror}\n    where: {place}\n    do:    make room, or write elsewhere")
        return FAILED
    say(
        f"unexpected {type(error).__name__}: {error}\n    do:    this is a defect of hinterland: run again with --debug, and report what it shows with the study file"
    )
    return FAILED
