"""Caveats: what a careful reader would object, each one triggered by a number of the record."""

from __future__ import annotations

import math

import polars as pl

from hinterland.report.cohorts import cohort_effects
from hinterland.report.cohorts import sentences as cohort_sentences
from hinterland.report.digits import count, p_value, percent, share, signed
from hinterland.report.prose import FEW_TREATED, LARGE, MATERIAL_FORBIDDEN, agreement, forbidden_share, significant, trends_rejected
from hinterland.report.record import Fit, Record
from hinterland.report.sentences import Both, Listed, Name, Sentence, say

TRANSFER_ZONES = "industrial-transfer-zones"
"""The register of a policy that moves firms, so that one city's gain may be another's loss."""

FEW_CLUSTERS = 30
"""Clusters below which cluster-robust standard errors are called into question (Cameron & Miller 2015)."""


def caveats(record: Record, outcome: str) -> tuple[Sentence, ...]:
    """All caveats on the results for ``outcome``, the gravest first."""
    head = record.headline(outcome)
    if head is None:
        return ()
    dynamic = dynamic_fit(record, outcome)
    found = [
        *_simulated(record),
        *_trends(dynamic),
        *_size(record, head),
        *_estimators(record, head),
        *_cohorts(record, head),
        *_weights(record, outcome),
        *_few(head),
        *_scale(record, outcome, head),
        *_coverage(record),
        say("caveat.displacement" if record.study("policy", "register") == TRANSFER_ZONES else "caveat.spillover"),
    ]
    return tuple(found)


def dynamic_fit(record: Record, outcome: str, sample: str = "all") -> Fit | None:
    """The fit whose event study and pre-trend test speak for ``outcome``: the headline if it has one, else the first that has."""
    head = record.headline(outcome, sample)
    fits = [
        f
        for f in ((head,) if head else ()) + tuple(record.fits)
        if f.outcome == outcome and f.sample == sample and f.role != "robustness" and f.events is not None
    ]
    return fits[0] if fits else None


def _simulated(record: Record) -> tuple[Sentence, ...]:
    return (say("caveat.simulated"),) if record.simulated else ()


def _trends(fit: Fit | None) -> tuple[Sentence, ...]:
    test = fit.pretrend if fit is not None else None
    if test is None or not math.isfinite(test.p_value):
        return (say("caveat.trends_untested"),)
    key = "caveat.trends_rejected" if trends_rejected(test) else "caveat.trends_power"
    return (say(key, p=p_value(test.p_value), n=count(test.n_leads)),)


def _size(record: Record, head: Fit) -> tuple[Sentence, ...]:
    scale = record.scale(head.outcome, head.family)
    if head.overall is None or scale == "level" or abs(head.overall.estimate) < LARGE or not significant(head.overall):
        return ()
    return (say("caveat.large", percent=percent(head.overall.estimate)),)


def _estimators(record: Record, head: Fit) -> tuple[Sentence, ...]:
    static = record.static(head.outcome)
    if static is None or static.overall is None or head.overall is None or head.method == "twfe":
        return ()
    kind = agreement(head.overall, static.overall)
    if kind not in ("sign", "size", "significance"):
        return ()
    return (
        say(
            f"caveat.estimators_{kind}",
            static=signed(static.overall.estimate),
            robust=signed(head.overall.estimate),
            method=Name("method", head.method),
        ),
    )


def _cohorts(record: Record, head: Fit) -> tuple[Sentence, ...]:
    frame = cohort_effects(record, head)
    return tuple(s for s in cohort_sentences(frame) if s.key == "cohorts.some") if frame.height > 1 else ()


def _weights(record: Record, outcome: str) -> tuple[Sentence, ...]:
    if not record.has("bacon_summary"):
        return ()
    total = forbidden_share(record.tables["bacon_summary"].filter(pl.col("outcome") == outcome))
    return (say("caveat.forbidden", share=share(total)),) if total >= MATERIAL_FORBIDDEN else ()


def _few(head: Fit) -> tuple[Sentence, ...]:
    treated, clusters = head.facts.get("n_treated"), head.facts.get("n_clusters")
    found = []
    if isinstance(treated, int) and treated < FEW_TREATED:
        found.append(say("caveat.few_treated", n=count(treated)))
    if isinstance(clusters, int) and clusters < FEW_CLUSTERS:
        found.append(say("caveat.few_clusters", n=count(clusters)))
    return tuple(found)


def _scale(record: Record, outcome: str, head: Fit) -> tuple[Sentence, ...]:
    if record.scale(outcome, head.family) != "log1p":
        return ()
    counts = [f for f in record.chosen(roles=("headline", "baseline", "alternative")) if f.family == "poisson" and f.overall is not None]
    if not counts or counts[0].overall is None or head.overall is None:
        return (say("caveat.log1p"),)
    poisson = counts[0].overall
    if poisson.estimate * head.overall.estimate < 0:
        kind = "opposite"
    else:
        both = {significant(poisson), significant(head.overall)}
        kind = "weaker" if len(both) == 2 else "same" if both == {True} else "null"
    return (say("caveat.log1p"), say(f"caveat.log1p_{kind}", poisson=signed(poisson.estimate), p=p_value(poisson.p_value)))


def _coverage(record: Record) -> tuple[Sentence, ...]:
    if not record.has("policy_cities"):
        return ()
    cities = record.tables["policy_cities"]
    outside, excluded = (cities.filter(pl.col("status") == s).height for s in ("not-in-panel", "excluded"))
    found = []
    if outside:
        names = cities.filter(pl.col("status") == "not-in-panel")
        found.append(say("caveat.not_in_panel", n=count(outside), names=city_names(names)))
    if excluded:
        found.append(say("caveat.excluded", n=count(excluded)))
    return tuple(found)


def city_names(cities: pl.DataFrame, most: int = 12) -> Listed:
    """The names of up to ``most`` cities, as values that are said in the language of the report."""
    shown = [Both(en or zh, zh or en) for zh, en in cities.select("name_zh", "name_en").head(most).iter_rows()]
    rest = cities.height - len(shown)
    return Listed((*shown, Both(f"{rest} more", f"另外 {rest} 个")) if rest > 0 else tuple(shown))
