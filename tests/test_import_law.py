"""The import law: cli → study → report → transfer → evaluate, plan → measure → data → labels, errors. Outer rooms import inner ones only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("errors", "units", "labels", "data", "measure", "evaluate", "plan", "transfer", "report", "study", "cli")
"""From the innermost outwards."""


def _imports(path: Path) -> set[str]:
    """Rooms of hinterland that a module names in import statements, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        found |= {n.split(".")[1] for n in names if n.startswith("hinterland.")}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_inwards_only(room: str) -> None:
    folder = ROOT / "src" / "hinterland"
    files = sorted((folder / room).rglob("*.py")) or [folder / f"{room}.py"]
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    outward = {f.relative_to(folder).as_posix(): sorted(_imports(f) - allowed) for f in files}
    assert {name: rooms for name, rooms in outward.items() if rooms} == {}


def test_linter_agrees() -> None:
    """The contract in pyproject.toml, which also follows chains of imports, is kept."""
    pytest.importorskip("importlinter", reason="import-linter is part of the check extra")
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout
