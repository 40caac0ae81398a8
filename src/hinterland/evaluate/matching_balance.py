"""Balance before and after matching: standardised mean differences, variance ratios, Kolmogorov–Smirnov distances, effective sizes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BALANCE = (
    "mean_treated_before", "mean_comparison_before", "mean_treated_after", "mean_comparison_after", "smd_before", "smd_after",
    "variance_ratio_before", "variance_ratio_after", "ks_before", "ks_after",
)  # fmt: skip
"""Columns of the balance table after ``variable``."""


def balance_frame(x: Floats, names: Sequence[str], treated: Mask, before: Floats, after: Floats) -> pl.DataFrame:
    """One row per covariate; null where a statistic is not defined.

    Args:
        x: [n, k];  names: k;  treated: [n].
        before: [n] base weights;  after: [n] weights after matching, 0 where a row is left out.

    Differences are divided by √((s₁² + s₀²)/2) before matching, in both columns, so that they fall only when means draw nearer (Rosenbaum &
    Rubin 1985). Variances are those of weighted samples, s² = Σw(x - x̄)² · Σw/((Σw)² - Σw²), and their ratio is treated over comparison.
    """
    parts = [_of_column(column, treated, before, after) for column in x.T]
    return pl.DataFrame(
        {
            "variable": list(names),
            **{c: pl.Series(np.array([p[c] for p in parts], dtype=np.float64), nan_to_null=True) for c in BALANCE},
        }
    )


def _of_column(x: Floats, treated: Mask, before: Floats, after: Floats) -> dict[str, float]:
    sides = {
        when: [(x[side & (w > 0)], w[side & (w > 0)]) for side in (treated, ~treated)] for when, w in (("before", before), ("after", after))
    }
    moments = {when: [_moments(*side) for side in pair] for when, pair in sides.items()}
    spread = float(np.sqrt((moments["before"][0][1] + moments["before"][1][1]) / 2))
    out = {}
    for when, ((mean1, var1), (mean0, var0)) in moments.items():
        out[f"mean_treated_{when}"], out[f"mean_comparison_{when}"] = mean1, mean0
        out[f"smd_{when}"] = (mean1 - mean0) / spread if spread > 0 else np.nan
        out[f"variance_ratio_{when}"] = var1 / var0 if var0 > 0 else np.nan
        out[f"ks_{when}"] = kolmogorov_smirnov(*sides[when][0], *sides[when][1])
    return out


def _moments(x: Floats, w: Floats) -> tuple[float, float]:
    """Weighted mean and variance; NaN where they are not defined."""
    if not len(x):
        return float("nan"), float("nan")
    total = float(w.sum())
    mean = float(w @ x / total)
    free = total**2 - float(w @ w)
    return mean, float(w @ (x - mean) ** 2) * total / free if free > 1e-12 * total**2 else float("nan")


def kolmogorov_smirnov(x1: Floats, w1: Floats, x0: Floats, w0: Floats) -> float:
    """Largest distance between two weighted distribution functions."""
    if not len(x1) or not len(x0):
        return float("nan")
    points = np.unique(np.concatenate([x1, x0]))

    def share(x: Floats, w: Floats) -> Floats:
        order = np.argsort(x, kind="stable")
        total = np.concatenate([[0.0], np.cumsum(w[order])])
        return np.asarray(total[np.searchsorted(x[order], points, side="right")] / total[-1])

    return float(np.abs(share(x1, w1) - share(x0, w0)).max())


def effective_size(weight: Floats) -> float:
    """(Σw)²/Σw²: how many equally weighted rows the weights are worth (Kish 1965)."""
    squares = float(weight @ weight)
    return float(weight.sum() ** 2 / squares) if squares > 0 else 0.0
