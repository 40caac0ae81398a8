"""Estimates under many assignments by fitting each: for estimators that have no batch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.regression import treatment
from hinterland.evaluate.result import Effects

Index = NDArray[np.intp]

TASKS = 64
"""Pieces that the assignments are cut into for an executor."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Estimates and variances of R + 1 assignments, the actual one first, on y − τ D for every τ.

    ``estimate``, ``variance`` [R + 1] on y;  ``constant`` on D, ``shared`` the covariance of the two, ``own`` the variance on D: ``None`` where no
    interval was asked for, or ``linear`` is false: the estimator is not linear in the outcome.
    """

    estimate: Floats
    variance: Floats
    constant: Floats | None
    shared: Floats | None
    own: Floats | None
    linear: bool

    def at(self, effect: float, statistic: str) -> Floats:
        """[R + 1] the statistics under the null of the constant ``effect``."""
        estimate, variance = self.estimate, self.variance
        if effect and self.constant is not None and self.shared is not None and self.own is not None:
            estimate = estimate - effect * self.constant
            variance = variance - 2 * effect * self.shared + effect**2 * self.own
        if statistic == "coefficient":
            return estimate
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(estimate / np.sqrt(np.where(variance > 0, variance, np.nan)))


@dataclass(frozen=True, slots=True)
class Request:
    """What is estimated under each assignment: the ``method``, its ``options``, and the ``term`` that is tested."""

    method: str
    term: str | None
    options: Mapping[str, Any]

    def __call__(self, design: Design) -> Effects:
        """The one term, on a design."""
        return target(fit(design, self.method, **self.options), self.term)


def target(effects: Effects, term: str | None) -> Effects:
    """The one term that is tested: a coefficient by name (the first by default), or an aggregate (``overall`` by default).

    Raises:
        EstimationError: no such term.
    """
    names = effects.terms.name
    if term in names:
        return effects.take(np.array([names.index(term)]))
    if effects.aggregation == "coefficient" and term is None:
        return effects.take(np.array([0]))
    if effects.aggregation != "coefficient" and term in (None, "overall"):
        return effects if effects.aggregation == "overall" else effects.aggregate("overall")
    raise EstimationError(
        Finding("unknown-term", f"{effects.method} has no term {term!r}", "argument term", did_you_mean(str(term), names)), "randomisation"
    )


def looped(design: Design, request: Request, assignments: Index, *, interval: bool, executor: Executor | None) -> Moments:
    """Fit every assignment [R + 1, N], the actual one first; an assignment that cannot be estimated is NaN."""
    linear = interval and _linear(design, request)
    donors = _donors(assignments)
    work = partial(_chunk, design, request, linear)
    pieces = np.array_split(donors, min(TASKS, len(donors)))
    found = np.concatenate(list(map(work, pieces) if executor is None else executor.map(work, pieces)))
    if not linear:
        return Moments(found[:, 0], found[:, 1], None, None, None, linear=not interval)
    return Moments(found[:, 0], found[:, 1], found[:, 2], found[:, 3], found[:, 4], linear=True)


def _donors(assignments: Index) -> Index:
    """[R + 1, N] for each unit, a unit that actually has the code it is dealt."""
    first = np.unique(assignments[0], return_index=True)[1]
    donors = np.asarray(first[assignments])
    donors[0] = np.arange(assignments.shape[1])
    return donors


def dealt(design: Design, donor: Index, y: Floats | None = None) -> Design:
    """The design in which every unit has the adoption of its ``donor`` [N]."""
    level = design.treatment_level
    if level is not None:
        level = level.reshape(design.n_units, design.n_periods)[donor].reshape(-1)
    return replace(design, cohort=design.cohort[donor], dose=design.dose[donor], treatment_level=level, y=design.y if y is None else y)


def _chunk(design: Design, request: Request, both: bool, donors: Index) -> Floats:
    """[rows, 5] estimate and variance on y, estimate on D, covariance of the two, variance on D."""
    out = np.full((len(donors), 5), np.nan)
    treated = treatment(design)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row, donor in zip(out, donors, strict=True):
            try:
                effects = request(dealt(design, donor))
                row[:2] = effects.estimate[0], effects.vcov[0, 0]
                if both:
                    other = request(dealt(design, donor, treated))
                    mine, theirs = effects.influence[:, 0], other.influence[:, 0]
                    row[2:] = other.estimate[0], mine @ theirs, theirs @ theirs
            except EstimationError:
                continue
    return out


def _linear(design: Design, request: Request) -> bool:
    """Whether estimate and influence function are linear in the outcome, as far as the actual assignment shows, and make up the variance."""
    treated = treatment(design) * float(design.y.std())
    own = np.arange(design.n_units)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            a, b, c = (request(dealt(design, own, y)) for y in (design.y, treated, design.y + treated))
        except EstimationError:
            return False
    scale = np.abs(a.influence).max()
    return bool(
        np.allclose(a.estimate + b.estimate, c.estimate, rtol=1e-8, atol=1e-8 * abs(float(a.estimate[0])))
        and np.allclose(a.influence + b.influence, c.influence, rtol=0, atol=1e-7 * scale)
        and np.isclose(float(a.influence[:, 0] @ a.influence[:, 0]), float(a.vcov[0, 0]), rtol=1e-6)
    )
