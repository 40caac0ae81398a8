"""Word: tables, and the whole report with its figures."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hinterland.report.blocks import Block, Bullets, Chart, Document, Heading, Prose
from hinterland.report.style import Drawing
from hinterland.report.table import Row, Table

_FONTS = {"ascii": "Times New Roman", "eastAsia": "SimSun"}
TEXT_WIDTH = 15.5
"""Width of tables and figures, centimetres."""

_GAP, _LETTER = 0.24, 0.16
"""Gap between columns, and width of a letter of a table; a Chinese character is two letters wide. Centimetres."""
_LONGEST = 70
"""Letters that a column of words asks for at most."""

_EPOCH = dt.datetime(2000, 1, 1)


def save_table(table: Table, path: Path) -> Path:
    """One table as a document of its own."""
    word = _new(table.title)
    _add_table(word, table, "")
    return _write(word, path)


def save_report(document: Document, drawn: Mapping[str, Drawing], path: Path) -> Path:
    """The whole report: prose, tables, figures (as PNG)."""
    word = _new(document.title)
    word.add_heading(document.title, 0)
    word.add_paragraph(document.byline)
    for part in document.summary:
        _add(word, part, document, drawn)
    number = 0
    for chapter in document.chapters:
        number += chapter.numbered
        word.add_heading(f"{number}  {chapter.title}" if chapter.numbered else chapter.title, 1)
        for block in chapter.blocks:
            _add(word, block, document, drawn)
    return _write(word, path)


def _new(title: str) -> Any:
    import docx
    from docx.shared import Pt, RGBColor

    word = docx.Document()
    for name in ("Normal", "Title", "Heading 1", "Heading 2", "List Bullet", "Caption"):
        _set_fonts(word.styles[name].element)
        if name != "Normal":
            word.styles[name].font.color.rgb = RGBColor(0x1C, 0x1F, 0x23)
    _set_language(word.styles["Normal"])
    word.styles["Normal"].font.size = Pt(10.5)
    word.core_properties.title = title
    word.core_properties.author = ""
    word.core_properties.created = word.core_properties.modified = _EPOCH
    return word


def _set_fonts(element: Any) -> None:
    from docx.oxml.ns import qn

    fonts = element.get_or_add_rPr().get_or_add_rFonts()
    for key in list(fonts.attrib):
        del fonts.attrib[key]
    for kind, name in (("ascii", _FONTS["ascii"]), ("hAnsi", _FONTS["ascii"]), ("cs", _FONTS["ascii"]), ("eastAsia", _FONTS["eastAsia"])):
        fonts.set(qn(f"w:{kind}"), name)


def _set_language(style: Any) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    language = OxmlElement("w:lang")
    language.set(qn("w:val"), "en-GB")
    language.set(qn("w:eastAsia"), "zh-CN")
    style.element.get_or_add_rPr().append(language)


def _write(word: Any, path: Path) -> Path:
    import zipfile

    buffer = io.BytesIO()
    word.save(buffer)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name, _EPOCH.timetuple()[:6]), source.read(name), zipfile.ZIP_DEFLATED)
    return path


def _add(word: Any, block: Block, document: Document, drawn: Mapping[str, Drawing]) -> None:
    speaker = document.speaker
    match block:
        case Prose(sentences, _):
            word.add_paragraph(speaker.paragraph(sentences))
        case Bullets(items):
            for item in items:
                word.add_paragraph(speaker.sentence(item), style="List Bullet")
        case Heading(text):
            word.add_heading(text, 2)
        case Table():
            _add_table(word, block, speaker.ui("table_number", n=speaker.numbering[f"table:{block.key}"]))
        case Chart():
            _add_chart(word, block, drawn[block.key].png, speaker.ui("figure_number", n=speaker.numbering[f"figure:{block.key}"]))


def _add_chart(word: Any, chart: Chart, png: bytes, number: str) -> None:
    from docx.shared import Cm

    _caption(word, number, chart.title, chart.subtitle)
    word.add_picture(io.BytesIO(png), width=Cm(TEXT_WIDTH))
    picture = word.inline_shapes[-1]._inline.docPr
    picture.set("descr", chart.alt)
    picture.set("title", chart.title)


def _caption(word: Any, number: str, title: str, subtitle: str) -> None:
    from docx.shared import Pt, RGBColor

    paragraph = word.add_paragraph()
    paragraph.paragraph_format.keep_with_next = True
    paragraph.paragraph_format.space_before = Pt(10)
    paragraph.add_run(f"{number}  {title}" if number else title).bold = True
    if subtitle:
        run = paragraph.add_run(f"\n{subtitle}")
        run.font.size = Pt(8.5)
        run.font.color.rgb = RGBColor(0x66, 0x6B, 0x73)


def _add_table(word: Any, table: Table, number: str) -> None:
    _caption(word, number, table.title, table.subtitle)
    width, spans = len(table.headings), table.spanners()
    grid = word.add_table(rows=0, cols=width)
    grid.autofit = True
    if spans:
        _spanner_row(grid, spans)
    _fill(grid.add_row(), [h.text for h in table.headings], table)
    _repeat_header(grid)
    _border(grid.rows[0], "top", 12)
    _border(grid.rows[-1], "bottom", 6)
    previous = None
    for row in table.rows:
        line = grid.add_row()
        _body_row(line, row, table)
        if row.kind == "fact" and previous not in ("fact", None):
            _border(line, "top", 4)
        previous = row.kind
    _border(grid.rows[-1], "bottom", 12)
    _set_widths(grid, table)
    _notes(word, table.notes)


def _set_widths(grid: Any, table: Table) -> None:
    """Share the width of the text among columns: numbers stay on one line, columns of words give way where there is too little."""
    from docx.shared import Cm

    wished, least = (_widths(table, whole) for whole in (True, False))
    excess, slack = sum(wished) - TEXT_WIDTH, sum(wished) - sum(least)
    if excess > 0 and slack > 0:
        wished = [w - (w - low) * min(1.0, excess / slack) for w, low in zip(wished, least, strict=True)]
    grid.autofit = False
    _set_margins(grid)
    for column, width in zip(grid.columns, wished, strict=True):
        column.width = Cm(TEXT_WIDTH * width / sum(wished))
    for line in grid.rows:
        for cell, width in zip(line._tr.tc_lst, _merged(line, [c.width for c in grid.columns]), strict=True):
            cell.width = width


def _widths(table: Table, whole: bool) -> list[float]:
    """Centimetres that each column asks for: its longest cell (of words, up to ``_LONGEST`` letters), or what it needs at least."""
    found = []
    for k, heading in enumerate(table.headings):
        cells = [r.cells[k] for r in table.rows if r.kind != "head"]
        words = [_length(w) for text in (heading.text, *(cells if heading.align == "left" else ())) for w in text.split()]
        numbers = [] if heading.align == "left" else [_length(c) for c in cells]
        longest = [_length(heading.text), *map(_length, cells)] if whole else []
        found.append(_GAP + _LETTER * max(3, *(min(n, _LONGEST) for n in (*longest, *words)), *numbers))
    return found


def _set_margins(grid: Any) -> None:
    """Half of the gap between columns, on either side of each cell."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        edge = OxmlElement(f"w:{side}")
        edge.set(qn("w:w"), str(round(_GAP / 2 / 2.54 * 1440)))
        edge.set(qn("w:type"), "dxa")
        margins.append(edge)
    grid._tbl.tblPr.append(margins)


def _merged(line: Any, widths: list[int]) -> list[int]:
    found, start = [], 0
    for cell in line._tr.tc_lst:
        found.append(sum(widths[start : start + cell.grid_span]))
        start += cell.grid_span
    return found


def _length(text: str) -> int:
    return sum(2 if ord(c) > 0x2E80 else 1 for c in text)


def _spanner_row(grid: Any, spans: Sequence[tuple[str, int]]) -> None:
    line, start = grid.add_row(), 0
    for text, width in spans:
        cell = line.cells[start].merge(line.cells[start + width - 1])
        _set_cell(cell, text, "center")
        start += width


def _repeat_header(grid: Any) -> None:
    from docx.oxml import OxmlElement

    for line in grid.rows:
        line._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _body_row(line: Any, row: Row, table: Table) -> None:
    if row.kind == "head":
        _set_cell(line.cells[0].merge(line.cells[-1]), row.cells[0], "left")
        return
    _fill(line, row.cells, table)


def _fill(line: Any, cells: Sequence[str], table: Table) -> None:
    for cell, text, heading in zip(line.cells, cells, table.headings, strict=True):
        _set_cell(cell, text, heading.align)


def _set_cell(cell: Any, text: str, align: str) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    paragraph.alignment = {"left": WD_ALIGN_PARAGRAPH.LEFT, "right": WD_ALIGN_PARAGRAPH.RIGHT, "center": WD_ALIGN_PARAGRAPH.CENTER}[align]
    paragraph.paragraph_format.space_after = Pt(1)
    paragraph.add_run(text).font.size = Pt(8.5)


def _border(line: Any, side: str, size: int) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for cell in line._tr.tc_lst:
        properties = cell.get_or_add_tcPr()
        borders = properties.find(qn("w:tcBorders"))
        if borders is None:
            borders = OxmlElement("w:tcBorders")
            properties.append(borders)
        edge = OxmlElement(f"w:{side}")
        for key, value in (("val", "single"), ("sz", str(size)), ("space", "0"), ("color", "1C1F23")):
            edge.set(qn(f"w:{key}"), value)
        borders.append(edge)


def _notes(word: Any, notes: Sequence[str]) -> None:
    from docx.shared import Pt

    for note in notes:
        paragraph = word.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(2)
        paragraph.add_run(note).font.size = Pt(8.5)
