"""The deviations of imputed effects that stand for their errors in the variance of Borusyak, Jaravel & Spiess (2024, section 4.3).

An effect τ̂_it = τ_it + error cannot be split; the variance takes its distance from the mean of a group of effects, which is the
error plus how far effects differ within the group: conservative, and exact where they do not differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.result import Floats
from hinterland.evaluate.untreated import Cells

Groups = Literal["cohort-period", "cohort", "event-time", "period", "all"]
Means = Literal["observation", "cluster"]
Ints = NDArray[np.int64]
ALL_OF_IT = 1 - 1e-5
"""A cluster with this share of a group's squared weights leaves nothing to compare it with (the limit of the authors' Stata command)."""


@dataclass(frozen=True, slots=True)
class Deviations:
    """``values`` [m] of the cells' rows;  ``alone``: labels of the groups that rest on one cluster."""

    values: Floats
    alone: tuple[str, ...]


def deviations(design: Design, cells: Cells, effect: Floats, rule: tuple[Groups, Means, bool]) -> Deviations:
    """Distances of the effects [m] of ``cells.rows`` from their group's mean.

    ``rule``: which rows form a group; how the mean weighs them; whether a cluster is left out of the mean it is compared with.

    With weights v of the average over all treated rows (in a cell they are proportional to those of any other target), the mean is
    Σ v² τ̂ / Σ v² (``observation``) or Σ_c V_c Σ_{i∈c} v τ̂ / Σ_c V_c², V_c = Σ_{i∈c} v (``cluster``).

    Raises ``EstimationError`` when a cluster is to be left out of a group that has no other.
    """
    groups, means, leave_out = rule
    v = np.ones(len(cells.rows)) if design.weight is None else design.weight[cells.rows]
    code, labels = _groups(cells, groups)
    if means == "observation" and not leave_out:
        squares = v * v
        total = np.bincount(code, weights=squares)
        centre = np.bincount(code, weights=squares * effect) / total
        return Deviations(effect - centre[code], _alone(np.bincount(code) == 1, labels))
    pair, back = np.unique(code.astype(np.int64) * design.clusters[0].size + design.clusters[0].codes[cells.rows], return_inverse=True)
    sums = np.bincount(back, weights=v)
    own = sums[back]
    total = np.bincount(code, weights=own * v)
    centre = np.bincount(code, weights=own * v * effect) / total
    alone = np.bincount(pair // design.clusters[0].size, minlength=len(labels)) == 1
    values = effect - centre[code]
    if leave_out:
        share = own * own / total[code]
        _fail_if_alone(labels, np.unique(code[share > ALL_OF_IT]), groups)
        values /= 1 - share
    return Deviations(values, _alone(alone, labels))


def _groups(cells: Cells, groups: Groups) -> tuple[NDArray[np.integer[Any]], list[str]]:
    """Group of each row [m], and the groups' labels."""
    cohort, time = cells.cohort, cells.time
    if groups == "all":
        return np.zeros(len(cells.rows), dtype=np.int64), ["all"]
    if groups == "cohort-period":
        return cells.code, [f"({g}, {t})" for g, t in zip(cohort, time, strict=True)]
    value = cohort if groups == "cohort" else time if groups == "period" else time - cohort
    labels, of_cell = np.unique(value, return_inverse=True)
    return of_cell.ravel()[cells.code], [str(x) for x in labels]


def _alone(alone: NDArray[np.bool_], labels: list[str]) -> tuple[str, ...]:
    return tuple(labels[i] for i in np.flatnonzero(alone))


def _fail_if_alone(labels: list[str], alone: Ints, groups: Groups) -> None:
    if not len(alone):
        return
    raise EstimationError(
        Finding(
            "leave-one-out-alone",
            f"{len(alone)} group(s) of effects rest on one cluster: without it nothing is left to compare it with",
            f"option leave_one_out with variance_groups={groups!r}: {listed([labels[i] for i in alone], 8)}",
            "choose broader groups, such as variance_groups='event-time'; leaving leave_one_out out would understate the standard errors",
        ),
        "options",
    )
