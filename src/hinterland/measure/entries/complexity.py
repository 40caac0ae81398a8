"""Complexity of regions and industries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, fail_if_any
from hinterland.labels import Note
from hinterland.measure.complexity import Fitness, fitness
from hinterland.measure.data import Data
from hinterland.measure.entries.presences import CELLS, ORIENT, PRESENCE, Presences, complexities, presences
from hinterland.measure.indicator import Indicator, Parameter
from hinterland.measure.result import Measured, dense

Floats = NDArray[np.float64]


def diversity(data: Data, *, threshold: float = 1.0, floor: float = 0.0) -> Measured:
    """One value per time and region."""
    p = presences(data, threshold, floor)
    return _along(p, p.stacked([y.diversity for y in p.years], "r"), "r")


def ubiquity(data: Data, *, threshold: float = 1.0, floor: float = 0.0) -> Measured:
    """One value per time and industry."""
    p = presences(data, threshold, floor)
    return _along(p, p.stacked([y.ubiquity for y in p.years], "i"), "i")


def economic_complexity(data: Data, *, threshold: float = 1.0, floor: float = 0.0, orient: Any = None) -> Measured:
    """One value per time and region."""
    return _solved(presences(data, threshold, floor), orient, "r")


def product_complexity(data: Data, *, threshold: float = 1.0, floor: float = 0.0, orient: Any = None) -> Measured:
    """One value per time and industry."""
    return _solved(presences(data, threshold, floor), orient, "i")


def _solved(p: Presences, orient: Any, axis: str) -> Measured:
    found, notes, meta = complexities(p, orient)
    empty = [np.full(len(y.regions if axis == "r" else y.industries), np.nan) for y in p.years]
    values = [e if c is None else c.eci if axis == "r" else c.pci for c, e in zip(found, empty, strict=True)]
    inside = [np.ones(len(e)) if c is None else c.regions if axis == "r" else c.industries for c, e in zip(found, empty, strict=True)]
    outside = p.stacked([np.asarray(i, dtype=np.float64) for i in inside], axis) == 0
    few = np.array([c is None for c in found])[:, None]
    return _along(p, p.stacked(values, axis), axis, more={"too-thin": few, "outside-component": outside}, notes=notes, meta=meta)


def region_fitness(data: Data, *, threshold: float = 1.0, floor: float = 0.0, iterations: int = 200) -> Measured:
    """One value per time and region."""
    return _fit(data, threshold, floor, iterations, "r")


def industry_fitness(data: Data, *, threshold: float = 1.0, floor: float = 0.0, iterations: int = 200) -> Measured:
    """One value per time and industry."""
    return _fit(data, threshold, floor, iterations, "i")


def _fit(data: Data, threshold: float, floor: float, iterations: int, axis: str) -> Measured:
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        what = f"iterations is {iterations!r}"
        fail_if_any([Finding("out-of-range", what, "parameter iterations", "give a whole number of 1 or more")], "fitness")
    p = presences(data, threshold, floor)
    nothing = Fitness(np.empty(0), np.empty(0), 0, 0.0, converged=True)
    found = [fitness(y.matrix, iterations=iterations) if y.matrix.size else nothing for y in p.years]
    values = p.stacked([f.fitness if axis == "r" else f.complexity for f in found], axis)
    worst = max(found, key=lambda f: f.change)
    notes = () if worst.converged else (Note("fitness-not-converged", {"iterations": worst.iterations, "change": worst.change}),)
    meta = {"converged": all(f.converged for f in found), "change": worst.change, "iterations": max(f.iterations for f in found)}
    return _along(p, values, axis, notes=notes, meta=meta)


def _along(
    p: Presences,
    values: Floats,
    axis: str,
    *,
    more: dict[str, NDArray[np.bool_]] | None = None,
    notes: tuple[Note, ...] = (),
    meta: Mapping[str, Any] | None = None,
) -> Measured:
    used, coverage = p.counts(axis)
    dims = ("time", "region" if axis == "r" else "industry")
    made = dense(p.cube, values, n_used=used, coverage=coverage, reasons={**p.reasons(axis), **(more or {})}, dims=dims)
    return Measured([made], notes=notes, meta=meta or {})


def _entry(name: str, compute: str, *, formula: str, source: str, axis: str, more: Mapping[str, Any] | None = None) -> Indicator:
    said = {"unit": "index", "range": (None, None), "parameters": PRESENCE} | dict(more or {})
    return Indicator(
        id=name,
        family="complexity",
        formula=formula,
        source=source,
        roles=CELLS,
        keys=("time", axis),
        compute=f"hinterland.measure.entries.complexity:{compute}",
        unique=("time", "region", "industry"),
        **said,
    )


_COUNT = {"unit": "count", "range": (1.0, None)}
_FITNESS = {"range": (0.0, None), "parameters": PRESENCE | {"iterations": Parameter(200, help="steps, at most")}}
_SIGNED = {"parameters": PRESENCE | ORIENT}
_HIDALGO = "Hidalgo & Hausmann (2009)"
_ATLAS = "Hidalgo & Hausmann (2009); Hausmann et al. (2014), eq. 3-5"
_TACCHELLA = "Tacchella et al. (2012), eq. 1"
_ECI = r"\widetilde W = D^{-1} M U^{-1} M',\; ECI = z(v_2(\widetilde W))"
_PCI = r"\widetilde V = U^{-1} M' D^{-1} M,\; PCI = z(v_2(\widetilde V))"
_DIVERSITY, _UBIQUITY = r"d_r = \sum_i M_{ri},\; M_{ri} = 1[LQ_{ri} \ge 1]", r"u_i = \sum_r M_{ri},\; M_{ri} = 1[LQ_{ri} \ge 1]"

ENTRIES = (
    _entry("diversity", "diversity", formula=_DIVERSITY, source=_HIDALGO, axis="region", more=_COUNT),
    _entry("ubiquity", "ubiquity", formula=_UBIQUITY, source=_HIDALGO, axis="industry", more=_COUNT),
    _entry("economic-complexity", "economic_complexity", formula=_ECI, source=_ATLAS, axis="region", more=_SIGNED),
    _entry("product-complexity", "product_complexity", formula=_PCI, source=_ATLAS, axis="industry", more=_SIGNED),
    _entry("fitness", "region_fitness", formula=r"F_r \propto \sum_i M_{ri} Q_i", source=_TACCHELLA, axis="region", more=_FITNESS),
    _entry(
        "fitness-complexity",
        "industry_fitness",
        formula=r"Q_i \propto 1 / \sum_r M_{ri} / F_r",
        source=_TACCHELLA,
        axis="industry",
        more=_FITNESS,
    ),
)
