"""Transfer of activity between regions in multi-regional input-output tables."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError
from hinterland.labels import Note
from hinterland.measure import multiregional
from hinterland.measure.data import Data
from hinterland.measure.entries.axes import axes
from hinterland.measure.entries.io_tables import FINAL, ROLES, UNIQUE, Tables, by_year, io_tables, said_as_findings
from hinterland.measure.indicator import Indicator, Parameter
from hinterland.measure.multiregional import Table, Transfer
from hinterland.measure.result import Block, Measured, dense

Floats = NDArray[np.float64]
Quantity = Literal["output", "value-added"]


def _table(t: Tables, year: int) -> Table:
    return multiregional.table(t.deliveries[year], t.final[year], x=t.output[year])


def _weights(m: Table, quantity: Quantity) -> Floats | None:
    return multiregional.value_added_coefficients(m) if quantity == "value-added" else None


def induced(data: Data, *, final: Any = None, quantity: Quantity = "output") -> Measured:
    """One value per time, region, industry and region of demand."""
    t = io_tables(data, final)

    def compute(year: int) -> Floats:
        m = _table(t, year)
        weights = _weights(m, quantity)
        return multiregional.induced_output(m) if weights is None else multiregional.induced_value_added(m, weights)

    return Measured([_cells(t, t.split(by_year(t, compute, "induced-output")))], notes=(Note("demand-driven"),))


def export_share(data: Data, *, final: Any = None) -> Measured:
    """One value per time and region."""
    t = io_tables(data, final)
    values = by_year(
        t, lambda y: multiregional.value_added_export_share(multiregional.induced_value_added(_table(t, y))), "value-added-export-share"
    )
    where = axes(time=t.times, region=t.regions)
    reasons = {"no-output": ~np.isfinite(values)}
    return Measured([dense(where, values, n_used=t.deliveries.shape[1], reasons=reasons)], notes=(Note("demand-driven"),))


def transfer(data: Data, *, final: Any = None, quantity: Quantity = "output") -> Measured:
    """Three components per pair of tables, region, industry and region of demand."""
    t = io_tables(data, final)
    found = _transfers(t, quantity)
    blocks = [_cells(t, _split(t, found, name), component) for component, name in _PARTS.items()]
    return Measured(blocks, notes=(Note("demand-driven"),), meta=_compared(t))


def net_transfer(data: Data, *, final: Any = None, quantity: Quantity = "output", component: str = "structure") -> Measured:
    """One value per pair of tables, region, industry and other region."""
    t = io_tables(data, final)
    found = _transfers(t, quantity)
    values = np.stack([multiregional.net_transfer(getattr(f, _PARTS[f"mrio-{component}"])) for f in found])
    return Measured([_cells(t, values)], notes=(Note("demand-driven"),), meta=_compared(t))


def _transfers(t: Tables, quantity: Quantity) -> list[Transfer]:
    """Each table against the one before.

    Raises:
        InputError: fewer than two tables.
    """
    if len(t.times) < 2:
        what = f"there is one table: {t.times.to_list()}"
        raise InputError(Finding("change-needs-two-periods", what, "argument time", "give tables of at least two years"), "a transfer")
    with said_as_findings("input-output table"):
        tables = [_table(t, y) for y in range(len(t.times))]
        weights = [_weights(m, quantity) for m in tables]
        return [
            multiregional.transfer(tables[y - 1], tables[y], start_weights=weights[y - 1], end_weights=weights[y])
            for y in range(1, len(tables))
        ]


def _split(t: Tables, found: list[Transfer], name: str) -> Floats:
    stacked = np.stack([getattr(f, name) for f in found])
    return stacked.reshape(len(found), len(t.regions), len(t.industries), len(t.regions))


def _compared(t: Tables) -> Mapping[str, Any]:
    times = t.times.to_list()
    return {"compared": [list(p) for p in pairwise(times)]}


def _cells(t: Tables, values: Floats, component: str = "") -> Block:
    """[T, R, S, R] as rows; changes belong to the later of two tables."""
    where = axes(time=t.times[len(t.times) - len(values) :], region=t.regions, industry=t.industries, other=t.regions)
    return dense(where, values, n_used=t.deliveries.shape[1], component=component)


def upstreamness(data: Data, *, final: Any = None) -> Measured:
    """One value per time, region and industry."""
    t = io_tables(data, final)
    values = t.split(by_year(t, lambda y: multiregional.upstreamness(t.deliveries[y], t.output[y]), "upstreamness"))
    where = axes(time=t.times, region=t.regions, industry=t.industries)
    silent = t.split(t.output) <= 0
    return Measured([dense(where, values, n_used=t.deliveries.shape[1], reasons={"no-output": silent})])


_PARTS = {"mrio-change": "change", "mrio-structure": "structure", "mrio-demand": "demand"}
_QUANTITY = Parameter("output", ("output", "value-added"), "gross output, or value added (output less domestic inputs)")
_CHAIN = ("time", "region", "industry", "other")
_MULTI: tuple[Any, ...] = tuple(r if r.name not in ("region", "other") else type(r)(r.name, r.kind, r.help) for r in ROLES)


def _entry(name: str, compute: str, *, formula: str, source: str, more: Mapping[str, Any] | None = None) -> Indicator:
    said = {
        "unit": "as-input",
        "range": (None, None),
        "keys": _CHAIN,
        "roles": _MULTI,
        "parameters": {"final": FINAL, "quantity": _QUANTITY},
    } | dict(more or {})
    return Indicator(
        id=name,
        family="transfer",
        formula=formula,
        source=source,
        compute=f"hinterland.measure.entries.multiregional:{compute}",
        unique=UNIQUE,
        **said,
    )


_LIU = "Liu, Liu & Liu (2011); Dietzenbacher & Los (1998)"

ENTRIES = (
    _entry(
        "induced-output",
        "induced",
        formula=r"T^{(r,i),s} = \sum_j L^{(r,i),(\cdot,j)} F^{(\cdot,j),s}",
        source="Leontief (1936); Liu, Liu & Liu (2011)",
    ),
    _entry(
        "mrio-transfer",
        "transfer",
        formula=r"\Delta T = \tfrac12 \Delta L (F_0 + F_1) + \tfrac12 (L_0 + L_1) \Delta F",
        source=_LIU,
        more={"components": tuple(_PARTS)},
    ),
    _entry(
        "mrio-net-transfer",
        "net_transfer",
        formula=r"N^{rs}_i = \Delta T^{(r,i),s} - \Delta T^{(s,i),r}",
        source=_LIU,
        more={
            "parameters": {
                "final": FINAL,
                "quantity": _QUANTITY,
                "component": Parameter(
                    "structure", ("structure", "demand", "change"), "which part of the change: structure is the one like transfer"
                ),
            }
        },
    ),
    _entry(
        "value-added-export-share",
        "export_share",
        formula=r"1 - T^{VA}_{rr}/\sum_s T^{VA}_{rs}",
        source="Johnson & Noguera (2012)",
        more={"unit": "share", "range": (0.0, 1.0), "keys": ("time", "region"), "parameters": {"final": FINAL}},
    ),
    _entry(
        "upstreamness",
        "upstreamness",
        formula=r"U = (I - \Delta)^{-1} 1,\; \delta_{ij} = z_{ij}/x_i",
        source="Antràs, Chor, Fally & Hillberry (2012); Antràs & Chor (2013)",
        more={
            "unit": "index",
            "range": (1.0, None),
            "keys": ("time", "region", "industry"),
            "roles": ROLES,
            "parameters": {"final": FINAL},
        },
    ),
)
