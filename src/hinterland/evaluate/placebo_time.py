"""Placebo in time: adoption moved to earlier periods, estimated on observations from before the true adoption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, fail_if_any
from hinterland.evaluate.design import Design, switching
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.paths import adoption_index
from hinterland.evaluate.placebo import SHIFTS_SCHEMA, Placebo, no_draws
from hinterland.evaluate.randomisation_loop import target
from hinterland.evaluate.result import Effects
from hinterland.labels import Note


def placebo_time(
    design: Design, method: str = "twfe", *, shifts: Sequence[int] = (2, 3), options: Mapping[str, Any] | None = None
) -> Placebo:
    """Estimate ``method`` (with its ``options``) with adoption moved ``k`` periods forward, for each k of ``shifts``.

    Treated units enter with their rows before the true adoption (and before the anticipation of it) only: ``callaway-santanna`` averages
    the cells between moved and true adoption, which use no later row; every other estimator is given the earlier rows alone. Units
    without a row before the moved adoption are left out and counted.

    Raises:
        EstimationError: a shift that is not larger than the anticipation, or after which nobody is treated; a method that has no one number,
            or is not defined on the rows that are left (a panel with gaps, since later rows are).
    """
    fail_if_any(switching(design, "the placebo in time"), "placebo", EstimationError)
    chosen = options or {}
    actual = _overall(fit(design, method, **chosen), method, None)
    rows, notes = [], []
    for shift in sorted(set(shifts)):
        moved, left_out, last = _moved(design, method, shift)
        effects = _overall(fit(moved, method, **chosen), method, last)
        rows.append(
            (shift, float(effects.estimate[0]), float(effects.std_error[0]), float(effects.p_value[0]), moved.n_obs, moved.n_treated)
        )
        if left_out:
            notes.append(Note("placebo-time-left-out", {"shift": shift, "count": left_out}))
    table = pl.DataFrame(rows, schema=SHIFTS_SCHEMA, orient="row")
    rejected = int((table["p_value"] < 0.05).sum())
    notes.append(Note("placebo-time", {"shifts": ", ".join(str(r[0]) for r in rows), "rejected": rejected, "total": len(rows)}))
    return Placebo(
        method=method,
        outcome=design.outcome,
        kind="time",
        estimate=float(actual.estimate[0]),
        std_error=float(actual.std_error[0]),
        p_value=float(actual.p_value[0]),
        draws=no_draws(float(actual.estimate[0]), float(actual.std_error[0])),
        shifts=table,
        p_exact=float("nan"),
        p_exact_statistic=float("nan"),
        notes=(*actual.notes, *notes),
        meta={"shifts": [int(r[0]) for r in rows], "comparison": design.comparison, "cluster": " + ".join(c.name for c in design.clusters)},
    )


def _overall(effects: Effects, method: str, last: int | None) -> Effects:
    if method == "callaway-santanna":
        return effects.aggregate("overall", max_e=last)
    return target(effects, None)


def _moved(design: Design, method: str, shift: int) -> tuple[Design, int, int]:
    """The design with adoption ``shift`` periods earlier, how many treated units could not be moved, and the last event time
    (since the moved adoption) that comes before every true adoption and its anticipation.
    """
    if shift <= design.anticipation:
        raise EstimationError(
            Finding(
                "shift-within-anticipation",
                f"a shift of {shift} does not reach beyond the anticipation of {design.anticipation} period(s)",
                "argument shifts",
                f"shift by {design.anticipation + 1} or more",
            ),
            "placebo",
        )
    true = adoption_index(design)
    treated = true < design.n_periods
    early = true - shift
    movable = treated & (early >= 1)
    if not movable.any():
        raise EstimationError(
            Finding(
                "shift-too-long",
                f"no treated unit is observed before an adoption {shift} period(s) earlier",
                f"first adoption {design.cohorts[0]}, panel from {design.periods[0]}",
                "shift by fewer periods, or start the panel earlier",
            ),
            "placebo",
        )
    cohort = np.where(movable, design.periods[np.clip(early, 0, design.n_periods - 1)], NEVER)
    last = int((design.cohort - cohort)[movable].min()) - 1 - design.anticipation
    rows = (~treated | movable)[design.unit]
    if method != "callaway-santanna":
        start = np.where(treated, design.cohort - design.anticipation, NEVER)
        rows &= design.periods[design.period] < start[design.unit]
    units = np.unique(design.unit[rows])
    # Restricting turns cohorts after the last remaining period into never treated, so the moved ones are set afterwards.
    part = replace(design.take(rows), cohort=cohort[units], dose=np.where(movable, design.dose, 0.0)[units], anticipation=0)
    return part, int((treated & ~movable).sum()), last
