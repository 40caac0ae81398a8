"""Links inside the project lead somewhere, and no page asks another host for an image."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "decisions").glob("*.md"), *(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)]
)
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
HTML_IMAGE = re.compile(r"<img[^>]+src=[\"']([^\"']+)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose(page: Path) -> str:
    """The page without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCED.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub and MyST make them, and explicit ones."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    heads = [re.sub(r"[^\w\s-]", "", h.strip().lower()).replace(" ", "-") for h in re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)]
    return {*heads, *re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for _, target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            broken.append(target)
        elif anchor and there.suffix == ".md" and anchor not in anchors(there):
            broken.append(f"{target}: no such heading")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_images_are_our_own(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    images = [t for bang, t in LINK.findall(text) if bang] + HTML_IMAGE.findall(text)
    assert [i for i in images if i.startswith(("http:", "https:", "//"))] == []


@pytest.mark.parametrize("page", [p for p in PAGES if "docs" in p.parts], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_page_has_one_title(page: Path) -> None:
    heads = re.findall(r"^(#+) ", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    assert heads[:1] == ["#"]
    assert heads.count("#") == 1
