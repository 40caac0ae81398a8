"""Distance of observations to a frontier with undesirable outputs: directional distance and slacks-based inefficiency.

Shapes: observations have inputs ``x`` [n, N], good outputs ``y`` [n, M] and undesirable outputs ``b`` [n, J], all ≥ 0, in any units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hinterland.measure.simplex import INFEASIBLE, OPTIMAL, UNBOUNDED, maximise

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Distance = Literal["sbm", "ddf"]
Returns = Literal["crs", "vrs"]
Disposability = Literal["weak", "strong"]
Direction = Literal["own", "own-outputs", "mean"]
Weights = Literal["halves", "thirds", "equal"]


@dataclass(frozen=True, slots=True)
class Observations:
    """Inputs ``x`` [n, N], good outputs ``y`` [n, M], undesirable outputs ``b`` [n, J]; NaN where not known."""

    x: Floats
    y: Floats
    b: Floats

    @property
    def all(self) -> Floats:
        """[n, N + M + J]."""
        return np.hstack([self.x, self.y, self.b])

    def take(self, which: Bools) -> Observations:
        """The observations where ``which`` [n] holds."""
        return Observations(self.x[which], self.y[which], self.b[which])


@dataclass(frozen=True, slots=True)
class Model:
    """What a distance means.

    Attributes:
        distance: ``sbm``, the directional slacks-based inefficiency of Fukuyama & Weber (2009), in which every input and output has a
            slack of its own; ``ddf``, the directional distance of Chung, Färe & Grosskopf (1997), one step β for all of them.
        returns: constant (``crs``) or variable (``vrs``) returns to scale.
        disposability: of undesirable outputs, for ``ddf``. ``weak``: they fall only together with good ones; under variable returns
            with an abatement factor of each observation (Kuosmanen 2005). ``strong``: they are thrown away like inputs. For ``sbm``
            the two are one, since its slack of an undesirable output takes any amount of it away.
        direction: ``own``: the observation's own inputs and outputs; ``own-outputs``: its outputs only, (y, −b) (``ddf`` only);
            ``mean``: the means over all observations, one direction for all.
        weights: of the slacks in ``sbm``. ``halves``: ½ for inputs and ½ for outputs, good and undesirable alike; ``thirds``: ⅓ for
            each of the three; ``equal``: the same for each variable.
    """

    distance: Distance = "sbm"
    returns: Returns = "crs"
    disposability: Disposability = "weak"
    direction: Direction = "own"
    weights: Weights = "halves"

    def __post_init__(self) -> None:
        kinds = {"distance": Distance, "returns": Returns, "disposability": Disposability, "direction": Direction, "weights": Weights}
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                raise ValueError(f"{name} is {getattr(self, name)!r}; it is one of {', '.join(get_args(kind))}")
        if self.distance == "sbm" and self.direction == "own-outputs":
            raise ValueError("direction 'own-outputs' gives inputs no step; slacks-based inefficiency needs one: use 'own' or 'mean'")


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances of n observations.

    Attributes:
        value: [n], 0 on the frontier, larger below it, negative beyond it (``ddf`` against another period); NaN where there is none.
        reasons: code → [n] where it holds: ``missing-input``, ``negative-input``, ``zero-input`` (no input at all), ``zero-direction``
            (the direction has a zero that the distance divides by), ``infeasible`` (beyond the frontier that it is measured against),
            ``unbounded``, ``empty-frontier``.
    """

    value: Floats
    reasons: Mapping[str, Bools]


def usable(observations: Observations) -> Bools:
    """[n] whether an observation may stand on a frontier: all numbers known and ≥ 0, some input above 0."""
    everything = observations.all
    with np.errstate(invalid="ignore"):
        fine = np.isfinite(everything).all(axis=1) & (everything >= 0).all(axis=1) & (observations.x > 0).any(axis=1)
    return np.asarray(fine)


def distances(units: Observations, frontier: Observations, model: Model = Model(), mean: Floats | None = None) -> Distances:
    r"""Distance of ``units`` from the technology that the observations of ``frontier`` span.

    With weights :math:`\lambda \ge 0` of the frontier's observations (summing to one under variable returns):

    * ``sbm``: :math:`\max \tfrac12[\tfrac1N\sum s^x_n/g^x_n + \tfrac1{M+J}(\sum s^y_m/g^y_m + \sum s^b_j/g^b_j)]` subject to
      :math:`X\lambda + s^x = x,\; Y\lambda - s^y = y,\; B\lambda + s^b = b,\; s \ge 0`.
    * ``ddf``: :math:`\max\beta` subject to :math:`X\lambda \le x - \beta g^x,\; Y\lambda \ge y + \beta g^y,\; B\lambda = b - \beta g^b`
      (weak disposability; ≤ under strong).

    The optimum is unique; the weights and slacks that attain it are not, and are not returned.

    Args:
        units: n observations to be measured.
        frontier: k observations that span the technology; those that are not :func:`usable` are left out.
        model: what the distance means.
        mean: [N + M + J] direction for ``model.direction == "mean"``; the frontier's means by default.
    """
    spanning = frontier.take(usable(frontier))
    given = units.all
    step = _direction(units, spanning, model, mean)
    reasons = _reasons(units, step, len(spanning.x), model)
    ready = ~np.any(list(reasons.values()), axis=0)
    value, status = np.full(len(given), np.nan), np.full(len(given), -1)
    if ready.any():
        found = maximise(*_programs(given[ready], spanning, step[ready], model))
        value[ready], status[ready] = found.objective, found.status
    reasons |= {"infeasible": status == INFEASIBLE, "unbounded": status == UNBOUNDED}
    reasons["unsolved"] = ready & ~np.isin(status, (OPTIMAL, INFEASIBLE, UNBOUNDED))
    if model.distance == "sbm":
        value = np.maximum(value, 0.0)
    return Distances(value, MappingProxyType(reasons))


def _direction(units: Observations, frontier: Observations, model: Model, mean: Floats | None) -> Floats:
    """[n, N + M + J] size of the step of each variable."""
    if model.direction == "mean":
        step = frontier.all.mean(axis=0) if mean is None and len(frontier.x) else mean
        return np.broadcast_to(np.ones(units.all.shape[1]) if step is None else step, units.all.shape)
    step = units.all
    if model.direction == "own-outputs":
        step = np.hstack([np.zeros_like(units.x), units.y, units.b])
    return step


def _reasons(units: Observations, step: Floats, frontier: int, model: Model) -> dict[str, Bools]:
    """Why an observation cannot be measured at all."""
    everything = units.all
    with np.errstate(invalid="ignore"):
        none = (step <= 0).any(axis=1) if model.distance == "sbm" else ~(step > 0).any(axis=1)
        return {
            "missing-input": np.asarray(~np.isfinite(everything).all(axis=1)),
            "negative-input": np.asarray((everything < 0).any(axis=1)),
            "zero-input": np.asarray(~(units.x > 0).any(axis=1)),
            "zero-direction": np.asarray(none),
            "empty-frontier": np.full(len(everything), frontier == 0),
        }


def _programs(given: Floats, frontier: Observations, step: Floats, model: Model) -> tuple[Floats, Floats, Floats, Floats]:
    """Shared columns, own columns, costs and right-hand sides."""
    count, inputs, goods = len(given), frontier.x.shape[1], frontier.y.shape[1]
    shared, rhs = frontier.all.T, given
    sign = np.ones(given.shape[1])
    sign[inputs : inputs + goods] = -1.0
    slack = np.diag(sign)
    if model.distance == "sbm":
        own = np.broadcast_to(slack, (count, *slack.shape))
        cost = slack_weights(inputs, goods, frontier.b.shape[1], model.weights) / step
    else:
        kept = slack if model.disposability == "strong" else slack[:, : inputs + goods]
        beta = (np.where(sign < 0, -step, step))[:, :, None]
        own = np.concatenate([np.broadcast_to(kept, (count, *kept.shape)), beta, -beta], axis=2)
        cost = np.zeros((count, own.shape[2]))
        cost[:, -2:] = 1.0, -1.0
    if model.returns == "vrs":
        shared = np.vstack([_abated(shared, inputs, model), np.ones(shared.shape[1] * _copies(model))])
        own = np.concatenate([own, np.zeros((count, 1, own.shape[2]))], axis=1)
        rhs = np.hstack([rhs, np.ones((count, 1))])
    return shared, own, cost, rhs


def _copies(model: Model) -> int:
    return 2 if model.distance == "ddf" and model.disposability == "weak" else 1


def _abated(shared: Floats, inputs: int, model: Model) -> Floats:
    """Beside each observation, itself with all of its outputs abated (Kuosmanen 2005), where they are weakly disposable."""
    if _copies(model) == 1:
        return shared
    idle = shared.copy()
    idle[inputs:] = 0.0
    return np.hstack([shared, idle])


def slack_weights(inputs: int, goods: int, bads: int, weights: Weights) -> Floats:
    """[N + M + J] weight of each relative slack; they sum to one."""
    if weights == "equal":
        return np.full(inputs + goods + bads, 1.0 / (inputs + goods + bads))
    outputs = [(goods, 0.5 * goods / (goods + bads)), (bads, 0.5 * bads / (goods + bads))]
    groups = [(inputs, 0.5), *outputs]
    if weights == "thirds":
        groups = [(size, 1.0 / sum(s > 0 for s in (inputs, goods, bads))) for size in (inputs, goods, bads)]
    return np.concatenate([np.full(size, total / max(size, 1)) for size, total in groups])
