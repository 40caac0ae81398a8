"""Two-stage difference-in-differences (Gardner 2021, arXiv 2207.05943).

First stage: the untreated outcome, fitted on untreated rows. Second stage: outcomes less their predictions are averaged by a regression
on indicators. The standard errors are those of the two stages as one system of moments (Newey & McFadden 1994, section 6).
"""

from __future__ import annotations

from typing import Literal, get_args

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.design import Design
from hinterland.evaluate.result import Effects
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.untreated import first_stage, impute, make_cells, untreated_sample
from hinterland.evaluate.untreated_effects import cell_weights, facts, group_time, observed_shares, own_influence, single_notes
from hinterland.labels import Note

SecondStage = Literal["group-time", "event-study", "static"]


@one_thread()
def fit(design: Design, *, second_stage: SecondStage = "group-time", leads: bool = False) -> Effects:
    """Second-stage means of the outcome less its prediction without treatment.

    Args:
        design: N units, T periods, n rows. Rows up to ``anticipation`` periods before adoption are not used in the first stage.
        second_stage: indicators of the second stage: one per cohort and period (``group-time``), per event time (``event-study``), or
            one for treatment (``static``). The last two are averages of the first, with the same standard errors as if regressed.
        leads: include the untreated periods of treated units: means of first-stage residuals, by period before adoption. They show the
            fit; since the first stage was fitted to these rows, they are no test of parallel trends.

    Returns:
        Effects whose averages weigh by observations, estimated: averages' standard errors include how effects differ between the
        cells. Normal distribution, no small-sample factor.

    Raises:
        EstimationError: unknown options, or nobody to impute for.
    """
    _fail_if_bad(second_stage, leads)
    sample = untreated_sample(design)
    design = sample.design
    stage = first_stage(sample, design.weight)
    chosen, notes = impute(sample, stage)
    if leads:
        chosen = chosen | (sample.free & (design.cohort != NEVER)[design.unit])
    cells = make_cells(design, chosen)
    total, omega = cell_weights(design, cells)
    effect = stage.residual[cells.rows]
    estimate = cells.sum(omega * effect)
    influence = own_influence(design, cells, omega * (effect - estimate[cells.code]))
    stage.charge(influence, cells, omega)
    effects = group_time(
        "two-stage",
        design,
        cells,
        estimate,
        influence,
        shares=observed_shares(design, cells, total, estimated=True),
        notes=(*design.notes, *notes, *single_notes(cells), *((Note("two-stage-fitted-before"),) if leads else ())),
        meta=facts(design, stage, "two-stage", second_stage=second_stage, leads=leads),
    )
    if second_stage == "group-time":
        return effects
    return effects.aggregate("overall" if second_stage == "static" else "event-time")


def _fail_if_bad(second_stage: str, leads: object) -> None:
    findings = []
    known = get_args(SecondStage)
    if second_stage not in known:
        remedy = did_you_mean(str(second_stage), known)
        findings.append(Finding("unknown-value", f"second_stage is {second_stage!r}", "option second_stage of two-stage", remedy))
    if not isinstance(leads, bool):
        findings.append(Finding("unknown-value", f"leads is {leads!r}", "option leads of two-stage", "give true or false"))
    fail_if_any(findings, "options", EstimationError)
