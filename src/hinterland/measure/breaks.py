"""Structural breaks of short series: the partitions that fit best, how many breaks to take, and tests of one more.

Bai & Perron (1998, Econometrica 66; 2003, Journal of Applied Econometrics 18); Liu, Wu & Zidek (1997, Statistica Sinica 7) for LWZ. A break is named by
the last period of the old regime. Arrays: N series are rows, T periods columns; a stretch is [start, end), its end left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.break_tests import Level, critical_values
from hinterland.measure.division import ratio

__all__ = [
    "Breaks",
    "Criterion",
    "Partitions",
    "bic",
    "breaks",
    "line_ssr",
    "lwz",
    "partitions",
    "regressors",
    "segment_ssr",
    "shortest",
    "sup_f_sequence",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Criterion = Literal["bic", "lwz", "sequential"]
Model = Literal["mean", "trend"]

_EXACT = 1e-24
"""Sums of squared residuals below this part of the sum of squares are rounding."""
_CELLS = 4_000_000
"""Cells of the tables of stretches that are held at once."""


def shortest(periods: int, trimming: float = 0.15, parameters: int = 1) -> int:
    """Shortest regime h: the part ``trimming`` of ``periods``, rounded down; at least 3, and at least ``parameters`` + 1."""
    return max(3, parameters + 1, int(np.floor(trimming * periods + 1e-9)))


def regressors(periods: int, model: Model = "mean") -> Floats:
    """What shifts at a break, [T, q]: a constant (``mean``), or a constant and a linear trend (``trend``)."""
    t = np.arange(periods, dtype=np.float64)
    return np.ones((periods, 1)) if model == "mean" else np.column_stack([np.ones(periods), t - t.mean()])


def segment_ssr(y: Floats, x: Floats, h: int) -> Floats:
    """Sum of squared residuals of y [N, T] on x [T, q] over every stretch, [N, T + 1, T + 1] by start and end; infinite where shorter than ``h``.

    Sums of squared recursive residuals (Brown, Durbin & Evans 1975), which are the same linear map of every series.
    """
    n, periods = y.shape
    x = np.asarray(x, dtype=np.float64)
    out = np.full((n, periods + 1, periods + 1), np.inf)
    floor = _EXACT * (y**2).sum(axis=1)[:, None]
    for start, weights in enumerate(_maps(np.ascontiguousarray(x).tobytes(), x.shape, h)):
        ssr = ((y[:, start:] @ weights) ** 2).cumsum(axis=1)[:, h - 1 :]
        out[:, start, start + h :] = np.where(ssr > floor, ssr, 0.0)
    return out


@lru_cache(maxsize=32)
def _maps(content: bytes, shape: tuple[int, int], h: int) -> tuple[Floats, ...]:
    """Weights from every start on, for the regressors with this content: many panels have the same."""
    x = np.frombuffer(content).reshape(shape)
    return tuple(_recursive(x[start:]) for start in range(shape[0] - h + 1))


def _recursive(x: Floats) -> Floats:
    """Weights of the recursive residuals of a series on x [L, q], [L, L], a residual per column; zero where an observation only adds to the rank."""
    length = len(x)
    earlier = np.tri(length, k=-1)
    inverse = np.linalg.pinv(earlier[:, :, None] * x[None, :, :])
    fitted = np.einsum("tq,tqs->ts", x, inverse) * earlier
    spanned = np.linalg.norm(x - fitted @ x, axis=1) <= 1e-9 * np.linalg.norm(x, axis=1)
    scale = np.where(spanned, 1 / np.sqrt(1 + (fitted**2).sum(axis=1)), 0.0)
    return np.asarray(((np.eye(length) - fitted) * scale[:, None]).T, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Partitions:
    """The best partitions of N series by number of breaks m = 0…M.

    ``ssr``: [N, M + 1], infinite where m breaks do not fit;  ``last``: [N, M + 1, M] position of the last period of each old regime, -1 beyond the m-th.
    """

    ssr: Floats
    last: Ints


def partitions(cost: Floats, max_breaks: int) -> Partitions:
    """Partitions with least total cost, by dynamic programming over ``cost`` [N, T + 1, T + 1] (:func:`segment_ssr`).

    Of partitions that cost the same, the one whose last break is earliest, then the one before it.
    """
    n, end = cost.shape[0], cost.shape[1] - 1
    best, came = [cost[:, 0, :]], []
    for _ in range(max_breaks):
        total = best[-1][:, :, None] + cost
        came.append(total.argmin(axis=1))
        best.append(np.take_along_axis(total, came[-1][:, None, :], axis=1)[:, 0, :])
    last = np.full((n, max_breaks + 1, max_breaks), -1, dtype=np.int64)
    rows = np.arange(n)
    for m in range(1, max_breaks + 1):
        at = np.full(n, end)
        for k in range(m, 0, -1):
            at = came[k - 1][rows, at]
            last[:, m, k - 1] = at - 1
    ssr = np.stack([b[:, end] for b in best], axis=1)
    return Partitions(ssr, np.where(np.isfinite(ssr)[:, :, None], last, -1))


def bic(ssr: Floats, observations: int, parameters: Floats) -> Floats:
    """T(ln(SSR/T) + 1 + ln 2π) + p ln T, with p = ``parameters``: coefficients, dates and the variance (the convention of strucchange).

    For one series p = (q + 1)(m + 1). NaN where nothing is left to explain, or the breaks do not fit.
    """
    return np.asarray(
        observations * (_log(ssr / observations) + 1 + np.log(2 * np.pi)) + parameters * np.log(observations), dtype=np.float64
    )


def line_ssr(y: Floats) -> Floats:
    """Sum of squared residuals of y [N, T] on one straight line without breaks, [N]."""
    basis = np.linalg.qr(regressors(y.shape[1], "trend"))[0]
    ssr = ((y - y @ basis @ basis.T) ** 2).sum(axis=1)
    return np.where(ssr > _EXACT * (y**2).sum(axis=1), ssr, 0.0)


def lwz(ssr: Floats, observations: int, parameters: Floats, *, charge: Floats | None = None) -> Floats:
    """Information criterion ln(SSR/(T - p)) + 0.299 p (ln T)^2.1/T of Liu, Wu & Zidek (1997), with p = coefficients and dates, (m + 1)q + m for one series.

    ``charge``: in place of p (ln T)^2.1. NaN where nothing is left to explain, or p ≥ T.
    """
    paid = parameters * np.log(observations) ** 2.1 if charge is None else charge
    return np.asarray(_log(ratio(ssr, observations - parameters)) + 0.299 * paid / observations, dtype=np.float64)


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(np.where(np.isfinite(values) & (values > 0), values, np.nan)), dtype=np.float64)


def sup_f_sequence(cost: Floats, found: Partitions, q: int) -> Floats:
    """supF(l + 1|l) for l = 0…M - 1, [N, M]: the largest F of one more break within one of the l + 1 regimes, the breaks of the best partition given.

    F = (n - 2q)(SSR - SSR₁)/SSR₁ of each regime of n periods, on the scale of Wald (not divided by q), as the tables are. Infinite where the further break leaves nothing;
    NaN where no regime has room for another. The first, l = 0, is Andrews' (1993) supF.
    """
    n, end = cost.shape[0], cost.shape[1] - 1
    out = np.full((n, found.last.shape[2]), np.nan)
    for m in range(out.shape[1]):
        edges = np.column_stack([np.zeros(n, dtype=np.int64), found.last[:, m, :m] + 1, np.full(n, end)])
        f = np.stack([_best_f(cost, edges[:, k], edges[:, k + 1], q) for k in range(m + 1)])
        largest = np.where(np.isnan(f), -1.0, f).max(axis=0)
        out[:, m] = np.where(np.isfinite(found.ssr[:, m]) & (largest >= 0), largest, np.nan)
    return out


def _best_f(cost: Floats, start: Ints, end: Ints, q: int) -> Floats:
    """Largest F of one break within the stretch of each series, [N]; NaN where there is no room."""
    rows = np.arange(len(cost))
    least = (cost[rows, start, :] + cost[rows, :, end]).min(axis=1)
    whole, free = cost[rows, start, end], end - start - 2 * q
    room = np.isfinite(least) & (free > 0)
    kept = room & (least > 0)
    f = np.divide(free * np.where(kept, whole - least, 0.0), least, out=np.full(len(cost), np.nan), where=kept)
    return np.where(kept, np.maximum(f, 0.0), np.where(room, np.where(whole > 0, np.inf, 0.0), np.nan))


@dataclass(frozen=True, slots=True)
class Breaks:
    """Breaks of N series, by three rules.

    Attributes:
        partitions: best partition for each number of breaks.
        h: shortest regime.
        bic, lwz: [N, M + 1] criteria.
        sup_f: [N, M] supF(l + 1|l); the first is supF.
        by_bic, by_lwz: [N] number of breaks that each criterion takes.
        by_sequence: [N] number of breaks that the tests take, -1 where no critical values hold.
        line_bic, line_lwz: [N] criteria of one straight line without breaks; -infinity where it fits exactly.
    """

    partitions: Partitions
    h: int
    bic: Floats
    lwz: Floats
    sup_f: Floats
    by_bic: Ints
    by_lwz: Ints
    by_sequence: Ints
    line_bic: Floats
    line_lwz: Floats

    def count(self, criterion: Criterion) -> Ints:
        """Number of breaks by one rule, [N]."""
        return {"bic": self.by_bic, "lwz": self.by_lwz, "sequential": self.by_sequence}[criterion]

    def dates(self, criterion: Criterion) -> Ints:
        """Positions of the last period of each old regime, [N, M], -1 beyond the last break."""
        rows = np.arange(len(self.by_bic))
        return np.asarray(self.partitions.last[rows, np.maximum(self.count(criterion), 0)], dtype=np.int64)

    def line_better(self, criterion: Criterion) -> NDArray[np.bool_]:
        """Whether one straight line describes a series better than the regimes do (by LWZ for the tests), [N]; false where there is no break."""
        values, line = (self.bic, self.line_bic) if criterion == "bic" else (self.lwz, self.line_lwz)
        count = self.count(criterion)
        chosen = values[np.arange(len(count)), np.maximum(count, 0)]
        return np.asarray((count > 0) & (line < chosen), dtype=np.bool_)


def breaks(y: Floats, x: Floats, *, h: int, max_breaks: int = 5, level: Level = 0.05, trending: bool = False) -> Breaks:
    """Breaks in the coefficients of y [N, T] on x [T, q], all of which may shift.

    Args:
        y: series without gaps.
        x: :func:`regressors`, or others.
        h: shortest regime (:func:`shortest`).
        max_breaks: most breaks looked for; fewer where T does not hold so many regimes.
        level: of the tests, 0.1, 0.05 or 0.01.
        trending: whether x has a trend, for which the tabulated critical values do not hold: then the tests decide nothing.

    Raises:
        ValueError: no room for one break, or a gap in y.
    """
    n, periods = y.shape
    most = min(max_breaks, periods // h - 1)
    if most < 1:
        raise ValueError(f"{periods} periods have no room for two regimes of {h}")
    if not np.isfinite(y).all():
        raise ValueError("the series have gaps")
    chunk = max(1, _CELLS // (periods + 1) ** 2)
    parts = [_best(y[i : i + chunk], x, h, most) for i in range(0, max(n, 1), chunk)]
    found = Partitions(np.concatenate([p.ssr for p, _ in parts]), np.concatenate([p.last for p, _ in parts]))
    sup_f = np.concatenate([f for _, f in parts])
    q, m = x.shape[1], np.arange(most + 1.0)
    by_bic, by_lwz = bic(found.ssr, periods, (q + 1) * (m + 1)), lwz(found.ssr, periods, (m + 1) * q + m)
    table = None if trending else critical_values(q, h / periods, level, most)
    tested = np.full(n, -1, dtype=np.int64) if table is None else _in_sequence(sup_f, table)
    line, two = line_ssr(y), np.array(2.0)
    lines = [np.where(line > 0, c, -np.inf) for c in (bic(line, periods, two + 1), lwz(line, periods, two))]
    return Breaks(found, h, by_bic, by_lwz, sup_f, lowest(by_bic, found.ssr), lowest(by_lwz, found.ssr), tested, *lines)


def _best(y: Floats, x: Floats, h: int, most: int) -> tuple[Partitions, Floats]:
    cost = segment_ssr(y, x, h)
    found = partitions(cost, most)
    return found, sup_f_sequence(cost, found, x.shape[1])


def lowest(criterion: Floats, ssr: Floats) -> Ints:
    """Number of breaks with the lowest criterion, [N]; where some number leaves nothing to explain, the fewest that do."""
    exact = ssr == 0
    ranked = np.where(np.isnan(criterion), np.inf, criterion).argmin(axis=1)
    return np.asarray(np.where(exact.any(axis=1), exact.argmax(axis=1), ranked), dtype=np.int64)


def _in_sequence(sup_f: Floats, table: Floats) -> Ints:
    """How many tests reject before the first that does not."""
    return np.asarray(np.cumprod(sup_f > table[None, :], axis=1).sum(axis=1), dtype=np.int64)
