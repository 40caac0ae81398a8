"""Equivalence tests of the estimates before treatment: evidence that deviations are small, not a failure to see that they are large.

Dette & Schumann (2024), Journal of Business & Economic Statistics; the non-inferiority view of Bilinski & Hatfield (2018).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.bands import fail_if_without_clusters
from hinterland.evaluate.honest.event_path import EventPath, event_path
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

__all__ = ["Equivalence", "equivalence_test", "non_inferiority"]

Floats = NDArray[np.float64]
Statistic = Literal["max", "mean", "rms"]
Method = Literal["intersection-union", "bootstrap"]

_FRACTIONS = np.array([0.2, 0.4, 0.6, 0.8])
_PIVOT_DRAWS = 400_000


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A test whose null hypothesis is that deviations are at least ``threshold``.

    Attributes:
        method: estimator id;  outcome: name of the outcome.
        statistic: ``max`` (largest absolute deviation before treatment), ``mean`` (absolute mean), ``rms`` (root mean square), or
            ``trend`` (change of the average effect when a linear difference in trends is allowed for).
        test: ``intersection-union``, ``bootstrap``, ``folded-normal`` or ``self-normalised``.
        estimate: the statistic;  level: size of the test;  n_leads: estimates before treatment.
        smallest_threshold: the smallest threshold at which the test rejects, that is, at which deviations are shown to be smaller.
        threshold: the one given (``nan``: none);  p_value: at it (``nan`` where the test has none);  established: whether the test rejects.
        notes: in words.
    """

    method: str
    outcome: str
    statistic: str
    test: str
    estimate: float
    level: float
    n_leads: int
    smallest_threshold: float
    threshold: float
    p_value: float
    established: bool | None
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        return f"Equivalence({self.method}, {self.outcome}, {self.statistic} {self.estimate:.4g}: smaller than {self.smallest_threshold:.4g} at {self.level:g})"

    def tidy(self) -> pl.DataFrame:
        """One row with every field but the notes."""
        names = (
            "method", "outcome", "statistic", "test", "estimate", "level", "n_leads", "smallest_threshold", "threshold", "p_value", "established",
        )  # fmt: skip
        frame = pl.DataFrame({name: [getattr(self, name)] for name in names}, schema_overrides={"established": pl.Boolean})
        return frame.with_columns(pl.col("threshold", "p_value").fill_nan(None))


@one_thread()
def equivalence_test(
    effects: Effects,
    threshold: float | None = None,
    *,
    statistic: Statistic = "max",
    method: Method = "intersection-union",
    min_e: int | None = None,
    level: float = 0.05,
    draws: int = 2000,
    seed: int = 0,
) -> Equivalence:
    """Test whether deviations before treatment are smaller than ``threshold``, and find the smallest threshold for which that is shown.

    Args:
        effects: event-time or group-time effects (see :func:`hinterland.evaluate.honest.event_path.event_path`).
        threshold: the largest deviation that would not matter, in units of the outcome.
        statistic: ``max``: every estimate's folded-normal test must reject (intersection-union), or the bootstrap of the largest one,
            which has more power; ``mean``: a folded-normal test; ``rms``: self-normalised by estimates on growing parts of the
            clusters, taken in an order that ``seed`` draws.
        method: for ``max``: ``intersection-union`` or ``bootstrap``.
        min_e: leave out earlier event times.
        level: size of the test;  draws, seed: of the bootstrap, and of the clusters' order.

    Raises:
        EstimationError: bad options, effects without a path over event times; for ``rms`` a covariance that is not that of the influence function.
    """
    _fail_if_bad_options(statistic, method, level, threshold, draws)
    path = event_path(effects, min_e)
    estimates, vcov = path.estimates[: path.pre], path.vcov[: path.pre, : path.pre]
    given = float("nan") if threshold is None else float(threshold)
    p_value = float("nan")
    if statistic == "max" and method == "bootstrap":
        name, value = "bootstrap", float(np.abs(estimates).max())
        smallest = _bootstrap_threshold(estimates, vcov, level, draws, seed=seed)
    elif statistic == "max":
        name, value = "intersection-union", float(np.abs(estimates).max())
        errors = np.sqrt(np.diag(vcov))
        smallest = max(folded_threshold(float(b), float(s), level) for b, s in zip(estimates, errors, strict=True))
        p_value = max(folded_probability(float(b), given, float(s)) for b, s in zip(estimates, errors, strict=True))
    elif statistic == "mean":
        name, value = "folded-normal", float(abs(estimates.mean()))
        error = float(np.sqrt(vcov.mean()))
        smallest, p_value = folded_threshold(value, error, level), folded_probability(value, given, error)
    else:
        name, value = "self-normalised", float(np.sqrt(np.mean(estimates**2)))
        smallest = _rms_threshold(effects, path, level, seed)
    return _result(path, (statistic, name), value, smallest, level=level, threshold=given, p_value=p_value)


@one_thread()
def non_inferiority(
    effects: Effects, threshold: float | None = None, *, min_e: int | None = None, max_e: int | None = None, level: float = 0.05
) -> Equivalence:
    """How far the average effect can move when a linear difference in trends is allowed for (Bilinski & Hatfield 2018).

    The trend is fitted by least squares, through zero at the reference, to the estimates before treatment; the change of the average
    over event times from 0 on is linear in them. The smallest threshold is the largest absolute value in its 1 - 2 ``level`` interval.

    Raises:
        EstimationError: bad options, or effects without a path over event times.
    """
    _fail_if_bad_options("mean", "intersection-union", level, threshold, 999)
    from scipy import special

    path = event_path(effects, min_e, max_e)
    distance = (path.times - path.reference).astype(np.float64)
    before, after = distance[: path.pre], distance[path.pre :][path.times[path.pre :] >= 0]
    weights = before / (before @ before) * after.mean()
    change = float(weights @ path.estimates[: path.pre])
    error = float(np.sqrt(weights @ path.vcov[: path.pre, : path.pre] @ weights))
    smallest = abs(change) + float(special.ndtri(1 - level)) * error
    given = float("nan") if threshold is None else float(threshold)
    p_value = float(special.ndtr((abs(change) - given) / error))
    note = Note("non-inferiority", {"change": -change, "threshold": smallest, "size": level})
    found = _result(path, ("trend", "non-inferiority"), abs(change), smallest, level=level, threshold=given, p_value=p_value)
    return replace(found, notes=(*path.notes, note))


def _result(
    path: EventPath, names: tuple[str, str], value: float, smallest: float, *, level: float, threshold: float, p_value: float
) -> Equivalence:
    established = None if np.isnan(threshold) else bool(smallest < threshold)
    words: dict[str, str | int | float] = {"statistic": names[0], "size": level}
    if established is None:
        note = Note("equivalence-summary", {"statistic": names[0], "level": 1 - level, "threshold": smallest})
    elif established:
        note = Note("equivalence-established", {**words, "threshold": threshold})
    else:
        note = Note("equivalence-not-established", {**words, "threshold": threshold})
    return Equivalence(
        method=path.method,
        outcome=path.outcome,
        statistic=names[0],
        test=names[1],
        estimate=value,
        level=level,
        n_leads=path.pre,
        smallest_threshold=smallest,
        threshold=threshold,
        p_value=p_value,
        established=established,
        notes=(*path.notes, note),
    )


def folded_probability(value: float, centre: float, error: float) -> float:
    """P(|N(centre, error²)| ≤ |value|)."""
    from scipy import special

    value = abs(value)
    return float(special.ndtr((value - centre) / error) - special.ndtr((-value - centre) / error))


def folded_threshold(value: float, error: float, level: float) -> float:
    """The smallest δ such that |value| is below the ``level`` quantile of |N(δ, error²)|; 0 where it is for every δ."""
    from scipy import optimize

    if folded_probability(value, 0.0, error) <= level:
        return 0.0
    high = abs(value) + 40 * error
    return float(optimize.brentq(lambda d: folded_probability(value, d, error) - level, 0.0, high, xtol=1e-12 * high))


def _bootstrap_threshold(estimates: Floats, vcov: Floats, level: float, draws: int, *, seed: int) -> float:
    """The smallest δ for which max|β̂| is below the ``level`` quantile of max|β*|, β* ~ N(β_c, V), β_c the estimate under max|β| = δ."""
    from scipy import optimize

    values, vectors = np.linalg.eigh(vcov)
    half = np.random.default_rng(seed).standard_normal((-(-draws // 2), len(estimates)))
    noise = np.vstack([half, -half]) @ ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
    largest = float(np.abs(estimates).max())

    def short(threshold: float) -> float:
        centre = _constrained(estimates, vcov, threshold)
        return float(np.quantile(np.abs(centre + noise).max(axis=1), level, method="inverted_cdf")) - largest

    if short(largest) >= 0:
        return largest
    high = largest + 40 * float(np.sqrt(np.diag(vcov).max()))
    return float(optimize.brentq(short, largest, high, xtol=1e-8 * high))


def _constrained(estimates: Floats, vcov: Floats, threshold: float) -> Floats:
    """The estimate nearest in the metric of the covariance with largest absolute value ``threshold``; itself where it is larger."""
    if np.abs(estimates).max() >= threshold:
        return estimates
    error = np.sqrt(np.diag(vcov))
    sign = np.where(estimates >= 0, 1.0, -1.0)
    move = sign * threshold - estimates
    for j in np.argsort(np.abs(move) / error):
        candidate = estimates + vcov[:, j] / vcov[j, j] * move[j]
        if np.abs(candidate).max() <= threshold * (1 + 1e-12):
            return np.asarray(candidate)
    j = int(np.argmin(np.abs(move) / error))
    return np.asarray(np.clip(estimates + vcov[:, j] / vcov[j, j] * move[j], -threshold, threshold))


def _rms_threshold(effects: Effects, path: EventPath, level: float, seed: int) -> float:
    """√(β̂²_rms - Q(level) V): V compares the mean square on growing parts of the clusters with that on all (their section 3.3).

    Estimates on a part are those on all plus the mean influence of the part.
    """
    influence = _lead_influence(effects, path)
    order = np.random.default_rng(seed).permutation(len(influence))
    sums = np.cumsum(influence[order], axis=0)
    estimates = path.estimates[: path.pre]
    whole = float(np.mean(estimates**2))
    squares = []
    for share in _FRACTIONS:
        count = max(int(share * len(order)), 1)
        squares.append(float(np.mean((estimates + sums[count - 1] * len(order) / count - sums[-1]) ** 2)))
    spread = float(np.sqrt(np.mean((np.array(squares) - whole) ** 2)))
    return float(np.sqrt(whole - _pivot_quantile(level) * spread))


def _lead_influence(effects: Effects, path: EventPath) -> Floats:
    """[C, pre] influence of the estimates before treatment, where they are those of the effects themselves."""
    fail_if_without_clusters(effects, "the mean-square statistic", "use statistic='max' or 'mean'", "equivalence")
    influence = path.influence[:, : path.pre]
    implied, vcov = influence.T @ influence, path.vcov[: path.pre, : path.pre]
    if not np.allclose(implied, vcov, rtol=1e-5, atol=1e-8 * float(np.diag(vcov).max())):
        what = f"the covariance ({effects.meta.get('vcov', 'unknown')}) is not that of the influence function by cluster"
        raise EstimationError(
            Finding("not-from-influence", what, f"{path.method} on {path.outcome!r}", "use statistic='max' or 'mean'"), "equivalence"
        )
    return influence


@cache
def _pivot_quantile(level: float) -> float:
    """The ``level`` quantile of B(1) / (mean over λ of (B(λ)/λ - B(1))²)^½, B Brownian motion, λ = 0.2, …, 0.8, by simulation."""
    steps = np.random.default_rng(20240101).standard_normal((_PIVOT_DRAWS, len(_FRACTIONS) + 1)) * np.sqrt(0.2)
    motion = np.cumsum(steps, axis=1)
    spread = np.sqrt(np.mean((motion[:, :-1] / _FRACTIONS - motion[:, -1:]) ** 2, axis=1))
    # The law is symmetric about zero.
    return -float(np.quantile(np.abs(motion[:, -1] / spread), 1 - 2 * level)) if level < 0.5 else 0.0


def _fail_if_bad_options(statistic: str, method: str, level: float, threshold: float | None, draws: int) -> None:
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"argument {name}", did_you_mean(str(value), known))
        for name, value, known in (("statistic", statistic, get_args(Statistic)), ("method", method, get_args(Method)))
        if value not in known
    ]
    if not 0 < level < 0.5:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability below one half, such as 0.05"))
    if threshold is not None and not (np.isfinite(threshold) and threshold > 0):
        findings.append(Finding("bad-threshold", f"threshold is {threshold!r}", "argument threshold", "give a positive number"))
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 999:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 999 or more"))
    fail_if_any(findings, "equivalence", EstimationError)
