"""The border effect: how much more regions trade with themselves than distance and the sizes of both ends explain.

    E[T_pqg] = exp(μ_pg + ν_qg + θ ln d_pq + β·1{p = q})

by Poisson pseudo-maximum likelihood (Santos Silva & Tenreyro 2006, Review of Economics and Statistics 88(4)), with exporter and importer effects in
each layer g (a good, a period, or a good in a period), which stand for multilateral resistance (Anderson & van Wincoop 2003, American Economic Review
93(1)). β is home bias (McCallum 1995, American Economic Review 85(3); Poncet 2003, China Economic Review 14(1)); exp(β/(σ − 1)) − 1 is the tariff that
would do the same at an elasticity of substitution σ.

Iteratively reweighted least squares, with the effects of every layer projected out exactly (:class:`~hinterland.measure.two_way.TwoWay`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding
from hinterland.measure.two_way import TwoWay

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CONVERGED = 1e-12
ITERATIONS = 200
RECTIFIER_WEIGHT = 1e7
RECTIFIER_ZERO = 1e-5
COLLINEAR = 1e-9
PERFECT = 1e-8
"""Observations with less than this of themselves left are fitted exactly and say nothing about the errors."""


@dataclass(frozen=True, slots=True)
class BorderEffect:
    """An estimated gravity equation.

    Attributes:
        names: the regressors, ``border`` first.
        estimate: their coefficients.
        robust, clustered: standard errors, heteroskedasticity-robust and clustered by unordered pair of regions, as software computes them.
        leverage: clustered by pair with each residual divided by one less its leverage. Flows of a region to itself are far larger than the others and
            pull the fit towards themselves, so that the other two are much too small.
        n_used: flows used, zeros among them;  zeros: how many of them are zero;  pairs: unordered pairs of regions among them.
        used: [G, P, P] flows used.
        zero_margin: [G, P, P] flows left out because their exporter sells, or their importer buys, nothing in that layer.
        separated: [G, P, P] zeros left out because the regressors predict them perfectly.
        iterations: steps taken.
    """

    names: tuple[str, ...]
    estimate: Floats
    robust: Floats
    clustered: Floats
    leverage: Floats
    n_used: int
    zeros: int
    pairs: int
    used: Flags
    zero_margin: Flags
    separated: Flags
    iterations: int


def border_effect(flow: Floats, distance: Floats) -> BorderEffect:
    """Estimate β and θ.

    Args:
        flow: [G, P, P] from region p to region q in layer g, not negative, NaN where not observed; the diagonal is a region's sales to itself.
        distance: [P, P] positive, the diagonal a region's distance to itself; NaN leaves the pair out.

    Raises:
        EstimationError: no flow of a region to itself, or none between regions; β separated or not identified; no convergence.
    """
    known = np.isfinite(flow) & np.isfinite(distance)
    y = np.where(known, flow, 0.0)
    own = np.broadcast_to(np.eye(len(distance)), y.shape)
    used, margin = _without_zero_margins(y, known)
    _fail_if_border_separated(y, used, own > 0)
    x = np.stack([own, np.broadcast_to(np.log(np.where(np.isfinite(distance), distance, 1.0)), y.shape)])
    lost = _separated(y, used, x)
    kept, more = _without_zero_margins(y, used & ~lost)
    _fail_if_border_separated(y, kept, own > 0)
    fitted = _fit(y, kept, x)
    pair = _pairs(kept)
    return BorderEffect(
        names=("border", "distance"),
        estimate=fitted.estimate,
        **_standard_errors(fitted, kept, pair),
        n_used=int(kept.sum()),
        zeros=int((kept & (y == 0)).sum()),
        pairs=int(pair.max()) + 1,
        used=kept,
        zero_margin=margin | more,
        separated=lost,
        iterations=fitted.iterations,
    )


def tariff_equivalent(beta: Floats, sigma: float) -> Floats:
    """exp(β/(σ − 1)) − 1: the ad valorem tariff on trade with others that would give the home bias β."""
    return np.asarray(np.expm1(beta / (sigma - 1)))


def _without_zero_margins(y: Floats, known: Flags) -> tuple[Flags, Flags]:
    """Observations left when exporters that sell nothing and importers that buy nothing are taken out, again and again; and those taken out."""
    used = known
    while True:
        positive = (y > 0) & used
        alive = np.asarray(used & np.any(positive, axis=2, keepdims=True) & np.any(positive, axis=1, keepdims=True))
        if alive.sum() == used.sum():
            return used, known & ~used
        used = alive


def _fail_if_border_separated(y: Floats, used: Flags, own: Flags) -> None:
    for side, word, remedy in (
        (own, "of a region to itself", "add each region's sales to itself (output less exports), which the border is measured against"),
        (~own, "between regions", "add flows between different regions"),
    ):
        if not (used & side & (y > 0)).any():
            raise EstimationError(
                Finding("border-separated", f"no positive flow {word} is left", f"{int(used.sum())} usable flows", remedy), "flows"
            )


def _separated(y: Floats, used: Flags, x: Floats) -> Flags:
    """Zeros that a combination of regressors and effects predicts perfectly: the iterative rectifier of Correia, Guimarães & Zylkin (2019, algorithm 1)."""
    zero = np.asarray(used & (y == 0))
    if not zero.any():
        return zero
    projection = TwoWay.of(np.where(zero, 1.0, RECTIFIER_WEIGHT) * used)
    within = np.stack([projection.off(c) for c in x])
    weight = projection.weight
    target = zero.astype(np.float64)
    for _ in range(1000):
        moved = projection.off(target)
        slope = np.linalg.lstsq(_gram(within, weight), np.einsum("kgpq,gpq->k", within, weight * moved), rcond=COLLINEAR)[0]
        fitted = np.where(used, target - (moved - np.tensordot(slope, within, 1)), 0.0)
        fitted[np.abs(fitted) < RECTIFIER_ZERO] = 0.0
        if (fitted >= 0).all():
            return np.asarray(fitted > 0, dtype=np.bool_)
        target = np.maximum(fitted, 0.0)
    return np.zeros_like(zero)


def _gram(x: Floats, weight: Floats) -> Floats:
    return np.asarray(np.einsum("kgpq,lgpq->kl", x * weight, x))


@dataclass(frozen=True, slots=True)
class _Fitted:
    estimate: Floats
    score: Floats
    leverage: Floats
    bread: Floats
    rank: int
    iterations: int


def _fit(y: Floats, used: Flags, x: Floats) -> _Fitted:
    """Reweight until the deviance changes by less than 1e-12 of itself; one more step at the final weights gives coefficients and scores."""
    eta = np.where(used, np.log((y + y[used].mean()) / 2), 0.0)
    last, done = np.inf, False
    for iteration in range(1, ITERATIONS + 1):
        mu = np.exp(eta) * used
        projection = TwoWay.of(mu)
        working = np.where(used, eta + np.divide(y - mu, mu, out=np.zeros_like(y), where=used), 0.0)
        within = np.stack([projection.off(c) for c in x])
        gram = _gram(within, mu)
        _fail_if_collinear(gram, x, mu)
        moved = projection.off(working)
        estimate = np.linalg.solve(gram, np.einsum("kgpq,gpq->k", within, mu * moved))
        if done:
            bread = np.asarray(np.linalg.inv(gram), dtype=np.float64)
            leverage = projection.leverage() + mu * np.einsum("kgpq,kl,lgpq->gpq", within, bread, within)
            return _Fitted(estimate, within * (y - mu) * used, leverage, bread, int(projection.rank.sum()) + len(x), iteration)
        eta, deviance = _step(y, used, eta, working - (moved - np.tensordot(estimate, within, 1)), last)
        done = abs(deviance - last) <= CONVERGED * (0.1 + deviance)
        last = deviance
    what = f"the Poisson regression did not converge in {ITERATIONS} steps (deviance {last:g})"
    where = f"{int(used.sum())} flows, {int((used & (y == 0)).sum())} of them zero"
    raise EstimationError(
        Finding("not-converged", what, where, "look for flows that are larger than all others by orders of magnitude"), "flows"
    )


def _step(y: Floats, used: Flags, before: Floats, after: Floats, last: float) -> tuple[Floats, float]:
    """The new linear predictor and its deviance, halved back towards the old one while the deviance rises."""
    for _ in range(20):
        deviance = _deviance(y, used, after)
        if np.isfinite(deviance) and deviance <= last * (1 + 1e-9) + 1e-9:
            break
        after = (before + after) / 2
    return after, deviance


def _deviance(y: Floats, used: Flags, eta: Floats) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        mu = np.exp(eta[used])
    flow = y[used]
    positive = flow > 0
    terms = mu - flow
    terms[positive] += flow[positive] * (np.log(flow[positive]) - eta[used][positive])
    return float(2 * terms.sum())


def _fail_if_collinear(gram: Floats, x: Floats, weight: Floats) -> None:
    """β and θ must vary within exporters and importers, and not together."""
    total = np.sqrt(np.maximum((x**2 * weight).sum(axis=(1, 2, 3)), np.finfo(np.float64).tiny))
    if np.linalg.eigvalsh(gram / np.outer(total, total))[0] < COLLINEAR:
        count = int((weight.sum(axis=(0, 2)) > 0).sum())
        what = "border and distance cannot be told apart from the effects of exporters and importers"
        remedy = "give flows among at least three regions whose distances differ, own flows among them"
        raise EstimationError(Finding("border-not-identified", what, f"{count} exporting regions", remedy), "flows")


def _pairs(used: Flags) -> NDArray[np.int64]:
    """[n] the unordered pair of regions of each observation, numbered from 0."""
    p, q = np.nonzero(used)[1:]
    return np.unique(np.minimum(p, q) * used.shape[1] + np.maximum(p, q), return_inverse=True)[1].astype(np.int64)


def _standard_errors(fitted: _Fitted, used: Flags, pair: NDArray[np.int64]) -> dict[str, Floats]:
    """Robust, with n/(n − k); clustered, with G/(G − 1)·(n − 1)/(n − k); by leverage, with neither. k counts the effects."""
    n, groups = len(pair), int(pair.max()) + 1
    spare = max(n - fitted.rank, 0)
    small = n / spare if spare else np.nan
    large = groups / (groups - 1) * (n - 1) / spare if spare and groups > 1 else np.nan
    scores = fitted.score[:, used]
    free = 1 - fitted.leverage[used]
    corrected = np.divide(scores, free, out=np.zeros_like(scores), where=free > PERFECT)

    def errors(s: Floats, factor: float) -> Floats:
        return np.asarray(np.sqrt(factor * np.diag(fitted.bread @ (s @ s.T) @ fitted.bread)))

    def sums(s: Floats) -> Floats:
        return np.stack([np.bincount(pair, weights=row, minlength=groups) for row in s])

    return {
        "robust": errors(scores, small),
        "clustered": errors(sums(scores), large),
        "leverage": errors(sums(corrected), 1.0 if spare else np.nan),
    }
