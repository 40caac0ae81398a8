"""The reference pages name what the code has."""

from __future__ import annotations

from pathlib import Path

from hinterland.cli.main import LATER, app
from hinterland.data.functions import FUNCTIONS
from hinterland.study.plan import KINDS
from hinterland.study.tables import TABLES
from hinterland.study.unbuilt import VERBS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_table_and_column_is_described() -> None:
    page = (REFERENCE / "run-record.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for name, schema in TABLES.items():
        assert [c for c in schema if f"`{c}`" not in rows[name]] == [], name


def test_every_verb_and_kind_is_described() -> None:
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    verbs = [c.name for c in app.registered_commands] + [g.name for g in app.registered_groups]
    assert [v for v in verbs if f"\n## {v}\n" not in page] == []
    assert [k for k in (*KINDS, *LATER) if f"`{k}`" not in page] == []
    assert LATER == VERBS


def test_every_function_of_the_formula_language_is_described() -> None:
    page = (REFERENCE / "study-file.md").read_text(encoding="utf-8")
    section = page[page.index("\n## Expressions\n") :]
    assert [f for f in FUNCTIONS if f"`{f}(" not in section] == []
