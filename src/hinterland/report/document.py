"""``write_report``: a run record in, files for readers out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.labels import LANGUAGES, Language
from hinterland.report.apart import write_parts
from hinterland.report.html import report_page
from hinterland.report.part import Job, Part
from hinterland.report.record import read_record

FORMATS = ("html", "docx", "pdf", "tex")


def write_report(run_dir: str | Path, languages: Sequence[Language] = ("en",), formats: Sequence[str] = ("html",)) -> list[Path]:
    """Write the report of a finished run, from its record alone.

    Always written, in every language: ``tables/table-KEY.LANG.{tex,docx,csv}`` and ``figures/KEY.LANG.{svg,pdf,png}``. With ``html``:
    ``report.html``, one file for all languages. With ``docx``, ``pdf`` and ``tex``: ``report.docx``, ``report.pdf`` and ``report.tex``
    (second language: ``report.LANG.docx``, …); the source for XeLaTeX takes its figures from ``figures/``. With two processors or more, a
    second language is written at the same time by a second process; the files are the same.

    Raises:
        RunError: the folder holds no readable run record.
        InputError: an unknown language or format.
    """
    _fail_if_unknown(languages, formats)
    root, spoken = Path(run_dir), list(dict.fromkeys(languages))
    jobs = [Job(root, language, tuple(formats), f".{language}" if k else "") for k, language in enumerate(spoken)]
    parts = write_parts(jobs, read_record(root))
    page = [_page(parts, root / "report.html")] if "html" in formats else []
    reports = [part.reports[kind] for kind in parts[0].reports for part in parts]
    return [*(path for part in parts for path in part.pieces), *page, *reports]


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


def _page(parts: Sequence[Part], path: Path) -> Path:
    path.write_text(report_page([part.view for part in parts if part.view is not None]), encoding="utf-8", newline="\n")
    return path
