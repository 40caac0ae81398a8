from __future__ import annotations

import pytest

from hinterland.errors import StudyError
from hinterland.study.load import parse_study


@pytest.mark.parametrize(
    ("text", "line", "what", "remedy"),
    [
        ('[panel.derive]\n专利对数 = "log1p(x)"', 2, "专利对数", '"专利对数" = …'),
        ('你好.a = "x"', 1, "你好", '"你好".a = …'),
        ('a = { 城市 = "x" }', 1, "城市", "in quotes"),
        ("[study]\ntitle = 中文", 2, "中文", 'title = "中文"'),
        ("[study]\ntitle = “城市”", 2, "“城市”", "straight quotes"),
        ('[study]\ntitle ＝ "a"', 2, "＝", "straight quotes"),
        ('[study]\ntitle = "a"\ntitle = "b"', 3, "there twice", "keep one"),
        ("[study]\n[panel]\n[study]\n", 3, "[study] is there twice", "keep one"),
        ('[panel]\nsource = "D:\\data.csv"', 2, "data.csv", "write / in paths"),
        ('title = "a\n', 1, "title", "correct the line"),
        ("", 0, "", ""),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_how_to_write_it(text: str, line: int, what: str, remedy: str) -> None:
    with pytest.raises(StudyError) as error:
        parse_study(text, "s.toml")
    if not line:
        assert {f.code for f in error.value.findings} == {"missing-key"}
        return
    (found,) = error.value.findings
    assert found.code == "toml-syntax"
    assert what in found.what
    assert found.where == f"s.toml, line {line}"
    assert remedy in found.remedy
