"""The packaged world, seed by seed, against the effects that are true in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recording import Recorder

import hinterland as hl
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.result import Effects

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
OUTCOME = "ln_inventions"
LARGE: Mapping[str, Any] = {"units": 300, "periods": 12, "cohorts": (2012, 2014, 2016), "treated_share": 0.4, "spillover": 0.0}
ALIKE: Mapping[str, Any] = {
    **LARGE,
    "dynamics": 1e-6,
    **dict.fromkeys(("cohort_gap", "heterogeneity", "moderation", "moderation_sichuan_chongqing", "sichuan_chongqing"), 0.0),
}
Overall = Mapping[str, tuple[str, str, dict[str, Any]]]
HEADLINE: Overall = {
    "callaway-santanna": ("callaway-santanna", "never-treated", {}),
    "callaway-santanna, not-yet-treated": ("callaway-santanna", "not-yet-treated", {}),
    "sun-abraham": ("sun-abraham", "never-treated", {}),
    "etwfe": ("etwfe", "not-yet-treated", {}),
    "imputation": ("imputation", "not-yet-treated", {}),
    "two-stage": ("two-stage", "not-yet-treated", {}),
    "dcdh": ("dcdh", "not-yet-treated", {}),
}
LEFT_OUT: Overall = {**HEADLINE, "imputation, leave-one-out": ("imputation", "not-yet-treated", {"leave_one_out": True})}
WEIGHTING: Overall = {
    "efficient": ("efficient", "not-yet-treated", {"estimand": "overall"}),
    "sdid": ("sdid", "never-treated", {"estimand": "overall", "variance": "jackknife"}),
}
TESTED = ("callaway-santanna", "sun-abraham")


def overall(effects: Effects) -> Effects:
    return effects if effects.aggregation in {"overall", "coefficient"} else effects.aggregate("overall")


class Found:
    """What each estimator gave, seed by seed."""

    def __init__(self, methods: Overall) -> None:
        self.methods = methods
        self.error: dict[str, list[float]] = {name: [] for name in methods}
        self.half: dict[str, list[float]] = {name: [] for name in methods}
        self.null: dict[str, list[bool]] = {name: [] for name in methods}
        self.leads: dict[str, list[bool]] = {name: [] for name in methods}

    def add(self, design: Design, untreated: Any, truth: float) -> None:
        """One seed: ``untreated`` [n] outcomes without the policy, in the order of the design."""
        for name, (method, comparison, options) in self.methods.items():
            given = replace(design, comparison=comparison)  # type: ignore[arg-type]
            effects = fit(given, method, **options)
            there, nothing = overall(effects), overall(fit(replace(given, y=untreated), method, **options))
            self.error[name].append(float(there.estimate[0] - truth))
            self.half[name].append(float(there.half_width()[0]))
            self.null[name].append(bool(nothing.p_value[0] < 0.05))
            if name in TESTED:
                self.leads[name].append(pretrend_test(effects.aggregate("event-time")).p_value < 0.05)

    def record(self, validated: Recorder, where: str, **options: Any) -> None:
        """Bias, coverage and size of each; ``options`` of the ranges."""
        for name, (method, _, _) in self.methods.items():
            variant = name.removeprefix(method).removeprefix(", ")
            found = validated("packaged world", method, where, variant=variant, seed=0)
            found.bias(self.error[name], "overall")
            found.coverage(np.abs(self.error[name]) <= np.array(self.half[name]), "overall", **options.get("coverage", {}))
            found.size(self.null[name], "overall", **options.get("size", {}))
            if self.leads[name]:
                found.size(self.leads[name], "joint test of leads")


def untreated(world: hl.World, design: Design, column: str) -> Any:
    """[n] the potential outcome ``column`` in the rows of the design."""
    frame = world.potential
    place = {(u, t): v for u, t, v in zip(frame["adcode"].cast(str), frame["year"], frame[column], strict=True)}
    names = design.unit_labels[design.unit]
    return np.array([place[u, t] for u, t in zip(names.tolist(), design.periods[design.period].tolist(), strict=True)])


def run(methods: Overall, settings: Mapping[str, Any]) -> Found:
    found = Found(methods)
    for seed in range(REPLICATIONS):
        world = hl.simulate("demonstration-zones", seed=seed, **settings)
        design = make_design(world.panel, OUTCOME, world.policy)
        found.add(design, untreated(world, design, "ln_inventions_0"), world.value(f"att/{OUTCOME}/overall"))
    return found


@pytest.mark.parametrize("methods", [HEADLINE, WEIGHTING], ids=["headline", "weighting"])
def test_many_treated(methods: Overall, validated: Recorder) -> None:
    """Effects differ between cities, cohorts and years; 120 of 300 cities are treated."""
    found = run(methods, LARGE)
    where = "effects differ; 300 cities × 12, 120 treated"
    if methods is HEADLINE:
        found.record(validated, where)
    else:
        found.record(
            validated,
            where,
            coverage={"within": (0.93, 1.0), "reason": "conservative"},
            size={"within": (0.0, 0.07), "reason": "conservative"},
        )


def test_real_dates(validated: Recorder) -> None:
    """28 treated cities in six cohorts of two to eight: intervals are a little short, since they rest on few. Residuals from means over the cohort
    make it worse (imputation), unless each city is compared with the others' mean (leave-one-out).
    """
    found = run(LEFT_OUT, {"spillover": 0.0})
    small: Mapping[str, Any] = {
        "coverage": {"within": (0.9, 0.97), "reason": "small sample"},
        "size": {"within": (0.03, 0.1), "reason": "small sample"},
    }
    found.record(validated, "effects differ; the 293 real cities and dates, 28 treated", **small)


def test_another_rule(validated: Recorder) -> None:
    """Partly covered cities count as treated: the truth is that of the rule."""
    error, hit = [], []
    for seed in range(REPLICATIONS):
        world = hl.simulate("demonstration-zones", seed=seed, spillover=0.0)
        policy = world.zones.cohorts(partial="treat", until=2022)
        truth = world.truth_for(policy)
        value = float(truth.filter(truth["parameter"] == f"att/{OUTCOME}/overall")["value"][0])
        made = hl.estimate(world.panel, OUTCOME, policy).aggregate("overall")
        error.append(made.estimate[0] - value)
        hit.append(abs(error[-1]) <= made.half_width()[0])
    found = validated(
        "packaged world", "callaway-santanna", "the 293 real cities and dates, partly covered cities count as treated", seed=0
    )
    found.bias(error, "overall")
    found.coverage(hit, "overall", within=(0.9, 0.97), reason="small sample")


def test_effects_alike(validated: Recorder) -> None:
    """One effect on the log mean everywhere: two-way fixed effects and Poisson are valid, each for its own truth.

    A tenth of the cities has most inventions, and Poisson weighs by them: 300 clusters are worth about 22, so that CR2 and CR3 are called for.
    """
    found = Found({"twfe": ("twfe", "never-treated", {}), "event-study": ("event-study", "never-treated", {})})
    counts = Found({"ppml, CR2": ("ppml", "never-treated", {"vcov": "CR2"}), "ppml, CR3": ("ppml", "never-treated", {"vcov": "CR3"})})
    plain = Found({"ppml, CR1": ("ppml", "never-treated", {})})
    for seed in range(REPLICATIONS):
        world = hl.simulate("demonstration-zones", seed=seed, **ALIKE)
        design = make_design(world.panel, OUTCOME, world.policy)
        found.add(design, untreated(world, design, "ln_inventions_0"), world.value(f"att/{OUTCOME}/overall"))
        design = make_design(world.panel, "inventions", world.policy)
        for ours in (counts, plain):
            ours.add(design, untreated(world, design, "inventions_0"), world.value("log-ratio/inventions/overall"))
    where = "one effect for all; 300 cities × 12, 120 treated"
    found.record(validated, where)
    counts.record(validated, where)
    record = validated("failures", "ppml", f"{where}; a tenth of them has most of the outcome", variant="CR1", seed=0)
    record.coverage(
        np.abs(plain.error["ppml, CR1"]) <= np.array(plain.half["ppml, CR1"]), "overall", within=(0, 0.92), reason="known failure"
    )
    record.size(plain.null["ppml, CR1"], "overall", within=(0.08, 1), reason="known failure")


def test_two_way_fixed_effects_where_effects_differ(validated: Recorder) -> None:
    """Not valid: cities treated early, whose effects still grow, serve as comparison for later ones."""
    found = run({"twfe": ("twfe", "never-treated", {})}, {**LARGE, "dynamics": 6.0, "treated_share": 0.8, "effect": 1.0})
    where = "effects grow over six years; 300 cities × 12, 240 treated"
    record = validated("failures", "twfe", where, seed=0)
    record.bias(found.error["twfe"], reason="known failure", least=-0.05)
    record.coverage(np.abs(found.error["twfe"]) <= np.array(found.half["twfe"]), within=(0, 0.9), reason="known failure")
