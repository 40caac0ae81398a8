"""The data of every benchmark: one simulated panel, its columns as each task needs them, and one event study."""

from __future__ import annotations

import numpy as np

Columns = dict[str, np.ndarray]

STATIC = ("x1", "x2", "x3")
MOVING = ("v1", "v2", "v3")
COHORTS = (4, 6, 8, 10, 12, 14)
PERIODS = 15
LEADS, LAGS = 8, 6
"""Of the event study under sensitivity analysis."""


def simulate(units: int, seed: int = 1) -> Columns:
    """Columns of a balanced panel, unit-major: AR(1) errors, effects that grow with exposure and differ between cohorts, 60 % never treated.

    unit, year, y, g (first treated period, 0 = never), d (treated), state (50 groups of units), rel (event time, -1 where never treated),
    x1–x3 (of the unit), v1–v3 (of the row).
    """
    rng = np.random.default_rng(seed)
    g = np.where(rng.random(units) < 0.6, 0, rng.choice(COHORTS, units))
    x, v = rng.normal(size=(units, 3)), rng.normal(size=(units * PERIODS, 3))
    t = np.arange(1, PERIODS + 1)
    error = rng.normal(size=(units, PERIODS))
    for j in range(1, PERIODS):
        error[:, j] += 0.5 * error[:, j - 1]
    on = (g[:, None] > 0) & (t >= g[:, None])
    y = rng.normal(size=units)[:, None] + 0.1 * t + (x @ np.array([0.03, 0.02, -0.01]))[:, None] * t + error
    y += on * (0.3 + 0.1 * (t - g[:, None]) + 0.02 * g[:, None]) + (v @ np.array([0.3, -0.2, 0.1])).reshape(units, PERIODS)
    unit = np.repeat(np.arange(units), PERIODS)
    columns = {"unit": unit, "year": np.tile(t, units), "y": y.ravel(), "g": np.repeat(g, PERIODS), "d": on.ravel().astype(float)}
    columns |= {"state": unit % 50, "rel": np.where(columns["g"] > 0, columns["year"] - columns["g"], -1)}
    columns |= {n: np.repeat(x[:, j], PERIODS) for j, n in enumerate(STATIC)}
    return columns | {n: v[:, j] for j, n in enumerate(MOVING)} | _further(columns, units)


def _further(columns: Columns, units: int) -> Columns:
    """A count, doses, eligibility and places: as many neighbours within a distance whatever the number of units."""
    rng, unit = np.random.default_rng(2), columns["unit"]
    side = 0.6 * units**0.5
    lon, lat = 60 + rng.random(units) * min(side, 100), -40 + rng.random(units) * min(side, 80)
    dose = (0.05 + rng.beta(2, 2, size=units))[unit] * (columns["g"] > 0)
    count = rng.poisson(np.exp(np.clip(columns["y"], -3, 3) + 1)).astype(float)
    return {"count": count, "dose": dose, "eligible": rng.integers(0, 2, size=units)[unit], "lon": lon[unit], "lat": lat[unit]}


def event_study() -> tuple[np.ndarray, np.ndarray]:
    """Estimates and covariance of an event study with ``LEADS`` leads and ``LAGS`` lags."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(LEADS + LAGS, 3 * (LEADS + LAGS)))
    vcov = 0.0025 * (root @ root.T / root.shape[1] + 0.5)
    return np.append(rng.normal(0, 0.03, LEADS), 0.4 + rng.normal(0, 0.03, LAGS)), vcov
