"""Programmes with two or three objectives whose fronts are published, or follow by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from hinterland.plan.program import Program

PUBLISHED = Path(__file__).parent / "published"


def program(
    objectives: Mapping[str, ArrayLike],
    matrix: ArrayLike,
    lower: Sequence[float],
    upper: Sequence[float],
    *,
    most: Sequence[float] | float = np.inf,
    whole: bool = False,
    penalty: Sequence[float] | None = None,
) -> Program:
    """A programme of variables from 0 to ``most``."""
    rows = sp.csr_array(np.asarray(matrix, dtype=float))
    n = rows.shape[1]
    return Program(
        cost=np.zeros(n),
        matrix=rows,
        row_lower=np.asarray(lower, dtype=float),
        row_upper=np.asarray(upper, dtype=float),
        lower=np.zeros(n),
        upper=np.broadcast_to(np.asarray(most, dtype=float), n).copy(),
        integral=np.full(n, whole),
        constant=0.0,
        columns={},
        rows={},
        objectives={k: np.asarray(v, dtype=float) for k, v in objectives.items()},
        penalty=np.zeros(n) if penalty is None else np.asarray(penalty, dtype=float),
    )


def mavrotas() -> Program:
    """Mavrotas (2009), section 3: max x1, max 3 x1 + 4 x2; x1 ≤ 20, x2 ≤ 40, 5 x1 + 4 x2 ≤ 200."""
    return program({"first": [-1, 0], "second": [-3, -4]}, [[5, 4]], [-np.inf], [200], most=[20, 40])


LIGNITE, LIGNITE_BASE, LIGNITE_MIDDLE, OIL, OIL_MIDDLE, OIL_PEAK, GAS, GAS_BASE, GAS_MIDDLE, GAS_PEAK, RES, RES_BASE, RES_PEAK = range(13)


def power() -> Program:
    """Power generation (Mavrotas 2009, section 4; model ``epscm`` of the GAMS library): cost, emissions of CO2, imported sources."""
    rows = np.zeros((7, 13))
    for r, (whole, parts) in enumerate(
        (
            (LIGNITE, (LIGNITE_BASE, LIGNITE_MIDDLE)),
            (OIL, (OIL_MIDDLE, OIL_PEAK)),
            (GAS, (GAS_BASE, GAS_MIDDLE, GAS_PEAK)),
            (RES, (RES_BASE, RES_PEAK)),
        )
    ):
        rows[r, whole] = 1
        rows[r, list(parts)] = -1
    for r, parts in enumerate(
        ((LIGNITE_BASE, GAS_BASE, RES_BASE), (LIGNITE_MIDDLE, OIL_MIDDLE, GAS_MIDDLE), (OIL_PEAK, GAS_PEAK, RES_PEAK)), start=4
    ):
        rows[r, list(parts)] = 1
    cost, carbon, imports, most = (np.zeros(13) for _ in range(4))
    at = [LIGNITE, OIL, GAS, RES]
    cost[at], carbon[at], imports[at] = [30, 75, 60, 90], [1.44, 0.72, 0.45, 0], [0, 1, 1, 0]
    most[:] = np.inf
    most[at] = [31000, 15000, 22000, 10000]
    lower, upper = [0, 0, 0, 0, 38400, 19200, 6400], [0, 0, 0, 0, np.inf, np.inf, np.inf]
    return program({"cost": cost, "carbon": carbon, "imports": imports}, rows, lower, upper, most=most)


POWER_POINTS = np.array(
    [
        [3075000, 62460, 33000],
        [3085000, 61980, 32333.33],
        [3108333.33, 60860, 30777.78],
        [3115000, 60540, 30333.33],
        [3131666.67, 59740, 29222.22],
        [3155000, 58620, 27666.67],
        [3178333.33, 57500, 26111.11],
        [3195000, 56700, 25000],
        [3201666.67, 56380, 24555.56],
        [3225000, 55260, 23000],
        [3255000, 54780, 23666.67],
        [3375000, 52860, 26333.33],
        [3495000, 50940, 29000],
        [3615000, 49020, 31666.67],
        [3735000, 47100, 34333.33],
        [3855000, 45180, 37000],
    ]
)
"""The points that ten levels of each limited objective give, as the tests of pyaugmecon 1.0 have them."""

KNAPSACK_POINTS = np.loadtxt(PUBLISHED / "2kp50_efficient.csv", delimiter=",", skiprows=1, dtype=int)
"""All 35 efficient solutions of the instance 2kp50."""


def knapsack() -> Program:
    """The instance 2kp50 of Mavrotas and Florios (2013): 50 things, two weights, two profits."""
    *weights, first, second = np.loadtxt(PUBLISHED / "2kp50.csv", delimiter=",", skiprows=1).T
    return program({"first": -first, "second": -second}, weights, [-np.inf] * 2, [1445.0, 1502.5], most=1.0, whole=True)


def sources() -> Program:
    """Ten units from dirty (cost 1, emission 3), mixed (2, 2; at most 4) and clean (4, 1) sources."""
    return program({"cost": [1, 2, 4], "emissions": [3, 2, 1]}, [[1, 1, 1]], [10], [10], most=[np.inf, 4, np.inf])
