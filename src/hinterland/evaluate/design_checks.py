"""What makes every estimator impossible on a design, and what every method should say of its sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import Finding, listed
from hinterland.labels import Note

if TYPE_CHECKING:
    from hinterland.evaluate.design import Design

WEIGHT_RANGE = 1e12
"""Weights may differ by this factor: beyond it, sums of doubles lose the small ones."""
LARGEST, SMALLEST = 1e100, 1e-100
"""Columns beyond these have squares and products out of the range of doubles."""


def estimability(design: Design) -> list[Finding]:
    """What makes every estimator impossible on this design."""
    where = f"{design.n_units} units × {design.n_periods} periods ({design.periods[0]}–{design.periods[-1]})"
    findings = []
    if design.n_periods < 2:
        what = f"the sample has one period only ({design.periods[0]})"
        remedy = "widen [panel].years: a difference-in-differences needs a period before and after"
        findings.append(Finding("one-period", what, where, remedy))
    findings += [*_outcome_findings(design, where), *_treatment_findings(design, where)]
    for factor in design.clusters:
        if factor.size < 2:
            what = f"every row is in one cluster of {factor.name!r}: no standard error can be estimated"
            findings.append(
                Finding("one-cluster", what, f"cluster {factor.name!r}", "cluster on a column with many groups, such as the unit")
            )
    return [*findings, *_weight_findings(design), *_scale_findings(design)]


def cells(design: Design, rows: NDArray[np.int64]) -> str:
    """The unit and period of some rows, in words."""
    return listed((f"{design.unit_labels[design.unit[i]]}, {design.periods[design.period[i]]}" for i in rows), 5)


def _outcome_findings(design: Design, where: str) -> list[Finding]:
    bad = np.flatnonzero(~np.isfinite(design.y))
    if len(bad):
        what = f"outcome {design.outcome!r} is infinite in {len(bad)} row(s)"
        remedy = "correct the values; a log of 0 gives -inf: use log1p or model the count"
        return [Finding("infinite-outcome", what, cells(design, bad), remedy)]
    if np.ptp(design.y) == 0:
        what = f"outcome {design.outcome!r} never varies (it is {design.y[0]:g} in every row)"
        return [Finding("constant-outcome", what, where, "name an outcome that varies")]
    return []


def _treatment_findings(design: Design, where: str) -> list[Finding]:
    if design.n_treated == 0:
        policy = f"{where}; policy {design.policy.source!r} ({design.policy.timing})"
        remedy = "check that the panel's unit codes match the policy's and that its years reach past the first adoption"
        return [Finding("nobody-treated", "no unit is treated inside the window", policy, remedy)]
    if design.always_treated.all():
        what = "every unit is already treated in the first period"
        return [Finding("all-always-treated", what, where, "start the panel before the first adoption")]
    return []


def _weight_findings(design: Design) -> list[Finding]:
    if design.weight is None:
        return []
    bad = np.flatnonzero(~(np.isfinite(design.weight) & (design.weight > 0)))
    if len(bad):
        what = f"weight {design.weight_name!r} is not positive in {len(bad)} row(s)"
        return [Finding("bad-weight", what, cells(design, bad), "give every row a positive, finite weight")]
    low, high = float(design.weight.min()), float(design.weight.max())
    if low >= high / WEIGHT_RANGE and low > SMALLEST and high < LARGEST:
        return []
    what = f"weight {design.weight_name!r} runs from {low:.3g} to {high:.3g}: sums of such weights lose the small ones in rounding"
    rows = np.array([design.weight.argmin(), design.weight.argmax()])
    return [Finding("weight-range", what, cells(design, rows), f"keep weights within a factor of {WEIGHT_RANGE:g} of one another")]


def _scale_findings(design: Design) -> list[Finding]:
    """Columns whose squares cannot be computed, and covariates that a formula made infinite or undefined."""
    columns = [("outcome", design.outcome, design.y)]
    columns += [("covariate", name, design.covariates[:, j]) for j, name in enumerate(design.covariate_names)]
    findings = []
    for role, name, values in columns:
        largest = float(np.abs(values).max(initial=0.0))
        if role == "covariate" and not np.isfinite(largest):
            bad = np.flatnonzero(~np.isfinite(values))
            what = f"covariate {name!r} is infinite or undefined in {len(bad)} row(s)"
            findings.append(Finding("infinite-covariate", what, cells(design, bad), "correct the values; a log of 0 gives -inf"))
        elif np.isfinite(largest) and (largest >= LARGEST or 0 < largest <= SMALLEST):
            what = f"{role} {name!r} has values as large as {largest:.3g}, too {'large' if largest > 1 else 'small'} to square"
            findings.append(Finding("scale", what, "design", "change its unit of measurement"))
    return findings


def oddities(design: Design) -> Iterator[Note]:
    """What every method should say of the sample: gaps, cohorts of one unit, nobody untreated to the end."""
    if not design.balanced:
        seen = np.bincount(design.unit, minlength=design.n_units)
        short = np.flatnonzero(seen < design.n_periods)
        order = short[np.argsort(seen[short], kind="stable")]
        worst = ", ".join(f"{str(design.unit_labels[i])!r} ({seen[i]})" for i in order[:5]) + (", …" if len(short) > 5 else "")
        share = 1 - design.n_obs / (design.n_units * design.n_periods)
        yield Note(
            "design-gaps", {"count": len(short), "total": design.n_units, "periods": design.n_periods, "share": share, "units": worst}
        )
    inside = design.cohort[(design.cohort != NEVER) & ~design.always_treated]
    cohorts, sizes = np.unique(inside, return_counts=True)
    if len(inside) == 1:
        unit = design.unit_labels[design.cohort == inside[0]][0]
        yield Note("design-one-treated-unit", {"unit": str(unit), "cohort": int(inside[0])})
    elif (sizes == 1).any() and len(cohorts) > 1:
        alone = [f"{g} ({design.unit_labels[design.cohort == g][0]})" for g in cohorts[sizes == 1]]
        yield Note("design-single-unit-cohorts", {"count": len(alone), "cohorts": ", ".join(alone[:8]) + (", …" if len(alone) > 8 else "")})
    if design.n_treated == design.n_units and len(cohorts):
        yield Note("design-no-never", {"last": int(cohorts[-1]), "count": int(sizes[-1])})
