"""Differences between groups under permuted group labels (Fisher 1935; in the Chinese literature ``bdiff``, Lian & Liao 2017).

Adoption stays where it is; which group a unit belongs to is dealt out again, and the difference is estimated anew. Labels move

* within ``cohort`` (the default): among units with the same first treated period, and among those never treated. The null hypothesis is that, given when
  it was treated, a unit's group is irrelevant to its outcomes with and without treatment: equal effects, and equal paths.
* within ``status``: among treated units, and among those never treated. The null says more: that the groups do not differ by date of adoption either.

Whole units move, so that a unit's periods stay together and the number of treated units of each group is kept in every draw. (``bdiff`` permutes rows,
which tears units apart and lets treated and comparison rows change groups alike.) Under the null the p-value is exact up to the draws. The t statistic is the one
to rely on: in large samples it also tests the weaker null of equal average effects when groups differ in variance (Chung & Romano 2013, Annals of Statistics 41(2)).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.heterogeneity_batches import Batch, make_batch, no_batch
from hinterland.evaluate.heterogeneity_groups import GROUP, GroupFit, GroupFits
from hinterland.evaluate.heterogeneity_stacked import stack, wald
from hinterland.evaluate.inversion import invert
from hinterland.evaluate.permutation import Scheme, every_assignment, make_scheme, permutations
from hinterland.evaluate.placebo_space import MEMORY, without_always_treated
from hinterland.evaluate.randomisation import ENUMERATED, p_exact
from hinterland.evaluate.randomisation_loop import target
from hinterland.evaluate.regression import treatment
from hinterland.evaluate.threads import one_thread

Index = NDArray[np.intp]
Strata = Literal["cohort", "status"]


@dataclass(frozen=True, slots=True)
class Permuted:
    """Effects [R + 1, G] of the groups, and covariances [R + 1, G, G], under R relabellings; the actual labels first.

    ``enumerated``: these are all there are;  ``distinct``: how many ways there are to label the treated units;  ``batched``: no draw was a fit of its own.
    """

    estimate: Floats
    vcov: Floats
    enumerated: bool
    distinct: float
    batched: bool

    @property
    def draws(self) -> int:
        """Relabellings, the actual labels not counted."""
        return len(self.estimate) - 1


@dataclass(frozen=True, slots=True)
class PairTest:
    """Permutation p-values of one difference: by its t statistic, and by the difference itself; the constant differences that the test by t does not
    reject (NaN where not asked for or not defined, infinite where it never rejects).
    """

    p_value: float
    p_coefficient: float
    low: float
    high: float
    draws: int
    undefined: int
    distinct: float
    enumerated: bool
    batched: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What is permuted how: ``draws``, their ``seed``, the ``strata`` labels move within, and most draws for an estimator without a batch (``refits``)."""

    draws: int = 1000
    seed: int = 1
    strata: Strata = "cohort"
    refits: int = 1000
    level: float = 0.95


@one_thread()
def permute_pair(fits: GroupFits, method: str, options: Mapping[str, Any], request: Request, *, interval: bool) -> PairTest:
    """Test that two groups are the same. ``fits`` holds these two, the first less the second being the difference.

    The interval is that of a constant difference δ: were it true, y − δ D in the first group would be labelled at random. It needs a batch.

    Raises:
        EstimationError: treated units whose labels cannot move, or no batch and no draws for refitting.
    """
    plan = _plan(fits, method, options, request)
    found = _draw(plan, request)
    t = _statistic(found, 0, 1)
    low = high = float("nan")
    if interval and plan.batched and np.isfinite(t[0]):
        low, high = _interval(plan, found, request)
    d = found.estimate[:, 0] - found.estimate[:, 1]
    undefined = int(np.count_nonzero(~np.isfinite(t[1:])))
    return PairTest(p_exact(t), p_exact(d), low, high, found.draws, undefined, found.distinct, found.enumerated, found.batched)


@one_thread()
def permute_all(fits: GroupFits, method: str, options: Mapping[str, Any], request: Request) -> tuple[float, Permuted]:
    """p-value of the hypothesis that all groups are the same, by the Wald statistic, with labels dealt among all of them; and the draws."""
    found = _draw(_plan(fits, method, options, request), request)
    statistic = np.full(len(found.estimate), np.nan)
    for r, (estimate, vcov) in enumerate(zip(found.estimate, found.vcov, strict=True)):
        if np.isfinite(estimate).all() and np.isfinite(vcov).all():
            try:
                statistic[r] = wald(estimate, vcov)[0]
            except EstimationError:
                continue
    return p_exact(statistic), found


@dataclass(frozen=True, slots=True)
class _Plan:
    """The groups, the scheme by which their labels move, and whether a batch exists."""

    fits: GroupFits
    method: str
    options: Mapping[str, Any]
    scheme: Scheme
    distinct: float
    batched: bool


def _plan(fits: GroupFits, method: str, options: Mapping[str, Any], request: Request) -> _Plan:
    if method == "callaway-santanna":
        design, (of,) = without_always_treated(fits.design, method, fits.of)
        fits = replace(fits, design=design, of=of)
    reasons = no_batch(fits, method, dict(options))
    if reasons and request.refits < 1:
        raise EstimationError(reasons, "permutation")
    cohort = fits.design.cohort
    strata = np.unique(cohort if request.strata == "cohort" else cohort != NEVER, return_inverse=True)[1].ravel().astype(np.intp)
    treated = cohort != NEVER
    try:
        dealt = make_scheme(fits.of[treated], strata=np.unique(strata[treated], return_inverse=True)[1].ravel().astype(np.intp))
    except EstimationError as error:
        raise _not_exchangeable(fits, request) from error
    return _Plan(fits, method, options, make_scheme(fits.of, strata=strata), dealt.distinct, not reasons)


def _not_exchangeable(fits: GroupFits, request: Request) -> EstimationError:
    cohorts = [f"{g.label}: {', '.join(map(str, g.design.cohorts.tolist()))}" for g in fits.groups]
    alone = request.strata == "cohort"
    what = "no two groups have units first treated in the same period" if alone else "the treated units are all in one group"
    remedy = (
        'let labels move among all treated units (strata = "status"), or read the stacked difference'
        if alone
        else "read the stacked difference"
    )
    return EstimationError(Finding("treated-not-exchangeable", what, listed(cohorts, 6), remedy), "permutation")


def _draw(plan: _Plan, request: Request) -> Permuted:
    """Effects and covariances of the actual labels and of every draw."""
    draws = request.draws if plan.batched else min(request.draws, request.refits)
    exact = plan.scheme.distinct <= min(draws + 1, ENUMERATED)
    if not plan.batched:
        chunks = [every_assignment(plan.scheme)] if exact else list(permutations(plan.scheme, draws, request.seed, draws))
        parts = [_refitted(plan, assigned) for assigned in chunks]
        estimate, vcov = (np.concatenate(p) for p in zip(*parts, strict=True))
        return Permuted(estimate, vcov, exact, plan.distinct, batched=False)
    batch, numbers = make_batch(plan.fits, plan.method)
    estimate, vcov = _through(batch, _chunks(plan, draws, request.seed, numbers, exact=exact))
    return Permuted(estimate, vcov * _factor(plan, vcov[0]), exact, plan.distinct, batched=True)


def _chunks(plan: _Plan, draws: int, seed: int, numbers: int, *, exact: bool) -> Iterator[Index]:
    size = max(1, MEMORY // max(numbers, 1))
    if not exact:
        yield from permutations(plan.scheme, draws, seed, size)
        return
    every = every_assignment(plan.scheme)
    for start in range(0, len(every), size):
        yield every[start : start + size]


def _through(batch: Batch, chunks: Iterator[Index]) -> tuple[Floats, Floats]:
    estimate, vcov = (np.concatenate(p) for p in zip(*(batch(a) for a in chunks), strict=True))
    return estimate, vcov


def _factor(plan: _Plan, first: Floats) -> Floats:
    """[G, G] small-sample factors of the actual fits: numbers of rows, units and treated units of a group are the same in every draw."""
    actual = np.array([g.effects.vcov[0, 0] for g in plan.fits.groups])
    own = np.sqrt(np.divide(actual, np.diag(first), out=np.full_like(actual, np.nan), where=np.diag(first) > 0))
    return np.asarray(np.outer(own, own))


def _refitted(plan: _Plan, assigned: Index) -> tuple[Floats, Floats]:
    """The same by fitting every group of every draw."""
    count = len(plan.fits.groups)
    estimate, vcov = np.full((len(assigned), count), np.nan), np.full((len(assigned), count, count), np.nan)
    for r, labels in enumerate(assigned):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of samples that lack something, draw by draw
                stacked = stack(_relabelled(plan, labels), plan.method, plan.options)
        except EstimationError:
            continue
        estimate[r], vcov[r] = stacked.estimate, stacked.vcov
    return estimate, vcov


def _relabelled(plan: _Plan, labels: Index) -> GroupFits:
    design = replace(plan.fits.design, columns={**plan.fits.design.columns, GROUP: labels[plan.fits.design.unit]})
    groups = []
    for k, old in enumerate(plan.fits.groups):
        part = design.take((labels == k)[design.unit])
        groups.append(GroupFit(old.label, part, target(fit(part, plan.method, **plan.options), None)))
    return GroupFits(design, labels, tuple(groups), ())


def _statistic(found: Permuted, a: int, b: int) -> Floats:
    """[R + 1] t statistics of group ``a`` less group ``b``."""
    v = found.vcov
    return _ratio(found.estimate[:, a] - found.estimate[:, b], v[:, a, a] + v[:, b, b] - 2 * v[:, a, b])


def _ratio(value: Floats, variance: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(value / np.sqrt(np.where(variance > 0, variance, np.nan)))


def _interval(plan: _Plan, found: Permuted, request: Request) -> tuple[float, float]:
    """Constant differences not rejected: estimate and variance of y − δ z are linear and quadratic in δ, z being treatment in the first group."""
    design = plan.fits.design
    scale = float(design.y.std()) or 1.0
    z = treatment(design) * (plan.fits.of == 0)[design.unit] * scale
    other, both = (_again(plan, found, request, y) for y in (z, design.y + z))
    d = [f.estimate[:, 0] - f.estimate[:, 1] for f in (found, other)]
    v = [f.vcov[:, 0, 0] + f.vcov[:, 1, 1] - 2 * f.vcov[:, 0, 1] for f in (found, other, both)]
    shared = (v[2] - v[0] - v[1]) / 2

    def p_value(delta: float) -> float:
        effect = (float(d[0][0]) - delta) / scale
        return p_exact(_ratio(d[0] - effect * d[1], v[0] - 2 * effect * shared + effect**2 * v[1]))

    error = float(np.sqrt(v[0][0]))
    return invert(p_value, float(d[0][0]), error, 1 - request.level)


def _again(plan: _Plan, found: Permuted, request: Request, y: Floats) -> Permuted:
    """The same draws on another outcome, with the factors of the first."""
    batch, numbers = make_batch(plan.fits, plan.method, y)
    actual = make_batch(plan.fits, plan.method)[0](plan.fits.of[None, :])[1][0]
    estimate, vcov = _through(batch, _chunks(plan, found.draws, request.seed, numbers, exact=found.enumerated))
    return replace(found, estimate=estimate, vcov=vcov * _factor(plan, actual))


def pair_of(fits: GroupFits, a: int, b: int) -> GroupFits:
    """The two groups ``a`` and ``b`` alone, in this order."""
    inside = np.isin(fits.of, (a, b))
    design = fits.design.take(inside[fits.design.unit])
    place = np.where(fits.of[inside] == a, 0, 1).astype(np.intp)
    design = replace(design, columns={**design.columns, GROUP: place[design.unit]})
    return GroupFits(design, place, (fits.groups[a], fits.groups[b]), ())
