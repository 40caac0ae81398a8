"""What the estimates say, in sentences that follow from the numbers and from nothing else.

Every function here is pure: estimates in, :class:`Sentence` tuples out. The wording rules, in one place:

* an effect is called an effect only when the joint pre-trend test does not reject at :data:`~.digits.ALPHA`;
* a test that does not reject is never called proof, and where the usual test or another estimator's test does reject, the text says so first;
* an estimate that cannot be told from zero is given with the effects its interval still admits;
* two-way fixed effects stand beside the robust estimator, and a disagreement in sign or size is said first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import polars as pl

from hinterland.labels import catalogue
from hinterland.report import uncertainty
from hinterland.report.digits import ALPHA, count, number, p_value, percent, share, signed
from hinterland.report.record import Estimate, Fit, Pretrend, Scale
from hinterland.report.sentences import Listed, Name, Ref, Sentence, Value, own_key, say

Verdict = Literal["supported", "mixed-trends", "rejected-trends", "untested", "inconclusive", "no-inference"]
Agreement = Literal["agree", "both-near-zero", "sign", "size", "significance"]

MATERIAL_FORBIDDEN = 0.10
"""Weight of comparisons with already-treated units from which the text warns of it."""

FEW_TREATED = 10
"""Treated units below which a normal approximation for the treated group is not trusted (Ferman & Pinto 2019)."""

LARGE = math.log(1.5)
"""Average effect, in log points, from which the text asks what else could be behind it."""

FORBIDDEN = frozenset({"later-vs-earlier", "treated-vs-always"})
"""Types of 2×2 comparison whose control group is already treated."""


def significant(estimate: Estimate | None) -> bool:
    """Whether the estimate differs from zero at :data:`ALPHA`."""
    return estimate is not None and estimate.p_value < ALPHA


def trends_rejected(test: Pretrend | None) -> bool:
    """Whether parallel pre-adoption paths are rejected at :data:`ALPHA`."""
    return test is not None and test.p_value < ALPHA


def verdict(estimate: Estimate, test: Pretrend | None) -> Verdict:
    """How an estimate may be read."""
    if trends_rejected(test):
        return "rejected-trends"
    if not math.isfinite(estimate.p_value):
        return "no-inference"
    if not significant(estimate):
        return "inconclusive"
    if test is not None and test.rivals:
        return "mixed-trends"
    return "supported" if test is not None and math.isfinite(test.p_value) else "untested"


def agreement(robust: Estimate, static: Estimate) -> Agreement:
    """Whether two-way fixed effects tell the same story as the robust estimator.

    ``sign``: opposite signs, at least one of them significant; ``size``: the static estimate lies outside the robust interval;
    ``significance``: only one of them differs from zero.
    """
    if not significant(robust) and not significant(static):
        return "both-near-zero"
    if robust.estimate * static.estimate < 0:
        return "sign"
    if not robust.conf_low <= static.estimate <= robust.conf_high:
        return "size"
    return "agree" if significant(robust) == significant(static) else "significance"


def magnitude(estimate: Estimate, scale: Scale) -> Sentence:
    """Estimate, standard error, interval and p-value, on the scale of the outcome and in per cent where that has a meaning."""
    values = {
        "estimate": signed(estimate.estimate),
        "std_error": number(estimate.std_error),
        "low": number(estimate.conf_low),
        "high": number(estimate.conf_high),
        "p": p_value(estimate.p_value),
        "percent": percent(estimate.estimate),
        "percent_low": percent(estimate.conf_low),
        "percent_high": percent(estimate.conf_high),
    }
    return Sentence(f"magnitude.{scale}", values)


def headline(fit: Fit, scale: Scale) -> tuple[Sentence, ...]:
    """The headline estimate and how it may be read."""
    if fit.overall is None:
        return (say("headline.none"),)
    intro = say("headline.intro", method=Name("method", fit.method), outcome=Name("variable", fit.outcome))
    return (intro, magnitude(fit.overall, scale), *reading(fit, scale))


def reading(fit: Fit, scale: Scale) -> tuple[Sentence, ...]:
    """The sentence that says what the estimate may be called."""
    if fit.overall is None:
        return ()
    kind = verdict(fit.overall, fit.pretrend)
    low, high = fit.overall.conf_low, fit.overall.conf_high
    as_percent = scale != "level"
    return (
        say(
            f"reading.{kind}" + ("_percent" if kind == "inconclusive" and as_percent else ""),
            low=percent(low) if as_percent else signed(low),
            high=percent(high) if as_percent else signed(high),
            p=p_value(fit.overall.p_value),
            p_trend=p_value(fit.pretrend.p_value) if fit.pretrend else "",
            **_rivals(fit.pretrend),
        ),
    )


def mixed(test: Pretrend) -> Sentence:
    """That tests of the same leads disagree, said first."""
    return say("lead.mixed", p_trend=p_value(test.p_value), **_rivals(test))


def _rivals(test: Pretrend | None) -> dict[str, Value]:
    found = test.rivals if test is not None else ()
    return {"rivals": rivals(test), "k": count(len({m for m, _, _ in found})), "n": count(test.n_tested if test is not None else 0)}


def rivals(test: Pretrend | None, most: int = 3) -> Value:
    """The tests of the same outcome that do reject, with their p-values: up to ``most``, the smallest first."""
    found = sorted(test.rivals if test is not None else (), key=lambda r: r[1])
    told = [
        say(f"rival.{'usual' if usual else 'corrected'}", method=Name("method", method), p=p_value(p)) for method, p, usual in found[:most]
    ]
    rest = len(found) - most
    return Listed((*told, say("rival.more", n=count(rest))) if rest > 0 else tuple(told))


def design_facts(fit: Fit) -> tuple[Sentence, ...]:
    """Estimand, comparison group, sample, clusters, weights: what a reader needs to know to reproduce the number."""
    f = fit.facts
    parts = [
        say(f"estimand.{_estimand(fit)}"),
        say(f"comparison.{f['comparison']}") if f.get("comparison") else None,
        say(
            "sample",
            n_obs=count(f.get("n_obs")),
            n_units=count(f.get("n_units")),
            n_treated=count(f.get("n_treated")),
            n_periods=count(f.get("n_periods")),
            first=str(f.get("first_period")),
            last=str(f.get("last_period")),
        ),
        uncertainty.sentence(f),
        say("covariates.some", covariates=Listed(tuple(Name("variable", v) for v in _covariates(f.get("covariates")))))
        if fit.has_covariates
        else say("covariates.none"),
        say("weights.some", weight=Name("variable", str(f["weights"]))) if f.get("weights") else say("weights.none"),
        say("anticipation", n=count(f["anticipation"])) if f.get("anticipation") else None,
    ]
    return tuple(p for p in parts if p is not None)


def _estimand(fit: Fit) -> str:
    """Which sentence says what is estimated."""
    if fit.method == "twfe":
        return "static-dose" if str(fit.facts.get("estimand") or "").startswith("twfe-dose") else "static"
    key = own_key("sentence.estimand", fit.method, fit.facts.get("estimand"))
    return "poisson" if fit.method == "ppml" else key if f"sentence.estimand.{key}" in catalogue("en") else "att"


def _covariates(text: object) -> list[str]:
    return [v.strip() for v in str(text or "").replace("~", "").replace("+", ",").split(",") if v.strip() and v.strip() != "1"]


def beside(robust: Fit, static: Fit | None) -> tuple[Sentence, ...]:
    """Two-way fixed effects beside the robust estimator."""
    if static is None or static.overall is None or robust.overall is None or robust.method == "twfe":
        return ()
    kind = agreement(robust.overall, static.overall)
    return (
        say(
            f"beside.{kind}",
            static=signed(static.overall.estimate),
            static_se=number(static.overall.std_error),
            static_p=p_value(static.overall.p_value),
            robust=signed(robust.overall.estimate),
            method=Name("method", robust.method),
        ),
    )


def pretrends(fit: Fit) -> tuple[Sentence, ...]:
    """The joint pre-trend test in words, and what follows from it."""
    test = fit.pretrend
    if test is None or not math.isfinite(test.p_value):
        return (say("pretrend.none"),)
    statistic = {
        "statistic": number(test.statistic, 2),
        "df1": count(test.df1),
        "df2": count(test.df2),
        "p": p_value(test.p_value),
        "n": count(test.n_leads),
    }
    return (
        Sentence(f"pretrend.{'f' if test.distribution == 'F' else 'chi2'}", statistic),
        *((say("pretrend.left_out", out=count(test.n_thin), few=count(FEW_TREATED)),) if test.n_thin else ()),
        say("pretrend.rejected" if trends_rejected(test) else "pretrend.not_rejected"),
        *((say("pretrend.rivals", **_rivals(test)),) if test.rivals and not trends_rejected(test) else ()),
    )


def path(fit: Fit) -> tuple[Sentence, ...]:
    """What the event-study path looks like after adoption, and which leads stand out."""
    if fit.events is None:
        return ()
    shown = fit.events.filter(~pl.col("reference") & pl.col("std_error").is_not_null())
    after, leads = shown.filter(pl.col("event_time") >= 0), shown.filter(pl.col("event_time") < 0)
    said: list[Sentence] = []
    if leads.height and not fit.events["reference"].any():
        said.append(say("path.varying"))
    if after.height:
        last = after.row(-1, named=True)
        clear = after.filter((pl.col("conf_low") > 0) | (pl.col("conf_high") < 0)).height
        said.append(
            say(
                "path.after",
                n=count(after.height),
                clear=count(clear),
                first=signed(after["estimate"][0]),
                last=signed(last["estimate"]),
                horizon=str(last["event_time"]),
                treated=_treated(last),
            )
        )
    banded = leads.filter(pl.col("band_low").is_not_null() & ((pl.col("band_low") > 0) | (pl.col("band_high") < 0)))
    if banded.height:
        said.append(say("path.leads_outside", leads=Listed(tuple(number(e, 0) for e in banded["event_time"]))))
    if after.height and after["n_treated"].null_count() == 0 and after["n_treated"][-1] < after["n_treated"][0]:
        said.append(say("path.thinning", first=count(after["n_treated"][0]), last=count(after["n_treated"][-1])))
    return tuple(said)


def _treated(row: dict[str, object]) -> str:
    return count(row.get("n_treated"))


def forbidden_share(summary: pl.DataFrame) -> float:
    """Weight of the comparisons that use already-treated units as controls (Goodman-Bacon 2021); NaN without a decomposition."""
    if not summary.height:
        return math.nan
    return float(summary.filter(pl.col("type").is_in(FORBIDDEN))["weight"].sum())


def decomposition(summary: pl.DataFrame) -> tuple[Sentence, ...]:
    """What the two-way fixed-effects estimate is an average of."""
    total = forbidden_share(summary)
    level = "none" if total < 1e-12 else "small" if total < MATERIAL_FORBIDDEN else "material"
    largest = summary.sort("weight", descending=True).row(0, named=True)
    lead = say(
        "bacon.largest", type=Name("bacon_type", largest["type"]), share=share(largest["weight"]), average=signed(largest["average"])
    )
    return (lead, say(f"bacon.{level}", share=share(total)))


def placebo_space(row: dict[str, object], overall: Estimate | None) -> tuple[Sentence, ...]:
    """Permuted adoption: the exact p-value, and what it adds to the clustered one."""
    exact = row["p_exact"]
    p = float(exact) if isinstance(exact, int | float) else math.nan
    rare = p < ALPHA
    values: dict[str, Value] = {
        "estimate": signed(row["estimate"]),
        "draws": count(row["draws"]),
        "sd": number(row["sd_draws"]),
        "p": p_value(p),
        "method": Name("method", str(row["method"])),
    }
    said = [Sentence("placebo.space", values), say("placebo.rare" if rare else "placebo.common", figure=Ref("figure", "placebo"))]
    if overall is not None and math.isfinite(overall.p_value) and significant(overall) != rare:
        said.append(say("placebo.differs", p=p_value(p), p_cluster=p_value(overall.p_value)))
    return tuple(said)


def placebo_time(rows: Sequence[dict[str, object]]) -> tuple[Sentence, ...]:
    """Adoption moved to earlier periods in which nothing happened."""
    found = [r for r in rows if isinstance(r["p_value"], float) and r["p_value"] < ALPHA]
    shifts = Listed(tuple(dict.fromkeys(count(r["shift"]) for r in rows)))
    if not found:
        return (say("placebo.time_quiet", shifts=shifts),)
    worst = min(found, key=lambda r: float(str(r["p_value"])))
    return (
        say(
            "placebo.time_found",
            shifts=shifts,
            shift=count(worst["shift"]),
            estimate=signed(worst["estimate"]),
            p=p_value(worst["p_value"]),
        ),
    )
