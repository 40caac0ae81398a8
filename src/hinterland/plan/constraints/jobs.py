"""C18: employment does not fall below its floors, at sources and at hosts."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import Expression, at_least, column, rows_where, total
from hinterland.plan.building import Building, typical
from hinterland.plan.constraints.family import Family

UNIT = "10k-person"


def employed(b: Building) -> Expression:
    """[region, year] people that output employs, of every skill."""
    p = b.problem
    return total(p["staffing"].sum("skill") * b["output"], "cell", p.links["cell.region"], p.index["region"])


def _floor(b: Building, name: str, floor: np.ndarray) -> None:
    """Rows for the regions whose floor is a number."""
    p = b.problem
    where = np.isfinite(floor).any(axis=1)
    if not where.any() or not len(p.index["skill"]):
        return
    region = rows_where(where, p.index["region"])
    people = employed(b).sel(region=region, year=b.open)
    level = typical(p["staffing"].sum("skill").values)
    b.require(name, people, ">=", at_least(column(floor[where], region, b.open)), family="C18", unit=UNIT, typical=level)


def jobs_at_sources(b: Building) -> None:
    r"""A source keeps all but a share of the jobs that moves could take, at the productivity of the year.

    Rows: source × decided year
    Unit: 10k-person
    Formula: \sum_{il} \lambda_{silt} z_{sit} \ge (1-\chi_\varphi) \sum_{il} \lambda_{silt} u_i K^0_{si}
    Gives way: short where jobs are too few
    The floor counts people at the productivity of the same year, so that it limits what moves take and not what productivity saves.
    """
    p = b.problem
    cells = (p["staffing"].sum("skill") * p.of_cells("utilisation") * p["capacity"]).transpose("cell", "year").values
    n = len(p.index["region"])
    first = np.stack([np.bincount(p.links["cell.region"], weights=c, minlength=n) for c in cells.T], axis=1)
    kept = 1 - p.phase_of("job_loss").values
    floor = np.where(p["source"].values.astype(bool)[:, None], first * kept, np.nan)[:, p.decided]
    _floor(b, "jobs_at_sources", floor)


def floors_of_jobs(b: Building) -> None:
    r"""A region with a floor of employment does not fall below it.

    Rows: region with a floor × decided year; years without one are free
    Unit: 10k-person
    Formula: \sum_{il} \lambda_{rilt} z_{rit} \ge \bar E_{rt}
    Gives way: short where jobs are too few
    """
    _floor(b, "floors_of_jobs", b.problem["job_floor"].transpose("region", "year").sel(year=b.open).values)


FAMILY = Family("C18", "employment", (jobs_at_sources, floors_of_jobs))
