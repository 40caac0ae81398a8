"""Bias, coverage and size on samples that are not a plain balanced panel: gaps, cross-sections, covariates, weights, anticipation, clusters, counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simulated
from numpy.typing import NDArray
from recording import Recorder, Simulated

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.pretrends import pretrend_test
from hinterland.evaluate.result import Effects

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
PERIODS = 8
COHORTS = np.repeat([3, 5, 6, NEVER], [40, 40, 40, 80])
Draw = Callable[[np.random.Generator, float], Design]


def overall(effects: Effects) -> Effects:
    return effects if effects.aggregation == "coefficient" else effects.aggregate("overall")


def judge(found: Simulated, method: str, draw: Draw, rng: np.random.Generator, options: Mapping[str, Any], truth: float = 0.5) -> None:
    """Bias and coverage where the effect is ``truth``, and size where it is zero."""
    error, half, null = [], [], []
    for _ in range(REPLICATIONS):
        there, nothing = (overall(fit(draw(rng, size), method, **options)) for size in (1.0, 0.0))
        error.append(there.estimate[0] - truth)
        half.append(there.half_width()[0])
        null.append(nothing.p_value[0] < 0.05)
    found.interval(error, half)
    found.size(null)


def noise(rng: np.random.Generator, units: int = 200) -> NDArray[np.float64]:
    """[units, 8] outcomes without treatment: unit and period effects, AR(1) errors."""
    return rng.normal(size=(units, 1)) + 0.1 * np.arange(PERIODS) + simulated.autoregressive(rng, units, PERIODS, 0.5)


GAPS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "twfe": ("twfe", "never-treated", {}),
    "event-study": ("event-study", "never-treated", {}),
    "sun-abraham": ("sun-abraham", "never-treated", {}),
    "etwfe": ("etwfe", "not-yet-treated", {"unit_effects": True}),
    "stacked": ("stacked", "not-yet-treated", {"kappa_pre": 1, "kappa_post": 2}),
    "callaway-santanna": ("callaway-santanna", "never-treated", {}),
    "callaway-santanna, balanced": ("callaway-santanna", "never-treated", {"unbalanced": "balance"}),
    "imputation": ("imputation", "not-yet-treated", {}),
    "two-stage": ("two-stage", "not-yet-treated", {}),
    "dcdh": ("dcdh", "not-yet-treated", {}),
    "lp-did": ("lp-did", "not-yet-treated", {}),
}


@pytest.mark.filterwarnings("ignore:.*are left out, as asked for")
@pytest.mark.parametrize("name", GAPS)
def test_gaps(name: str, validated: Recorder) -> None:
    """A third of the units lack two to four of their eight rows."""
    method, comparison, options = GAPS[name]
    rng = np.random.default_rng(21)
    keep = np.ones((200, PERIODS), dtype=bool)
    for i in rng.permutation(200)[:67]:
        keep[i, rng.permutation(PERIODS)[: rng.integers(2, 5)]] = False
    base = simulated.make(COHORTS, PERIODS, keep=keep, comparison=comparison)
    on = np.arange(1, PERIODS + 1) >= COHORTS[:, None]

    def draw(rng: np.random.Generator, size: float) -> Design:
        return simulated.redrawn(base, noise(rng) + 0.5 * size * on)

    variant = name.removeprefix(method).removeprefix(", ")
    judge(
        validated("estimators", method, "a third of units with gaps; one effect for all", variant=variant, seed=21),
        method,
        draw,
        rng,
        options,
    )


COVARIATES: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "twfe": ("twfe", "v", {}),
    "event-study": ("event-study", "v", {}),
    "sun-abraham": ("sun-abraham", "v", {}),
    "etwfe": ("etwfe", "x", {}),
    "stacked": ("stacked", "v", {"kappa_pre": 1, "kappa_post": 2}),
    "imputation": ("imputation", "v", {}),
    "two-stage": ("two-stage", "v", {}),
    "dcdh": ("dcdh", "v", {}),
    "lp-did": ("lp-did", "x", {}),
}
CONFOUNDED = "trends parallel only given a covariate; one effect for all"


@pytest.mark.parametrize("name", COVARIATES)
def test_covariates(name: str, validated: Recorder) -> None:
    """Units that adopt have more of x, which bends trends: without it every estimator is biased, with it none of these."""
    method, column, options = COVARIATES[name]
    rng = np.random.default_rng(22)
    treated = COHORTS != NEVER
    time = np.arange(1, PERIODS + 1)
    base = simulated.make(
        COHORTS,
        PERIODS,
        columns={"x": rng.normal(size=200), "v": rng.normal(size=(200, PERIODS))},
        covariates=[column],
        comparison="not-yet-treated",
    )
    on = base.treated.reshape(-1, PERIODS)
    wrong = []

    def draw(rng: np.random.Generator, size: float) -> Design:
        x = rng.normal(size=200) + 0.8 * treated
        v = x[:, None] * time if column == "v" else np.repeat(x[:, None], PERIODS, axis=1)
        return replace(base, y=(noise(rng) + 0.2 * x[:, None] * time + 0.5 * size * on).ravel(), covariates=v.reshape(-1, 1))

    for _ in range(REPLICATIONS):
        without = replace(draw(rng, 1.0), covariates=np.empty((base.n_obs, 0)), covariate_names=())
        wrong.append(overall(fit(without, method, **options)).estimate[0] - 0.5)
    judge(validated("estimators", method, CONFOUNDED, seed=22), method, draw, rng, options)
    validated("failures", method, CONFOUNDED, variant="without the covariate", seed=22).bias(wrong, reason="known failure", least=0.1)


@pytest.mark.parametrize(
    ("est_method", "comparison"), [("dr", "never-treated"), ("dr", "not-yet-treated"), ("ipw", "never-treated"), ("or", "never-treated")]
)
def test_repeated_cross_sections(est_method: str, comparison: str, validated: Recorder) -> None:
    """1 500 persons of 6 periods, each seen once; adoption and trends depend on x."""
    rng = np.random.default_rng(23)
    n, periods = 1500, 6
    cohort = rng.choice(np.array([3, 5, NEVER]), size=n)
    keep = np.zeros((n, periods), dtype=bool)
    keep[np.arange(n), np.arange(n) % periods] = True
    base = simulated.make(cohort, periods, columns={"x": rng.normal(size=n)}, keep=keep, covariates="~ x", comparison=comparison)
    time = base.periods[base.period]

    def draw(rng: np.random.Generator, size: float) -> Design:
        drawn = rng.choice(np.array([3, 5, NEVER]), size=n)
        x = rng.normal(size=n) + 0.5 * (drawn != NEVER)
        y = rng.normal(size=n) + 0.3 * (drawn != NEVER) + 0.2 * x * time + 0.5 * size * (time >= drawn)
        return replace(base, y=y, cohort=drawn, covariates=x[:, None])

    found = validated(
        "estimators",
        "callaway-santanna",
        "repeated cross-sections, adoption and trends depend on x",
        variant=f"{est_method}, {comparison}",
        seed=23,
    )
    judge(found, "callaway-santanna", draw, rng, {"panel": False, "est_method": est_method})


def test_etwfe_on_repeated_cross_sections(validated: Recorder) -> None:
    rng = np.random.default_rng(24)
    n, periods = 900, 6
    cohort = np.resize([3, 5, NEVER], n)
    keep = np.zeros((n, periods), dtype=bool)
    keep[np.arange(n), (np.arange(n) // 3) % periods] = True
    base = simulated.make(cohort, periods, keep=keep, comparison="not-yet-treated")
    time = base.periods[base.period]

    def draw(rng: np.random.Generator, size: float) -> Design:
        return replace(base, y=rng.normal(size=n) + 0.3 * (cohort != NEVER) + 0.1 * time + 0.5 * size * (time >= cohort))

    judge(validated("estimators", "etwfe", "repeated cross-sections; one effect for all", seed=24), "etwfe", draw, rng, {})


ANTICIPATING: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "sun-abraham": ("sun-abraham", "never-treated", {}),
    "etwfe": ("etwfe", "not-yet-treated", {}),
    "stacked": ("stacked", "not-yet-treated", {"kappa_pre": 2, "kappa_post": 2}),
    "callaway-santanna": ("callaway-santanna", "never-treated", {}),
    "callaway-santanna, not-yet-treated": ("callaway-santanna", "not-yet-treated", {}),
    "imputation": ("imputation", "not-yet-treated", {}),
    "two-stage": ("two-stage", "not-yet-treated", {}),
}


@pytest.mark.parametrize("name", ANTICIPATING)
def test_anticipation(name: str, validated: Recorder) -> None:
    """Units react in the period before adoption, too, and the design says so."""
    method, comparison, options = ANTICIPATING[name]
    rng = np.random.default_rng(25)
    cohorts = np.repeat([4, 5, 6, NEVER], [40, 40, 40, 80])
    base = simulated.make(cohorts, PERIODS, comparison=comparison, anticipation=1)
    since = simulated.event_time(cohorts, PERIODS)

    def draw(rng: np.random.Generator, size: float) -> Design:
        return simulated.redrawn(base, noise(rng) + size * (0.5 * (since >= 0) + 0.3 * (since == -1)))

    variant = name.removeprefix(method).removeprefix(", ")
    judge(validated("estimators", method, "units react one period early", variant=variant, seed=25), method, draw, rng, options)


WEIGHTED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "sun-abraham": ("never-treated", {}),
    "etwfe": ("not-yet-treated", {}),
    "stacked": ("not-yet-treated", {"kappa_pre": 1, "kappa_post": 2, "share_variance": True}),
    "callaway-santanna": ("never-treated", {}),
    "imputation": ("not-yet-treated", {}),
    "two-stage": ("not-yet-treated", {}),
    "dcdh": ("not-yet-treated", {}),
}


@pytest.mark.parametrize("method", WEIGHTED)
def test_sampling_weights(method: str, validated: Recorder) -> None:
    """A quarter of the population is over-sampled threefold and has effect 1 where the others have 1/3: the mean is 1/2."""
    comparison, options = WEIGHTED[method]
    rng = np.random.default_rng(26)
    base = simulated.make(COHORTS, PERIODS, columns={"w": np.ones(200)}, weight="w", comparison=comparison)
    on = base.treated.reshape(-1, PERIODS)

    def draw(rng: np.random.Generator, size: float) -> Design:
        strong = rng.random(200) < 0.5
        weight = np.repeat(np.where(strong, 1.0, 3.0), PERIODS)
        gain = size * np.where(strong, 1.0, 1 / 3)[:, None] * on
        return replace(simulated.redrawn(base, noise(rng) + gain), weight=weight)

    judge(validated("estimators", method, "sampling weights, effects differ by sampling rate", seed=26), method, draw, rng, options)


CLUSTERED = ("twfe", "event-study", "sun-abraham", "etwfe", "stacked", "callaway-santanna", "imputation", "two-stage", "dcdh", "lp-did")


@pytest.mark.parametrize("method", CLUSTERED)
def test_clusters(method: str, validated: Recorder) -> None:
    """80 provinces of three cities, which adopt together and share shocks by year: clustering by province."""
    rng = np.random.default_rng(27)
    provinces = np.repeat(np.arange(80), 3)
    cohorts = np.repeat([3, 5, 6, NEVER], [16, 16, 16, 32])[provinces]
    comparison = "not-yet-treated" if method in {"etwfe", "stacked", "imputation", "two-stage"} else "never-treated"
    base = simulated.make(
        cohorts, PERIODS, columns={"province": np.array([f"p{i:02d}" for i in provinces])}, cluster="province", comparison=comparison
    )
    on = base.treated.reshape(-1, PERIODS)

    def draw(rng: np.random.Generator, size: float) -> Design:
        shock = simulated.autoregressive(rng, 80, PERIODS, 0.5)[provinces]
        return simulated.redrawn(base, 0.7 * shock + noise(rng, 240) + 0.5 * size * on)

    options = {"kappa_pre": 1, "kappa_post": 2} if method == "stacked" else {}
    judge(validated("estimators", method, "80 clusters of 3 units with common shocks", seed=27), method, draw, rng, options)


@pytest.mark.parametrize("event_study", [False, True])
def test_counts(event_study: bool, validated: Recorder) -> None:
    """Counts with unit effects, frailty that lasts, and an effect of 0.3 log points in every treated row."""
    rng = np.random.default_rng(28)
    base = simulated.make(COHORTS, PERIODS)
    on = base.treated.reshape(-1, PERIODS)
    options = {"event_study": event_study}

    def draw(rng: np.random.Generator, size: float) -> Design:
        frailty = 0.25 * simulated.autoregressive(rng, 200, PERIODS, 0.7)
        mean = np.exp(1 + 0.5 * rng.normal(size=(200, 1)) + 0.1 * np.arange(PERIODS) + frailty + 0.3 * size * on)
        return simulated.redrawn(base, rng.poisson(mean).astype(np.float64))

    found = validated(
        "estimators", "ppml", "counts with lasting frailty, one effect for all", variant="event study" if event_study else "", seed=28
    )
    judge(found, "ppml", draw, rng, options, 0.3)
    if event_study:
        leads = [pretrend_test(fit(draw(rng, 1.0), "ppml", **options)).p_value < 0.05 for _ in range(REPLICATIONS)]
        found.size(leads, "joint test of leads")


def test_logarithm_of_counts(validated: Recorder) -> None:
    """Least squares on ln(1 + y) is not about the proportional effect where counts are small; Poisson is."""
    rng = np.random.default_rng(29)
    base = simulated.make(COHORTS, PERIODS)
    on = base.treated.reshape(-1, PERIODS)
    error = []
    for _ in range(REPLICATIONS):
        mean = np.exp(0.5 * rng.normal(size=(200, 1)) + 0.1 * np.arange(PERIODS) + 0.3 * on)
        y = rng.poisson(mean).astype(np.float64)
        error.append(fit(simulated.redrawn(base, np.log1p(y)), "twfe").estimate[0] - 0.3)
    validated("failures", "twfe", "ln(1 + y) of small counts", seed=29).bias(error, reason="known failure", least=-0.05)
