"""The economy of a case from an input-output table: cells, inputs, demand, routes, imports and exports that balance in the base year.

For every region and product: output + inflow + imports = inputs + final demand + outflow + exports. Inputs by regional technology, whatever their origin
(Chenery 1953, Moses 1955), so that trade is free to change while technology is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.plan.accounts import Accounts, Estimated, accounts_of
from hinterland.plan.pruning import pruned
from hinterland.plan.reconcile import delivered, reconciled

__all__ = ["Economy", "economy"]


@dataclass(frozen=True, slots=True)
class Economy:
    """Tables of a case, by name, with what was changed to make them balance.

    Attributes:
        tables: ``cells, inputs, demand, routes, imports, exports``, in 100 million yuan.
        accounts: the balanced accounts that they come from; deliveries within a region are on the diagonal of its trade.
        findings: everything that was changed, each with how much.
    """

    tables: Mapping[str, pl.DataFrame]
    accounts: Accounts
    findings: tuple[Finding, ...]


def economy(
    io: IOTable | Estimated,
    *,
    groups: Mapping[str, str] | None = None,
    unit: str | None = None,
    growth: Mapping[str, float] | None = None,
    utilisation: float | Mapping[str, float] = 1.0,
    routes: int = 8,
    keep: Sequence[str] = (),
    markets: Mapping[str, float] | None = None,
) -> Economy:
    """The base year of a plan from an inter-regional input-output table.

    Args:
        io: a linked table, or one estimated by ``hl.estimate_mrio`` (which is better: its imports are known by product).
        groups: industry of each sector; every sector for itself by default. Sectors are merged before anything else.
        unit: unit of the table, where it does not say.
        growth: by region, growth of its output from the table's year to the plan's first, at constant prices; 1 by default.
        utilisation: of capacity in the base year, or by industry: capacity is output divided by it.
        routes: origins kept for each destination and product.
        keep: regions that keep as many destinations, so that what is newly made there can be sold.
        markets: share of exports that goes to each external market; one market ``world`` by default.

    Raises:
        InputError: sectors without an industry, a table without flows between regions or without unit, parameters out of range.
    """
    fail_if_any([*_number_findings(utilisation, routes, markets or {"world": 1.0})], "economy", InputError)
    a = accounts_of(io, unit=unit, groups=groups)
    fail_if_any([*_name_findings(a, growth or {}, utilisation, keep)], "economy", InputError)
    if growth:
        a = a.scaled(np.array([growth[r] for r in a.regions], dtype=np.float64))
    a = _exact(pruned(delivered(reconciled(a)), routes, keep))
    shares, findings = _technology(a)
    used = np.array([utilisation.get(i, 1.0) if isinstance(utilisation, Mapping) else utilisation for i in a.industries])
    tables = {
        "cells": _cells(a, shares, used),
        "inputs": _inputs(a, shares[0]),
        "demand": _rows(a, demand=a.final),
        "routes": _routes(a),
        "imports": _rows(a, flow=a.imports).filter(pl.col("flow") > 0),
        "exports": _exports(a, markets or {"world": 1.0}),
    }
    return Economy(tables, a, (*a.findings, *findings))


def _number_findings(utilisation: float | Mapping[str, float], routes: int, markets: Mapping[str, float]) -> list[Finding]:
    findings = []
    values = list(utilisation.values()) if isinstance(utilisation, Mapping) else [utilisation]
    if not all(0 < v <= 1 for v in values):
        findings.append(Finding("bad-argument", f"utilisation is {listed(values)}", "argument utilisation", "give shares above 0, up to 1"))
    if routes < 1:
        findings.append(Finding("bad-argument", f"routes is {routes}", "argument routes", "give a whole number of 1 or more"))
    if abs(sum(markets.values()) - 1) > 1e-9 or min(markets.values()) < 0:
        what = f"shares of markets add up to {sum(markets.values()):g}"
        findings.append(Finding("bad-argument", what, "argument markets", "give shares of 0 or more that add up to 1"))
    return findings


def _name_findings(
    a: Accounts, growth: Mapping[str, float], utilisation: float | Mapping[str, float], keep: Sequence[str]
) -> list[Finding]:
    """Names that the table lacks, and regions without growth where others have it."""
    findings = []
    used = list(utilisation) if isinstance(utilisation, Mapping) else []
    for names, have, where in ((list(growth), a.regions, "growth"), (list(keep), a.regions, "keep"), (used, a.industries, "utilisation")):
        lost = [n for n in names if n not in have]
        if lost:
            findings.append(Finding("unknown-label", f"the table has no {listed(lost)}", f"argument {where}", did_you_mean(lost[0], have)))
    without = [r for r in a.regions if not growth.get(r, 0.0) > 0] if growth else []
    if without:
        findings.append(
            Finding("economy-growth", f"{listed(without)} have no growth above 0", "argument growth", "give every region a factor")
        )
    return findings


def _exact(a: Accounts) -> Accounts:
    """The accounts with the last digits of rounding in final demand, where there is any."""
    off = a.residual
    return replace(a, final=np.where(a.final > np.abs(off), a.final + off, a.final))


def _technology(a: Accounts) -> tuple[tuple[Floats, Floats, Floats], list[Finding]]:
    """Inputs by product, value added and inputs of unknown product of a unit of output; the country's where a region makes nothing."""
    made = a.output > 0
    size = np.where(made, a.output, 1.0)
    total = a.output.sum(axis=0)
    whole = np.where(total > 0, total, 1.0)
    inputs = np.where(made[:, None, :], a.inputs / size[:, None, :], (a.inputs.sum(axis=0) / whole)[None])
    added = np.where(made, a.value_added / size, a.value_added.sum(axis=0) / whole)
    bought = np.where(made, a.bought / size, a.bought.sum(axis=0) / whole)
    findings = []
    if not made.all():
        names = [f"{a.regions[r]} · {a.industries[i]}" for r, i in np.argwhere(~made)]
        what = f"{len(names)} cells make nothing, such as {listed(names, 3)}: they have the country's technology"
        findings.append(
            Finding("economy-empty-cells", what, "economy", "nothing, unless new industry there would work otherwise", "warning")
        )
    below = added < 0
    if below.any():
        names = [f"{a.regions[r]} · {a.industries[i]}" for r, i in np.argwhere(below)]
        what = f"inputs exceed output in {listed(names)}: value added counts as 0 there"
        findings.append(Finding("economy-negative-value-added", what, "economy", "merge these industries, or correct the table", "warning"))
    return (inputs, np.clip(added, 0.0, 1.0), bought), findings


def _rows(a: Accounts, **values: Floats) -> pl.DataFrame:
    """One row per region and industry."""
    R, S = a.output.shape
    return pl.DataFrame(
        {"region": np.repeat(a.regions, S).tolist(), "industry": list(a.industries) * R, **{n: v.reshape(-1) for n, v in values.items()}}
    )


def _cells(a: Accounts, shares: tuple[Floats, Floats, Floats], utilisation: Floats) -> pl.DataFrame:
    values = {"capacity": a.output / utilisation, "value_added": shares[1]}
    if a.bought.any():
        values["operating_cost"] = shares[2]
    return _rows(a, **values)


def _inputs(a: Accounts, coefficients: Floats) -> pl.DataFrame:
    r, i, j = np.nonzero(coefficients)
    industries, regions = np.array(a.industries), np.array(a.regions)
    named: dict[str, Any] = {"region": regions[r].tolist(), "industry": industries[i].tolist(), "using": industries[j].tolist()}
    return pl.DataFrame({**named, "coefficient": coefficients[r, i, j]})


def _routes(a: Accounts) -> pl.DataFrame:
    s, o, d = np.nonzero(a.trade * ~np.eye(len(a.regions), dtype=bool))
    industries, regions = np.array(a.industries), np.array(a.regions)
    named: dict[str, Any] = {"industry": industries[s].tolist(), "origin": regions[o].tolist(), "destination": regions[d].tolist()}
    return pl.DataFrame({**named, "flow": a.trade[s, o, d]})


def _exports(a: Accounts, markets: Mapping[str, float]) -> pl.DataFrame:
    parts = [_rows(a, flow=a.exports * share).with_columns(market=pl.lit(name)) for name, share in markets.items() if share > 0]
    return pl.concat(parts).filter(pl.col("flow") > 0).select("region", "industry", "market", "flow")
