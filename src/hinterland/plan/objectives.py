"""What can be aimed at, each a named linear expression with a unit, to be made small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from hinterland.plan.algebra import column, rows_where
from hinterland.plan.building import Building
from hinterland.plan.constraints.equity import known_hosts, value_added_per_head
from hinterland.plan.constraints.security import critical, made_by_hosts


@dataclass(frozen=True, slots=True)
class Aim:
    """An objective.

    Attributes:
        id: its name.
        unit: of its value.
        sign: 1 where less is better; −1 where more is, and the expression is turned round.
        meaning: what it counts.
        formula: in the symbols of the model.
    """

    id: str
    unit: str
    sign: int
    meaning: str
    formula: str


AIMS: Mapping[str, Aim] = MappingProxyType(
    {
        a.id: a
        for a in (
            Aim(
                "cost",
                "100m-yuan",
                1,
                "discounted cost of production, transport, capital, moves, people, places and public money",
                r"f_1 = \sum_t d_t c_t",
            ),
            Aim("value-added", "100m-yuan", -1, "discounted value added", r"f_2 = \sum_{rit} d_t v_{rit} z_{rit}"),
            Aim("emissions", "resource", 1, "use of the emissions resource in decided years, all regions", r"f_3 = \sum_{rt} U_{rgt}"),
            Aim("resilience", "100m-yuan", 1, "use that fails in the worst loss of a region, discounted", r"f_4 = \sum_t d_t W_t"),
            Aim(
                "equity",
                "10k-yuan/person",
                -1,
                "value added per head of the last host, discounted mean",
                r"f_5 = \sum_t d_t \min_h Y_{ht}/N_{ht} / \sum_t d_t",
            ),
            Aim(
                "self-sufficiency",
                "share",
                -1,
                "hosts' output of critical industries over national use, mean over industries and years",
                r"f_6 = \overline{\sum_h z_{hit} / D_{it}}",
            ),
        )
    }
)
"""Every objective."""


def value_added(b: Building) -> None:
    """Discounted value added."""
    b.aim("value-added", (-1 * b.problem["value_added"] * b.weights) * b["output"])


def emissions(b: Building) -> None:
    """Use of the emissions resource in decided years."""
    name = f"use:{b.problem.settings.emissions}"
    if name in b:
        b.aim("emissions", b[name].sel(year=b.open))


def resilience(b: Building) -> None:
    """What fails in the worst loss of a region."""
    if "worst" in b:
        b.aim("resilience", b.weights.sel(year=b.open) * b["worst"])


def equity(b: Building) -> None:
    """The least value added per head is a variable that no host may undercut."""
    hosts = known_hosts(b)
    if not hosts.any():
        return
    p = b.problem
    region = rows_where(hosts, p.index["region"])
    meaning = "value added per head of the last host, for the objective of equity"
    b.variable("last", b.open, lower=-np.inf, unit="10k-yuan/person", meaning=meaning)
    made = value_added_per_head(b).sel(region=region, year=b.open)
    b.require("last", made - b["last"], ">=", 0, family="objective", unit="10k-yuan/person")
    weight = b.weights.sel(year=b.open)
    b.aim("equity", (-1 * weight / weight.sum()) * b["last"])


def self_sufficiency(b: Building) -> None:
    """Hosts' part in the national use of critical industries."""
    where = critical(b)
    if not where.any():
        return
    p = b.problem
    index = rows_where(where, p.index["industry"])
    made = made_by_hosts(b, where, index).sel(year=b.open)
    use = p["use"].sel(industry=index, year=b.open).transpose("industry", "year").values
    b.aim("self-sufficiency", column(-1 / (np.maximum(use, 1e-9) * use.size), index, b.open) * made)


OBJECTIVES: tuple[Callable[[Building], None], ...] = (value_added, emissions, resilience, equity, self_sufficiency)
"""What adds each objective that the case's tables allow; cost is the sum of all costs."""
