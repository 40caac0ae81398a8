"""The pages on transfer, complexity and security show what their code gives."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.parametrize("page", ["transfer", "flows", "complexity", "security"])
def test_page_shows_what_its_code_gives(page: str, docs: Path, snippets: ModuleType, tmp_path: Path) -> None:
    found = snippets.run_page(docs / "explanation" / "measures" / f"{page}.md", tmp_path)
    assert found
    assert [f"line {s.line}: the page shows\n{s.shown}\nbut the code gives\n{s.real}" for s in found if not s.agrees] == []
