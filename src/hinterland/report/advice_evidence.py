"""How good the evidence for an effect is: checks that the record holds, each passed or not, and the grade that follows from them by a stated rule.

An effect is ``unproven`` where it cannot be told from zero by the p-value to rely on. It is ``weak`` where the pre-trend test rejects, where another
test of trends does and the effect does not survive deviations as large as those seen before adoption, or where :data:`SEVERAL` or more checks fail. It is ``strong`` where every check passes and those of :data:`CORE` were all made; else ``moderate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from hinterland.report import bounds, prose
from hinterland.report.advice_record import Grade, Source
from hinterland.report.answer import with_trends
from hinterland.report.digits import ALPHA
from hinterland.report.estimators import comparable, disagree_in_sign, fits_of
from hinterland.report.leave_out import decisive, groups
from hinterland.report.record import Fit, Record
from hinterland.report.small_sample import relied_on, rows_by_method

CHECKS = ("differs", "trends", "deviations", "placebo", "groups", "estimators", "choices")
CORE = ("differs", "trends", "deviations", "placebo")
"""Checks without which evidence is not called strong."""
SEVERAL = 3
"""Failed checks from which evidence is weak."""
MOST = 0.75
"""Share of the robustness rows that must keep the sign and differ from zero."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it is, whether it was passed, and the rows of the record that say so."""

    name: str
    passed: bool
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The checks of one effect and its grade."""

    fit: Fit
    checks: tuple[Check, ...]

    @property
    def grade(self) -> Grade:
        """By the rule above."""
        by = {c.name: c.passed for c in self.checks}
        failed = [name for name, passed in by.items() if not passed]
        if not by.get("differs", False):
            return "unproven"
        doubted = all(by.get(name) is False for name in ("trends", "deviations"))
        if prose.trends_rejected(self.fit.pretrend) or doubted or len(failed) >= SEVERAL:
            return "weak"
        return "strong" if not failed and all(name in by for name in CORE) else "moderate"

    @property
    def failed(self) -> tuple[str, ...]:
        """Checks that were not passed."""
        return tuple(c.name for c in self.checks if not c.passed)

    @property
    def absent(self) -> tuple[str, ...]:
        """Checks that the record does not hold."""
        made = {c.name for c in self.checks}
        return tuple(name for name in CHECKS if name not in made)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything that the grade rests on."""
        found = {(s.table, repr(sorted(s.where.items()))): s for c in self.checks for s in c.sources}
        return tuple(found.values())


def evidence(record: Record, outcome: str) -> Evidence | None:
    """The evidence for the headline's average effect on ``outcome``; ``None`` where the record has none."""
    head = record.headline(outcome)
    if head is None or head.overall is None or not math.isfinite(head.overall.p_value):
        return None
    told = with_trends(record, head)
    makers = (_differs, _trends, _deviations, _placebo, _groups, _estimators, _choices)
    return Evidence(told, tuple(c for make in makers for c in make(record, told)))


def effect_source(fit: Fit) -> Source:
    """The row of the fit's average effect."""
    return Source("effects", {"effects_id": fit.facts["effects_id"]})


def relied_p(record: Record, fit: Fit) -> tuple[float, tuple[Source, ...]]:
    """The p-value to rely on: of the procedure that the clusters call for, else that of the standard error; and where it stands."""
    p = fit.overall.p_value if fit.overall is not None else math.nan
    rows = rows_by_method(record, fit.outcome).get(fit.method, ())
    chosen = relied_on(rows) if rows and fit.sample == "all" else None
    if chosen is None:
        return p, (effect_source(fit),)
    where = {"outcome": fit.outcome, "method": fit.method, "procedure": chosen["procedure"]}
    return float(chosen["p_value"]), (effect_source(fit), Source("small_sample", where))


def _differs(record: Record, fit: Fit) -> Iterator[Check]:
    p, sources = relied_p(record, fit)
    yield Check("differs", p < ALPHA, sources)


def _trends(record: Record, fit: Fit) -> Iterator[Check]:
    test = fit.pretrend
    if test is None or not math.isfinite(test.p_value):
        return
    dynamic = record.dynamic(fit.outcome, fit.sample)
    own = Source("pretrends", {"outcome": fit.outcome, "method": fit.method})
    where = own if dynamic is None or own.rows(record).height else Source("pretrends", {"outcome": fit.outcome, "method": dynamic.method})
    yield Check("trends", test.p_value >= ALPHA and not test.rivals, (where,))


def _deviations(record: Record, fit: Fit) -> Iterator[Check]:
    group = bounds.leading(record, fit)
    if group is None:
        return
    where = {"outcome": fit.outcome, "method": group.method, "kind": group.kind, "estimand": group.estimand}
    yield Check("deviations", group.breakdown >= bounds.AS_SEEN, (Source("sensitivity", where),))


def _placebo(record: Record, fit: Fit) -> Iterator[Check]:
    where = {"outcome": fit.outcome, "method": fit.method, "kind": "space", "sample": "all"}
    rows = Source("placebo", where).rows(record)
    known = rows["p_exact"].drop_nulls().to_list() if rows.height else []
    if known:
        yield Check("placebo", float(known[0]) < ALPHA, (Source("placebo", where),))


def _groups(record: Record, fit: Fit) -> Iterator[Check]:
    found = groups(record, fit.outcome)
    if not found:
        return
    carried = any(names for g in found for kind, names in decisive(g).items() if kind != "gained")
    yield Check("groups", not carried, tuple(Source("leave_out", {"outcome": g.outcome, "method": g.method, "by": g.by}) for g in found))


def _estimators(record: Record, fit: Fit) -> Iterator[Check]:
    fits = comparable(record, fits_of(record, fit.outcome) or [fit])
    if len(fits) < 2:  # with one there is nothing to compare
        return
    static = record.static(fit.outcome)
    kind = "" if static is None or static.overall is None or fit.overall is None else prose.agreement(fit.overall, static.overall)
    yield Check("estimators", not disagree_in_sign(fits) and kind != "sign", tuple(effect_source(f) for f in fits))


def _choices(record: Record, fit: Fit) -> Iterator[Check]:
    rows = [
        f
        for f in record.chosen(outcome=fit.outcome, roles=("robustness",), sample=None)
        if f.overall is not None and f.method == fit.method
    ]
    if not rows or fit.overall is None:
        return
    kept = [f for f in rows if f.overall is not None and f.overall.estimate * fit.overall.estimate > 0 and prose.significant(f.overall)]
    yield Check("choices", len(kept) >= MOST * len(rows), tuple(effect_source(f) for f in rows))


def table(found: dict[str, Evidence]) -> pl.DataFrame:
    """Checks by outcome: ``check``, then a column per outcome with true, false or null."""
    columns = {o: [{c.name: c.passed for c in e.checks}.get(name) for name in CHECKS] for o, e in found.items()}
    return pl.DataFrame({"check": list(CHECKS), **columns})
