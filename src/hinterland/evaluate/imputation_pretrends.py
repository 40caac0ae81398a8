"""The pre-trend test of Borusyak, Jaravel & Spiess (2024, section 4.4): leads in a regression on untreated rows only.

The regression does not use treated rows, so that the test is not affected by the effects, and its estimates are asymptotically
uncorrelated with those of the effects under homoskedasticity (their Proposition 6): no bias from looking first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.event_study import term_name
from hinterland.evaluate.regression import Fit, Inference, least_squares
from hinterland.evaluate.result import Effects, Floats, Terms
from hinterland.evaluate.untreated import Ints, Sample
from hinterland.evaluate.vcov import Ssc
from hinterland.labels import Note


def with_leads(effects: Effects, sample: Sample, count: int) -> Effects:
    """The effects by event time with ``count`` leads before them, and the covariance of all.

    Leads compare with all earlier untreated periods. Where there are no earlier ones, the last lead is the reference.
    The leads' part uses fixest's small-sample rule, with singletons kept.
    """
    design = sample.design
    event = np.where(design.cohort[design.unit] == NEVER, 0, design.event_time)
    last = -1 - design.anticipation
    inside = sample.free & (event <= last) & (event > last - count) & (design.cohort[design.unit] != NEVER)
    leads, position = np.unique(event[inside], return_inverse=True)
    if not len(leads):
        raise EstimationError(
            Finding(
                "no-leads",
                f"no treated unit is observed in the {count} period(s) before adoption without anticipation",
                f"option pretrends={count}, anticipation {design.anticipation}",
                "start the panel earlier",
            ),
            "pre-trend test",
        )
    columns = np.zeros((design.n_obs, len(leads)))
    columns[np.flatnonzero(inside), position] = 1.0
    fitted = _regress(sample, columns, leads)
    units = np.zeros((design.n_units, len(leads)), dtype=np.bool_)
    units[design.unit[inside], position] = True
    return _joined(effects, sample, fitted, leads, units.sum(axis=0))


def _regress(sample: Sample, columns: Floats, leads: Ints) -> Fit:
    free = sample.free
    design = sample.design.take(free)
    x = np.asfortranarray(np.hstack([columns[free], design.covariates]))
    names = (*(term_name(int(e)) for e in leads), *design.covariate_names)
    return least_squares(design, x, names, Inference.of(ssc=Ssc(singletons="keep")))


def _joined(effects: Effects, sample: Sample, fitted: Fit, leads: Ints, n_treated: Ints) -> Effects:
    place = {name: i for i, name in enumerate(fitted.names)}
    source = np.array([place.get(term_name(int(e)), -1) for e in leads])
    kept = source >= 0
    cluster = sample.design.clusters[0]
    present = np.bincount(cluster.codes[sample.free], minlength=cluster.size) > 0
    influence = np.zeros((len(effects.clusters), len(leads)))
    influence[np.ix_(present, kept)] = fitted.covariance.influence[:, source[kept]]
    estimate = np.zeros(len(leads))
    estimate[kept] = fitted.estimate[source[kept]]
    both = np.hstack([influence, effects.influence])
    event = np.concatenate((leads, effects.terms.event_time))
    terms = Terms.make(
        tuple(f"event_time={e}" for e in event),
        event_time=event,
        reference=np.concatenate((~kept, effects.terms.reference)),
        n_treated=np.concatenate((n_treated, effects.terms.n_treated)),
    )
    lost = ", ".join(str(e) for e in leads[~kept])
    notes = (*effects.notes, Note("imputation-lead-reference", {"leads": lost})) if lost else effects.notes
    return replace(
        effects,
        terms=terms,
        estimate=np.concatenate((estimate, effects.estimate)),
        vcov=both.T @ both,
        influence=both,
        notes=notes,
    )
