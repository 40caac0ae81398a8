"""One function per task and library, each taking the panel as the library wants it and giving (estimate, standard error) of one term."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Answer = tuple[float, float]
Call = Callable[[], Answer]
STATIC = ("x1", "x2", "x3")
MOVING = ("v1", "v2", "v3")
COHORTS = (4, 6, 8, 10, 12, 14)
PERIODS = 15


def simulate(units: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Columns of a balanced panel, unit-major: AR(1) errors, effects that grow with exposure and differ between cohorts, 60 % never treated."""
    rng = np.random.default_rng(seed)
    g = np.where(rng.random(units) < 0.6, 0, rng.choice(COHORTS, units))
    x, v = rng.normal(size=(units, 3)), rng.normal(size=(units * PERIODS, 3))
    t = np.arange(1, PERIODS + 1)
    error = rng.normal(size=(units, PERIODS))
    for j in range(1, PERIODS):
        error[:, j] += 0.5 * error[:, j - 1]
    on = (g[:, None] > 0) & (t >= g[:, None])
    y = rng.normal(size=units)[:, None] + 0.1 * t + (x @ np.array([0.03, 0.02, -0.01]))[:, None] * t + error
    y += on * (0.3 + 0.1 * (t - g[:, None]) + 0.02 * g[:, None]) + (v @ np.array([0.3, -0.2, 0.1])).reshape(units, PERIODS)
    unit = np.repeat(np.arange(units), PERIODS)
    columns = {"unit": unit, "year": np.tile(t, units), "y": y.ravel(), "g": np.repeat(g, PERIODS), "d": on.ravel().astype(float)}
    columns |= {"state": unit % 50, "rel": np.where(np.repeat(g, PERIODS) > 0, np.tile(t, units) - np.repeat(g, PERIODS), -1)}
    columns |= {n: np.repeat(x[:, j], PERIODS) for j, n in enumerate(STATIC)}
    return columns | {n: v[:, j] for j, n in enumerate(MOVING)}


def _frame(columns: dict[str, np.ndarray]) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)


def ours(task: str, columns: dict[str, np.ndarray], *, whole: bool) -> Call:
    """Ours; ``whole`` counts reading and checking the frame and the cohorts, which a study does once for many fits."""
    import polars as pl

    import hinterland as hl
    from hinterland.evaluate.estimate import find_method

    frame = pl.DataFrame(columns)
    method, options, aggregation = OURS[task]
    find_method(method)

    def read() -> tuple[Any, Any]:
        panel = hl.read_panel(frame, unit="unit", time="year")
        return panel, hl.adoption(panel, "g", never=(0, None))

    panel, policy = read()

    def call() -> Answer:
        given = read() if whole else (panel, policy)
        effects = hl.estimate(given[0], "y", given[1], method, **options)
        if aggregation and effects.aggregation == "group-time":
            effects = effects.aggregate(aggregation)
        if task == "callaway-santanna + 999 draws":
            effects = effects.with_band(draws=999, seed=1)
        at = int(np.flatnonzero(effects.terms.event_time == 0)[0]) if aggregation == "event-time" else 0
        return float(effects.estimate[at]), float(effects.std_error[at])

    return call


OURS: dict[str, tuple[str, dict[str, Any], str]] = {
    "twfe": ("twfe", {}, ""),
    "twfe, 2 covariates": ("twfe", {"covariates": list(MOVING[:2])}, ""),
    "event study": ("event-study", {}, "event-time"),
    "callaway-santanna": ("callaway-santanna", {"covariates": list(STATIC)}, "event-time"),
    "callaway-santanna + 999 draws": ("callaway-santanna", {"covariates": list(STATIC)}, "event-time"),
    "sun-abraham": ("sun-abraham", {"covariates": list(MOVING)}, "event-time"),
    "imputation": ("imputation", {"covariates": list(MOVING)}, "overall"),
    "two-stage": ("two-stage", {"covariates": list(MOVING)}, "overall"),
    "dcdh": ("dcdh", {"effects": 5}, "event-time"),
    "sdid": ("sdid", {}, "overall"),
    "etwfe": ("etwfe", {"comparison": "not-yet-treated"}, "overall"),
    "stacked": ("stacked", {"kappa_pre": 3, "kappa_post": 3}, "event-time"),
    "lp-did": ("lp-did", {}, "event-time"),
}


def _pyfixest(task: str, columns: dict[str, np.ndarray]) -> Call:
    import pyfixest as pf

    frame = _frame(columns)
    formulas = {
        "twfe": ("y ~ d | unit + year", "d"),
        "twfe, 2 covariates": ("y ~ d + v1 + v2 | unit + year", "d"),
        "event study": ("y ~ i(rel, ref=-1) | unit + year", "0"),
    }
    if task == "sun-abraham":

        def saturated() -> Answer:
            fit = pf.event_study(
                frame, yname="y", idname="unit", tname="year", gname="g", estimator="saturated", cluster="unit", xfml="+".join(MOVING)
            )
            row = fit.aggregate(weighting="shares")
            found = row.loc[[i for i in row.index if str(i).rstrip(".0") in {"", "0"}]].iloc[0]
            return float(found["Estimate"]), float(found["Std. Error"])

        return saturated
    if task == "two-stage":

        def two_stage() -> Answer:
            first = " + ".join(MOVING)
            fit = pf.did2s(
                frame, yname="y", first_stage=f"~ {first} | unit + year", second_stage="~ i(d, ref=0.0)", treatment="d", cluster="unit"
            )
            return float(fit.coef().iloc[0]), float(fit.se().iloc[0])

        return two_stage
    formula, term = formulas[task]

    def call() -> Answer:
        fit = pf.feols(formula, frame, vcov={"CRV1": "unit"})
        name = next(
            n for n in fit.coef().index if n == term or f"[{term}]" in n or f"::{term}" in n or f"[T.{term}]" in n or f"[{term}.0]" in n
        )
        return float(fit.coef()[name]), float(fit.se()[name])

    return call


def _linearmodels(task: str, columns: dict[str, np.ndarray]) -> Call:
    from linearmodels.panel import PanelOLS

    frame = _frame(columns).set_index(["unit", "year"])
    names = ["d", *(MOVING[:2] if "covariates" in task else ())]

    def call() -> Answer:
        fit = PanelOLS(frame["y"], frame[names], entity_effects=True, time_effects=True).fit(cov_type="clustered", cluster_entity=True)
        return float(fit.params["d"]), float(fit.std_errors["d"])

    return call


def _diff_diff(task: str, columns: dict[str, np.ndarray]) -> Call:
    import diff_diff as dd

    frame = _frame(columns)
    roles = {"outcome": "y", "unit": "unit", "time": "year"}
    dated = {**roles, "first_treat": "g"}

    def at_zero(result: Any) -> Answer:
        if not hasattr(result, "aggregate"):
            row = result.event_study_effects[0]
            return float(row["effect"]), float(row["se"])
        table = result.aggregate("event_study")
        at = int(np.flatnonzero(np.asarray(table.event_time) == 0)[0])
        return float(table.att[at]), float(table.se[at])

    def overall(result: Any) -> Answer:
        return float(result.overall_att), float(result.overall_se)

    moving, static = list(MOVING), list(STATIC)
    calls: dict[str, Call] = {
        "callaway-santanna": lambda: at_zero(dd.CallawaySantAnna(cband=False).fit(frame, **dated, covariates=static)),
        "callaway-santanna + 999 draws": lambda: at_zero(
            dd.CallawaySantAnna(n_bootstrap=999, seed=1).fit(frame, **dated, covariates=static)
        ),
        "sun-abraham": lambda: at_zero(dd.SunAbraham(cluster="unit").fit(frame, **dated, covariates=moving)),
        "imputation": lambda: overall(dd.ImputationDiD().fit(frame, **dated, covariates=moving)),
        "two-stage": lambda: overall(dd.TwoStageDiD().fit(frame, **dated, covariates=moving)),
        "stacked": lambda: at_zero(dd.StackedDiD(kappa_pre=3, kappa_post=3).fit(frame, **dated)),
        "etwfe": lambda: overall(dd.WooldridgeDiD(control_group="not_yet_treated").fit(frame, **dated)),
    }
    return calls[task]


def _statspai(task: str, columns: dict[str, np.ndarray]) -> Call:
    import statspai as sp

    frame = _frame(columns)
    short = {"y": "y", "g": "g", "t": "year", "i": "unit"}
    long = {"y": "y", "group": "unit", "time": "year", "first_treat": "g"}
    moving, static = list(MOVING), list(STATIC)

    def one(result: Any) -> Answer:
        return float(result.estimate), float(result.se)

    def at_zero(result: Any) -> Answer:
        table = result.model_info["event_study"]
        row = table[table["relative_time"] == 0].iloc[0]
        return float(row["att"]), float(row["se"])

    def regress(formula: str) -> Answer:
        fit = sp.hdfe_ols(formula, frame, cluster="unit")
        return float(fit.params["d"]), float(fit.std_errors["d"])

    dated = frame.assign(g=frame["g"].where(frame["g"] > 0)) if task in {"imputation", "two-stage"} else frame
    treated = {"outcome": "y", "unit": "unit", "time": "year", "treat": "d"}
    calls: dict[str, Call] = {
        "twfe": lambda: regress("y ~ d | unit + year"),
        "twfe, 2 covariates": lambda: regress("y ~ d + v1 + v2 | unit + year"),
        "callaway-santanna": lambda: at_zero(sp.callaway_santanna(frame, **short, x=static)),
        "callaway-santanna + 999 draws": lambda: at_zero(
            sp.callaway_santanna(frame, **short, x=static, bstrap=True, biters=999, cband=True, random_state=1)
        ),
        "sun-abraham": lambda: at_zero(sp.sun_abraham(frame, **short, covariates=moving)),
        "imputation": lambda: one(sp.did_imputation(dated, **long, controls=moving)),
        "two-stage": lambda: one(sp.gardner_did(dated, **long, controls=moving)),
        "dcdh": lambda: at_zero(
            sp.did_multiplegt_dyn(frame, y="y", group="unit", time="year", treatment="d", dynamic=4, se_method="analytic")
        ),
        "sdid": lambda: one(sp.sdid(frame, **treated, se_method="jackknife")),
        "etwfe": lambda: one(sp.etwfe(frame, **long)),
        "stacked": lambda: at_zero(sp.stacked_did(frame, **long, window=(-3, 3))),
    }
    return calls[task]


PEERS: dict[str, tuple[str, Callable[[str, dict[str, np.ndarray]], Call], tuple[str, ...]]] = {
    "pyfixest": ("pyfixest", _pyfixest, ("twfe", "twfe, 2 covariates", "event study", "sun-abraham", "two-stage")),
    "linearmodels": ("linearmodels", _linearmodels, ("twfe", "twfe, 2 covariates")),
    "diff-diff": (
        "diff_diff",
        _diff_diff,
        ("callaway-santanna", "callaway-santanna + 999 draws", "sun-abraham", "imputation", "two-stage", "etwfe", "stacked"),
    ),
    "StatsPAI": (
        "statspai",
        _statspai,
        (
            "twfe",
            "twfe, 2 covariates",
            "callaway-santanna",
            "callaway-santanna + 999 draws",
            "sun-abraham",
            "imputation",
            "two-stage",
            "dcdh",
            "sdid",
            "etwfe",
            "stacked",
        ),
    ),
}


def contender(name: str, task: str, columns: dict[str, np.ndarray]) -> Call:
    """The call of one library; warnings of other libraries about their own future are not ours to print."""
    warnings.simplefilter("ignore")
    if name.startswith("hinterland"):
        return ours(task, columns, whole="frame" in name)
    return PEERS[name][1](task, columns)
