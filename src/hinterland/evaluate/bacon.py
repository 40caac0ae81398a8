"""Goodman-Bacon decomposition: which 2×2 comparisons a static two-way fixed-effects coefficient averages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, fail_if_any
from hinterland.evaluate.design import Design, fail_if_switching
from hinterland.evaluate.paths import adoption_index, covariate_basis
from hinterland.evaluate.regression import dosed, projection, treatment
from hinterland.labels import Note

Floats = NDArray[np.float64]

EARLIER_VS_LATER = "earlier-vs-later"
LATER_VS_EARLIER = "later-vs-earlier"
TREATED_VS_NEVER = "treated-vs-never"
TREATED_VS_ALWAYS = "treated-vs-always"
BOTH_TREATED = "both-treated"
WITHIN_COHORT = "within-cohort"


@dataclass(frozen=True, slots=True)
class _Timing:
    """The K adoption paths: ``adopted`` [K] adoption indices, ``group`` [N] path of each unit, ``size`` [K] units on each."""

    adopted: NDArray[np.intp]
    group: NDArray[np.intp]
    size: Floats

    def means(self, values: Floats) -> Floats:
        """[K, T] means of ``values`` [N, T] by path."""
        member = np.zeros((len(self.size), len(values)))
        member[self.group, np.arange(len(values))] = 1.0
        return np.asarray((member @ values) / self.size[:, None])


@dataclass(frozen=True, slots=True)
class Bacon:
    """A two-way fixed-effects coefficient as a weighted average of 2×2 comparisons.

    Attributes:
        outcome: name of the outcome.
        table: one row per comparison: ``type``, ``treated`` and ``control`` (first treated period of the two cohorts; null =
            never treated; the first period of the window stands for always treated), ``weight`` (they sum to 1), ``estimate``.
            With covariates, the row ``within-cohort`` (both cohorts null) holds what comes from differences in covariates
            between units of the same cohort: its weight is Ω.
        estimate: the weighted average, equal to the coefficient on the sample that is decomposed.
        omega: Ω, the weight of the within-cohort coefficient (0 without covariates).
        within: the within-cohort coefficient β_w (NaN without covariates).
        full_estimate: the coefficient on all rows of the design; differs from ``estimate`` only on an unbalanced panel.
        n_units: units decomposed;  n_left_out: units left out because they are not observed in every period.
        notes: what a reader must know.
    """

    outcome: str
    table: pl.DataFrame
    estimate: float
    omega: float
    within: float
    full_estimate: float
    n_units: int
    n_left_out: int
    notes: tuple[Note, ...] = ()

    def __repr__(self) -> str:
        return f"Bacon({self.outcome}, {self.table.height} comparisons: {self.estimate:.6g})"

    def summary(self) -> pl.DataFrame:
        """One row per type of comparison: ``type``, ``weight`` (their sum), ``average`` (weighted; null where the weight is 0)."""
        weighted = (pl.col("weight") * pl.col("estimate")).sum()
        total = pl.col("weight").sum()
        return self.table.group_by("type", maintain_order=True).agg(total, pl.when(total != 0).then(weighted / total).alias("average"))

    @property
    def already_treated_share(self) -> float:
        """Share of the weight on comparisons whose control group is already treated (NaN with covariates, where the two
        directions of a comparison cannot be told apart).
        """
        if (self.table["type"] == BOTH_TREATED).any():
            return float("nan")
        return float(self.table.filter(pl.col("type").is_in([LATER_VS_EARLIER, TREATED_VS_ALWAYS]))["weight"].sum())


def bacon(design: Design) -> Bacon:
    """Decompose the static two-way fixed-effects coefficient of ``design``.

    Without covariates the decomposition is exact (Goodman-Bacon 2021, Theorem 1): every 2×2 between an earlier and a later
    cohort (in both directions), a cohort and the never treated, a cohort and the always treated. With covariates that vary
    within units it follows his extension to controls: Ω times the within-cohort coefficient plus 1 - Ω times the weighted average of
    covariate-adjusted comparisons between pairs of cohorts.

    It is defined on balanced panels. Of an unbalanced one the units observed in every period are decomposed, and the notes
    say how many are left out and by how much the coefficient differs.

    Raises:
        EstimationError: sampling weights or extra fixed effects, no unit observed in every period, or no variation in
            adoption to compare.
    """
    fail_if_switching(design, "the Goodman-Bacon decomposition")
    _fail_if_not_defined(design)
    part, notes = _complete_units(design)
    adopted, group = np.unique(adoption_index(part), return_inverse=True)
    _fail_if_nothing_to_compare(part, adopted)
    timing = _Timing(adopted, group, np.bincount(group).astype(np.float64))
    y = part.y.reshape(part.n_units, part.n_periods)
    basis = covariate_basis(part, projection(part, None))
    if basis.shape[1]:
        table, omega, within = _adjusted(part, y, basis, timing)
    else:
        table, omega, within = _plain(part, y, timing), 0.0, float("nan")
    estimate = float((table["weight"] * table["estimate"]).sum())
    full = estimate if part is design else _coefficient(design)
    return Bacon(
        outcome=design.outcome,
        table=table,
        estimate=estimate,
        omega=omega,
        within=within,
        full_estimate=full,
        n_units=part.n_units,
        n_left_out=design.n_units - part.n_units,
        notes=(*notes, *_remarks(table, omega, estimate, full, part is not design)),
    )


def _fail_if_not_defined(design: Design) -> None:
    findings = []
    if design.weight is not None:
        findings.append(
            Finding(
                "not-defined",
                "the Goodman-Bacon decomposition is not defined with sampling weights",
                f"weight {design.weight_name!r}",
                "build the panel without a weight column for this diagnostic",
            )
        )
    if design.fixed_effects:
        named = ", ".join(f.name for f in design.fixed_effects)
        findings.append(
            Finding(
                "not-defined",
                "the Goodman-Bacon decomposition is not defined with extra fixed effects",
                f"fe = {named}",
                "leave out fe= for this diagnostic",
            )
        )
    if dosed(design):
        findings.append(
            Finding(
                "not-defined",
                "the Goodman-Bacon decomposition is not defined for partial coverage",
                f"policy {design.policy.source!r} with partial='dose'",
                "make the cohorts with partial='treat' or 'exclude'",
            )
        )
    fail_if_any(findings, "decomposition", EstimationError)


def _complete_units(design: Design) -> tuple[Design, list[Note]]:
    """The units observed in every period, and a note that counts the others."""
    if design.balanced:
        return design, []
    complete = np.bincount(design.unit, minlength=design.n_units) == design.n_periods
    if not complete.any():
        raise EstimationError(
            Finding(
                "no-complete-unit",
                "no unit is observed in every period, so no balanced part is left to decompose",
                f"{design.n_units} units × {design.n_periods} periods",
                "narrow the years, or fill the gaps",
            ),
            "decomposition",
        )
    part = design.take(complete[design.unit])
    return part, [
        Note("bacon-balanced-part", {"kept": part.n_units, "left_out": design.n_units - part.n_units, "rows": design.n_obs - part.n_obs})
    ]


def _fail_if_nothing_to_compare(design: Design, adopted: NDArray[np.intp]) -> None:
    inside = adopted[(adopted > 0) & (adopted < design.n_periods)]
    if len(inside) == 0 or len(adopted) < 2:
        raise EstimationError(
            Finding(
                "no-variation-in-adoption",
                f"{len(adopted)} adoption path(s), {len(inside)} of them inside the window: there is nothing to compare",
                f"{design.n_units} units observed in every period, {design.periods[0]}–{design.periods[-1]}",
                "the decomposition needs a cohort that adopts inside the window and one other cohort",
            ),
            "decomposition",
        )


def _plain(design: Design, y: Floats, timing: _Timing) -> pl.DataFrame:
    """Every 2×2 from cohort means alone: estimate, and weight n_k n_l · (periods before) · (periods after)."""
    periods, adopted, size, means = design.n_periods, timing.adopted, timing.size, timing.means(y)
    k, j = np.meshgrid(np.arange(len(adopted)), np.arange(len(adopted)), indexing="ij")
    wanted = (k != j) & (adopted[k] > 0) & (adopted[k] < periods)
    k, j = k[wanted], j[wanted]
    start, own, other = np.where(adopted[j] < adopted[k], adopted[j], 0), adopted[k], adopted[j]
    stop = np.where(other > own, other, periods)
    total = np.concatenate([np.zeros((len(adopted), 1)), np.cumsum(means, axis=1)], axis=1)

    def change(cohort: NDArray[np.intp]) -> Floats:
        after = (total[cohort, stop] - total[cohort, own]) / (stop - own)
        return np.asarray(after - (total[cohort, own] - total[cohort, start]) / (own - start))

    weight = size[k] * size[j] * (own - start) * (stop - own)
    types = np.select(
        [other == periods, other == 0, other < own], [TREATED_VS_NEVER, TREATED_VS_ALWAYS, LATER_VS_EARLIER], EARLIER_VS_LATER
    )
    return _table(design, types, own, other, weight=weight / weight.sum(), estimate=change(k) - change(j))


def _adjusted(design: Design, y: Floats, basis: Floats, timing: _Timing) -> tuple[pl.DataFrame, float, float]:
    """Within-cohort part and covariate-adjusted pairs, from the residualised treatment d = D̈ - P(D̈ | Ẍ).

    A pair's coefficient is the slope of the difference in cohort means of y on that of d; since the fitted part of a pair lies
    in the span of its cohort-mean covariates, this equals the combination of the two regressions that the paper states.
    """
    shape = (design.n_units, design.n_periods)
    d = projection(design, None).column(treatment(design))
    d = d - basis @ (basis.T @ d)
    _fail_if_explained(d, design)
    adopted, d_means, y_means = timing.adopted, timing.means(d.reshape(shape)), timing.means(y)
    inside = d.reshape(shape) - d_means[timing.group]
    variation = float(np.sum(inside**2))
    omega = variation / float(d @ d)
    omega = omega if omega > 1e-14 else 0.0
    within = float(np.sum(inside * y)) / variation if omega else float("nan")
    k, j = np.triu_indices(len(adopted), 1)
    gap = d_means[k] - d_means[j]
    strength = np.einsum("ij,ij->i", gap, gap)
    weight = timing.size[k] * timing.size[j] * strength
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.einsum("ij,ij->i", gap, y_means[k] - y_means[j]) / strength
    earlier, later = adopted[k], adopted[j]
    never, always = later == design.n_periods, earlier == 0
    types = np.select([never, always], [TREATED_VS_NEVER, TREATED_VS_ALWAYS], BOTH_TREATED)
    swap = always & ~never
    treated, control = np.where(swap, later, earlier), np.where(swap, earlier, later)
    table = _table(design, types, treated, control, weight=(1 - omega) * weight / weight.sum(), estimate=slope)
    row = pl.DataFrame(
        {"type": [WITHIN_COHORT], "treated": [None], "control": [None], "weight": [omega], "estimate": [within if omega > 0 else None]},
        schema=table.schema,
    )
    return pl.concat([table, row]), omega, within


def _fail_if_explained(d: Floats, design: Design) -> None:
    if float(d @ d) <= 1e-12 * design.n_obs:
        raise EstimationError(
            Finding(
                "treatment-explained",
                "the covariates explain the treatment completely, together with unit and period effects",
                f"covariates {', '.join(design.covariate_names)}",
                "leave out the covariate that repeats the treatment",
            ),
            "decomposition",
        )


def _table(
    design: Design, types: NDArray[np.str_], treated: NDArray[np.intp], control: NDArray[np.intp], *, weight: Floats, estimate: Floats
) -> pl.DataFrame:
    labels = [*design.periods.tolist(), None]
    return pl.DataFrame(
        {
            "type": types.tolist(),
            "treated": [labels[i] for i in treated],
            "control": [labels[i] for i in control],
            "weight": weight,
            "estimate": pl.Series(estimate, dtype=pl.Float64, nan_to_null=True),
        },
        schema={"type": pl.String, "treated": pl.Int64, "control": pl.Int64, "weight": pl.Float64, "estimate": pl.Float64},
    ).sort("type", "treated", "control", nulls_last=True)


def _coefficient(design: Design) -> float:
    from hinterland.evaluate.estimate import fit

    return float(fit(design, "twfe").estimate[0])


def _remarks(table: pl.DataFrame, omega: float, estimate: float, full: float, reduced: bool) -> list[Note]:
    notes = []
    if reduced:
        notes.append(Note("bacon-full-sample", {"estimate": estimate, "full": full, "difference": estimate - full}))
    already = float(table.filter(pl.col("type").is_in([LATER_VS_EARLIER, TREATED_VS_ALWAYS]))["weight"].sum())
    if already > 0 and not (table["type"] == BOTH_TREATED).any():
        notes.append(Note("bacon-already-treated", {"share": already}))
    if omega > 0:
        notes.append(Note("bacon-within", {"omega": omega}))
    return notes
