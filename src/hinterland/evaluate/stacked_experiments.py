"""Sub-experiments of a stacked design, one at a time: the stack itself is never built.

A sub-experiment holds one cohort and its clean controls over a window of event times. It is a balanced panel, so that regression on
cells beside unit-by-stack and period-by-stack effects is a difference of mean changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, listed
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.regression import independent_columns
from hinterland.evaluate.saturated import Ints, Mask
from hinterland.labels import Note


@dataclass(frozen=True, slots=True)
class Window:
    """Event times ``events`` [L], increasing; ``base``: position of the reference."""

    events: Ints
    base: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """The rows by unit and period: ``y`` [N, T], ``x`` [k, N, T], ``w`` [N, T] or ``None``, ``seen`` [N, T]."""

    y: Floats
    x: Floats
    w: Floats | None
    seen: Mask

    @classmethod
    def of(cls, design: Design) -> Tensor:
        """Zero where a unit is not observed."""
        shape = (design.n_units, design.n_periods)

        def grid(values: Floats) -> Floats:
            if design.balanced:
                return values.reshape(shape)
            out = np.zeros(shape)
            out[design.unit, design.period] = values
            return out

        seen = np.zeros(shape, dtype=np.bool_)
        seen[design.unit, design.period] = True
        x = np.array([grid(design.covariates[:, j]) for j in range(design.covariates.shape[1])]).reshape(-1, *shape)
        return cls(grid(design.y), x, None if design.weight is None else grid(design.weight), seen)


@dataclass(frozen=True, slots=True)
class Experiment:
    """One sub-experiment of M units and L periods.

    Attributes:
        cohort: its adoption period;  units: [M] indices, treated first;  n_treated: how many are.
        columns: [L] positions of its periods in the design.
        weight: [M] the units' sampling weights, those of the reference period.
    """

    cohort: int
    units: Ints
    n_treated: int
    columns: Ints
    weight: Floats

    @property
    def mass(self) -> tuple[float, float]:
        """Sum of the weights of treated and of control units."""
        return float(self.weight[: self.n_treated].sum()), float(self.weight[self.n_treated :].sum())

    def pick(self, grid: Floats) -> Floats:
        """[M, L] of a grid [N, T]."""
        return np.asarray(grid[self.units[:, None], self.columns])

    def means(self, values: Floats) -> tuple[Floats, Floats]:
        """[L] weighted means of values [M, L] of treated and control units."""
        n = self.n_treated
        one, zero = self.mass
        return self.weight[:n] @ values[:n] / one, self.weight[n:] @ values[n:] / zero

    def around(self, values: Floats) -> Floats:
        """[M, L] values less the mean of their group and period."""
        treated, control = self.means(values)
        out = values.copy()
        out[: self.n_treated] -= treated
        out[self.n_treated :] -= control
        return out


@dataclass(frozen=True, slots=True)
class Stack:
    """The sub-experiments and what was left out of them."""

    window: Window
    experiments: tuple[Experiment, ...]
    notes: tuple[Note, ...]

    def __iter__(self) -> Iterator[Experiment]:
        return iter(self.experiments)

    @property
    def n_rows(self) -> int:
        """Rows of the stack, were it built."""
        return sum(len(e.units) for e in self.experiments) * len(self.window.events)


def make_stack(design: Design, tensor: Tensor, window: Window) -> Stack:
    """The sub-experiments of every cohort whose window lies in the panel and that has clean controls.

    Clean controls are never treated or, with ``not-yet-treated``, not treated until after the window plus ``anticipation``. Units with
    a gap in the window are left out of that sub-experiment.

    Raises:
        EstimationError: no cohort is left.
    """
    position = {int(p): i for i, p in enumerate(design.periods)}
    made, outside, alone, gaps = [], [], [], 0
    for g in design.cohorts.tolist():
        labels = g + window.events
        if not all(int(p) in position for p in labels):
            outside.append(g)
            continue
        columns = np.array([position[int(p)] for p in labels])
        late = design.cohort > g + int(window.events[-1]) + design.anticipation
        clean = late if design.comparison == "not-yet-treated" else design.cohort == NEVER
        whole = tensor.seen[:, columns].all(axis=1)
        members = (design.cohort == g) | clean
        gaps += int((members & ~whole).sum())
        treated, control = np.flatnonzero((design.cohort == g) & whole), np.flatnonzero(clean & whole)
        if not len(treated) or not len(control):
            alone.append(g)
            continue
        units = np.concatenate([treated, control])
        weight = np.ones(len(units)) if tensor.w is None else tensor.w[units, columns[window.base]]
        made.append(Experiment(g, units, len(treated), columns, weight))
    notes = []
    low, high = int(window.events[0]), int(window.events[-1])
    if outside:
        notes.append(Note("stacked-outside", {"cohorts": listed(outside, 12), "low": low, "high": high}))
    if alone:
        notes.append(Note("stacked-no-controls", {"cohorts": listed(alone, 12)}))
    if gaps:
        notes.append(Note("stacked-gaps", {"count": gaps}))
    if not made:
        raise nothing_left(design, low, high)
    return Stack(window, tuple(made), tuple(notes))


def nothing_left(design: Design, low: int, high: int) -> EstimationError:
    """That no cohort can be followed through the window."""
    return EstimationError(
        Finding(
            "no-experiment",
            f"no cohort has the whole window of event times {low} to {high} and clean controls in it",
            f"cohorts {listed(design.cohorts.tolist(), 12)} in {design.periods[0]}–{design.periods[-1]}; {design.comparison}",
            "set a smaller kappa_pre or kappa_post, or comparison='not-yet-treated'; number periods consecutively",
        ),
        "design",
    )


def balance(stack: Stack, corrective: bool) -> Floats:
    """[A] weight of each sub-experiment's controls in the regression, treated units weighing one (Wing et al. 2024, table 1).

    Corrective weights give the controls of every sub-experiment the share that its treated units have.
    """
    if not corrective:
        return np.ones(len(stack.experiments))
    mass = np.array([e.mass for e in stack])
    share = mass / mass.sum(axis=0)
    return np.asarray(share[:, 0] / share[:, 1])


@dataclass(frozen=True, slots=True)
class Slopes:
    """Coefficients ``beta`` [k] of the covariates ``kept`` [k] (positions), common to all sub-experiments, and their influence [N, k]."""

    kept: Ints
    beta: Floats
    influence: Floats


def covariate_slopes(stack: Stack, tensor: Tensor, control_weight: Floats) -> Slopes:
    """Least squares of the outcome on the covariates, both net of units, and of the means of group and period, within sub-experiments."""
    units, k = tensor.y.shape[0], tensor.x.shape[0]
    if k == 0:
        return Slopes(np.empty(0, dtype=np.int64), np.empty(0), np.empty((units, 0)))
    gram, cross, raw = np.zeros((k, k)), np.zeros(k), np.zeros(k)
    for e, q in zip(stack, control_weight, strict=True):
        w = _row_weight(e, q)
        x = np.stack([_within(e, e.pick(column)).reshape(-1) for column in tensor.x], axis=1)
        y = _within(e, e.pick(tensor.y)).reshape(-1)
        gram += x.T @ (x * w[:, None])
        cross += x.T @ (y * w)
        raw += np.array([(e.pick(column).reshape(-1) ** 2) @ w for column in tensor.x])
    kept = np.flatnonzero(independent_columns(gram, raw, raw))
    bread = np.linalg.inv(gram[np.ix_(kept, kept)])
    beta = bread @ cross[kept]
    influence = np.zeros((units, len(kept)))
    for e, q in zip(stack, control_weight, strict=True):
        x = np.stack([_within(e, e.pick(tensor.x[j])) for j in kept], axis=2) if len(kept) else np.empty((len(e.units), 0, 0))
        residual = _within(e, e.pick(tensor.y)) - x @ beta if len(kept) else np.empty((len(e.units), 0))
        scores = np.einsum("ml,mlk->mk", residual, x) if len(kept) else influence[e.units]
        influence[e.units] += scores * _row_weight(e, q)[:: len(e.columns), None]
    return Slopes(kept, beta, influence @ bread)


def _row_weight(experiment: Experiment, q: float) -> Floats:
    """[M·L] weight of each row in the regression on the stack."""
    w = experiment.weight.copy()
    w[experiment.n_treated :] *= q
    return np.repeat(w, len(experiment.columns))


def _within(experiment: Experiment, values: Floats) -> Floats:
    """[M, L] values net of unit means, then of the means of group and period."""
    return experiment.around(values - values.mean(axis=1, keepdims=True))
