"""C16 and C17: what the hinterland must be able to make, and what must remain if a region is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hinterland.plan.algebra import Expression, column, gather, rows_where, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family
from hinterland.plan.problem import Problem

UNIT = "100m-yuan"


def critical(b: Building) -> np.ndarray:
    """[industry] industries with a required share of the hinterland in some decided year."""
    return np.asarray((b.problem["security_share"].sel(year=b.open).transpose("industry", "year").values > 0).any(axis=1))


def made_by_hosts(b: Building, where: np.ndarray, index: pd.Index[Any]) -> Expression:
    """[industry, year] output of hosts in the industries of ``where``."""
    p = b.problem
    ok = where[p.links["cell.industry"]] & p.cells_where(region="host")
    at = np.where(ok, (np.cumsum(where) - 1)[p.links["cell.industry"]], -1)
    return total(b["output"], "cell", at.astype(np.int64), index)


def security_share(b: Building) -> None:
    r"""Hosts make no less than a share of national use of each critical industry.

    Rows: critical industry × decided year
    Unit: 100m-yuan
    Formula: \sum_{h \in H} z_{hit} \ge \sigma_{it} D_{it}
    Gives way: short where the hinterland makes too little
    """
    p, where = b.problem, critical(b)
    if not where.any():
        return
    index = rows_where(where, p.index["industry"])
    least = (p["security_share"] * p["use"]).sel(industry=index, year=b.open).transpose("industry", "year")
    made = made_by_hosts(b, where, index)
    b.require("security_share", made.sel(year=b.open), ">=", least, family="C16", unit=UNIT, typical=1.0)


def asked_about(problem: Problem) -> NDArray[np.bool_]:
    """[industry, year] whether the industry must survive: the case gives what may fail, or an emergency's use."""
    given = [np.isfinite(problem[n].transpose("industry", "year").values) for n in ("tolerance", "backup_demand")]
    return np.asarray(given[0] | given[1])


def tested(problem: Problem) -> tuple[pd.Index[Any], pd.Index[Any]]:
    """Regions whose loss is tested, and industries that must survive it."""
    p = problem
    where = np.asarray(asked_about(p).any(axis=1))
    lost = pd.Index(p.index["region"][p["backup_tested"].values.astype(bool)], name="lost", dtype=object)
    return lost, rows_where(where, p.index["industry"])


def remaining(b: Building) -> Expression:
    """[case, year] what the other regions could make in an emergency, for each region lost and each backed industry."""
    p = b.problem
    lost, industry = tested(p)
    case = pd.RangeIndex(len(lost) * len(industry), name="case")
    most = p.of_cells("surge") * b["capacity"].sel(year=b.open)
    at = industry.get_indexer(p.index["industry"])[p.links["cell.industry"]].astype(np.int64)
    who = lost.get_indexer(p.index["region"])[p.links["cell.region"]]
    everyone = gather(total(most, "cell", at, industry), "industry", np.tile(np.arange(len(industry)), len(lost)), case)
    code = np.where((at >= 0) & (who >= 0), who * len(industry) + at, -1)
    return everyone - total(most, "cell", code.astype(np.int64), case)


def backup(b: Building) -> None:
    r"""If any tested region is lost, the others can make all but a tolerated part of national use at emergency rates.

    Rows: lost region and backed industry × decided year; years for which the case asks nothing are free
    Unit: 100m-yuan
    Formula: \sum_{r \ne \rho} u^{surge}_i K_{rit} + \nu_{\rho it} \ge D_{it}, \quad \nu_{\rho it} \le tol_{it} D_{it}
    Gives way: over where more than the tolerated part would fail
    """
    p = b.problem
    lost, industry = tested(p)
    if not len(lost) or not len(industry):
        return
    case = pd.RangeIndex(len(lost) * len(industry), name="case")
    demand = p["emergency_use"].sel(industry=industry, year=b.open).transpose("industry", "year").values
    share = p["tolerance"].sel(industry=industry, year=b.open).transpose("industry", "year").values
    asked = asked_about(p)[np.ix_(p.index["industry"].isin(industry), p.decided)]
    allowed = np.where(asked, np.nan_to_num(share) * demand, np.inf)
    b.variable("unmet", case, b.open, unit=UNIT, meaning="use that fails if the region is lost")
    b.variable("worst", b.open, unit=UNIT, meaning="use that fails in the worst loss of a region")
    every = column(np.tile(demand, (len(lost), 1)), case, b.open)
    b.require("unmet", remaining(b) + b["unmet"], ">=", every, family="C17", unit=UNIT)
    most = column(np.tile(allowed, (len(lost), 1)), case, b.open)
    b.require("backup", 1 * b["unmet"], "<=", most, family="C17", unit=UNIT, typical=1.0)


def worst_loss(b: Building) -> None:
    r"""The worst loss is no less than what fails in any.

    Rows: lost region × decided year
    Unit: 100m-yuan
    Formula: W_t \ge \sum_i \nu_{\rho it}
    Gives way: no
    """
    if "unmet" not in b:
        return
    lost, industry = tested(b.problem)
    fails = total(b["unmet"], "case", np.repeat(np.arange(len(lost)), len(industry)), lost)
    b.require("worst_loss", -1 * fails + b["worst"], ">=", 0, family="C17", unit=UNIT)


FAMILY = Family("C16", "security-share", (security_share,))
BACKUP = Family("C17", "backup", (backup, worst_loss))
