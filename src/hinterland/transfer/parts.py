"""The frames of an analysis from what was given, and what has to be said about them."""

from __future__ import annotations

from typing import Any

import polars as pl

from hinterland.labels import Note
from hinterland.transfer.arrivals import economy_of, link_rows, reception_frame
from hinterland.transfer.bilateral import fitted_rows, gravity_rows, imputed_rows, record_rows
from hinterland.transfer.chains import net_transfer_rows
from hinterland.transfer.chronology import phases_frame
from hinterland.transfer.conditions import constraints_frame
from hinterland.transfer.drivers import drivers_frame
from hinterland.transfer.given import Given
from hinterland.transfer.inputs import has_complexity
from hinterland.transfer.origins import sources_frame
from hinterland.transfer.pattern import levels_from_gradient, pattern_frame
from hinterland.transfer.places import paths_frame
from hinterland.transfer.prospects import selection_frame
from hinterland.transfer.result import Transfer
from hinterland.transfer.rows import conformed
from hinterland.transfer.scale import scale_frame
from hinterland.transfer.security import security_frame
from hinterland.transfer.structure import structure_frame

__all__ = ["assembled"]


def assembled(g: Given) -> Transfer:
    """The analysis of what was given."""
    scale = scale_frame(g.cells, neighbours=g.neighbours)
    phases = phases_frame(g.cells, scale, g.policies or {}, g.min_years)
    flows = _flows(g)
    levels = levels_from_gradient(g.cells) if g.levels is None and g.has_gradient else g.levels
    rich = {year: has_complexity(g.cells.data, year) for year in (g.cells.years[0], g.cells.years[-1])}
    thin = not rich[g.cells.years[0]]
    return Transfer(
        scale=scale,
        structure=structure_frame(g.cells, scale),
        sources=sources_frame(g.cells, scale, flows, g.records),
        flows=flows,
        reception=_reception(g, flows.clear() if thin else flows, levels),
        pattern=pattern_frame(g.cells, flows.clear() if thin else flows, levels),
        drivers=drivers_frame(g.cells, g.at, g.wages, g.chains, () if g.gravity is None else (gravity_rows(g.gravity),)),
        constraints=constraints_frame(g.conditions, g.cells.data.columns["time"]),
        selection=selection_frame(g.cells, g.planned, g.strategic, g.green, levels, rich=rich[g.cells.years[-1]]),
        phases=phases.frame,
        security=security_frame(g.cells, g.chains, g.threatened or (), g.utilisation),
        paths=paths_frame(g.cells, g.at),
        notes=(*notes_of(g, thin=not all(rich.values())), *phases.notes),
        findings=(
            *g.cells.data.findings,
            *phases.findings,
            *(f for part in (g.records, g.gravity, g.chains, g.planned, g.conditions) if part is not None for f in part.findings),
        ),
        meta=_meta(g),
    )


def _flows(g: Given) -> pl.DataFrame:
    parts = [] if g.records is None else [record_rows(g.records, g.cells)]
    parts += [] if g.gravity is None else [fitted_rows(g.gravity, g.cells)]
    parts += [] if g.chains is None else list(net_transfer_rows(g.chains))
    return conformed("transfer_flows", [g.cells.grouped(p) for p in [*parts, *imputed_rows(g.cells)]])


def _reception(g: Given, flows: pl.DataFrame, levels: Any) -> pl.DataFrame:
    economy = economy_of(g.cells, levels, chains=g.chains, wages=g.wages, at=g.at, zones=g.zones)
    links = None if g.records is None else link_rows(g.records, economy)
    return reception_frame(g.cells, flows, economy, same_unit=g.same_unit, links=links)


def notes_of(g: Given, *, thin: bool) -> tuple[Note, ...]:
    """What the frames cannot say, and what is absent without which input."""
    chains = 0 if g.chains is None else len(g.chains.tables)
    columns = g.cells.data.columns
    rules = {
        "transfer-net": True,
        "transfer-imputed": True,
        "transfer-too-thin": thin,
        "transfer-no-groups": not g.cells.groups,
        "transfer-no-flows": g.records is None,
        "transfer-no-own": g.records is not None and not g.records.own.height,
        "transfer-no-gravity": g.records is not None and g.gravity is None,
        "transfer-no-io": chains == 0,
        "transfer-one-io": chains == 1,
        "demand-driven": chains > 0,
        "transfer-no-labour": not g.has_gradient,
        "transfer-no-capital": g.has_gradient and "capital" not in columns,
        "transfer-no-levels": g.levels is None and not g.has_gradient,
        "transfer-levels-from-gradient": g.levels is None and g.has_gradient,
        "pattern-own-rule": g.levels is not None or g.has_gradient,
        "transfer-no-places": g.at is None,
        "transfer-no-neighbours": g.neighbours is None,
        "transfer-no-wages": g.at is not None and g.wages is None,
        "transfer-no-planned": g.planned is None,
        "transfer-no-importance": g.strategic is None or g.green is None,
        "transfer-no-conditions": g.conditions is None,
        "transfer-no-zones": g.zones is None,
        "transfer-flow-unit": g.records is not None and not g.same_unit,
        "transfer-no-policies": g.policies is None,
        "transfer-no-cover": chains > 0 and (not g.threatened or g.utilisation is None),
        "cover-own-index": chains > 0 and bool(g.threatened) and g.utilisation is not None,
        "product-cycle-ceiling": len(g.cells.years) >= 5,
    }
    return tuple(Note(code) for code, holds in rules.items() if holds)


def _meta(g: Given) -> dict[str, Any]:
    data = g.cells.data
    names = (
        "records",
        "gravity",
        "chains",
        "at",
        "neighbours",
        "levels",
        "wages",
        "planned",
        "strategic",
        "green",
        "conditions",
        "zones",
        "policies",
        "threatened",
        "utilisation",
    )
    return {
        "regions": data.labels("region").to_list(),
        "industries": data.labels("industry").to_list(),
        "years": list(g.cells.years),
        "cuts": list(g.cells.cuts),
        "hosts": list(g.cells.hosts),
        "sources": list(g.cells.sources),
        "groups": dict(g.cells.groups),
        "roles": dict(data.columns),
        "complete": data.complete,
        "n_rows": data.frame.height,
        "io_years": [] if g.chains is None else list(g.chains.years),
        "given": [n for n in names if getattr(g, n) is not None],
    }
