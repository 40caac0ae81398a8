from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import hinterland as hl
from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError
from hinterland.evaluate import placebo_space as space
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.paths import treatment_codes
from hinterland.evaluate.permutation import make_scheme, permutations
from hinterland.evaluate.placebo import placebo
from hinterland.evaluate.placebo_space import placebo_space

Make = Callable[..., Any]
DRAWS = 12


def _codes(design: Design, method: str) -> np.ndarray:
    return treatment_codes(design)[0] if method == "twfe" else np.unique(design.cohort, return_inverse=True)[1]


def _refit(design: Design, assigned: np.ndarray, method: str) -> tuple[float, float]:
    """The estimate and t statistic of a permuted assignment, by the estimator itself."""
    code = _codes(design, method)
    first = dict(zip(*np.unique(code, return_index=True), strict=True))
    donor = np.array([first[c] for c in assigned])
    effects = fit(replace(design, cohort=design.cohort[donor], dose=design.dose[donor]), method)
    effects = effects.take(np.array([0])) if method == "twfe" else effects.aggregate("overall")
    return float(effects.estimate[0]), float(effects.statistic[0])


def _assert_equals_loop(design: Design, method: str, **options: Any) -> None:
    result = placebo_space(design, method, draws=DRAWS, seed=3, **options)
    scheme = make_scheme(_codes(design, method), options.get("block"), options.get("strata"))
    assigned = np.concatenate(list(permutations(scheme, DRAWS, 3, 5)))
    loop = np.array([_refit(design, row, method) for row in assigned])
    assert_allclose(result.draws["estimate"], loop[:, 0], rtol=1e-10, atol=1e-12)
    assert_allclose(result.draws["statistic"], loop[:, 1], rtol=1e-9, atol=1e-10)
    assert_allclose(loop[0, 0], result.estimate, rtol=1e-12)
    assert len(set(np.round(loop[:, 0], 8))) > DRAWS // 2


@pytest.mark.parametrize(
    ("world", "options"),
    [
        ({}, {}),
        ({}, {"covariates": "~ x + z"}),
        ({}, {"cluster": "region"}),
        ({}, {"cluster": "region", "covariates": ["x", "z"]}),
        ({"starts": (2001, 2004, 2006, None, None)}, {"covariates": "~ x"}),
        ({"starts": (2004, 2006, 2007)}, {}),
        ({"weight": True}, {"covariates": "~ x"}),
        ({"drop": 0.1}, {"covariates": "~ x"}),
        ({"drop": 0.1, "weight": True}, {}),
        ({}, {"fe": ["region^year"]}),
        ({"drop": 0.05}, {"fe": ["region^year"], "covariates": "~ z", "cluster": "region"}),
        ({}, {"cluster": "year"}),  # units move between clusters
    ],
)
def test_twfe_batch_equals_a_loop_over_fits(toy: Make, world: dict[str, Any], options: dict[str, Any]) -> None:
    made = toy(**world)
    _assert_equals_loop(make_design(made.panel, "y", made.policy, **options), "twfe")


def test_closed_form_and_rows_agree(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = toy()
    design = make_design(made.panel, "y", made.policy, covariates="~ x")
    closed = placebo_space(design, draws=50)
    monkeypatch.setattr(space, "unit_clusters", lambda design: None)
    rows = placebo_space(design, draws=50)
    assert_allclose(closed.draws.to_numpy(), rows.draws.to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("comparison", ["never-treated", "not-yet-treated"])
@pytest.mark.parametrize("cluster", [None, "region"])
def test_callaway_santanna_batch_equals_a_loop_over_fits(toy: Make, comparison: str, cluster: str | None) -> None:
    made = toy(units=48)
    for anticipation in (0, 1):
        design = make_design(made.panel, "y", made.policy, comparison=comparison, cluster=cluster, anticipation=anticipation)
        _assert_equals_loop(design, "callaway-santanna")


@pytest.mark.filterwarnings("ignore::hinterland.errors.HinterlandWarning")  # cells that cannot be estimated
@pytest.mark.parametrize(
    ("starts", "comparison", "anticipation"),
    [
        ((2004, 2006, 2007), "not-yet-treated", 0),  # nobody is never treated
        ((2004, 2006, 2008), "not-yet-treated", 1),
        ((2001, 2003, 2005, None, None), "never-treated", 1),  # two cohorts without a period before
        ((2002, 2004, 2008, None), "not-yet-treated", 2),
    ],
)
@pytest.mark.parametrize("gaps", [[], [2003, 2006]])
def test_callaway_santanna_batch_in_odd_designs(
    toy: Make, starts: tuple[int | None, ...], comparison: str, anticipation: int, gaps: list[int]
) -> None:
    """Years missing for everybody, cohorts that start in such a year, no comparison group at the end."""
    made = toy(units=48, starts=starts)
    panel = made.panel.filter(~pl.col("year").is_in(gaps))
    design = make_design(panel, "y", made.policy, comparison=comparison, anticipation=anticipation)
    late = design.cohort > design.periods[0] + anticipation
    _assert_equals_loop(design.take(late[design.unit]), "callaway-santanna")
    whole = placebo_space(design, "callaway-santanna", draws=DRAWS, seed=3)
    assert whole.draws.equals(placebo_space(design.take(late[design.unit]), "callaway-santanna", draws=DRAWS, seed=3).draws)
    assert ("cs-always-treated" in {n.code for n in whole.notes}) == (not late.all())


def test_partial_coverage_moves_with_the_date(toy: Make, cohorts: Make) -> None:
    names = [f"u{i:03d}" for i in range(40)]
    policy = cohorts(names, [2004 + i % 3 if i % 2 else None for i in range(40)], [0.4 + 0.1 * (i % 4) for i in range(40)])
    _assert_equals_loop(make_design(toy().panel, "y", policy), "twfe")


def test_strata_and_levels(toy: Make) -> None:
    made = toy(starts=(2004, None, 2006, None, None))
    design = make_design(made.panel, "y", made.policy)
    strata = np.arange(40) % 4
    _assert_equals_loop(design, "twfe", strata=strata)
    code, _ = treatment_codes(design)
    for row in np.concatenate(list(permutations(make_scheme(code, strata=strata), 5, 0, 2))):
        assert all(sorted(row[strata == s]) == sorted(code[strata == s]) for s in range(4))
    block = np.minimum(np.arange(40) // 5, 6)  # six groups of 5 and one of 10
    policy = replace(
        made.policy, table=made.policy.table.with_columns(cohort=pl.Series([{0: 2004, 3: 2006}.get(b) for b in block], dtype=pl.Int64))
    )
    grouped = make_design(made.panel, "y", policy, cluster="region")
    _assert_equals_loop(grouped, "twfe", block=block)
    apart = placebo_space(grouped, "callaway-santanna", block=block, draws=5)
    assert next(n for n in apart.notes if n.code == "placebo-fits").values["reason"] == "not-batched"


def test_columns_for_strata_and_level(toy: Make) -> None:
    made = toy(starts=(2004, None, 2006, None, None, None), units=48)
    result = placebo(made.panel, "y", made.policy, draws=200, level="region")
    assert result.meta["level"] == "region"
    assert {n.code for n in result.notes} >= {"placebo-level", "placebo-distinct"}
    wide = made.panel.with_columns(half=pl.col("unit").str.slice(3).cast(pl.Int64) < 5)
    assert "placebo-strata" in {n.code for n in placebo(wide, "y", made.policy, draws=20, strata="half").notes}
    with pytest.raises(EstimationError, match="changes within 48 unit"):
        placebo(made.panel, "y", made.policy, strata="x")
    with pytest.raises(EstimationError, match="hold units that adopt at different times"):
        placebo(wide, "y", made.policy, level="half")
    with pytest.raises(EstimationError, match="no reshuffle differs"):
        placebo(made.panel, "y", made.policy, strata="region")
    with pytest.raises(hl.PanelError, match="regoin"):
        placebo(made.panel, "y", made.policy, strata="regoin")


def test_draws_depend_on_the_seed_only(toy: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = toy()
    one = placebo(made.panel, "y", made.policy, draws=50, seed=5)
    monkeypatch.setattr(space, "MEMORY", 300)
    two = placebo(made.panel, "y", made.policy, draws=50, seed=5)
    assert_allclose(one.draws.to_numpy(), two.draws.to_numpy(), rtol=1e-10)
    assert not one.draws["estimate"].equals(placebo(made.panel, "y", made.policy, draws=50, seed=6).draws["estimate"])


def test_exact_p_values_count_the_actual_assignment() -> None:
    assert space._exact(np.array([2.0, 1, -3, 2, -2, 0.5])) == (1 + 3) / 6
    assert space._exact(np.array([2.0, np.nan, 1, 3])) == (1 + 1) / 3
    assert space._exact(np.array([2.0, 2.0 - 1e-15])) == 1


def test_few_assignments_are_said_to_be_few(toy: Make) -> None:
    made = toy(units=10, starts=(2004, *[None] * 9))
    result = placebo(made.panel, "y", made.policy, draws=500)
    note = next(n for n in result.notes if n.code == "placebo-distinct")
    assert note.values["distinct"] == 10
    assert result.p_exact >= 0.05


@pytest.mark.parametrize("method", ["twfe", "callaway-santanna"])
def test_size_is_right_under_the_null(toy: Make, method: str) -> None:
    """Heteroskedastic null panels: the share of exact p-values up to 0.1 is binomial(120, 0.1), up to the 0.1 % tails."""
    small = 0
    for seed in range(120):
        made = toy(units=24, periods=6, seed=seed, effect=0.0, starts=(2003, 2005, None, None, None, None))
        small += placebo_space(make_design(made.panel, "z", made.policy), method, draws=99, seed=seed).p_exact_statistic <= 0.1
    assert 3 <= small <= 24


def test_space_record(toy: Make) -> None:
    made = toy(units=80, effect=2.0)
    result = hl.placebo(made.panel, "y", made.policy, draws=199)
    row = result.tidy().row(0, named=True)
    effects = fit(make_design(made.panel, "y", made.policy), "twfe")
    assert (row["kind"], row["draws"], row["p_exact"], row["shift"]) == ("space", 199, 1 / 200, None)
    assert_allclose([row["estimate"], row["std_error"]], [effects.estimate[0], effects.std_error[0]])
    assert_allclose(row["sd_draws"], result.draws["estimate"][1:].std())
    assert result.draws["draw"].to_list() == list(range(200))
    for note in result.notes:
        assert note.text("en")
        assert note.text("zh")


def test_time_placebo_uses_only_rows_before_adoption(toy: Make) -> None:
    made = toy(units=60, periods=10, starts=(2005, 2007, None))
    spoiled = made.panel.with_columns(
        y=pl.when((pl.col("unit").str.slice(1).cast(pl.Int64) % 3 == 0) & (pl.col("year") >= 2005)).then(1e6).otherwise(pl.col("y"))
    )
    for method in ("twfe", "callaway-santanna"):
        for comparison in ("never-treated", "not-yet-treated"):
            one, two = (
                placebo(p, "y", made.policy, method, kind="time", shifts=(3, 2), comparison=comparison) for p in (made.panel, spoiled)
            )
            assert_allclose(one.shifts["estimate"], two.shifts["estimate"], rtol=1e-8)
            assert one.tidy()["shift"].to_list() == [2, 3]
            assert one.tidy()["p_exact"].null_count() == 2


def test_time_placebo_equals_the_estimate_on_the_rows_kept(toy: Make) -> None:
    made = toy(units=60, periods=10, starts=(2003, 2007, None))
    result = placebo(made.panel, "y", made.policy, kind="time", shifts=[2, 4], covariates="~ x")
    design = make_design(made.panel, "y", made.policy, covariates="~ x")
    movable = design.cohort == 2007
    rows = ((design.cohort == NEVER) | movable)[design.unit] & ~design.treated
    part = design.take(rows)
    moved = replace(part, cohort=np.where(np.isin(part.unit_labels, design.unit_labels[movable]), 2003, NEVER))
    effects = fit(moved, "twfe")
    assert_allclose(result.shifts.row(1)[1:4], [effects.estimate[0], effects.std_error[0], effects.p_value[0]], rtol=1e-10)
    assert [n.values["count"] for n in result.notes if n.code == "placebo-time-left-out"] == [20, 20]


def test_time_placebo_leaves_anticipated_periods_out(toy: Make) -> None:
    made = toy(units=60, periods=10, starts=(2006, None))
    reacting = made.panel.with_columns(
        y=pl.when((pl.col("year") == 2005) & (pl.col("unit").str.slice(1).cast(pl.Int64) % 2 == 0)).then(99.0).otherwise(pl.col("y"))
    )
    one, two = (placebo(p, "y", made.policy, "callaway-santanna", kind="time", shifts=[3], anticipation=1) for p in (made.panel, reacting))
    assert_allclose(one.shifts["estimate"], two.shifts["estimate"])
    with pytest.raises(EstimationError, match="beyond the anticipation"):
        placebo(made.panel, "y", made.policy, "callaway-santanna", kind="time", shifts=[1], anticipation=1)
    with pytest.raises(EstimationError, match="9 period"):
        placebo(made.panel, "y", made.policy, kind="time", shifts=[9])


def test_bad_requests_are_reported_together(toy: Make) -> None:
    made = toy()
    with pytest.raises(EstimationError) as error:
        placebo(made.panel, "y", made.policy, "pmpl", draws=0, kind="sapce", fits=0)
    assert [f.code for f in error.value.findings] == ["unknown-kind", "unknown-method", "bad-draws", "bad-draws"]
    assert "ppml" in str(error.value)
    with pytest.raises(EstimationError, match="shifts is"):
        placebo(made.panel, "y", made.policy, kind="time", shifts=())
    with pytest.raises(EstimationError, match="no option 'leadz'"):
        placebo(made.panel, "y", made.policy, "event-study", leadz=2)
