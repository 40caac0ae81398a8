"""Accounts that contradict each other, made consistent: supply meets use of every product, first of the country, then of each region.

What regions' tables say of a product need not add up over the country. Uses are moved as little as possible (RAS) such that the country uses of each
product what it makes and imports, every industry's inputs in total stay what they were, and final demand changes in one proportion.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hinterland.data.io_table import Floats
from hinterland.errors import Finding, InputError, listed
from hinterland.measure.balancing import ras
from hinterland.plan.accounts import Accounts

__all__ = ["delivered", "reconciled"]

SMALL = 1e-9
"""Share of a total below which a correction is rounding, and not spoken of."""
SPECK = 1e-4
"""Share of output or use below which an input or trade abroad is nothing: it would cost a coefficient, and say nothing."""
_WEIGHTS = (0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
"""Prior of flows that nobody reports, as a share of what proportions would make them: the least with which supply reaches the needs."""
_OWN = 1e-3
"""Least prior of own use, as a share of the most that it can be."""


def reconciled(accounts: Accounts) -> Accounts:
    """The accounts with supply and use of the country equal for every product, imports and exports within use and output, and no specks."""
    return _imports_within_use(_nationally(_used_somewhere(_without_specks(_exports_within_output(accounts)))))


def _without_specks(a: Accounts) -> Accounts:
    """Inputs, exports and imports that are next to nothing of output or use are nothing; totals of inputs are restored when uses are balanced."""
    made, used = np.maximum(a.output, 0.0), np.maximum(a.use, 0.0)
    keeps = (a.inputs >= SPECK * made[:, None, :]) | (a.inputs >= a.inputs.max(axis=1, keepdims=True))
    kept = np.where(keeps, a.inputs, 0.0)
    paid, left = a.inputs.sum(axis=1), kept.sum(axis=1)
    inputs = kept * np.where(left > 0, paid / np.where(left > 0, left, 1.0), 1.0)[:, None, :]
    exports, imports = np.where(a.exports < SPECK * made, 0.0, a.exports), np.where(a.imports < SPECK * used, 0.0, a.imports)
    whole = a.inputs.sum() + a.exports.sum() + a.imports.sum()
    share = float((whole - kept.sum() - exports.sum() - imports.sum()) / whole)
    made_anew = replace(a, inputs=inputs, exports=exports, imports=imports)
    if share < SMALL:
        return made_anew
    what = f"inputs, exports and imports below {SPECK:g} of output or use count as 0: {share:.4%} of their sum"
    return made_anew.warned("economy-specks", what, "nothing")


def _exports_within_output(a: Accounts) -> Accounts:
    """What is exported beyond output was imported before: it leaves both sides."""
    beyond = np.maximum(a.exports - a.output, 0.0)
    if not beyond.any():
        return a
    share = beyond.sum() / a.exports.sum()
    made = replace(a, exports=a.exports - beyond, imports=a.imports * _shrink(a.imports, beyond))
    if share < SMALL:
        return made
    what = f"{_cells(a, beyond)} export more than they make: {share:.2%} of exports, taken off exports and imports"
    return made.warned("economy-re-exports", what, "nothing, if these are re-exports")


def _shrink(imports: Floats, beyond: Floats) -> Floats:
    """[S] factor that takes what was re-exported off the imports of the product."""
    total = imports.sum(axis=0)
    return np.asarray(np.maximum(1.0 - beyond.sum(axis=0) / np.where(total > 0, total, 1.0), 0.0))


def _used_somewhere(a: Accounts) -> Accounts:
    """Products that nobody uses are final demand where they are made."""
    unused = (a.use.sum(axis=0) <= 0) & ((a.supply + a.imports).sum(axis=0) > 0)
    if not unused.any():
        return a
    final = np.where(unused, a.supply + a.imports, a.final)
    names = [i for i, u in zip(a.industries, unused, strict=True) if u]
    return replace(a, final=final).warned(
        "economy-unused", f"nobody uses {listed(names)}", "what is made counts as final demand where it is made"
    )


def _nationally(a: Accounts) -> Accounts:
    """Uses with the country's supply of every product as their sum: RAS with the inputs of each industry, in total, as columns."""
    R, S = a.output.shape
    supply = (a.supply + a.imports).sum(axis=0)
    paid = a.inputs.sum(axis=1).reshape(-1)
    asked = a.final.sum(axis=1)
    factor = (supply.sum() - paid.sum()) / asked.sum() if asked.sum() > 0 else np.nan
    if not factor > 0:
        what = f"inputs are {paid.sum():.6g} of a supply of {supply.sum():.6g}: nothing is left for final demand of {asked.sum():.6g}"
        raise InputError(Finding("economy-no-final-demand", what, "economy", "check output, imports and exports"), "economy")
    uses = np.concatenate([a.inputs.transpose(1, 0, 2).reshape(S, R * S), a.final.T], axis=1)
    columns = np.concatenate([paid, asked * factor])
    with np.errstate(divide="ignore"):
        logs = np.log(uses)
    try:
        found = ras(logs, supply, columns * (supply.sum() / columns.sum())).flows
    except ValueError as error:
        raise InputError(
            Finding("economy-unbalanced", str(error), "economy", "merge the industries named, or correct the table"), "economy"
        ) from error
    made = replace(a, inputs=found[:, : R * S].reshape(S, R, S).transpose(1, 0, 2), final=found[:, R * S :].T)
    return _said_nationally(made, uses, found, factor)


def _said_nationally(a: Accounts, before: Floats, after: Floats, factor: float) -> Accounts:
    moved = float(np.abs(after - before).sum() / before.sum())
    if moved < SMALL:
        return a
    ratio = after.sum(axis=1) / np.where(before.sum(axis=1) > 0, before.sum(axis=1), 1.0)
    worst = np.argsort(-np.abs(np.log(np.where(ratio > 0, ratio, 1.0))))[:3]
    named = listed([f"{a.industries[i]} × {ratio[i]:.2f}" for i in worst])
    what = (
        f"the regions' tables do not add up over the country: final demand was multiplied by {factor:.3f}, and {moved:.1%} of uses were moved "
        f"between products (use of {named}), with inputs and value added of every industry as they were"
    )
    return a.warned("economy-national-discrepancy", what, "nothing, if the table is estimated from regions' own; otherwise check it")


def _imports_within_use(a: Accounts) -> Accounts:
    """Imports beyond a region's use go to regions with use to spare, in proportion to it."""
    beyond = np.maximum(a.imports - a.use, 0.0)
    if not beyond.any():
        return a
    kept = a.imports - beyond
    room = np.maximum(a.use - kept, 0.0)
    total = room.sum(axis=0)
    imports = kept + room * (beyond.sum(axis=0) / np.where(total > 0, total, 1.0))
    share = float(beyond.sum() / a.imports.sum())
    made = replace(a, imports=np.minimum(imports, a.use))
    if share < SMALL:
        return made
    what = f"{_cells(a, beyond)} import more than they use: {share:.2%} of imports, counted as those of other regions"
    return made.warned("economy-transit", what, "nothing, if goods land at one region's ports for another's use")


def delivered(a: Accounts) -> Accounts:
    """The accounts with deliveries from region to region (own use on the diagonal) that add up to what each delivers and needs.

    Flows that nobody reports come in, with next to no weight, for products whose supply could not reach the needs without them.
    """
    eye = np.eye(len(a.regions), dtype=bool)
    between = a.trade * ~eye
    supply, need = np.maximum(a.supply, 0.0).T, np.maximum(a.need, 0.0).T
    own = np.minimum(supply - between.sum(axis=2), need - between.sum(axis=1))
    home = np.maximum(own, _OWN * np.minimum(supply, need))
    prior = between + np.where(eye, home[:, :, None], 0.0)
    total = supply.sum(axis=1)
    need = need * (total / np.where(need.sum(axis=1) > 0, need.sum(axis=1), 1.0))[:, None]
    trade = np.stack([_deliveries(prior[s], supply[s], need[s]) for s in range(len(prior))])
    return replace(a, trade=trade)


def _deliveries(prior: Floats, supply: Floats, need: Floats) -> Floats:
    """[R, R] deliveries of one product."""
    total = supply.sum()
    if not total > 0:
        return np.zeros_like(prior)
    proportional = np.outer(supply, need) / total
    for weight in _WEIGHTS:
        with np.errstate(divide="ignore"):
            try:
                return ras(np.log(prior + weight * proportional), supply, need).flows
            except ValueError:
                continue
    return np.asarray(proportional)


def _cells(a: Accounts, amount: Floats) -> str:
    """The largest cells of an amount [R, S], in words."""
    order = np.argsort(-amount, axis=None)[: int((amount > 0).sum())]
    return listed([f"{a.regions[k // amount.shape[1]]} · {a.industries[k % amount.shape[1]]}" for k in order.tolist()], 3)
