"""Whether a plan keeps the rules of its problem, derived from its frames without the model that made it."""

from __future__ import annotations

import polars as pl

from hinterland.plan.result import Plan
from hinterland.plan.validation import capacity, goods, money, places, structure
from hinterland.plan.validation.amounts import amounts
from hinterland.plan.validation.sheet import Sheet

__all__ = ["validate"]


def validate(plan: Plan, *, tolerance: float = 1e-6) -> pl.DataFrame:
    """The rules that a plan breaks: every family from C1 to C22, written a second time from its formula on the problem's numbers and the plan's frames.

    A row that gives way is kept as far as the plan reports how far it falls short. Neither linopy, nor the arrays of the model, nor the solver's vectors are
    used, so that a plan can be checked by whoever has its tables.

    Args:
        plan: the plan, or a copy with other frames.
        tolerance: largest relative violation that counts as none.

    Returns:
        family, constraint, where, year, violation in ``unit``, and ``relative``: the violation over 1 + the larger side of the row; largest first, no rows
        where all rules hold.
    """
    return checked(plan, tolerance).result()


def checked(plan: Plan, tolerance: float = 1e-6) -> Sheet:
    """Every rule written down: what does not hold, and how many rows of each family were checked."""
    given, sheet = amounts(plan), Sheet(plan, tolerance)
    for family in (capacity, goods, places, money, structure):
        family.check(given, sheet)
    for row in given.lost.iter_rows(named=True):
        sheet.stray(row["family"], row["amount"], row["where"], row["year"], row["value"])
    return sheet
