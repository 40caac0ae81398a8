"""Sensitivity to violations of parallel trends: exactness of the pieces, what is refused, and coverage at the edge of what is allowed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recording import Recorder

sys.path.insert(0, str(Path(__file__).parent))
import event_paths
import staggered as world

from hinterland.errors import EstimationError
from hinterland.evaluate.callaway_santanna import fit as callaway_santanna
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.honest.conditional import Hybridisation, complete_bounds, least_favourable, make_moments, p_margin
from hinterland.evaluate.honest.dual import best_vertices, first_vertex
from hinterland.evaluate.honest.event_path import event_path
from hinterland.evaluate.honest.flci import folded_quantile, frontier, shortest
from hinterland.evaluate.honest.intervals import identified_set, make_problem
from hinterland.evaluate.honest.restrictions import Shape, polyhedra
from hinterland.evaluate.sensitivity import sensitivity

Floats = NDArray[np.float64]

TIMES = [-4, -3, -2, 0, 1, 2]
ESTIMATES = np.array([0.01, -0.02, 0.015, 0.3, 0.35, 0.4])


def covariance(k: int, seed: int = 0, scale: float = 0.05) -> Floats:
    root = np.random.default_rng(seed).normal(size=(k, 2 * k))
    full = root @ root.T / (2 * k) + 0.5
    return np.asarray(scale**2 * full)


VCOV = covariance(6)


@pytest.fixture
def effects() -> Any:
    return event_paths.make_effects(ESTIMATES, VCOV, TIMES)


@pytest.mark.parametrize(("kind", "bias", "monotone"), [("relative-magnitude", None, None), ("smoothness", "positive", None), ("smoothness", None, "decreasing"), ("smoothness-relative", "negative", None)])  # fmt: skip
@pytest.mark.parametrize("average", [False, True])
def test_dual_vertices_against_linear_programming(kind: Any, bias: Any, monotone: Any, average: bool) -> None:
    from scipy import optimize

    weights = np.full(4, 0.25) if average else np.eye(4)[0]
    vcov = covariance(7, 1)
    rng = np.random.default_rng(2)
    for polyhedron in polyhedra(Shape(kind, 3, 4, bias, monotone), 0.7)[:2]:
        moments = make_moments(polyhedron, rng.normal(size=7), vcov, weights, complete=False)
        assert moments.polytope is not None
        w = moments.polytope.w
        objectives = rng.normal(size=(25, len(w))) * w[:, 0]
        found = best_vertices(moments.polytope, objectives)
        assert np.abs(found @ w - np.eye(4)[0]).max() < 1e-8
        assert found.min() >= 0
        for y, gamma in zip(objectives, found, strict=True):
            exact = optimize.linprog(-y, A_eq=w.T, b_eq=np.eye(4)[0], method="highs")
            assert gamma @ y == pytest.approx(-exact.fun, rel=1e-8, abs=1e-9)
        if bias is None and monotone is None:
            closed = first_vertex(w[:, 0], w[:, 1:])[1]
            assert (objectives @ closed.T).max(axis=1) == pytest.approx((objectives * found).sum(axis=1), rel=1e-9)


@pytest.mark.parametrize("bias", [None, "positive"])
def test_identified_set_against_linear_programming(bias: Any) -> None:
    from scipy import optimize

    pre, post, bound = 3, 3, 0.6
    weights, estimates = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.05, -0.02, 0.2, 0.3, 0.1])
    shape = Shape("relative-magnitude", pre, post, bias)
    problem = make_problem(estimates, covariance(6), weights, shape, "conditional", level=0.95, draws=999, seed=0)
    found = identified_set(problem, bound)
    lows, highs = [], []
    for p in polyhedra(shape, bound):
        limits = p.d - p.a[:, :pre] @ estimates[:pre]
        for sign, out in ((1, highs), (-1, lows)):
            lp = optimize.linprog(sign * weights, A_ub=p.a[:, pre:], b_ub=limits, bounds=(None, None), method="highs")
            if lp.success:
                out.append(weights @ estimates[pre:] - weights @ lp.x)
    assert (found.low, found.high) == pytest.approx((min(lows), max(highs)), rel=1e-9)


@pytest.mark.parametrize("bias", [None, "negative"])
def test_conditional_margin_against_linear_programming(bias: Any) -> None:
    """v_lo and v_up are where the maximiser changes: moving y along its own direction to just beyond them changes it."""
    from scipy import optimize, special

    weights, estimates, vcov = np.full(3, 1 / 3), np.array([0.1, 0.0, 0.05, 0.2, 0.3, 0.1]), covariance(6, 3)
    polyhedron = polyhedra(Shape("smoothness", 3, 3, bias), 0.02)[0]
    moments = make_moments(polyhedron, estimates, vcov, weights, complete=bias is None)
    w = make_moments(polyhedron, estimates, vcov, weights, complete=False).polytope.w  # type: ignore[union-attr]
    low, high, _ = complete_bounds(moments, 1.0)
    for theta in np.linspace(low, high, 7):
        margin, richer = p_margin(moments, np.array([theta]), 0.05, Hybridisation("none"))
        y = moments.level - theta * moments.slope
        best = optimize.linprog(-y, A_eq=w.T, b_eq=np.eye(3)[0], method="highs")
        gamma, eta = best.x, -best.fun
        spread = gamma @ richer.vcov @ gamma
        if spread < 1e-12 or eta <= 0:
            continue
        direction = richer.vcov @ gamma / spread

        def still(v: float, y: Floats = y, eta: float = eta, direction: Floats = direction) -> bool:
            moved = y + (v - eta) * direction
            return -optimize.linprog(-moved, A_eq=w.T, b_eq=np.eye(3)[0], method="highs").fun - v < 1e-9

        ends = []
        for sign in (-1, 1):
            inside, outside = 0.0, 60 * np.sqrt(spread)
            if still(eta + sign * outside):
                ends.append(sign * np.inf)
                continue
            for _ in range(60):
                middle = (inside + outside) / 2
                inside, outside = (middle, outside) if still(eta + sign * middle) else (inside, middle)
            ends.append(eta + sign * inside)
        z = np.array([eta, *ends]) / np.sqrt(spread)
        p = (special.ndtr(-z[0]) - special.ndtr(-z[2])) / (special.ndtr(-z[1]) - special.ndtr(-z[2]))
        assert margin[0] + 0.05 == pytest.approx(p, abs=1e-6)


def test_fixed_length_interval_is_the_shortest() -> None:
    from scipy import optimize

    pre, weights, vcov = 4, np.array([0.6, 0.4]), covariance(6, 4)
    path = frontier(vcov, weights, pre)
    rng = np.random.default_rng(5)
    distance = np.array([-4.0, -3, -2, -1, 1, 2])
    for bound in (0.0, 0.001, 0.02, 0.2):
        found = shortest(path, np.zeros(6), weights, bound, 0.95)
        assert found.weights @ distance == pytest.approx(0, abs=1e-12)

        def length(x: Floats, bound: float = bound) -> float:
            full = np.concatenate([x, [-(x @ distance[:3] + weights @ distance[4:]) / distance[3]], weights])
            before = full[pre - 1 :: -1]
            load = [before[i:] @ np.arange(1, pre - i + 1) for i in range(pre)] + [weights[1]]
            sd = np.sqrt(full @ vcov @ full)
            return float(sd * folded_quantile(0.95, bound * np.abs(load).sum() / sd))

        # The length is convex, so a search from nearby finds nothing shorter if there is nothing shorter.
        for start in (found.weights[:3], found.weights[:3] + 0.05 * rng.normal(size=3)):
            near = optimize.minimize(length, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-12, "fatol": 1e-14})
            assert found.half_length <= near.fun * (1 + 1e-9)
        assert length(found.weights[:3]) == pytest.approx(found.half_length, rel=1e-10)


@pytest.mark.parametrize("rank", [1, 4])
def test_fixed_length_interval_where_some_combination_is_known_exactly(rank: int) -> None:
    """As many clusters as periods leave a covariance without full rank: what is left of the interval is bias."""
    root = np.random.default_rng(rank).normal(size=(9, rank)) if rank > 1 else np.ones((9, 1))
    path = frontier(root @ root.T, np.eye(4)[0], 5)
    lengths = [shortest(path, np.zeros(9), np.eye(4)[0], bound, 0.95).half_length for bound in (0.0, 0.5, 1.0, 2.0)]
    assert np.isfinite(lengths).all() and (np.diff(lengths) > 0).all()
    assert lengths[0] == pytest.approx(0, abs=1e-6)
    assert lengths[3] <= 2 * lengths[2] + 1e-9


def test_folded_quantile() -> None:
    from scipy import special

    assert folded_quantile(0.95, 0) == pytest.approx(1.959963984540054, rel=1e-12)
    for mean in (0.3, 2.0, 7.9, 8.1, 300.0):
        q = folded_quantile(0.9, mean)
        assert special.ndtr(q - mean) - special.ndtr(-q - mean) == pytest.approx(0.9, abs=1e-12)


def test_relative_bound_zero_is_about_the_original_interval(effects: Any) -> None:
    found = sensitivity(effects, grid=[0, 1], estimand="average")
    row = found.tidy().row(0, named=True)
    assert row["conf_low"] == pytest.approx(found.original[0], abs=0.05 * found.std_error)
    assert row["set_low"] == pytest.approx(found.estimate)
    assert found.estimate == pytest.approx(0.35)
    assert found.event_times == (0, 1, 2)
    widths = (found.frame["conf_high"] - found.frame["conf_low"]).to_list()
    assert widths[1] > widths[0]


@pytest.mark.parametrize("kind", ["relative-magnitude", "smoothness", "smoothness-relative"])
def test_breakdown_is_where_the_interval_meets_zero(effects: Any, kind: Any) -> None:
    found = sensitivity(effects, kind)
    assert 0 < found.breakdown < np.inf
    below = sensitivity(effects, kind, [found.breakdown * 0.999]).frame.row(0, named=True)
    above = sensitivity(effects, kind, [found.breakdown * 1.001]).frame.row(0, named=True)
    assert below["excludes_zero"]
    assert not above["excludes_zero"]
    assert any("Zero is excluded as long as" in n.text() for n in found.notes)


def test_mirror_image(effects: Any) -> None:
    mirrored = event_paths.make_effects(-ESTIMATES, VCOV, TIMES)
    for kind, method in (("relative-magnitude", "c-lf"), ("smoothness", "c-f"), ("smoothness", "c-lf"), ("smoothness", "conditional")):
        plain, other = (sensitivity(e, kind, [0.5 if kind != "smoothness" else 0.01], method=method) for e in (effects, mirrored))  # type: ignore[arg-type]
        assert plain.frame["conf_low"][0] == pytest.approx(-other.frame["conf_high"][0], rel=1e-6)
        assert plain.breakdown == pytest.approx(other.breakdown, rel=1e-4)


def test_scale(effects: Any) -> None:
    larger = event_paths.make_effects(1000 * ESTIMATES, 1e6 * VCOV, TIMES)
    one, two = sensitivity(effects), sensitivity(larger)
    assert (1000 * one.frame["conf_low"]).to_list() == pytest.approx(two.frame["conf_low"].to_list(), rel=1e-6)
    assert one.breakdown == pytest.approx(two.breakdown, rel=1e-4)


def test_restrictions_narrow_and_weights_choose(effects: Any) -> None:
    plain = sensitivity(effects, "smoothness", [0.01], method="c-lf").frame.row(0, named=True)
    signed = sensitivity(effects, "smoothness", [0.01], method="c-lf", bias="positive").frame.row(0, named=True)
    assert signed["conf_high"] <= plain["conf_high"] + 1e-9
    assert sensitivity(effects, weights={1: 1.0}).estimate == pytest.approx(0.35)
    assert sensitivity(effects, weights=[0, 0, 1]).event_times == (2,)


def test_no_interval_is_cut_off(effects: Any) -> None:
    """The bound is so large that the interval reaches far beyond 20 standard errors."""
    found = sensitivity(effects, grid=[500])
    row = found.frame.row(0, named=True)
    assert row["conf_high"] > row["set_high"] > found.estimate + 40 * found.std_error
    assert not row["open_high"]


def test_event_study_and_group_time_effects(toy: Any) -> None:
    design = world.make(world.make_frame(200, 8, 1))
    for method, options in (("event-study", {}), ("callaway-santanna", {"base_period": "universal"}), ("callaway-santanna", {})):
        found = sensitivity(fit(design, method, **options))
        assert np.isfinite(found.frame["conf_low"].to_numpy()).all()


@pytest.mark.parametrize("anticipation", [0, 1])
def test_changes_are_cumulated_exactly(anticipation: int) -> None:
    design = world.make(world.make_frame(150, 8, 2), anticipation=anticipation)
    universal, varying = (event_path(callaway_santanna(design, base_period=b)) for b in ("universal", "varying"))  # type: ignore[arg-type]
    assert universal.times.tolist() == varying.times.tolist()
    assert varying.estimates == pytest.approx(universal.estimates, abs=1e-12)
    assert np.abs(varying.vcov - universal.vcov).max() < 1e-12 * np.abs(universal.vcov).max()
    assert varying.influence.T @ varying.influence == pytest.approx(varying.vcov, abs=1e-12)
    assert universal.reference == -1 - anticipation
    assert varying.post == universal.post
    assert [n.code for n in varying.notes][:1] == ["path-cumulated"]


def test_reference_is_moved_exactly() -> None:
    design = world.make(world.make_frame(150, 8, 3))
    near, far = (event_path(fit(design, "event-study", reference=r)) for r in (-1, -2))
    assert far.estimates == pytest.approx(near.estimates, abs=1e-12)
    assert np.abs(far.vcov - near.vcov).max() < 1e-12
    assert [n.code for n in far.notes] == ["path-reference-moved"]


def test_same_path_cumulated_by_event_time(effects: Any) -> None:
    """One-period changes of the same treated units: -1 is the change from -2, and so on."""
    changes = np.array([[1.0 if j == i + 1 else -1.0 if j == i else 0.0 for j in range(4)] for i in range(3)])
    level = np.vstack([np.eye(3, 6), np.zeros((1, 6))])
    matrix = np.vstack([changes @ level, np.eye(6)[3:]])
    varying = event_paths.make_effects(
        matrix @ ESTIMATES, matrix @ VCOV @ matrix.T, [-3, -2, -1, 0, 1, 2], reference=None, base_period="varying"
    )
    path, plain = event_path(varying), event_path(effects)
    assert path.times.tolist() == plain.times.tolist()
    assert path.estimates == pytest.approx(plain.estimates)
    assert path.vcov == pytest.approx(plain.vcov)


def test_window(effects: Any) -> None:
    short = sensitivity(effects, min_e=-3, max_e=1)
    same = sensitivity(event_paths.make_effects(ESTIMATES[1:5], VCOV[1:5, 1:5], TIMES[1:5]))
    assert short.frame["conf_low"].to_list() == pytest.approx(same.frame["conf_low"].to_list(), rel=1e-6)
    assert code_of(lambda: sensitivity(effects, min_e=0)) == {"empty-window"}


def test_restrictions_on_long_event_studies() -> None:
    times = [*range(-9, -1), *range(11)]
    long = event_paths.make_effects(np.where(np.array(times) < 0, 0.01, 0.4), covariance(len(times), 9), times)
    found = sensitivity(long, "smoothness", [0.01], estimand="average", bias="positive")
    assert np.isfinite(found.frame["conf_low"].to_numpy()).all()


def test_gap_at_the_reference_is_taken_as_the_reference() -> None:
    found = event_path(event_paths.make_effects(ESTIMATES, VCOV, TIMES, reference=None))
    assert found.times.tolist() == TIMES
    assert [n.code for n in found.notes] == ["path-reference-implied"]


def code_of(call: Any) -> set[str]:
    with pytest.raises(EstimationError) as caught:
        call()
    return {f.code for f in caught.value.findings}


def test_what_is_refused(effects: Any) -> None:
    make = event_paths.make_effects
    assert code_of(lambda: sensitivity(effects, "rm")) == {"unknown-value"}  # type: ignore[arg-type]
    assert code_of(lambda: sensitivity(effects, method="flci")) == {"unknown-value"}
    assert code_of(lambda: sensitivity(effects, "smoothness", method="flci", bias="positive", monotone="increasing", level=2, draws=1)) == {
        "two-restrictions", "restriction-unused", "bad-level", "few-draws",
    }  # fmt: skip
    assert code_of(lambda: sensitivity(effects, grid=[-1])) == {"bad-grid"}
    assert code_of(lambda: sensitivity(effects, grid=[])) == {"bad-grid"}
    assert code_of(lambda: sensitivity(effects, grid=["a"])) == {"bad-grid"}  # type: ignore[list-item]
    assert code_of(lambda: sensitivity(effects, grid=1.0)) == {"bad-grid"}  # type: ignore[arg-type]
    assert code_of(lambda: sensitivity(effects, weights=[1, 2])) == {"bad-weights"}
    assert code_of(lambda: sensitivity(effects, weights={7: 1})) == {"bad-weights"}
    assert code_of(lambda: sensitivity(effects, weights=[0, 0, 0])) == {"bad-weights"}
    assert code_of(lambda: sensitivity(effects.aggregate("overall"))) == {"no-event-time"}
    assert code_of(lambda: sensitivity(make(ESTIMATES, VCOV, [-5, -3, -2, 0, 1, 2]))) == {"event-time-gap"}
    assert code_of(lambda: sensitivity(make(ESTIMATES, VCOV, [-3, -2, -1, 0, 1, 2], reference=None))) == {"no-reference"}
    assert code_of(lambda: sensitivity(make(ESTIMATES[3:], VCOV[3:, 3:], [0, 1, 2]))) == {"no-leads"}
    assert code_of(lambda: sensitivity(make(ESTIMATES[:3], VCOV[:3, :3], [-4, -3, -2]))) == {"nothing-to-average"}
    assert code_of(lambda: sensitivity(make(ESTIMATES[2:], VCOV[2:, 2:], [-2, 0, 1, 2]), "smoothness-relative")) == {"no-curvature"}


def test_varying_base_by_event_time_is_refused_when_units_change() -> None:
    design = world.make(world.make_frame(150, 8, 2))
    assert code_of(lambda: event_path(callaway_santanna(design).aggregate("event-time"))) == {"varying-base"}


def test_one_lead_and_one_effect() -> None:
    small = event_paths.make_effects(ESTIMATES[2:4], VCOV[2:4, 2:4], [-2, 0])
    found = sensitivity(small)
    assert np.isfinite(found.breakdown)
    assert "sensitivity-one-lead" in {n.code for n in found.notes}
    smooth = sensitivity(small, "smoothness")
    assert np.isnan(smooth.smoothness_seen)
    assert np.isfinite(smooth.frame["conf_low"].to_numpy()).all()


def test_an_effect_that_is_not_there() -> None:
    found = sensitivity(event_paths.make_effects(0 * ESTIMATES, VCOV, TIMES))
    assert np.isnan(found.breakdown)
    assert "sensitivity-never" in {n.code for n in found.notes}


def test_estimates_that_contradict_the_restriction() -> None:
    """The deviation must not fall, but the estimates before treatment say that it does, steeply and precisely."""
    falling = event_paths.make_effects([0.9, 0.6, 0.3, -0.3, -0.6, -0.9], 1e-4 * VCOV, TIMES)
    found = sensitivity(falling, "smoothness", [0.0], monotone="increasing", method="c-lf")
    assert found.frame["empty"].to_list() == [True]
    assert "sensitivity-empty" in {n.code for n in found.notes}


EDGE = {
    "relative-magnitude": (np.array([0.0, 0.1, 0.05, 0.1, 0.2, 0.3]), 1.0),
    "smoothness": (np.array([-0.09, -0.04, -0.01, -0.01, -0.04, -0.09]), 0.02),
    "smoothness-relative": (np.array([-0.09, -0.04, -0.01, -0.01, -0.04, -0.09]), 1.0),
}
"""Deviations whose changes (or changes of slope) are as large as the bound allows, in one direction."""


def covered(kind: Any, method: Any, scale: float, reps: int = 2000) -> NDArray[np.bool_]:
    """[reps] whether the true effect is accepted in each draw of the estimates, when the deviation is at the edge.

    The interval is the hull of what is accepted, so it covers at least as often. Critical values do not depend on the estimates.
    """
    delta, bound = EDGE[kind]
    weights, vcov = np.eye(3)[0], covariance(6, 7, scale)
    truth = delta + np.array([0, 0, 0, 0.3, 0.3, 0.3])
    draws = truth + np.random.default_rng(11).standard_normal((reps, 6)) @ np.linalg.cholesky(vcov).T
    problem = make_problem(truth, vcov, weights, Shape(kind, 3, 3), method, level=0.95, draws=10_000, seed=0)
    if method in ("flci", "c-f"):
        level = 0.95 if method == "flci" else 1 - problem.kappa
        fixed = shortest(frontier(vcov, weights, 3), truth, weights, bound, level)
        if method == "flci":
            return np.asarray(np.abs(draws @ fixed.weights - 0.3) <= fixed.half_length)
    accepted = np.zeros(reps, dtype=bool)
    for polyhedron in polyhedra(problem.shape, bound):
        moments = make_moments(polyhedron, truth, vcov, weights, complete=True)
        first = Hybridisation("none")
        if method == "c-lf":
            first = Hybridisation("least-favourable", problem.kappa, least_favourable(moments, problem.draws, problem.kappa))
        for r in np.flatnonzero(~accepted):
            if method == "c-f":
                along = moments.root @ vcov @ fixed.weights
                first = Hybridisation("fixed-length", problem.kappa, np.inf, float(draws[r] @ fixed.weights), fixed.half_length, along)
            drawn = replace(moments, level=polyhedron.a @ draws[r] - polyhedron.d)
            accepted[r] = p_margin(drawn, np.array([0.3]), 0.05, first)[0][0] >= 0
    return accepted


@pytest.mark.validate
@pytest.mark.parametrize("scale", [0.05, 0.005])
@pytest.mark.parametrize(("kind", "method"), [("relative-magnitude", "c-lf"), ("relative-magnitude", "conditional"), ("smoothness", "flci"), ("smoothness", "c-f"), ("smoothness", "c-lf"), ("smoothness", "conditional"), ("smoothness-relative", "c-lf")])  # fmt: skip
def test_coverage_at_the_edge_of_what_is_allowed(kind: str, method: str, scale: float, validated: Recorder) -> None:
    """Uniformly valid intervals cover at least as often as they say; how much more depends on which restrictions bind."""
    found = validated(
        "sensitivity",
        f"sensitivity, {kind}",
        f"deviation at the edge of what is allowed, standard errors about {scale}",
        variant=method,
        seed=11,
    )
    found.coverage(covered(kind, method, scale), within=(0.93, 1.0), reason="conservative")
