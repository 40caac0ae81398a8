"""Command lines in the documentation name verbs and options that exist, and show what they print."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from hinterland.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "README.zh.md"])


def verbs() -> dict[str, Any]:
    """Every verb, those of a group with a blank between."""
    found: dict[str, Any] = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]  # a group
        found[name] = command
        found |= {f"{name} {inner}": c for inner, c in getattr(command, "commands", {}).items()}
    return found


def own_options(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option"]


def options(command: Any) -> set[str]:
    return {o for p in own_options(command) for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h", "--debug"}


def lines(snippets: ModuleType, page: Path) -> list[str]:
    """Command lines of console blocks, and of the bash blocks of the READMEs."""
    shell = [
        line.partition(" #")[0].strip()
        for b in snippets.blocks(page.read_text(encoding="utf-8"))
        if b.language == "bash"
        for line in b.text.splitlines()
    ]
    return [c for c in [*(c for _, c, _ in snippets.commands(page)), *shell] if c.startswith("hinterland ")]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_command_lines_exist(page: Path, snippets: ModuleType) -> None:
    known, wrong = verbs(), []
    for line in lines(snippets, page):
        words = shlex.split(line.split(">")[0])[1:]
        verb = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        if verb not in known:
            wrong.append(f"{line}: no verb {verb}")
        else:
            given = {w.split("=")[0] for w in words if w.startswith("-")}
            wrong += [f"{line}: {verb} has no option {o}" for o in given - options(known[verb])]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_shown_output_appears(page: Path, snippets: ModuleType, tmp_path: Path) -> None:
    shown = [(c, o) for _, c, o in snippets.commands(page) if o and c.startswith("hinterland ")]
    snippets.save_files(snippets.blocks(page.read_text(encoding="utf-8")), tmp_path)
    for command, output in shown:
        printed = snippets.run_command(command, tmp_path)
        assert [line for line in output.splitlines() if line.strip() and line not in printed] == []


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_has_help(verb: str) -> None:
    command = verbs()[verb]
    assert (command.help or "").strip()
    assert [p.name for p in own_options(command) if not (p.help or "").strip()] == []


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_every_verb_and_option_is_in_the_reference(verb: str, docs: Path) -> None:
    page = (docs / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0].strip(): part for part in page.split("\n## ")[1:]}
    section = sections.get(verb.split(maxsplit=1)[0], "")
    assert section, f"docs/reference/cli.md has no section '## {verb.split(maxsplit=1)[0]}'"
    assert verb in section
    undocumented = [p.opts for p in own_options(verbs()[verb]) if p.name != "help" and not any(f"{o}" in section for o in p.opts)]
    assert undocumented == []
