"""C19: no host falls far behind."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import Expression, column, rows_where, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family

UNIT = "10k-yuan/person"


def value_added_per_head(b: Building) -> Expression:
    """[region, year] value added over residents; of regions whose residents are known."""
    p = b.problem
    heads = p["population"].transpose("region", "year").values
    where = np.isfinite(heads).all(axis=1) & (heads > 0).all(axis=1)
    made = total(p["value_added"] * b["output"], "cell", p.links["cell.region"], p.index["region"])
    region = rows_where(where, p.index["region"])
    return column(1 / heads[where], region, b.year) * made.sel(region=region)


def known_hosts(b: Building) -> np.ndarray:
    """[region] hosts whose residents are known."""
    heads = b.problem["population"].transpose("region", "year").values
    return np.asarray(np.isfinite(heads).all(axis=1) & (heads > 0).all(axis=1) & b.problem["host"].values.astype(bool))


def equity(b: Building) -> None:
    r"""Value added per head of each host is no less than a share of the mean of all regions.

    Rows: host × decided year of a phase with a share
    Unit: 10k-yuan/person
    Formula: \frac{Y_{ht}}{N_{ht}} \ge e_\varphi \frac{\sum_r Y_{rt}}{\sum_r N_{rt}}
    Gives way: short where a host falls behind
    """
    p, hosts = b.problem, known_hosts(b)
    share = p.phase_of("equity").sel(year=b.open)
    year = rows_where(np.isfinite(share.values), b.open)
    if not hosts.any() or not len(year):
        return
    per_head = value_added_per_head(b)
    region = rows_where(hosts, p.index["region"])
    heads = p["population"].transpose("region", "year").sel(year=year)
    known = heads.sel(region=per_head.indexes["region"])
    mean = ((known / known.sum("region")) * per_head.sel(year=year)).sum("region")
    rest = per_head.sel(region=region, year=year) - (share.sel(year=year) * mean)
    b.require("equity", rest, ">=", 0, family="C19", unit=UNIT, typical=1 / float(np.median(heads.sel(region=region).values)))


def spread_of_hosts(b: Building) -> None:
    r"""Between the host with most value added per head and the one with least there is no more than a gap.

    Rows: host × decided year of a phase with a gap, from above and from below
    Unit: 10k-yuan/person
    Formula: \max_h \frac{Y_{ht}}{N_{ht}} - \min_h \frac{Y_{ht}}{N_{ht}} \le \Gamma_\varphi
    Gives way: over where the gap is wider
    """
    p, hosts = b.problem, known_hosts(b)
    gap = p.phase_of("range").sel(year=b.open)
    year = rows_where(np.isfinite(gap.values), b.open)
    if not hosts.any() or not len(year):
        return
    region = rows_where(hosts, p.index["region"])
    made = value_added_per_head(b).sel(region=region, year=year)
    b.variable("highest", year, lower=-np.inf, unit=UNIT, meaning="value added per head of the first host")
    b.variable("lowest", year, lower=-np.inf, unit=UNIT, meaning="value added per head of the last host")
    b.require("highest", b["highest"] - made, ">=", 0, family="C19", unit=UNIT)
    b.require("lowest", made - b["lowest"], ">=", 0, family="C19", unit=UNIT)
    heads = p["population"].sel(region=region).values
    b.require("range", b["highest"] - b["lowest"], "<=", gap.sel(year=year), family="C19", unit=UNIT, typical=1 / float(np.median(heads)))


FAMILY = Family("C19", "equity", (equity, spread_of_hosts))
