from __future__ import annotations

import tomllib
from typing import Any

import pytest

from hinterland.study.lines import line_map

TEXT = """\
# a comment with = and [brackets]
title = "a = b # not a comment"

[panel]
years = [2008,
  2022]
derive = { a = "x", "b c" = 'y]' }
text = \"\"\"
[not.a.table]
x = 1 \\\"\"\"
\"\"\"
dotted.key = 1
date = 2010-01-01 12:00:00

[[outcome]]
name = "one"
[outcome.label]
en = "One"
[[outcome]]
name = "two"
rows = [
  { a = 1 },
  # between
  { a = 2, b = [3, 4] },
]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("panel",), 4),
        (("panel", "years"), 5),
        (("panel", "years", 1), 6),
        (("panel", "derive", "b c"), 7),
        (("panel", "text"), 8),
        (("panel", "dotted", "key"), 12),
        (("panel", "date"), 13),
        (("outcome", 0), 15),
        (("outcome", 0, "label", "en"), 18),
        (("outcome", 1, "name"), 20),
        (("outcome", 1, "rows", 1, "b"), 24),
        (("outcome", 1, "rows", 1, "b", 1), 24),
    ],
)
def test_every_key_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert line_map(TEXT).line(path) == line


def test_an_absent_key_has_the_line_of_its_table() -> None:
    assert line_map(TEXT).line(("outcome", 1, "label", "zh")) == 19
    assert line_map(TEXT).line(("nowhere",)) is None


def test_every_key_of_the_packaged_study_is_found() -> None:
    from importlib.resources import files

    text = files("hinterland.study").joinpath("demonstration.toml").read_text(encoding="utf-8")
    lines = line_map(text)

    def walk(value: Any, path: tuple[str | int, ...]) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            assert (*path, key) in lines.lines
            walk(inner, (*path, key))

    walk(tomllib.loads(text), ())
