"""Our call of every task: on a panel that has been read, as in a study where one panel serves many fits, or from the raw frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _world import LAGS, LEADS, MOVING, STATIC, Columns, event_study

Answer = tuple[float, float]
"""An estimate and its standard error; for a test, its statistic and p-value; for an interval, its ends."""
Call = Callable[[], Answer]
DRAWS = {"band": 999, "wild": 9999, "placebo": 1000}


@dataclass(frozen=True)
class Task:
    """One thing to be computed.

    ``columns`` beside unit, year, y and g;  ``method``, ``options`` and ``average`` of ours, where it is an estimator;  ``linear``: its
    cost is shown up to a million units;  ``units``: sizes, where they are not the usual ones.
    """

    columns: tuple[str, ...] = ()
    method: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    average: str = ""
    linear: bool = True
    units: tuple[int, ...] = ()


TASKS: dict[str, Task] = {
    "twfe": Task(("d",), "twfe"),
    "twfe, 2 covariates": Task(("d", *MOVING[:2]), "twfe", {"covariates": list(MOVING[:2])}),
    "event study": Task(("rel",), "event-study", average="event-time"),
    "callaway-santanna": Task(STATIC, "callaway-santanna", {"covariates": list(STATIC)}, "event-time"),
    "callaway-santanna + 999 draws": Task(STATIC, "callaway-santanna", {"covariates": list(STATIC)}, "event-time"),
    "sun-abraham": Task(MOVING, "sun-abraham", {"covariates": list(MOVING)}, "event-time"),
    "imputation": Task(("d", *MOVING), "imputation", {"covariates": list(MOVING)}, "overall"),
    "two-stage": Task(("d", *MOVING), "two-stage", {"covariates": list(MOVING)}, "overall"),
    "dcdh": Task(("d",), "dcdh", {"effects": 5}, "event-time"),
    "sdid": Task(("d",), "sdid", {}, "overall"),
    "etwfe": Task((), "etwfe", {"comparison": "not-yet-treated"}, "overall"),
    "stacked": Task((), "stacked", {"kappa_pre": 3, "kappa_post": 3}, "event-time"),
    "lp-did": Task(("d",), "lp-did", {}, "event-time"),
    "efficient": Task((), "efficient", {"estimand": "overall"}),
    "ppml": Task(("d", "count"), "ppml"),
    "dose": Task(("dose",), "dose", {"dose": "dose", "target": "both"}),
    "triple": Task(
        (*STATIC, "eligible"),
        "triple",
        {"partition": "eligible", "covariates": list(STATIC), "comparison": "not-yet-treated"},
        "event-time",
    ),
    "spillover": Task(("lon", "lat"), "spillover", {"rings": (20.0, 40.0)}),
    "matrix-completion": Task(("d",), "matrix-completion", {}, "overall", linear=False),
    "bacon": Task(("d",), linear=False),
    "wild bootstrap": Task(("d", "state", *MOVING[:2]), linear=False),
    "placebo": Task(("d",), linear=False, units=(293, 5_000, 50_000)),
    "sensitivity": Task(linear=False, units=(1,)),
}


def columns_of(task: str, every: Columns) -> Columns:
    """The columns that a task needs."""
    return {name: every[name] for name in ("unit", "year", "y", "g", *TASKS[task].columns)}


def ours(task: str, columns: Columns, *, whole: bool) -> Call:
    """Our call; ``whole`` counts reading and checking the frame and the cohorts."""
    if task == "sensitivity":
        return _sensitivity()
    import polars as pl

    import hinterland as hl

    frame = pl.DataFrame(columns)
    places = ("lon", "lat") if "lon" in columns else None

    def read() -> tuple[Any, Any]:
        panel = hl.read_panel(frame, unit="unit", time="year", coordinates=places)
        return panel, hl.adoption(panel, "g", never=(0,))

    ready = read()
    compute = {"bacon": _bacon, "wild bootstrap": _wild, "placebo": _placebo}.get(task) or _estimator(task)
    return lambda: compute(*(read() if whole else ready))


def _estimator(task: str) -> Callable[[Any, Any], Answer]:
    import hinterland as hl

    made = TASKS[task]

    def call(panel: Any, policy: Any) -> Answer:
        effects = hl.estimate(panel, "count" if task == "ppml" else "y", policy, made.method, **made.options)
        if made.average and effects.aggregation == "group-time":
            effects = effects.aggregate(made.average)
        if "draws" in task:
            effects = effects.with_band(draws=DRAWS["band"], seed=1)
        at = int(np.flatnonzero(effects.terms.event_time == 0)[0]) if made.average == "event-time" else 0
        return float(effects.estimate[at]), float(effects.std_error[at])

    return call


def _bacon(panel: Any, policy: Any) -> Answer:
    from hinterland.evaluate.bacon import bacon
    from hinterland.evaluate.design import make_design

    return float(bacon(make_design(panel, "y", policy)).estimate), float("nan")


def _wild(panel: Any, policy: Any) -> Answer:
    """With the interval, by inversion."""
    from hinterland.evaluate.design import make_design
    from hinterland.evaluate.wild import wild_bootstrap

    found = wild_bootstrap(make_design(panel, "y", policy, covariates=list(MOVING[:2]), cluster="state"), draws=DRAWS["wild"])
    return float(found.statistic[0]), float(found.p_value[0])


def _placebo(panel: Any, policy: Any) -> Answer:
    import hinterland as hl

    found = hl.placebo(panel, "y", policy, "twfe", draws=DRAWS["placebo"])
    return float(found.estimate), float(found.std_error)


def _sensitivity() -> Call:
    from hinterland.evaluate.honest.intervals import interval, make_problem
    from hinterland.evaluate.honest.restrictions import Shape

    estimates, vcov = event_study()

    def call() -> Answer:
        shape = Shape("relative-magnitude", LEADS, LAGS)
        problem = make_problem(estimates, vcov, np.eye(LAGS)[0], shape, "c-lf", level=0.95, draws=10_000, seed=0)
        found = interval(problem, 1.0)
        return float(found.low), float(found.high)

    return call
