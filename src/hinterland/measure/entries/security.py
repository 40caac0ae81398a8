"""Security of supply, resilience, and cover by a hinterland."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.measure import security as formulas
from hinterland.measure.data import Cube, Data, positions
from hinterland.measure.division import ratio
from hinterland.measure.entries.axes import axes
from hinterland.measure.entries.changes import CELLS, UNIQUE
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, block, dense
from hinterland.measure.second import reference_vector, table
from hinterland.measure.turning import turning_points

Floats = NDArray[np.float64]


def supply_concentration(data: Data) -> Measured:
    """Two components per time, region and product."""
    cube = data.cube("time", "region", "item", "other")
    listed_ = data.complete or np.isfinite(cube.values).any(axis=-1)
    found = formulas.supply_concentration(np.nan_to_num(cube.values))
    # A table of supply lists suppliers: an origin without a row supplies nothing.
    rows = np.zeros(cube.values.shape[:3], dtype=np.int64)
    known = rows.copy()
    at = tuple(data.codes(d) for d in ("time", "region", "item"))
    np.add.at(rows, at, 1)
    np.add.at(known, at, np.isfinite(data.number()))
    coverage = np.divide(known, rows, out=np.ones(rows.shape), where=rows > 0)
    reasons = {"missing-input": np.broadcast_to(~np.asarray(listed_), rows.shape), "no-supply": ~np.isfinite(found.hhi)}
    parts = {"supply-hhi": found.hhi, "effective-suppliers": found.suppliers}
    dims = ("time", "region", "item")
    return Measured([dense(cube, v, n_used=known, coverage=coverage, reasons=reasons, component=c, dims=dims) for c, v in parts.items()])


def self_sufficiency(data: Data) -> Measured:
    """One or two components per time, region and product."""
    dims = ("time", "region", "item")
    names = ["output", "imports", "exports", *[n for n in ("inflow", "outflow") if data.has(n)]]
    cubes = {n: data.cube(*dims, value=n) for n in names}
    q, m, e = (cubes[n].values for n in names[:3])
    home = [cubes[n].values if n in cubes else np.zeros(q.shape) for n in ("inflow", "outflow")]
    parts = {"self-sufficiency": formulas.self_sufficiency(q, m + home[0], e + home[1])}
    if len(names) > 3:
        parts["domestic-self-sufficiency"] = formulas.domestic_self_sufficiency(q, m, e, *home)
    missing = ~np.logical_and.reduce([c.observed for c in cubes.values()])
    suppressed = np.logical_or.reduce([c.suppressed for c in cubes.values()])
    blocks = []
    for component, values in parts.items():
        reasons = {"suppressed-input": suppressed, "missing-input": missing, "nothing-used": ~np.isfinite(values)}
        blocks.append(dense(cubes["output"], values, n_used=len(names), coverage=1.0 - missing, reasons=reasons, component=component))
    return Measured(blocks)


def resilience(data: Data, *, turning: Any = None, reference: Any = None, floor: float = 0.001) -> Measured:
    """Three components per phase and region; time is the phase's last period."""
    cube = data.cube("time", "region", "industry")
    national, findings = reference_vector(data, cube, reference)
    phases = _phases(cube, turning)
    solved = {p: _phase(cube.values, national, p, floor) for p in sorted({p for p, _ in phases})}
    region = np.array([r for _, r in phases])
    keys = {"time": cube.labels[0].gather([b for (_, b), _ in phases]), "region": cube.labels[1].gather(region)}
    used = np.array([solved[p][1][r] for p, r in phases])
    blocks = []
    for component, name in {"resilience": "index", "actual-change": "actual", "expected-change": "expected"}.items():
        values = np.array([getattr(solved[p][0], name)[r] for p, r in phases])
        reasons = {"missing-input": used == 0, "no-expected-change": ~np.isfinite(values)}
        blocks.append(block(keys, values, n_used=used, coverage=used / cube.values.shape[2], reasons=reasons, component=component))
    return Measured(blocks, findings, meta={"phases": _phases_in_words(cube, phases)})


def _phase(values: Floats, national: Floats | None, phase: tuple[int, int], floor: float) -> tuple[formulas.Resilience, Floats]:
    """Resilience of every region over one phase, and how many industries it rests on."""
    first, last = phase
    both = np.isfinite(values[first]) & np.isfinite(values[last])
    start, end = np.where(both, values[first], np.nan), np.where(both, values[last], np.nan)
    rates = None if national is None else ratio(national[last], national[first]) - 1
    return formulas.resilience(start, end, rates=rates, floor=floor), both.sum(axis=1)


def _phases(cube: Cube, turning: Any) -> list[tuple[tuple[int, int], int]]:
    """First and last position of each phase, with the region that it is of.

    Raises:
        InputError: one period, or turning points that are not in the table.
    """
    where, years = "parameter turning", cube.labels[0].to_list()
    # An industry that comes and goes in the records would turn the total where nothing turned.
    whole = np.where(np.isfinite(cube.values).all(axis=0), cube.values, np.nan)
    regions = range(cube.values.shape[1])
    if len(years) < 2:
        what = f"the table has one period: {years}"
        raise InputError(Finding("change-needs-two-periods", what, "argument time", "give a table with at least two periods"), "a change")
    if turning is not None and not isinstance(turning, str | list | tuple):
        raise InputError(_not_turning(turning), where)
    if turning == "regional-cycle":
        return [(p, r) for r in regions for p in pairwise(turning_points(np.nansum(whole[:, r], axis=1)))]
    if turning is None:
        at = [0, len(years) - 1]
    elif turning == "cycle":
        at = turning_points(np.nansum(whole, axis=(1, 2)))
    elif isinstance(turning, str):
        raise InputError(_not_turning(turning), where)
    else:
        at = _years(list(turning), years)
    return [(p, r) for p in pairwise(at) for r in regions]


def _not_turning(turning: Any) -> Finding:
    remedy = "give 'cycle', 'regional-cycle', or a list of years"
    return Finding("unknown-value", f"turning is {turning!r}", "parameter turning", remedy)


def _years(turning: list[Any], years: list[Any]) -> list[int]:
    absent = [t for t in turning if t not in years]
    if absent or len(turning) < 2:
        what = f"turning points are {listed(turning)}" + (f"; the table lacks {listed(absent)}" if absent else "")
        remedy = "give at least two years that the table has"
        raise InputError(Finding("turning-points", what, "parameter turning", remedy), "parameter turning")
    return sorted(years.index(t) for t in turning)


def _phases_in_words(cube: Cube, phases: list[tuple[tuple[int, int], int]]) -> list[list[Any]]:
    times = cube.labels[0].to_list()
    return [[times[a], times[b]] for a, b in sorted({p for p, _ in phases})]


def supply_cover(data: Data, *, demand: Any = None) -> Measured:
    """Four components per time and product."""
    dims = ("time", "region", "item")
    names = ["capacity", "utilisation", *(["ramp"] if data.has("ramp") else [])]
    cubes = {n: data.cube(*dims, value=n) for n in names}
    known = np.logical_and.reduce([c.observed for c in cubes.values()])
    _fail_if_not_shares(data, [n for n in names if n != "capacity"])
    items = cubes["capacity"].labels[2]
    need, findings = _demand(demand, items)
    spared = {n: np.where(known, np.nan_to_num(c.values), 0.0) for n, c in cubes.items()}
    ramp = spared.get("ramp", np.ones(known.shape))
    found = [formulas.cover(spared["capacity"][t], spared["utilisation"][t], np.nan_to_num(need), ramp=ramp[t]) for t in range(len(known))]
    used = known.sum(axis=1)
    where = axes(time=cubes["capacity"].labels[0], item=items)
    reasons = {"missing-input": used == 0, "nothing-to-replace": ~(need > 0)}
    blocks = []
    for component, name in _COVER.items():
        values = np.stack([getattr(f, name) for f in found])
        more = {"no-spare-capacity": ~np.isfinite(values)} if name == "concentration" else {}
        blocks.append(dense(where, values, n_used=used, coverage=used / known.shape[1], reasons={**reasons, **more}, component=component))
    return Measured(blocks, findings, notes=(Note("cover-own-index"),))


def _fail_if_not_shares(data: Data, names: list[str]) -> None:
    findings = []
    for name in names:
        rows = np.flatnonzero(np.nan_to_num(data.number(name)) > 1)
        if len(rows):
            what = f"{len(rows)} value(s) of {data.columns[name]!r} are above 1"
            findings.append(Finding("share-above-one", what, data.where(rows, name), "give shares between 0 and 1, not per cent"))
    fail_if_any(findings, "supply-cover", InputError)


def _demand(source: Any, items: pl.Series) -> tuple[Floats, tuple[Finding, ...]]:
    """[P] what must be replaced of each product; NaN where the table has none, with a warning."""
    where = "parameter demand"
    if source is None:
        remedy = "give a table with columns item and value: what the threatened set supplies per period"
        raise InputError(Finding("missing-demand", "what must be replaced was not given", where, remedy), where)
    found = table(source, "demand", ["item", "value"], unique=["item"]).with_columns(
        pl.col("item").cast(pl.String), pl.col("value").cast(pl.Float64, strict=False)
    )
    bad = found.filter(pl.col("value").is_null() | ~pl.col("value").is_finite() | (pl.col("value") < 0))
    if bad.height:
        raise InputError(
            Finding("demand-wrong", f"demand is negative or no number for {listed(bad['item'])}", where, "give 0 or more"), where
        )
    inside = found.filter(pl.col("item").is_in(items.implode()))
    out = np.full(len(items), np.nan)
    out[positions(inside["item"], items)] = inside["value"].to_numpy()
    uncovered = [i for i in found["item"] if i not in set(items)]
    if not uncovered:
        return out, ()
    what = f"no region of the table makes {listed(uncovered)}, which must be replaced"
    return out, (Finding("demand-without-hinterland", what, where, "add regions that could make it, or read the cover as 0", "warning"),)


_COVER = {"cover": "cover", "cover-penalised": "penalised", "cover-without-one": "without_one", "spare-concentration": "concentration"}
_ITEM = Role("item", "key", "product", required=False)
_TIME = Role("time", "time", "year", required=False)


def _number(name: str, text: str, required: bool = True) -> Role:
    return Role(name, "number", text, required=required, sign="non-negative")


def _entry(name: str, compute: str, *, formula: str, source: str, keys: tuple[str, ...], more: Mapping[str, Any]) -> Indicator:
    said = {"unit": "share", "range": (0.0, None)} | dict(more)
    return Indicator(
        id=name,
        family="security",
        formula=formula,
        source=source,
        keys=keys,
        compute=f"hinterland.measure.entries.security:{compute}",
        **said,
    )


ENTRIES = (
    _entry(
        "supply-concentration",
        "supply_concentration",
        formula=r"HHI_p = \sum_o s_{op}^2,\; 1/HHI_p",
        source="Herfindahl (1950); Hirschman (1945)",
        keys=("time", "region", "item"),
        more={
            "unit": "index",
            "roles": (
                Role("region", "key", "region that is supplied"),
                Role("other", "key", "region or country of origin"),
                _number("value", "supply, one unit"),
                _ITEM,
                _TIME,
            ),
            "components": ("supply-hhi", "effective-suppliers"),
            "units": {"effective-suppliers": "count"},
            "unique": ("time", "region", "item", "other"),
        },
    ),
    _entry(
        "self-sufficiency",
        "self_sufficiency",
        formula=r"Q/(Q + M - E);\; (Q + M_d - E_d)/(Q + M_d - E_d + M_f - E_f)",
        source="FAO, self-sufficiency ratio",
        keys=("time", "region", "item"),
        more={
            "roles": (
                Role("region", "key", "region"),
                _number("output", "production"),
                _number("imports", "imports from abroad; from anywhere where inflow is not given"),
                _number("exports", "exports abroad; anywhere where outflow is not given"),
                _number("inflow", "from other regions of the country", required=False),
                _number("outflow", "to other regions of the country", required=False),
                _ITEM,
                _TIME,
            ),
            "components": ("self-sufficiency", "domestic-self-sufficiency"),
            "unique": ("time", "region", "item"),
        },
    ),
    _entry(
        "regional-resilience",
        "resilience",
        formula=r"(\Delta E_r - \Delta E_r^{exp})/|\Delta E_r^{exp}|,\; \Delta E_r^{exp} = \sum_i G_i E_{ri}",
        source="Martin (2012); Martin, Sunley, Gardiner & Tyler (2016)",
        keys=("time", "region"),
        more={
            "unit": "index",
            "range": (None, None),
            "roles": CELLS,
            "unique": UNIQUE,
            "parameters": {
                "turning": Parameter(
                    None,
                    help="turning points: a list of years, 'cycle' for peaks and troughs of the total, 'regional-cycle' for those of each region, or the first and last period",
                ),
                "reference": Parameter(
                    None,
                    help="the nation: the sum over the table's regions, or a table with the columns of industry, value and time",
                    table=True,
                ),
                "floor": Parameter(0.001, help="expected changes below this share of the start leave no value"),
            },
            "components": ("resilience", "actual-change", "expected-change"),
            "units": {"actual-change": "as-input", "expected-change": "as-input"},
        },
    ),
    _entry(
        "supply-cover",
        "supply_cover",
        formula=r"\min(1, \sum_h spare_{hp}\kappa_{hp}/D_p),\; \times(1 - HHI),\; \min_h",
        source="this library's own",
        keys=("time", "item"),
        more={
            "range": (0.0, 1.0),
            "roles": (
                Role("region", "key", "region of the hinterland"),
                Role("item", "key", "product"),
                _number("capacity", "output that it could make per period"),
                _number("utilisation", "share of capacity in use, 0 to 1"),
                _number("ramp", "share of spare capacity that can be running in time, 0 to 1", required=False),
                _TIME,
            ),
            "unique": ("time", "region", "item"),
            "parameters": {
                "demand": Parameter(None, help="what must be replaced per period: a table with columns item and value", table=True)
            },
            "components": tuple(_COVER),
        },
    ),
)
