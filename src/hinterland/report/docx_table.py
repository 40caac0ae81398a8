"""Captions, tables and notes as Word's XML, written as text: python-docx counts the cells of a row again for each cell that is touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from hinterland.report.table import Row, Table

TEXT_WIDTH = 15.5
"""Width of tables and figures, centimetres."""

_GAP, _LETTER = 0.24, 0.16
"""Gap between columns, and width of a letter of a table; a Chinese character is two letters wide. Centimetres."""
_LONGEST = 70
"""Letters that a column of words asks for at most."""

_TWIPS = 1440 / 2.54
"""Twentieths of a point in a centimetre: Word's unit of length."""
_SMALL = '<w:sz w:val="17"/>'
_QUIET = '<w:color w:val="666B73"/>'
_BREAKS = {"\t": "<w:tab/>", "\n": "<w:br/>", "\r": "<w:br/>"}


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    align: str
    span: int = 1


def caption(number: str, title: str, subtitle: str) -> str:
    """The paragraph above a table or figure, kept with what follows."""
    runs = _run(f"{number}  {title}" if number else title, "<w:b/>")
    if subtitle:
        runs += _run(f"\n{subtitle}", _QUIET + _SMALL)
    return f'<w:p><w:pPr><w:keepNext/><w:spacing w:before="200"/></w:pPr>{runs}</w:p>'


def table_xml(table: Table, number: str) -> str:
    """Caption, grid and notes, one after the other."""
    notes = "".join(f'<w:p><w:pPr><w:spacing w:after="40"/></w:pPr>{_run(note, _SMALL)}</w:p>' for note in table.notes)
    return caption(number, table.title, table.subtitle) + _grid(table) + notes


def _grid(table: Table) -> str:
    widths = _shares(table)
    columns = "".join(f'<w:gridCol w:w="{w}"/>' for w in widths)
    header = [_header_cells(table)] if table.spanners() else []
    header.append([_Cell(h.text, h.align) for h in table.headings])
    lines = [_line(cells, widths, _header_rules(k, len(header)), repeated=True) for k, cells in enumerate(header)]
    for k, row in enumerate(table.rows):
        lines.append(_line(_body_cells(row, table), widths, _body_rules(table.rows, k)))
    return f"<w:tbl>{_properties()}<w:tblGrid>{columns}</w:tblGrid>{''.join(lines)}</w:tbl>"


def _properties() -> str:
    """Fixed widths, and half of the gap between columns on either side of each cell."""
    edge = round(_GAP / 2 * _TWIPS)
    margins = "".join(f'<w:{side} w:w="{edge}" w:type="dxa"/>' for side in ("left", "right"))
    look = '<w:tblLook w:firstColumn="1" w:firstRow="1" w:lastColumn="0" w:lastRow="0" w:noHBand="0" w:noVBand="1" w:val="04A0"/>'
    return f'<w:tblPr><w:tblW w:type="auto" w:w="0"/><w:tblLayout w:type="fixed"/>{look}<w:tblCellMar>{margins}</w:tblCellMar></w:tblPr>'


def _header_cells(table: Table) -> list[_Cell]:
    return [_Cell(text, "center", span) for text, span in table.spanners()]


def _body_cells(row: Row, table: Table) -> list[_Cell]:
    if row.kind == "head":
        return [_Cell(row.cells[0], "left", len(table.headings))]
    return [_Cell(text, h.align) for text, h in zip(row.cells, table.headings, strict=True)]


def _header_rules(k: int, height: int) -> str:
    return (_rule("top", 12) if k == 0 else "") + (_rule("bottom", 6) if k == height - 1 else "")


def _body_rules(rows: Sequence[Row], k: int) -> str:
    opens = rows[k].kind == "fact" and k > 0 and rows[k - 1].kind != "fact"
    return (_rule("top", 4) if opens else "") + (_rule("bottom", 12) if k == len(rows) - 1 else "")


def _rule(side: str, size: int) -> str:
    return f'<w:{side} w:val="single" w:sz="{size}" w:space="0" w:color="1C1F23"/>'


def _line(cells: Sequence[_Cell], widths: Sequence[int], rules: str, *, repeated: bool = False) -> str:
    borders = f"<w:tcBorders>{rules}</w:tcBorders>" if rules else ""
    found, start = [], 0
    for cell in cells:
        width = sum(widths[start : start + cell.span])
        span = f'<w:gridSpan w:val="{cell.span}"/>' if cell.span > 1 else ""
        found.append(
            f'<w:tc><w:tcPr><w:tcW w:type="dxa" w:w="{width}"/>{span}{borders}</w:tcPr>'
            f'<w:p><w:pPr><w:spacing w:after="20"/><w:jc w:val="{cell.align}"/></w:pPr>{_run(cell.text, _SMALL)}</w:p></w:tc>'
        )
        start += cell.span
    return f"<w:tr>{'<w:trPr><w:tblHeader/></w:trPr>' if repeated else ''}{''.join(found)}</w:tr>"


def _run(text: str, properties: str) -> str:
    words = "".join(_piece(part) for part in re.split(r"([\t\n\r])", text))
    return f"<w:r><w:rPr>{properties}</w:rPr>{words}</w:r>"


def _piece(text: str) -> str:
    if not text or text in _BREAKS:
        return _BREAKS.get(text, "")
    kept = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<w:t{kept}>{escape(text)}</w:t>"


def _shares(table: Table) -> list[int]:
    """The width of the text shared among columns, twips: numbers stay on one line, columns of words give way where there is too little."""
    wished, least = (_widths(table, whole) for whole in (True, False))
    excess, slack = sum(wished) - TEXT_WIDTH, sum(wished) - sum(least)
    if excess > 0 and slack > 0:
        wished = [w - (w - low) * min(1.0, excess / slack) for w, low in zip(wished, least, strict=True)]
    return [round(TEXT_WIDTH * width / sum(wished) * _TWIPS) for width in wished]


def _widths(table: Table, whole: bool) -> list[float]:
    """Centimetres that each column asks for: its longest cell (of words, up to ``_LONGEST`` letters), or what it needs at least."""
    found = []
    for k, heading in enumerate(table.headings):
        cells = [r.cells[k] for r in table.rows if r.kind != "head"]
        words = [_length(w) for text in (heading.text, *(cells if heading.align == "left" else ())) for w in text.split()]
        numbers = [] if heading.align == "left" else [_length(c) for c in cells]
        longest = [_length(heading.text), *map(_length, cells)] if whole else []
        found.append(_GAP + _LETTER * max([3, *(min(n, _LONGEST) for n in (*longest, *words)), *numbers]))
    return found


def _length(text: str) -> int:
    return sum(2 if ord(c) > 0x2E80 else 1 for c in text)
