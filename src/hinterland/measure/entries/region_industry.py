"""What indicators on a table of regions and industries share: columns, totals, coverage, and what can be wrong with margins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.data import Cube, Data
from hinterland.measure.indicator import Parameter, Role
from hinterland.measure.result import Block, dense

Floats = NDArray[np.float64]

REGION = Role("region", "key", "region, host or city")
INDUSTRY = Role("industry", "key", "industry, on one classification")
TIME = Role("time", "time", "year", required=False)
VALUE = Role("value", "number", "employment, output or value added, in one unit", sign="non-negative")
SIZE = Role(
    "size", "number", "what regions are compared with, such as population; all activity by default", required=False, sign="non-negative"
)
CELLS = (REGION, INDUSTRY, VALUE, TIME)
CELL_KEYS = ("time", "region", "industry")

REFERENCE = Parameter(
    None,
    help="national activity: the sum over the table's regions, or a table with the columns of industry, value and time",
    table=True,
)
GIVEN = Parameter("levels", ("levels", "shares"), help="whether the values are amounts, or shares that sum to 1")

_ROUNDING = 0.005
"""Published shares in per mille or per cent do not sum to 1 exactly."""


def row_block(cube: Cube, value: Floats, reasons: Mapping[str, ArrayLike] | None = None, **more: Any) -> Block:
    """One value per time and region, from the region's own cells."""
    return _margin(cube, value, (2, "region"), reasons, more)


def column_block(cube: Cube, value: Floats, reasons: Mapping[str, ArrayLike] | None = None, **more: Any) -> Block:
    """One value per time and industry, from the industry's own cells."""
    return _margin(cube, value, (1, "industry"), reasons, more)


def _margin(cube: Cube, value: Floats, margin: tuple[int, str], reasons: Mapping[str, ArrayLike] | None, more: Mapping[str, Any]) -> Block:
    (axis, dim), seen = margin, cube.observed
    absent = ~seen.any(axis=axis)
    stated = {
        "suppressed-input": absent & cube.suppressed.any(axis=axis),
        "missing-input": absent,
        f"zero-{dim}-total": np.nansum(cube.values, axis=axis) == 0,
        **(reasons or {}),
    }
    settings: dict[str, Any] = {"n_used": seen.sum(axis=axis), "coverage": seen.mean(axis=axis)} | dict(more)
    return dense(cube, value, reasons=stated, dims=("time", dim), **settings)


def beside_all(cube: Cube, axis: int) -> Floats:
    """Coverage of a row or column that is set beside the whole table: the lesser of the two."""
    seen = cube.observed
    return np.asarray(np.minimum(seen.mean(axis=axis), seen.mean(axis=(1, 2))[:, None]), dtype=np.float64)


def without_unknown(cube: Cube, size: Floats | None) -> Floats:
    """[T, R, I] values, missing in regions whose size is not known."""
    return cube.values if size is None else np.where(np.isfinite(size)[:, :, None], cube.values, np.nan)


def zero_margins(cube: Cube, *dims: str) -> tuple[Finding, ...]:
    """Regions and industries that have no activity at all in a year, as a warning each."""
    found: list[Finding] = []
    for dim, axis in (("region", 2), ("industry", 1)):
        if dim in dims:
            zero = cube.observed.any(axis=axis) & (np.nansum(cube.values, axis=axis) == 0)
            found += _zeros(cube, dim, zero)
    return tuple(found)


def _zeros(cube: Cube, dim: str, zero: NDArray[np.bool_]) -> Iterator[Finding]:
    if zero.any():
        what = f"the total of {zero.sum()} {dim}(s) is zero, and their values are missing"
        remedy = "nothing, if there is no activity; otherwise complete the cells, or empty them if they are not known"
        yield Finding("empty-margin", what, _named(cube, dim, zero), remedy, "warning")


def _named(cube: Cube, dim: str, where: NDArray[np.bool_], shown: Floats | None = None) -> str:
    """The rows of a [T, labels] mask in words."""
    times, labels = cube.labels[cube.dims.index("time")], cube.labels[cube.dims.index(dim)]
    said = []
    for t, k in np.argwhere(where)[:6]:
        year = "" if times[int(t)] is None else f" in {times[int(t)]}"
        said.append(f"{dim} {labels[int(k)]}{year}" + ("" if shown is None else f" ({shown[t, k]:g})"))
    rest = int(where.sum()) - len(said)
    return "; ".join(said) + (f" and {rest} more" if rest > 0 else "")


def fail_if_not_whole(least: Mapping[str, int], given: Mapping[str, object]) -> None:
    """Raises where a parameter is no whole number, or is below the least one that makes sense."""
    fail_if_any(
        [
            Finding("out-of-range", f"{name} is {given[name]!r}", f"parameter {name}", f"give a whole number of at least {low}")
            for name, low in least.items()
            if isinstance(given[name], bool) or not isinstance(given[name], int) or given[name] < low  # type: ignore[operator]
        ],
        "parameters",
        InputError,
    )


def fail_if_no_share(level: float) -> None:
    """Raises where a level is not between one half and one."""
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.5 < level < 1:
        raise InputError(Finding("out-of-range", f"level is {level!r}", "parameter level", "give a share between 0.5 and 1"), "parameters")


def fail_if_shares_do_not_sum(cube: Cube, given: str, axis: int = 2) -> None:
    """Shares of a region's industries (axis 2) or of an industry's regions (1) must sum to 1, or to less where some are missing.

    Raises:
        InputError: with the regions or industries whose shares do not.
    """
    if given != "shares":
        return
    seen, total = cube.observed, np.nansum(cube.values, axis=axis)
    low = seen.all(axis=axis) & (total < 1 - _ROUNDING)
    wrong = seen.any(axis=axis) & (low | (total > 1 + _ROUNDING))
    if wrong.any():
        dim = "region" if axis == 2 else "industry"
        percent = np.allclose(total[wrong], 100, atol=1)
        remedy = "divide by 100" if percent else 'correct them, or pass given="levels" if they are amounts'
        what = f"the shares of {wrong.sum()} {dim}(s) do not sum to 1"
        raise InputError(Finding("shares-do-not-sum", what, _named(cube, dim, wrong, total), remedy), "shares")


def region_number(data: Data, role: str) -> Floats | None:
    """[T, R] a number that describes a region, such as its area, from a column that repeats it; ``None`` where it was not given.

    Raises:
        InputError: rows of one region and year disagree.
    """
    if not data.has(role):
        return None
    at, number = (data.codes("time"), data.codes("region")), data.number(role)
    out = np.full((len(data.labels("time")), len(data.labels("region"))), np.nan)
    known = np.isfinite(number)
    out[at[0][known], at[1][known]] = number[known]
    differing = np.flatnonzero(known & (number != out[at]))
    if len(differing):
        regions = listed(dict.fromkeys(data.frame["region"].gather(differing)))
        what = f"{data.columns[role]!r} differs between rows of one region and year: {regions}"
        raise InputError(Finding("differs-within-region", what, data.where(differing, role), "give each region one figure a year"), role)
    return out
