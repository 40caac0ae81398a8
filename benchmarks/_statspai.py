"""StatsPAI's calls, which has most estimators: from columns to a call that ends in (estimate, standard error) of one term."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _ours import DRAWS, Answer, Call
from _peers import Peer
from _world import LEADS, MOVING, STATIC, Columns, event_study

SHORT = {"y": "y", "g": "g", "t": "year", "i": "unit"}
LONG = {"y": "y", "group": "unit", "time": "year", "first_treat": "g"}
TREATED = {"outcome": "y", "unit": "unit", "time": "year", "treat": "d"}
NEVER_MISSING, NEVER_INFINITE = np.nan, np.inf


def _call(name: str, read: Callable[[Any], Answer], never: float | None = None, **options: Any) -> Callable[[Columns], Call]:
    """A call of the function ``name``; ``never``: how it wants the dates of units never treated, where not as 0."""

    def make(columns: Columns) -> Call:
        import statspai

        function, frame = getattr(statspai, name), pd.DataFrame(columns)
        if never is not None:
            frame["g"] = frame["g"].where(frame["g"] > 0, never)
        return lambda: read(function(frame, **options))

    return make


def _one(result: Any) -> Answer:
    return float(result.estimate), float(result.se)


def _at_zero(result: Any) -> Answer:
    table = result.model_info["event_study"]
    row = table[table["relative_time"] == 0].iloc[0]
    return float(row["att"]), float(row["se"])


def _switch(result: Any) -> Answer:
    row = result.detail.iloc[0]
    return float(row["delta_l"]), float(row["se"])


def _coefficient(name: str, formula: str, term: str) -> Callable[[Columns], Call]:
    def make(columns: Columns) -> Call:
        import statspai

        function, frame = getattr(statspai, name), pd.DataFrame(columns)
        clustered: dict[str, Any] = {"vcov": {"CRV1": "unit"}} if name == "fepois" else {"cluster": "unit"}

        def call() -> Answer:
            fit = function(formula, frame, **clustered)
            return float(fit.params[term]), float(fit.std_errors[term])

        return call

    return make


def _wild(columns: Columns) -> Call:
    import statspai

    frame = pd.DataFrame(columns)

    def call() -> Answer:
        fit = statspai.feols("y ~ d + v1 + v2 | unit + year", data=frame, cluster="state")
        found = statspai.wild_cluster_boot(fit, frame, cluster="state", variable="d", n_boot=DRAWS["wild"], seed=1)
        return float(found["t_stat"]), float(found["p_boot"])

    return call


def _sensitivity(_: Columns) -> Call:
    from statspai.did.honest_did import honest_did_from_moments

    estimates, vcov = event_study()

    def call() -> Answer:
        found = honest_did_from_moments(estimates, vcov, num_pre_periods=LEADS, method="relative_magnitude", m_grid=[1.0])
        return float(found["ci_lower"].iloc[0]), float(found["ci_upper"].iloc[0])

    return call


BAND = {"bstrap": True, "biters": DRAWS["band"], "cband": True, "random_state": 1}
DCDH = {"y": "y", "group": "unit", "time": "year", "treatment": "d"}
STATSPAI = Peer(
    "statspai",
    {
        "twfe": _coefficient("hdfe_ols", "y ~ d | unit + year", "d"),
        "twfe, 2 covariates": _coefficient("hdfe_ols", "y ~ d + v1 + v2 | unit + year", "d"),
        "event study": _coefficient("feols", "y ~ i(rel, ref=-1) | unit + year", "rel::0"),
        "ppml": _coefficient("fepois", "count ~ d | unit + year", "d"),
        "callaway-santanna": _call("callaway_santanna", _at_zero, **SHORT, x=list(STATIC)),
        "callaway-santanna + 999 draws": _call("callaway_santanna", _at_zero, **SHORT, x=list(STATIC), **BAND),
        "sun-abraham": _call("sun_abraham", _at_zero, **SHORT, covariates=list(MOVING)),
        "imputation": _call("did_imputation", _one, NEVER_MISSING, **LONG, controls=list(MOVING)),
        "two-stage": _call("gardner_did", _one, NEVER_MISSING, **LONG, controls=list(MOVING)),
        "dcdh": _call("did_multiplegt_dyn", _switch, **DCDH, dynamic=4, se_method="analytic", aggregation="switchers"),
        "sdid": _call("sdid", _one, **TREATED, se_method="jackknife"),
        "etwfe": _call("etwfe", _one, **LONG),
        "stacked": _call("stacked_did", _at_zero, **LONG, window=(-3, 3)),
        "lp-did": _call("lp_did", _at_zero, y="y", unit="unit", time="year", treatment="d", horizons=(-13, 11)),
        "efficient": _call("staggered_rollout", _one, NEVER_INFINITE, **SHORT, estimand="simple"),
        "matrix-completion": _call("mc_panel", _one, y="y", unit="unit", time="year", treat="d"),
        "bacon": _call("bacon_decomposition", lambda r: (float(r["beta_twfe"]), float("nan")), y="y", treat="d", time="year", id="unit"),
        "wild bootstrap": _wild,
        "sensitivity": _sensitivity,
    },
    {},
)
