"""One language of the report: its tables, figures and documents, and its share of the page that all languages are on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hinterland.labels import Language
from hinterland.report.blocks import Document
from hinterland.report.chapters import document
from hinterland.report.html import View, view
from hinterland.report.record import Record
from hinterland.report.style import Drawing, draw

TABLE_FORMATS = ("tex", "docx", "csv")
OF_THE_RUN = frozenset({"steps"})
"""Tables about the run itself, which differ from run to run (seconds): in the report and in ``run.json``, not among the results."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be written of the run in ``root``; ``infix`` tells the files of a further language from those of the first."""

    root: Path
    language: Language
    formats: tuple[str, ...]
    infix: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What was written: tables and figures, the report by format, and what the page shows if there is to be one."""

    pieces: tuple[Path, ...]
    reports: Mapping[str, Path]
    view: View | None


def written(job: Job, record: Record) -> Part:
    """Write one language of the record that ``job.root`` holds."""
    doc = document(record, job.language)
    drawn = {c.key: draw(c.figure, f"{c.key}.{doc.language}") for c in doc.charts()}
    pieces = (*_tables(doc, job.root / "tables"), *_figures(doc, drawn, job.root / "figures"))
    kinds: list[str] = [kind for kind in ("docx", "pdf", "tex") if kind in job.formats]
    paper = doc.on_paper()
    reports = {kind: _report(kind, paper, drawn, job.root / f"report{job.infix}.{kind}") for kind in kinds}
    return Part(pieces, reports, view(doc, drawn) if "html" in job.formats else None)


def _tables(doc: Document, folder: Path) -> list[Path]:
    shown = [t for t in doc.tables() if t.key not in OF_THE_RUN]
    return [table.save(folder / f"table-{table.key}.{doc.language}.{kind}") for table in shown for kind in TABLE_FORMATS]


def _figures(doc: Document, drawn: Mapping[str, Drawing], folder: Path) -> list[Path]:
    return [path for key, drawing in drawn.items() for path in drawing.save(folder / f"{key}.{doc.language}")]


def _report(kind: str, doc: Document, drawn: Mapping[str, Drawing], path: Path) -> Path:
    from hinterland.report import docx, latex, pdf

    match kind:
        case "docx":
            return docx.save_report(doc, drawn, path)
        case "pdf":
            return pdf.save_report(doc, path)
        case _:
            return latex.save_report(doc, path)
