"""What is checked of mediators: that each is one, that trends before adoption agree, and that the outcome's slope in it is the same under treatment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, PanelError, fail_if_any
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.inference import Inference, coefficient_covariance
from hinterland.evaluate.mechanism_paths import Slope, slope_columns, slope_design, untreated_rows
from hinterland.evaluate.pretrends import PretrendTest, pretrend_test
from hinterland.evaluate.regression import projection, solve_least_squares, treatment
from hinterland.evaluate.result import Effects

SAME = 1e-9
"""Distance of a correlation from one below which two columns say the same net of fixed effects; share of variance below which nothing is left of one."""


def fail_if_not_columns(panel: Panel, outcome: str, mediators: Sequence[str], confounders: Sequence[str]) -> None:
    """Raise every problem that the columns of mediators and confounders have before any design is made.

    Raises:
        PanelError: unknown columns; columns that hold no numbers, or no value at all.
        EstimationError: no mediator, a name that is there twice, a mediator that is the outcome or a confounder too.
    """
    panel.require([*mediators, *confounders], "a mediator or an intermediate confounder")
    fail_if_any([*_column_findings(panel, [*mediators, *confounders])], "mediators", PanelError)
    fail_if_any([*_name_findings(outcome, mediators, confounders)], "mediators", EstimationError)


def _column_findings(panel: Panel, names: Sequence[str]) -> Iterator[Finding]:
    for name in dict.fromkeys(names):
        series = panel.frame[name]
        numeric = series.dtype.is_numeric() or series.dtype == pl.Boolean
        if (series.cast(pl.Float64).fill_nan(None) if numeric else series).null_count() == len(series):
            what = f"{name!r} has no value in any of {len(series)} rows"
            yield Finding("mediator-not-observed", what, f"column {name!r}", "name a column that is observed, or widen the years")
        elif not numeric:
            what = f"column {name!r} holds {series.dtype}, not numbers"
            yield Finding("not-numeric", what, "panel", "convert it, or name another column")


def _name_findings(outcome: str, mediators: Sequence[str], confounders: Sequence[str]) -> Iterator[Finding]:
    if not mediators:
        yield Finding("no-mediator", "no mediator is named", "argument mediators", "name at least one column")
    for i, name in enumerate(mediators):
        if name in mediators[:i]:
            yield Finding("repeated-value", f"the mediator {name!r} is there twice", "argument mediators", "name each once")
        if name == outcome:
            yield Finding("mediator-is-outcome", f"the mediator {name!r} is the outcome", "argument mediators", "name what lies between")
        if name in confounders:
            what = f"{name!r} is a mediator and an intermediate confounder"
            yield Finding("mediator-is-covariate", what, "argument confounders", "let it be one of them")


def fail_if_no_mediators(design: Design, mediators: Sequence[str]) -> None:
    """Raise every reason why a column cannot be a mediator on the rows of ``design``.

    Compared net of unit and period effects: an affine function of the outcome, plus anything that is constant within units or periods, is the outcome again.

    Raises:
        EstimationError: a mediator that is among the covariates, does not vary beyond unit and period effects, is the outcome, the treatment or another mediator
            again, or is not observed on both sides of the comparison.
    """
    fail_if_any([*mediator_findings(design, mediators)], "mediators", EstimationError)


def mediator_findings(design: Design, mediators: Sequence[str]) -> Iterator[Finding]:
    """The same as findings."""
    bare = replace(design, fixed_effects=())
    take_off = projection(bare, design.weight)
    net = {name: take_off.column(np.asarray(design.columns[name], dtype=np.float64)) for name in mediators}
    outcome, treated = take_off.column(design.y.astype(np.float64)), take_off.column(treatment(design))
    for i, name in enumerate(mediators):
        where = f"column {name!r}, {design.n_obs} rows"
        raw = np.asarray(design.columns[name], dtype=np.float64)
        if name in design.covariate_names:
            remedy = "leave it out of the covariates: holding a mediator fixed takes away what the policy does through it"
            yield Finding("mediator-is-covariate", f"the mediator {name!r} is among the covariates", where, remedy)
        if float(net[name] @ net[name]) <= SAME * float((raw - raw.mean()) @ (raw - raw.mean())) + 1e-24 * float(raw @ raw):
            what = f"the mediator {name!r} does not vary beyond unit and period effects"
            yield Finding("mediator-constant", what, where, "name a column that changes over time, and not alike everywhere")
            continue
        if _same(net[name], outcome):
            remedy = "name what lies between policy and outcome, not the outcome in other units"
            yield Finding("mediator-is-outcome", f"the mediator {name!r} is the outcome {design.outcome!r} again", where, remedy)
        if _same(net[name], treated):
            yield Finding("mediator-is-treatment", f"the mediator {name!r} is the treatment again", where, "name what the policy changes")
        twin = next((other for other in mediators[:i] if _same(net[name], net[other])), None)
        if twin is not None:
            what = f"the mediators {twin!r} and {name!r} say the same"
            yield Finding("mediator-collinear", what, where, "leave one of them out")


def _same(x: Floats, y: Floats) -> bool:
    """Whether two columns are proportional, in their own scale."""
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return scale > 0 and abs(float(x @ y)) / scale > 1 - SAME


@dataclass(frozen=True, slots=True)
class Interaction:
    """The test that slopes are the same with and without treatment: ``change`` and ``std_error`` [K] of the slopes; F(``df1``, ``df2``) = ``statistic`` of all of them."""

    change: Floats
    std_error: Floats
    p_values: Floats
    statistic: float
    df1: int
    df2: float
    p_value: float


def interaction(design: Design, mediators: Sequence[str], confounders: Sequence[str], source: Slope) -> Interaction:
    """Add treatment × mediator, centred at its mean under treatment, for every mediator, and test them (Wald, clustered).

    ``source``: as for the slopes, except that untreated rows alone have no treatment: all rows are used, saturated in treated cohorts and periods.

    Raises:
        EstimationError: an interaction is collinear with the rest, or there are no degrees of freedom.
    """
    from scipy import special

    kind: Slope = "pooled" if source == "pooled" else "saturated"
    model = slope_design(design, kind)
    columns, names = slope_columns(model, mediators, confounders, kind)
    on = ~untreated_rows(model)
    crossed = np.column_stack([_centred(np.asarray(model.columns[name], dtype=np.float64), on) for name in mediators])
    more = tuple(f"treated × {name}" for name in mediators)
    solved = solve_least_squares(model, np.asfortranarray(np.column_stack([columns, crossed])), (*names, *more))
    if any(name not in solved.names for name in more):
        what = "slopes under treatment cannot be told from the fixed effects"
        raise EstimationError(
            Finding("not-identified", what, f"{int(on.sum())} treated rows", "leave the mediators in one by one"), "mechanism"
        )
    found = coefficient_covariance(model, solved.moments, Inference.of())
    at = np.array([solved.names.index(name) for name in more])
    change, vcov = solved.estimate[at], found.vcov[np.ix_(at, at)]
    error = np.sqrt(np.diag(vcov))
    wald = float(change @ np.linalg.solve(vcov, change)) / len(at)
    p_values = np.asarray(2 * special.stdtr(found.df, -np.abs(change / error)))
    return Interaction(change, error, p_values, wald, len(at), float(found.df), float(special.fdtrc(len(at), found.df, wald)))


def _centred(values: Floats, on: NDArray[np.bool_]) -> Floats:
    return np.where(on, values - values[on].mean(), 0.0)


def path_and_test(effects: Effects, design: Design, options: Mapping[str, Any]) -> tuple[Effects | None, PretrendTest | None, str]:
    """Effects on a mediator by event time, the joint test that those before adoption are zero, and why there is none.

    Of ``effects`` where they have a path, else of an event study on the same design.
    """
    try:
        path = _path(effects, design, options)
    except EstimationError as error:
        return None, None, error.findings[0].code
    try:
        return path, pretrend_test(path), ""
    except EstimationError as error:
        return path, None, error.findings[0].code


def _path(effects: Effects, design: Design, options: Mapping[str, Any]) -> Effects:
    if effects.aggregation == "group-time":
        return effects.aggregate("event-time")
    if effects.aggregation == "event-time":
        return effects
    return fit(design, "event-study", **{k: v for k, v in options.items() if k == "ssc"})
