"""A small staggered panel with known effects, shared by the tests of group-time effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.adoption import adoption
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design

Floats = NDArray[np.float64]


def make_frame(
    n: int = 120,
    periods: int = 7,
    seed: int = 0,
    cohorts: Sequence[int | None] = (4, 6, None, None),
    effect: float = 1.0,
    trend: float = 0.2,
) -> pl.DataFrame:
    """n units × periods 1…; the odds of adoption rise with x (logit), and x moves the trend: unconditional comparisons are biased.

    The effect of cohort g in period t is ``effect · (1 + 0.5 (t - g))``. Columns unit, year, y, g (null = never), x, z, v
    (time-varying), w, region.
    """
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.normal(size=n)
    ever = np.array([np.inf if c is None else c for c in cohorts], dtype=np.float64)
    weight = np.exp(0.5 * x[:, None] * np.isfinite(ever))
    pick = (rng.random(n)[:, None] > np.cumsum(weight / weight.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    g = ever[pick]
    t = np.arange(1, periods + 1)
    level = rng.normal(size=n)[:, None] + 0.1 * t + trend * x[:, None] * t
    with np.errstate(invalid="ignore"):
        gain = np.where(t >= g[:, None], effect * (1 + 0.5 * (t - np.where(np.isinf(g), 0, g)[:, None])), 0.0)
    y = level + gain + rng.normal(size=(n, periods))
    unit = np.repeat(np.arange(n), periods)
    return pl.DataFrame(
        {
            "unit": [f"u{i:04d}" for i in unit],
            "year": np.tile(t, n),
            "y": y.ravel(),
            "g": pl.Series(g[unit], dtype=pl.Float64).replace(float("inf"), None).cast(pl.Int64),
            "x": x[unit],
            "z": z[unit],
            "v": x[unit] + rng.normal(size=len(unit)),
            "w": np.repeat(rng.integers(1, 4, size=n), periods),
            "region": [f"r{i % 15}" for i in unit],
        }
    )


def make(frame: pl.DataFrame, *, weight: str | None = None, **options: object) -> Design:
    """The design of outcome y and adoption g on ``frame``."""
    panel = Panel(frame.sort("unit", "year"), "unit", "year", weight=weight)
    return make_design(panel, "y", adoption(panel, "g"), **options)  # type: ignore[arg-type]


def draw(n: int, reps: int, seed: int, method: str, covariates: str | None, effect: float) -> tuple[Floats, Floats, Floats]:
    """Overall estimates [reps], half widths of their 95 % intervals and p-values over simulated panels."""
    from hinterland.evaluate.callaway_santanna import fit

    results = []
    for r in range(reps):
        frame = make_frame(n, 6, seed + r, (3, 5, None, None), effect)
        overall = fit(make(frame, covariates=covariates), est_method=method).aggregate("overall")  # type: ignore[arg-type]
        results.append((overall.estimate[0], overall.half_width()[0], overall.p_value[0]))
    table = np.array(results)
    return table[:, 0], table[:, 1], table[:, 2]


def truth(effect: float) -> float:
    """Overall effect of :func:`draw`'s design: cohorts 3 and 5 of equal expected size, seen for 4 and 2 periods."""
    cells = [1, 1.5, 2, 2.5, 1, 1.5]
    return effect * float(np.mean(cells))
