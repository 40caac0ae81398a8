"""Inference with few clusters: the same estimates under other procedures, and the sentence which of them to rely on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import polars as pl

from hinterland.evaluate.recommend import FEW_EFFECTIVE, FEW_TREATED
from hinterland.report import tables, uncertainty
from hinterland.report.blocks import Block, Heading, Prose
from hinterland.report.digits import ALPHA, MISSING, count, decimals_for, number, p_cell, p_value
from hinterland.report.record import Estimate, Fit, Record
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Speaker, Value, say
from hinterland.report.table import Heading as Column
from hinterland.report.table import Row, Table

Situation = Literal["few-treated", "few-clusters", "enough"]
Rows = Sequence[Mapping[str, Any]]

_FOR_FEW = ("randomisation", "randomisation-inference", "ferman-pinto", "conley-taber", "ibragimov-muller", "sign-changes")
_BOOTSTRAP = ("wild-cluster-bootstrap", "score-bootstrap")


def small_sample(record: Record, speaker: Speaker, outcome: str) -> tuple[Block, ...]:
    """Table and words for ``outcome``; nothing where the record has no table ``small_sample``."""
    groups = rows_by_method(record, outcome)
    if not groups:
        return ()
    said = [sentences(method, rows, usual(record, outcome, method)) for method, rows in groups.items()]
    intro = Prose((say("small.intro", table=Ref("table", "small-sample")),))
    return Heading(speaker.ui("heading.small_sample")), intro, *map(Prose, said), table(record, speaker, outcome, groups)


def rows_by_method(record: Record, outcome: str) -> dict[str, Rows]:
    """Rows of table ``small_sample`` on ``outcome`` by estimator, the headline first."""
    if not record.has("small_sample"):
        return {}
    frame = record.tables["small_sample"].filter(pl.col("outcome") == outcome)
    head = record.headline(outcome)
    methods = sorted(dict.fromkeys(frame["method"]), key=lambda m: head is None or m != head.method)
    return {m: frame.filter(pl.col("method") == m).to_dicts() for m in methods}


def usual(record: Record, outcome: str, method: str) -> Fit | None:
    """The fit whose estimate these rows are about."""
    fits = record.chosen(outcome=outcome, roles=("headline", "baseline", "alternative"))
    return next((f for f in fits if f.method == method and f.overall is not None), None)


def situation(rows: Rows) -> Situation:
    """What the clusters allow, by the same thresholds as the recommendations."""
    treated, clusters, effective = (_fact(rows, c) for c in ("n_treated_clusters", "n_clusters", "effective_clusters"))
    if treated <= FEW_TREATED:
        return "few-treated"
    return "few-clusters" if min(clusters, effective) < FEW_EFFECTIVE else "enough"


def relied_on(rows: Rows) -> Mapping[str, Any] | None:
    """The row to rely on, by the situation; ``None`` where that is the usual standard error, or no row fits."""
    kind = situation(rows)
    wanted = _FOR_FEW if kind == "few-treated" else _BOOTSTRAP if kind == "few-clusters" else ()
    return next((r for name in wanted for r in rows if r["procedure"] == name and r["p_value"] is not None), None)


def sentences(method: str, rows: Rows, fit: Fit | None) -> tuple[Sentence, ...]:
    """How many clusters there are, which p-value to rely on and why, and whether the conclusion at 5 % depends on it."""
    overall = fit.overall if fit is not None else None
    facts: dict[str, Value] = {c: count(_fact(rows, f"n_{c}")) for c in ("clusters",)}
    effective, treated = _fact(rows, "effective_clusters"), _fact(rows, "n_treated_clusters")
    facts |= {"method": Name("method_short", method), "treated": count(treated), "effective": number(effective, 1)}
    said = [Sentence("small.facts_effective" if math.isfinite(effective) else "small.facts", facts)]
    kind, chosen = situation(rows), relied_on(rows)
    if kind == "enough":
        return (*said, *_checks(rows, overall))
    if chosen is None:
        return (*said, *_absent(kind, rows))
    names: dict[str, Value] = {"procedure": Name("procedure", chosen["procedure"]), "p": p_value(chosen["p_value"])}
    said.append(Sentence("small.rely_few" if kind == "few-treated" else "small.rely_wild", names))
    if overall is not None and math.isfinite(overall.p_value):
        same = (overall.p_value < ALPHA) == (chosen["p_value"] < ALPHA)
        said.append(say("small.same" if same else "small.differs", p=p_value(overall.p_value)))
    return tuple(said)


def _checks(rows: Rows, overall: Estimate | None) -> tuple[Sentence, ...]:
    if overall is None or not math.isfinite(overall.p_value):
        return ()
    other = [r for r in rows if r["p_value"] is not None and (r["p_value"] < ALPHA) != (overall.p_value < ALPHA)]
    named = Listed(tuple(Name("procedure", r["procedure"]) for r in other))
    last = say("small.checks_differ", procedures=named) if other else say("small.checks")
    return (say("small.rely_usual", p=p_value(overall.p_value)), last)


def _absent(kind: Situation, rows: Rows) -> tuple[Sentence, ...]:
    told = [r for r in rows if r["p_value"] is not None]
    if kind == "few-treated":
        return (say("small.absent_few"),)
    if not told:
        return ()
    cautious = max(told, key=lambda r: float(r["p_value"]))
    return (say("small.absent_wild", procedure=Name("procedure", cautious["procedure"]), p=p_value(cautious["p_value"])),)


def conflict(record: Record, outcome: str) -> tuple[str, float, float] | None:
    """Procedure to rely on, its p-value and that of the headline's standard error, where they differ at 5 %."""
    groups, head = rows_by_method(record, outcome), record.headline(outcome)
    if head is None or head.overall is None or head.method not in groups or not math.isfinite(head.overall.p_value):
        return None
    chosen = relied_on(groups[head.method])
    if chosen is None or (chosen["p_value"] < ALPHA) == (head.overall.p_value < ALPHA):
        return None
    return str(chosen["procedure"]), float(chosen["p_value"]), head.overall.p_value


def _fact(rows: Rows, name: str) -> float:
    """A count that all rows share; infinite where the record has none."""
    found = [float(r[name]) for r in rows if r.get(name) is not None]
    return min(found) if found else math.inf


def table(record: Record, speaker: Speaker, outcome: str, groups: Mapping[str, Rows]) -> Table:
    """One row per procedure: statistic, p-value, interval, draws; a panel per estimator, which starts with the usual standard error."""
    body: list[Row] = []
    for method, rows in groups.items():
        fit = usual(record, outcome, method)
        errors = [fit.overall.std_error] if fit is not None and fit.overall is not None else []
        decimals = decimals_for(errors)
        body.append(Row((speaker.name(method, "method"),), "head"))
        if fit is not None and fit.overall is not None:
            e = fit.overall
            name = speaker.ui("row.clustered", errors=uncertainty.phrase(speaker, fit.facts))
            body.append(
                Row((name, number(e.estimate, decimals), number(e.statistic, 2), p_cell(e.p_value), tables.interval(e, decimals), ""))
            )
        body += [_row(speaker, r, decimals) for r in rows]
    headings = (
        Column(speaker.ui("col.procedure"), "left"),
        *(Column(speaker.ui(f"col.{c}")) for c in ("estimate", "statistic", "p", "interval", "draws")),
    )
    title = speaker.ui("title.small_sample", outcome=Name("variable", outcome))
    notes = (speaker.ui("note.small_sample"),)
    return Table("small-sample", title, headings, tuple(body), tables.source_line(record, speaker), notes)


def _row(speaker: Speaker, row: Mapping[str, Any], decimals: int) -> Row:
    low, high = row["conf_low"], row["conf_high"]
    interval = (
        MISSING if low is None and high is None else f"[{_end(speaker, low, 'low', decimals)}, {_end(speaker, high, 'high', decimals)}]"
    )
    draws = "" if row["draws"] is None else count(row["draws"])
    draws = speaker.ui("row.all_draws", n=draws) if draws and row["enumerated"] else draws
    name = speaker.name(str(row["procedure"]), "procedure")
    return Row((name, number(row["estimate"], decimals), number(row["statistic"], 2), p_cell(row["p_value"]), interval, draws))


def _end(speaker: Speaker, value: float | None, side: str, decimals: int) -> str:
    return speaker.ui(f"row.open_{side}") if value is None or math.isinf(value) else number(value, decimals)
