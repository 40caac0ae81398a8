"""The channels through which treatment reaches a row: its unit's own, and that of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.design import Design
from hinterland.evaluate.result import BLANK
from hinterland.evaluate.spillover_exposure import Exposure
from hinterland.labels import Note

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

DIRECT = "direct"
SPILLOVER = "spillover"
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Channels:
    """The rows used and what reaches them.

    Attributes:
        design: the rows;  clean: [n] neither treated nor exposed.
        level: [n] own treatment;  amount: [n, q] exposures to that of others;  names: of the q exposures.
        age: [n] periods since adoption;  exposed_for: [n] periods since the unit was first exposed (``BLANK`` where it never is).
        on_treated: what happens to exposure of treated rows: ``no``, ``apart`` or ``same``.
        weights: [N, N] neighbours' weights of the design before any row was taken off, or ``None``.
        groups: the names of each named channel's exposures.
    """

    design: Design
    clean: Mask
    level: Floats
    amount: Floats
    names: tuple[str, ...]
    age: Ints
    exposed_for: Ints
    on_treated: str
    weights: csr_array | None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def take(self, keep: Mask, notes: Sequence[Note]) -> Channels:
        """The rows ``keep`` [n]."""
        return replace(
            self,
            design=self.design.take(keep, *notes),
            clean=self.clean[keep],
            level=self.level[keep],
            amount=self.amount[keep],
            age=self.age[keep],
            exposed_for=self.exposed_for[keep],
        )

    @property
    def columns(self) -> tuple[Floats, tuple[str, ...]]:
        """[n, p] own treatment, then the exposures as ``on_treated`` says, and their names."""
        own = self.level != 0
        parts, names = [self.level], [DIRECT]
        for j, name in enumerate(self.names):
            exposure = self.amount[:, j]
            parts.append(exposure if self.on_treated == "same" else np.where(own, 0.0, exposure))
            names.append(name)
        if self.on_treated == "apart":
            parts += [np.where(own, self.amount[:, j], 0.0) for j in range(len(self.names))]
            names += [f"{name}, treated" for name in self.names]
        return np.column_stack(parts), tuple(names)


def channels_of(design: Design, level: Floats, exposure: Exposure, clean: Mask, on_treated: str) -> Channels:
    """The channels of every row of ``design``, with own treatment ``level`` [n] and the rows ``clean`` [n]."""
    reached = exposure.any
    ever = np.asarray(reached.any(axis=1))
    first = np.where(ever, reached.argmax(axis=1), 0)
    since = design.periods[design.period] - design.periods[first][design.unit]
    return Channels(
        design=design,
        clean=clean,
        level=level,
        amount=np.ascontiguousarray(exposure.amount[:, design.unit, design.period].T),
        names=exposure.names,
        age=design.event_time,
        exposed_for=np.where(ever[design.unit], since, BLANK),
        on_treated=on_treated,
        weights=exposure.weights,
        groups=exposure.groups,
    )


def channel_facts(sample: Channels, names: tuple[str, ...], mass: Floats) -> dict[str, dict[str, Any]]:
    """Of each named channel, the weighted sum ``mass`` [p] of the exposures ``names`` that are its own, and the weighted unit-periods it reaches."""
    weight = np.ones(sample.design.n_obs) if sample.design.weight is None else sample.design.weight
    free = sample.level == 0 if sample.on_treated == "no" else np.ones(sample.design.n_obs, dtype=np.bool_)
    terms, reached = {}, {}
    for channel, own in sample.groups.items():
        every = {*own, *(f"{name}, treated" for name in own)}
        terms[channel] = {n: float(m) for n, m in zip(names, mass, strict=True) if n in every}
        place = [sample.names.index(name) for name in own]
        reached[channel] = float(weight @ (free & (sample.amount[:, place] != 0).any(axis=1)))
    return {"channel_terms": terms, "channel_unit_periods": reached} if terms else {}
