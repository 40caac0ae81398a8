"""Misallocation between firms within industries."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, fail_if_any, listed
from hinterland.measure import hsieh_klenow
from hinterland.measure.data import Data, positions
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Block, Measured, block
from hinterland.measure.second import Second, table

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


def allocative_efficiency(
    data: Data,
    *,
    alpha: float | Second = None,
    sigma: float = 3.0,
    trim: float = 0.01,
    tails: str = "year",
    min_firms: int = 2,
    theta: Second = None,
) -> Measured:
    """Efficiency, gain and dispersion of each industry (of each region and time, where given), and of all industries together."""
    findings = out_of_range("sigma", sigma, 1, np.inf, open_ends=True) + out_of_range("trim", trim, 0, 0.25)
    findings += out_of_range("min_firms", min_firms, 1, np.inf, whole=True)
    shares, more = _alpha(data, alpha)
    fail_if_any(findings + more, "hsieh-klenow")
    cells, cell = _cells(data)
    sets, set_of = _sets(cells)
    rows = (data.number("value_added"), data.number("capital"), data.number("wages"))
    pool = set_of[cell] if tails == "year" else cell
    found = hsieh_klenow.allocation(*rows, cell, shares, sigma=sigma, trim=trim, pool=pool, min_firms=min_firms)
    total, held = hsieh_klenow.aggregate(found.efficiency, _theta(theta, cells, found.value_added), set_of)
    given = np.bincount(cell, minlength=cells.height)
    blocks = _industry_blocks(cells, found, given) + _total_blocks(sets, total, held, _sum_by(set_of, found))
    said, meta = _left_out(data, rows, found, given)
    return Measured(blocks, said, meta=meta)


def _cells(data: Data) -> tuple[pl.DataFrame, Codes]:
    """The cells in the order of their keys, and each row's cell."""
    keys = [k for k in ("time", "region", "industry") if data.has(k)]
    cells = data.frame.select(keys).unique().sort(keys).with_row_index("cell")
    return cells, data.frame.select(keys).join(cells, on=keys, how="left", maintain_order="left")["cell"].to_numpy().astype(np.intp)


def _sets(cells: pl.DataFrame) -> tuple[pl.DataFrame, Codes]:
    """What industries are added up to: times and regions."""
    keys = [k for k in ("time", "region") if k in cells.columns]
    if not keys:
        return pl.DataFrame({"set": [0]}), np.zeros(cells.height, dtype=np.intp)
    sets = cells.select(keys).unique().sort(keys).with_row_index("set")
    return sets, cells.select(keys).join(sets, on=keys, how="left", maintain_order="left")["set"].to_numpy().astype(np.intp)


def _alpha(data: Data, alpha: Any) -> tuple[Array, list[Finding]]:
    """[N] capital share of each row's industry."""
    if isinstance(alpha, int | float):
        return np.full(data.frame.height, float(alpha)), out_of_range("alpha", alpha, 0, 1, open_ends=True)
    if alpha is None:
        what = "hsieh-klenow needs the capital share of each industry; the wages that firms report understate labour's"
        remedy = "give a number between 0 and 1, or a table with a column alpha beside the industries"
        return np.zeros(data.frame.height), [Finding("missing-parameter", what, "parameter alpha", remedy)]
    by_industry, findings = _by_industry(data.labels("industry"), table(alpha, "alpha", ["industry", "alpha"], data.columns), "alpha")
    bad = data.labels("industry").filter(pl.Series(~((by_industry > 0) & (by_industry < 1)) & np.isfinite(by_industry)))
    if len(bad):
        findings.append(Finding("out-of-range", f"alpha of {listed(bad)} is not between 0 and 1", "parameter alpha", "correct it"))
    return by_industry[data.codes("industry")], findings


def _by_industry(industries: pl.Series, found: pl.DataFrame, column: str) -> tuple[Array, list[Finding]]:
    known = found.select(pl.col("industry").cast(pl.String), pl.col(column).cast(pl.Float64, strict=False))
    findings = []
    if known["industry"].is_duplicated().any():
        findings.append(Finding("duplicate-cell", f"industries occur twice in {column}", f"parameter {column}", "give one row each"))
    numbers = dict(known.drop_nulls().iter_rows())
    absent = [i for i in industries if i not in numbers]
    if absent:
        findings.append(
            Finding("table-lacks-industry", f"there is no {column} for {listed(absent)}", f"parameter {column}", "add the rows")
        )
    return np.array([numbers.get(i, np.nan) for i in industries]), findings


def _theta(theta: Second, cells: pl.DataFrame, value_added: Array) -> Array:
    """[C] weight of each cell in the total."""
    if theta is None:
        return value_added
    industries = cells["industry"].unique().sort()
    weights, findings = _by_industry(industries, table(theta, "theta", ["industry", "theta"], {}), "theta")
    if (weights < 0).any():
        findings.append(Finding("negative-value", "theta has negative weights", "parameter theta", "correct them"))
    fail_if_any(findings, "parameter theta")
    return weights[positions(cells["industry"], industries)]


def _industry_blocks(cells: pl.DataFrame, found: hsieh_klenow.Cells, given: NDArray[np.int64]) -> list[Block]:
    keys = {k: cells[k] for k in cells.columns if k != "cell"}
    coverage = found.n_used / given
    few = {"no-firms": found.n_given == 0, "too-few-firms": np.isnan(found.efficiency)}
    values = (("efficiency", found.efficiency), ("efficiency-gain", found.gain), ("tfpr-dispersion", found.tfpr_sd))
    return [block(keys, v, n_used=found.n_used, coverage=coverage, reasons=few, component=name) for name, v in values]


def _total_blocks(sets: pl.DataFrame, total: Array, held: Array, used: Array) -> list[Block]:
    keys = {k: sets[k] for k in sets.columns if k != "set"}
    coverage = np.nan_to_num(held)
    reasons = {"too-few-firms": np.isnan(total)}
    values = (("total-efficiency", total), ("total-efficiency-gain", 1 / total - 1))
    return [block(keys, v, n_used=used, coverage=coverage, reasons=reasons, component=name) for name, v in values]


def _sum_by(set_of: Codes, found: hsieh_klenow.Cells) -> Array:
    """[S] firms behind each total."""
    return np.asarray(np.bincount(set_of, np.where(np.isfinite(found.efficiency), found.n_used, 0)), dtype=np.float64)


def _left_out(
    data: Data, rows: tuple[Array, Array, Array], found: hsieh_klenow.Cells, given: NDArray[np.int64]
) -> tuple[tuple[Finding, ...], dict[str, Any]]:
    """How many firms are not used, and why."""
    unusable, trimmed = int((given - found.n_given).sum()), int((found.n_given - found.n_used).sum())
    meta = {"firms": int(given.sum()), "firms_not_positive": unusable, "firms_trimmed": trimmed}
    if not unusable:
        return (), meta
    bad = np.flatnonzero(~np.all([np.isfinite(v) & (v > 0) for v in rows], axis=0))
    what = f"{unusable} of {given.sum()} firm(s) lack a positive value added, capital or wage bill, and are left out"
    remedy = "nothing, if that is how they are; otherwise correct the rows"
    return (Finding("firms-not-positive", what, data.where(bad), remedy, "warning"),), meta


ENTRIES = (
    Indicator(
        id="hsieh-klenow",
        family="misallocation",
        unit="index",
        range=(0.0, None),
        formula=r"\frac{Y}{Y_{eff}} = \prod_i \Bigl[\sum_f \Bigl(\frac{A_f}{\bar A_i}\frac{\overline{TFPR}_i}{TFPR_f}\Bigr)^{\sigma-1}\Bigr]^{\theta_i/(\sigma-1)}",
        source="Hsieh & Klenow (2009), eq. 15, 19 and 20",
        roles=(
            Role("industry", "key", "narrow industry, such as four digits"),
            Role("value_added", "number", "value added of the firm"),
            Role("capital", "number", "capital of the firm, at book or constant prices"),
            Role("wages", "number", "wage bill of the firm; persons employed assume equal wages"),
            Role("time", "time", "year", required=False),
            Role("region", "key", "region, to measure each by itself", required=False),
        ),
        keys=("time", "region", "industry"),
        compute="hinterland.measure.entries.hsieh_klenow:allocative_efficiency",
        parameters={
            "alpha": Parameter(None, help="capital share: a number, or a table of industry and alpha", table=True),
            "sigma": Parameter(3.0, help="elasticity of substitution between firms; 3 is cautious"),
            "trim": Parameter(0.01, help="share of each tail of relative TFPR and of relative A that is left out"),
            "tails": Parameter("year", ("year", "industry"), "tails of all industries of a year together, or of each industry"),
            "min_firms": Parameter(2, help="an industry with fewer firms has no value"),
            "theta": Parameter(None, help="weights of industries in the total: value added, or a table of industry and theta", table=True),
        },
        components=("efficiency", "efficiency-gain", "tfpr-dispersion", "total-efficiency", "total-efficiency-gain"),
    ),
)
