"""Who is exposed to whose treatment, and how: rings of distance, or neighbours' treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.globe import on_sphere
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.design import Design
from hinterland.evaluate.spatial import local_order, nearest_km, nearest_weights, radius_weights, row_standardised
from hinterland.labels import Note

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What reaches each unit in each period from the treatment of others.

    Attributes:
        names: q kinds of exposure, such as ``ring 0-50 km``.
        amount: [q, N, T]: whether the unit is in the ring, or the (weighted) share of its neighbours that are treated.
        linear: an amount is a share whose effect is proportional, not an indicator.
        weights: [N, N] neighbours' weights, or ``None`` for rings.
        notes: what a reader must know.
        groups: the kinds of each named channel, where there are several channels.
    """

    names: tuple[str, ...]
    amount: Floats
    linear: bool
    weights: csr_array | None
    notes: tuple[Note, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def any(self) -> Mask:
        """[N, T] whether anything reaches the unit."""
        return np.asarray((self.amount != 0).any(axis=0))


def ring_edges(rings: Any) -> Floats:
    """[q, 2] inner and outer radius in kilometres from breakpoints (``[50, 100]``) or pairs (``[(0, 50), (50, 100)]``).

    Raises ``EstimationError``: not increasing distances above 0, or rings that overlap.
    """
    where, remedy = "option rings of spillover", "give increasing distances in kilometres, such as [50, 100], or pairs [(0, 50), (50, 100)]"
    try:
        values = np.asarray(rings, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim == 1 and len(values) and values[0] == 0:
        values = values[1:]
    edges = np.column_stack([np.concatenate([[0.0], values[:-1]]), values]) if values.ndim == 1 and len(values) else values
    flat = edges.reshape(-1)
    if edges.ndim != 2 or edges.shape[1:] != (2,) or not np.isfinite(flat).all() or (edges[:, 1] <= edges[:, 0]).any() or flat[0] < 0:
        raise EstimationError(Finding("bad-rings", f"rings is {rings!r}", where, remedy), "options")
    if (edges[1:, 0] < edges[:-1, 1]).any():
        raise EstimationError(Finding("bad-rings", f"rings {rings!r} overlap", where, remedy), "options")
    if edges[0, 0] > 0 or (edges[1:, 0] > edges[:-1, 1]).any():
        what = f"rings {rings!r} leave a gap, whose units would be taken for unexposed"
        raise EstimationError(Finding("bad-rings", what, where, "start at 0 and leave no distance out"), "options")
    return edges


def ring_exposure(design: Design, edges: Floats, lead: int = 0) -> Exposure:
    """The ring that the nearest *other* unit under treatment is in.

    Args:
        design: with coordinates.
        edges: [q, 2] from :func:`ring_edges`; a distance belongs to the ring with inner < km ≤ outer (0 to the first).
        lead: periods by which treatment is taken to start earlier.
    """
    km = nearest_treated(design, lead, float(np.max(edges)))
    inside = [(km <= high) & ((km > low) | (low == 0)) for low, high in edges]
    names = tuple(f"ring {low:g}-{high:g} km" for low, high in edges)
    return Exposure(names, np.array(inside, dtype=np.float64), linear=False, weights=None)


def nearest_treated(design: Design, lead: int = 0, reach: float = np.inf) -> Floats:
    """[N, T] kilometres to the nearest other unit that is under treatment in the period; infinite where there is none within ``reach``."""
    points = on_sphere(coordinates_of(design))
    order = local_order(points)
    points, first = points[order], np.where(design.cohort == NEVER, NEVER, design.cohort - lead)[order]
    nearest = np.full((design.n_units, design.n_periods), np.inf)
    for g in np.unique(first[first != NEVER]):
        since = int(np.searchsorted(design.periods, g))
        km = nearest_km(points, first == g, reach)
        np.minimum(nearest[:, since:], km[:, None], out=nearest[:, since:])
    out = np.empty_like(nearest)
    out[order] = nearest
    return out


def coordinates_of(design: Design) -> Floats:
    """[N, 2] coordinates. Raises ``EstimationError`` where there are none, naming the units."""
    where, remedy = "panel, coordinates", 'read the panel with coordinates=("lon", "lat"), or give neighbours='
    if design.coordinates is None:
        raise EstimationError(Finding("no-coordinates", "the panel has no coordinates to measure distances with", where, remedy), "design")
    bad = np.flatnonzero(~np.isfinite(design.coordinates).all(axis=1))
    if len(bad):
        what = f"{len(bad)} unit(s) have no coordinates: {listed(design.unit_labels[bad].tolist(), 8)}"
        raise EstimationError(Finding("no-coordinates", what, where, "fill them in, or leave these units out"), "design")
    return design.coordinates


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """How neighbours are found: a table of them, the ``nearest`` within ``within_km``, or all within ``within_km`` (``nearest`` 0)."""

    table: Any
    nearest: int
    within_km: float | None
    decay: float


def neighbour_weights(design: Design, rule: Neighbourhood) -> tuple[csr_array, tuple[Note, ...]]:
    """[N, N] row-standardised weights of each unit's neighbours, and notes on units without any."""
    if rule.table is not None:
        matrix, notes = _from_table(design, rule.table)
    elif rule.nearest > 0:
        reach = np.inf if rule.within_km is None else rule.within_km
        matrix, notes = nearest_weights(coordinates_of(design), rule.nearest, reach, rule.decay), ()
    else:
        matrix, notes = radius_weights(coordinates_of(design), float(rule.within_km or 0), rule.decay), ()
    alone = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if len(alone) == design.n_units:
        what = "no unit has a neighbour"
        raise EstimationError(
            Finding("no-neighbours", what, "option neighbours of spillover", "widen within_km, or complete the table"), "design"
        )
    if len(alone):
        units = listed(design.unit_labels[alone].tolist(), 8)
        notes = (*notes, Note("spillover-no-neighbours", {"count": len(alone), "units": units}))
    return matrix, notes


def neighbour_exposure(weights: csr_array, treatment: Floats, notes: Sequence[Note] = ()) -> Exposure:
    """The weighted share of neighbours under treatment, W·D, for ``treatment`` [N, T] between 0 and 1."""
    share = np.asarray(weights @ treatment)
    return Exposure(("neighbours treated",), share[None], linear=True, weights=weights, notes=tuple(notes))


def lagged(design: Design, weights: csr_array, column: Floats) -> Floats:
    """[n] W·x: the weighted mean of ``column`` [n] over the neighbours observed in the period; 0 where none is."""
    shape = (design.n_units, design.n_periods)
    values, seen = np.zeros(shape), np.zeros(shape)
    values[design.unit, design.period], seen[design.unit, design.period] = column, 1.0
    total, mass = np.asarray(weights @ values), np.asarray(weights @ seen)
    return np.asarray((total / np.where(mass > 0, mass, 1.0))[design.unit, design.period])


def lagged_covariates(design: Design, weights: csr_array) -> tuple[Floats, tuple[str, ...]]:
    """[n, k] W·x of every covariate, and their names."""
    columns = [lagged(design, weights, design.covariates[:, j]) for j in range(design.covariates.shape[1])]
    return np.column_stack([np.empty((design.n_obs, 0)), *columns]), tuple(f"neighbours' {name}" for name in design.covariate_names)


def _from_table(design: Design, table: Any) -> tuple[csr_array, tuple[Note, ...]]:
    """Weights from rows ``unit``, ``neighbour`` and, if given, ``weight``; units outside the design are passed over."""
    frame = _frame(table)
    place = {label: i for i, label in enumerate(design.unit_labels.tolist())}
    rows, columns = ([place.get(str(v), -1) for v in frame[c].cast(pl.String).to_list()] for c in ("unit", "neighbour"))
    i, j = np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)
    weight = frame["weight"].cast(pl.Float64).to_numpy() if "weight" in frame.columns else np.ones(len(i))
    findings = []
    if not (np.isfinite(weight) & (weight >= 0)).all():
        count = int((~(np.isfinite(weight) & (weight >= 0))).sum())
        findings.append(Finding("bad-weight", f"{count} weight(s) are negative or missing", "neighbours, column weight", "give 0 or more"))
    known = (i >= 0) & (j >= 0) & (i != j)
    if not known.any():
        what = f"no row of neighbours joins two units of the panel (such as {frame['unit'][0] if len(frame) else 'none'!r})"
        remedy = f"use the panel's codes, such as {design.unit_labels[0]!r}"
        findings.append(Finding("no-unit-matches", what, "option neighbours of spillover", remedy))
    fail_if_any(findings, "options", EstimationError)
    use = known & (weight > 0)
    lost = int((~known).sum())
    notes = (Note("spillover-neighbours-outside", {"count": lost, "total": len(i)}),) if lost else ()
    return row_standardised(i[use], j[use], weight[use], design.n_units), notes


def _frame(table: Any) -> pl.DataFrame:
    import narwhals as nw

    where, remedy = "option neighbours of spillover", "give a data frame with columns unit, neighbour and, if wanted, weight"
    try:
        frame = table if isinstance(table, pl.DataFrame) else nw.from_native(table, eager_only=True).to_polars()
    except TypeError as error:
        raise EstimationError(Finding("not-a-table", f"neighbours is {type(table).__name__}", where, remedy), "options") from error
    absent = [c for c in ("unit", "neighbour") if c not in frame.columns]
    if absent:
        raise EstimationError(Finding("unknown-column", f"neighbours has no column {listed(absent)}", where, remedy), "options")
    return frame
