"""The parts of a moderation, put together: which can be estimated, what inference each has, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.moderation_bins import Binned, Bins, fit_bins, l_kurtosis, make_bins
from hinterland.evaluate.moderation_groups import LabelTest, permute_label
from hinterland.evaluate.moderation_line import Line
from hinterland.evaluate.moderation_linear import DIFFERENCE, INTERACTION, Fitted, Scaling, fit_linear, unit_starts
from hinterland.evaluate.moderation_result import Moderation
from hinterland.evaluate.moderation_strata import Strata, fit_imputed, fit_strata
from hinterland.evaluate.moderation_tables import Slope, Support, bins_frame, effects_frame, slopes_frame, support_of
from hinterland.evaluate.moderator import Fixing
from hinterland.evaluate.regression import cluster_labels, dosed
from hinterland.evaluate.result import Effects
from hinterland.evaluate.vcov import is_nested
from hinterland.evaluate.wild import FEW, SMALL, Rule, bootstrap_regression, score_bootstrap
from hinterland.evaluate.wild_draws import Weights
from hinterland.labels import Note

Said = dict[str, str | int | float]
FEWEST = 999
"""Most draws of what is computed anew for each draw."""
THIN = 3
"""Treated, or comparison, units in a bin below which a note warns of it."""
EXACT = 2
"""Treated clusters in a group up to which its level and slope are fitted exactly, and cluster-robust standard errors say nothing."""
HEAVY = 0.2
"""L-kurtosis from which a few values lie far from the others (normal: 0.123; t with five degrees of freedom: 0.194)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is estimated: the design with the moderator in its columns; how many bins or where they are cut; the group's column; the strata's estimator."""

    design: Design
    fixing: Fixing
    scaling: Scaling
    family: str
    bins: int | tuple[float, ...]
    group: str | None
    method: str
    options: Mapping[str, Any]
    draws: int
    seed: int
    points: int


@dataclass(frozen=True, slots=True)
class _Parts:
    """What could be estimated besides the linear model, and notes on what could not."""

    bins: Bins
    binned: Binned | None
    strata: Strata | None
    imputed: Effects | None
    notes: tuple[Note, ...]


def moderate(asked: Request) -> Moderation:
    """Estimate every version. Raises ``EstimationError`` where the linear one is not identified."""
    design, scaling = asked.design, asked.scaling
    value = scaling.units(design)
    fitted = fit_linear(design, scaling, asked.family)
    parts = _parts(asked, value)
    slopes = [_slope(asked, fitted, INTERACTION, "all"), *_robust(parts)]
    lines = [("linear", "all", line_of(fitted.effects, scaling.centre))]
    if parts.imputed is not None:
        lines.append(("imputation", "all", line_of(parts.imputed, scaling.centre)))
    grouped, notes = ([], []) if asked.group is None else _grouped(asked, fitted)
    for name, slope, line in grouped:
        slopes.append(slope)
        lines += [("linear", name, line)] if line is not None else []
    support = support_of(design, value, scaling.centre)
    return Moderation(
        outcome=design.outcome,
        moderator=asked.fixing.column,
        family=asked.family,
        slopes=_with_clusters(slopes_frame(slopes), design),
        effects=effects_frame(lines, support, asked.points, [s.group for s in slopes if s.bare]),
        bins=bins_frame(parts.bins, parts.binned, parts.strata),
        values=pl.DataFrame({"unit": design.unit_labels.tolist(), "value": value, "treated": design.cohort != NEVER}),
        linear=fitted.effects,
        imputed=parts.imputed,
        strata=None if parts.strata is None else parts.strata.effects,
        linearity=None if parts.binned is None else parts.binned.test,
        notes=_unique(
            (*design.notes, *asked.fixing.notes, *_remarks(asked, value, parts.bins), *fitted.effects.notes, *parts.notes, *notes)
        ),
        meta=_meta(asked, value, support),
    )


def line_of(effects: Effects, centre: float, at: tuple[int, int] = (0, 1)) -> Line:
    """The line whose level and slope are the terms at ``at``."""
    index = np.array(at)
    level, slope = effects.estimate[index]
    return Line(float(level), float(slope), effects.vcov[np.ix_(index, index)], centre, effects.df)


def _unique(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    seen: list[Note] = []
    for note in notes:
        if note not in seen:
            seen.append(note)
    return tuple(seen)


def _parts(asked: Request, value: Floats) -> _Parts:
    design, scaling, notes = asked.design, asked.scaling, []
    bins = make_bins(design, value, asked.bins)
    binned = imputed = None
    try:
        binned = fit_bins(design, scaling, bins, asked.family, draws=min(asked.draws, FEWEST), seed=asked.seed)
        notes += (
            [Note("moderation-bin-lost", {"bins": ", ".join(str(j + 1) for j in np.flatnonzero(binned.at < 0))})]
            if (binned.at < 0).any()
            else []
        )
        notes += [Note("moderation-no-linearity", {"bins": bins.size})] if binned.test is None else []
    except EstimationError as error:
        notes.append(_impossible("binning", error))
    strata = fit_strata(design, scaling, bins, asked.method, asked.options)
    if asked.family == "gaussian":
        try:
            imputed = fit_imputed(design, scaling)
        except EstimationError as error:
            notes.append(_impossible("imputation", error))
    return _Parts(bins, binned, strata, imputed, (*notes, *(() if strata is None else strata.notes)))


def _impossible(version: str, error: EstimationError) -> Note:
    return Note("moderation-version-not-possible", {"version": version, "reason": error.findings[0].code})


def _robust(parts: _Parts) -> list[Slope]:
    """The versions whose weights are chosen."""
    found = []
    if parts.imputed is not None:
        found.append(Slope("imputation", "all", parts.imputed, 1, "moderation-imputation"))
    if parts.strata is not None and parts.strata.slope is not None:
        found.append(Slope("strata", "all", parts.strata.slope, 0, "moderation-strata"))
    return found


def _slope(asked: Request, fitted: Fitted, term: str, group: str, more: Mapping[str, Any] | None = None) -> Slope:
    """A term of the linear model with its wild bootstrap: of the regression, or for counts of the scores."""
    at = fitted.effects.terms.name.index(term)
    clusters = asked.design.clusters[0].size
    weights: Weights = "webb" if clusters <= SMALL else "rademacher"
    if fitted.regression is None:
        drawn = score_bootstrap(fitted.effects.take(np.array([at])), weights=weights, draws=asked.draws, seed=asked.seed)
        size = 1.0
    else:
        direction = np.array([float(name == term) for name in fitted.regression.names])
        rule = Rule(weights=weights, draws=asked.draws, seed=asked.seed)
        drawn = bootstrap_regression(fitted.regression, {term: direction}, "twfe", rule)
        size = asked.scaling.scale
    wild = {"p_wild": float(drawn.p_value[0]), "wild_low": float(drawn.conf_low[0]) / size, "wild_high": float(drawn.conf_high[0]) / size}
    return Slope("linear", group, fitted.effects, at, "moderation-linear", {**wild, **(more or {})})


def _grouped(asked: Request, alike: Fitted) -> tuple[list[tuple[str, Slope, Line | None]], list[Note]]:
    """The slope elsewhere, inside the group, and their difference with the permutation of the group's label; ``alike``: the fit without the group.

    Raises:
        EstimationError: no treated unit inside the group, or none outside.
    """
    design, name = asked.design, str(asked.group)
    inside = (design.columns[name][unit_starts(design)] > 0) & (design.cohort != NEVER)
    treated = len(np.unique(design.clusters[0].codes[inside[design.unit]]))
    where = name.removeprefix("group:")
    if not inside.any() or inside.sum() == design.n_treated:
        what = f"{'no' if not inside.any() else 'every'} treated unit is in the group {where!r}"
        remedy = "name a group that holds some treated units and not all"
        raise EstimationError(Finding("moderation-group", what, f"{design.n_treated} treated units", remedy), "moderation")
    scaling = replace(asked.scaling, group=name)
    try:
        fitted = fit_linear(design, scaling, asked.family)
    except EstimationError as error:
        return [], [Note("moderation-group-not-possible", {"group": where, "count": int(inside.sum()), "reason": error.findings[0].code})]
    exact = permute_label(alike, scaling, draws=FEWEST, seed=asked.seed)
    said: Said = {"group": where, "clusters": treated}
    notes = [Note("moderation-exact-fit" if treated <= EXACT else "moderation-few-in-group", said)] if treated <= FEW else []
    return _three(asked, fitted, exact, bare=treated <= EXACT), [*notes, *_said(exact, where)]


def _three(asked: Request, fitted: Fitted, exact: LabelTest | None, *, bare: bool) -> list[tuple[str, Slope, Line | None]]:
    """``bare``: the group's treated clusters are as many as its parameters, so that only the permutation says anything of its slope."""
    e, centre = fitted.effects, asked.scaling.centre
    both = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    influence = e.influence @ both.T
    inside = replace(e.take(np.arange(2)), estimate=both @ e.estimate, vcov=both @ e.vcov @ both.T, influence=influence)
    tested = {} if exact is None else {"p_exact": exact.p_value, "labels": exact.draws, "enumerated": exact.enumerated}
    at = e.terms.name.index(DIFFERENCE)
    bare_difference = Slope("linear", "difference", e, at, "moderation-linear", tested, bare=True)
    return [
        ("elsewhere", _slope(asked, fitted, INTERACTION, "elsewhere"), line_of(e, centre)),
        ("inside", Slope("linear", "inside", inside, 1, "moderation-linear", bare=bare), line_of(inside, centre)),
        ("difference", bare_difference if bare else _slope(asked, fitted, DIFFERENCE, "difference", tested), None),
    ]


def _said(exact: LabelTest | None, where: str) -> list[Note]:
    if exact is None:
        return []
    values: Said = {"group": where, "draws": exact.draws, "inside": exact.inside, "treated": exact.treated, "p": exact.p_value}
    return [Note("moderation-labels", values)]


def _with_clusters(frame: pl.DataFrame, design: Design) -> pl.DataFrame:
    """How many clusters have a treated unit."""
    touched = len(np.unique(design.clusters[0].codes[(design.cohort != NEVER)[design.unit]]))
    return frame.with_columns(pl.lit(touched, dtype=pl.Int64).alias("n_treated_clusters"))


def _remarks(asked: Request, value: Floats, bins: Bins) -> list[Note]:
    """Clusters below the level of the moderator, thin bins, a moderator with far values, doses."""
    design, notes = asked.design, []
    cluster, column = design.clusters[0], asked.fixing.column
    if asked.fixing.level is not None:
        codes = np.unique(design.columns[asked.fixing.level], return_inverse=True)[1].astype(np.int32)
        level = Factor(asked.fixing.level, codes, int(codes.max()) + 1)
        if not is_nested(level, cluster):
            values: Said = {
                "moderator": column,
                "level": level.name,
                "groups": level.size,
                "cluster": cluster.name,
                "clusters": cluster.size,
            }
            notes.append(Note("moderation-cluster-too-fine", values))
    elif (distinct := len(np.unique(value))) <= cluster.size / 2:
        notes.append(
            Note("moderation-shared-values", {"moderator": column, "values": distinct, "clusters": cluster.size, "cluster": cluster.name})
        )
    thin = [j for j in range(bins.size) if min(bins.n_treated[j], bins.n_comparison[j]) < THIN]
    if thin:
        counts = "; ".join(f"{j + 1}: {bins.n_treated[j]}/{bins.n_comparison[j]}" for j in thin)
        notes.append(Note("moderation-thin-bins", {"moderator": column, "bins": counts}))
    if bins.alone.any():
        lost = ", ".join(str(j + 1) for j in np.flatnonzero(bins.alone))
        notes.append(Note("moderation-bin-alone", {"bins": lost, "cluster": cluster.name}))
    if (peaked := l_kurtosis(value)) > HEAVY:
        notes.append(Note("moderation-heavy", {"moderator": column, "l_kurtosis": peaked}))
    if dosed(design):
        part = (design.dose > 0) & (design.dose < 1)
        notes.append(
            Note("dose-not-used", {"count": int(part.sum()), "method": "imputation", "units": ", ".join(design.unit_labels[part][:8])})
        )
    return notes


def _meta(asked: Request, value: Floats, support: Support) -> dict[str, Any]:
    design, fixing = asked.design, asked.fixing
    return {
        "fixed": "constant" if fixing.fixed is None else str(fixing.fixed),
        "level": fixing.level or "",
        "centre": asked.scaling.centre,
        "scale": asked.scaling.scale,
        "support_low": support.low,
        "support_high": support.high,
        "l_kurtosis": l_kurtosis(value),
        "cluster": design.clusters[0].name,
        "n_clusters": len(cluster_labels(design)),
        "n_units": design.n_units,
        "n_treated": design.n_treated,
        "n_obs": design.n_obs,
        "group": "" if asked.group is None else asked.group.removeprefix("group:"),
        "method": asked.method,
        "draws": asked.draws,
        "seed": asked.seed,
    }
