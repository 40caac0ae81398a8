"""Fewer routes: the largest origins of every destination carry all of its trade, with every region's supply and need met as before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hinterland.data.io_table import Floats
from hinterland.measure.balancing import ras
from hinterland.plan.accounts import Accounts
from hinterland.plan.reconcile import SMALL

__all__ = ["pruned"]

Flags = NDArray[np.bool_]
_SPECK = 1e-3
"""A flow below this share of what its origin delivers, and of what its destination needs, is not worth a variable."""


def pruned(a: Accounts, routes: int, keep: Sequence[str] = ()) -> Accounts:
    """Deliveries with at most about ``routes`` origins for each destination.

    Every destination keeps its largest origin, every origin its largest destination, and the regions of ``keep`` their ``routes`` largest, so that new industry there can sell. Products whose
    supply cannot reach the needs on these routes have more, as many as it takes.
    """
    kept = np.array([r in set(keep) for r in a.regions])
    trade = np.zeros_like(a.trade)
    wider = []
    for s in range(len(a.industries)):
        trade[s], n = _one(a.trade[s], routes, kept)
        if n > routes:
            wider.append(f"{a.industries[s]} ({'all' if n >= len(a.regions) else n})")
    made = replace(a, trade=trade)
    between = ~np.eye(len(a.regions), dtype=bool)
    moved = float(np.abs(trade - a.trade).sum() / max(2 * a.trade[:, between].sum(), np.finfo(float).tiny))
    if moved < SMALL:
        return made
    count = int((trade[:, between] > 0).sum())
    what = f"{count} of {int((a.trade[:, between] > 0).sum())} routes carry all trade; {moved:.1%} of it was moved to them"
    if wider:
        what += f", and {', '.join(wider)} needed more than {routes} origins"
    return made.warned("economy-routes", what, "raise routes, if where goods come from matters")


def _one(flows: Floats, routes: int, kept: Flags) -> tuple[Floats, int]:
    """Deliveries of one product on fewer routes, and how many origins it took."""
    supply, need = flows.sum(axis=1), flows.sum(axis=0)
    n = routes
    while n < len(flows) - 1:
        mask = _largest(flows, n, kept)
        with np.errstate(divide="ignore"):
            logs = np.log(np.where(mask, flows, 0.0))
        try:
            return ras(logs, supply, need).flows, n
        except ValueError:
            n *= 2
    return flows, len(flows)


def _largest(flows: Floats, n: int, kept: Flags) -> Flags:
    """[R, R] the diagonal, the n largest origins of each column, the largest destination of each row, and more of those to be kept."""
    between = np.where(np.eye(len(flows), dtype=bool), 0.0, flows)
    rank_in = np.argsort(np.argsort(-between, axis=0, kind="stable"), axis=0)
    rank_out = np.argsort(np.argsort(-between, axis=1, kind="stable"), axis=1)
    worth = (between > _SPECK * flows.sum(axis=1)[:, None]) | (between > _SPECK * flows.sum(axis=0)[None, :])
    first = ((rank_in < 1) | (rank_out < 1)) & (between > 0)
    chosen = first | ((rank_in < n) | ((rank_out < n) & kept[:, None])) & worth
    return np.asarray(chosen | np.eye(len(flows), dtype=bool), dtype=np.bool_)
