"""The imputation estimator (Borusyak, Jaravel & Spiess 2024, Review of Economic Studies 91(6)).

The untreated outcome is fitted on untreated rows only, with unit and period effects and whatever else the design has; the effect on a
treated row is its outcome less the prediction; estimates are means of these effects. Efficient among linear unbiased estimators when
errors are homoskedastic and not correlated over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.design import Design
from hinterland.evaluate.imputation_deviations import Deviations, Groups, Means, deviations
from hinterland.evaluate.imputation_pretrends import with_leads
from hinterland.evaluate.result import Effects, Floats
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.untreated import Cells, FirstStage, Sample, first_stage, impute, make_cells, untreated_sample
from hinterland.evaluate.untreated_effects import cell_weights, facts, group_time, observed_shares, own_influence, single_notes
from hinterland.labels import Note

InfluenceOf = Literal["exact", "didimputation"]


@one_thread()
def fit(
    design: Design,
    *,
    variance_groups: Groups = "cohort-period",
    variance_means: Means = "observation",
    leave_one_out: bool = False,
    influence_of: InfluenceOf = "exact",
    pretrends: int = 0,
) -> Effects:
    """Group-time effects, weighted by observations in every average.

    Args:
        design: N units, T periods, n rows. Rows up to ``anticipation`` periods before adoption are not used to fit the untreated
            outcome; their effects are imputed too.
        variance_groups: treated rows whose effects are compared with one another in the variance: by ``cohort-period``, ``cohort``,
            ``event-time``, ``period`` or ``all`` together. Broader groups are more conservative and need fewer units in each.
        variance_means: how a group's mean weighs its rows: by their squared weights (``observation``), or by cluster (``cluster``), as
            the authors' Stata command does. They differ only where several rows of a cluster are in one group.
        leave_one_out: compare each cluster with the mean of the others (means by cluster). Larger standard errors, better with small
            groups.
        influence_of: under sampling weights, ``exact`` or, to repeat the standard errors of R's didimputation, ``didimputation``.
        pretrends: number of leads of the pre-trend test; with one or more, the result is by event time, leads and effects with their
            joint covariance.

    Returns:
        Effects of aggregation ``group-time``, or ``event-time`` with ``pretrends``. Standard errors use the normal distribution and no
        small-sample factor; the weights of averages are taken as given.

    Raises:
        EstimationError: unknown options, nobody to impute for, or a group of one cluster under ``leave_one_out``.
    """
    _fail_if_bad(variance_groups, variance_means, influence_of, leave_one_out, pretrends)
    sample = untreated_sample(design)
    stage = first_stage(sample, sample.design.weight)
    chosen, notes = impute(sample, stage)
    cells = make_cells(sample.design, chosen)
    total, omega = cell_weights(sample.design, cells)
    effect = stage.residual[cells.rows]
    spread = deviations(sample.design, cells, effect, (variance_groups, variance_means, leave_one_out))
    influence = own_influence(sample.design, cells, omega * spread.values)
    if influence_of == "didimputation" and sample.design.weight is not None:
        _charge_squared(influence, sample, stage, (cells, omega))
    else:
        stage.charge(influence, cells, omega)
    effects = group_time(
        "imputation",
        sample.design,
        cells,
        cells.sum(omega * effect),
        influence,
        shares=observed_shares(sample.design, cells, total, estimated=False),
        notes=(*sample.design.notes, *notes, *_alone(cells, spread)),
        meta=facts(
            sample.design,
            stage,
            "imputation",
            variance_groups=variance_groups,
            variance_means="cluster" if leave_one_out else variance_means,
            leave_one_out=leave_one_out,
            pretrends=pretrends,
        ),
    )
    return with_leads(effects.aggregate("event-time"), sample, pretrends) if pretrends else effects


def _fail_if_bad(groups: str, means: str, influence_of: str, leave_one_out: object, pretrends: object) -> None:
    given: Mapping[str, tuple[str, tuple[str, ...]]] = {
        "variance_groups": (groups, get_args(Groups)),
        "variance_means": (means, get_args(Means)),
        "influence_of": (influence_of, get_args(InfluenceOf)),
    }
    findings = [
        Finding("unknown-value", f"{name} is {value!r}", f"option {name} of imputation", did_you_mean(str(value), known))
        for name, (value, known) in given.items()
        if value not in known
    ]
    if not isinstance(leave_one_out, bool):
        findings.append(
            Finding("unknown-value", f"leave_one_out is {leave_one_out!r}", "option leave_one_out of imputation", "give true or false")
        )
    if isinstance(pretrends, bool) or not isinstance(pretrends, int | np.integer) or pretrends < 0:
        findings.append(
            Finding("bad-leads", f"pretrends is {pretrends!r}", "option pretrends of imputation", "give a number of periods, 0 for none")
        )
    fail_if_any(findings, "options", EstimationError)


def _charge_squared(out: Floats, sample: Sample, stage: FirstStage, target: tuple[Cells, Floats]) -> None:
    """Add the first stage's part as R's didimputation 0.5.0 has it: columns times weights, not their roots, so that they enter squared."""
    cells, omega = target
    weight = np.ones(sample.design.n_obs) if sample.design.weight is None else sample.design.weight
    first_stage(sample, weight * weight).scored_by(stage.score).charge(out, cells, omega * weight[cells.rows])


def _alone(cells: Cells, spread: Deviations) -> tuple[Note, ...]:
    notes = single_notes(cells)
    if notes or not spread.alone:
        return notes
    return (Note("imputation-single-group", {"count": len(spread.alone), "groups": ", ".join(spread.alone[:8])}),)
