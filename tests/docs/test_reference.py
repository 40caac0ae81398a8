"""The reference is complete: every public name, every finding, every word, every zone."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import hinterland as hl
from hinterland.labels import LANGUAGES, catalogue
from hinterland.labels import text as say

ROOT = Path(__file__).resolve().parents[2]
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception):: (\S+)$", re.MULTILINE)


def test_every_public_name_is_documented(docs: Path) -> None:
    page = (docs / "reference" / "python.md").read_text(encoding="utf-8")
    documented = {name.removeprefix("hinterland.") for name in DIRECTIVE.findall(page)}
    assert {n for n in hl.__all__ if n not in documented} == {"__version__"}
    assert "`hinterland.__version__`" in page


def test_every_public_name_has_an_example(docs: Path, snippets: ModuleType) -> None:
    page = (docs / "reference" / "python.md").read_text(encoding="utf-8")
    code = "\n".join(b.text for b in snippets.blocks(page) if b.language == "python")
    assert {n for n in hl.__all__ if not re.search(rf"\bhl\.{n}\b", code)} == {"__version__"}


def test_everything_documented_exists(docs: Path) -> None:
    for name in DIRECTIVE.findall((docs / "reference" / "python.md").read_text(encoding="utf-8")):
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name


def test_every_finding_has_its_words(codes: ModuleType) -> None:
    used = set(codes.finding_codes(ROOT / "src" / "hinterland"))
    assert len(used) > 150
    for language in LANGUAGES:
        known = {k.removeprefix("finding.") for k in catalogue(language) if k.startswith("finding.")}
        assert sorted(used - known) == [], f"add these to labels/{language}/findings.toml"
        assert sorted(known - used) == [], f"no code raises these of labels/{language}/findings.toml"


@pytest.mark.parametrize(("language", "mark"), [("en", " Remedy: "), ("zh", "处理：")])
def test_every_finding_has_meaning_and_remedy(language: str, mark: str) -> None:
    texts = {k: v for k, v in catalogue(language).items() if k.startswith("finding.")}  # type: ignore[arg-type]
    assert [k for k, v in texts.items() if v.count(mark) != 1 or not all(part.strip() for part in v.split(mark))] == []


@pytest.mark.parametrize("name", ["cases.md", "findings.md", "glossary.md", "indicators.md", "planning-model.md", "register.md"])
def test_page_is_what_the_source_gives(name: str, docs: Path, pages: ModuleType) -> None:
    real = pages.PAGES[name]()
    shown = (docs / "reference" / name).read_text(encoding="utf-8")
    assert shown == real, "run: python docs/_ext/pages.py"


def test_guide_has_every_estimator_and_what_it_accepts(docs: Path, pages: ModuleType) -> None:
    folder = docs / "explanation" / "methods"
    page = (folder / "index.md").read_text(encoding="utf-8")
    assert page == pages.guide_page(), "run: python docs/_ext/pages.py"
    ids = hl.methods()["id"].to_list()
    rows = re.findall(r"^\| \[`([\w-]+)`\]\(([\w-]+)\.md\)", page.partition("## What each")[0], re.MULTILINE)
    assert sorted(rows) == sorted((i, i) for i in ids)
    linked = set(re.findall(r"\]\(([\w-]+)\.md\)", page))
    assert {p.stem for p in folder.glob("*.md")} - {"index"} == linked


@pytest.mark.parametrize("needed", ["Assumptions and limits", "When not to use it", "## References"])
def test_every_method_page_has_its_parts(needed: str, docs: Path) -> None:
    pages = [p for p in (docs / "explanation" / "methods").glob("*.md") if p.stem != "index"]
    assert [p.name for p in pages if needed.lower() not in p.read_text(encoding="utf-8").lower()] == []


def test_every_method_page_says_what_others_do(docs: Path) -> None:
    folder = docs / "explanation" / "methods"
    headings = ("## Other implementations", "## What others do differently", "## Checked against")
    missing = [p.name for p in folder.glob("*.md") if p.stem != "index" and not any(h in p.read_text(encoding="utf-8") for h in headings)]
    assert missing == []


def test_findings_are_in_the_same_order_in_both_languages(pages: ModuleType) -> None:
    assert list(pages.finding_groups("en").values()) == list(pages.finding_groups("zh").values())


def test_every_word_has_its_name() -> None:
    for language in LANGUAGES:
        texts = catalogue(language)
        words = {k.removeprefix("glossary.") for k in texts if k.startswith("glossary.")}
        named = {k.removeprefix("word.") for k in texts if k.startswith("word.")}
        assert words == named


def test_templates_of_the_glossary_have_no_fields() -> None:
    for key in catalogue("en"):
        if key.startswith(("glossary.", "word.", "finding.")):
            assert [say(key, language) for language in LANGUAGES]
