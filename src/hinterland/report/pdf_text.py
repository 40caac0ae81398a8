"""Text on a page of the PDF report: where lines may break in English and Chinese, and how a paragraph is set.

One font for both languages travels with the package; it has one weight, so bold letters are drawn with an outline.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import as_file, files
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from hinterland.report.style import FONT_FILE, INK, MUTED
from hinterland.report.table import Align

FACE = "HinterlandSansSC"
_OPEN = "“‘（《〈【「『〔"
_CLOSE = "”’）》〉】」』〕、，。；：！？…—"
_WIDE = "\u2e80-\u9fff\uff00-\uffef"
_UNIT = re.compile(rf"[{_OPEN}]*(?:[^ \n{_OPEN}{_WIDE}]+|[{_WIDE}])?[{_CLOSE}]* *|\n")
_INSIDE = re.compile(r"(?<=[A-Za-z][-/–])(?=[A-Za-z])")
_STRAIGHT = str.maketrans("“”‘’", "\"\"''")
_LOOSEST = 0.08
"""How far the letters of a justified Chinese line may be moved apart, in ems."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a paragraph looks. Sizes and distances are points; ``bar`` and ``fill`` are the colours of a line at its left and of its ground."""

    size: float = 9.5
    leading: float = 14.2
    colour: str = INK
    bold: bool = False
    align: Align = "left"
    justify: bool = False
    before: float = 0
    after: float = 0
    indent: float = 0
    bar: str = ""
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place that the outline and the contents lead to; drawn, it writes its page into ``pages``."""

    key: str
    title: str
    level: int
    pages: MutableMapping[str, int]

    def drop(self, canvas: Any, height: float) -> None:
        """Mark the place on the page that is being drawn."""
        canvas.bookmarkHorizontal(self.key, 0, height + 6)
        canvas.addOutlineEntry(self.title, self.key, self.level, closed=True)
        self.pages[self.key] = canvas.getPageNumber()


@cache
def register_font() -> str:
    """Make the packaged font known to reportlab, once; returns its name there."""
    with as_file(files("hinterland.report") / "fonts" / FONT_FILE) as path:
        pdfmetrics.registerFont(TTFont(FACE, str(path)))
    return FACE


@lru_cache(1 << 16)
def measure(text: str, size: float) -> float:
    """Width of ``text`` set in one line, points."""
    return float(pdfmetrics.stringWidth(text, register_font(), size))


class Rehearsal(Canvas):  # type: ignore[misc]  # reportlab has no types
    """A canvas that only turns pages: what is set on it finds its place and is not drawn."""

    def save(self) -> None:
        """Write nothing."""


def units(text: str) -> list[str]:
    """``text`` in pieces between which a line may break, each with the spaces after it.

    A Chinese character is a piece of its own, with the punctuation that may not be parted from it.
    """
    return [part for unit in _UNIT.findall(text) if unit for part in _INSIDE.split(unit)]


@lru_cache(1 << 16)
def lines(text: str, size: float, width: float) -> tuple[str, ...]:
    """``text`` in lines no wider than ``width`` points; a piece that is wider on its own is cut where it must be."""
    found, line, used = [], "", 0.0
    for unit in (piece for whole in units(text) for piece in _cut(whole, size, width)):
        if unit == "\n" or (line and used + measure(unit.rstrip(" "), size) > width):
            found.append(line)
            line, used = "", 0.0
        if unit != "\n":
            line += unit
            used += measure(unit, size)
    return (*found, line)


def _cut(unit: str, size: float, width: float) -> list[str]:
    if unit == "\n" or measure(unit.rstrip(" "), size) <= width:
        return [unit]
    pieces = [""]
    for letter in unit:
        if pieces[-1] and measure(pieces[-1] + letter, size) > width and letter != " ":
            pieces.append("")
        pieces[-1] += letter
    return pieces


class Text(Flowable):  # type: ignore[misc]  # reportlab has no types
    """A paragraph of plain text; it may break over pages, never leaving one line alone."""

    def __init__(self, words: str, style: Style, *, mark: str = "", anchor: Anchor | None = None, follow: bool = False) -> None:
        """``mark`` stands before the first line (a bullet); ``follow`` keeps the paragraph with what comes next."""
        super().__init__()
        # The quotation marks of the font are as wide as a Chinese character.
        self.words = words if re.search(f"[{_WIDE}]", words) else words.translate(_STRAIGHT)
        self.style, self.mark, self.anchor = style, mark, anchor
        self.spaceBefore, self.spaceAfter, self.keepWithNext = style.before, style.after, follow
        self._lines: tuple[str, ...] = ()

    @property
    def _padding(self) -> float:
        return 5.0 if self.style.fill else 0.0

    def wrap(self, width: float, _height: float) -> tuple[float, float]:
        """Break into lines for ``width`` points."""
        self.width = width
        self._lines = lines(self.words, self.style.size, width - self.style.indent - self._padding)
        self.height = len(self._lines) * self.style.leading + 2 * self._padding
        return width, self.height

    def split(self, _width: float, height: float) -> list[Flowable]:
        """Two paragraphs, the first no higher than ``height``; none where a line would stand alone."""
        room = int((height - 2 * self._padding) // self.style.leading)
        room = min(room, len(self._lines) - 2)
        if room < 2:
            return []
        first = Text("".join(self._lines[:room]), self.style, mark=self.mark, anchor=self.anchor)
        return [first, Text("".join(self._lines[room:]), self.style)]

    def draw(self) -> None:
        """Set the lines at the origin of the canvas."""
        canvas, style = self.canv, self.style
        if self.anchor:
            self.anchor.drop(canvas, self.height)
        if isinstance(canvas, Rehearsal):
            return
        _ground(canvas, style, self.width, self.height)
        words = canvas.beginText()
        words.setFont(register_font(), style.size)
        words.setFillColor(HexColor(style.colour))
        if style.bold:
            canvas.setLineWidth(0.032 * style.size)
            words.setStrokeColor(HexColor(style.colour))
            words.setTextRenderMode(2)
        top = self.height - self._padding - 0.5 * (style.leading - style.size) - 0.88 * style.size
        if self.mark:
            words.setTextOrigin(style.indent - 9, top)
            words.textOut(self.mark)
        for k, line in enumerate(self._lines):
            self._set(words, line.rstrip(" "), top - k * style.leading, last=k == len(self._lines) - 1)
        if style.bold:
            words.setTextRenderMode(0)
        canvas.drawText(words)

    def _set(self, words: Any, line: str, y: float, *, last: bool) -> None:
        style = self.style
        room = self.width - style.indent - self._padding - measure(line, style.size)
        shift = {"left": 0.0, "center": room / 2, "right": room}[style.align]
        if style.justify:
            gap = 0.0 if last or len(line) < 2 else room / (len(line) - 1)
            words.setCharSpace(gap if 0 < gap <= _LOOSEST * style.size else 0.0)
        words.setTextOrigin(style.indent + shift, y)
        words.textOut(line)


def _ground(canvas: Any, style: Style, width: float, height: float) -> None:
    if style.fill:
        canvas.setFillColor(HexColor(style.fill))
        canvas.rect(0, 0, width, height, stroke=0, fill=1)
    if style.bar:
        canvas.setFillColor(HexColor(style.bar))
        canvas.rect(0, 0, 2, height, stroke=0, fill=1)


class ContentsLine(Flowable):  # type: ignore[misc]  # reportlab has no types
    """One line of the contents: number, title, page, and a link to it."""

    def __init__(self, number: str, title: str, key: str, page: int | None) -> None:
        super().__init__()
        self.number, self.title, self.key, self.page = number, title, key, page

    def wrap(self, width: float, _height: float) -> tuple[float, float]:
        """One line."""
        self.width, self.height = width, 16.0
        return self.width, self.height

    def draw(self) -> None:
        """Set the line at the origin of the canvas."""
        canvas = self.canv
        canvas.setFont(register_font(), 9.5)
        canvas.setFillColor(HexColor(MUTED))
        canvas.drawString(0, 4, self.number)
        canvas.drawRightString(self.width, 4, str(self.page or ""))
        canvas.setFillColor(HexColor(INK))
        canvas.drawString(18, 4, self.title)
        canvas.linkRect("", self.key, (0, 0, self.width, self.height), relative=1, thickness=0)
