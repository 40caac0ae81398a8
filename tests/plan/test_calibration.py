"""From evidence to a plan: factors by hand, uncertainty by the delta method and by draws, and what becomes of weak evidence."""

from __future__ import annotations

from dataclasses import replace

import evidence_record as known
import numpy as np
import polars as pl
import pytest
from cases import every

from hinterland.errors import InputError
from hinterland.plan.calibration import calibrate, calibration
from hinterland.plan.calibration_draws import calibrated_draws
from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.evidence import Evidence, evidence_draws
from hinterland.plan.problem import Problem
from hinterland.plan.rules import Rules, Transmission, illustrative_rules

ZONE = {"hill": 0.5, "plain": 0.25}
SEGMENTATION = {"hill": 0.2, "plain": 0.6}
UPTAKE = Transmission("uptake", "ln_y", 0.5, 0.0, 1.0, "illustrative", "assumption")
PRODUCTIVITY = Transmission("productivity", "ln_y", 0.3, 0.1, 0.5, "derived", "an identity")
SIZE = Transmission("agglomeration", "ln_y", 2.0, 0.0, 4.0, "illustrative", "assumption", "agglomeration")
RULES = Rules((UPTAKE, PRODUCTIVITY, SIZE), weak="leave-out")


def _case(*, zone: bool = True, segmentation: bool = True) -> dict[str, pl.DataFrame]:
    case = every()
    regions = case["regions"]
    columns = {}
    if zone:
        columns["zone"] = pl.Series([ZONE.get(r, 0.9) for r in regions["region"]])
    if segmentation:
        columns["segmentation"] = pl.Series([SEGMENTATION.get(r, 0.4) for r in regions["region"]])
    return case | {"regions": regions.with_columns(**columns)}


@pytest.fixture(scope="module")
def problem() -> Problem:
    return read_problem(_case())


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return Evidence.from_record(known.record(), "ln_y", moderator="seg", mediators=["agglomeration"])


def _effect(host: str) -> float:
    return known.EFFECT + known.SLOPE * (SEGMENTATION[host] - known.CENTRE)


@pytest.mark.parametrize("host", ["hill", "plain"])
def test_factors_by_hand(problem: Problem, evidence: Evidence, host: str) -> None:
    """The effect in hill is 0.2 − 0.5 (0.2 − 0.4) = 0.3 in half of it, in plain 0.2 − 0.5·0.2 = 0.1 in a quarter."""
    found = calibration(problem, evidence, RULES)
    part = ZONE[host] * _effect(host)
    wanted = {"response": np.exp(0.5 * part), "staff": np.exp(-0.3 * part)}
    if host == "hill":
        wanted["saving"] = np.exp(2.0 * part * known.SHARE)
    rows = found.frame.filter(host=host)
    assert dict(rows.select("parameter", "factor").rows()) == pytest.approx(wanted)
    assert rows["estimate"].to_list() == pytest.approx([_effect(host)] * rows.height)
    ratio = (found.problem["staff"] / problem["staff"]).transpose("cell", "skill", "year")
    cells = [c for c in problem.index["cell"] if c.startswith(f"{host}/")]
    decided = ratio.sel(cell=cells).values[:, :, problem.decided]
    np.testing.assert_allclose(decided, wanted["staff"])
    np.testing.assert_allclose(ratio.sel(cell=cells).values[:, :, ~problem.decided], 1.0)
    np.testing.assert_allclose(found.problem["response"].sel(region=host) / problem["response"].sel(region=host), wanted["response"])


def test_regions_that_receive_nothing_stay(problem: Problem, evidence: Evidence) -> None:
    """East is under a programme for nine tenths and is no host: nothing of it changes."""
    found = calibration(problem, evidence, RULES)
    east = [c for c in problem.index["cell"] if c.startswith("east/")]
    assert (found.problem["staff"].sel(cell=east) == problem["staff"].sel(cell=east)).all()
    assert "east" not in found.frame["host"].to_list()


def test_no_effect_changes_nothing(problem: Problem) -> None:
    nothing = Evidence.from_frames(
        pl.DataFrame({"role": ["effect"], "outcome": ["ln_y"], "value": [0.0], "std_error": [0.1], "grade": ["strong"]})
    )
    got = calibrate(problem, nothing, Rules((UPTAKE, PRODUCTIVITY), weak="leave-out"))
    for name in problem.data:
        np.testing.assert_array_equal(got[name].values, problem[name].values)


def test_signs(problem: Problem, evidence: Evidence) -> None:
    """More of the outcome: support brings more, fewer people are needed, size saves more, running costs less."""
    cost = Transmission("operating-cost", "ln_y", 1.0, 0.0, 2.0, "illustrative", "assumption", "agglomeration")
    found = calibration(problem, evidence, Rules((UPTAKE, PRODUCTIVITY, SIZE, cost), weak="leave-out")).frame
    above = {p: bool((found.filter(parameter=p)["factor"] > 1).all()) for p in found["parameter"].unique()}
    assert above == {"response": True, "staff": False, "saving": True, "operating_cost": False}


def test_standard_errors_by_hand(problem: Problem, evidence: Evidence) -> None:
    """In hill: d log factor/dβ = −κ z, dγ = −κ z (m − m̄); with independent estimates the variance is the sum of squares. For savings the share has its own term."""
    found = calibration(problem, evidence, RULES).frame.filter(host="hill")
    z, d = ZONE["hill"], SEGMENTATION["hill"] - known.CENTRE
    row = found.row(by_predicate=pl.col("parameter") == "staff", named=True)
    error = 0.3 * z * np.hypot(known.ERROR, d * known.SLOPE_ERROR)
    assert row["factor_error"] == pytest.approx(row["factor"] * error)
    assert row["std_error"] == pytest.approx(np.hypot(known.ERROR, d * known.SLOPE_ERROR))
    assert np.log(row["high"] / row["low"]) == pytest.approx(2 * 1.959963984540054 * error)
    size = found.row(by_predicate=pl.col("parameter") == "saving", named=True)
    parts = 2.0 * z * np.array([known.SHARE * known.ERROR, known.SHARE * d * known.SLOPE_ERROR, _effect("hill") * known.SHARE_ERROR])
    assert size["factor_error"] == pytest.approx(size["factor"] * np.linalg.norm(parts))


def test_the_covariance_counts(problem: Problem) -> None:
    """With level and slope of one line, the variance in hill has 2 (m − m̄) C more: here d = −0.2 and C = −0.004 add 0.0016."""
    line = Evidence.from_record(known.record(), "ln_y", moderator="seg", level="line")
    row = calibration(problem, line, Rules((PRODUCTIVITY,), weak="leave-out")).frame.filter(host="hill").row(0, named=True)
    d = SEGMENTATION["hill"] - known.CENTRE
    variance = known.LINE_ERROR**2 + 2 * d * known.COVARIANCE + d**2 * known.SLOPE_ERROR**2
    assert row["std_error"] == pytest.approx(np.sqrt(variance))
    assert variance > known.LINE_ERROR**2 + d**2 * known.SLOPE_ERROR**2


def test_what_is_not_estimated_is_marked(problem: Problem, evidence: Evidence) -> None:
    found = calibration(problem, evidence, RULES)
    basis = dict(found.problem.provenance.filter(pl.col("parameter").str.starts_with("transmission.")).select("parameter", "basis").rows())
    assert basis == {
        "transmission.uptake.ln_y": "illustrative",
        "transmission.productivity.ln_y": "derived",
        "transmission.agglomeration.ln_y.agglomeration": "illustrative",
    }
    assert dict(found.frame.select("parameter", "basis").rows()) == {
        "response": "illustrative",
        "staff": "derived",
        "saving": "illustrative",
    }
    said = {n.code: n for n in found.notes}
    assert said["evidence-illustrative"].values["count"] == 2
    assert said["evidence-nothing-there"].values == {"parameter": "saving", "regions": "plain"}
    for language in ("en", "zh"):
        assert all(n.text(language) for n in found.notes)


def test_weak_evidence_is_left_out(problem: Problem) -> None:
    """A weak effect takes its moderation with it, and nothing changes; it is said why, in notes and in findings of the problem."""
    weak = Evidence.from_record(known.record(effect="weak"), "ln_y", moderator="seg", mediators=["agglomeration"])
    found = calibration(problem, weak, RULES)
    assert (found.frame["factor"] == 1.0).all()
    assert (found.problem["staff"].values == problem["staff"].values).all()
    assert found.evidence["use"].to_list() == ["left-out", "left-out", "whole"]
    assert {"evidence-weak-left-out", "evidence-without-effect"} <= {n.code for n in found.notes}
    assert [f.code for f in found.problem.findings if f.code == "weak-evidence"] == ["weak-evidence"]


def test_weak_evidence_is_shrunk_or_used_on_demand(problem: Problem) -> None:
    """Shrunk: the end of the 95 % interval nearest to zero, 0.2 − 1.96·0.05; an unproven slope whose interval holds zero becomes none."""
    weak = Evidence.from_record(known.record(effect="weak", moderation="unproven"), "ln_y", moderator="seg")
    weak = replace(weak, estimates=(weak.estimates[0], replace(weak.estimates[1], std_error=0.3)), vcov=np.diag([known.ERROR**2, 0.09]))
    rules = Rules((PRODUCTIVITY,), weak="shrink")
    row = calibration(problem, weak, rules).frame.filter(host="hill").row(0, named=True)
    assert row["estimate"] == pytest.approx(known.EFFECT - 1.959963984540054 * known.ERROR)
    used = calibration(problem, weak, replace(rules, weak="use"))
    assert used.frame.filter(host="hill")["estimate"][0] == pytest.approx(_effect("hill"))
    assert [n.code for n in used.notes].count("evidence-weak-used") == 2


def test_a_weak_share_leaves_its_rule_out_only(problem: Problem) -> None:
    weak = Evidence.from_record(known.record(mechanism="weak"), "ln_y", moderator="seg", mediators=["agglomeration"])
    factors = dict(calibration(problem, weak, RULES).frame.filter(host="hill").select("parameter", "factor").rows())
    assert factors["saving"] == 1.0
    assert factors["response"] == pytest.approx(np.exp(0.5 * 0.5 * 0.3))


def test_years_under_a_programme_count_for_themselves() -> None:
    """From 2029 on all of hill is under one: staffing by year, and response, which has no years, by their mean."""
    case = _case(segmentation=False)
    case["paths"] = pl.concat(
        [
            case["paths"],
            pl.DataFrame({"parameter": ["zone"] * 2, "region": ["hill"] * 2, "year": [2028, 2029], "value": [0.0, 1.0]}),
        ],
        how="diagonal",
    )
    problem = read_problem(case)
    effect = Evidence.from_record(known.record(), "ln_y")
    found = calibration(problem, effect, Rules((UPTAKE, PRODUCTIVITY), weak="leave-out")).frame.filter(host="hill")
    staff = found.filter(parameter="staff").sort("years")
    zone = problem["zone"].sel(region="hill").values[problem.decided]
    assert dict(zip(staff["years"], staff["zone"], strict=True)) == {"2026–2027": 0.5, "2029–2031": 1.0}
    assert found.filter(parameter="response")["zone"][0] == pytest.approx(zone.mean())


def test_hosts_without_a_moderator_have_the_mean_effect(evidence: Evidence) -> None:
    found = calibration(read_problem(_case(segmentation=False)), evidence, Rules((PRODUCTIVITY,), weak="leave-out"))
    assert found.frame["estimate"].to_list() == pytest.approx([known.EFFECT] * 2)
    assert "evidence-no-moderator" in {n.code for n in found.notes}


def test_extrapolation_is_said(problem: Problem) -> None:
    narrow = Evidence.from_record(known.record(), "ln_y", moderator="seg")
    narrow = replace(narrow, estimates=(narrow.estimates[0], replace(narrow.estimates[1], low=0.3)))
    found = calibration(problem, narrow, Rules((PRODUCTIVITY,), weak="leave-out"))
    said = [n for n in found.notes if n.code == "evidence-extrapolated"]
    assert [n.values["regions"] for n in said] == ["hill"]


def test_what_does_not_fit_is_found_at_once(evidence: Evidence) -> None:
    levels = replace(evidence, estimates=(replace(evidence.estimates[0], unit="patents"), *evidence.estimates[1:]))
    rules = Rules((UPTAKE, replace(UPTAKE, outcome="ln_z"), replace(SIZE, through="crowds")), weak="use")
    with pytest.raises(InputError) as error:
        calibration(read_problem(_case(zone=False)), levels, rules)
    assert sorted(f.code for f in error.value.findings) == ["no-such-estimate", "no-such-estimate", "no-zone", "unit-unfit", "unit-unfit"]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(UPTAKE, target="upteke"),  # type: ignore[arg-type]
        replace(UPTAKE, basis="guess"),  # type: ignore[arg-type]
        replace(UPTAKE, elasticity=2.0),
        replace(UPTAKE, elasticity=-0.5),
        replace(UPTAKE, source=" "),
    ],
)
def test_rules_that_make_no_sense(wrong: Transmission) -> None:
    with pytest.raises(InputError):
        Rules((wrong,), weak="use")
    with pytest.raises(InputError):
        Rules((UPTAKE, UPTAKE), weak="use")
    with pytest.raises(InputError):
        Rules((UPTAKE,), weak="ignore")  # type: ignore[arg-type]


def test_rules_for_first_trials_are_marked() -> None:
    rules = illustrative_rules("ln_y", agglomeration="agglomeration", mismatch=["capital"], weak="leave-out")
    assert {t.basis for t in rules.transmissions} == {"illustrative"}
    assert rules.frame["parameter"].to_list() == ["response", "staff", "saving", "operating_cost"]


def _near_linear() -> Problem:
    """Two hosts' people are the only cost that the estimates reach, and demand is far from every limit."""
    from cases import tiny

    people = {
        "skills": pl.DataFrame({"skill": ["plain"]}),
        "labour": pl.DataFrame({"region": ["coast", "inland"], "skill": ["plain"] * 2, "supply": [50.0, 50.0], "wage": [6.0, 4.0]}),
        "staffing": pl.DataFrame({"industry": ["chips", "cloth"], "skill": ["plain"] * 2, "value": [0.01, 0.02]}),
    }
    case = tiny()
    return read_problem({**case, **people, "regions": case["regions"].with_columns(zone=pl.Series([0.0, 0.8]))})


def test_draws_agree_with_the_delta_method() -> None:
    """The cost of a plan that stays the same is affine in the staffing factor: its spread over draws is the factor's, times what people at inland cost."""
    problem = _near_linear()
    evidence = Evidence.from_record(known.record(), "ln_y")
    rules = Rules((PRODUCTIVITY,), weak="leave-out")
    found = calibrated_draws(problem, evidence, rules, 512, seed=5, elasticities="fixed")
    base = calibration(problem, evidence, rules)
    best = plan(base.problem)
    inland = best.capacity.filter(region="inland").sort("industry", "year")
    weights = problem.weights.values
    cost = sum(
        4.0 * staff * float((weights * inland.filter(industry=i)["output"].to_numpy()).sum())
        for i, staff in (("chips", 0.01), ("cloth", 0.02))
    )
    row = found.objectives.row(by_predicate=pl.col("objective") == "cost", named=True)
    assert found.written == "affine"
    assert row["sd"] == pytest.approx(cost * base.frame["factor_error"][0], rel=0.1)
    assert row["mean"] == pytest.approx(best.solution.objective, rel=2e-3)
    drawn = found.factors["value"].to_numpy()
    np.testing.assert_allclose(drawn, np.exp(-0.3 * 0.8 * evidence_draws(evidence, 512, seed=5)[:, 0]), rtol=1e-12)


def test_draws_over_the_range_of_elasticities_are_wider() -> None:
    problem = _near_linear()
    evidence = Evidence.from_record(known.record(), "ln_y")
    rules = Rules((PRODUCTIVITY,), weak="leave-out")
    spread = {}
    for how in ("fixed", "range"):
        found = calibrated_draws(problem, evidence, rules, 64, seed=5, elasticities=how)  # type: ignore[arg-type]
        spread[how] = float(found.factors["value"].std())  # type: ignore[arg-type]
        assert f"evidence-draws-{how}" in {n.code for n in found.notes}
    assert spread["range"] > 1.3 * spread["fixed"]
    with pytest.raises(InputError):
        calibrated_draws(problem, evidence, rules, 4, seed=1, elasticities="free")  # type: ignore[arg-type]


def test_evidence_that_is_left_out_does_not_vary() -> None:
    problem = _near_linear()
    weak = Evidence.from_record(known.record(effect="unproven"), "ln_y")
    found = calibrated_draws(problem, weak, Rules((PRODUCTIVITY,), weak="leave-out"), 4, seed=5, elasticities="fixed")
    assert (found.factors["value"] == 1.0).all()
    assert found.values.filter(objective="cost")["value"].n_unique() == 1
