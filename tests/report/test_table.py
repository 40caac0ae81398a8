"""Tables: what is written in each format, and that nothing in a cell can break it."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hinterland.errors import InputError
from hinterland.report.digits import compact, decimals_for, number, p_value, percent, signed
from hinterland.report.table import Heading, Row, Table, tex_escape

AWKWARD = r'a<b & "c" 50% $x_1$ #2 {z} ~ ^ \ | 川渝'


@pytest.fixture
def table() -> Table:
    return Table(
        "awkward",
        AWKWARD,
        (Heading("", "left"), Heading("(1)", "center", "A & B"), Heading("(2)", "center", "A & B")),
        (
            Row((AWKWARD, "−0.210", "[0.1, 0.2]")),
            Row(("", "(0.050)", "(0.060)"), "below"),
            Row(("Panel_B",), "head"),
            Row(("N", "1,200", "1,200"), "fact"),
        ),
        "subtitle",
        ("a note with 5% & more",),
    )


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[int] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += int(dict(attrs).get("colspan") or 1)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_html_is_escaped_and_every_row_is_full(table: Table) -> None:
    parsed = _Cells()
    parsed.feed(table.to_html())
    assert set(parsed.rows) == {3}
    assert AWKWARD in parsed.text


def test_tex_is_escaped_and_every_row_is_full(table: Table) -> None:
    tex = table.to_tex()
    body = tex[tex.index(r"\toprule") : tex.index(r"\bottomrule")]
    for line in body.splitlines():
        if line.endswith(r"\\") and "multicolumn" not in line:
            assert line.replace(r"\&", "").count("&") == 2
    assert tex.count(r"\begin{") == tex.count(r"\end{")
    assert "$-$0.210" in tex
    assert r"\multicolumn{2}{c}{A \& B}" in tex
    assert r"\cmidrule(lr){2-3}" in tex
    plain = tex_escape(AWKWARD)
    assert r"50\%" in plain
    assert r"\textless{}" in plain
    assert "川渝" in plain


def test_tex_breaks_sentences_into_lines() -> None:
    sentence = "A reason that is found in the data and told in a whole sentence, as the recommendations do. " * 2
    table = Table("why", "t", (Heading("a", "left"), Heading("b"), Heading("c", "left")), (Row(("x", "1", sentence)),))
    assert r"\begin{tabular}{lrp{0.90\linewidth}}" in table.to_tex()


def test_csv_holds_plain_numbers(table: Table) -> None:
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert {len(r) for r in rows} == {3}
    assert rows[1][0] == AWKWARD
    assert float(rows[1][1]) == -0.21


def test_markdown_keeps_its_columns(table: Table) -> None:
    lines = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {4}


@pytest.mark.parametrize("suffix", [".html", ".tex", ".docx", ".md", ".csv"])
def test_format_follows_the_suffix(table: Table, tmp_path: Path, suffix: str) -> None:
    path = table.save(tmp_path / f"t{suffix}")
    first = path.read_bytes()
    assert len(first) > 100
    assert table.save(tmp_path / f"again{suffix}").read_bytes() == first


def test_docx_holds_the_cells(table: Table, tmp_path: Path) -> None:
    import docx

    word = docx.Document(str(table.save(tmp_path / "t.docx")))
    assert word.tables[0].cell(2, 0).text == AWKWARD


def test_unknown_suffix_is_a_finding(table: Table, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        table.save(tmp_path / "t.xls")


def test_numbers() -> None:
    assert number(-0.0001) == "0.000"
    assert number(-1234.5, 1) == "−1,234.5"
    assert number(None) == number(float("nan")) == "–"
    assert signed(0.2) == "+0.200"
    assert percent(0.640175) == "+89.7"
    assert p_value(0.00001) == "p\u00a0<\u00a00.001"
    assert p_value(0.0421) == "p\u00a0=\u00a00.042"
    assert compact(10) == "10"
    assert decimals_for([0.00069, 0.2]) == 5
    assert decimals_for([0.135867]) == 3


def test_greek_and_accented_letters_are_mathematics_in_tex() -> None:
    assert tex_escape("τ ≤ M̄, χ²") == r"$\tau$ $\leq$ $\bar{M}$, $\chi$\textsuperscript{2}"


def test_tabular_is_the_inside_of_the_table(table: Table) -> None:
    assert table.to_tex_tabular() in table.to_tex()
    assert table.to_tex_tabular().startswith(r"\begin{tabular}")
