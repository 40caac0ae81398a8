"""The page on estimated inter-regional tables shows what its code gives."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType


def test_page_shows_what_its_code_gives(docs: Path, snippets: ModuleType, tmp_path: Path) -> None:
    found = snippets.run_page(docs / "explanation" / "measures" / "estimated-mrio.md", tmp_path)
    assert len(found) == 2
    assert [f"line {s.line}: the page shows\n{s.shown}\nbut the code gives\n{s.real}" for s in found if not s.agrees] == []
