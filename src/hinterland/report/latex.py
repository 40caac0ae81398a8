"""LaTeX: the whole report as one source file for XeLaTeX, with the figures that stand beside it.

Every table and figure stays where it is in the text, so that numbers in sentences and captions are those of the other formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hinterland.report.blocks import Block, Bullets, Chart, Document, Heading, Prose
from hinterland.report.table import Table, letters, tex_escape

LONG = 38
"""Rows from which a table may break over pages."""
WIDE = 96
"""Letters in a row from which such a table, which cannot be scaled, is set smaller."""

_PREAMBLE = r"""% !TEX program = xelatex
\documentclass[UTF8,{scheme}a4paper,11pt]{{ctexart}}
\usepackage[margin=2.5cm]{{geometry}}
\usepackage{{booktabs,longtable,adjustbox,graphicx,float,caption}}
\usepackage[hidelinks]{{hyperref}}
\captionsetup{{labelfont=bf,justification=raggedright,singlelinecheck=false}}
\setlength{{\emergencystretch}}{{3em}}
\newcommand{{\tablenote}}[1]{{\par\vspace{{2pt}}{{\footnotesize #1\par}}}}
\title{{{title}}}
\author{{}}
\date{{{byline}}}
\begin{{document}}
\maketitle
"""


def save_report(document: Document, path: Path) -> Path:
    """Write the report; figures are taken from ``figures/KEY.LANG.pdf`` beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(source(document)) + "\n", encoding="utf-8", newline="\n")
    return path


def source(document: Document) -> Iterator[str]:
    """The lines of the source."""
    scheme = "" if document.language == "zh" else "scheme=plain,"
    yield _PREAMBLE.format(scheme=scheme, title=tex_escape(document.title), byline=tex_escape(document.byline))
    if document.summary:
        yield r"\begin{abstract}"
        for part in document.summary:
            yield from _block(part, document)
        yield r"\end{abstract}"
    for chapter in document.chapters:
        yield rf"\section{'' if chapter.numbered else '*'}{{{tex_escape(chapter.title)}}}\label{{sec:{chapter.key}}}"
        for block in chapter.blocks:
            yield from _block(block, document)
    yield r"\end{document}"


def _block(block: Block, document: Document) -> Iterator[str]:
    speaker = document.speaker
    match block:
        case Prose(sentences, style):
            words = tex_escape(speaker.paragraph(sentences))
            yield (rf"\emph{{{words}}}" if style == "warning" else words) + "\n"
        case Bullets(items):
            yield r"\begin{itemize}"
            yield from (rf"\item {{}}{tex_escape(speaker.sentence(item))}" for item in items)
            yield r"\end{itemize}" + "\n"
        case Heading(text):
            yield rf"\subsection*{{{tex_escape(text)}}}"
        case Table():
            yield from _table(block)
        case Chart():
            yield from _chart(block, document.language)


def _chart(chart: Chart, language: str) -> Iterator[str]:
    yield r"\begin{figure}[H]"
    yield rf"\caption{{{tex_escape(chart.title)}}}\label{{fig:{chart.key}}}"
    yield rf"\includegraphics[width=\linewidth,height=0.72\textheight,keepaspectratio]{{figures/{chart.key}.{language}.pdf}}"
    yield from _notes((chart.subtitle,))
    yield r"\end{figure}" + "\n"


def _table(table: Table) -> Iterator[str]:
    caption = rf"\caption{{{tex_escape(table.title)}}}\label{{tab:{table.key}}}"
    notes = (table.subtitle, *table.notes)
    if len(table.rows) >= LONG:
        yield from _long_table(table, caption)
        yield from _notes(notes)
        return
    yield r"\begin{table}[H]"
    yield caption
    yield r"\begin{adjustbox}{max width=\linewidth}\small"
    yield table.to_tex_tabular()
    yield r"\end{adjustbox}"
    yield from _notes(notes)
    yield r"\end{table}" + "\n"


def _long_table(table: Table, caption: str) -> Iterator[str]:
    """A table over several pages, its headings repeated on each."""
    first, *body = table.to_tex_tabular().splitlines()
    middle = body.index(r"\midrule")
    width = sum(max(map(letters, (h.text, *(r.cells[k] for r in table.rows if r.kind != "head")))) for k, h in enumerate(table.headings))
    yield r"{\scriptsize\setlength{\tabcolsep}{2pt}" if width > WIDE else r"{\footnotesize\setlength{\tabcolsep}{4pt}"
    yield first.replace("{tabular}", "{longtable}")
    yield caption + r"\\"
    yield from (*body[: middle + 1], r"\endfirsthead", *body[: middle + 1], r"\endhead")
    panel = rf"\multicolumn{{{len(table.headings)}}}"
    yield from (line.replace(panel + "{l}{", panel + r"{p{0.95\linewidth}}{\raggedright ") for line in body[middle + 1 : -1])
    yield r"\end{longtable}}"


def _notes(notes: tuple[str, ...]) -> Iterator[str]:
    found = [tex_escape(note) for note in notes if note]
    if found:
        yield rf"\tablenote{{{' '.join(found)}}}"
