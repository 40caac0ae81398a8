"""Simultaneous confidence bands from influence functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.result import Band, Effects, Floats
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

Kind = Literal["multiplier", "analytic"]
Multiplier = Literal["rademacher", "mammen", "webb"]

_NORMAL_QUARTILE = 0.6744897501960817
_LUMPY = 1.25
_BLOCK = 2048
_CLUSTERS = 512
"""Clusters at a time: their multipliers stay in the cache, and need no fresh memory."""
ANALYTIC_DRAWS = 50_000
"""Least draws of the Gaussian limit: they cost little, and the critical value should not depend on the seed."""


@one_thread()
def add_band(
    effects: Effects,
    level: float = 0.95,
    *,
    kind: Kind = "multiplier",
    draws: int = 999,
    seed: int = 0,
    multiplier: Multiplier = "rademacher",
) -> Effects:
    """``effects`` with a band that covers all of its terms at once with probability ``level``.

    ``multiplier``: the influence function of each cluster is multiplied by independent draws of mean 0 and variance 1; standard
    errors are interquartile ranges over the normal one, and the critical value is a quantile of the largest t statistic
    (Callaway & Sant'Anna 2021, algorithm 1). Where a term rests on so few clusters that the draws are not bell-shaped (the ratio
    is more than 25 % off), its standard error is the exact one, with a note. The critical value is at least the pointwise one, as in R's
    ``did``: a band for all terms is no narrower than an interval for one. ``analytic``: the same quantile of the Gaussian limit with the estimated
    correlation (Montiel Olea & Plagborg-Møller 2019), by simulation with at least 50 000 draws; of the multivariate t where
    the effects have finite degrees of freedom.

    Terms without variance (reference terms, cells that could not be estimated) take no part.

    Raises:
        EstimationError: bad options; a multiplier band where the covariance is not that of the influence function (two-way
            clusters); nothing with a variance.
    """
    _fail_if_bad_options(level, kind, draws, multiplier)
    live = np.isfinite(effects.std_error)
    if not live.any():
        what = "no term has a standard error"
        raise EstimationError(Finding("no-variance", what, f"{effects.method}, {effects.outcome}", "see the notes of the effects"), "band")
    if kind == "analytic":
        critical = sup_t(effects.vcov[np.ix_(live, live)], level, max(draws, ANALYTIC_DRAWS), seed, effects.df)
        return replace(effects, band=Band(critical, level, kind, max(draws, ANALYTIC_DRAWS), seed=seed))
    _fail_if_not_from_influence(effects, live)
    sample = multiplier_draws(effects.influence if live.all() else effects.influence[:, live], draws, seed, multiplier)
    spread = np.quantile(sample, [0.25, 0.75], axis=0, method="inverted_cdf")
    exact = effects.std_error[live]
    ratio = (spread[1] - spread[0]) / (2 * _NORMAL_QUARTILE) / exact
    lumpy = (ratio < 1 / _LUMPY) | (ratio > _LUMPY)
    errors = np.full(len(live), np.nan)
    errors[live] = np.where(lumpy, 1.0, ratio) * exact
    largest = np.abs(sample / errors[live]).max(axis=1)
    drawn, pointwise = float(np.quantile(largest, level, method="inverted_cdf")), effects.critical(level)
    names = [name for name, is_live in zip(effects.terms.name, live.tolist(), strict=True) if is_live]
    few = [name for name, is_lumpy in zip(names, lumpy.tolist(), strict=True) if is_lumpy]
    notes = (Note("band-lumpy", {"count": len(few), "terms": listed(few, 12)}),) if few else ()
    if drawn < pointwise and live.sum() > 1:
        notes = (*notes, Note("band-pointwise", {"drawn": drawn, "pointwise": pointwise}))
    critical = max(drawn, pointwise)
    return replace(effects, band=Band(critical, level, kind, draws, errors, seed, multiplier), notes=(*effects.notes, *notes))


def _fail_if_bad_options(level: float, kind: str, draws: int, multiplier: str) -> None:
    findings = []
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"))
    if kind not in get_args(Kind):
        findings.append(Finding("unknown-band", f"band {kind!r} is not known", "argument kind", did_you_mean(str(kind), get_args(Kind))))
    if multiplier not in get_args(Multiplier):
        findings.append(
            Finding(
                "unknown-multiplier",
                f"multiplier {multiplier!r} is not known",
                "argument multiplier",
                did_you_mean(str(multiplier), get_args(Multiplier)),
            )
        )
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 99:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 99 or more, such as 999"))
    fail_if_any(findings, "band", EstimationError)


def fail_if_without_clusters(effects: Effects, what: str, remedy: str, subject: str) -> None:
    """Raise ``EstimationError`` where the rows of the influence function are no clusters: moments clustered by unit keep none."""
    if effects.meta.get("compressed"):
        said = f"{what} draws over clusters, which moments clustered by unit do not keep"
        raise EstimationError(Finding("not-from-influence", said, f"{effects.method}, {effects.outcome}", remedy), subject)


def _fail_if_not_from_influence(effects: Effects, live: NDArray[np.bool_]) -> None:
    fail_if_without_clusters(effects, "the multiplier bootstrap", "use kind='analytic', which simulates from the covariance", "band")
    implied = np.einsum("ij,ij->j", effects.influence, effects.influence)
    if not np.allclose(implied[live], np.diag(effects.vcov)[live], rtol=1e-6, atol=0):
        what = f"the covariance ({effects.meta.get('vcov', 'unknown')}) is not that of the influence function by cluster"
        where = f"{effects.method}, {effects.outcome}"
        raise EstimationError(
            Finding("not-from-influence", what, where, "use kind='analytic', which simulates from the covariance itself"), "band"
        )


def multiplier_draws(influence: Floats, draws: int, seed: int, multiplier: Multiplier = "rademacher") -> Floats:
    """[draws, p] sums of ``influence`` [C, p] times independent multipliers with mean 0 and variance 1.

    Works through blocks of clusters in single precision, so that memory stays below a few tens of MB; the same seed gives the
    same draws.
    """
    rng = np.random.default_rng(seed)
    scale = np.sqrt(np.einsum("ij,ij->j", influence, influence))
    total = np.zeros((draws, influence.shape[1]))
    for start in range(0, len(influence), _CLUSTERS):
        block = (influence[start : start + _CLUSTERS] / scale).astype(np.float32)
        total += _multipliers(rng, draws, len(block), multiplier) @ block
    if multiplier == "rademacher":
        total = 2 * total - (influence / scale).sum(axis=0)
    return np.asarray(total * scale)


def _multipliers(rng: np.random.Generator, draws: int, size: int, multiplier: Multiplier) -> NDArray[np.float32]:
    """[draws, size] multipliers; for ``rademacher`` fair bits b, which stand for 2b - 1."""
    if multiplier == "rademacher":
        width = -(-size // 8)
        packed = np.frombuffer(rng.bytes(draws * width), dtype=np.uint8).reshape(draws, width)
        return np.unpackbits(packed, axis=1, count=size).astype(np.float32)
    if multiplier == "webb":
        points = np.sqrt(np.array([1.5, 1.0, 0.5], dtype=np.float32))
        six: NDArray[np.float32] = np.concatenate([-points, points[::-1]])
        return np.asarray(six[rng.integers(0, 6, size=(draws, size), dtype=np.uint8)])
    root = np.sqrt(np.float32(5))
    low, high = (1 - root) / 2, (1 + root) / 2
    return np.asarray(np.where(rng.random((draws, size), dtype=np.float32) < high / root, low, high), dtype=np.float32)


def sup_t(vcov: Floats, level: float, draws: int, seed: int, df: float = np.inf) -> float:
    """The ``level`` quantile of the largest absolute t statistic under the Gaussian (t, if ``df`` is finite) limit with
    covariance ``vcov`` [p, p].
    """
    error = np.sqrt(np.diag(vcov))
    correlation = vcov / np.outer(error, error)
    values, vectors = np.linalg.eigh(correlation)
    # The root is symmetric, so that the draws do not depend on the arbitrary signs of the eigenvectors.
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    rng = np.random.default_rng(seed)
    largest = np.empty(draws)
    for start in range(0, draws, _BLOCK):
        z = rng.standard_normal((min(_BLOCK, draws - start), len(error))) @ root
        largest[start : start + _BLOCK] = np.abs(z).max(axis=1)
    if np.isfinite(df):
        largest /= np.sqrt(rng.chisquare(df, draws) / df)
    return float(np.quantile(largest, level))
