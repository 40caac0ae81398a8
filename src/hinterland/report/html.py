"""HTML: one file, no request to anywhere, readable in light and dark, on paper and on a phone."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING

import polars as pl

from hinterland.report.blocks import Block, Bullets, Chart, Document, Heading, Prose
from hinterland.report.style import Drawing, embedded_font, inline
from hinterland.report.table import Table

if TYPE_CHECKING:
    from jinja2 import Environment

LONG_TABLE = 28
"""Rows from which a table may break over printed pages."""
MANY_COLUMNS = 9
"""Columns from which a table is set smaller, so that it fits the width of the page."""

Drawn = Mapping[str, Drawing]
View = dict[str, object]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("hinterland.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def report_page(views: Sequence[View]) -> str:
    """The report in one or more languages as one page; with several, a switch chooses."""
    text = "".join(str(value) for view in views for value in view.values())
    font = embedded_font("".join(sorted(set(text))))
    return (
        _environment().get_template("report.html.j2").render(views=views, first=views[0]["language"], several=len(views) > 1, font=font)
        + "\n"
    )


def table_page(table: Table) -> str:
    """One table as a page of its own."""
    return _environment().get_template("table.html.j2").render(table=table.to_html(), title=table.title) + "\n"


def view(document: Document, drawn: Drawn) -> View:
    """One language of the page: the texts and the HTML that its template puts together. ``drawn`` holds the figures by key."""
    ui = document.speaker.ui
    chapters, number = [], 0
    for chapter in document.chapters:
        number += chapter.numbered
        body = "\n".join(_block(b, document, drawn, chapter.key, k) for k, b in enumerate(chapter.blocks))
        chapters.append(
            {
                "id": f"{document.language}-{chapter.key}",
                "number": str(number) if chapter.numbered else "",
                "title": chapter.title,
                "body": body,
            }
        )
    return {
        "language": document.language,
        "code": "zh-Hans" if document.language == "zh" else "en",
        "name": ui("language_name"),
        "title": document.title,
        "byline": document.byline,
        "contents": ui("contents"),
        "summary": "\n".join(_block(p, document, drawn, "summary", 0) for p in document.summary),
        "chapters": chapters,
        "footer": ui("footer"),
    }


def _block(block: Block, document: Document, drawn: Drawn, chapter: str, position: int) -> str:
    speaker = document.speaker
    match block:
        case Prose(sentences, style):
            return f'<p class="{style}">{escape(speaker.paragraph(sentences))}</p>' if sentences else ""
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{escape(speaker.sentence(s))}</li>" for s in items) + "</ul>"
        case Heading(text):
            return f'<h3 id="{document.language}-{chapter}-{position}">{escape(text)}</h3>'
        case Table():
            return _table(block, document)
        case Chart():
            return _chart(block, document, drawn[block.key])


def _table(table: Table, document: Document) -> str:
    number = document.speaker.numbering[f"table:{table.key}"]
    caption = _caption(document, "table", number, table.title, table.subtitle)
    notes = f'<div class="notes">{"".join(f"<p>{escape(n)}</p>" for n in table.notes)}</div>' if table.notes else ""
    wide = (" long" if len(table.rows) > LONG_TABLE else "") + (" many" if len(table.headings) >= MANY_COLUMNS else "")
    link = _download(document, f"table-{table.key}.{document.language}.csv", table.to_csv())
    return f'<figure class="table{wide}" id="{document.language}-table-{table.key}">{caption}<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title, quote=True)}">{table.to_html(bare=True)}</div>{notes}{link}</figure>'


def _chart(chart: Chart, document: Document, drawing: Drawing) -> str:
    number = document.speaker.numbering[f"figure:{chart.key}"]
    caption = _caption(document, "figure", number, chart.title, chart.subtitle)
    drawn = inline(drawing.svg, f"{chart.title}. {chart.alt}")
    link = _download(document, f"figure-{chart.key}.{document.language}.csv", frame_csv(chart.data))
    return f'<figure class="chart" id="{document.language}-figure-{chart.key}">{caption}<div class="scroll">{drawn}</div>{link}</figure>'


def _caption(document: Document, kind: str, number: int, title: str, subtitle: str) -> str:
    sub = f'<span class="subtitle">{escape(subtitle)}</span>' if subtitle else ""
    return f'<figcaption><span class="number">{escape(document.speaker.ui(f"{kind}_number", n=number))}</span> <span class="title">{escape(title)}</span>{sub}</figcaption>'


def _download(document: Document, name: str, text: str) -> str:
    data = base64.b64encode(("\ufeff" + text).encode("utf-8")).decode("ascii")
    words = escape(document.speaker.ui("download"))
    return f'<p class="download"><a download="{escape(name, quote=True)}" href="data:text/csv;charset=utf-8;base64,{data}">{words}</a></p>'


def frame_csv(frame: pl.DataFrame) -> str:
    """A frame as CSV text; lists are left out."""
    buffer = io.StringIO()
    flat = frame.select(c for c, t in frame.schema.items() if not t.is_nested())
    flat.write_csv(buffer)
    return buffer.getvalue()
