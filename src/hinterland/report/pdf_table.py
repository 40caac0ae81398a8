"""Tables in the PDF report: columns that fit the page, rules as in a paper, header rows repeated after a page break."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.platypus import Table as PlainGrid

from hinterland.report.pdf_text import Rehearsal, Style, Text, measure, register_font, units
from hinterland.report.style import INK, MUTED, RULE
from hinterland.report.table import Align, Row, Table

SIZES = (8.0, 7.4, 6.8, 6.2)
"""Letter sizes tried, points: the largest at which no word has to be cut."""
GAP = 5.0
"""Empty space at either side of a column, points."""

Rule = tuple[Any, ...]


class Grid(PlainGrid):  # type: ignore[misc]  # reportlab has no types
    """Rows and columns of cells, none of which is looked for in the contents or the outline."""

    def draw(self) -> None:
        """Draw at the origin of the canvas."""
        if not isinstance(self.canv, Rehearsal):
            super().draw()


def grid(table: Table, width: float) -> Grid:
    """``table`` as a grid of ``width`` points; it may break between rows, not between an estimate and its standard error."""
    size = next((s for s in SIZES if sum(_least(table, s)) <= width), SIZES[-1])
    style = Style(size=size, leading=1.35 * size)
    header = _header(table, style)
    body = [_body(row, table, style) for row in table.rows]
    rules = [
        ("FONT", (0, 0), (-1, -1), register_font(), size),
        *_frame(len(header)),
        *_spanner_rules(table),
        *_row_rules(table.rows, len(header)),
    ]
    return Grid([*header, *body], colWidths=column_widths(table, size, width), repeatRows=len(header), style=rules, hAlign="LEFT")


def column_widths(table: Table, size: float, width: float) -> list[float]:
    """Widths that add up to ``width`` points: each column its longest text if there is room, else the widest columns give way."""
    wanted = _natural(table, size)
    spare = width - sum(wanted)
    if spare >= 0:
        return [w + spare / len(wanted) for w in wanted]
    least = _least(table, size)
    if sum(least) >= width:
        return [w * width / sum(least) for w in least]
    low, high = 0.0, max(wanted)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if sum(_capped(wanted, least, middle)) > width else (middle, high)
    return _capped(wanted, least, low)


def _capped(wanted: Sequence[float], least: Sequence[float], cap: float) -> list[float]:
    return [max(smallest, min(wish, cap)) for wish, smallest in zip(wanted, least, strict=True)]


def _columns(table: Table) -> list[tuple[str, ...]]:
    return list(zip([h.text for h in table.headings], *(r.cells for r in table.rows if r.kind != "head"), strict=True))


def _natural(table: Table, size: float) -> list[float]:
    return [2 * GAP + 0.5 + max(measure(c, size) for c in column) for column in _columns(table)]


def _least(table: Table, size: float) -> list[float]:
    """The width of the longest piece that cannot be broken; numbers stay on one line."""
    return [
        2 * GAP
        + 0.5
        + max(measure(p.rstrip(" "), size) for k, c in enumerate(column) for p in _pieces(c, whole=k > 0 and h.align != "left"))
        for h, column in zip(table.headings, _columns(table), strict=True)
    ]


def _pieces(cell: str, *, whole: bool) -> list[str]:
    return [cell] if whole or not cell else units(cell)


def _header(table: Table, style: Style) -> list[list[Any]]:
    columns = [Text(h.text, replace(style, align=h.align, colour=MUTED)) for h in table.headings]
    if not (spans := table.spanners()):
        return [columns]
    top: list[Any] = []
    for text, n in spans:
        top += [Text(text, replace(style, align="center")), *[""] * (n - 1)]
    return [top, columns]


def _body(row: Row, table: Table, style: Style) -> list[Any]:
    if row.kind == "head":
        return [Text(row.cells[0], replace(style, colour=MUTED, bold=True)), *[""] * (len(table.headings) - 1)]
    colour = MUTED if row.kind == "below" else INK
    return [_cell(text, h.align, style, colour) for text, h in zip(row.cells, table.headings, strict=True)]


def _cell(text: str, align: Align, style: Style, colour: str) -> Text | str:
    return Text(text, replace(style, align=align, colour=colour)) if text else ""


def _frame(header: int) -> Iterator[Rule]:
    yield from (("LEFTPADDING", (0, 0), (-1, -1), GAP), ("RIGHTPADDING", (0, 0), (-1, -1), GAP))
    yield from (("LEFTPADDING", (0, 0), (0, -1), 0.5), ("RIGHTPADDING", (-1, 0), (-1, -1), 0.5))
    yield from (("TOPPADDING", (0, 0), (-1, -1), 2.4), ("BOTTOMPADDING", (0, 0), (-1, -1), 2.0))
    yield from (("VALIGN", (0, 0), (-1, header - 1), "BOTTOM"), ("VALIGN", (0, header), (-1, -1), "TOP"))
    yield ("LINEABOVE", (0, 0), (-1, 0), 0.9, HexColor(INK))
    yield ("LINEBELOW", (0, header - 1), (-1, header - 1), 0.5, HexColor(INK))
    yield ("LINEBELOW", (0, "splitlast"), (-1, "splitlast"), 0.5, HexColor(RULE))
    yield ("LINEBELOW", (0, -1), (-1, -1), 0.9, HexColor(INK))


def _spanner_rules(table: Table) -> Iterator[Rule]:
    start = 0
    for text, n in table.spanners():
        yield ("SPAN", (start, 0), (start + n - 1, 0))
        if text:
            yield ("LINEBELOW", (start, 0), (start + n - 1, 0), 0.4, HexColor(RULE))
        start += n


def _row_rules(rows: Sequence[Row], header: int) -> Iterator[Rule]:
    for k, row in enumerate(rows):
        line, previous = header + k, rows[k - 1].kind if k else None
        if row.kind == "head":
            yield ("SPAN", (0, line), (-1, line))
            yield ("TOPPADDING", (0, line), (-1, line), 6)
            yield ("NOSPLIT", (0, line), (-1, min(line + 1, header + len(rows) - 1)))
        if row.kind == "below":
            yield ("TOPPADDING", (0, line), (-1, line), 0)
            yield ("NOSPLIT", (0, line - 1), (-1, line))
        if row.kind == "fact" and previous not in ("fact", None):
            yield ("LINEABOVE", (0, line), (-1, line), 0.4, HexColor(RULE))
            yield ("TOPPADDING", (0, line), (-1, line), 4)
