"""What to do, and what the study cannot say: rules over the statements that were made, never over anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hinterland.report.advice_evidence import Evidence
from hinterland.report.advice_record import Source, Statement, state, worst
from hinterland.report.advice_rules import named
from hinterland.report.caveats import TRANSFER_ZONES
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Sentence, Value, say

ENOUGH = ("strong", "moderate")
"""Grades from which an action may be advised."""
LOSSES = ("advice.displaced_net_loss", "advice.displaced_not_told_apart")
"""Verdicts under which what one place gained may be no gain of all, the gravest first."""
PARTLY = "advice.displaced_partly_displaced"
"""Verdict under which others lost a part of it."""
KEPT = {PARTLY: "act_neighbours", "advice.displaced_gained": "act_keep"}
"""What is advised where the effect stands, by verdict; of others nothing is known about losses."""


def actions(record: Record, found: Mapping[str, Evidence], made: Sequence[Statement]) -> Iterator[Statement]:
    """Advice on every outcome; that nothing follows, where the evidence for its effect is weak or none."""
    for lead in made:
        if lead.topic == "effects" and lead.outcome in found:
            yield from _on(record, lead, found[lead.outcome], made)


def _on(record: Record, lead: Statement, evidence: Evidence, made: Sequence[Statement]) -> Iterator[Statement]:
    outcome, overall = lead.outcome, evidence.fit.overall
    names: dict[str, Value] = {"outcome": Name("variable", outcome)}
    if lead.grade not in ENOUGH or overall is None:
        yield state(record, "action", outcome, Sentence("advice.act_none", {**names, "wanted": _wanted(evidence)}), lead.sources)
        return
    if overall.estimate < 0:
        yield state(record, "action", outcome, Sentence("advice.act_review", names), lead.sources, grade=lead.grade)
        return
    yield from _extend(record, lead, made, names)
    if evidence.failed:
        reserved = Sentence("advice.act_reserved", {**names, "failed": named("advice_failed", evidence.failed)})
        yield state(record, "action", outcome, reserved, lead.sources)
    yield from _conditions(record, outcome, lead, made)


def _wanted(e: Evidence) -> Listed:
    """What would decide: the checks that failed, and those that were not made."""
    return named("advice_check", tuple(dict.fromkeys((*e.failed, *e.absent))))


def _extend(record: Record, lead: Statement, made: Sequence[Statement], names: Mapping[str, Value]) -> Iterator[Statement]:
    loss = _worst_loss([s for s in made if s.topic == "displacement" and s.outcome == lead.outcome])
    rule = "act_keep_unknown" if loss is None else "act_not_widen" if loss.rule in LOSSES else KEPT.get(loss.rule, "act_keep_open")
    sources = (*lead.sources, *(loss.sources if loss is not None else ()))
    values = names if loss is None else {**names, "who": loss.sentence.values["who"]}
    yield state(record, "action", lead.outcome, Sentence(f"advice.{rule}", values), sources, grade=lead.grade)


def _worst_loss(stated: Sequence[Statement]) -> Statement | None:
    """The statement on the gravest loss: through whichever channel, it counts."""
    order = (*LOSSES, PARTLY)
    return min(stated, key=lambda s: order.index(s.rule) if s.rule in order else len(order), default=None)


def _conditions(record: Record, outcome: str, lead: Statement, made: Sequence[Statement]) -> Iterator[Statement]:
    """Where, with what, through what: each follows from one statement, and is no better than it and the effect together."""
    rules = {
        "advice.worth": "act_moderator",
        "advice.worth_outside": "act_moderator_first",
        "advice.channel_carries": "act_channel",
        "advice.channel_binds": "act_binding",
        "advice.differ": "act_target",
    }
    for s in made:
        if s.outcome == outcome and s.rule in rules:
            grade = worst(s.grade or "unproven", lead.grade or "unproven")
            yield state(record, "action", outcome, Sentence(f"advice.{rules[s.rule]}", s.sentence.values), s.sources, grade=grade)


def limits(record: Record, found: Mapping[str, Evidence], made: Sequence[Statement]) -> Iterator[Statement]:
    """What no number of this record says; each rests on the row that shows what was estimated instead, or on its absence."""
    lead = next((s for s in made if s.topic == "effects"), None)
    if lead is None or lead.outcome not in found:
        return
    facts = found[lead.outcome].fit.facts
    window: dict[str, Value] = {"first": str(facts["first_period"]), "last": str(facts["last_period"])}
    model = [Source("models", {"effects_id": facts["effects_id"]})]

    def said(key: str, **values: Value) -> Statement:
        return state(record, "limits", lead.outcome, say(f"advice.{key}", **values), model)

    if record.simulated:
        yield said("limit_simulated")
    yield said("limit_window", **window)
    if record.study("policy", "register") == TRANSFER_ZONES:
        yield said("limit_firms")
    yield said("limit_costs")
    absent = [t for t in ("displacement", "moderation", "mechanism") if not any(s.topic == t for s in made)]
    if absent:
        yield said("limit_absent", parts=Listed(tuple(Sentence(f"advice_topic.{t}") for t in absent)))
