"""What is wrong with the options of ``spillover``, all at once: values, and what an estimator is not defined with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hinterland.errors import Finding, did_you_mean
from hinterland.evaluate.design import Design
from hinterland.evaluate.inference import Inference
from hinterland.evaluate.spillover_exposure import Neighbourhood

CHOICES: Mapping[str, tuple[str, ...]] = {
    "exposure": ("rings", "neighbours"),
    "estimator": ("two-stage", "twfe", "sdm"),
    "effect": ("channels", "event-study", "direct"),
    "on_treated": ("no", "apart", "same"),
    "likelihood": ("transformation", "direct"),
    "average": ("units", "treated"),
}


def option_findings(given: Mapping[str, str], rule: Neighbourhood, leads: object) -> list[Finding]:
    """Values that an option does not take, and neighbours that are not defined."""
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of spillover", did_you_mean(str(value), CHOICES[name]))
        for name, value in given.items()
        if value not in CHOICES[name]
    ]
    for name, whole in (("nearest", rule.nearest), ("leads", leads)):
        if isinstance(whole, bool) or not isinstance(whole, int | np.integer) or whole < 0:
            findings.append(Finding("not-whole", f"{name} is {whole!r}", f"option {name} of spillover", "give a whole number, 0 or more"))
    if rule.within_km is not None and not (isinstance(rule.within_km, int | float) and rule.within_km > 0):
        findings.append(
            Finding("bad-distance", f"within_km is {rule.within_km!r}", "option within_km of spillover", "give kilometres above 0")
        )
    if isinstance(rule.decay, bool) or not isinstance(rule.decay, int | float) or rule.decay < 0:
        findings.append(Finding("bad-decay", f"decay is {rule.decay!r}", "option decay of spillover", "give a power of 0 or more"))
    if given["exposure"] == "neighbours" and rule.table is None and rule.nearest == 0 and rule.within_km is None:
        findings.append(Finding("no-neighbours", "nearest is 0 and within_km is not given", "options of spillover", "give one of them"))
    if given["exposure"] == "rings" and rule.table is not None:
        findings.append(
            Finding("option-unused", "neighbours have no meaning with exposure='rings'", "option neighbours", "set exposure='neighbours'")
        )
    return findings


def misplaced(given: Mapping[str, str], design: Design, inference: Inference) -> list[Finding]:
    """What the estimator chosen is not defined with, though another is."""
    estimator = given["estimator"]
    if estimator == "sdm":
        rules = _durbin(given, design, inference)
    else:
        rules = _one_regression(given, design) if estimator == "twfe" else _two_stages(design, inference)
    where = f"method spillover, estimator={estimator!r}"
    return [Finding("not-defined", what, where, remedy) for asked, what, remedy in rules if asked]


Rule = tuple[bool, str, str]
"""Whether it is asked for, what is wrong with that, and what to do."""


def _one_regression(given: Mapping[str, str], design: Design) -> list[Rule]:
    remedy = "use estimator='two-stage'"
    return [
        (given["effect"] != "channels", f"one regression is not defined with effect={given['effect']!r}", remedy),
        (bool(design.anticipation), "one regression is not defined with anticipation", remedy),
    ]


def _two_stages(design: Design, inference: Inference) -> list[Rule]:
    vcov, lagged = inference.vcov, inference.vcov == "conley" and inference.lag is not None
    remedy = "choose vcov='cluster' or vcov='conley' without a lag, or estimator='twfe'"
    return [
        (len(design.clusters) > 1, "two stages are not defined with several clusterings", "cluster on one column"),
        (
            bool(design.fixed_effects),
            "two stages are not defined with extra fixed effects",
            "leave out fe=, or choose estimator='twfe'",
        ),
        (vcov not in ("cluster", "conley") or lagged, f"two stages are not defined with vcov={vcov!r}", remedy),
    ]


def _durbin(given: Mapping[str, str], design: Design, inference: Inference) -> list[Rule]:
    model, other = "the spatial Durbin model is not defined with", "choose estimator='two-stage' or 'twfe'"
    return [
        (given["exposure"] == "rings", f"{model} rings", "set exposure='neighbours'"),
        (given["effect"] != "channels", f"{model} effect={given['effect']!r}", "use estimator='two-stage'"),
        (
            given["on_treated"] != "same",
            f"{model} on_treated={given['on_treated']!r}: treated units receive what their neighbours do, too",
            f"leave on_treated out, or {other}",
        ),
        (bool(design.anticipation), f"{model} anticipation", "set anticipation=0, or use estimator='two-stage'"),
        (bool(design.fixed_effects), f"{model} extra fixed effects", "leave out fe=, or choose estimator='twfe'"),
        (design.weight is not None, f"{model} sampling weights", f"build the panel without a weight column, or {other}"),
        (not design.balanced, f"{model} gaps in the panel", f"leave out units with a gap ([panel.filter].complete), or {other}"),
        (len(design.clusters) > 1, f"{model} several clusterings", "cluster on one column, or choose estimator='twfe'"),
        (
            inference.vcov not in ("cluster", "iid"),
            f"{model} vcov={inference.vcov!r}",
            "choose vcov='cluster' or vcov='iid', or estimator='twfe'",
        ),
    ]


def unused(given: Mapping[str, str], design: Design, lag_covariates: object) -> list[Finding]:
    """Options that have no meaning with the estimator, or the data."""
    findings = [
        Finding(
            "option-unused", f"{name}={given[name]!r} has no meaning here", f"option {name} of spillover", "use it with estimator='sdm'"
        )
        for name in ("likelihood", "average")
        if given["estimator"] != "sdm" and given[name] != CHOICES[name][0]
    ]
    pooled = given["exposure"] == "neighbours" and given["estimator"] in ("twfe", "sdm")
    if lag_covariates and not (pooled and design.covariates.shape[1]):
        remedy = "use it with exposure='neighbours', estimator='twfe' or 'sdm', and covariates"
        findings.append(Finding("option-unused", "lag_covariates has no meaning here", "option lag_covariates of spillover", remedy))
    return findings
