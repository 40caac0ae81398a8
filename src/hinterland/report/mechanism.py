"""The chapter on mechanisms: effects on the mediators, which the design identifies, and shares of the total effect, which need more than the design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from hinterland.report import figures, tables
from hinterland.report.blocks import Block, Chart, Heading, Prose
from hinterland.report.digits import ALPHA, count, number, p_value, share, signed
from hinterland.report.mechanism_figures import Path, confounded, path_diagram, wrapped
from hinterland.report.mechanism_tables import check_table, mechanism_table
from hinterland.report.record import Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say

PANELS = 3
"""Mediators that are drawn; the tables have all of them."""
NEAR = 0.5
"""Correlations that are drawn, on either side of zero; more where an indirect effect is zero only beyond."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one estimator says about one outcome: rows by (mediator, quantity), the mediator ``None`` for all together; checks by mediator; facts of the fit."""

    outcome: str
    method: str
    mediators: tuple[str, ...]
    rows: Mapping[tuple[str | None, str], Mapping[str, Any]]
    checks: Mapping[str | None, Mapping[str, Any]]
    facts: Mapping[str, Any]

    @property
    def stable(self) -> bool:
        """Whether the total effect differs from zero, so that a share of it can be read."""
        p = self.rows[None, "total"]["p_value"]
        return p is not None and p < ALPHA


def mechanism(record: Record, speaker: Speaker, _: str) -> tuple[Block, ...]:
    """Words, figures and tables on every outcome that is explained; nothing where the record has no table ``mechanism``."""
    groups: dict[str, list[Found]] = {}
    for found in findings(record):
        groups.setdefault(found.outcome, []).append(found)
    blocks: list[Block] = []
    for outcome, each in groups.items():
        if len(groups) > 1:
            blocks.append(Heading(speaker.name(outcome)))
        blocks += _outcome(record, speaker, each)
    return tuple(blocks)


def findings(record: Record) -> tuple[Found, ...]:
    """Every outcome and estimator of table ``mechanism``, in its order: the headline first."""
    if not record.has("mechanism", "mechanism_checks"):
        return ()
    out = []
    for (outcome, method), rows in record.tables["mechanism"].group_by("outcome", "method", maintain_order=True):
        checks = record.tables["mechanism_checks"].filter((pl.col("outcome") == outcome) & (pl.col("method") == method))
        by = {(r["mediator"], r["quantity"]): r for r in rows.iter_rows(named=True)}
        names = tuple(dict.fromkeys(m for m, _ in by if m is not None))
        told = {r["mediator"]: r for r in checks.iter_rows(named=True)}
        out.append(Found(str(outcome), str(method), names, by, told, rows.row(0, named=True)))
    return tuple(out)


def _outcome(record: Record, speaker: Speaker, each: Sequence[Found]) -> tuple[Block, ...]:
    lead = each[0]
    key = f"mechanism-{lead.outcome}"
    names: dict[str, Value] = {"outcome": Name("variable", lead.outcome), "method": Name("method", lead.method)}
    intro = say("mechanism.intro", table=Ref("table", key), figure=Ref("figure", key), mediators=_named(lead.mediators), **names)
    diagram = Chart(
        key,
        speaker.ui("title.mechanism_path", **names),
        speaker.ui("subtitle.mechanism_path") + tables.source_line(record, speaker),
        speaker.paragraph(carried(lead)),
        path_diagram(_path(record, speaker, lead), speaker),
        record.tables["mechanism"].filter((pl.col("outcome") == lead.outcome) & (pl.col("method") == lead.method)),
    )
    return (
        Prose((intro, *identification(lead))),
        Prose(effects(lead)),
        Prose((*carried(lead), *truth(record, lead))),
        diagram,
        mechanism_table(record, speaker, each),
        *_paths(record, speaker, lead),
        *_doubts(record, speaker, each),
    )


def _named(mediators: Sequence[str]) -> Listed:
    return Listed(tuple(Name("variable", m) for m in mediators))


def identification(found: Found) -> tuple[Sentence, ...]:
    """What the design identifies, what it does not, and where the slopes come from."""
    given = [v.strip() for k in ("covariates", "confounders") for v in str(found.facts.get(k) or "").split("+") if v.strip()]
    assumed = say("mechanism.not_identified_given", given=_named(given)) if given else say("mechanism.not_identified")
    return say("mechanism.identified"), assumed, say(f"mechanism.slope_{found.facts['slope']}")


def effects(found: Found) -> tuple[Sentence, ...]:
    """The effect on each mediator, with what pre-trends say of it."""
    said = []
    for name in found.mediators:
        row, check = found.rows[name, "effect-on-mediator"], found.checks[name]
        adjusted = check["p_romano_wolf"] if check["p_romano_wolf"] is not None else row["p_value"]
        values: dict[str, Value] = {
            "mediator": Name("variable", name),
            "estimate": signed(row["estimate"]),
            "std_error": number(row["std_error"]),
            "p": p_value(adjusted),
            "n": count(len(found.mediators)),
        }
        kind = "moved" if adjusted is not None and adjusted < ALPHA else "unmoved"
        said.append(Sentence(f"mechanism.{kind}" if len(found.mediators) > 1 else f"mechanism.{kind}_one", values))
        if check["pretrend_p"] is not None and check["pretrend_p"] < ALPHA:
            said.append(say("mechanism.trends", mediator=Name("variable", name), p=p_value(check["pretrend_p"])))
    return tuple(said)


def carried(found: Found) -> tuple[Sentence, ...]:
    """The shares, if what they assume holds; indirect effects alone where there is no total effect to have a share of."""
    total, direct, joint, part = (found.rows[None, q] for q in ("total", "direct", "indirect", "share"))
    values: dict[str, Value] = {
        "total": signed(total["estimate"]),
        "direct": signed(direct["estimate"]),
        "indirect": signed(joint["estimate"]),
        "p": p_value(total["p_value"]),
        "parts": Listed(tuple(_part(found, name) for name in found.mediators)),
    }
    if not found.stable:
        return (Sentence("mechanism.unstable", values),)
    values |= {"share": share(part["estimate"], 0), **_ends(part)}
    values |= {"direct_low": signed(direct["conf_low"]), "direct_high": signed(direct["conf_high"])}
    if len(found.mediators) == 1:
        return (Sentence("mechanism.one", values),)
    return Sentence("mechanism.together", values), Sentence("mechanism.each", values)


def _part(found: Found, name: str) -> Sentence:
    row = found.rows[name, "share" if found.stable else "indirect"]
    mediator = Name("variable", name)
    if found.stable:
        return say("mechanism.part", mediator=mediator, share=share(row["estimate"], 0), **_ends(row))
    return say(
        "mechanism.part_indirect",
        mediator=mediator,
        indirect=signed(row["estimate"]),
        low=signed(row["conf_low"]),
        high=signed(row["conf_high"]),
    )


def _ends(row: Mapping[str, Any]) -> dict[str, Value]:
    return {"low": share(row["conf_low"], 0), "high": share(row["conf_high"], 0)}


def truth(record: Record, found: Found) -> tuple[Sentence, ...]:
    """The true shares of a simulated world, where it has them."""
    if not record.has("truth"):
        return ()
    rows = record.tables["truth"].filter(pl.col("effects_id") == f"mechanism/{found.outcome}/{found.method}")
    parts = tuple(
        say("mechanism.true_part", mediator=Name("variable", str(term).removeprefix("share/")), share=share(value, 0))
        for term, value in rows.select("term", "value").iter_rows()
    )
    return (say("mechanism.truth", parts=Listed(parts)),) if parts else ()


def confounding(found: Found) -> tuple[Sentence, ...]:
    """How strong an unmeasured confounder must be to take an indirect effect away, one mediator at a time."""
    said = []
    for name in found.mediators:
        check = found.checks[name]
        values: dict[str, Value] = {
            "mediator": Name("variable", name),
            "rho": number(check["rho_zero"], 2),
            "doubt": number(check["rho_doubt"], 2),
        }
        values["value"] = share(check["robustness_value"], 0)
        clear = check["rho_doubt"] is not None and check["rho_doubt"] != 0
        said.append(Sentence("mechanism.rho" if clear else "mechanism.rho_zero", values))
    return tuple(said)


def _crossed(found: Found) -> tuple[Sentence, ...]:
    p = found.checks[None]["interaction_p"] if None in found.checks else None
    if p is None:
        return ()
    return (say("mechanism.interaction" if p < ALPHA else "mechanism.no_interaction", p=p_value(p)),)


def _path(record: Record, speaker: Speaker, found: Found) -> Path:
    policy = record.study("policy", "register")
    column = record.study("policy", "column") or record.study("policy", "treatment")
    name = speaker.name(str(policy), "register") if policy else speaker.name(str(column))
    row = {m: (found.rows[m, "effect-on-mediator"], found.rows[m, "slope"], found.rows[m, "indirect"]) for m in found.mediators}
    return Path(
        policy=name,
        outcome=speaker.name(found.outcome),
        mediators=tuple(speaker.name(m) for m in found.mediators),
        effect=tuple(signed(a["estimate"]) for a, _, _ in row.values()),
        slope=tuple(signed(b["estimate"]) for _, b, _ in row.values()),
        indirect=tuple(signed(c["estimate"]) for _, _, c in row.values()),
        share=tuple(share(found.rows[m, "share"]["estimate"], 0) if found.stable else "" for m in found.mediators),
        direct=signed(found.rows[None, "direct"]["estimate"]),
        total=signed(found.rows[None, "total"]["estimate"]),
    )


def _paths(record: Record, speaker: Speaker, found: Found) -> tuple[Block, ...]:
    """Event studies of the mediators."""
    if not record.has("mediator_events"):
        return ()
    frame = record.tables["mediator_events"].filter((pl.col("outcome") == found.outcome) & (pl.col("method") == found.method))
    panels = [(m, frame.filter(pl.col("mediator") == m)) for m in found.mediators]
    shown = [(wrapped(speaker.name(m)), rows) for m, rows in panels if rows.height][:PANELS]
    if not shown:
        return ()
    names: dict[str, Value] = {"method": Name("method", str(frame["path_method"][0]))}
    chart = Chart(
        f"mediator-events-{found.outcome}",
        speaker.ui("title.mediator_events", **names),
        speaker.ui("subtitle.mediator_events") + tables.source_line(record, speaker),
        speaker.ui("alt.mediator_events", n=len(shown)),
        figures.event_panels(shown, speaker, unit=speaker.ui("axis.effect_mediator")),
        frame,
    )
    return (chart,)


def _doubts(record: Record, speaker: Speaker, each: Sequence[Found]) -> tuple[Block, ...]:
    """What would undo the shares: confounding of mediator and outcome, slopes that differ under treatment."""
    lead = each[0]
    key = f"confounded-{lead.outcome}"
    names: dict[str, Value] = {"outcome": Name("variable", lead.outcome)}
    frame = record.tables["mechanism_sensitivity"].filter((pl.col("outcome") == lead.outcome) & (pl.col("method") == lead.method))
    near = max(NEAR, *(abs(lead.checks[m]["rho_zero"] or 0.0) + 0.1 for m in lead.mediators))
    inside = frame.filter(pl.col("rho").abs() <= near + 1e-9)
    shown = [(wrapped(speaker.name(m)), inside.filter(pl.col("mediator") == m)) for m in lead.mediators][:PANELS]
    chart = Chart(
        key,
        speaker.ui("title.confounded", **names),
        speaker.ui("subtitle.confounded") + tables.source_line(record, speaker),
        speaker.paragraph(confounding(lead)),
        confounded(shown, speaker, unit=speaker.ui("axis.indirect", **names)),
        frame,
    )
    intro = say("mechanism.doubts", figure=Ref("figure", key), table=Ref("table", f"mechanism-checks-{lead.outcome}"))
    return (
        Heading(speaker.ui("heading.confounding")),
        Prose((intro, *confounding(lead), *_crossed(lead))),
        chart,
        check_table(record, speaker, each),
    )
