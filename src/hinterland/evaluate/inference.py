"""The covariance of a regression's coefficients that was asked for: options, checks, and the one place that chooses among them.

``cluster`` (CR1), ``CR2``, ``CR3``; ``hetero`` (HC1), ``HC2``, ``HC3``; ``iid``; ``conley``; ``driscoll-kraay``; ``newey-west``. The formulas
are in ``vcov``, ``vcov_leverage``, ``vcov_several``, ``vcov_spatial`` and ``vcov_time``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, get_args

import numpy as np

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.result import least_df
from hinterland.evaluate.vcov import (
    Covariance,
    Moments,
    Ssc,
    cluster_sums,
    count_parameters,
    covariance,
    group_factor,
    inflation,
    nearest_positive,
    resolve_ssc,
)
from hinterland.evaluate.vcov_leverage import JACKKNIFE, VANISHING, Adjusted, adjusted_scores, projection_of, row_leverage
from hinterland.evaluate.vcov_several import combined, jackknife, smaller_than_alone
from hinterland.evaluate.vcov_spatial import Kernel, Neighbourhood
from hinterland.evaluate.vcov_time import cell_sums, default_lag, lagged_products, period_products, steps, sum_columns
from hinterland.labels import Note

Vcov = Literal["cluster", "CR2", "CR3", "hetero", "HC2", "HC3", "iid", "conley", "driscoll-kraay", "newey-west"]
CLUSTERED = ("cluster", "CR2", "CR3")
FEW_PERIODS = 20
"""Periods below which covariances that rest on many periods are warned of."""
ROUNDING = 1e-20
"""Share of the variance under independent errors below which a variance is rounding."""
WIDE = 0.5
"""Share of all pairs within the cut-off beyond which a spatial covariance is warned of: scores add up to zero over all units."""


class InferenceOptions(TypedDict, total=False):
    """The options of :data:`hinterland.evaluate.method.REGRESSION_INFERENCE`, which every regression takes.

    ``vcov``: see :class:`Inference`. ``ssc``: small-sample rule: ``fixest``, ``reghdfe``, ``dummies``, ``none``, or a
    :class:`~hinterland.evaluate.vcov.Ssc`. ``cutoff_km``, ``kernel``: of ``conley``. ``lag``: of ``conley``, ``driscoll-kraay`` and
    ``newey-west``.
    """

    vcov: str
    ssc: str | Ssc | Mapping[str, Any]
    cutoff_km: float | None
    lag: int | None
    kernel: str


@dataclass(frozen=True, slots=True)
class Inference:
    """The covariance asked for.

    Attributes:
        vcov: ``cluster`` and ``CR3`` on the design's grouping or groupings, ``CR2`` on its one grouping; ``hetero``, ``HC2``, ``HC3``
            and ``iid`` by row; ``conley`` by distance; ``driscoll-kraay`` by period; ``newey-west`` within units.
        ssc: the small-sample rule (``CR2``, ``CR3``, ``HC2`` and ``HC3`` correct for leverage instead and take none).
        cutoff_km: distance within which errors of two units may be correlated (``conley``).
        lag: longest lag, in steps of the panel. ``None``: ⌊T^¼⌋; under ``conley``: rows of two neighbours may be correlated whatever their
            periods, so that units alone give clustering by unit. With a lag: neighbours within a period, and units over the lag.
        kernel: weight of a pair at distance d within the cut-off: 1 (``uniform``) or 1 − d/cut-off (``bartlett``).
    """

    vcov: str
    ssc: Ssc
    cutoff_km: float | None = None
    lag: int | None = None
    kernel: Kernel = "uniform"

    @classmethod
    def of(
        cls,
        vcov: str = "cluster",
        ssc: str | Ssc | Mapping[str, Any] = "fixest",
        cutoff_km: float | None = None,
        lag: int | None = None,
        kernel: str = "uniform",
    ) -> Inference:
        """Resolve the options. Raises ``EstimationError`` for unknown values, and for options that do not go together."""
        findings = []
        if vcov not in get_args(Vcov):
            findings.append(Finding("unknown-value", f"vcov is {vcov!r}", "option vcov", did_you_mean(str(vcov), get_args(Vcov))))
        findings += [*spatial_findings(vcov, cutoff_km, kernel), *_lag_findings(vcov, lag)]
        fail_if_any(findings, "options", EstimationError)
        return cls(vcov, resolve_ssc(ssc), cutoff_km, lag, kernel)  # type: ignore[arg-type]  # checked above


def spatial_findings(vcov: str, cutoff_km: object, kernel: object) -> list[Finding]:
    """What is wrong with the options of a covariance by distance."""
    findings = []
    if kernel not in get_args(Kernel):
        findings.append(Finding("unknown-value", f"kernel is {kernel!r}", "option kernel", did_you_mean(str(kernel), get_args(Kernel))))
    if vcov != "conley":
        if cutoff_km is not None:
            findings.append(_unused("cutoff_km", cutoff_km, vcov, "vcov='conley'"))
        if kernel == "bartlett":
            findings.append(_unused("kernel", kernel, vcov, "vcov='conley'"))
        return findings
    if cutoff_km is None:
        remedy = "give cutoff_km=: the distance in kilometres within which errors may be correlated, such as 300"
        findings.append(Finding("cutoff-missing", "vcov='conley' needs a distance", "option cutoff_km", remedy))
    elif isinstance(cutoff_km, bool) or not isinstance(cutoff_km, int | float | np.number) or not 0 < float(cutoff_km) < np.inf:
        findings.append(Finding("bad-cutoff", f"cutoff_km is {cutoff_km!r}", "option cutoff_km", "give a number of kilometres above 0"))
    return findings


def _lag_findings(vcov: str, lag: object) -> list[Finding]:
    if lag is None:
        return []
    if vcov not in ("conley", "driscoll-kraay", "newey-west"):
        return [_unused("lag", lag, vcov, "vcov='newey-west', 'driscoll-kraay' or 'conley'")]
    if isinstance(lag, bool) or not isinstance(lag, int | np.integer) or lag < 0:
        return [Finding("bad-lag", f"lag is {lag!r}", "option lag", "give a whole number of periods, 0 or more")]
    return []


def _unused(name: str, value: object, vcov: str, remedy: str) -> Finding:
    return Finding(
        "option-unused", f"{name}={value!r} has no meaning with vcov={vcov!r}", f"option {name}", f"leave it out, or choose {remedy}"
    )


def coefficient_covariance(design: Design, moments: Moments, inference: Inference, contrast: Floats | None = None) -> Covariance:
    """The covariance that ``inference`` asks for, of coefficients whose ``moments`` are on the rows of ``design``.

    Args:
        design: gives clusters, units, periods and coordinates.
        moments: what the covariance is made from.
        inference: the covariance asked for.
        contrast: [k] the combination of coefficients that the effective number of clusters is about (of several groupings, the
            least); ``None``: not computed.

    Raises:
        EstimationError: no degrees of freedom; a covariance that these data do not have (no coordinates, too few periods, several
            groupings under CR2).
    """
    kind = inference.vcov
    if kind in ("HC2", "HC3"):
        return _by_row(design, moments, inference)
    if kind in ("conley", "driscoll-kraay", "newey-west"):
        return _without_rounding(_dependent(design, moments, inference), moments)
    found = (
        _by_leverage(design, moments, inference) if kind in ("CR2", "CR3") else covariance(moments, kind, design.clusters, inference.ssc)
    )
    found = _without_rounding(found, moments)
    if contrast is None or kind not in CLUSTERED:
        return found
    least = min(effective_clusters(moments, c, contrast) for c in design.clusters)
    return replace(found, facts={**found.facts, "effective_clusters": least})


def _without_rounding(found: Covariance, moments: Moments) -> Covariance:
    """Variances that are zero but for rounding as zero: scores add up to zero over all rows, so they do over clusters that hold everything,
    over all pairs within a distance that no pair exceeds, and over each of two periods.
    """
    scale = float(np.mean(moments.u**2)) * np.diag(moments.bread)
    dead = np.diag(found.vcov) < ROUNDING * scale
    if not dead.any():
        return found
    vcov, influence = found.vcov.copy(), found.influence.copy()
    vcov[dead], vcov[:, dead] = 0.0, 0.0
    influence[:, dead] = 0.0
    parts = found.parts if found.parts is None else np.where(dead[:, None] | dead, 0.0, found.parts)
    return replace(found, vcov=vcov, influence=influence, parts=parts)


def effective_clusters(moments: Moments, cluster: Factor, contrast: Floats) -> float:
    """G* = G / (1 + Γ), Γ the squared coefficient of variation of the clusters' contributions Σ_{i∈g} w d² to the variance of
    contrast'β̂ (Carter, Schnepel & Steigerwald 2017, for errors uncorrelated within clusters), d = X B contrast.
    """
    d = moments.x @ (moments.bread @ contrast)
    return effective_number(cluster_sums(d[:, None], d if moments.weights is None else d * moments.weights, cluster))


def effective_number(share: Floats) -> float:
    """G / (1 + Γ), Γ the squared coefficient of variation of the clusters' contributions ``share`` [G]."""
    mean = float(share.mean())
    return len(share) / (1 + float(np.mean((share - mean) ** 2)) / mean**2) if mean > 0 else float("nan")


def _by_leverage(design: Design, moments: Moments, inference: Inference) -> Covariance:
    """CR2 and CR3; the influence function is that of the corrected scores, so that its product is the covariance."""
    if len(design.clusters) > 1:
        return _by_several(design, moments, inference)
    cluster = design.clusters[0]
    found = adjusted_scores(projection_of(moments), cluster, 0.5 if inference.vcov == "CR2" else JACKKNIFE)
    scores = found.scores if inference.vcov == "CR2" else found.scores * np.sqrt((cluster.size - 1) / cluster.size)
    term_df = None if found.df is None else np.minimum(found.df, moments.x.shape[0])
    df = float(cluster.size - 1) if term_df is None else least_df(term_df)
    parameters = count_parameters(moments.x.shape[1], moments, design.clusters, inference.ssc)
    return Covariance(scores.T @ scores, scores, df, parameters, (cluster.size,), term_df=term_df, notes=lost_notes(found, cluster))


def _by_several(design: Design, moments: Moments, inference: Inference) -> Covariance:
    """CR3 by several groupings, with degrees of freedom of the smallest; the influence function is that of the first."""
    clusters = design.clusters
    if inference.vcov != "CR3":
        remedy = "choose vcov='CR3', the jackknife, which is defined for several; or cluster on one column"
        what = f"{inference.vcov} is defined for one grouping, not for {listed(c.name for c in clusters)}"
        raise EstimationError(Finding("not-defined", what, "option vcov", remedy), "options")
    parts, alone = jackknife(projection_of(moments), clusters)
    sizes = tuple(c.size for c in clusters)
    scores = alone[0].scores * np.sqrt((sizes[0] - 1) / sizes[0])
    count, total = smaller_than_alone(parts), parts.shape[1]
    larger = (Note("several-largest", {"count": count, "total": total, "clusters": " + ".join(c.name for c in clusters)}),) if count else ()
    lost = (note for found, cluster in zip(alone, clusters, strict=True) for note in lost_notes(found, cluster))
    parameters = count_parameters(total, moments, clusters, inference.ssc)
    return Covariance(combined(parts), scores, float(min(sizes) - 1), parameters, sizes, parts=parts, notes=(*larger, *lost))


def lost_notes(found: Adjusted, cluster: Factor) -> tuple[Note, ...]:
    """Clusters without which a coefficient is not identified."""
    alone = np.flatnonzero(found.lost.any(axis=1))
    if not len(alone):
        return ()
    names = alone if cluster.labels is None else cluster.labels[alone]
    return (Note("not-identified-without", {"count": len(alone), "clusters": listed(names.tolist(), 5), "name": cluster.name}),)


def _by_row(design: Design, moments: Moments, inference: Inference) -> Covariance:
    """HC2 and HC3 (MacKinnon & White 1985), with the leverage of the whole regression, fixed effects included."""
    base = covariance(moments, "hetero", design.clusters, inference.ssc)
    spare = 1 - row_leverage(projection_of(moments))
    fitted = spare <= VANISHING
    spare = np.where(fitted, np.inf, spare)
    half = (moments.x * (moments.u / (np.sqrt(spare) if inference.vcov == "HC2" else spare))[:, None]) @ moments.bread
    notes = (Note("rows-fitted-exactly", {"count": int(fitted.sum()), "vcov": inference.vcov}),) if fitted.any() else ()
    return replace(base, vcov=half.T @ half, notes=notes)


def _dependent(design: Design, moments: Moments, inference: Inference) -> Covariance:
    """Covariances of scores that are correlated over space or time."""
    base = covariance(moments, "hetero", design.clusters, inference.ssc)
    scores = (moments.x * moments.u[:, None]) @ moments.bread
    if inference.vcov == "conley":
        return _spatial(design, moments, inference, base, scores)
    fail_if_any(_period_findings(design, inference), "design", EstimationError)
    lag = default_lag(design.n_periods) if inference.lag is None else int(inference.lag)
    step = steps(design.periods)[design.period]
    within = inference.vcov == "newey-west"
    meat = lagged_products(cell_sums(design.unit, step, scores), lag) if within else period_products(step, scores, lag)
    ssc, size = inference.ssc, design.n_periods
    parameters = count_parameters(moments.x.shape[1], moments, (), ssc)
    vcov = inflation(len(moments.u), parameters, ssc) * group_factor(size, ssc) * meat
    df = float(size - 1) if ssc.t_df == "min" else float(len(moments.u) - parameters)
    notes = (Note("few-periods", {"periods": size, "vcov": inference.vcov}),) if size < FEW_PERIODS and not within else ()
    return replace(base, vcov=vcov, df=df, n_parameters=parameters, notes=notes, facts={"lag": lag})


def _period_findings(design: Design, inference: Inference) -> list[Finding]:
    longest = int(steps(design.periods)[-1])
    if inference.lag is None or inference.lag < longest:
        return []
    what = f"lag is {inference.lag}, but the panel spans {longest} step(s) from {design.periods[0]} to {design.periods[-1]}"
    return [Finding("lag-too-long", what, "option lag", f"give a lag below {longest}, or more periods")]


def _spatial(design: Design, moments: Moments, inference: Inference, base: Covariance, scores: Floats) -> Covariance:
    near = neighbourhood(design, inference.cutoff_km, inference.kernel)
    ssc, units = inference.ssc, design.n_units
    grid = (units, design.n_periods, scores.shape[1])
    if inference.lag is None:
        meat = near.products(sum_columns(design.unit, scores, units))
        unit = (Factor(design.unit_name, design.unit, units),)
        parameters, factor = count_parameters(scores.shape[1], moments, unit, ssc), group_factor(units, ssc)
    else:
        fail_if_any(_period_findings(design, inference), "design", EstimationError)
        cell = design.unit.astype(np.int64) * design.n_periods + design.period
        filled = sum_columns(cell, scores, grid[0] * grid[1])
        serial = cell_sums(design.unit, steps(design.periods)[design.period], scores)
        meat = near.within_periods(filled.reshape(grid)) + lagged_products(serial, int(inference.lag), first=1)
        parameters, factor = count_parameters(scores.shape[1], moments, (), ssc), group_factor(len(moments.u), ssc)
    vcov, repaired = nearest_positive(inflation(len(moments.u), parameters, ssc) * factor * (meat + meat.T) / 2)
    df = float(units - 1) if ssc.t_df == "min" else float(len(moments.u) - parameters)
    notes = (*near_notes(near), *((Note("covariance-repaired", {"vcov": "conley"}),) if repaired else ()))
    facts = {"cutoff_km": float(near.cutoff_km), "kernel": near.kernel, "lag": inference.lag, "mean_neighbours": near.mean_neighbours}
    return replace(base, vcov=vcov, df=df, n_parameters=parameters, notes=notes, facts=facts)


def neighbourhood(design: Design, cutoff_km: float | None, kernel: Kernel) -> Neighbourhood:
    """The neighbours of the design's units. Raises ``EstimationError`` where units have no coordinates."""
    if cutoff_km is None:
        raise EstimationError(spatial_findings("conley", None, kernel), "options")
    if design.coordinates is None:
        remedy = "name the columns of longitude and latitude in degrees: coordinates=('lon', 'lat') in read_panel, or [panel].coordinates"
        raise EstimationError(
            Finding("no-coordinates", "the panel has no coordinates, and vcov='conley' needs them", "panel", remedy), "design"
        )
    missing = ~np.isfinite(design.coordinates).all(axis=1)
    if missing.any():
        what = f"{int(missing.sum())} of {design.n_units} unit(s) have no coordinates"
        remedy = "fill in their longitude and latitude, or leave these units out"
        raise EstimationError(Finding("units-without-coordinates", what, listed(design.unit_labels[missing].tolist(), 8), remedy), "design")
    return Neighbourhood.of(design.coordinates, float(cutoff_km), kernel)


def near_notes(near: Neighbourhood) -> Sequence[Note]:
    """A cut-off that no pair, or most pairs, are within."""
    n = len(near.counts)
    if near.mean_neighbours == 0:
        return (Note("no-neighbours", {"cutoff": near.cutoff_km}),)
    share = near.mean_neighbours / max(n - 1, 1)
    return (Note("wide-cutoff", {"cutoff": near.cutoff_km, "share": share}),) if share > WIDE else ()
