"""Weber's point, and stages of the product cycle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hinterland.labels import Note
from hinterland.measure import location as formulas
from hinterland.measure.data import Data
from hinterland.measure.entries.axes import axes
from hinterland.measure.indicator import Indicator, Role
from hinterland.measure.result import Measured, dense

Floats = NDArray[np.float64]


def weber_point(data: Data) -> Measured:
    """Two components per group."""
    groups, code = data.labels("group"), data.codes("group")
    x, y, weight = (data.number(n) for n in ("x", "y", "weight"))
    seen = np.isfinite(x) & np.isfinite(y) & np.isfinite(weight) & (np.nan_to_num(weight) > 0)
    values, converged = np.full((len(groups), 2), np.nan), np.ones(len(groups), dtype=bool)
    for g in range(len(groups)):
        rows = np.flatnonzero(seen & (code == g))
        if len(rows):
            found = formulas.weber_point(np.column_stack([x[rows], y[rows]]), weight[rows])
            values[g], converged[g] = found.point, found.converged
    used, all_rows = np.bincount(code[seen], minlength=len(groups)), np.bincount(code, minlength=len(groups))
    reasons = {"missing-input": used == 0, "weber-not-converged": ~converged}
    where = axes(group=groups)
    return Measured(
        [
            dense(where, values[:, k], n_used=used, coverage=used / all_rows, reasons=reasons, component=name)
            for k, name in enumerate(("weber-x", "weber-y"))
        ]
    )


def product_cycle(data: Data) -> Measured:
    """Three components per time and industry."""
    cube = data.cube("time", "industry")
    times = cube.labels[0].cast(float).to_numpy()
    shape = cube.values.shape
    stage, saturation, fit = (np.full(shape, np.nan) for _ in range(3))
    known = np.nan_to_num(cube.values) > 0
    patterns, of = np.unique(known, axis=1, return_inverse=True)
    for k, pattern in enumerate(patterns.T):
        rows, columns = np.flatnonzero(pattern), np.flatnonzero(of.ravel() == k)
        if len(rows) >= 5:
            for i, found in zip(columns, formulas.logistic_curves(times[rows], cube.values[np.ix_(rows, columns)].T), strict=True):
                stage[rows, i], saturation[rows, i], fit[rows, i] = found.stage + 1.0, found.fitted / found.ceiling, found.r_squared
    used = np.broadcast_to((np.nan_to_num(cube.values) > 0).sum(axis=0), shape)
    reasons = {
        "suppressed-input": cube.suppressed,
        "missing-input": ~cube.observed,
        "short-cycle": used < 5,
        "not-positive": ~(np.nan_to_num(cube.values) > 0),
    }
    parts = {"product-stage": stage, "saturation": saturation, "logistic-fit": fit}
    blocks = [dense(cube, v, n_used=used, coverage=used / shape[0], reasons=reasons, component=name) for name, v in parts.items()]
    return Measured(blocks, notes=(Note("product-cycle-ceiling"),))


ENTRIES = (
    Indicator(
        id="weber-point",
        family="transfer",
        unit="km",
        range=(None, None),
        formula=r"\arg\min_p \sum_k w_k \lVert p - p_k \rVert",
        source="Weber (1909); Weiszfeld (1937); Vardi & Zhang (2000)",
        roles=(
            Role("x", "number", "easting of an input or market, km in one projection"),
            Role("y", "number", "northing, km"),
            Role("weight", "number", "transport cost per km", sign="non-negative"),
            Role("group", "key", "plant or industry to locate", required=False),
        ),
        keys=("group",),
        compute="hinterland.measure.entries.location:weber_point",
        components=("weber-x", "weber-y"),
    ),
    Indicator(
        id="product-cycle",
        family="transfer",
        unit="index",
        range=(0.0, None),
        formula=r"y_t = K/(1 + e^{-b(t - t_0)}),\; \text{cuts at } t_0,\ t_0 \pm \ln(2+\sqrt3)/b",
        source="Vernon (1966); logistic curve",
        roles=(
            Role("industry", "key", "industry or product"),
            Role("time", "time", "year"),
            Role("value", "number", "national output or sales, constant prices", sign="non-negative"),
        ),
        keys=("time", "industry"),
        compute="hinterland.measure.entries.location:product_cycle",
        components=("product-stage", "saturation", "logistic-fit"),
        unique=("time", "industry"),
    ),
)
