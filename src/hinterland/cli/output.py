"""How the command line speaks: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hinterland.errors import Finding, InputError, did_you_mean

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

OK, FAILED, BAD_INPUT, FOUND, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: done; failed; usage or bad input; finished and found something; ended by Ctrl-C."""

SUFFIXES = (".csv", ".parquet", ".json")

Watcher = Callable[[str, int, int], None]


def stderr() -> Console:
    """The console for everything that is not data; without colour where NO_COLOR is set or nobody looks."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, color_system=None if os.environ.get("NO_COLOR") else "auto")


def say(text: str) -> None:
    """One line to stderr, as it is."""
    sys.stderr.write(text + "\n")


def write(text: str) -> None:
    """Data to stdout, as UTF-8 whatever the locale."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def write_document(document: Mapping[str, Any] | list[Any]) -> None:
    """Exactly one JSON document to stdout."""
    write(as_json(document))


def as_json(document: Mapping[str, Any] | list[Any]) -> str:
    """JSON text; numbers that are not finite are an error, not NaN."""
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def show_findings(error: InputError) -> None:
    """Every finding: what, where, what to do."""
    from rich.text import Text

    console = stderr()
    count = len(error.findings)
    console.print(Text(f"{count} problem{'s' if count != 1 else ''} in {error.subject}", style="bold red"))
    for number, finding in enumerate(error.findings, 1):
        show_finding(console, finding, number)


def show_finding(console: Console, finding: Finding, number: int) -> None:
    """One finding in three lines."""
    from rich.text import Text

    style = "red" if finding.severity == "error" else "yellow"
    console.print(Text.assemble(f"{number:>3}. ", (f"[{finding.code}] ", style), finding.what))
    console.print(Text.assemble(("     where: ", "dim"), finding.where))
    console.print(Text.assemble(("     do:    ", "dim"), finding.remedy))


def refuse(code: str, what: str, where: str, remedy: str) -> NoReturn:
    """Raise one finding about the command line itself."""
    raise InputError(Finding(code, what, where, remedy), "command line")


@contextmanager
def progress() -> Iterator[Watcher | None]:
    """A progress bar on stderr while the block runs; none when stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True) as bar:
        task = bar.add_task("")

        def watch(step: str, number: int, total: int) -> None:
            bar.update(task, description=step, completed=number, total=total)

        yield watch


def fail_if_many(**chosen: bool) -> None:
    """Refuse two output formats at once."""
    given = [f"--{name}" for name, on in chosen.items() if on]
    if len(given) > 1:
        refuse("two-formats", f"{' and '.join(given)} are both given", "options", "choose one")


def write_frame(
    frame: pl.DataFrame, *, as_csv: bool, as_document: bool, file: Path | None, document: Callable[[], Any] | None = None
) -> None:
    """A table to stdout (aligned text, CSV or JSON) or to a file by its suffix.

    ``document`` makes the JSON form where it is not simply the rows.
    """
    made = document or frame.to_dicts
    if file is not None:
        save_frame(frame, file, made)
        say(f"wrote {file}")
    elif as_document:
        write_document(made())
    elif as_csv:
        write(frame.write_csv())
    else:
        write(plain_table(frame))


def save_frame(frame: pl.DataFrame, file: Path, document: Callable[[], Any]) -> None:
    """Write to ``file`` in the format of its suffix; the file appears whole or not at all."""
    import io

    from hinterland.study.record import replace_file

    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        refuse(
            "unknown-format", f"the suffix {file.suffix or '(none)'!r} stands for no format", f"-o {file}", did_you_mean(suffix, SUFFIXES)
        )
    if not file.parent.is_dir():
        refuse("missing-folder", f"there is no folder {str(file.parent)!r}", f"-o {file}", "make it first, or name another")
    buffer = io.BytesIO()
    if suffix == ".json":
        buffer.write(as_json(document()).encode())
    elif suffix == ".csv":
        frame.write_csv(buffer)
    else:
        frame.write_parquet(buffer)
    replace_file(file, buffer.getvalue())


def plain_table(frame: pl.DataFrame, width: int = 48) -> str:
    """Aligned columns for reading; wide characters count twice."""
    from rich.cells import cell_len

    def cell(value: object) -> str:
        text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        return text if len(text) <= width else f"{text[: width - 1]}…"

    rows = [list(frame.columns), *([cell(v) for v in row] for row in frame.iter_rows())]
    numeric = [frame.schema[c].is_numeric() for c in frame.columns]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(frame.width)]

    def pad(text: str, i: int) -> str:
        space = " " * (widths[i] - cell_len(text))
        return space + text if numeric[i] else text + space

    return "".join("  ".join(pad(text, i) for i, text in enumerate(row)).rstrip() + "\n" for row in rows)
