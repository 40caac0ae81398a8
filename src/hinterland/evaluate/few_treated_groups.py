"""Tests from a few estimates, one per group: Ibragimov–Müller t tests, and sign changes.

Estimates of q groups that are independent and roughly normal, each with its own unknown variance, are enough for a t test with q − 1 degrees of freedom at
levels up to 8.3 % (Ibragimov & Müller 2010, Journal of Business & Economic Statistics 28(4)), for a comparison of two such samples (2016, Review of
Economics and Statistics 98(1)), and for a test by sign changes (Canay, Romano & Shaikh 2017, Econometrica 85(3)).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.few_treated_paths import Contributions
from hinterland.evaluate.inversion import invert
from hinterland.evaluate.randomisation_loop import target

Index = NDArray[np.intp]

SIGNS = 16
"""Groups up to which every vector of signs is used."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a test found: estimate, standard error, p-value, interval; ``count`` [2] groups used (treated and control in two samples)."""

    estimate: float
    std_error: float
    p_value: float
    low: float
    high: float
    count: tuple[int, int]
    drawn: Floats


def by_group(design: Design, estimator: str, groups: Index) -> tuple[Floats, int]:
    """The estimate within each group of units that has one, and the number of groups that have none."""
    found, lost = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for g in range(int(groups.max()) + 1):
            try:
                part = design.take((groups == g)[design.unit])
                if part.n_treated == 0 or part.n_periods < 2:
                    lost += 1
                    continue
                found.append(float(target(fit(part, estimator), None).estimate[0]))
            except EstimationError:
                lost += 1
    return np.array(found), lost


def fail_if_few(estimates: Floats, least: int, lost: int) -> None:
    """Raise when there are too few groups with an estimate for a test."""
    if len(estimates) >= least:
        return
    what = f"{len(estimates)} group(s) have both treated and comparison units; {lost} have not"
    remedy = f"name groups that contain both (groups=), at least {least} of them"
    raise EstimationError(Finding("few-groups", what, "argument groups", remedy), "few treated clusters")


def fail_if_alike(error: float, scale: float, what: str) -> None:
    """Raise where nothing differs, so that there is no variation to judge an estimate by."""
    if not error > 1e-12 * abs(scale):
        remedy = "choose an outcome that varies, or other groups"
        raise EstimationError(Finding("no-positive-variance", f"{what} do not differ at all", "outcome", remedy), "few treated clusters")


def cluster_t(estimates: Floats, null: float, level: float) -> Outcome:
    """The t test of Ibragimov & Müller (2010) on q estimates."""
    q = len(estimates)
    mean, error = float(estimates.mean()), float(estimates.std(ddof=1) / np.sqrt(q))
    fail_if_alike(error, mean, f"the estimates of {q} groups")
    p, half = _student(mean - null, error, q - 1, level)
    return Outcome(mean, error, p, mean - half, mean + half, (q, 0), estimates)


def two_samples(found: Contributions, design: Design, null: float, level: float) -> Outcome:
    """The comparison of Ibragimov & Müller (2016): the treated clusters' changes with those of the others, df = min(q₁, q₀) − 1.

    A cluster's change is its mean after adoption less its mean before, net of covariates at their pooled coefficients. All treated clusters must adopt at once,
    as a whole.
    """
    factor = design.clusters[0]
    first = np.bincount(factor.codes[design.treated & (design.period == design.n_periods - 1)], minlength=factor.size)
    whole = np.bincount(factor.codes[design.period == design.n_periods - 1], minlength=factor.size)
    if len(design.cohorts) > 1 or ((first > 0) & (first < whole)).any() or len(found.path) != factor.size:
        what = "clusters adopt at different times, or in part, so their changes are not comparable"
        remedy = "name groups that contain treated and comparison units (groups=), or use conley-taber"
        raise EstimationError(
            Finding("several-adoptions", what, f"{int(found.treated.sum())} treated clusters", remedy), "few treated clusters"
        )
    after = design.periods >= design.cohorts[0]
    change = found.path @ (after / after.sum() - ~after / (~after).sum())
    treated = found.treated
    one, none = change[treated & found.complete], change[~treated & found.complete]
    if min(len(one), len(none)) < 2:
        what = f"{len(one)} treated and {len(none)} other clusters are observed throughout"
        raise EstimationError(
            Finding("few-groups", what, "clusters", "the comparison needs two of each: use conley-taber"), "few treated clusters"
        )
    error = float(np.sqrt(one.var(ddof=1) / len(one) + none.var(ddof=1) / len(none)))
    fail_if_alike(error, float(np.abs(change[np.isfinite(change)]).max()), "the changes of the clusters")
    estimate = found.estimate + float(one.mean() - none.mean())
    p, half = _student(estimate - null, error, min(len(one), len(none)) - 1, level)
    return Outcome(estimate, error, p, estimate - half, estimate + half, (len(one), len(none)), change)


def _student(distance: float, error: float, df: int, level: float) -> tuple[float, float]:
    from scipy import special

    return float(2 * special.stdtr(df, -abs(distance) / error)), float(special.stdtrit(df, 0.5 + level / 2) * error)


def sign_changes(estimates: Floats, null: float, level: float, draws: int, seed: int) -> Outcome:
    """The randomisation test by changes of sign: |t| of the q estimates less the null value, under every vector of signs."""
    q = len(estimates)
    if q <= SIGNS:
        codes = np.arange(2 ** (q - 1))
        signs = 1.0 - 2.0 * ((codes[:, None] >> np.arange(q)) & 1)
    else:
        signs = np.concatenate([np.ones((1, q)), np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, q))])
    mean, error = float(estimates.mean()), float(estimates.std(ddof=1) / np.sqrt(q))
    fail_if_alike(error, mean, f"the estimates of {q} groups")

    def p_value(delta: float) -> float:
        distance = _ratio(signs * (estimates - mean + delta))
        return float(np.mean(distance >= distance[0] * (1 - 1e-10)))

    low, high = invert(p_value, mean, error, 1 - level)
    return Outcome(mean, error, p_value(mean - null), low, high, (q, 0), _ratio(signs * (estimates - null)))


def _ratio(values: Floats) -> Floats:
    """[R] |mean| over the root mean square, which orders vectors of signs as |t| does."""
    return np.asarray(np.abs(values.mean(axis=1)) / np.sqrt((values**2).mean(axis=1)))
