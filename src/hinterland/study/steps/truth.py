"""What is true in a simulated world, beside the estimates that aim at it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from hinterland.study.plan_mechanism import explained
from hinterland.study.plan_moderation import moderated_by_segmentation
from hinterland.study.schema import Study
from hinterland.study.step import Step, headline_for, methods_for
from hinterland.study.steps.output import Output, output
from hinterland.study.workspace import Workspace

_AIMING = ("callaway-santanna", "sun-abraham", "etwfe", "imputation", "two-stage", "matrix-completion", "sdid")
"""Estimators whose averages are those of the truths, the first that is run being set beside them."""


def truth(work: Workspace, _: Step) -> Output:
    """Truths about the study's outcomes, with the effects id and term of the estimate whose estimand they are.

    They are the truths of the sample that the study's policy rule makes. The estimands are those of Callaway & Sant'Anna (2021):
    the average effect on the treated overall, by event time, cohort and calendar period. ``did/…`` is what a comparison with the
    never treated identifies when neighbours are affected too. A coefficient of twfe or ppml is not an average effect under
    heterogeneity, so no truth is set against it.
    """
    if work.world is None:
        return Output()
    study = work.study
    names = {o.name: methods_for(study, o) for o in study.outcome}
    own = pl.col("outcome").is_in(list(names)) & (pl.col("estimand") != "group-time")
    rows = work.world.truth_for(work.cohorts()).filter(own | (pl.col("outcome") == ""))
    families = "att|did|log-ratio|mediation|parameter" + ("|moderation" if moderated_by_segmentation(study) else "")
    rows = rows.filter(pl.col("parameter").str.contains(f"^({families})/"))
    aims = [_mediated(row, study) or _aim(row, names, study.heterogeneity.groups) for row in rows.iter_rows(named=True)]
    made = rows.with_columns(
        effects_id=pl.Series([a[0] for a in aims], dtype=pl.String), term=pl.Series([a[1] for a in aims], dtype=pl.String)
    )
    return output([("truth", made)])


def _aim(row: Mapping[str, object], methods: Mapping[str, tuple[str, ...]], groups: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Effects id and term of the estimate that aims at this truth, where there is one."""
    outcome, estimand, family = str(row["outcome"]), str(row["estimand"]), str(row["parameter"]).partition("/")[0]
    aiming = next((m for m in _AIMING if m in methods.get(outcome, ())), None)
    if family not in {"att", "did"} or aiming is None:
        return None, None
    head = f"{outcome}/{aiming}"
    match estimand:
        case "overall":
            return f"{head}/overall", None
        case "event-time":
            return f"{head}/event-time", f"event_time={row['event_time']}"
        case "cohort":
            return f"{head}/cohort", f"cohort={row['cohort']}"
        case "calendar":
            return f"{head}/calendar", f"time={row['time']}"
        case "sichuan-chongqing" if "sichuan-chongqing" in groups:
            return f"{head}/overall@sichuan-chongqing", None
        case "elsewhere" if "sichuan-chongqing" in groups:
            return f"{head}/overall@sichuan-chongqing=outside", None
    return None, None


def _mediated(row: Mapping[str, object], study: Study) -> tuple[str, str] | None:
    """The rows of table ``mechanism`` whose share aims at this truth: of the mediator itself, or of its logarithm."""
    outcome, (family, _, estimand) = str(row["outcome"]), str(row["parameter"]).partition("/")
    name = estimand.rpartition("/")[2].removeprefix("share-")
    if family != "mediation" or study.mechanism is None or outcome not in explained(study):
        return None
    mediator = next((m for m in study.mechanism.mediators if m in (name, f"ln_{name}")), None)
    lead = next(headline_for(study, o) for o in study.outcome if o.name == outcome)
    return None if mediator is None or "share-" not in estimand else (f"mechanism/{outcome}/{lead}", f"share/{mediator}")
