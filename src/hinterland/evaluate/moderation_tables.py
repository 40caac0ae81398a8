"""The tables of a moderation: slopes, effects along the line, bins, support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.moderation_bins import Binned, Bins
from hinterland.evaluate.moderation_line import Line
from hinterland.evaluate.moderation_strata import Strata
from hinterland.evaluate.result import Effects

_REAL, _TEXT, _WHOLE, _FLAG = pl.Float64, pl.String, pl.Int64, pl.Boolean
SLOPES = {
    "version": _TEXT,
    "method": _TEXT,
    "group": _TEXT,
    **dict.fromkeys(("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "df"), _REAL),
    **dict.fromkeys(("p_wild", "wild_low", "wild_high", "p_exact"), _REAL),
    "labels": _WHOLE,
    "enumerated": _FLAG,
    **dict.fromkeys(("n_obs", "n_units", "n_treated", "n_clusters", "n_treated_clusters"), _WHOLE),
    "effective_clusters": _REAL,
    "estimand": _TEXT,
}
EFFECTS = {
    "version": _TEXT,
    "group": _TEXT,
    "kind": _TEXT,
    **dict.fromkeys(("value", "estimate", "std_error", "conf_low", "conf_high", "band_low", "band_high"), _REAL),
    "inside": _FLAG,
}
BINS = {
    "version": _TEXT,
    "method": _TEXT,
    "bin": _WHOLE,
    **dict.fromkeys(("low", "high", "at", "estimate", "std_error", "conf_low", "conf_high"), _REAL),
    "n_treated": _WHOLE,
    "n_comparison": _WHOLE,
}
POINTS = ("min", "p10", "mean", "p90", "max")
DIFFERENCES = (("min", "mean"), ("p10", "mean"), ("p90", "mean"), ("p90", "p10"))


@dataclass(frozen=True, slots=True)
class Slope:
    """One row of the slopes: position ``at`` in ``effects``, and what inference there is beside its own; ``bare``: its own says nothing."""

    version: str
    group: str
    effects: Effects
    at: int
    estimand: str
    more: dict[str, Any] = field(default_factory=dict)
    bare: bool = False

    def row(self) -> dict[str, Any]:
        """As in :data:`SLOPES`."""
        e, j = self.effects, self.at
        tidy = e.tidy().row(j, named=True)
        told = ("estimate",) if self.bare else ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
        numbers = {k: tidy[k] for k in told}
        facts = {k: e.meta.get(k) for k in ("n_obs", "n_units", "n_treated", "n_clusters", "effective_clusters")}
        df = None if np.isinf(e.df) else float(e.df)
        return {
            "version": self.version,
            "method": e.method,
            "group": self.group,
            **numbers,
            "df": df,
            **facts,
            "estimand": self.estimand,
            **self.more,
        }


def slopes_frame(slopes: Sequence[Slope]) -> pl.DataFrame:
    """One row per slope; null where a number is not finite."""
    rows = [s.row() for s in slopes]
    frame = pl.DataFrame([{c: r.get(c) for c in SLOPES} for r in rows], schema=SLOPES)
    return frame.with_columns(pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64)))


@dataclass(frozen=True, slots=True)
class Support:
    """Where the moderator lies: its named ``points``, and the range ``low`` to ``high`` that treated and comparison units share."""

    points: dict[str, float]
    low: float
    high: float

    def inside(self, value: float) -> bool:
        """Whether treated and comparison units lie on both sides of ``value`` (or at it)."""
        slack = 1e-9 * (abs(self.low) + abs(self.high))
        return self.low - slack <= value <= self.high + slack


def support_of(design: Design, value: Floats, centre: float) -> Support:
    """The points of the moderator ``value`` [N]; ``mean`` is where it is centred."""
    ever = design.cohort != NEVER
    low, tenth, ninetieth, high = np.quantile(value, [0.0, 0.1, 0.9, 1.0])
    points = dict(zip(POINTS, (float(low), float(tenth), centre, float(ninetieth), float(high)), strict=True))
    if ever.all():
        return Support(points, float(low), float(high))
    return Support(points, float(max(value[ever].min(), value[~ever].min())), float(min(value[ever].max(), value[~ever].max())))


def effects_frame(lines: Sequence[tuple[str, str, Line]], support: Support, points: int, bare: Sequence[str]) -> pl.DataFrame:
    """Every line (version, group, line) on a grid, at the named points, and its differences between them; without uncertainty for groups in ``bare``."""
    rows: list[dict[str, Any]] = []
    for version, group, line in lines:
        keep = ("kind", "value", "estimate", "inside") if group in bare else tuple(EFFECTS)
        rows += [{"version": version, "group": group, **{k: v for k, v in r.items() if k in keep}} for r in _along(line, support, points)]
    return pl.DataFrame([{c: r.get(c) for c in EFFECTS} for r in rows], schema=EFFECTS)


def _along(line: Line, support: Support, points: int) -> list[dict[str, Any]]:
    low, high = support.points["min"], support.points["max"]
    named = list(support.points.items())
    kinds = ["grid"] * points + [k for k, _ in named]
    at = np.concatenate([np.linspace(low, high, points), [v for _, v in named]])
    estimate, error = line.effect(at), line.std_error(at)
    half, wide = line.critical() * error, line.band(low, high) * error
    rows: list[dict[str, Any]] = [
        {
            "kind": kind,
            "value": float(at[i]),
            "estimate": float(estimate[i]),
            "std_error": float(error[i]),
            "conf_low": float(estimate[i] - half[i]),
            "conf_high": float(estimate[i] + half[i]),
            "band_low": float(estimate[i] - wide[i]),
            "band_high": float(estimate[i] + wide[i]),
            "inside": support.inside(float(at[i])),
        }
        for i, kind in enumerate(kinds)
    ]
    for to, since in DIFFERENCES:
        first, second = support.points[to], support.points[since]
        difference, own = line.difference(first, second)
        ends = {"conf_low": difference - line.critical() * own, "conf_high": difference + line.critical() * own}
        both = support.inside(first) and support.inside(second)
        rows.append({"kind": f"{to}-{since}", "value": first - second, "estimate": difference, "std_error": own, **ends, "inside": both})
    return rows


def bins_frame(bins: Bins, binned: Binned | None, strata: Strata | None) -> pl.DataFrame:
    """Effects by bin, of the binning estimator and of the strata; null where a bin has none."""

    def place(j: int) -> dict[str, Any]:
        counts = {"n_treated": int(bins.n_treated[j]), "n_comparison": int(bins.n_comparison[j])}
        return {"bin": j + 1, "low": float(bins.edges[j]), "high": float(bins.edges[j + 1]), **counts}

    rows: list[dict[str, Any]] = []
    if binned is not None:
        effects = binned.fitted.effects
        head = {"version": "binning", "method": effects.method}
        rows += [
            {**head, **place(j), "at": float(bins.median[j]), **(_interval(effects, int(at), int(bins.n_clusters[j])) if at >= 0 else {})}
            for j, at in enumerate(binned.at)
        ]
    if strata is not None:
        head = {"version": "strata", "method": strata.effects.method}
        rows += [
            {**head, **place(j), "at": float(strata.at[s]), **_interval(strata.effects, s, int(bins.n_clusters[j]))}
            for s, j in enumerate(strata.of)
        ]
    return pl.DataFrame([{c: r.get(c) for c in BINS} for r in rows], schema=BINS)


def _interval(effects: Effects, at: int, clusters: int) -> dict[str, Any]:
    """The estimate with an interval from t with ``clusters`` − 1 degrees of freedom, the treated clusters behind it; alone, where there is one."""
    from scipy import special

    estimate, error = float(effects.estimate[at]), float(effects.std_error[at])
    if clusters < 2 or not np.isfinite(error):
        return {"estimate": estimate}
    half = float(special.stdtrit(min(clusters - 1, effects.df), 0.975)) * error
    return {"estimate": estimate, "std_error": error, "conf_low": estimate - half, "conf_high": estimate + half}
