"""The estimate of each group of units: its own treated units against its own comparison units, by any estimator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.grouping import group_order
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Factor
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.randomisation_loop import target
from hinterland.evaluate.result import Effects
from hinterland.labels import Note

Index = NDArray[np.intp]

GROUP = "\0group"
"""Name under which a design carries the group of each row: no column of a panel can have it."""


@dataclass(frozen=True, slots=True)
class GroupFit:
    """One group: its part of the design, its one effect (``overall``, or the coefficient of the treatment), and the coefficients beside it."""

    label: str
    design: Design
    effects: Effects
    fitted_names: tuple[str, ...] = ()

    @property
    def treated_clusters(self) -> int:
        """Clusters, by the first grouping, that have a treated unit."""
        return treated_clusters(self.design)


@dataclass(frozen=True, slots=True)
class GroupFits:
    """The G groups that have an estimate, in order, on a design of their units only.

    ``design`` carries the position of each row's group under :data:`GROUP`; ``of`` [N] the same by unit; ``notes`` name what is left out.
    """

    design: Design
    of: Index
    groups: tuple[GroupFit, ...]
    notes: tuple[Note, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """[G] the groups' names."""
        return tuple(g.label for g in self.groups)


def treated_clusters(design: Design) -> int:
    """Clusters, by the first grouping, that have a treated unit."""
    return len(np.unique(design.clusters[0].codes[design.cohort[design.unit] != NEVER]))


def codes_of(design: Design, groups: pl.DataFrame) -> tuple[Index, tuple[str, ...]]:
    """[N] position of each unit's group (-1: in none), and the names of the groups in order."""
    labels = group_order(groups)
    place = {label: k for k, label in enumerate(labels)}
    own = {str(u): place.get(str(g), -1) for u, g in groups.select("unit", "group").iter_rows()}
    return np.array([own.get(str(u), -1) for u in design.unit_labels.tolist()], dtype=np.intp), labels


def fit_groups(design: Design, of: Index, labels: Sequence[str], method: str, options: Mapping[str, Any]) -> GroupFits:
    """Fit ``method`` within each group of units.

    Args:
        design: N units.
        of: [N] position of each unit's group in ``labels``, -1 where it is in none.
        labels: names of the groups.
        method: any estimator;  options: its own.

    Raises:
        EstimationError: fewer than two groups have an estimate.
    """
    marked = replace(design, clusters=tuple(map(_labelled, design.clusters)), columns={**design.columns, GROUP: of[design.unit]})
    found: list[GroupFit] = []
    notes: list[Note] = []
    kept: list[int] = []
    if (of < 0).any():
        notes.append(Note("het-no-group", {"count": int((of < 0).sum())}))
    for k, label in enumerate(labels):
        outcome = _fit_one(marked, of == k, label, method, options)
        if isinstance(outcome, Note):
            notes.append(outcome)
        else:
            found.append(outcome)
            kept.append(k)
    if len(found) < 2:
        why = "; ".join(str(n) for n in notes)
        what = f"{len(found)} of {len(labels)} group(s) can be estimated by {method}, so that there is no difference to test"
        raise EstimationError(
            Finding("nothing-to-compare", what, why or "groups", "name groups that hold treated and comparison units"), "groups"
        )
    position = np.full(len(labels) + 1, -1)
    position[kept] = np.arange(len(kept))
    joint = marked.take(position[of][marked.unit] >= 0)
    joint = replace(joint, columns={**joint.columns, GROUP: position[joint.columns[GROUP]]})
    by_unit = np.zeros(joint.n_units, dtype=np.intp)
    by_unit[joint.unit] = joint.columns[GROUP]
    return GroupFits(joint, by_unit, tuple(found), tuple(notes))


def _labelled(factor: Factor) -> Factor:
    """The grouping with labels, so that the clusters of two groups can be told to be the same."""
    return factor if factor.labels is not None else replace(factor, labels=np.arange(factor.size).astype(np.str_))


def _fit_one(design: Design, units: NDArray[np.bool_], label: str, method: str, options: Mapping[str, Any]) -> GroupFit | Note:
    """The group's fit, or why it has none."""
    if not units.any():
        return Note("het-empty-group", {"group": label})
    part = design.take(units[design.unit])
    if part.n_treated == 0:
        return Note("het-no-treated", {"group": label, "units": part.n_units})
    if (part.cohort != NEVER).all() and len(part.cohorts) == 1:
        return Note("het-no-comparison", {"group": label, "units": part.n_units})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the notes of each fit say the same
            whole = fit(part, method, **options)
            effects = target(whole, None)
    except EstimationError as error:
        return Note("het-not-possible", {"group": label, "method": method, "reason": error.findings[0].code})
    if not np.isfinite(effects.estimate[0]):
        return Note("het-not-possible", {"group": label, "method": method, "reason": "no-cell"})
    return GroupFit(label, part, effects, whole.terms.name if whole.aggregation == "coefficient" else ())


FRAME: Mapping[str, pl.DataType] = {
    "group": pl.String(),
    **dict.fromkeys(("n_units", "n_obs", "n_treated", "n_treated_clusters"), pl.Int64()),
    "few": pl.Boolean(),
    **dict.fromkeys(("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"), pl.Float64()),
    **dict.fromkeys(("p_randomisation", "p_ferman_pinto", "few_low", "few_high"), pl.Float64()),
}


def group_frame(fits: GroupFits, few: int, draws: int, seed: int) -> pl.DataFrame:
    """One row per group, with the columns of :data:`FRAME`; the last four where few clusters are treated and they are defined."""
    rows: list[dict[str, Any]] = []
    for g in fits.groups:
        told = g.effects.tidy().row(0, named=True)
        counts = {"n_units": g.design.n_units, "n_obs": g.design.n_obs, "n_treated": g.design.n_treated}
        clusters = g.treated_clusters
        numbers = {k: told[k] for k in ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")}
        rows.append({"group": g.label, **counts, "n_treated_clusters": clusters, "few": clusters <= few, **numbers})
        if clusters <= few:
            rows[-1] |= _few(g, draws, seed)
    return pl.DataFrame(rows, schema=dict(FRAME)).with_columns(pl.col(pl.Float64).fill_nan(None))


def _few(group: GroupFit, draws: int, seed: int) -> dict[str, float]:
    """Randomisation within the group (by the t statistic), and the interval of Ferman and Pinto (2019); what is not defined is left out."""
    from hinterland.evaluate.few_treated import few_treated
    from hinterland.evaluate.placebo_space import placebo_space

    method, found = group.effects.method, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fit of the group has said it
        with suppress(EstimationError):
            found["p_randomisation"] = placebo_space(group.design, method, draws=draws, seed=seed).p_exact_statistic
        try:
            tested = few_treated(group.design, "ferman-pinto", estimator=method, draws=max(draws, 99), seed=seed)
        except EstimationError:
            return found
    return found | {"p_ferman_pinto": tested.p_value, "few_low": tested.conf_low, "few_high": tested.conf_high}


def few_note(fits: GroupFits, few: int) -> tuple[Note, ...]:
    """The groups whose own standard error is not to be trusted."""
    thin = [f"{g.label} ({g.treated_clusters})" for g in fits.groups if g.treated_clusters <= few]
    return (Note("het-few-treated", {"groups": ", ".join(thin), "few": few}),) if thin else ()
