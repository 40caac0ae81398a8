"""Named channels of spillovers: who may gain or lose from the treatment of others, and how they are linked to it.

A channel is one exposure: a rule of neighbours, rings, or a table of pairs, restricted to the units ``among`` which an effect is allowed.
Neighbours of treated units are one channel; the places that activity is taken from, wherever they lie, are another. Several channels enter
one fit side by side, so that each is told holding the others fixed, and the total adds them up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.spatial import host_weights
from hinterland.evaluate.spillover_exposure import (
    Exposure,
    Neighbourhood,
    coordinates_of,
    neighbour_exposure,
    neighbour_weights,
    ring_edges,
    ring_exposure,
)
from hinterland.labels import Note

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALL = "all"
"""What all channels together are called; no channel's name."""
NEAREST = 4
"""Neighbours of a channel that says nothing else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A channel as it is asked for.

    Attributes:
        among: units on which an effect is allowed; ``None``: all.
        rings: distances in kilometres, as in :func:`~.spillover_exposure.ring_edges`, instead of neighbours.
        neighbours: data frame with columns unit, neighbour (or host) and, if wanted, weight.
        nearest, within_km, decay: the nearest units, and how their weights fall with distance (to the power of -``decay``).
        partners: whom the nearest are sought among: all ``units``, or ``hosts``, those treated in the end. ``None``: hosts where ``among`` is given.
        others: untreated units outside ``among`` that the link reaches: ``controls``, or ``out`` of the fit while it does.
    """

    among: Any = None
    rings: Any = None
    neighbours: Any = None
    nearest: int | None = None
    within_km: float | None = None
    decay: float | None = None
    partners: str | None = None
    others: str = "controls"

    @property
    def rule(self) -> Neighbourhood:
        """Its neighbours."""
        return Neighbourhood(self.neighbours, NEAREST if self.nearest is None else self.nearest, self.within_km, self.decay or 0.0)

    @property
    def to_hosts(self) -> bool:
        """Whether the nearest are sought among hosts."""
        return self.neighbours is None and (self.partners == "hosts" or (self.partners is None and self.among is not None))


KEYS = tuple(f.name for f in fields(Asked))


def channels_asked(channels: Mapping[str, Mapping[str, Any]]) -> dict[str, Asked]:
    """The channels of option ``channels``. Raises ``EstimationError`` with everything that is wrong with them."""
    where, remedy = (
        "option channels of spillover",
        'name them: {"neighbours": {"nearest": 4}, "sources": {"among": units, "within_km": 800}}',
    )
    if not isinstance(channels, Mapping) or not channels or not all(isinstance(v, Mapping) for v in channels.values()):
        raise EstimationError(Finding("bad-channels", f"channels is {channels!r}", where, remedy), "options")
    fail_if_any([f for name, given in channels.items() for f in _findings(str(name), given)], "options", EstimationError)
    return {str(name): Asked(**given) for name, given in channels.items()}


def _findings(name: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    where = f"option channels of spillover, channel {name!r}"
    if name == ALL:
        yield Finding("bad-channels", f"a channel is called {ALL!r}, as all of them together are", where, "give it another name")
    unknown = [k for k in given if k not in KEYS]
    for key in unknown:
        yield Finding("unknown-option", f"a channel has no option {key!r}", where, did_you_mean(str(key), KEYS))
    if unknown:
        return
    asked = Asked(**given)
    for key, value, known in (("partners", asked.partners, ("hosts", "units", None)), ("others", asked.others, ("controls", "out"))):
        if value not in known:
            yield Finding("unknown-value", f"{key} is {value!r}", where, did_you_mean(str(value), [k for k in known if k]))
    yield from _link_findings(asked, where)
    if isinstance(asked.among, str):
        yield Finding("bad-among", f"among is {asked.among!r}", where, "give a list of units, as the panel writes them")


def _link_findings(asked: Asked, where: str) -> Iterator[Finding]:
    """Numbers that are none, and keys that another one leaves without a meaning."""
    if asked.rings is not None:
        try:
            ring_edges(asked.rings)
        except EstimationError as error:
            yield from error.findings
    if asked.within_km is not None and not (_number(asked.within_km) and asked.within_km > 0):
        yield Finding("bad-distance", f"within_km is {asked.within_km!r}", where, "give kilometres above 0")
    if asked.decay is not None and not (_number(asked.decay) and asked.decay >= 0):
        yield Finding("bad-decay", f"decay is {asked.decay!r}", where, "give a power of 0 or more")
    if asked.nearest is not None and (isinstance(asked.nearest, bool) or not isinstance(asked.nearest, int) or asked.nearest < 0):
        yield Finding("not-whole", f"nearest is {asked.nearest!r}", where, "give a whole number, 0 or more")
    if asked.nearest == 0 and asked.within_km is None and asked.neighbours is None and asked.rings is None:
        yield Finding("no-neighbours", "nearest is 0 and within_km is not given", where, "give one of them")
    leading = "rings" if asked.rings is not None else "neighbours" if asked.neighbours is not None else ""
    for key in ("neighbours", "nearest", "within_km", "decay", "partners"):
        if leading and key != leading and getattr(asked, key) is not None:
            yield Finding("option-unused", f"{key} has no meaning beside {leading}", where, f"give {leading} or {key}")
    if asked.among is None and asked.others != "controls":
        yield Finding("option-unused", "others has no meaning without among", where, "name the units among which an effect is allowed")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def channel_exposures(design: Design, channels: Mapping[str, Asked]) -> tuple[Exposure, Mask, Mask]:
    """What reaches each unit through every channel; [N, T] whether anything does when treatment starts ``anticipation`` periods earlier; and
    [N, T] what is to be left out: reached by a channel that is closed to the unit, and by none that is open.

    Raises ``EstimationError``: a channel that reaches nobody, with the reason; no coordinates.
    """
    parts: dict[str, _Reach] = {}
    findings: list[Finding] = []
    notes: list[Note] = []
    for name, asked in channels.items():
        try:
            parts[name] = _Reach.of(design, name, asked)
            notes += parts[name].notes
            _fail_if_nobody(design, name, asked, parts[name])
        except EstimationError as error:
            findings += error.findings
    fail_if_any(list(dict.fromkeys(findings)), "design", EstimationError)
    amount = np.concatenate([p.amount for p in parts.values()])
    groups = {name: p.names for name, p in parts.items()}
    actual = Exposure(tuple(n for p in parts.values() for n in p.names), amount, False, None, tuple(notes), groups)
    early = np.logical_or.reduce([p.early for p in parts.values()])
    closed = np.logical_or.reduce([p.closed for p in parts.values()])
    return actual, early, closed & ~early & ~actual.any


@dataclass(frozen=True, slots=True)
class _Reach:
    """``amount`` [q, N, T] of one channel where it is open;  ``early`` [N, T] anything, ``anticipation`` periods ahead;  ``closed`` [N, T]
    reached, but outside ``among``, with ``others="out"``;  ``open`` [N] units among which an effect is allowed.
    """

    names: tuple[str, ...]
    amount: Floats
    early: Mask
    closed: Mask
    open: Mask
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, design: Design, name: str, asked: Asked) -> _Reach:
        inside, notes = _among(design, name, asked.among)
        whole, ahead = _unrestricted(design, asked)
        names = (name,) if asked.rings is None else tuple(f"{name}, {n}" for n in whole.names)
        own = inside[:, None]
        closed = ahead & ~own if asked.others == "out" else np.zeros_like(ahead)
        return cls(names, whole.amount * own, ahead & own, closed, inside, (*notes, *whole.notes))


def _unrestricted(design: Design, asked: Asked) -> tuple[Exposure, Mask]:
    """The exposure of every unit, and [N, T] whether there is any when treatment starts ``anticipation`` periods earlier."""
    lead = design.anticipation
    if asked.rings is not None:
        edges = ring_edges(asked.rings)
        rings = ring_exposure(design, edges)
        return rings, ring_exposure(design, edges, lead).any if lead else rings.any
    notes: tuple[Note, ...] = ()
    if asked.to_hosts:
        rule, hosts = asked.rule, hosts_of(design)
        reach = np.inf if rule.within_km is None else rule.within_km
        weights = host_weights(coordinates_of(design), hosts, rule.nearest, reach, rule.decay)
    else:
        weights, notes = neighbour_weights(design, _with_hosts_named(asked.rule))
        # Units without neighbours are no surprise in a table of pairs, which names those it is about.
        notes = tuple(n for n in notes if asked.neighbours is None or n.code != "spillover-no-neighbours")
    share = design.dose if design.policy.partial == "dose" else np.ones(design.n_units)
    actual = neighbour_exposure(weights, (design.periods >= design.cohort[:, None]) * share[:, None], notes)
    if not lead:
        return actual, actual.any
    first = np.where(design.cohort == NEVER, NEVER, design.cohort - lead)
    return actual, neighbour_exposure(weights, (design.periods >= first[:, None]).astype(np.float64)).any


def hosts_of(design: Design) -> Mask:
    """[N] units that are treated in some period of the design."""
    return np.asarray((design.cohort != NEVER) & (design.cohort <= design.periods[-1]))


def _with_hosts_named(rule: Neighbourhood) -> Neighbourhood:
    """A table of pairs may call the second unit its host."""
    table = rule.table
    if not isinstance(table, pl.DataFrame) or "host" not in table.columns or "neighbour" in table.columns:
        return rule
    return Neighbourhood(table.rename({"host": "neighbour"}), rule.nearest, rule.within_km, rule.decay)


def _among(design: Design, name: str, among: Any) -> tuple[Mask, tuple[Note, ...]]:
    """[N] units among which an effect is allowed."""
    if among is None:
        return np.ones(design.n_units, dtype=np.bool_), ()
    wanted = {str(u) for u in among}
    labels = [str(u) for u in design.unit_labels.tolist()]
    inside = np.array([u in wanted for u in labels], dtype=np.bool_)
    where, lost = f"spillover, channel {name!r}, among", wanted - set(labels)
    if not inside.any():
        what = f"none of the {len(wanted)} unit(s) among which an effect is allowed is in the sample"
        raise EstimationError(Finding("nobody-among", what, where, f"use the panel's codes, such as {labels[0]!r}"), "design")
    if hosts_of(design)[inside].all():
        what = f"each of the {int(inside.sum())} unit(s) among which an effect is allowed is treated itself"
        raise EstimationError(Finding("among-treated", what, where, "name units that are not treated"), "design")
    note = Note("channel-units-outside", {"channel": name, "count": len(lost), "units": listed(sorted(lost), 8)})
    return inside, (note,) if lost else ()


def _fail_if_nobody(design: Design, name: str, asked: Asked, reach: _Reach) -> None:
    """Raise where no untreated row is reached by the channel."""
    at = (design.unit, design.period)
    if (~design.treated & (reach.amount != 0).any(axis=0)[at]).any():
        return
    who = "no untreated unit" if asked.among is None else f"none of the {int(reach.open.sum())} unit(s) among which an effect is allowed"
    linked = "wider rings" if asked.rings is not None else "more pairs" if asked.neighbours is not None else "a wider within_km"
    what, where = f"{who} is reached by the channel {name!r}", f"{design.n_treated} treated of {design.n_units} units"
    raise EstimationError(Finding("nobody-exposed", what, where, f"give {linked}, or name other units"), "design")


def beside_channels(given: Mapping[str, object], plain: Mapping[str, object], estimator: str, lag_covariates: object) -> list[Finding]:
    """Options of a single exposure that are set beside ``channels``, which have their own; and what channels are not defined with."""
    where = "options of spillover, beside channels"
    findings = [
        Finding("option-unused", f"{name} has no meaning beside channels", where, "give it to a channel, or leave channels out")
        for name, value in given.items()
        if value is not plain[name] and not (isinstance(value, str | int | float | tuple) and value == plain[name])
    ]
    if estimator == "sdm":
        remedy = "use estimator='two-stage' or 'twfe', or leave channels out"
        findings.append(Finding("not-defined", "the spatial Durbin model is not defined with channels", where, remedy))
    if lag_covariates:
        findings.append(Finding("option-unused", "lag_covariates has no meaning beside channels", where, "leave it out"))
    return findings
