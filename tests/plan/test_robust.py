"""Budgeted robustness: its ends by direct substitution, a small programme by hand, the bound by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from hinterland.errors import InputError
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.program import Program
from hinterland.plan.robust import robust
from hinterland.plan.robust_bounds import simulated, violation_bound
from hinterland.plan.robust_rows import Uncertain, protected, protection
from hinterland.plan.solve import SolverOptions, solve

TIGHT = SolverOptions(gap=1e-7)


def _program(cost: list[float], rows: list[list[float]], upper: list[float], lower: float = 0.0) -> Program:
    n, m = len(cost), len(rows)
    return Program(
        cost=np.array(cost),
        matrix=sp.csr_array(np.array(rows)),
        row_lower=np.full(m, -np.inf),
        row_upper=np.array(upper),
        lower=np.full(n, lower),
        upper=np.full(n, 10.0),
        integral=np.zeros(n, dtype=bool),
        constant=0.0,
        columns={"x": (0, n, (n,))},
        rows={"r": (0, m, (m,))},
        objectives={},
        penalty=np.zeros(n),
    )


@pytest.mark.parametrize(("gamma", "best"), [(0.0, 12.0), (0.5, 60 / 5.25), (1.0, 12 / 1.1), (1.5, 60 / 5.75), (2.0, 10.0), (9.0, 10.0)])
def test_two_coefficients_by_hand(gamma: float, best: float) -> None:
    """``max 3 x + 3 y`` under ``a x + b y ≤ 4`` with a and b in 1 ± 0.2: protection takes 0.2 Γ of the larger, and of the smaller beyond 1.

    For Γ ≤ 1 the worst is ``x + y + 0.2 Γ max(x, y)``, least for x = y where ``2 x + 0.2 Γ x = 4``: the optimum is ``6 · 4/(2 + 0.2 Γ)``. For 1 < Γ ≤ 2 it is
    ``x + y + 0.2 x + 0.2 (Γ − 1) y`` with x ≥ y, and x = y is best again: ``24/(2 + 0.2 Γ)`` up to Γ = 2.
    """
    program = _program([-3.0, -3.0], [[1.0, 1.0]], [4.0])
    guard = protection(program, [Uncertain("r", "x", 0.2)])
    assert -solve(protected(program, guard, gamma)).objective == pytest.approx(best if gamma in (0.0, 2.0, 9.0) else 24 / (2 + 0.2 * gamma))


def test_columns_that_may_be_negative_are_protected_by_their_size() -> None:
    """``min x`` under ``−a x ≤ 4`` with a in 1 ± 0.2 and x ≥ −10: nominal x = −4; at worst ``−x + 0.2 |x| ≤ 4``, so x = −4/1.2."""
    program = _program([1.0], [[-1.0]], [4.0], lower=-10.0)
    guard = protection(program, [Uncertain("r", "x", 0.2)])
    assert solve(protected(program, guard, 0.0)).objective == pytest.approx(-4.0)
    assert solve(protected(program, guard, 1.0)).objective == pytest.approx(-4 / 1.2)


def _worst(program: Program, rows: dict[str, str], share: float) -> Program:
    """The programme whose named rows hold every coefficient of the columns at its worst: added to what they hold already (Soyster 1973)."""
    extra = sp.lil_array(program.matrix.shape)
    for block, defined in rows.items():
        start, end, _ = program.rows[block]
        first, last, _ = program.columns["output"]
        for i in range(start, end):
            row = program.matrix[[i]].toarray().ravel()
            if defined:
                a, b, _ = program.columns[defined]
                held = np.flatnonzero(row[a:b])
                at = program.rows[defined][0]
                taken = sum(row[a + k] * -program.matrix[[at + k]].toarray().ravel() for k in held)
            else:
                taken = row
            extra[[i], first:last] = share * np.abs(taken[first:last])
    return replace(program, matrix=sp.csr_array(program.matrix + sp.csr_array(extra)))


def test_the_ends_are_nominal_and_worst_case(every_problem: Problem, every_model: Model) -> None:
    """Γ = 0 is the plan, and Γ beyond the number of coefficients is the plan with all of them at their worst, for people and for carbon."""
    program = every_model.program.aimed_at("cost")
    uncertain = [Uncertain("labour", "output", 0.1), Uncertain("limit:carbon", "output", 0.1)]
    found = robust(every_problem, uncertain, [0.0, 1.0, 99.0], options=TIGHT, draws=500, model=every_model)
    worst = _worst(program, {"labour:plain": "", "labour:trained": "", "limit:carbon": "use:carbon"}, 0.1)
    assert found.prices["objective"][0] == pytest.approx(solve(program, TIGHT).objective, rel=1e-7)
    assert found.prices["objective"][2] == pytest.approx(solve(worst, TIGHT).objective, rel=1e-6)
    assert found.prices["price"].is_sorted()
    assert found.prices["price"][2] > found.prices["price"][1] > 0
    for gamma, p in zip((0.0, 1.0, 99.0), found.plans, strict=True):
        assert p.solver["primal_residual"] < 1e-6
        assert found.plan(gamma) is p


def test_violations_stay_below_the_bound(every_problem: Problem, every_model: Model) -> None:
    """In 4000 draws each row fails no more often than Bertsimas and Sim allow, but for the error of the draws (three standard errors)."""
    found = robust(
        every_problem, [Uncertain("labour", "output", 0.1)], [0.0, 0.5, 1.0, 2.0, 3.0], options=TIGHT, draws=4000, seed=3, model=every_model
    )
    error = 3 * np.sqrt(found.rows["bound"] * (1 - found.rows["bound"]) / 4000)
    assert (found.rows["frequency"] <= found.rows["bound"] + error).all()
    assert found.prices["largest_frequency"][0] > 0.2
    assert found.prices["largest_frequency"][-1] == 0.0
    assert found.rows.filter(gamma=0.0)["n"].max() == 3


@pytest.mark.parametrize(
    ("n", "gamma", "bound"), [(3, 1.0, 0.5), (3, 0.0, 0.6875), (3, 2.0, 0.3125), (2, 1.0, 0.5), (3, 3.0, 0.0), (0, 0.0, 0.0)]
)
def test_bound_by_hand(n: int, gamma: float, bound: float) -> None:
    """For n = 3, Γ = 1: ν = 2, μ = 0, (C(3,2) + C(3,3))/8 = ½. Γ = 0: ν = 1½, half of (C(3,1)+C(3,2)+C(3,3)) = 7 and half of 4, over 8. n = 2, Γ = 1: half of 3
    and half of 1, over 4."""
    assert violation_bound(n, gamma) == pytest.approx(bound)


def test_bound_against_the_binomial_tail() -> None:
    """Where ν is whole the bound is P(B ≥ ν) of a fair binomial: scipy's."""
    from scipy.stats import binom

    for n, gamma in ((10, 2), (10, 4), (25, 5), (100, 20)):
        assert violation_bound(n, gamma) == pytest.approx(float(binom.sf((gamma + n) // 2 - 1, n, 0.5)), rel=1e-9)


def test_simulation_by_hand() -> None:
    """``a ≤ 1.1`` with a uniform in 1 ± 0.2 fails where a is in the upper quarter of its interval."""
    program = _program([1.0], [[1.0]], [1.1])
    guard = protection(program, [Uncertain("r", "x", 0.2)])
    found = simulated(program, guard.rows, guard.deviation, np.array([1.0]), draws=20_000, seed=1)
    assert found[0] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("uncertain", "code"),
    [
        (Uncertain("labr", "output", 0.1), "unknown-rows"),
        (Uncertain("labour", "outpt", 0.1), "unknown-columns"),
        (Uncertain("labour", "output", -0.1), "bad-argument"),
        (Uncertain("balance", "output", 0.1), "rows-are-equations"),
        (Uncertain("budget", "trade", 0.1), "nothing-uncertain"),
    ],
)
def test_what_makes_no_sense_is_found(every_problem: Problem, every_model: Model, uncertain: Uncertain, code: str) -> None:
    with pytest.raises(InputError) as error:
        robust(every_problem, [uncertain], [1.0], model=every_model)
    assert [f.code for f in error.value.findings] == [code]


@pytest.mark.parametrize(("gammas", "draws"), [([], 10), ([-1.0], 10), ([1.0], 0)])
def test_budgets_that_make_no_sense(every_problem: Problem, every_model: Model, gammas: list[float], draws: int) -> None:
    with pytest.raises(InputError):
        robust(every_problem, [Uncertain("labour", "output", 0.1)], gammas, draws=draws, model=every_model)
