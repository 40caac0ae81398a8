"""The chapter "What follows": advice first, every rule in words, reservations beside advice, and no grade better than what it builds on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hinterland.labels import LANGUAGES, Language, catalogue
from hinterland.report.advice import source_table, statements
from hinterland.report.advice_actions import actions
from hinterland.report.advice_record import GRADES, Statement
from hinterland.report.advice_rules import by_group, graded
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Speaker, bracketed, joined, say

Changed = Callable[..., Record]


def rules(made: tuple[Statement, ...]) -> list[str]:
    return [s.rule.removeprefix("advice.") for s in made]


def test_advice_comes_first(record: Record) -> None:
    topics = [s.topic for s in statements(record)]
    assert topics[0] == "action"
    assert topics == sorted(topics, key=list(dict.fromkeys(topics)).index)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_has_words(record: Record, language: Language) -> None:
    keys = catalogue(language)
    made = {k.removeprefix("sentence.advice.") for k in keys if k.startswith("sentence.advice.")}
    assert {k.removeprefix("advice_rule.") for k in keys if k.startswith("advice_rule.")} == made - {
        "intro",
        "grades",
        "numbered",
        "numbered_graded",
    }
    shown = source_table(record, Speaker(language), statements(record))
    assert not [r.cells[2] for r in shown.rows if "_" in r.cells[2]]


def test_advice_on_a_doubtful_effect_names_the_doubts(record: Record) -> None:
    found = graded(record)
    first = next(iter(found))
    made = [s for s in statements(record) if s.topic == "effects" and s.outcome == first]
    told = rules(tuple(actions(record, found, made)))
    if found[first].grade in ("strong", "moderate"):
        assert ("act_reserved" in told) == bool(found[first].failed)
    else:
        assert told == ["act_none"]


def test_that_no_loss_is_shown_does_not_advise_to_widen(record: Record) -> None:
    found = graded(record)
    first = next(iter(found))
    lead = next(s for s in statements(record) if s.topic == "effects" and s.outcome == first)
    lead = replace(lead, grade="moderate")
    loss = replace(lead, topic="displacement", sentence=say("advice.displaced_no_evidence", who="others"))
    made = tuple(actions(record, found, [lead, loss]))
    assert rules(made)[0] == "act_keep_open"
    assert "neither shown nor ruled out" in catalogue("en")["sentence.advice.act_keep_open"]


def test_an_effect_in_a_group_is_graded_no_better_than_the_whole(changed: Changed) -> None:
    record = changed(p_trend=0.01)
    found = graded(record)
    whole = next(iter(found.values())).grade
    told = [s.grade for s in by_group(record, found) if s.rule.startswith("advice.group_shown")]
    assert all(g is not None and (GRADES.index(g) >= GRADES.index(whole) or whole == "unproven") for g in told)


def test_lists_whose_parts_have_commas_are_told_apart() -> None:
    assert joined(["a", "b"], "en") == "a and b"
    assert joined(["a, A", "b", "c"], "en") == "a, A; b; and c"
    assert joined(["p (1, 2)", "q", "r"], "en") == "p (1, 2), q and r"
    assert joined(["1,000", "2", "3"], "en") == "1,000, 2 and 3"
    assert joined(["甲，子", "乙"], "zh") == "甲，子；以及乙"
    assert Speaker("en").value(Listed(("it rains", "it pours"), clauses=True)) == "it rains; it pours"
    assert Speaker("zh").value(Listed(("下雨", "刮风"), clauses=True)) == "下雨；刮风"
    assert (bracketed("a", "b", "en"), bracketed("甲", "乙", "zh")) == ("a (b)", "甲（乙）")
