"""The tables of a mechanism: path coefficients with their intervals, checks of each mediator, and indirect effects under confounding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from hinterland.evaluate.coding import Floats
from hinterland.evaluate.mechanism_checks import Interaction
from hinterland.evaluate.mechanism_intervals import accelerated, percentile, two_sided
from hinterland.evaluate.mechanism_paths import Paths, Slopes, Stacked, delta_errors
from hinterland.evaluate.mechanism_sensitivity import GRID, indirect_at, rho_at_doubt, rho_at_zero, robustness_value
from hinterland.evaluate.pretrends import PretrendTest
from hinterland.evaluate.result import Effects

NUMBERS = ("estimate", "std_error", "p_value", "conf_low", "conf_high", "bca_low", "bca_high")


@dataclass(frozen=True, slots=True)
class Sampled:
    """Path coefficients: ``estimate`` [1, 1 + 3K], bootstrap ``draws`` [R, 1 + 3K], values without each cluster ``left_out`` [C, 1 + 3K]; ``kind`` of bootstrap; ``lost`` draws that identify nothing."""

    estimate: Floats
    draws: Floats
    left_out: Floats
    kind: str
    lost: int


def path_frame(
    mediators: Sequence[str], total: Effects, effects: Sequence[Effects], *, found: Slopes, theta: Stacked, sampled: Sampled, level: float
) -> pl.DataFrame:
    """Every quantity: coefficients with their clustered t intervals, products and ratios of them with bootstrap intervals."""
    from scipy import special

    rows: list[tuple[str | None, str, Floats]] = [(None, "total", _by_t(total, level))]
    derived = _derived(sampled, theta, level)
    k = len(mediators)
    rows += [(None, name, derived[i]) for i, name in enumerate(("direct", "indirect", "share"))]
    half = special.stdtrit(found.df, 0.5 + level / 2) * found.std_error
    p = 2 * special.stdtr(found.df, -np.abs(found.slope / found.std_error))
    nothing = np.full(k, np.nan)
    told = np.column_stack([found.slope, found.std_error, p, found.slope - half, found.slope + half, nothing, nothing])
    for i, name in enumerate(mediators):
        rows.append((name, "effect-on-mediator", _by_t(effects[i], level)))
        rows.append((name, "slope", told[i]))
        rows.append((name, "indirect", derived[3 + i]))
        rows.append((name, "share", derived[3 + k + i]))
    columns = {n: pl.Series([float(values[j]) for _, _, values in rows], dtype=pl.Float64).fill_nan(None) for j, n in enumerate(NUMBERS)}
    names = {"mediator": pl.Series([m for m, _, _ in rows], dtype=pl.String), "quantity": [q for _, q, _ in rows]}
    return pl.DataFrame({**names, **columns})


def _by_t(effects: Effects, level: float) -> Floats:
    """[7] estimate, error, p-value and interval of a single estimate by its own distribution."""
    estimate, half = float(effects.estimate[0]), float(effects.half_width(level)[0])
    return np.array([estimate, effects.std_error[0], effects.p_value[0], estimate - half, estimate + half, np.nan, np.nan])


def _derived(sampled: Sampled, theta: Stacked, level: float) -> Floats:
    """[3 + 2K, 7] the same of direct, indirect effects and shares, by the bootstrap; standard errors by the delta method. Shares have no p-value: zero is that of the indirect effect."""
    estimate = Paths.of(sampled.estimate).quantities()[0]
    draws, left_out = (Paths.of(values).quantities() for values in (sampled.draws, sampled.left_out))
    p = two_sided(draws)
    k = (len(estimate) - 3) // 2
    p[[2, *range(3 + k, 3 + 2 * k)]] = np.nan
    error = delta_errors(theta, lambda rows: Paths.of(rows).quantities())
    low, high = percentile(draws, level)
    bca_low, bca_high = accelerated(estimate, draws, left_out, level)
    return np.column_stack([estimate, error, p, low, high, bca_low, bca_high])


def check_frame(
    mediators: Sequence[str],
    effects: Sequence[Effects],
    sampled: Sampled,
    level: float,
    *,
    crossed: Interaction | None,
    tests: Sequence[PretrendTest | None],
    adjusted: Mapping[str, Floats],
) -> pl.DataFrame:
    """One row per mediator, then one for all of them."""
    estimate, draws = Paths.of(sampled.estimate), Paths.of(sampled.draws)
    k, nothing = len(mediators), np.full(len(mediators), np.nan)
    columns: dict[str, Floats] = {
        "rho_zero": rho_at_zero(estimate)[0],
        "rho_doubt": rho_at_doubt(estimate, draws, level),
        "robustness_value": robustness_value(estimate.slope[0] / estimate.spread[0]),
        "interaction": nothing if crossed is None else crossed.change,
        "interaction_std_error": nothing if crossed is None else crossed.std_error,
        "interaction_p": nothing if crossed is None else crossed.p_values,
        "pretrend_p": np.array([np.nan if t is None else t.p_value for t in tests]),
        "pretrend_leads": np.array([np.nan if t is None else t.n_leads for t in tests]),
        "p_value": np.array([float(e.p_value[0]) for e in effects]),
        **{f"p_{name.replace('-', '_')}": values for name, values in adjusted.items()},
    }
    joint = dict.fromkeys(columns, np.nan) | {"interaction_p": np.nan if crossed is None else crossed.p_value}
    names = pl.Series("mediator", [*mediators, None], dtype=pl.String)
    values = [pl.Series(name, [*map(float, column[:k]), joint[name]], dtype=pl.Float64).fill_nan(None) for name, column in columns.items()]
    return pl.DataFrame([names, *values])


def sensitivity_frame(mediators: Sequence[str], sampled: Sampled, level: float) -> pl.DataFrame:
    """Indirect effects and shares at each correlation of errors, one mediator at a time, with percentile intervals."""
    estimate, draws = Paths.of(sampled.estimate), Paths.of(sampled.draws)
    parts = []
    for rho in GRID.tolist():
        value = indirect_at(estimate, rho)[0]
        low, high = percentile(indirect_at(draws, rho), level)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = value / estimate.total[0]
        parts.append(
            pl.DataFrame({"mediator": list(mediators), "rho": rho, "estimate": value, "conf_low": low, "conf_high": high, "share": share})
        )
    return pl.concat(parts).sort("mediator", "rho", maintain_order=True)
