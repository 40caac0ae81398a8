"""``estimate``: one entry for every estimator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, cast

import numpy as np

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, EstimationWarning, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.design import Design, make_design, switching
from hinterland.evaluate.inference import CLUSTERED
from hinterland.evaluate.method import INFLUENCE_INFERENCE, Option
from hinterland.evaluate.methods import METHODS, Method
from hinterland.evaluate.regression import dosed
from hinterland.evaluate.reinfer import fit_with_vcov
from hinterland.evaluate.result import Effects
from hinterland.evaluate.vcov import Ssc
from hinterland.labels import Note


def estimate(
    panel: Panel,
    /,
    outcome: str,
    policy: Cohorts,
    method: str = "callaway-santanna",
    *,
    covariates: str | Sequence[str] | None = None,
    comparison: str = "never-treated",
    cluster: str | Sequence[str] | None = None,
    anticipation: int = 0,
    fe: Sequence[str] = (),
    bootstrap: Mapping[str, Any] | None = None,
    seed: int = 0,
    **options: Any,
) -> Effects:
    """Estimate the effect of ``policy`` on ``outcome``.

    Args:
        panel: the panel (see :func:`hinterland.read_panel`); by position, since ``panel=False`` is an option of callaway-santanna.
        outcome: column of the outcome.
        policy: first treated periods (``PolicyRegister.cohorts`` or :func:`hinterland.adoption`).
        method: estimator id; :func:`hinterland.methods` lists them.
        covariates: one-sided formula or column names.
        comparison: ``never-treated`` or ``not-yet-treated`` (estimators that choose a comparison group).
        cluster: column or columns to cluster on; the unit by default.
        anticipation: periods before adoption in which units may already react.
        fe: extra fixed effects, such as ``["province^year"]``.
        bootstrap: ``{"kind": "multiplier" | "analytic", "draws": 999, "level": 0.95}`` adds a simultaneous band.
        seed: of the band's draws.
        options: options of the method.

    Raises:
        EstimationError: unknown method or option, or a method that is not defined on these data.
    """
    chosen = find_method(method)
    _fail_if_options_unknown(chosen, options)
    design = make_design(
        panel,
        outcome,
        policy,
        covariates=covariates,
        fe=fe,
        comparison=comparison,
        anticipation=anticipation,
        cluster=cluster,
        columns=columns_of(chosen, options),
    )
    return fit(design, chosen.id, bootstrap=bootstrap, seed=seed, **options)


def columns_of(method: Method, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The panel columns that options of ``method`` name."""
    named = [options[name] for name, option in method.options.items() if option.column and options.get(name) is not None]
    return tuple(dict.fromkeys(column for value in named for column in ([value] if isinstance(value, str) else value)))


def fit(design: Design, method: str, *, bootstrap: Mapping[str, Any] | None = None, seed: int = 0, **options: Any) -> Effects:
    """Fit ``method`` on a design that exists already (the same design serves several methods)."""
    chosen = find_method(method)
    _fail_if_options_unknown(chosen, options)
    fail_if_not_accepted(chosen, design)
    _fail_if_bootstrap_unknown(bootstrap or {})
    effects = _with_few_clusters_noted(_with_missing_errors_noted(_fit(chosen, design, options)))
    effects = _with_coverage_noted(chosen, design, effects)
    if bootstrap is None:
        return effects
    return effects.with_band(
        bootstrap.get("level", 0.95), kind=bootstrap.get("kind", "multiplier"), draws=bootstrap.get("draws", 999), seed=seed
    )


def _fit(method: Method, design: Design, options: Mapping[str, Any]) -> Effects:
    """Call the estimator; options of the covariance of its influence function are taken off first, and applied to what it returns."""
    estimator = import_module(method.module).fit
    if not method.reinferred:
        return cast("Effects", estimator(design, **options))
    outer = {name: value for name, value in options.items() if name in INFLUENCE_INFERENCE}
    own = {name: value for name, value in options.items() if name not in outer}
    return fit_with_vcov(partial(estimator, **own), design, **outer)


FEW_CLUSTERS = 10
"""Clusters below which a result says that there are few (Cameron & Miller 2015)."""
FEWEST_CLUSTERS = 3
"""Clusters up to which a warning is issued too."""
_RESAMPLED = ("jackknife", "bootstrap")
"""Variances whose replicates are clusters."""


def _with_few_clusters_noted(effects: Effects) -> Effects:
    """A note where standard errors are clustered on few clusters, and a warning where they are so few that they say nothing."""
    clusters, vcov = effects.meta.get("n_clusters"), effects.meta.get("vcov")
    if not isinstance(clusters, int) or vcov not in (*CLUSTERED, *_RESAMPLED) or clusters >= FEW_CLUSTERS:
        return effects
    if clusters <= FEWEST_CLUSTERS:
        note = Note("two-clusters", {"clusters": clusters})
        warnings.warn(str(note), EstimationWarning, stacklevel=4)
    elif vcov in ("cluster", *_RESAMPLED):
        note = Note("few-clusters", {"clusters": clusters})
    else:
        return effects
    return replace(effects, notes=(*effects.notes, note))


def _with_missing_errors_noted(effects: Effects) -> Effects:
    """A note where an estimate has no standard error: never a silent gap."""
    without = np.isfinite(effects.estimate) & ~np.isfinite(effects.std_error) & ~effects.terms.reference
    if not without.any():
        return effects
    names = [name for name, missing in zip(effects.terms.name, without, strict=True) if missing]
    values: dict[str, str | int | float] = {"count": len(names), "terms": listed(names, 8), "clusters": int(effects.meta["n_clusters"])}
    return replace(effects, notes=(*effects.notes, Note("no-std-error", values)))


def _with_coverage_noted(method: Method, design: Design, effects: Effects) -> Effects:
    """A note where units are covered in part and the method has no use for the share: it takes them as treated in full."""
    if "dose" in method.accepts or not dosed(design):
        return effects
    part = (design.dose > 0) & (design.dose < 1)
    units = listed(design.unit_labels[part].tolist(), 8)
    return replace(effects, notes=(*effects.notes, Note("dose-not-used", {"count": int(part.sum()), "method": method.id, "units": units})))


def find_method(method: str) -> Method:
    """The method with this id, or an ``EstimationError`` that offers the closest ones."""
    if method not in METHODS:
        raise EstimationError(
            Finding("unknown-method", f"method {method!r} is not known", "argument method", did_you_mean(method, METHODS)), "options"
        )
    return METHODS[method]


def _fail_if_options_unknown(method: Method, options: Mapping[str, Any]) -> None:
    findings = []
    for name, value in options.items():
        if name not in method.options:
            findings.append(
                Finding(
                    "unknown-option", f"{method.id} has no option {name!r}", f"option {name}={value!r}", did_you_mean(name, method.options)
                )
            )
        elif remedy := _unfit(method.options[name], name, value):
            findings.append(Finding("unknown-value", f"{name} is {value!r}", f"option {name} of {method.id}", remedy))
    fail_if_any(findings, "options", EstimationError)


def _unfit(option: Option, name: str, value: object) -> str:
    """What to give instead of ``value``, where it is none that ``option`` takes; empty where it may be."""
    if option.column:
        given = value if option.several and isinstance(value, (list, tuple)) else (value,)
        named = value is None or (len(given) > 0 and all(isinstance(c, str) for c in given))
        return "" if named else "name a column of the panel" + (", or a list of columns" if option.several else "")
    if not option.values or (name == "ssc" and isinstance(value, (Mapping, Ssc))):
        return ""
    known = isinstance(value, (str, int, float, np.bool_)) and value in option.values
    return "" if known else f"choose one of {', '.join(map(repr, option.values))}"


_BOOTSTRAP = ("kind", "draws", "level")


def _fail_if_bootstrap_unknown(bootstrap: Mapping[str, Any]) -> None:
    findings = [
        Finding("unknown-option", f"bootstrap has no option {name!r}", f"bootstrap {name}={value!r}", did_you_mean(name, _BOOTSTRAP))
        for name, value in bootstrap.items()
        if name not in _BOOTSTRAP
    ]
    fail_if_any(findings, "options", EstimationError)


_NEEDS = {
    "fixed-effects": ("extra fixed effects", "leave out fe=, or choose twfe"),
    "anticipation": ("anticipation", "set anticipation=0, or choose callaway-santanna"),
    "two-way-clusters": ("clustering on more than one column", "cluster on one column"),
    "weights": ("sampling weights", "build the panel without a weight column"),
    "covariates": ("covariates", "leave out covariates="),
    "unbalanced": ("gaps in the panel", "leave out units with a gap ([panel.filter].complete), or choose a method that accepts them"),
}


def fail_if_not_accepted(method: Method, design: Design) -> None:
    """Raise ``EstimationError`` naming everything about ``design`` that ``method`` is not defined on."""
    used = {
        "fixed-effects": bool(design.fixed_effects),
        "anticipation": design.anticipation > 0,
        "two-way-clusters": len(design.clusters) > 1,
        "weights": design.weight is not None,
        "covariates": design.covariates.shape[1] > 0,
        "unbalanced": not design.balanced,
    }
    reversal = [] if "non-absorbing" in method.accepts else switching(design, method.id)
    fail_if_any(
        [
            *reversal,
            *(
                Finding("not-defined", f"{method.id} is not defined with {_NEEDS[need][0]}", f"method {method.id}", _NEEDS[need][1])
                for need, asked in used.items()
                if asked and need not in method.accepts
            ),
        ],
        "options",
        EstimationError,
    )
