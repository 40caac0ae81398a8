"""Adaptive regional input-output model: how a loss of capacity runs through inventories, rationing and overproduction.

A light version of ARIO (Hallegatte 2008, Risk Analysis 28; Hallegatte 2014, Risk Analysis 34): one region or many, steps of any length, no prices,
no substitution of suppliers, no reconstruction demand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.leontief import coefficients, fail_if_not_table

__all__ = ["Adaptive", "adaptive"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Adaptive:
    """The path of an economy after a loss of capacity, per step.

    Attributes:
        production: output, [T, n].
        delivery_ratio: output over orders, [T, n]: what each customer gets of an order.
        final: final demand met, [T, n].
        limit: what bound output: 0 orders, 1 capacity, 2 inputs, [T, n].
        lost_output, lost_final: sums over the steps of what falls short of the baseline, [n].
    """

    production: Floats
    delivery_ratio: Floats
    final: Floats
    limit: NDArray[np.int64]
    lost_output: Floats
    lost_final: Floats


@dataclass(frozen=True, slots=True)
class _Rules:
    matrix: Floats
    demand: Floats
    base: Floats
    inventories: Floats
    restore: float
    highest: float
    speed: float


@dataclass(frozen=True, slots=True)
class _State:
    stock: Floats
    orders: Floats
    over: Floats


def adaptive(
    deliveries: Floats,
    final: Floats,
    capacity_loss: Floats,
    *,
    inventories: Floats | float = 1.0,
    restore: float = 1.0,
    overproduction: float = 1.0,
    overproduction_steps: float = 1.0,
) -> Adaptive:
    """Simulate T steps.

    In a step each sector makes the least of its orders, its capacity and what its stocks of inputs allow; customers are served in proportion to orders; what
    arrives can be used in the next step. Orders for the next step replace what was used and close the gap to the target stock.

    Args:
        deliveries, final: Z [n, n] and f [n] per step, at the baseline.
        capacity_loss: share of capacity lost in each step, 0 to 1, [T, n].
        inventories: target stocks in steps of use, by product [n] or one number; 1, the least, is no reserve: a step's inputs are what arrived in the last.
        restore: steps over which a gap of stocks is closed.
        overproduction: greatest capacity, as a multiple of the undamaged, that scarcity calls forth.
        overproduction_steps: steps that it takes to get there (and back).

    Raises:
        ValueError: arguments outside their range, or a table that is not one.
    """
    fail_if_not_table(deliveries, final)
    stocks = np.broadcast_to(np.asarray(inventories, dtype=np.float64), final.shape)
    _fail_if_out_of_range(capacity_loss, stocks, restore, overproduction, overproduction_steps)
    x = deliveries.sum(axis=1) + final
    rules = _Rules(coefficients(deliveries, x), final, x, stocks, restore, overproduction, overproduction_steps)
    state = _State(stocks[:, None] * deliveries, deliveries, np.ones(len(x)))
    rows = []
    for loss in capacity_loss:
        state, row = _step(rules, state, loss)
        rows.append(row)
    production, ratio, met, limit = (np.array(column) for column in zip(*rows, strict=True))
    return Adaptive(production, ratio, met, limit.astype(np.int64), (x - production).sum(axis=0), (final - met).sum(axis=0))


def _step(rules: _Rules, state: _State, loss: Floats) -> tuple[_State, tuple[Floats, Floats, Floats, NDArray[np.int64]]]:
    asked = rules.demand + state.orders.sum(axis=1)
    capacity = rules.base * (1 - loss) * state.over
    used = rules.matrix > 0
    reach = np.divide(state.stock, rules.matrix, out=np.full(rules.matrix.shape, np.inf), where=used).min(axis=0)
    bounds = np.stack([asked, capacity, reach])
    made = bounds.min(axis=0)
    ratio = np.divide(made, asked, out=np.ones_like(made), where=asked > 0)
    stock = np.maximum(state.stock - rules.matrix * made + ratio[:, None] * state.orders, 0.0)
    target = rules.inventories[:, None] * rules.matrix * np.minimum(capacity, asked)
    orders = np.maximum(rules.matrix * made + (target - stock) / rules.restore, 0.0)
    # An order that rounding alone leaves unmet is met.
    wanted = np.where(asked > capacity * (1 + 1e-9), rules.highest, 1.0)
    over = state.over + (wanted - state.over) / rules.speed
    limit = np.where(made >= asked * (1 - 1e-9), 0, bounds.argmin(axis=0))
    return _State(stock, orders, over), (made, ratio, ratio * rules.demand, limit)


def _fail_if_out_of_range(loss: Floats, stocks: Floats, restore: float, overproduction: float, steps: float) -> None:
    if loss.ndim != 2 or loss.shape[1] != len(stocks) or not ((loss >= 0) & (loss <= 1)).all():
        raise ValueError(f"capacity lost is a table of steps by {len(stocks)} sectors, of shares between 0 and 1")
    if (stocks < 1).any():
        raise ValueError("inventories are at least 1 step: less cannot carry production from one step to the next")
    if restore < 1 or overproduction < 1 or steps < 1:
        raise ValueError("restore, overproduction and overproduction_steps are at least 1")
