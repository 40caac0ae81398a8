"""PDF: the whole report on A4 pages, with contents, outline and page numbers; the same record gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, CondPageBreak, Flowable, Frame, KeepTogether, PageBreak, PageTemplate

from hinterland.report.blocks import Block, Bullets, Chart, Document, Heading, Prose
from hinterland.report.pdf_drawing import Picture
from hinterland.report.pdf_table import grid
from hinterland.report.pdf_text import Anchor, ContentsLine, Rehearsal, Style, Text, lines, register_font
from hinterland.report.style import BLUE, MUTED, ORANGE, RULE
from hinterland.report.table import Table

MARGIN, HEAD, FOOT = 22 * mm, 22 * mm, 20 * mm
WIDTH, HEIGHT = A4[0] - 2 * MARGIN, A4[1] - HEAD - FOOT
"""Size of the text, points."""
AFTER = 10.0
"""Space below tables and figures, points."""
WHOLE = 0.55
"""A table up to this share of the page's height is not broken over pages."""

_BODY = Style(after=6)
_TITLE = Style(size=20, leading=27, bold=True, after=6)
_CHAPTER = Style(size=14, leading=20, bold=True, before=20, after=7)
_HEADING = Style(size=11, leading=16, bold=True, before=12, after=4)
_CAPTION = Style(size=9, leading=13, bold=True, before=10)
_SUBTITLE = Style(size=7.8, leading=11.5, colour=MUTED)
_NOTE = Style(size=7.5, leading=11, colour=MUTED, after=2)
_PROSE = {
    "plain": _BODY,
    "own": _BODY,
    "lead": replace(_BODY, size=10.2, leading=15.6, indent=11, bar=BLUE, after=8),
    "warning": replace(_BODY, size=9, leading=13.4, indent=11, bar=ORANGE, fill="#fdf3e7", after=8),
}


@dataclass(frozen=True, slots=True)
class _Setting:
    """What the blocks are set with: the document, and the pages that its anchors were found on."""

    document: Document
    pages: MutableMapping[str, int]

    def prose(self, style: Style) -> Style:
        """``style`` as the language sets it: Chinese lines wider apart and flush on both sides."""
        return replace(style, leading=1.13 * style.leading, justify=True) if self.document.language == "zh" else style


def save_report(document: Document, path: Path) -> Path:
    """Write the whole report: prose, tables, figures as vectors.

    It is set twice: only then are the page numbers of the contents known. The first time nothing is drawn.
    """
    pages: dict[str, int] = {}
    for maker in (Rehearsal, Canvas):
        buffer = io.BytesIO()
        _template(document, buffer).build(list(_story(_Setting(document, pages))), canvasmaker=maker)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def _template(document: Document, target: io.BytesIO) -> Any:
    template = BaseDocTemplate(
        target,
        pagesize=A4,
        title=document.title,
        author="",
        subject=document.byline,
        creator="hinterland",
        lang="zh-CN" if document.language == "zh" else "en-GB",
        displayDocTitle=True,
        initialFontName=register_font(),
        invariant=1,
    )
    frame = Frame(MARGIN, FOOT, WIDTH, HEIGHT, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    template.addPageTemplates(PageTemplate(frames=[frame], onPage=lambda canvas, _: _furniture(canvas, document)))
    return template


def _furniture(canvas: Any, document: Document) -> None:
    """Page number, and from the second page on the title above the text."""
    canvas.saveState()
    canvas.setFont(register_font(), 8)
    canvas.setFillColor(HexColor(MUTED))
    page = canvas.getPageNumber()
    canvas.drawCentredString(A4[0] / 2, 11 * mm, str(page))
    if page > 1:
        whole = lines(document.title, 8, WIDTH - 12)
        canvas.drawString(MARGIN, A4[1] - 15 * mm, whole[0].rstrip() + (" …" if len(whole) > 1 else ""))
        canvas.setStrokeColor(HexColor(RULE))
        canvas.setLineWidth(0.4)
        canvas.line(MARGIN, A4[1] - 17 * mm, A4[0] - MARGIN, A4[1] - 17 * mm)
    canvas.restoreState()


def _story(setting: _Setting) -> Iterator[Flowable]:
    document = setting.document
    yield Text(document.title, _TITLE)
    yield Text(document.byline, Style(size=8.5, leading=12, colour=MUTED, after=14))
    for part in document.summary:
        yield from _block(part, setting, "summary")
    yield from _contents(setting)
    yield PageBreak()
    for number, chapter in _numbered(document):
        title = f"{number}  {chapter.title}" if number else chapter.title
        yield CondPageBreak(110)
        yield Text(title, _CHAPTER, anchor=Anchor(chapter.key, title, 0, setting.pages), follow=True)
        yield from _led(flowable for block in chapter.blocks for flowable in _block(block, setting, chapter.key))


class _Whole(KeepTogether):  # type: ignore[misc]  # reportlab has no types
    """Flowables on one page, where they fit on one."""

    def __init__(self, parts: list[Flowable]) -> None:
        super().__init__(parts)
        self.parts = parts


def _led(flowables: Iterable[Flowable]) -> Iterator[Flowable]:
    """What leads on to the next is on its page: reportlab does not keep a heading with flowables that are kept together themselves."""
    leading: list[Flowable] = []
    for flowable in flowables:
        if flowable.getKeepWithNext():
            leading.append(flowable)
            continue
        if leading and isinstance(flowable, _Whole):
            yield _Whole([*leading, *flowable.parts])
        else:
            yield from leading
            yield flowable
        leading = []
    yield from leading


def _numbered(document: Document) -> Iterator[tuple[str, Any]]:
    number = 0
    for chapter in document.chapters:
        number += chapter.numbered
        yield str(number) if chapter.numbered else "", chapter


def _contents(setting: _Setting) -> Iterator[Flowable]:
    yield Text(setting.document.speaker.ui("contents"), replace(_HEADING, before=18))
    for number, chapter in _numbered(setting.document):
        yield ContentsLine(number, chapter.title, chapter.key, setting.pages.get(chapter.key))


def _block(block: Block, setting: _Setting, chapter: str) -> Iterator[Flowable]:
    speaker = setting.document.speaker
    match block:
        case Prose(sentences, style):
            if sentences:
                yield Text(speaker.paragraph(sentences), setting.prose(_PROSE[style]))
        case Bullets(items):
            for item in items:
                yield Text(speaker.sentence(item), setting.prose(replace(_BODY, indent=12, after=3)), mark="•")
        case Heading(text):
            yield CondPageBreak(80)
            yield Text(text, _HEADING, anchor=Anchor(f"{chapter}:{text}", text, 1, setting.pages), follow=True)
        case Table():
            yield from _table(block, setting)
        case Chart():
            yield _Whole([*_caption("figure", block, setting), Picture(block.figure, AFTER)])


def _caption(kind: str, block: Table | Chart, setting: _Setting) -> list[Flowable]:
    speaker, key = setting.document.speaker, f"{kind}:{block.key}"
    words = f"{speaker.ui(f'{kind}_number', n=speaker.numbering[key])}  {block.title}"
    head = Text(words, replace(_CAPTION, after=0 if block.subtitle else 4), anchor=Anchor(key, words, 1, setting.pages), follow=True)
    return [head, Text(block.subtitle, replace(_SUBTITLE, after=4), follow=True)] if block.subtitle else [head]


def _table(table: Table, setting: _Setting) -> Iterator[Flowable]:
    caption = _caption("table", table, setting)
    body = grid(table, WIDTH)
    notes = [Text(n, replace(setting.prose(_NOTE), before=0 if k else 4)) for k, n in enumerate(table.notes)]
    (notes or [body])[-1].spaceAfter = AFTER
    height = sum(part.wrap(WIDTH, HEIGHT)[1] for part in (*caption, body, *notes))
    if height <= WHOLE * HEIGHT:
        yield _Whole([*caption, body, *notes])
    else:
        yield CondPageBreak(150)
        for part in caption:
            part.keepWithNext = False
            yield part
        yield body
        yield from notes
