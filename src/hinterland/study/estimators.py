"""What a study asks of each estimator: its options, the covariance that all share, and the fits that one set of options does not give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hinterland.evaluate.methods import METHODS
from hinterland.study.schema import Study
from hinterland.study.variant import BASELINE, Variant

DESIGN_OPTIONS = ("covariates", "comparison", "cluster", "anticipation", "fe")
"""Keys of [evaluate] that [evaluate.options.<method>] may override for one method."""
COVARIANCE = ("vcov", "cutoff_km", "lag", "kernel")
"""Keys of [evaluate] that are options of every estimator that has them."""
USED_BY: Mapping[str, tuple[str, ...]] = {
    "cutoff_km": ("conley",),
    "kernel": ("conley",),
    "lag": ("conley", "driscoll-kraay", "newey-west"),
}
"""The covariances that each of the other keys has a meaning for."""
WITHOUT_LEADS = ("imputation", "two-stage", "matrix-completion")
"""Estimators that predict from the periods before adoption, and tell no effect there unless asked to."""
ESTIMANDS = ("overall", "cohort", "calendar")
"""What ``efficient`` is fitted for again, since it adjusts for each estimand on its own."""


def own_options(study: Study, method: str) -> dict[str, Any]:
    """The options of [evaluate.options.<method>] that are the estimator's."""
    return {k: v for k, v in study.evaluate.options.get(method, {}).items() if k not in DESIGN_OPTIONS}


def covariances_of(study: Study, method: str) -> tuple[str, ...]:
    """The covariance estimators that ``method`` has, with the options that the study gives it."""
    option, own = METHODS[method].options.get("vcov"), own_options(study, method)
    known = () if option is None else tuple(str(v) for v in option.values)
    if method == "triple" and own.get("estimator") != "regression":
        return ()
    if method == "spillover" and own.get("estimator") != "twfe":
        return tuple(v for v in known if v in ("cluster", "iid" if own.get("estimator") == "sdm" else "conley"))
    if method == "etwfe" and not own.get("unit_effects"):
        return tuple(v for v in known if v not in ("CR2", "CR3", "HC2", "HC3"))
    return known


def wanted_covariance(study: Study, variant: Variant = BASELINE) -> dict[str, Any]:
    """What [evaluate], or the row, says of the covariance; a row that names one starts anew."""
    source = study.evaluate if variant.vcov is None else variant
    return {k: v for k in COVARIANCE if (v := getattr(source, k)) is not None}


def shared_covariance(study: Study, method: str, variant: Variant = BASELINE) -> dict[str, Any]:
    """The part of it that ``method`` has, beside its own options."""
    known, own = METHODS[method].options, {} if variant.vcov is not None else own_options(study, method)
    wanted = wanted_covariance(study, variant)
    if wanted.get("vcov") not in covariances_of(study, method):
        wanted.pop("vcov", None)
    kind = own.get("vcov", wanted.get("vcov"))
    takes_lag = method != "spillover" or own.get("estimator") == "twfe"
    return {k: v for k, v in wanted.items() if k in known and (k == "vcov" or kind in USED_BY[k]) and (k != "lag" or takes_lag)}


def covariance_not_taken(study: Study, method: str, variant: Variant = BASELINE) -> str | None:
    """The covariance that the study asks for and ``method`` does not have, where it is not set apart by its own options."""
    asked = wanted_covariance(study, variant).get("vcov")
    if asked is None or (variant.vcov is None and "vcov" in own_options(study, method)):
        return None
    return None if asked in covariances_of(study, method) else str(asked)


def fit_options(study: Study, outcome: str, method: str, variant: Variant = BASELINE) -> dict[str, Any]:
    """The options of the fit that the record leads with."""
    own = own_options(study, method)
    if variant.vcov is not None:
        own = {k: v for k, v in own.items() if k not in COVARIANCE}
    options = {**shared_covariance(study, method, variant), **own}
    if "family" in METHODS[method].options:
        options.setdefault("family", next((o.family for o in study.outcome if o.name == outcome), "gaussian"))
    return {**options, **_static(method, options)}


def _static(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Of an estimator with a path beside its average: the average."""
    if method == "ppml" or (method == "triple" and options.get("estimator") == "regression"):
        return {"event_study": False}
    if method == "spillover" and options.get("effect") == "event-study":
        return {"effect": "channels"}
    return {"pretrends": 0} if method == "imputation" else {}


def path_options(study: Study, method: str) -> dict[str, Any] | None:
    """What makes the same estimator give effects by event time, where the leading fit does not, or not with its leads."""
    own = own_options(study, method)
    if method == "ppml" or (method == "triple" and own.get("estimator") == "regression"):
        return {"event_study": True}
    if method == "spillover" and own.get("effect") == "event-study":
        return {"effect": "event-study"}
    if method == "imputation" and own.get("pretrends"):
        return {"pretrends": own["pretrends"]}
    return None


def estimand_options(study: Study, method: str) -> dict[str, dict[str, Any]]:
    """Changes of the options by what is estimated, for an estimator that is fitted anew for each estimand."""
    if method != "efficient" or "estimand" in own_options(study, method):
        return {}
    return {name: {"estimand": name} for name in ESTIMANDS}
