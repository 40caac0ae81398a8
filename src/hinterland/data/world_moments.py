"""Moments of a city panel: what the simulated world has to share with the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hinterland.data.world import World

Floats = NDArray[np.float64]

CONTROLS = ("ln_gdp_pc", "share2", "ln_pop_density", "fin_dev", "fdi_share")


def two_way_residual(x: Floats) -> Floats:
    """``x`` [N, T] less its unit and period means."""
    return np.asarray(x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean())


def _persistence(x: Floats) -> float:
    """First autocorrelation of ``x`` [N, T], pooled over units."""
    return float((x[:, 1:] * x[:, :-1]).mean() / (x**2).mean())


def count_moments(y: Floats) -> dict[str, float]:
    """Moments of counts ``y`` [N, T]: level, spread, growth, persistence, over-dispersion, zeros.

    ``overdispersion`` is the median over cells of ((y - μ)² - μ)/μ², with μ = row total × column total / total, the fit
    of a Poisson regression with unit and period effects. ``unit_sd_spread`` is the standard deviation over units of the log of
    the standard deviation of a unit's residual. ``slope_on_level`` is the correlation of a unit's trend with its first level.
    """
    ln = np.log1p(y)
    last = y.shape[1] - 1
    residual = two_way_residual(ln)
    slope = np.polyfit(np.arange(y.shape[1]), ln.T, 1)[0]
    mu = y.sum(axis=1, keepdims=True) * y.sum(axis=0) / y.sum()
    moments = {
        "ln_mean_first": ln[:, 0].mean(),
        "ln_mean_last": ln[:, last].mean(),
        "ln_sd_first": ln[:, 0].std(ddof=1),
        "ln_sd_last": ln[:, last].std(ddof=1),
        "median_first": np.median(y[:, 0]),
        "median_last": np.median(y[:, last]),
        "mean_first": y[:, 0].mean(),
        "mean_last": y[:, last].mean(),
        "top_tenth_share": np.sort(y[:, last])[::-1][: max(len(y) // 10, 1)].sum() / y[:, last].sum(),
        "zero_share": (y == 0).mean(),
        "growth": np.diff(ln, axis=1).mean(),
        "correlation_adjacent_years": np.mean([np.corrcoef(ln[:, t], ln[:, t + 1])[0, 1] for t in range(last)]),
        "correlation_first_last": np.corrcoef(ln[:, 0], ln[:, last])[0, 1],
        "slope_on_level": np.corrcoef(ln[:, 0], slope)[0, 1],
        "within_sd": residual.std(),
        "within_persistence": _persistence(residual),
        "within_kurtosis": (residual**4).mean() / (residual**2).mean() ** 2,
        "unit_sd_spread": np.log(residual.std(axis=1)).std(),
        "overdispersion": np.median(((y - mu) ** 2 - mu) / mu**2),
    }
    moments |= {f"sd_change_{k}": (ln[:, k:] - ln[:, :-k]).std(axis=0).mean() for k in (1, 3, 5, 8) if k <= last}
    return {name: float(value) for name, value in moments.items()}


def control_moments(x: Floats) -> dict[str, float]:
    """Mean, spread between units, spread and persistence within (unit and period means removed), spread of changes, of ``x`` [N, T]."""
    residual = two_way_residual(x)
    moments = {
        "mean": x.mean(),
        "change": (x[:, -1] - x[:, 0]).mean(),
        "between_sd": x.mean(axis=1).std(ddof=1),
        "within_sd": residual.std(),
        "within_persistence": _persistence(residual),
        "sd_change_1": (x[:, 1:] - x[:, :-1]).std(axis=0).mean(),
        "sd_change_5": (x[:, 5:] - x[:, :-5]).std(axis=0).mean(),
    }
    return {name: float(value) for name, value in moments.items()}


def cross_moments(means: Mapping[str, Floats]) -> dict[str, float]:
    """Correlations between units' means (name → [N])."""
    names = list(means)
    matrix = np.corrcoef(np.array([means[n] for n in names]))
    return {f"correlation_{a}_{b}": float(matrix[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if i < j}


def price_moments(log_index: Floats) -> dict[str, float]:
    """Moments of provinces' overall price index, ``log_index`` [P, T] (log of the ratio to the previous year)."""
    spread = log_index.std(axis=0, ddof=1)
    return {
        "mean": float(log_index.mean()),
        "dispersion_first_2": float(spread[:2].mean()),
        "dispersion_later": float(spread[2:].mean()),
        "persistence": _persistence(log_index - log_index.mean(axis=0)),
        "permanent_sd": float((log_index - log_index.mean(axis=0)).mean(axis=1).std()),
    }


def world_moments(world: World) -> dict[str, float]:
    """The moments of a simulated world over the years of the real panels: counts 2008–2017, controls and prices 2008–2022."""
    frame = world.panel.frame
    shape = (world.panel.n_units, world.panel.n_periods)
    years = frame["year"].unique().sort().to_numpy()
    grids = {c: frame[c].to_numpy().astype(np.float64).reshape(shape) for c in ("inventions", *CONTROLS)}
    count = grids["inventions"][:, (years >= 2008) & (years <= 2017)]
    means = {"ln_count": np.log1p(count).mean(axis=1)} | {c: grids[c].mean(axis=1) for c in CONTROLS}
    index = world.prices.group_by("province_code", "year", maintain_order=True).agg(pl.col("index").mean())["index"]
    made = {f"count.{k}": v for k, v in count_moments(count).items()}
    for c in CONTROLS:
        made |= {f"{c}.{k}": v for k, v in control_moments(grids[c]).items()}
    made |= {f"between.{k}": v for k, v in cross_moments(means).items()}
    log_index = np.log(index.to_numpy().reshape(-1, shape[1]) / 100)
    return made | {f"prices.{k}": v for k, v in price_moments(log_index).items()}
