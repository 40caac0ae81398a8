"""Code blocks of the documentation, run as written; ``python docs/_ext/snippets.py PAGE…`` refreshes what they show.

A page's ``python`` blocks run in order, in one namespace and one empty folder. What a block shows is written in one of two ways:

* ``expression  # → value``: the text of the value, on the line itself;
* a ``text`` block right after: what the block prints, or the text of its last expression.

Numbers may differ from what is shown by one unit of their last printed digit: machines round sums differently.

``console`` blocks hold command lines after ``$``; a block that shows lines of output is run, and one line of it must appear for each.
"""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hinterland.errors import HinterlandWarning

ARROW = re.compile(r"^(?P<code>.*?)(?P<space>\s*)# → (?P<value>.*)$")
FENCE = re.compile(r"^```([^`]*)$")
NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
ANY_NUMBER = "\u0001"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line its first row stands on (from 1), and its text."""

    language: str
    line: int
    text: str


@dataclass(frozen=True)
class Shown:
    """What a page shows at ``line``, and what the code gives."""

    line: int
    shown: str
    real: str

    @property
    def agrees(self) -> bool:
        """Whether the two are the same but for rounding."""
        return same(self.shown, self.real)


def blocks(page: str) -> list[Block]:
    """Every fenced block of a Markdown text."""
    found: list[Block] = []
    opened: Block | None = None
    for number, line in enumerate(page.splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened = Block(fence.group(1).strip(), number + 1, "")
        elif opened is not None and line.rstrip() == "```":
            found.append(opened)
            opened = None
        elif opened is not None:
            opened = replace(opened, text=f"{opened.text}{line}\n")
    return found


def same(shown: str, real: str) -> bool:
    """Equal texts, but for blanks at line ends and one unit in the last printed digit of each number."""
    a, b = (["".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())] for text in (shown, real))
    if NUMBER.sub(ANY_NUMBER, a[0]) != NUMBER.sub(ANY_NUMBER, b[0]):
        return False
    return all(_close(x, y) for x, y in zip(NUMBER.findall(a[0]), NUMBER.findall(b[0]), strict=True))


def _close(shown: str, real: str) -> bool:
    mantissa, _, power = shown.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 0.0 if digits == 0 and not power else 10.0 ** (int(power or 0) - digits)
    return abs(_value(shown) - _value(real)) <= 1.01 * unit


def _value(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def run_page(path: Path, folder: Path, given: Mapping[str, Any] | None = None) -> list[Shown]:
    """Run the ``python`` blocks of a page in ``folder``, with the names ``given``: what it shows beside what the code gives.

    Exceptions of the code are not caught.
    """
    page = blocks(path.read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {"__name__": "__docs__", **(given or {})}
    found: list[Shown] = []
    save_files(page, folder)
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)
        for block, after in zip(page, [*page, Block("", 0, "")][1:], strict=True):
            if block.language != "python":
                continue
            printed = io.StringIO()
            with redirect_stdout(printed):
                last = _statements(block, namespace, path, found)
            if after.language == "text" and after.line == block.line + block.text.count("\n") + 3:
                found.append(Shown(after.line, after.text, printed.getvalue() or _text(last)))
    return found


def save_files(page: list[Block], folder: Path) -> None:
    """Write the ``toml`` blocks that begin with a comment naming a file (``# my-study.toml``)."""
    for block in page:
        first = block.text.partition("\n")[0]
        if block.language == "toml" and first.startswith("# ") and first.endswith(".toml"):
            (folder / first[2:]).write_text(block.text, encoding="utf-8")


def _statements(block: Block, namespace: dict[str, Any], path: Path, found: list[Shown]) -> object:
    """Run one block; the value of its last expression."""
    lines = block.text.splitlines()
    last: object = None
    for node in ast.parse(block.text).body:
        end = node.end_lineno or node.lineno
        place = f"{path.name}, line {block.line + node.lineno - 1}"
        arrow = ARROW.match(lines[end - 1])
        if isinstance(node, ast.Expr):
            last = eval(compile(ast.Expression(node.value), place, "eval"), namespace)
            if arrow:
                found.append(Shown(block.line + end - 1, arrow.group("value"), _text(last)))
        else:
            exec(compile(ast.Module([node], []), place, "exec"), namespace)
            if arrow:
                raise ValueError(f"{place}: only an expression has a value to show")
    return last


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.6g}" if isinstance(value, float) else str(value)


def commands(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, command and shown output of every ``$ …`` line of a page's ``console`` blocks."""
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.language != "console":
            continue
        parts: list[tuple[int, str, list[str]]] = []
        for number, line in enumerate(block.text.splitlines(), block.line):
            if line.startswith("$ "):
                parts.append((number, line[2:], []))
            elif parts:
                parts[-1][2].append(line)
        yield from ((number, command, "\n".join(output).strip()) for number, command, output in parts)


def run_command(command: str, folder: Path) -> str:
    """Standard output and error of a command line in ``folder``, with this environment's hinterland."""
    environment = {**os.environ, "NO_COLOR": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.stdout + done.stderr


def link_data(folder: Path) -> bool:
    """Make the shared data appear as ``data`` in ``folder``, beside the shipped ``studies``; whether there are any."""
    (folder / "studies").symlink_to(Path(__file__).resolve().parents[2] / "studies")
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    if shared.is_dir():
        (folder / "data").symlink_to(shared)
    return shared.is_dir()


def refresh(path: Path) -> int:
    """Write what the code gives in place of what the page shows; how many places changed."""
    with TemporaryDirectory() as folder:
        link_data(Path(folder))
        stale = [s for s in run_page(path.resolve(), Path(folder)) if not s.agrees]
    lines = path.read_text(encoding="utf-8").splitlines()
    for shown in sorted(stale, key=lambda s: -s.line):
        arrow = ARROW.match(lines[shown.line - 1])
        if arrow:
            lines[shown.line - 1] = f"{arrow.group('code')}{arrow.group('space')}# → {shown.real}"
        else:
            lines[shown.line - 1 : shown.line - 1 + shown.shown.count("\n")] = [
                line.rstrip() for line in shown.real.strip("\n").splitlines()
            ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(stale)


def main(pages: list[str]) -> None:
    """Refresh the pages named."""
    for page in pages:
        sys.stdout.write(f"{page}: {refresh(Path(page))} refreshed\n")


if __name__ == "__main__":
    main(sys.argv[1:])
