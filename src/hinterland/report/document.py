"""``write_report``: a run record in, files for readers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.labels import LANGUAGES, Language
from hinterland.report.blocks import Document
from hinterland.report.chapters import document
from hinterland.report.record import read_record
from hinterland.report.style import Drawing, draw

FORMATS = ("html", "docx", "pdf", "tex")
TABLE_FORMATS = ("tex", "docx", "csv")
OF_THE_RUN = frozenset({"steps"})
"""Tables about the run itself, which differ from run to run (seconds): in the report and in ``run.json``, not among the results."""


def write_report(run_dir: str | Path, languages: Sequence[Language] = ("en",), formats: Sequence[str] = ("html",)) -> list[Path]:
    """Write the report of a finished run, from its record alone.

    Always written, in every language: ``tables/table-KEY.LANG.{tex,docx,csv}`` and ``figures/KEY.LANG.{svg,pdf,png}``. With ``html``:
    ``report.html``, one file for all languages. With ``docx``, ``pdf`` and ``tex``: ``report.docx``, ``report.pdf`` and ``report.tex``
    (second language: ``report.LANG.docx``, …); the source for XeLaTeX takes its figures from ``figures/``.

    Raises:
        RunError: the folder holds no readable run record.
        InputError: an unknown language or format.
    """
    _fail_if_unknown(languages, formats)
    root = Path(run_dir)
    record = read_record(root)
    documents = [document(record, language) for language in dict.fromkeys(languages)]
    drawings = [{c.key: draw(c.figure, f"{c.key}.{doc.language}") for c in doc.charts()} for doc in documents]
    written: list[Path] = []
    for doc, drawn in zip(documents, drawings, strict=True):
        written += _tables(doc, root / "tables")
        written += _figures(doc, drawn, root / "figures")
    if "html" in formats:
        written.append(_html(documents, drawings, root / "report.html"))
    if "docx" in formats:
        written += _docx(documents, drawings, root)
    if "pdf" in formats:
        written += _pdf(documents, root)
    if "tex" in formats:
        written += _tex(documents, root)
    return written


def _fail_if_unknown(languages: Sequence[str], formats: Sequence[str]) -> None:
    findings = [
        Finding("unknown-language", f"there is no report in {name!r}", "report language", did_you_mean(name, LANGUAGES))
        for name in languages
        if name not in LANGUAGES
    ]
    findings += [
        Finding("unknown-format", f"a report cannot be written as {name!r}", "[report].formats", did_you_mean(name, FORMATS))
        for name in formats
        if name not in FORMATS
    ]
    if not languages:
        findings.append(Finding("no-language", "no language was asked for", "report language", f"choose from {', '.join(LANGUAGES)}"))
    fail_if_any(findings, "report", InputError)


def _tables(doc: Document, folder: Path) -> list[Path]:
    shown = [t for t in doc.tables() if t.key not in OF_THE_RUN]
    return [table.save(folder / f"table-{table.key}.{doc.language}.{kind}") for table in shown for kind in TABLE_FORMATS]


def _figures(doc: Document, drawn: Mapping[str, Drawing], folder: Path) -> list[Path]:
    return [path for key, drawing in drawn.items() for path in drawing.save(folder / f"{key}.{doc.language}")]


def _html(documents: Sequence[Document], drawings: Sequence[Mapping[str, Drawing]], path: Path) -> Path:
    from hinterland.report.html import report_page

    path.write_text(report_page(documents, drawings), encoding="utf-8", newline="\n")
    return path


def _docx(documents: Sequence[Document], drawings: Sequence[Mapping[str, Drawing]], root: Path) -> list[Path]:
    from hinterland.report.docx import save_report

    names = _names(documents, "docx")
    return [save_report(doc.on_paper(), drawn, root / name) for doc, drawn, name in zip(documents, drawings, names, strict=True)]


def _pdf(documents: Sequence[Document], root: Path) -> list[Path]:
    from hinterland.report.pdf import save_report

    return [save_report(doc.on_paper(), root / name) for doc, name in zip(documents, _names(documents, "pdf"), strict=True)]


def _tex(documents: Sequence[Document], root: Path) -> list[Path]:
    from hinterland.report.latex import save_report

    return [save_report(doc.on_paper(), root / name) for doc, name in zip(documents, _names(documents, "tex"), strict=True)]


def _names(documents: Sequence[Document], suffix: str) -> list[str]:
    return [f"report.{suffix}", *(f"report.{doc.language}.{suffix}" for doc in documents[1:])]
