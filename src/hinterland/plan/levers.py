"""The factors of a calibration: one for each parameter, host and span of years in which the host is under a programme to the same extent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.labels import Note
from hinterland.plan.changes import Change, where
from hinterland.plan.evidence import Evidence
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats
from hinterland.plan.rules import TARGETS, Rules, Transmission


@dataclass(frozen=True, slots=True, eq=False)
class Lever:
    """One factor of a calibration.

    Attributes:
        change: what is multiplied, where.
        rules: [r] positions of the rules that act on it.
        zone: part of the host under a programme, mean over the lever's years.
        tilt: mean over them of the part times the distance of the moderator from its centre, by rule [r].
    """

    change: Change
    rules: tuple[int, ...]
    zone: float
    tilt: Floats

    def logarithm(self, transmissions: Sequence[Transmission], evidence: Evidence, theta: Floats, kappa: Floats) -> Floats:
        """[n] logarithm of the factor for draws of the estimates [n, k] and of the elasticities [n, R]."""
        out = np.zeros(len(theta))
        for r, tilt in zip(self.rules, self.tilt, strict=True):
            t = transmissions[r]
            out += TARGETS[t.target].sign * kappa[:, r] * effect_of(t, evidence, theta, self.zone, tilt) * share_of(t, evidence, theta)
        return out

    def gradient(self, transmissions: Sequence[Transmission], evidence: Evidence, theta: Floats) -> Floats:
        """[k] derivative of the logarithm by each estimate."""
        one, out = theta[None, :], np.zeros(len(theta))
        for r, tilt in zip(self.rules, self.tilt, strict=True):
            t = transmissions[r]
            size, share = TARGETS[t.target].sign * t.elasticity, share_of(t, evidence, one)[0]
            effect, slope = evidence.at("effect", t.outcome), evidence.moderation_of(t.outcome)
            if effect is not None:
                out[effect] += size * share * self.zone
            if slope is not None:
                out[slope] += size * share * tilt
            part = evidence.at("share", t.outcome, t.through) if t.through else None
            if part is not None:
                out[part] += size * effect_of(t, evidence, one, self.zone, tilt)[0]
        return out


def effect_of(t: Transmission, evidence: Evidence, theta: Floats, zone: float, tilt: float) -> Floats:
    """[n] effect in log points times the part of the host that is under the programme."""
    effect, slope = evidence.at("effect", t.outcome), evidence.moderation_of(t.outcome)
    whole = theta[:, effect] * zone if effect is not None else np.zeros(len(theta))
    return np.asarray(whole if slope is None else whole + theta[:, slope] * tilt)


def effect_error(t: Transmission, evidence: Evidence, vcov: Floats, zone: float, tilt: float) -> float:
    """Standard error of :func:`effect_of`."""
    weight = np.zeros(len(vcov))
    for at, value in ((evidence.at("effect", t.outcome), zone), (evidence.moderation_of(t.outcome), tilt)):
        if at is not None:
            weight[at] = value
    return float(np.sqrt(max(float(weight @ vcov @ weight), 0.0)))


def share_of(t: Transmission, evidence: Evidence, theta: Floats) -> Floats:
    """[n] part of the effect that goes through the rule's mediator; 1 without one."""
    at = evidence.at("share", t.outcome, t.through) if t.through else None
    return np.ones(len(theta)) if at is None else np.asarray(theta[:, at])


def under(problem: Problem) -> Floats:
    """[region, year] part of each host under a programme; 0 for other regions."""
    part = problem["zone"].transpose("region", "year").values
    return np.where(problem["host"].values.astype(bool)[:, None], part, 0.0)


def levers_of(problem: Problem, evidence: Evidence, rules: Rules) -> tuple[list[Lever], tuple[Note, ...]]:
    """The factors of a calibration, one per parameter, host and span of years in which the host is under a programme to the same extent."""
    zone, regions = under(problem), [str(r) for r in problem.index["region"]]
    notes = [n for o in dict.fromkeys(t.outcome for t in rules.transmissions) for n in _moderation_notes(problem, evidence, o, zone)]
    out: list[Lever] = []
    for parameter in dict.fromkeys(TARGETS[t.target].parameter for t in rules.transmissions):
        mine = tuple(i for i, t in enumerate(rules.transmissions) if TARGETS[t.target].parameter == parameter)
        away = np.array([_away(problem, evidence, rules.transmissions[i].outcome) for i in mine])
        idle = []
        for r in np.flatnonzero(zone.max(axis=1) > 0):
            for years in _spans(problem, parameter, zone[r], away[:, r]):
                inside = np.isin(problem.years, years) if years else problem.decided
                change = Change(parameter, 1.0, years, (regions[r],))
                part = float(zone[r, inside].mean())
                if part <= 0:
                    continue
                values = problem[parameter].values[where(problem, change).values]
                if not (np.isfinite(values) & (values != 0)).any():
                    idle.append(regions[r])
                    continue
                out.append(Lever(change, mine, part, (zone[r] * away[:, r])[:, inside].mean(axis=1)))
        if idle:
            notes.append(Note("evidence-nothing-there", {"parameter": parameter, "regions": ", ".join(dict.fromkeys(idle))}))
    return out, tuple(notes)


def _away(problem: Problem, evidence: Evidence, outcome: str) -> Floats:
    """[region, year] distance of the moderator from its centre; 0 without moderation, or where the case does not give the moderator."""
    at = evidence.moderation_of(outcome)
    given = problem["segmentation"].transpose("region", "year").values
    if at is None or not given.any():
        return np.zeros(given.shape)
    return np.asarray(given - evidence.estimates[at].centre)


def _spans(problem: Problem, parameter: str, zone: Floats, away: Floats) -> list[tuple[int, ...] | None]:
    """Decided years in which a host is under a programme to the same extent; ``None`` for a parameter that does not vary by year."""
    if "year" not in problem[parameter].dims:
        return [None]
    key = np.column_stack([zone, *(zone * a for a in away)])
    groups: dict[tuple[float, ...], list[int]] = {}
    for year, free, k in zip(problem.years, problem.decided, key, strict=True):
        if free:
            groups.setdefault(tuple(k), []).append(year)
    return [tuple(years) for years in groups.values()]


def _moderation_notes(problem: Problem, evidence: Evidence, outcome: str, zone: Floats) -> list[Note]:
    """What a reader must know of the moderator in hosts under a programme."""
    at = evidence.moderation_of(outcome)
    if at is None:
        return []
    e = evidence.estimates[at]
    given = problem["segmentation"].transpose("region", "year").values
    if not given.any():
        return [Note("evidence-no-moderator", {"moderator": e.of})]
    inside: NDArray[np.bool_] = np.ones(given.shape, dtype=bool)
    if e.low is not None and e.high is not None:
        inside = (given >= e.low) & (given <= e.high)
    outside = np.atleast_1d((~inside & (zone > 0)).any(axis=1))
    beyond = [str(r) for r, bad in zip(problem.index["region"], outside, strict=True) if bad]
    if not beyond:
        return []
    return [Note("evidence-extrapolated", {"moderator": e.of, "regions": ", ".join(beyond), "low": e.low or 0.0, "high": e.high or 0.0})]
