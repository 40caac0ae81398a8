"""What follows from the estimates: statements made by rules from rows of the record, each with a grade of its evidence.

The rules, by topic:

* **effects**: every outcome, by the grade of its headline (:mod:`~hinterland.report.advice_evidence`).
* **groups**: an effect in a group is told where the p-value to rely on is below 5 % (the permutation's with few treated clusters); groups are said to
  differ only where a test of the difference says so.
* **moderation**: what lowering a moderator would be worth is told where the slope may be given a direction; beyond the shared range it is called an
  extrapolation.
* **mechanism**: a channel is told where the policy moves the mediator, whose trends are not rejected, and the indirect effect's interval excludes zero;
  a mediator binds where it goes with the outcome and the policy does not move it.
* **displacement**: by the verdict of the test of the total; one statement for each channel and one for all of them at once, where there are channels.
* **family**: outcomes that survive a correction for their number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from hinterland.report import displacement_channels, mechanism, moderation, prose, subgroups
from hinterland.report.advice_evidence import Evidence, effect_source, evidence
from hinterland.report.advice_record import Grade, Source, Statement, state, worst
from hinterland.report.digits import ALPHA, count, number, p_value, percent, share, signed
from hinterland.report.displacement import rows_of
from hinterland.report.moderation_rows import Found as ModerationRows
from hinterland.report.record import Estimate, Fit, Record, Scale
from hinterland.report.sentences import Listed, Name, Sentence, Value

Graded = Mapping[str, Evidence]
LOW = "p10"
"""The level of a moderator that its mean is set against."""


def graded(record: Record) -> dict[str, Evidence]:
    """The evidence on every outcome that has some."""
    found = {outcome: evidence(record, outcome) for outcome in record.outcomes}
    return {outcome: e for outcome, e in found.items() if e is not None}


def size(estimate: Estimate, scale: Scale) -> Sentence:
    """An estimate with its interval and, for logarithms and counts, per cent."""
    values: dict[str, Value] = {"estimate": signed(estimate.estimate), "low": number(estimate.conf_low), "high": number(estimate.conf_high)}
    if scale != "level":
        ends = ("percent", estimate.estimate), ("percent_low", estimate.conf_low), ("percent_high", estimate.conf_high)
        values |= {name: percent(value) for name, value in ends}
    return Sentence("advice_size.level" if scale == "level" else "advice_size.log", values)


def named(section: str, names: tuple[str, ...]) -> Listed:
    """Several clauses of a section, joined."""
    return Listed(tuple(Sentence(f"{section}.{name}") for name in names), clauses=True)


def effects(record: Record, found: Graded) -> Iterator[Statement]:
    """One statement per outcome, with the checks that failed and those that were not made."""
    for outcome, e in found.items():
        if e.fit.overall is None:
            continue
        values: dict[str, Value] = {
            "outcome": Name("variable", outcome),
            "method": Name("method", e.fit.method),
            "size": size(e.fit.overall, record.scale(outcome, e.fit.family)),
            "failed": named("advice_failed", tuple(n for n in e.failed if n != "differs")),
            "absent": named("advice_check", e.absent),
        }
        yield state(record, "effects", outcome, Sentence(f"advice.effect_{_wording(e)}", values), e.sources, grade=e.grade)


def _wording(e: Evidence) -> str:
    if e.grade == "moderate" and not e.failed:
        return "moderate_absent"
    return e.grade


def by_group(record: Record, found: Graded) -> Iterator[Statement]:
    """The groups of the first outcome: where an effect is shown, where not, and which differences are."""
    outcome = record.outcomes[0] if record.outcomes else ""
    head = record.headline(outcome)
    fits = [f for f in record.chosen(outcome=outcome, roles=("subgroup",), sample=None) if f.overall and head and f.method == head.method]
    for fit in fits:
        yield from _group(record, fit, found[outcome].grade if outcome in found else "unproven")
    if record.has("group_differences") and head is not None:
        yield from _differences(record, outcome, head.method, found)


def _group(record: Record, fit: Fit, whole: Grade) -> Iterator[Statement]:
    """The effect in one group; a test of its own trends aside, those of the whole sample speak for it, so that its grade is at most the whole's."""
    if fit.overall is None:
        return
    exact = subgroups.exact_p(record, fit)
    few = math.isfinite(exact)  # the record holds a permutation's p-value where treated clusters are few
    p = exact if few else fit.overall.p_value
    weak = few or prose.trends_rejected(fit.pretrend) or whole in ("weak", "unproven")
    grade: Grade = "unproven" if not p < ALPHA else "weak" if weak else "moderate"
    values: dict[str, Value] = {
        "group": Name("region", fit.sample),
        "outcome": Name("variable", fit.outcome),
        "estimate": signed(fit.overall.estimate),
        "p": p_value(p),
        "n": count(fit.facts.get("n_treated")),
    }
    sources = [effect_source(fit)]
    if few:
        sources.append(Source("placebo", {"outcome": fit.outcome, "method": fit.method, "kind": "space", "sample": fit.sample}))
    key = "group_unproven" if grade == "unproven" else "group_shown"
    yield state(record, "groups", fit.outcome, Sentence(f"advice.{key}{'_few' if few else ''}", values), sources, grade=grade)


def _differences(record: Record, outcome: str, method: str, found: Graded) -> Iterator[Statement]:
    where = {"outcome": outcome, "method": method}
    rows = Source("group_differences", where).rows(record)
    whole = found[outcome].grade if outcome in found else "unproven"
    pairs = dict(rows.group_by("by").len().iter_rows())
    for row in rows.iter_rows(named=True):
        p = row["p_adjusted"] if row["p_adjusted"] is not None else row["p_relied"]
        if p is None:
            continue
        values: dict[str, Value] = {
            "first": Name("region", row["first"]),
            "second": Name("region", row["second"]),
            "difference": signed(row["difference"]),
            "p": Sentence(f"advice_p.{'several' if pairs[row['by']] > 1 else 'one'}", {"p": p_value(p), "n": count(pairs[row["by"]])}),
        }
        differ = p < ALPHA
        source = Source("group_differences", {**where, "by": row["by"], "first": row["first"], "second": row["second"]})
        grade: Grade = worst("moderate", whole) if differ else "unproven"
        yield state(
            record, "groups", outcome, Sentence(f"advice.{'differ' if differ else 'not_told_apart'}", values), [source], grade=grade
        )


def by_moderator(record: Record, found: Graded) -> Iterator[Statement]:
    """What lowering each moderator from its mean to its lowest tenth would be worth, for every outcome that it was asked for."""
    for m in moderation.findings(record):
        lead, change, mean, low = m.lead, m.at(f"{LOW}-mean"), m.at("mean"), m.at(LOW)
        if lead is None or change is None or mean is None or low is None:
            continue
        where = {"outcome": m.outcome, "moderator": m.moderator}
        sources = [Source("moderation", {**where, "version": "linear", "group": "all"})]
        sources += [
            Source("moderation_effects", {**where, "kind": k, "version": "linear", "group": "all"}) for k in (f"{LOW}-mean", "mean", LOW)
        ]
        values: dict[str, Value] = {
            **m.names,
            "mean": signed(mean["estimate"]),
            "low": signed(low["estimate"]),
            "worth": signed(change["estimate"]),
            "worth_low": number(change["conf_low"]),
            "worth_high": number(change["conf_high"]),
            "p": p_value(lead["p_wild"] if lead.get("p_wild") is not None else lead["p_value"]),
        }
        if not moderation.clear(lead):
            yield state(record, "moderation", m.outcome, Sentence("advice.worth_unproven", values), sources, grade="unproven")
            continue
        inside = bool(change["inside"])
        whole = found[m.outcome].grade if m.outcome in found else "unproven"
        grade = worst("moderate" if inside and _agrees(m, lead) else "weak", whole)
        kind = "worth" if lead["estimate"] < 0 else "worth_opposite"
        yield state(record, "moderation", m.outcome, Sentence(f"advice.{kind}{'' if inside else '_outside'}", values), sources, grade=grade)


def _agrees(m: ModerationRows, lead: Mapping[str, Any]) -> bool:
    """Whether the other versions have the sign of the line, and the bins do not reject it."""
    others = m.slopes.filter(group="all")["estimate"].drop_nulls()
    bent = lead.get("linearity_p_wild") if lead.get("linearity_p_wild") is not None else lead.get("linearity_p")
    return bool((others * lead["estimate"] > 0).all()) and (bent is None or bent >= ALPHA)


def by_channel(record: Record, found: Graded) -> Iterator[Statement]:
    """Each mediator of the headline: a channel that carries, one that is moved only, one that binds, or silence."""
    seen: set[str] = set()
    for m in mechanism.findings(record):
        if m.outcome in seen:
            continue
        seen.add(m.outcome)
        for name in m.mediators:
            yield _channel(record, m, name, found[m.outcome].grade if m.outcome in found else "unproven")


def _channel(record: Record, m: mechanism.Found, name: str, whole: Grade) -> Statement:
    moved, slope, indirect, part = (m.rows[name, q] for q in ("effect-on-mediator", "slope", "indirect", "share"))
    check = m.checks[name]
    p = check["p_romano_wolf"] if check["p_romano_wolf"] is not None else moved["p_value"]
    acts = p is not None and p < ALPHA
    carries = indirect["conf_low"] is not None and (indirect["conf_low"] > 0 or indirect["conf_high"] < 0)
    goes = slope["p_value"] is not None and slope["p_value"] < ALPHA
    rejected = check["pretrend_p"] is not None and check["pretrend_p"] < ALPHA
    kind = ("doubted" if rejected else "carries" if carries else "moved") if acts else "binds" if goes else "silent"
    grade: Grade = "moderate" if kind == "moved" else "weak" if kind == "carries" else "unproven"
    values: dict[str, Value] = {
        "mediator": Name("variable", name),
        "outcome": Name("variable", m.outcome),
        "effect": signed(moved["estimate"]),
        "p": p_value(p),
        "p_before": p_value(check["pretrend_p"]) if rejected else "",
        "slope": signed(slope["estimate"]),
        "p_slope": p_value(slope["p_value"]),
        "indirect": signed(indirect["estimate"]),
        "indirect_low": number(indirect["conf_low"]),
        "indirect_high": number(indirect["conf_high"]),
        "share": share(part["estimate"], 0),
        "rho": number(check["rho_zero"], 2),
    }
    where = {"outcome": m.outcome, "method": m.method, "mediator": name}
    sources = [Source("mechanism", {**where, "quantity": q}) for q in ("effect-on-mediator", "slope", "indirect")]
    sentence, rows = Sentence(f"advice.channel_{kind}", values), (*sources, Source("mechanism_checks", where))
    return state(record, "mechanism", m.outcome, sentence, rows, grade=worst(grade, whole))


def displaced(record: Record, found: Graded) -> Iterator[Statement]:
    """The verdict on others' losses, for every outcome and channel that it was asked for."""
    for outcome in record.outcomes:
        every = displacement_channels.told(record, outcome) or {"nearby": rows_of(record, outcome)}
        for channel, rows in every.items():
            if {"direct", "spillover", "total"} <= rows.keys():
                yield _loss(record, outcome, channel, rows, found)


def _loss(record: Record, outcome: str, channel: str, rows: displacement_channels.Rows, found: Graded) -> Statement:
    kind = str(rows["direct"]["verdict"] or "no-evidence")
    values: dict[str, Value] = {
        "outcome": Name("variable", outcome),
        "who": displacement_channels.who(record, channel),
        **{q: signed(rows[q]["estimate"]) for q in ("direct", "spillover", "total")},
        "low": number(rows["total"]["conf_low"]),
        "high": number(rows["total"]["conf_high"]),
        "p": p_value(rows["spillover"]["p_value"]),
    }
    grade: Grade = "unproven" if kind == "no-evidence" else worst("moderate", found[outcome].grade if outcome in found else "unproven")
    source = Source("displacement", {"outcome": outcome, "effects_id": rows["direct"]["effects_id"]})
    return state(record, "displacement", outcome, Sentence(f"advice.displaced_{kind.replace('-', '_')}", values), [source], grade=grade)


def family(record: Record, _: Graded) -> Iterator[Statement]:
    """Which outcomes survive a correction for how many there are."""
    if not record.has("outcome_family"):
        return
    frame = record.tables["outcome_family"]
    corrected = [c for c in ("p_romano_wolf", "p_benjamini_hochberg") if frame[c].drop_nulls().len()]
    if frame.height < 2 or not corrected:  # a family has two members
        return
    rows = frame.to_dicts()
    kept = [r["outcome"] for r in rows if r[corrected[0]] is not None and r[corrected[0]] < ALPHA]
    values: dict[str, Value] = {
        "n": count(len(rows)),
        "kept": Listed(tuple(Name("variable", o) for o in kept)),
        "correction": Sentence(f"advice_correction.{corrected[0]}"),
    }
    key = "family_all" if len(kept) == len(rows) else "family_some" if kept else "family_none"
    yield state(record, "family", "", Sentence(f"advice.{key}", values), [Source("outcome_family")])
