"""The effect as a line in a moderator: D, D × M, and the moderator's own movement as a control.

For unit i in period t, M_i fixed before treatment and c its mean over treated units,

    y_it = α_i + λ_t + β D_it + γ D_it (M_i − c) + Σ_s δ_s M_i 1[t = s] + x_it'b + ε_it

so that dy/dD = β + γ (m − c) (Brambor, Clark & Golder 2006, Political Analysis 14(1)). Without δ, differences in trends between units with high and low M
would be taken for moderation. With a group G, D G, D (M − c) G and the group's own period effects join in, and the slope may differ there.
Counts: the same inside exp(·), by Poisson pseudo-maximum likelihood. M enters in standard deviations and is scaled back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.inference import Inference, coefficient_covariance
from hinterland.evaluate.poisson import separated
from hinterland.evaluate.ppml import Model, estimate_model, fail_if_negative, without_zero_groups
from hinterland.evaluate.regression import absorbed, cluster_labels, describe, treatment, without_singletons
from hinterland.evaluate.result import Effects, Terms
from hinterland.evaluate.vcov import Covariance, Moments
from hinterland.evaluate.wild_regression import Regression, reduce
from hinterland.labels import Note

TREATED, INTERACTION = "treated", "treated:moderator"
IN_GROUP, DIFFERENCE = "treated:group", "treated:moderator:group"

Columns = Callable[[Design], tuple[Floats, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Scaling:
    """The moderator's column in ``Design.columns``, where it is centred, and its standard deviation over units; ``group``: a 0/1 column."""

    column: str
    centre: float
    scale: float
    group: str | None = None

    def rows(self, design: Design) -> Floats:
        """[n] (M − centre) / scale."""
        return np.asarray((design.columns[self.column] - self.centre) / self.scale)

    def units(self, design: Design) -> Floats:
        """[N] the moderator itself."""
        return np.asarray(design.columns[self.column][unit_starts(design)])


def unit_starts(design: Design) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """[N] first row of each unit."""
    return np.flatnonzero(np.append(True, design.unit[1:] != design.unit[:-1]))


@dataclass(frozen=True, slots=True)
class Fitted:
    """A regression of which only the terms that treatment enters are kept.

    ``effects``: those terms, per unit of the moderator; ``regression``: in standard deviations, for the bootstrap (``None`` for counts);
    ``lost``: terms that these data do not identify; ``design``: the rows used; ``mean`` [n]: the fitted mean of counts (``None`` otherwise).
    """

    effects: Effects
    regression: Regression | None
    lost: tuple[str, ...]
    design: Design
    mean: Floats | None = None


def by_period(design: Design, values: Mapping[str, Floats]) -> tuple[list[Floats], list[str]]:
    """Each of ``values`` [n] in each period after the first, the base."""
    columns, names = [], []
    for name, value in values.items():
        for t in range(1, design.n_periods):
            columns.append(np.where(design.period == t, value, 0.0))
            names.append(f"{name} × {design.periods[t]}")
    return columns, names


def interaction(scaling: Scaling) -> Columns:
    """The columns of the linear model: controls first, so that what they explain is never given to the treatment."""

    def make(design: Design) -> tuple[Floats, tuple[str, ...]]:
        z, d = scaling.rows(design), treatment(design)
        moving, terms = {"moderator": z}, {TREATED: d, INTERACTION: d * z}
        if scaling.group is not None:
            g = design.columns[scaling.group]
            moving["group"] = g
            terms |= {IN_GROUP: d * g, DIFFERENCE: d * z * g}
        columns, names = by_period(design, moving)
        return _joined(design, columns, names, terms)

    return make


def _joined(design: Design, columns: list[Floats], names: list[str], terms: Mapping[str, Floats]) -> tuple[Floats, tuple[str, ...]]:
    parts = [*columns, *design.covariates.T, *terms.values()]
    out = np.empty((design.n_obs, len(parts)), order="F")
    for j, part in enumerate(parts):
        out[:, j] = part
    return out, (*names, *design.covariate_names, *terms)


def fit_linear(design: Design, scaling: Scaling, family: str) -> Fitted:
    """The linear model of ``family``. Raises ``EstimationError`` where the slope, or the difference between groups, is not identified."""
    about = INTERACTION if scaling.group is None else DIFFERENCE
    wanted = (TREATED, INTERACTION) if scaling.group is None else (TREATED, INTERACTION, IN_GROUP, DIFFERENCE)
    scale = np.array([1.0 if name in (TREATED, IN_GROUP) else scaling.scale for name in wanted])
    fitted = fit_terms(design, interaction(scaling), dict(zip(wanted, scale, strict=True)), about, family)
    if fitted.lost:
        what = f"{', '.join(fitted.lost)} cannot be told from the controls: unit and period effects and the moderator's own movement"
        where = f"{design.n_treated} treated of {design.n_units} units, outcome {design.outcome!r}"
        remedy = "add treated and comparison units whose moderator differs" + ("" if scaling.group is None else ", or leave group out")
        raise EstimationError(Finding("moderator-not-identified", what, where, remedy), "moderation")
    return fitted


def fit_terms(design: Design, columns: Columns, scale: Mapping[str, float], about: str, family: str) -> Fitted:
    """Any regression on ``columns``, of which the terms in ``scale`` are kept, each divided by its scale.

    Args:
        design: what is estimated on what.
        columns: makes the regressors.
        scale: by term.
        about: the term that the effective number of clusters is about.
        family: ``gaussian`` or ``poisson``.

    Raises:
        EstimationError: nothing can be estimated, no degrees of freedom, or counts that are negative or separated.
    """
    inference = Inference.of()
    if family == "poisson":
        return _counts(design, columns, scale, about, inference)
    design = without_singletons(design, inference.ssc)
    matrix, names = columns(design)
    fitted = reduce(design, matrix, names, inference.ssc)
    w = design.weight
    u = fitted.residuals if w is None else fitted.residuals * w
    moments = Moments(fitted.x, u, fitted.bread, absorbed(design), None, None, w)
    contrast = np.array([float(n == about) for n in fitted.names])
    found = coefficient_covariance(design, moments, inference, contrast if contrast.any() else None)
    notes = tuple(n for n in fitted.design.notes if n.code != "collinear-dropped")
    solved = _Solved(design, fitted.names, fitted.estimate, found, inference, notes)
    return Fitted(_effects(solved, scale, family), fitted, tuple(n for n in scale if n not in fitted.names), design)


@dataclass(frozen=True, slots=True)
class _Solved:
    """Estimates [p] of all columns kept, by ``names``, with their covariance."""

    design: Design
    names: tuple[str, ...]
    estimate: Floats
    covariance: Covariance
    inference: Inference
    notes: tuple[Note, ...]


def _effects(solved: _Solved, scale: Mapping[str, float], family: str) -> Effects:
    """The kept terms on the moderator's own scale."""
    at = [solved.names.index(n) for n in scale if n in solved.names]
    names = tuple(solved.names[j] for j in at)
    size = np.array([scale[n] for n in names])
    found, design = solved.covariance, solved.design
    method = "ppml" if family == "poisson" else "twfe"
    df = float(min(found.n_clusters) - 1)
    return Effects(
        method=method,
        outcome=design.outcome,
        aggregation="coefficient",
        terms=Terms.make(names, n_treated=np.full(len(names), design.n_treated)),
        estimate=solved.estimate[at] / size,
        vcov=found.vcov[np.ix_(at, at)] / np.outer(size, size),
        influence=found.influence[:, at] / size,
        clusters=cluster_labels(design),
        df=df,
        family="poisson" if family == "poisson" else "gaussian",
        notes=solved.notes,
        meta=describe(design, solved.inference, found, df, "moderation-linear"),
    )


def _counts(design: Design, columns: Columns, scale: Mapping[str, float], about: str, inference: Inference) -> Fitted:
    """The same by Poisson pseudo-maximum likelihood, in log points, without the rows that zeros separate."""
    fail_if_negative(design)
    design = without_singletons(without_zero_groups(design), inference.ssc)
    matrix, names = columns(design)
    lost = separated(design.y, matrix, absorbed(design))
    if lost.any():
        design = design.take(~lost, Note("ppml-separated-regressors", {"count": int(lost.sum())}))
        matrix, names = columns(design)
    found = estimate_model(Model(design, matrix, names, None), inference, about)
    notes = (*design.notes, *(n for n in found.notes if n.code != "collinear-dropped"))
    solved = _Solved(design, found.names, found.estimate, found.covariance, inference, notes)
    return Fitted(_effects(solved, scale, "poisson"), None, tuple(n for n in scale if n not in found.names), design, found.poisson.mu)
