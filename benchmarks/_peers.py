"""Peers' calls: each takes the columns and gives a call that ends in (estimate, standard error) of one term."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _ours import DRAWS, Answer, Call
from _world import MOVING, STATIC, Columns

ROLES = {"outcome": "y", "unit": "unit", "time": "year"}
DATED = {**ROLES, "first_treat": "g"}


@dataclass(frozen=True)
class Peer:
    """``module`` to be imported; ``calls``: by task, from columns to a call; ``times``: by task, how many such calls the task takes."""

    module: str
    calls: dict[str, Callable[[Columns], Call]]
    times: dict[str, int]


def _frame(columns: Columns) -> Any:
    import pandas as pd

    return pd.DataFrame(columns)


def _at_zero(table: Any, event: str, estimate: str, error: str) -> Answer:
    row = table[np.asarray(table[event]) == 0].iloc[0]
    return float(row[estimate]), float(row[error])


def _term(fit: Any, *names: str) -> Answer:
    """The coefficient that is called one of ``names``."""
    values, errors = fit.coef(), fit.se()
    name = next(n for n in values.index if n in names)
    return float(values[name]), float(errors[name])


def _feols(formula: str, *names: str) -> Callable[[Columns], Call]:
    def make(columns: Columns) -> Call:
        import pyfixest as pf

        frame, fit = _frame(columns), pf.fepois if formula.startswith("count") else pf.feols
        return lambda: _term(fit(formula, frame, vcov={"CRV1": "unit"}), *names)

    return make


def _pyfixest_saturated(columns: Columns) -> Call:
    import pyfixest as pf

    frame, roles = _frame(columns), {"yname": "y", "idname": "unit", "tname": "year", "gname": "g"}

    def call() -> Answer:
        fit = pf.event_study(frame, **roles, estimator="saturated", cluster="unit", xfml="+".join(MOVING))
        table = fit.aggregate(weighting="shares")
        row = table.loc[[i for i in table.index if float(i) == 0]].iloc[0]
        return float(row["Estimate"]), float(row["Std. Error"])

    return call


def _pyfixest_two_stage(columns: Columns) -> Call:
    import pyfixest as pf

    frame, first = _frame(columns), f"~ {' + '.join(MOVING)} | unit + year"

    def call() -> Answer:
        fit = pf.did2s(frame, yname="y", first_stage=first, second_stage="~ i(d, ref=0.0)", treatment="d", cluster="unit")
        return float(fit.coef().iloc[0]), float(fit.se().iloc[0])

    return call


def _pyfixest_placebo(columns: Columns) -> Call:
    """One draw of the loop."""
    import pyfixest as pf

    frame, first = _frame(columns), columns["g"][columns["year"] == columns["year"][0]]
    rng = np.random.default_rng(1)

    def call() -> Answer:
        shuffled = rng.permutation(first)[columns["unit"]]
        frame["d"] = ((shuffled > 0) & (columns["year"] >= shuffled)).astype(float)
        return _term(pf.feols("y ~ d | unit + year", frame, vcov={"CRV1": "unit"}), "d")

    return call


def _linearmodels(*names: str) -> Callable[[Columns], Call]:
    def make(columns: Columns) -> Call:
        from linearmodels.panel import PanelOLS

        frame = _frame(columns).set_index(["unit", "year"])

        def call() -> Answer:
            model = PanelOLS(frame["y"], frame[list(names)], entity_effects=True, time_effects=True)
            fit = model.fit(cov_type="clustered", cluster_entity=True)
            return float(fit.params["d"]), float(fit.std_errors["d"])

        return call

    return make


def _diff_diff(model: str, read: Callable[[Any], Answer], given: dict[str, Any], **options: Any) -> Callable[[Columns], Call]:
    """A call of diff-diff's ``model`` with ``options``, fitted with the roles ``given``."""

    def make(columns: Columns) -> Call:
        import diff_diff

        frame, class_ = _frame(columns), getattr(diff_diff, model)
        return lambda: read(class_(**options).fit(frame, **given))

    return make


def _dd_event(result: Any) -> Answer:
    if hasattr(result, "aggregate"):
        table = result.aggregate("event_study")
        at = int(np.flatnonzero(np.asarray(table.event_time) == 0)[0])
        return float(table.att[at]), float(table.se[at])
    row = result.event_study_effects[0]
    return float(row["effect"]), float(row["se"])


def _dd_first(result: Any) -> Answer:
    row = result.event_study_effects[1]
    return float(row["effect"]), float(row["se"])


def _dd_overall(result: Any) -> Answer:
    return float(result.overall_att), float(result.overall_se)


def _moderndid_callaway(draws: int) -> Callable[[Columns], Call]:
    def make(columns: Columns) -> Call:
        import moderndid

        frame, names = _frame(columns), {"yname": "y", "tname": "year", "idname": "unit", "gname": "g", "xformla": "~ x1 + x2 + x3"}
        options: dict[str, Any] = {"boot": bool(draws), "cband": bool(draws)}
        options |= {"biters": draws, "random_state": 1} if draws else {}

        def call() -> Answer:
            result = moderndid.aggte(moderndid.att_gt(frame, **names, **options), type="dynamic")
            at = int(np.flatnonzero(np.asarray(result.event_times) == 0)[0])
            return float(result.att_by_event[at]), float(result.se_by_event[at])

        return call

    return make


def _moderndid_triple(columns: Columns) -> Call:
    import moderndid

    frame = _frame(columns)
    names = {"yname": "y", "tname": "year", "idname": "unit", "gname": "g", "pname": "eligible", "xformla": "~ x1 + x2 + x3"}

    def call() -> Answer:
        made = moderndid.ddd(frame, **names, control_group="notyettreated", base_period="varying", est_method="dr")
        result = moderndid.agg_ddd(made, type="eventstudy", boot=False, cband=False)
        at = int(np.flatnonzero(np.asarray(result.egt) == 0)[0])
        return float(result.att_egt[at]), float(result.se_egt[at])

    return call


def _moderndid_dcdh(columns: Columns) -> Call:
    import moderndid

    frame = _frame(columns)

    def call() -> Answer:
        result = moderndid.did_multiplegt(frame, yname="y", idname="unit", tname="year", dname="d", effects=5, placebo=0)
        return float(result.effects.estimates[0]), float(result.effects.std_errors[0])

    return call


def _csdid(draws: int) -> Callable[[Columns], Call]:
    def make(columns: Columns) -> Call:
        from csdid.att_gt import ATTgt

        frame, names = _frame(columns), {"yname": "y", "gname": "g", "idname": "unit", "tname": "year", "xformla": "y~x1+x2+x3"}

        def call() -> Answer:
            with contextlib.redirect_stdout(io.StringIO()):
                made = ATTgt(**names, data=frame, control_group=["nevertreated"], biters=draws or 1000, cband=bool(draws))
                model = made.fit(est_method="dr", bstrap=bool(draws))
                model.aggte(typec="dynamic", bstrap=bool(draws), cband=bool(draws))
            at = int(np.flatnonzero(np.asarray(model.atte["egt"]) == 0)[0])
            return float(model.atte["att_egt"][at]), float(np.ravel(model.atte["se_egt"])[at])

        return call

    return make


def _differences(columns: Columns) -> Call:
    from differences import ATTgt

    frame = _frame(columns)
    frame = frame.assign(g=frame["g"].where(frame["g"] > 0)).set_index(["unit", "year"])

    def call() -> Answer:
        model = ATTgt(data=frame, cohort_column="g")
        model.fit("y ~ x1 + x2 + x3", est_method="dr", control_group="never_treated", progress_bar=False)
        row = model.aggregate("event").loc[0]
        return float(row.iloc[0]), float(row.iloc[1])

    return call


def _synthdid(columns: Columns) -> Call:
    import synthdid

    frame = _frame(columns)

    def call() -> Answer:
        result = synthdid.staggered_synthdid_estimate(frame, unit="unit", time="year", outcome="y", treatment="d")
        return float(result.att), float(result.se("jackknife"))

    return call


def _wildboottest(columns: Columns) -> Call:
    import pyfixest as pf

    frame = _frame(columns)

    def call() -> Answer:
        fit = pf.feols("y ~ d + v1 + v2 | unit + year", frame, vcov={"CRV1": "state"})
        found = fit.wildboottest(param="d", reps=DRAWS["wild"], seed=1)
        return float(found["t value"]), float(found["Pr(>|t|)"])

    return call


def _multiplegt(columns: Columns) -> Call:
    import polars as pl
    from did_multiplegt_dyn.did_multiplegt_main import did_multiplegt_main

    frame, names = pl.DataFrame(columns), {"outcome": "y", "group": "unit", "time": "year", "treatment": "d"}

    def call() -> Answer:
        with contextlib.redirect_stdout(io.StringIO()):
            result = did_multiplegt_main(df=frame, **names, effects=5, placebo=0, switchers="")
        row = result["did_multiplegt_dyn"]["Effects"].to_numpy()[0]
        return float(row[0]), float(row[1])

    return call


EVENT = ("C(rel, contr.treatment(base=-1))[T.0]", "C(rel, contr.treatment(base=-1))[0]", "rel::0", "C(rel)[T.0]")
PYFIXEST: dict[str, Callable[[Columns], Call]] = {
    "twfe": _feols("y ~ d | unit + year", "d"),
    "twfe, 2 covariates": _feols("y ~ d + v1 + v2 | unit + year", "d"),
    "event study": _feols("y ~ i(rel, ref=-1) | unit + year", *EVENT),
    "ppml": _feols("count ~ d | unit + year", "d"),
    "sun-abraham": _pyfixest_saturated,
    "two-stage": _pyfixest_two_stage,
    "placebo": _pyfixest_placebo,
}
EVENT_STUDY = {**DATED, "covariates": list(MOVING)}
DIFF_DIFF: dict[str, Callable[[Columns], Call]] = {
    "callaway-santanna": _diff_diff("CallawaySantAnna", _dd_event, {**DATED, "covariates": list(STATIC)}, cband=False),
    "callaway-santanna + 999 draws": _diff_diff(
        "CallawaySantAnna", _dd_event, {**DATED, "covariates": list(STATIC)}, n_bootstrap=DRAWS["band"], seed=1
    ),
    "sun-abraham": _diff_diff("SunAbraham", _dd_event, EVENT_STUDY, cluster="unit"),
    "imputation": _diff_diff("ImputationDiD", _dd_overall, EVENT_STUDY),
    "two-stage": _diff_diff("TwoStageDiD", _dd_overall, EVENT_STUDY),
    "dcdh": _diff_diff("ChaisemartinDHaultfoeuille", _dd_first, {**ROLES, "treatment": "d", "L_max": 5}, placebo=False),
    "stacked": _diff_diff("StackedDiD", _dd_event, DATED, kappa_pre=3, kappa_post=3),
    "etwfe": _diff_diff("WooldridgeDiD", _dd_overall, DATED, control_group="not_yet_treated"),
    "lp-did": _diff_diff(
        "LPDiD",
        lambda r: _at_zero(r.event_study, "horizon", "coefficient", "se"),
        {**ROLES, "treatment": "d", "only_event": True},
        pre_window=13,
        post_window=11,
        cluster="unit",
    ),
    "dose": _diff_diff("ContinuousDiD", _dd_overall, {**DATED, "dose": "dose"}),
    "triple": _diff_diff(
        "StaggeredTripleDifference",
        _dd_event,
        {**DATED, "eligibility": "eligible", "covariates": list(STATIC), "aggregate": "event_study"},
        estimation_method="dr",
        control_group="notyettreated",
    ),
    "spillover": _diff_diff(
        "SpilloverDiD", lambda r: (float(r.att), float(r.se)), DATED, rings=[0, 20, 40], conley_coords=("lat", "lon"), cluster="unit"
    ),
    "bacon": _diff_diff("BaconDecomposition", lambda r: (float(r.twfe_estimate), float("nan")), DATED),
}
PEERS: dict[str, Peer] = {
    "pyfixest": Peer("pyfixest", PYFIXEST, {"placebo": DRAWS["placebo"]}),
    "pyfixest + wildboottest": Peer("wildboottest", {"wild bootstrap": _wildboottest}, {}),
    "linearmodels": Peer("linearmodels", {"twfe": _linearmodels("d"), "twfe, 2 covariates": _linearmodels("d", *MOVING[:2])}, {}),
    "diff-diff": Peer("diff_diff", DIFF_DIFF, {}),
    "moderndid": Peer(
        "moderndid",
        {
            "callaway-santanna": _moderndid_callaway(0),
            "callaway-santanna + 999 draws": _moderndid_callaway(DRAWS["band"]),
            "triple": _moderndid_triple,
            "dcdh": _moderndid_dcdh,
        },
        {},
    ),
    "csdid": Peer("csdid", {"callaway-santanna": _csdid(0), "callaway-santanna + 999 draws": _csdid(DRAWS["band"])}, {}),
    "differences": Peer("differences", {"callaway-santanna": _differences}, {}),
    "py-did-multiplegt-dyn": Peer("did_multiplegt_dyn", {"dcdh": _multiplegt}, {}),
    "synthdid-py": Peer("synthdid", {"sdid": _synthdid}, {}),
}
