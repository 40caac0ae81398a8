"""Human words: the same keys in both languages, the same fields, nothing empty, and every note that code can utter."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from hinterland.labels import LANGUAGES, Note, catalogue
from hinterland.plan.schema import parameters

SOURCE = Path(__file__).resolve().parents[1] / "src" / "hinterland"
ONE_LANGUAGE = {("en", "zh"): "_en", ("zh", "en"): "_zh"}
HAN = re.compile(r"[\u4e00-\u9fff]")


def fields(template: str) -> Counter[str]:
    """Names of the fields of a template, each with how often it occurs; names that end in the language are made one."""
    return Counter(re.sub(r"_(en|zh)$", "", name) for _, name, _, _ in Formatter().parse(template) if name is not None)


def test_same_files_in_both_languages() -> None:
    names = [{p.name for p in (SOURCE / "labels" / language).glob("*.toml")} for language in LANGUAGES]
    assert names[0] == names[1]


def test_same_keys_in_both_languages() -> None:
    en, zh = (set(catalogue(language)) for language in LANGUAGES)
    assert sorted(en - zh) == []
    assert sorted(zh - en) == []


def test_same_fields_in_both_languages() -> None:
    en, zh = (catalogue(language) for language in LANGUAGES)
    differ = {k: (sorted(fields(en[k])), sorted(fields(zh[k]))) for k in set(en) & set(zh) if set(fields(en[k])) != set(fields(zh[k]))}
    assert differ == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language: str) -> None:
    assert [k for k, v in catalogue(language).items() if not v.strip()] == []  # type: ignore[arg-type]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_is_defined_in_two_files(language: str) -> None:
    import tomllib

    from hinterland.labels import _flatten

    keys = [k for p in (SOURCE / "labels" / language).glob("*.toml") for k, _ in _flatten(tomllib.loads(p.read_text(encoding="utf-8")))]
    assert [k for k, n in Counter(keys).items() if n > 1] == []


def test_english_texts_hold_no_chinese_sentence() -> None:
    assert {k: v for k, v in catalogue("en").items() if len(HAN.findall(v)) > 8} == {}


def test_chinese_notes_are_chinese() -> None:
    assert [k for k, v in catalogue("zh").items() if k.startswith(("note.", "glossary.", "finding.")) and not HAN.search(v)] == []


def note_codes() -> Iterator[tuple[str, str]]:
    """``(code, place)`` of every ``Note("code", …)`` in the source; a code built from parts is a pattern with ``.+`` for each part."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Note" and node.args:
                for code in _literals(node.args[0]):
                    yield code, f"{path.relative_to(SOURCE)}:{node.lineno}"


def _literals(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [re.escape(str(node.value))]
    if isinstance(node, ast.IfExp):
        return [*_literals(node.body), *_literals(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(re.escape(str(v.value)) if isinstance(v, ast.Constant) else ".+" for v in node.values)]
    return []


def test_every_note_has_its_words() -> None:
    known = [k.removeprefix("note.") for k in catalogue("en") if k.startswith("note.")]
    used = list(note_codes())
    assert len(used) > 50
    assert [(code, place) for code, place in used if not any(re.fullmatch(code, k) for k in known)] == []


def test_every_parameter_of_a_case_has_its_words() -> None:
    """As reports name it; and none that no case can hold."""
    for language in LANGUAGES:
        known = {k.removeprefix("plan_parameter.") for k in catalogue(language) if k.startswith("plan_parameter.")}
        assert sorted(set(parameters()) - known) == [], f"add these to labels/{language}/plan_parameters.toml"
        assert sorted(known - set(parameters())) == []


def test_a_reason_that_is_a_finding_is_said_in_words() -> None:
    note = Note("placebo-not-possible", {"reason": "no-batch", "method": "ppml"})
    assert "no-batch" not in note.text("en")
    assert "has no batched placebo" in note.text("en")
    assert "没有批量安慰剂检验" in note.text("zh")
    assert "too short" in Note("placebo-not-possible", {"reason": "too short", "method": "ppml"}).text()
