"""The difference between two estimates on overlapping samples, with a standard error that knows how they move together.

Both estimates are, to first order, sums over clusters of their influence functions ψ. So is their difference, with ψ_a − ψ_b, where a
cluster that one of them does not use counts as zero in it: Var = Σ_c (ψ_a,c − ψ_b,c)². Two separate standard errors would not do: the
estimates share most of their data (the idea of Hausman 1978, Econometrica 46(6), without the efficiency of either; Clogg, Petkova &
Haritou 1995, American Journal of Sociology 100(5)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from hinterland.evaluate.result import Effects, Floats

Reason = Literal["", "clusters-differ", "not-from-influence", "no-difference"]
IDENTICAL = 1e-8
"""A difference, or a standard error of it, below this share of the baseline's standard error is rounding."""
SUMMED = ("cluster", "jackknife")
"""Covariances that are the product of an influence function with a row for each cluster."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``estimate`` of the first less that of the second, its ``std_error`` and ``p_value`` (NaN where not defined).

    ``reason``: why there is none. ``clusters-differ``: the two are clustered by other columns; ``not-from-influence``: a covariance is not
    that of an influence function by cluster (several groupings, distance, draws); ``no-difference``: both are the same function of the data.
    """

    estimate: float
    std_error: float
    p_value: float
    reason: Reason = ""


def difference(changed: Effects, baseline: Effects) -> Difference:
    """The difference between the first terms of two results, tested against t with the smaller degrees of freedom of the two."""
    changed, baseline = (e.take(np.array([0])) for e in (changed, baseline))
    gap = float(changed.estimate[0] - baseline.estimate[0])
    reason = _reason(changed, baseline)
    if reason:
        return Difference(gap, float("nan"), float("nan"), reason)
    error = float(np.sqrt(np.sum(_stacked(changed, baseline) ** 2)))
    if min(error, abs(gap)) <= IDENTICAL * float(baseline.std_error[0]):
        return Difference(gap, float("nan"), float("nan"), "no-difference")
    t, df = abs(gap / error), min(changed.df, baseline.df)
    return Difference(gap, error, float(2 * (special.ndtr(-t) if np.isinf(df) else special.stdtr(df, -t))))


def _reason(changed: Effects, baseline: Effects) -> Reason:
    if not all(e.meta.get("vcov") in SUMMED and e.from_influence and np.isfinite(e.std_error[0]) for e in (changed, baseline)):
        return "not-from-influence"
    return "" if _clustered(changed) == _clustered(baseline) else "clusters-differ"


def _clustered(effects: Effects) -> tuple[str, ...]:
    """The columns that ``effects`` is clustered by."""
    named = effects.meta.get("cluster", "")
    return (named,) if isinstance(named, str) else tuple(named)


def _stacked(changed: Effects, baseline: Effects) -> Floats:
    """[C] influence of every cluster that either uses on the difference."""
    labels = np.union1d(changed.clusters, baseline.clusters)
    out = np.zeros(len(labels))
    np.add.at(out, np.searchsorted(labels, changed.clusters), changed.influence[:, 0])
    np.subtract.at(out, np.searchsorted(labels, baseline.clusters), baseline.influence[:, 0])
    return out
