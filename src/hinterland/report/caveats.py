"""Caveats: what a careful reader would object, each one triggered by a number of the record."""

from __future__ import annotations

import math

import polars as pl

from hinterland.report import bounds, displacement_channels
from hinterland.report.cohorts import cohort_effects
from hinterland.report.cohorts import sentences as cohort_sentences
from hinterland.report.digits import count, number, p_value, percent, share, signed
from hinterland.report.estimators import comparable, disagree_in_sign, fits_of
from hinterland.report.leave_out import decisive, groups, several
from hinterland.report.prose import FEW_TREATED, LARGE, MATERIAL_FORBIDDEN, agreement, forbidden_share, significant, trends_rejected
from hinterland.report.record import Fit, Record
from hinterland.report.sensitivity import misses_the_estimate
from hinterland.report.sentences import Both, Listed, Name, Ref, Sentence, Value, say
from hinterland.report.small_sample import conflict

TRANSFER_ZONES = "industrial-transfer-zones"
"""The register of a policy that moves firms, so that one city's gain may be another's loss."""

FEW_CLUSTERS = 30
"""Clusters below which cluster-robust standard errors are called into question (Cameron & Miller 2015)."""


def caveats(record: Record, outcome: str) -> tuple[Sentence, ...]:
    """All caveats on the results for ``outcome``, the gravest first."""
    head = record.headline(outcome)
    if head is None:
        return ()
    found = [
        *_simulated(record),
        *_trends(record, head),
        *_power(record, outcome),
        *_size(record, head),
        *_estimators(record, head),
        *_inference(record, outcome),
        *_single_groups(record, outcome),
        *_cohorts(record, head),
        *_weights(record, outcome),
        *_few(head),
        *_scale(record, outcome, head),
        *_coverage(record),
        _spillover(record, outcome),
    ]
    return tuple(found)


def _simulated(record: Record) -> tuple[Sentence, ...]:
    return (say("caveat.simulated"),) if record.simulated else ()


def _trends(record: Record, head: Fit) -> tuple[Sentence, ...]:
    fit = record.dynamic(head.outcome)
    test = fit.pretrend if fit is not None else None
    if test is None or not math.isfinite(test.p_value):
        return (say("caveat.trends_untested"),)
    values: dict[str, Value] = {"p": p_value(test.p_value), "n": count(test.n_leads)}
    group = bounds.leading(record, head)
    if trends_rejected(test):
        return (Sentence("caveat.trends_rejected", values),)
    if group is None:
        return (Sentence("caveat.trends_power", values),)
    if math.isfinite(group.breakdown):
        return (Sentence("caveat.trends_bounded", {**values, "breakdown": number(group.breakdown, 2)}),)
    return (Sentence("caveat.trends_bounded_never" if math.isnan(group.breakdown) else "caveat.trends_bounded_beyond", values),)


def _power(record: Record, outcome: str) -> tuple[Sentence, ...]:
    return (say("caveat.power_over"),) if misses_the_estimate(record, outcome) else ()


def _inference(record: Record, outcome: str) -> tuple[Sentence, ...]:
    found = conflict(record, outcome)
    if found is None:
        return ()
    procedure, p, usual = found
    return (say("caveat.small_differs", procedure=Name("procedure", procedure), p=p_value(p), p_usual=p_value(usual)),)


def _single_groups(record: Record, outcome: str) -> tuple[Sentence, ...]:
    names = [n for found in groups(record, outcome) for kind, ns in decisive(found).items() if kind != "gained" for n in ns]
    return (say("caveat.leave_out_decides", groups=several(record, names)),) if names else ()


def _spillover(record: Record, outcome: str) -> Sentence:
    key = "displacement" if record.study("policy", "register") == TRANSFER_ZONES else "spillover"
    if record.has("displacement") and (record.tables["displacement"]["outcome"] == outcome).any():
        every = displacement_channels.told(record, outcome)
        if every:
            named = Listed(tuple(displacement_channels.who(record, c) for c in every if c != displacement_channels.ALL))
            return say(f"caveat.{key}_channels", who=named, table=Ref("table", "displacement"))
        return say(f"caveat.{key}_estimated", table=Ref("table", "displacement"))
    return say(f"caveat.{key}")


def _size(record: Record, head: Fit) -> tuple[Sentence, ...]:
    scale = record.scale(head.outcome, head.family)
    if head.overall is None or scale == "level" or abs(head.overall.estimate) < LARGE or not significant(head.overall):
        return ()
    return (say("caveat.large", percent=percent(head.overall.estimate)),)


def _estimators(record: Record, head: Fit) -> tuple[Sentence, ...]:
    signs = (say("caveat.methods_signs"),) if disagree_in_sign(comparable(record, fits_of(record, head.outcome) or [head])) else ()
    static = record.static(head.outcome)
    if static is None or static.overall is None or head.overall is None or head.method == "twfe":
        return signs
    kind = agreement(head.overall, static.overall)
    if kind not in ("sign", "size", "significance"):
        return signs
    return (
        *signs,
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
