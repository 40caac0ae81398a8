"""The untreated outcome, fitted on untreated rows and predicted for the others.

y_it(0) = α_i + λ_t + z_it'γ + x_it'β + ε_it, by least squares on the rows observed without treatment. This is the first stage of the
imputation estimator (Borusyak, Jaravel & Spiess 2024, eq. 4) and of two-stage difference-in-differences (Gardner 2021). Every
estimate that follows is a weighted sum of y − ŷ(0); what it owes to the untreated rows is, for target weights ω,

    v = −W₀ Z (Z'W₀Z)⁻ Z'ω,

with Z the columns of the model on all rows and W₀ the weights of the untreated rows, zero elsewhere (eq. 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Codes, compact
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import absorbed
from hinterland.evaluate.result import Floats
from hinterland.evaluate.vcov import is_nested
from hinterland.labels import Note

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows used: ``design``, and ``free`` [n]: rows observed without treatment (nor anticipation of it).

    Every unit has at least one free row.
    """

    design: Design
    free: Mask


@dataclass(frozen=True, slots=True)
class Cells:
    """Cohort × period cells: ``cohort`` and ``time`` [p] (labels), ``rows`` [m] in some cell and the ``code`` [m] of each one's cell."""

    code: Codes
    cohort: Ints
    time: Ints
    rows: Ints

    @property
    def size(self) -> int:
        """Number of cells p."""
        return len(self.cohort)

    def sum(self, values: Floats) -> Floats:
        """[p] sums of ``values`` [m], given for ``rows``, by cell."""
        return np.asarray(np.bincount(self.code, weights=values, minlength=self.size), dtype=np.float64)


class Prediction(Protocol):
    """The untreated outcome as predicted."""

    @property
    def residual(self) -> Floats:
        """[n] outcome less its prediction without treatment; no meaning where ``imputable`` is false."""
        ...

    @property
    def imputable(self) -> Mask:
        """[n] rows whose prediction the untreated rows determine."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Covariates kept."""
        ...

    @property
    def dropped(self) -> tuple[str, ...]:
        """Covariates that the fixed effects and those before them explain on the untreated rows."""
        ...

    @property
    def coefficients(self) -> Floats:
        """[k] coefficients of the covariates kept."""
        ...


class FirstStage(Prediction, Protocol):
    """A fitted linear model of the untreated outcome."""

    @property
    def score(self) -> Floats:
        """Weights times residuals of the untreated rows, laid out as the fit has them."""
        ...

    def scored_by(self, score: Floats) -> FirstStage:
        """The same projection with the residuals of another fit of the same layout."""
        ...

    def charge(self, out: Floats, cells: Cells, omega: Floats) -> None:
        """Add to ``out`` [C, p] the part of each cell's influence that comes from estimating the first stage.

        ``omega`` [m] are the target weights of ``cells.rows``. For every cell and cluster: Σ v ε̂ over the cluster's untreated rows.
        """
        ...


def untreated_sample(design: Design) -> Sample:
    """Mark the free rows; leave out units that have none, with a note that names them.

    Raises ``EstimationError`` when no treated unit is left.
    """
    free = _free(design)
    seen: Mask = np.bincount(design.unit, weights=free) > 0
    if design.balanced:
        seen = np.asarray(free.reshape(design.n_units, -1).any(axis=1))
    if seen.all():
        return Sample(design, free)
    always = ~seen & design.always_treated
    other = ~seen & ~design.always_treated
    notes = [
        Note(code, {"count": int(units.sum()), "units": listed(design.unit_labels[units].tolist(), 8)})
        for code, units in (("always-treated-dropped", always), ("untreated-never-seen", other))
        if units.any()
    ]
    if not (seen & (design.cohort != NEVER)).any():
        raise EstimationError(
            Finding(
                "nothing-to-impute",
                "no treated unit is observed without treatment",
                f"{design.n_treated} treated units, first period {design.periods[0]}",
                "start the panel before the first adoption",
            ),
            "design",
        )
    kept = design.take(seen[design.unit], *notes)
    return Sample(kept, _free(kept) if kept.n_periods == design.n_periods else free[seen[design.unit]])


def _free(design: Design) -> Mask:
    start = design.cohort - design.anticipation
    if design.balanced:
        return np.asarray(design.periods < start[:, None]).reshape(-1)
    return np.asarray(design.periods[design.period] < start[design.unit])


def first_stage(sample: Sample, weight: Floats | None) -> FirstStage:
    """Fit the untreated outcome with unit and period effects, the design's further fixed effects and covariates.

    Args:
        sample: the rows.
        weight: [n] weights of the rows, or ``None``.
    """
    from hinterland.evaluate.untreated_absorbed import fit_absorbed
    from hinterland.evaluate.untreated_grid import fit_grid

    design = sample.design
    unit = absorbed(design)[0]
    if not design.fixed_effects and is_nested(unit, design.clusters[0]):
        return fit_grid(sample, weight)
    return fit_absorbed(sample, weight)


def make_cells(design: Design, chosen: Mask) -> Cells:
    """The cells of the ``chosen`` rows [n], all of ever-treated units, ordered by cohort then period."""
    cohorts = design.cohorts
    rows = np.flatnonzero(chosen)
    group = (np.searchsorted(cohorts, design.cohort) * design.n_periods).astype(np.int32)[design.unit[rows]]
    present, code = compact(group + design.period[rows], len(cohorts) * design.n_periods)
    return Cells(code, cohorts[present // design.n_periods], design.periods[present % design.n_periods], rows)


def impute(sample: Sample, stage: Prediction) -> tuple[Mask, tuple[Note, ...]]:
    """[n] rows whose effect can be imputed, and notes on those where it cannot.

    Raises ``EstimationError`` when none can.
    """
    design, free = sample.design, sample.free
    occupied = ~free
    chosen = occupied & stage.imputable
    notes: list[Note] = []
    if stage.dropped:
        notes.append(Note("collinear-dropped", {"names": ", ".join(stage.dropped)}))
    lost = np.flatnonzero(occupied & ~stage.imputable)
    if not chosen.any():
        raise EstimationError(
            Finding(
                "nothing-to-impute",
                "the untreated rows determine no treated row's outcome without treatment",
                f"{int(occupied.sum())} treated rows, {int(free.sum())} untreated rows; fixed effects "
                f"{', '.join(f.name for f in absorbed(design))}",
                "leave out fixed effects or covariates that move with the policy, or add units that are not yet treated",
            ),
            "design",
        )
    if len(lost):
        values: dict[str, str | int | float] = {
            "count": len(lost),
            "total": int(occupied.sum()),
            "periods": listed(design.periods[np.unique(design.period[lost])].tolist(), 12),
            "units": listed(design.unit_labels[np.unique(design.unit[lost])].tolist(), 8),
        }
        notes.append(Note("untreated-not-determined", values))
    alone = np.flatnonzero(
        (np.bincount(design.period[free], minlength=design.n_periods) == 1)
        & (np.bincount(design.period[chosen], minlength=design.n_periods) > 0)
    )
    if len(alone):
        notes.append(Note("untreated-alone", {"count": len(alone), "periods": listed(design.periods[alone].tolist(), 12)}))
    return chosen, tuple(notes)
