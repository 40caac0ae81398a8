"""What follows from a record: statements by rule, graded by checks, with rows behind each; nothing without rows, and no advice without evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from synthetic import DIAGNOSED

import hinterland as hl
from hinterland.labels import LANGUAGES
from hinterland.report.advice import advice, advice_table, statements
from hinterland.report.advice_evidence import CHECKS, CORE, SEVERAL, Check, Evidence, evidence
from hinterland.report.advice_record import GRADES, Source, Statement, state, worst
from hinterland.report.advice_rules import graded
from hinterland.report.blocks import Bullets
from hinterland.report.description import own_labels
from hinterland.report.record import Record
from hinterland.report.sentences import Speaker, say
from hinterland.study.tables import TABLES

Changed = Callable[..., Record]
LEAD = "ln_inventions"
METHOD = "callaway-santanna"


def table(name: str, *rows: dict[str, Any]) -> pl.DataFrame:
    schema = dict(TABLES[name])
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema)


def with_tables(record: Record, **tables: pl.DataFrame) -> Record:
    return replace(record, tables={**record.tables, **tables})


def moderated(slope: float, p_wild: float, *, inside: bool = True, strata: float | None = None) -> dict[str, pl.DataFrame]:
    head = {"outcome": LEAD, "moderator": "market_segmentation", "group": "all"}
    half = 0.1 if p_wild < 0.05 else 2 * abs(slope)
    line = {"estimate": slope, "std_error": half / 2, "conf_low": slope - half, "conf_high": slope + half, "p_value": p_wild}
    rows = [{**head, "version": "linear", **line, "p_wild": p_wild, "scale": 1.0, "column": "segmentation"}]
    if strata is not None:
        rows.append({**head, "version": "strata", "estimate": strata})
    points = {"mean": 0.2, "p10": 0.2 - slope, "p10-mean": -slope}
    effects = [
        {**head, "version": "linear", "kind": k, "value": 0.0, "estimate": v, "conf_low": v - 0.1, "conf_high": v + 0.1, "inside": inside}
        for k, v in points.items()
    ]
    return {"moderation": table("moderation", *rows), "moderation_effects": table("moderation_effects", *effects)}


def mediated(moved: float, p_moved: float, p_slope: float, indirect: tuple[float, float]) -> dict[str, pl.DataFrame]:
    head = {"outcome": LEAD, "method": METHOD, "slope": "untreated", "mediator": "agglomeration"}
    values = {
        "effect-on-mediator": {"estimate": moved, "p_value": p_moved},
        "slope": {"estimate": 0.4, "p_value": p_slope},
        "indirect": {"estimate": sum(indirect) / 2, "conf_low": indirect[0], "conf_high": indirect[1]},
        "share": {"estimate": 0.2},
    }
    rows = [{**head, "quantity": q, **v} for q, v in values.items()]
    check = {"outcome": LEAD, "method": METHOD, "mediator": "agglomeration", "rho_zero": 0.3, "p_romano_wolf": p_moved}
    return {"mechanism": table("mechanism", *rows), "mechanism_checks": table("mechanism_checks", check)}


def compared(p: float) -> dict[str, pl.DataFrame]:
    row = {"outcome": LEAD, "method": METHOD, "by": "macro-region", "first": "east", "second": "west", "difference": 0.2, "p_adjusted": p}
    return {"group_differences": table("group_differences", row)}


def family(*p: float) -> dict[str, pl.DataFrame]:
    rows = [{"outcome": o, "p_romano_wolf": v} for o, v in zip((LEAD, "quality", "inventions"), p, strict=True)]
    return {"outcome_family": table("outcome_family", *rows)}


def rules(record: Record, topic: str | None = None) -> list[str]:
    return [s.rule.removeprefix("advice.") for s in statements(record) if topic in (None, s.topic)]


def one(record: Record, topic: str) -> Statement:
    (found,) = [s for s in statements(record) if s.topic == topic and s.outcome in ("", LEAD)]
    return found


def test_every_statement_has_rows_behind_it(record: Record) -> None:
    full = with_tables(
        record, **moderated(-0.3, 0.01), **mediated(0.2, 0.01, 0.01, (0.02, 0.1)), **compared(0.01), **family(0.01, 0.2, 0.03)
    )
    made = statements(full)
    assert {s.topic for s in made} >= {"effects", "groups", "moderation", "mechanism", "displacement", "family", "action", "limits"}
    for s in made:
        assert s.sources
        assert all(source.rows(full).height for source in s.sources)


def test_nothing_is_said_without_a_row(record: Record) -> None:
    with pytest.raises(ValueError, match="no row of the record is behind"):
        state(record, "limits", LEAD, say("advice.limit_costs"), [Source("models", {"effects_id": "nobody's"})])
    with pytest.raises(ValueError, match="no row"):
        state(record, "limits", LEAD, say("advice.limit_costs"), [])
    with pytest.raises(ValueError, match="mechanism"):
        state(record, "mechanism", LEAD, say("advice.limit_costs"), [Source("mechanism")])


@pytest.mark.parametrize("name", ["moderation", "mechanism", "displacement", "group_differences", "outcome_family"])
def test_a_table_that_is_not_there_says_nothing(record: Record, name: str) -> None:
    full = with_tables(
        record, **moderated(-0.3, 0.01), **mediated(0.2, 0.01, 0.01, (0.02, 0.1)), **compared(0.01), **family(0.01, 0.2, 0.03)
    )
    less = replace(full, tables={k: t for k, t in full.tables.items() if k != name})
    assert all(source.table != name for s in statements(less) for source in s.sources)
    assert len(statements(less)) < len(statements(full)) or "limit_absent" in rules(less)


@pytest.mark.parametrize(
    ("checks", "grade"),
    [
        ({}, "unproven"),
        ({"differs": False, "trends": True}, "unproven"),
        (dict.fromkeys(CHECKS, True), "strong"),
        (dict.fromkeys(CORE, True), "strong"),
        (dict.fromkeys(CORE[:-1], True), "moderate"),
        ({**dict.fromkeys(CHECKS, True), "groups": False}, "moderate"),
        ({**dict.fromkeys(CHECKS, True), "groups": False, "choices": False}, "moderate"),
        ({**dict.fromkeys(CHECKS, True), "trends": False}, "moderate"),
        ({**dict.fromkeys(CHECKS, True), "trends": False, "deviations": False}, "weak"),
        ({**dict.fromkeys(CHECKS, True), "groups": False, "choices": False, "placebo": False}, "weak"),
    ],
)
def test_grades_follow_from_checks(record: Record, checks: dict[str, bool], grade: str) -> None:
    fit = record.headline(LEAD)
    assert fit is not None
    found = Evidence(fit, tuple(Check(name, passed, (Source("models"),)) for name, passed in checks.items()))
    assert found.grade == grade
    assert set(found.failed) == {n for n, passed in checks.items() if not passed}
    assert set(found.absent) == set(CHECKS) - set(checks)
    assert SEVERAL == 3


def test_a_rejected_pre_trend_test_makes_evidence_weak(changed: Changed) -> None:
    found = evidence(changed(p_trend=0.01), LEAD)
    assert found is not None
    assert found.grade == "weak"
    assert "act_none" in rules(changed(p_trend=0.01), "action")


def test_the_p_value_to_rely_on_decides(changed: Changed) -> None:
    doubtful = changed(treated_clusters=25, effective=12.0, p_wild=0.3)
    found = evidence(doubtful, LEAD)
    assert found is not None
    assert found.grade == "unproven"
    assert any(s.table == "small_sample" for s in found.sources)


def test_no_effect_no_advice(changed: Changed) -> None:
    null = with_tables(
        changed(robust=0.01, static=0.0, poisson=0.0, p_exact=0.8, p_wild=0.8),
        **moderated(-0.3, 0.01),
        **mediated(0.2, 0.01, 0.01, (0.02, 0.1)),
    )
    assert {s.grade for s in statements(null) if s.topic == "effects"} == {"unproven"}
    assert set(rules(null, "action")) == {"act_none"}
    assert all(s.grade == "unproven" for s in statements(null) if s.topic in ("moderation", "mechanism"))


def test_an_effect_against_the_policy_is_no_reason_to_keep_it(changed: Changed) -> None:
    assert rules(changed(robust=-0.21, static=-0.17, poisson=-0.19, alone=-0.18), "action")[0] == "act_review"


@pytest.mark.parametrize(
    ("slope", "p", "options", "rule", "grade"),
    [
        (-0.3, 0.01, {"strata": -0.2}, "worth", "moderate"),
        (-0.3, 0.01, {"strata": 0.2}, "worth", "weak"),
        (-0.3, 0.01, {"inside": False}, "worth_outside", "weak"),
        (0.3, 0.01, {}, "worth_opposite", "moderate"),
        (-0.3, 0.4, {}, "worth_unproven", "unproven"),
    ],
)
def test_what_lowering_a_moderator_is_worth(record: Record, slope: float, p: float, options: dict[str, Any], rule: str, grade: str) -> None:
    found = one(with_tables(record, **moderated(slope, p, **options)), "moderation")
    assert found.rule == f"advice.{rule}"
    whole = graded(record)[LEAD].grade
    assert found.grade == ("unproven" if grade == "unproven" else worst(grade, whole))  # type: ignore[arg-type]  # one of the grades
    assert found.sentence.values["worth"] == ("+0.300" if slope < 0 else "\u22120.300")


@pytest.mark.parametrize(
    ("moved", "slope", "indirect", "rule"),
    [
        (0.01, 0.01, (0.02, 0.1), "channel_carries"),
        (0.01, 0.5, (-0.02, 0.1), "channel_moved"),
        (0.4, 0.01, (-0.02, 0.1), "channel_binds"),
        (0.4, 0.5, (-0.02, 0.1), "channel_silent"),
    ],
)
def test_channels(record: Record, moved: float, slope: float, indirect: tuple[float, float], rule: str) -> None:
    found = one(with_tables(record, **mediated(0.2, moved, slope, indirect)), "mechanism")
    assert found.rule == f"advice.{rule}"
    assert found.grade in {"channel_carries": ("weak",), "channel_moved": ("moderate", "weak")}.get(rule, ("unproven",))


@pytest.mark.parametrize(("p", "rule"), [(0.01, "differ"), (0.3, "not_told_apart")])
def test_differences_need_a_test(record: Record, p: float, rule: str) -> None:
    full = with_tables(record, **compared(p))
    assert rule in rules(full, "groups")
    assert ("act_target" in rules(full, "action")) == (p < 0.05)


def test_two_treated_cities_are_no_strong_evidence(record: Record) -> None:
    small = [s for s in statements(record) if s.topic == "groups" and "few" in s.rule]
    assert small
    assert all(s.grade in ("weak", "unproven") for s in small)


@pytest.mark.parametrize(
    ("p", "rule"), [((0.01, 0.02, 0.03), "family_all"), ((0.01, 0.2, 0.03), "family_some"), ((0.1, 0.2, 0.3), "family_none")]
)
def test_family(record: Record, p: tuple[float, float, float], rule: str) -> None:
    assert rules(with_tables(record, **family(*p)), "family") == [rule]


@pytest.mark.parametrize(
    ("verdict", "rule", "action"),
    [
        ("no-evidence", "displaced_no_evidence", "act_keep_open"),
        ("gained", "displaced_gained", "act_keep"),
        ("partly-displaced", "displaced_partly_displaced", "act_neighbours"),
        ("net-loss", "displaced_net_loss", "act_not_widen"),
        ("not-told-apart", "displaced_not_told_apart", "act_not_widen"),
    ],
)
def test_displacement_decides_on_widening(record: Record, verdict: str, rule: str, action: str) -> None:
    lost = record.tables["displacement"].with_columns(verdict=pl.lit(verdict))
    full = with_tables(record, displacement=lost)
    assert rule in rules(full, "displacement")
    assert graded(full)[LEAD].grade in ("strong", "moderate")
    assert rules(full, "action")[0] == action


def test_without_a_test_of_displacement_widening_is_open(changed: Changed, record: Record) -> None:
    less = replace(record, tables={k: t for k, t in record.tables.items() if k != "displacement"})
    assert rules(less, "action")[0] == "act_keep_unknown"
    assert "limit_absent" in rules(less, "limits")
    assert "limit_simulated" in rules(record, "limits")
    assert "limit_simulated" not in rules(changed(simulated=False, tables=tuple(t for t in record.tables if t != "truth")), "limits")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chapter_says_every_statement(record: Record, language: Any) -> None:
    speaker = Speaker(language, own_labels(record))
    blocks = advice(record, speaker, LEAD)
    said = [i for b in blocks if isinstance(b, Bullets) for i in b.items]
    assert len(said) == len(statements(record))
    words = " ".join(speaker.sentence(s) for s in said)
    assert "{" not in words
    assert "advice." not in words
    assert not [w for w in ("..", "。。", "  ") if w in words]


def test_the_table_of_the_record(record: Record) -> None:
    frame = advice_table(record)
    assert frame["number"].to_list() == list(range(1, frame.height + 1))
    assert set(frame["grade"].drop_nulls()) <= set(GRADES)
    assert set(frame["basis"]) == {"estimates"}
    for sources in frame["sources"]:
        for source in json.loads(sources):
            assert Source(source["table"], source["where"]).rows(record).height
    assert frame.select("text", "text_zh").null_count().row(0) == (0, 0)


def test_records_without_diagnostics_still_follow(changed: Changed) -> None:
    less = changed(tables=("models", "effects"))
    found = graded(less)[LEAD]
    assert set(found.absent) >= {"trends", "deviations", "placebo", "groups"}
    assert found.grade in ("moderate", "unproven")
    assert set(DIAGNOSED).isdisjoint(less.tables)


STUDY = """
[study]
title = "World"
[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
years = [2008, 2016]
[panel.world]
seed = 3
units = 150
periods = 9
parameters = {{ effect = {effect} }}
[policy]
column = "first_treat"
[[outcome]]
name = "ln_inventions"
[evaluate]
methods = ["callaway-santanna"]
[robustness]
placebo_space = 200
"""


@pytest.mark.parametrize(("effect", "advised"), [(0.0, False), (1.2, True)])
def test_a_null_world_yields_no_advice(tmp_path: Path, effect: float, advised: bool) -> None:
    path = tmp_path / "world.toml"
    path.write_text(STUDY.format(effect=effect), encoding="utf-8")
    run = hl.run(path, tmp_path / "out")
    frame = run.tables["advice"]
    actions = frame.filter(topic="action")["rule"].to_list()
    assert (actions != ["advice.act_none"]) is advised
    assert (frame.filter(topic="effects")["grade"][0] != "unproven") is advised
    assert (tmp_path / "out" / "tables" / "advice.csv").is_file()
