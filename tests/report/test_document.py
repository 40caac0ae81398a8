"""The report as files: one page, no request, the same in both languages, chapters only where there are records."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from synthetic import ALL, write_record

from hinterland.errors import InputError, RunError
from hinterland.report.blocks import Chart, Document
from hinterland.report.chapters import document
from hinterland.report.document import write_report
from hinterland.report.record import Record
from hinterland.report.table import Table

Changed = Callable[..., Record]


class _Page(HTMLParser):
    """Everything a browser could fetch, every id, every anchor."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        for name in ("src", "href", "xlink:href", "action", "srcset", "data"):
            value = found.get(name)
            if value is None:
                continue
            if value.startswith("#"):
                self.anchors.append(value[1:])
            elif not value.startswith("data:"):
                self.fetched.append(f"<{tag} {name}={value}>")
        if tag == "svg":
            self.images.append(found)


@pytest.fixture(scope="module")
def html(written: Path) -> str:
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> _Page:
    parsed = _Page()
    parsed.feed(html)
    return parsed


def test_nothing_is_fetched(page: _Page, html: str) -> None:
    assert page.fetched == []
    assert re.findall(r"url\((?!#|data:)[^)]*\)|@import|fetch\(|XMLHttpRequest", html) == []


def test_ids_are_unique_and_links_lead_somewhere(page: _Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert set(page.anchors) <= set(page.ids)


def test_every_figure_has_words(page: _Page) -> None:
    assert page.images
    assert all(image.get("role") == "img" and len(image.get("aria-label") or "") > 20 for image in page.images)


def test_inline_figures_follow_the_theme(html: str) -> None:
    drawn = "".join(re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL))
    assert "var(--blue, #0072b2)" in drawn
    assert set(re.findall(r"(?<!, )#[0-9a-f]{6}\b", drawn)) <= {"#000000"}


def test_both_languages_have_the_same_structure(record: Record) -> None:
    def shape(doc: Document) -> list[object]:
        return [(c.key, [(type(b).__name__, b.key if isinstance(b, Table | Chart) else "") for b in c.blocks]) for c in doc.chapters]

    english, chinese = document(record, "en"), document(record, "zh")
    assert shape(english) == shape(chinese)
    assert [len(t.rows) for t in english.tables()] == [len(t.rows) for t in chinese.tables()]


def test_order_is_that_of_a_paper(record: Record) -> None:
    keys = [c.key for c in document(record, "en").chapters]
    assert keys == [
        "data",
        "descriptives",
        "baseline",
        "trends",
        "sensitivity",
        "robustness",
        "displacement",
        "subgroups",
        "outcomes",
        "advice",
        "caveats",
        "appendix",
    ]


def test_chapters_without_records_are_left_out(changed: Changed) -> None:
    def chapters(*tables: str) -> list[str]:
        return [c.key for c in document(changed(tables=tables, simulated=False), "en").chapters]

    assert chapters("models", "effects") == [
        "data",
        "baseline",
        "trends",
        "robustness",
        "subgroups",
        "outcomes",
        "advice",
        "caveats",
        "appendix",
    ]
    assert chapters("descriptives", "cohort_sizes") == ["data", "descriptives", "appendix"]
    assert chapters() == ["data", "appendix"]


def test_no_estimates_no_results(tmp_path: Path) -> None:
    folder = write_record(tmp_path, tables=("descriptives",), simulated=False)
    write_report(folder, ["zh"], ["html"])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'id="zh-descriptives"' in page
    assert 'id="zh-baseline"' not in page


def test_simulated_data_are_said_to_be_simulated(html: str) -> None:
    assert html.count('class="warning"') == 2
    assert "数据为模拟数据" in html


def test_real_data_are_not(changed: Changed) -> None:
    doc = document(changed(tables=tuple(t for t in ALL if t != "truth"), simulated=False), "en")
    assert "simulated" not in doc.speaker.paragraph(s for p in doc.summary for s in p.sentences)


def test_files(written: Path) -> None:
    names = {p.name for p in (written / "figures").iterdir()}
    assert {"event-study.en.svg", "event-study.zh.pdf", "map.zh.png"} <= names
    tables = {p.name for p in (written / "tables").iterdir()}
    assert {"table-baseline.en.tex", "table-baseline.zh.docx", "table-baseline.zh.csv"} <= tables
    assert (written / "report.docx").stat().st_size > 50_000
    assert (written / "report.zh.docx").is_file()


def test_same_record_same_bytes(written: Path, tmp_path: Path) -> None:
    again = write_record(tmp_path)
    files = write_report(again, ["en"], ["docx", "pdf"])
    differ = [p.name for p in files if p.read_bytes() != (written / p.relative_to(again)).read_bytes()]
    assert len(files) > 50
    assert differ == []


def test_numbers_agree_between_page_and_record(record: Record) -> None:
    baseline = next(t for t in document(record, "en").tables() if t.key == "baseline")
    head = record.headline("ln_inventions")
    assert head is not None
    assert head.overall is not None
    assert baseline.rows[0].cells[1] == f"{head.overall.estimate:.3f}"
    assert [h.spanner for h in baseline.headings[1:3]] == ["Callaway–Sant'Anna", "TWFE"]


def test_truth_is_set_beside_its_own_estimate(record: Record) -> None:
    truth = next(t for t in document(record, "en").tables() if t.key == "truth")
    body = [r.cells for r in truth.rows if r.kind == "body"]
    assert [c[1] for c in body] == ["0.200", "0.190"]
    assert body[1][0] == "2"
    assert body[1][2] == "0.133"


def test_bad_calls_are_findings(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run record"):
        write_report(tmp_path, ["en"], ["html"])
    with pytest.raises(InputError, match="cannot be written as 'htm'") as caught:
        write_report(write_record(tmp_path), ["fr"], ["htm"])  # type: ignore[list-item]
    assert {f.code for f in caught.value.findings} == {"unknown-language", "unknown-format"}
