"""Differences between groups from stacked influence functions: for any estimator, also where clusters span groups.

The estimates of G groups are stacked. Where no cluster has units in two groups they are independent, and the variance of a difference is
the sum of two variances. Where clusters do span groups (provinces, years), the covariance of two estimates is the sum over shared clusters
of the products of their influence functions, as in Stata's ``suest`` (Weesie 1999, Stata Technical Bulletin 52; Zellner 1962).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.heterogeneity_groups import GroupFits
from hinterland.evaluate.randomisation_loop import target
from hinterland.evaluate.result import Effects
from hinterland.evaluate.vcov import intersect, nearest_positive

_BY_ROW = ("hetero", "HC2", "HC3", "iid", "newey-west")
"""Covariances under which errors of two units are independent: groups of units are, too."""
_ACROSS = ("conley", "driscoll-kraay")
"""Covariances under which errors of units in two groups may be correlated without a cluster that holds both."""
SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class Stacked:
    """Estimates [G] of the groups, their covariance [G, G], and degrees of freedom [G] of each (infinite: normal).

    ``shared``: clusters that have units in two groups;  ``clusters``: all of them.
    """

    estimate: Floats
    vcov: Floats
    df: Floats
    shared: int
    clusters: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of two estimates, tested against zero."""

    estimate: float
    std_error: float
    df: float
    p_value: float

    @property
    def statistic(self) -> float:
        """The t or z statistic."""
        return self.estimate / self.std_error if self.std_error > 0 else float("nan")

    def interval(self, level: float) -> tuple[float, float]:
        """Two-sided confidence interval."""
        from scipy import special

        tail = 0.5 + level / 2
        critical = float(special.ndtri(tail) if np.isinf(self.df) else special.stdtrit(self.df, tail))
        return self.estimate - critical * self.std_error, self.estimate + critical * self.std_error


@dataclass(frozen=True, slots=True)
class Equality:
    """The joint hypothesis that all groups have the same effect: chi2 with ``df1`` degrees of freedom, or F with ``df2`` finite."""

    statistic: float
    df1: int
    df2: float
    p_value: float


def stack(fits: GroupFits, method: str, options: Mapping[str, Any]) -> Stacked:
    """Stack the estimates of the groups.

    Raises:
        EstimationError: a covariance over distance or period, under which groups are correlated in a way that influence functions by cluster
            do not show; a resampled variance where clusters span groups.
    """
    effects = [g.effects for g in fits.groups]
    estimate = np.array([e.estimate[0] for e in effects])
    vcov = np.diag([e.vcov[0, 0] for e in effects])
    kind = str(effects[0].meta.get("vcov") or "cluster")
    if kind in _ACROSS:
        what = f"under vcov = {kind!r} groups are correlated although they share no cluster"
        raise EstimationError(Finding("not-stacked", what, "option vcov", "cluster on a column, or read the interaction"), "groups")
    groupings = fits.design.clusters if kind not in _BY_ROW else ()
    shared = 0
    for count in range(1, len(groupings) + 1):
        for chosen in combinations(groupings, count):
            crossed, some = _cross(fits, method, options, chosen, kind)
            vcov += (-1) ** (count + 1) * crossed
            shared = max(shared, some)
    if len(groupings) > 1:
        vcov, _ = nearest_positive(vcov)
    return Stacked(estimate, vcov, np.array([e.df for e in effects]), shared, fits.design.clusters[0].size)


def _cross(fits: GroupFits, method: str, options: Mapping[str, Any], chosen: Sequence[Factor], kind: str) -> tuple[Floats, int]:
    """Covariances [G, G] between groups (zero diagonal) by one grouping, and the number of its clusters that several groups share."""
    factor = chosen[0] if len(chosen) == 1 else intersect(chosen)
    spans = spanning(factor.codes, fits.of[fits.design.unit], factor.size)
    size = len(fits.groups)
    if not spans.any():
        return np.zeros((size, size)), 0
    one_way = len(fits.design.clusters) == 1
    effects = [g.effects for g in fits.groups] if one_way else _by_grouping(fits, method, options, factor)
    if not all(e.from_influence for e in effects):
        what = (
            f"{int(spans.sum())} cluster(s) of {factor.name!r} span groups, and the variance of {method} ({kind}) is no sum over clusters"
        )
        raise EstimationError(Finding("not-stacked", what, "clusters", "cluster on a column that is nested in groups"), "groups")
    table = lined_up(effects)
    crossed = table.T @ table
    np.fill_diagonal(crossed, 0.0)
    return crossed, int(spans.sum())


def _by_grouping(fits: GroupFits, method: str, options: Mapping[str, Any], factor: Factor) -> list[Effects]:
    """The groups fitted again, clustered on one grouping alone."""
    labelled = replace(factor, labels=np.arange(factor.size).astype(np.str_), slope=None)
    joint = replace(fits.design, clusters=(labelled,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said when they were fitted first
        return [target(fit(joint.take((fits.of == k)[joint.unit]), method, **options), None) for k in range(len(fits.groups))]


def spanning(codes: NDArray[Any], group: NDArray[Any], size: int) -> NDArray[np.bool_]:
    """[size] whether a cluster has rows of several groups, by cluster codes [n] and groups [n]."""
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(low, codes, group)
    np.maximum.at(high, codes, group)
    return np.asarray(high > low)


def lined_up(effects: Sequence[Effects]) -> Floats:
    """[C, G] influence functions of one-term effects over the union of their clusters, by label."""
    labels = np.unique(np.concatenate([e.clusters for e in effects]))
    table = np.zeros((len(labels), len(effects)))
    for k, e in enumerate(effects):
        table[np.searchsorted(labels, e.clusters), k] = e.influence[:, 0]
    return table


def difference(stacked: Stacked, a: int, b: int, *, welch: bool = True) -> Difference:
    """Group ``a`` less group ``b``.

    Degrees of freedom: Welch's (1938) from those of the two estimates where these are independent, else (and without ``welch``) the smaller of the two.
    """
    from scipy import special

    v = stacked.vcov
    value = float(stacked.estimate[a] - stacked.estimate[b])
    variance = float(v[a, a] + v[b, b] - 2 * v[a, b])
    df = float(min(stacked.df[a], stacked.df[b]))
    if welch and v[a, b] == 0 and np.isfinite(df) and variance > 0:
        df = float(variance**2 / (v[a, a] ** 2 / stacked.df[a] + v[b, b] ** 2 / stacked.df[b]))
    if not variance > 0:
        return Difference(value, float("nan"), df, float("nan"))
    t = -abs(value) / np.sqrt(variance)
    return Difference(value, float(np.sqrt(variance)), df, float(2 * (special.ndtr(t) if np.isinf(df) else special.stdtr(df, t))))


def equality(estimate: Floats, vcov: Floats, df2: float) -> Equality:
    """Wald test that the estimates [G] are all the same.

    Raises:
        EstimationError: no difference has a positive variance.
    """
    from scipy import special

    statistic, rank = wald(estimate, vcov)
    if np.isinf(df2):
        return Equality(statistic, rank, df2, float(special.chdtrc(rank, statistic)))
    return Equality(statistic / rank, rank, df2, float(special.fdtrc(rank, df2, statistic / rank)))


def wald(estimate: Floats, vcov: Floats) -> tuple[float, int]:
    """(Rθ)'(R V R')⁺(Rθ) of the G − 1 differences from the last group, and the rank of R V R'."""
    contrast = np.hstack([np.eye(len(estimate) - 1), -np.ones((len(estimate) - 1, 1))])
    value, covariance = contrast @ estimate, contrast @ vcov @ contrast.T
    scale = np.sqrt(np.diag(covariance))
    if not (scale > 0).all():
        what = "the estimates of two groups have no variance, or the same errors"
        raise EstimationError(
            Finding("no-positive-variance", what, listed(estimate.tolist()), "choose groups that differ in their units"), "groups"
        )
    root, vector = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = root > SINGULAR * root[-1]
    projected = vector[:, kept].T @ (value / scale)
    return float(np.sum(projected**2 / root[kept])), int(kept.sum())


def least_df(stacked: Stacked) -> float:
    """Degrees of freedom of the joint test: the least of those of the pairs."""
    count = len(stacked.estimate)
    return min(difference(stacked, a, b).df for a, b in combinations(range(count), 2))
