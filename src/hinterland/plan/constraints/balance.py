"""C4: what a cell has is what it is asked for, at home, elsewhere and abroad."""

from __future__ import annotations

import numpy as np

from hinterland.plan.algebra import column, gather, spread, total
from hinterland.plan.building import Building
from hinterland.plan.constraints.family import Family
from hinterland.plan.variables import export_demand

UNIT = "100m-yuan"


def pooled_output(b: Building) -> None:
    r"""What the cells of a pool make of an industry is counted together; without pools there are no such rows.

    Rows: pool and industry × year
    Unit: 100m-yuan
    Formula: Z_{Rit} = \sum_{r \in R} z_{rit}
    Gives way: no
    """
    if not b.pooled:
        return
    b.variable("pooled_output", b.shelf, b.year, unit=UNIT, meaning="gross output of all cells of the pool")
    made = b["pooled_output"] - total(b["output"], "cell", b.on_shelf, b.shelf)
    b.require("pooled_output", made, "=", 0, family="C4", unit=UNIT)


def balance(b: Building) -> None:
    r"""Output, what other regions send and imports are intermediate use, final demand, what is sent and exports.

    Rows: cell × year, or pool and industry × year
    Unit: 100m-yuan
    Formula: z_{rit} + \sum_{r'} q_{r'rit} + m_{rit} = \sum_j a^r_{ij} z_{rjt} + F_{rit} + \sum_{r'} q_{rr'it} + \sum_m e_{rmit}
    Gives way: short where demand is not met, over where trade that must take place leaves goods unused
    Technical coefficients are the region's own whatever the origin of the input; trade is pooled by industry (Chenery 1953; Moses 1955). Trade keeps to
    the pattern of the base year, grown with demand at its destination, within a margin that widens by phase: bounds on the variable. Regions of one pool
    share their balance.
    """
    p, at = b.problem, b.on_shelf
    made = b["pooled_output"] if b.pooled else b["output"]
    have = 1 * made
    if "trade" in b:
        have = have + total(b["trade"], "route", at[p.links["route.destination"]], b.shelf)
        have = have - total(b["trade"], "route", at[p.links["route.origin"]], b.shelf)
    if "imports" in b:
        bought = b.cell.get_indexer(b["imports"].indexes["cell"])
        have = have + (total(b["imports"], "cell", at[bought], b.shelf) if b.pooled else spread(b["imports"], cell=b.cell))
    if len(p.index["input"]):
        used = p["coefficient"] * gather(made, "cell", at[p.links["input.user"]], p.index["input"])
        have = have - total(used, "input", at[p.links["input.supply"]], b.shelf)
    if "exports" in b:
        have = have - total(b["exports"], "sale", at[p.links["sale.cell"]], b.shelf)
    wanted = p["final_demand"].transpose("cell", "year").values
    if b.pooled:
        wanted = np.stack([np.bincount(at, weights=w, minlength=len(b.shelf)) for w in wanted.T], axis=1)
    b.require("balance", have, "=", column(wanted, b.shelf, b.year), family="C4", unit=UNIT, typical=1.0)


def markets(b: Building) -> None:
    r"""Each market takes what it demands of each industry.

    Rows: market and industry × year
    Unit: 100m-yuan
    Formula: \sum_r e_{rmit} = \bar E_{mit}
    Gives way: short where a market is not served
    """
    if "exports" not in b:
        return
    demand, at, good = export_demand(b)
    sold = total(b["exports"], "sale", at, good)
    b.require("markets", sold, ">=", demand, family="C4", unit=UNIT, typical=1.0)


def export_pattern(b: Building) -> None:
    r"""No region's exports to a market leave the pattern of the base year by more than the margin of the phase.

    Rows: sale × year
    Unit: 100m-yuan
    Formula: e_{rmit} \le (1+\gamma_t) e^0_{rmi} \bar E_{mit} / \bar E_{mi0}
    Gives way: no
    """
    if "exports" not in b:
        return
    p = b.problem
    demand, at, _ = export_demand(b)
    growth = (demand / demand.isel(year=0)).fillna(1.0)
    sale = p.index["sale"]
    grown = growth.isel(good=at).drop_vars("good").rename(good="sale").assign_coords(sale=sale)
    most = p["exports"] * grown * (1 + p.phase_of("trade_flexibility"))
    b.require("export_pattern", 1 * b["exports"], "<=", most.transpose("sale", "year"), family="C4", unit=UNIT)


FAMILY = Family("C4", "balance", (pooled_output, balance, markets, export_pattern), kept=True)
