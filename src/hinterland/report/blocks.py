"""What a document is made of: chapters of paragraphs, tables and figures, the same for every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from hinterland.labels import Language
from hinterland.report.sentences import Sentence, Speaker
from hinterland.report.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph; ``style`` is ``plain``, ``lead`` (the answer, set larger), ``warning`` or ``own`` (the author's words)."""

    sentences: tuple[Sentence, ...]
    style: str = "plain"


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list, one item each."""

    items: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a chapter."""

    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure: ``title`` states what is measured, ``subtitle`` its unit, source and sample; ``alt`` says what it shows."""

    key: str
    title: str
    subtitle: str
    alt: str
    figure: Figure
    data: pl.DataFrame


Block = Prose | Bullets | Heading | Chart | Table


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the report. ``key`` is its anchor; ``numbered`` chapters carry a number."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    numbered: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report in one language. ``summary`` is what the first screen says."""

    language: Language
    title: str
    byline: str
    summary: tuple[Prose, ...]
    chapters: tuple[Chapter, ...]
    speaker: Speaker

    def on_paper(self) -> Document:
        """The same report with the short versions of tables that are too long for pages."""
        return replace(self, chapters=tuple(replace(c, blocks=tuple(map(_short, c.blocks))) for c in self.chapters))

    def blocks(self) -> Iterator[Block]:
        """Every block, in order."""
        for chapter in self.chapters:
            yield from chapter.blocks

    def tables(self) -> tuple[Table, ...]:
        """Every table, in order."""
        return tuple(b for b in self.blocks() if isinstance(b, Table))

    def charts(self) -> tuple[Chart, ...]:
        """Every figure, in order."""
        return tuple(b for b in self.blocks() if isinstance(b, Chart))


def _short(block: Block) -> Block:
    return block.paper or block if isinstance(block, Table) else block


def numbering(chapters: tuple[Chapter, ...]) -> dict[str, int]:
    """``table:KEY`` and ``figure:KEY`` → running number."""
    numbers: dict[str, int] = {}
    counts = {"table": 0, "figure": 0}
    for chapter in chapters:
        for block in chapter.blocks:
            if isinstance(block, Table | Chart):
                kind = "table" if isinstance(block, Table) else "figure"
                counts[kind] += 1
                numbers[f"{kind}:{block.key}"] = counts[kind]
    return numbers
