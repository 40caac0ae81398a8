"""Who enters treatment, and who is a clean control, in each period and at each horizon of a local projection.

Dube, Girardi, Jordà & Taylor (2023), *A Local Projections Approach to Difference-in-Differences*, NBER working paper 31184.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.design import Design

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is in the sample.

    Attributes:
        never_treated: controls are never treated in the window.
        not_yet: controls have not been treated before or at the horizon (of a treatment that may be switched off).
        first_entry: only the first entry of each unit counts.
        window: periods without another change that make a unit clean; ``None``: treatment lasts.
    """

    never_treated: bool = False
    not_yet: bool = False
    first_entry: bool = False
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Grids:
    """The panel as matrices over T periods and N units.

    Attributes:
        y: [T, N] outcome, NaN where not observed;  weight: [T, N] or ``None``;  x: [k, T, N] covariates of the entry's period.
        base: [T, N] what the outcome is compared with, for an entry in that period: that of the period before, or a mean.
        enters: [T, N] whether treatment begins;  changes: [T, N] changes of treatment so far, that in the period included.
        treated: [T, N] periods of treatment so far.
        lasting: treatment, once begun, lasts.
    """

    y: Floats
    weight: Floats | None
    x: Floats
    base: Floats
    enters: Mask
    changes: Ints
    treated: Ints
    lasting: bool

    @property
    def n_periods(self) -> int:
        """Number of periods T."""
        return len(self.y)


def make_grids(design: Design, pmd: int | str | None, lags: tuple[int, int], covariate_period: str) -> Grids:
    """The matrices of ``design``.

    Args:
        design: what is estimated on what.
        pmd: ``None``: base is the period before entry; a number: the mean of so many periods before; ``max``: of all before.
        lags: lags of the outcome, and of its change, to add to the covariates.
        covariate_period: ``base``: covariates of the period before entry; ``entry``: of the period of entry.

    Raises:
        EstimationError: treatment other than 0 and 1.
    """
    y = _grid(design, design.y)
    level = _levels(design)
    change = np.zeros(level.shape, dtype=np.int64)
    change[1:] = level[1:] != level[:-1]
    own = [_grid(design, design.covariates[:, j]) for j in range(design.covariates.shape[1])]
    own = [_lag(values, 1) for values in own] if covariate_period == "base" else own
    own += [_lag(y, k) for k in range(1, lags[0] + 1)]
    own += [_lag(y, k) - _lag(y, k + 1) for k in range(1, lags[1] + 1)]
    return Grids(
        y=y,
        weight=None if design.weight is None else _grid(design, design.weight),
        x=np.stack(own) if own else np.empty((0, *y.shape)),
        base=np.where(np.isfinite(y), _base(y, pmd), np.nan),
        enters=(change == 1) & (level == 1),
        changes=np.cumsum(change, axis=0),
        treated=np.cumsum(level == 1, axis=0),
        lasting=design.absorbing,
    )


def _grid(design: Design, values: Floats) -> Floats:
    """[T, N] values, NaN where a unit is not observed."""
    if design.balanced:
        return np.ascontiguousarray(values.reshape(design.n_units, design.n_periods).T)
    out = np.full((design.n_periods, design.n_units), np.nan)
    out[design.period, design.unit] = values
    return out


def _levels(design: Design) -> Floats:
    """[T, N] treatment, 0 or 1; where it is not observed, that of the period before (else of the first period seen)."""
    if design.treatment_level is None:
        return (design.periods[:, None] >= design.cohort).astype(np.float64)
    bad = np.flatnonzero(~np.isin(design.treatment_level, (0.0, 1.0)))
    if len(bad):
        what = f"treatment {design.policy.path!r} is neither 0 nor 1 in {len(bad)} row(s)"
        cells = listed((f"{design.unit_labels[design.unit[i]]}, {design.periods[design.period[i]]}" for i in bad), 5)
        raise EstimationError(Finding("treatment-not-binary", what, cells, "choose dcdh, which takes any level of treatment"), "design")
    level = _grid(design, design.treatment_level)
    seen = np.isfinite(level)
    last = np.maximum.accumulate(np.where(seen, np.arange(len(level))[:, None], -1), axis=0)
    filled = np.where(last >= 0, last, seen.argmax(axis=0))
    return np.take_along_axis(level, filled, axis=0)


def _lag(values: Floats, by: int) -> Floats:
    out = np.full_like(values, np.nan)
    if by < len(values):
        out[by:] = values[: len(values) - by]
    return out


def _base(y: Floats, pmd: int | str | None) -> Floats:
    """[T, N] mean of the outcome over the base periods before each period."""
    if pmd is None:
        return _lag(y, 1)
    if pmd == "max":
        seen = np.isfinite(y)
        total, count = (np.cumsum(part, axis=0) for part in (np.where(seen, y, 0.0), seen))
        with np.errstate(invalid="ignore"):
            return _lag(np.where(count > 0, total / np.maximum(count, 1), np.nan), 1)
    lags = [_lag(y, k) for k in range(1, int(pmd) + 1)]
    return np.asarray(sum(lags) / len(lags))


def long_difference(grids: Grids, period: int, horizons: range) -> Floats:
    """[N] mean outcome over the horizons after ``period``, less the base; NaN where one of them is not observed."""
    span = grids.y[period + horizons[0] : period + horizons[-1] + 1]
    return np.asarray((span[0] if len(span) == 1 else span.mean(axis=0)) - grids.base[period])


def sample(grids: Grids, rules: Rules, period: int, horizon: int) -> tuple[Mask, Mask]:
    """Who enters in ``period`` [N] and who is a clean control [N], at ``horizon``.

    Lasting treatment: controls are not treated by the horizon (before entry: by the period). Otherwise nobody's treatment changes
    in the ``window`` periods before, nor after up to the horizon; before entry, the window begins at the horizon.
    """
    last = period + max(horizon, 0)
    enters = grids.enters[period]
    if rules.window is None:
        control = grids.treated[last] == 0
        return enters, control & (grids.treated[-1] == 0) if rules.never_treated else control
    first = period - rules.window - max(-horizon - 1, 0)
    before = grids.changes[period - 1] - (grids.changes[first - 1] if first >= 1 else 0)
    clean = (before == 0) & (grids.changes[last] == grids.changes[period])
    treated = enters & clean
    control = clean & (grids.changes[period] == grids.changes[period - 1])
    if rules.first_entry:
        treated &= grids.treated[period] == 1
    if rules.not_yet:
        control &= grids.treated[last] == 0
    return treated, control & (grids.treated[-1] == 0) if rules.never_treated else control


def entry_periods(grids: Grids, horizons: range) -> Iterator[int]:
    """Periods with one before them for which all ``horizons`` lie in the window."""
    yield from range(max(1, -horizons[0]), grids.n_periods - max(horizons[-1], 0))
