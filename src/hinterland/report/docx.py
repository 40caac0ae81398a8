"""Word: tables, and the whole report with its figures."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from hinterland.report.blocks import Block, Bullets, Chart, Document, Heading, Prose
from hinterland.report.docx_table import TEXT_WIDTH, caption, table_xml
from hinterland.report.style import Drawing
from hinterland.report.table import Table

_FONTS = {"ascii": "Times New Roman", "eastAsia": "SimSun"}
_EPOCH = dt.datetime(2000, 1, 1)
_BODY, _CORE = "word/document.xml", "docProps/core.xml"
_TITLE = "TITLE"
"""Stands for the title in the parts of an empty document."""


def save_table(table: Table, path: Path) -> Path:
    """One table as a document of its own."""
    from docx.opc.oxml import serialize_part_xml
    from docx.oxml.parser import parse_xml

    blank, parts = _blank()
    root = parse_xml(parts[_BODY])
    _append(root.body, table_xml(table, ""))
    archive = io.BytesIO(blank)
    with zipfile.ZipFile(archive, "a") as target:
        _put(target, _CORE, parts[_CORE].replace(_TITLE.encode(), escape(table.title).encode()))
        _put(target, _BODY, serialize_part_xml(root))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.getvalue())
    return path


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


@cache
def _blank() -> tuple[bytes, dict[str, bytes]]:
    """An empty document in the styles of the house: the archive of the parts that all tables share, and the text of the others.

    The styles are most of a document of one table; they are packed once.
    """
    own = dict(_parts(_new(_TITLE)))
    shared = io.BytesIO()
    with zipfile.ZipFile(shared, "w") as target:
        for name, content in own.items():
            if name not in (_BODY, _CORE):
                _put(target, name, content)
    return shared.getvalue(), {name: own[name] for name in (_BODY, _CORE)}


def _parts(word: Any) -> Iterator[tuple[str, bytes]]:
    buffer = io.BytesIO()
    word.save(buffer)
    with zipfile.ZipFile(buffer) as source:
        yield from ((name, source.read(name)) for name in source.namelist())


def _put(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Pack one part, without the time of day."""
    target.writestr(zipfile.ZipInfo(name, _EPOCH.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)


def _write(word: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as target:
        for name, content in _parts(word):
            _put(target, name, content)
    return path


def _append(body: Any, xml: str) -> None:
    """Put paragraphs and tables at the end of the text, before the description of the page."""
    from docx.oxml.ns import nsdecls
    from docx.oxml.parser import parse_xml

    for element in list(parse_xml(f"<w:body {nsdecls('w')}>{xml}</w:body>")):
        body.insert(len(body) - 1, element)


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
            _append(word.element.body, table_xml(block, speaker.ui("table_number", n=speaker.numbering[f"table:{block.key}"])))
        case Chart():
            _add_chart(word, block, drawn[block.key].png, speaker.ui("figure_number", n=speaker.numbering[f"figure:{block.key}"]))


def _add_chart(word: Any, chart: Chart, png: bytes, number: str) -> None:
    from docx.shared import Cm

    _append(word.element.body, caption(number, chart.title, chart.subtitle))
    word.add_picture(io.BytesIO(png), width=Cm(TEXT_WIDTH))
    picture = word.inline_shapes[-1]._inline.docPr
    picture.set("descr", chart.alt)
    picture.set("title", chart.title)
