"""The PDF report: pages, text in both languages, tables that fit, lines broken where they may be."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from synthetic import write_record

from hinterland.report.chapters import document
from hinterland.report.document import write_report
from hinterland.report.pdf_table import SIZES, column_widths, grid
from hinterland.report.pdf_text import lines, measure, units
from hinterland.report.record import Record, read_record
from hinterland.report.table import Heading, Row, Table

MIXED = "主要估计（Callaway–Sant'Anna）为 +0.558（95% 区间 0.229 至 0.888，p\u00a0<\u00a00.001），可称“政策效应”；参见 ln_inventions/callaway-santanna。"


def _pages(path: Path) -> int:
    return len(re.findall(rb"/Type /Page\b", path.read_bytes()))


def _shown(path: Path) -> str:
    """Every character that the file says it shows, from the maps of its fonts to Unicode."""
    codes = set()
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", path.read_bytes(), flags=re.DOTALL):
        try:
            content = zlib.decompress(_ascii85(stream))
        except (zlib.error, ValueError):
            continue
        if b"begincmap" in content:
            codes |= {int(code, 16) for code in re.findall(rb"<([0-9A-Fa-f]{4})>", content)}
    return "".join(map(chr, sorted(codes)))


def _ascii85(stream: bytes) -> bytes:
    import base64

    return base64.a85decode(stream.strip().removesuffix(b"~>")) if stream.strip().endswith(b"~>") else stream


@pytest.mark.parametrize(("name", "words"), [("report.pdf", "Baseline results"), ("report.zh.pdf", "基准结果")])
def test_pages_and_text(written: Path, name: str, words: str) -> None:
    path = written / name
    assert path.read_bytes().startswith(b"%PDF-")
    assert _pages(path) > 5
    assert set(words.replace(" ", "")) <= set(_shown(path))
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True).stdout.decode("utf-8")
        assert words in text
        assert "Callaway–Sant'Anna" in text


def test_only_the_packaged_font(written: Path) -> None:
    fonts = set(re.findall(rb"/BaseFont /([^ ]+)", (written / "report.zh.pdf").read_bytes()))
    assert {f.split(b"+")[-1].strip() for f in fonts} == {b"HinterlandSansSC-Regular"}


@pytest.mark.parametrize("tables", [(), ("descriptives",), ("models", "effects")])
def test_records_without_optional_tables(tmp_path: Path, tables: tuple[str, ...]) -> None:
    folder = write_record(tmp_path, tables=tables, simulated=False)
    names = [p.name for p in write_report(folder, ["zh", "en"], ["pdf"]) if p.parent == folder]
    assert names == ["report.pdf", "report.en.pdf"]
    assert _pages(folder / "report.pdf") >= 2


@pytest.mark.parametrize("width", [40.0, 90.0, 300.0])
def test_chinese_lines_break_where_they_may(width: float) -> None:
    found = lines(MIXED, 9, width)
    assert "".join(found) == MIXED
    assert all(measure(line.rstrip(" "), 9) <= width for line in found)
    if width > 60:  # no word is cut
        assert not [line for line in found if line[0] in "，。；：！？）”、"]
        assert not [line for line in found[:-1] if line.rstrip()[-1] in "（“"]
        assert any("p\u00a0<\u00a00.001" in line for line in found)


def test_english_words_stay_whole() -> None:
    assert units("the difference-in-differences, p\u00a0=\u00a00.04") == [
        "the ",
        "difference-",
        "in-",
        "differences, ",
        "p\u00a0=\u00a00.04",
    ]


def _wide(columns: int, word: str) -> Table:
    return Table("wide", "Wide", tuple(Heading(word) for _ in range(columns)), (Row(tuple("−0.123" for _ in range(columns))),))


@pytest.mark.parametrize("table", [_wide(2, "a"), _wide(9, "some heading"), _wide(24, "unbreakable")])
def test_columns_fill_the_page_and_no_more(table: Table) -> None:
    assert sum(column_widths(table, SIZES[0], 470)) == pytest.approx(470, abs=0.01)
    assert grid(table, 470).wrap(470, 700)[0] == pytest.approx(470, abs=0.01)


def test_every_table_and_figure_is_in_the_outline(written: Path) -> None:
    doc = document(read_record(written), "en")
    entries = len(re.findall(rb"/Parent \d+ 0 R(?: /Prev[^/]*)? /Title|/Title", (written / "report.pdf").read_bytes()))
    assert entries > len(doc.tables()) + len(doc.charts()) + len(doc.chapters)


def test_figures_are_left_as_they_were(record: Record) -> None:
    import io

    from reportlab.pdfgen.canvas import Canvas

    from hinterland.report.pdf_drawing import Picture

    figure = document(record, "en").charts()[0].figure
    figure.set_layout_engine(None)
    before, picture = figure.dpi, Picture(figure, 0)
    picture.wrap(400, 700)
    picture.drawOn(Canvas(io.BytesIO()), 0, 0)
    assert figure.dpi == before
