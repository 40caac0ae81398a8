"""The report as LaTeX source: whole, balanced, every figure there, numbers as in the other formats; compiled where XeLaTeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hinterland.labels import LANGUAGES, catalogue
from hinterland.report.blocks import Chart
from hinterland.report.chapters import document
from hinterland.report.latex import LONG, source
from hinterland.report.record import Record
from hinterland.report.table import Table, tex_escape

NAMES = ("report.tex", "report.zh.tex")
PLAIN = re.compile("[\x20-\x7e\u00a0-\u00ff\u0152\u0153\u2010-\u201f\u2e80-\u9fff\uff00-\uffef\n]*")
"""Letters of Latin Modern and of the Chinese fonts, with their punctuation."""


@pytest.mark.parametrize("name", NAMES)
def test_environments_and_braces_are_closed(written: Path, name: str) -> None:
    text = (written / name).read_text(encoding="utf-8")
    stack = []
    for kind, what in re.findall(r"\\(begin|end)\{(\w+)\*?\}", text):
        if kind == "begin":
            stack.append(what)
        else:
            assert stack.pop() == what
    assert stack == []
    bare = re.sub(r"\\[{}\\]", "", re.sub(r"^%.*$", "", text, flags=re.MULTILINE))
    assert bare.count("{") == bare.count("}")


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_beside_it(written: Path, name: str) -> None:
    figures = re.findall(r"\\includegraphics\[[^\]]*\]\{([^}]+)\}", (written / name).read_text(encoding="utf-8"))
    assert figures
    assert [f for f in figures if not (written / f).is_file()] == []


def test_numbers_are_those_of_the_text(record: Record) -> None:
    doc = document(record, "en")
    text = "\n".join(source(doc))
    assert re.findall(r"\\label\{tab:([^}]+)\}", text) == [t.key for t in doc.tables()]
    assert re.findall(r"\\label\{fig:([^}]+)\}", text) == [c.key for c in doc.charts()]
    numbers = doc.speaker.numbering
    assert [numbers[f"table:{t.key}"] for t in doc.tables()] == list(range(1, len(doc.tables()) + 1))
    assert all(isinstance(b, Table | Chart) or "\\label" not in str(b) for b in doc.blocks())


def test_long_tables_break_over_pages(record: Record) -> None:
    doc = document(record, "en")
    text = "\n".join(source(doc))
    long = [t for t in doc.tables() if len(t.rows) >= LONG]
    assert text.count(r"\begin{longtable}") == len(long) == text.count(r"\endhead")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_of_the_labels_has_a_glyph(language: str) -> None:
    for key, words in catalogue(language).items():  # type: ignore[arg-type]  # one of the languages
        assert PLAIN.fullmatch(tex_escape(words)), key


@pytest.mark.skipif(shutil.which("xelatex") is None, reason="XeLaTeX is not installed")
@pytest.mark.parametrize("name", NAMES)
def test_it_compiles(written: Path, tmp_path: Path, name: str) -> None:
    if subprocess.run(["kpsewhich", "ctexart.cls"], check=False, capture_output=True).returncode:
        pytest.skip("the ctex class is not installed")
    folder = tmp_path / "paper"
    shutil.copytree(written, folder)
    command = ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "-jobname=paper", name]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=120)
    log = (folder / "paper.log").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Missing character" not in log
