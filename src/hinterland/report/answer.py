"""The answer on one outcome: the estimate and how it may be read, with the sensitivity result first where trends were not parallel."""

from __future__ import annotations

from dataclasses import replace

from hinterland.report import bounds, prose
from hinterland.report.digits import p_value
from hinterland.report.record import Fit, Record
from hinterland.report.sentences import Name, Sentence, say


def with_trends(record: Record, fit: Fit) -> Fit:
    """The fit with the pre-trend test that speaks for it: its own, or that of the first event study of its outcome and sample."""
    if fit.pretrend is not None:
        return fit
    dynamic = record.dynamic(fit.outcome, fit.sample)
    return replace(fit, pretrend=dynamic.pretrend) if dynamic is not None else fit


def _table(record: Record, fit: Fit) -> str:
    """The table with the intervals: that of the study's first outcome, or that of the further ones."""
    return "sensitivity" if fit.outcome == record.outcomes[0] else "outcomes-sensitivity"


def answer(record: Record, fit: Fit) -> tuple[Sentence, ...]:
    """The headline on its outcome, and two-way fixed effects beside it.

    Where the pre-trend test rejects, or other tests of the same leads do, and the record holds intervals that allow for it, they come
    first: the estimate under parallel trends follows, named as what it takes for granted. Otherwise the breakdown value follows the
    reading of an effect.
    """
    told = with_trends(record, fit)
    scale = record.scale(told.outcome, told.family)
    group = bounds.leading(record, told)
    beside = prose.beside(told, record.static(told.outcome, told.sample))
    if group is None or told.overall is None:
        return (*prose.headline(told, scale), *beside)
    verdict = prose.verdict(told.overall, told.pretrend)
    if told.pretrend is not None and (prose.trends_rejected(told.pretrend) or verdict == "mixed-trends"):
        names = {"method": Name("method", told.method), "outcome": Name("variable", told.outcome)}
        mixed = verdict == "mixed-trends"
        return (
            prose.mixed(told.pretrend) if mixed else say("lead.rejected", p=p_value(told.pretrend.p_value)),
            *bounds.bounded(group, scale),
            bounds.conclusion(group),
            say("lead.granted" if mixed else "lead.taken", **names),
            prose.magnitude(told.overall, scale),
            *beside,
        )
    told_of = verdict in ("supported", "untested")
    return (*prose.headline(told, scale), *((bounds.brief(group, _table(record, told)),) if told_of else ()), *beside)
