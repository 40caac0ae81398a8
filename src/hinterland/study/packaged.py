"""The packaged data by name: what there is, and each as one table."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from hinterland.data import administrative, geography, industry_names
from hinterland.data.policy import policy_register, registers
from hinterland.data.sources import sources
from hinterland.data.world import WORLDS
from hinterland.errors import Finding, InputError, did_you_mean

_TABLES: dict[str, tuple[str, str, Callable[[], pl.DataFrame]]] = {
    "cities": ("geography", "prefecture-level units by code, with names, level, region and place", geography.cities),
    "provinces": ("geography", "provinces by code", geography.provinces),
    "province-adjacency": ("geography", "pairs of neighbouring provinces, with the rule behind each", geography.province_adjacency),
    "administrative-changes": (
        "geography",
        "prefectures abolished, divided, merged or re-coded since 2000",
        lambda: _flat(administrative.administrative_changes()),
    ),
    "industry-divisions": (
        "classification",
        "divisions 06–46 of GB/T 4754-2011 with names in both languages",
        industry_names.industry_divisions,
    ),
    "sources": ("catalogue", "public data that studies here are written for, with origin, units and cautions", sources),
}


def listing() -> pl.DataFrame:
    """Every packaged data set: ``name``, ``kind`` (register, geography, catalogue, region-set, world), ``what``."""
    rows = [(r, "register", policy_register(r).name_en) for r in registers()]
    rows += [(name, kind, what) for name, (kind, what, _) in _TABLES.items()]
    rows += [(name, "region-set", "units and the group they belong to") for name in geography.region_sets()]
    rows += [(name, "world", "simulated panel with known effects: hinterland data simulate") for name in WORLDS]
    return pl.DataFrame(rows, schema=["name", "kind", "what"], orient="row")


def table(name: str) -> pl.DataFrame:
    """One packaged data set as a table; a register with one row per unit, its zone's facts beside it.

    Raises:
        InputError: nothing of that name, or a world (which is simulated, not shown).
    """
    if name in registers():
        return _register(name)
    if name in _TABLES:
        return _TABLES[name][2]()
    if name in geography.region_sets():
        return geography.region_set(name)
    names = [*registers(), *_TABLES, *geography.region_sets()]
    remedy = f"simulate it: hinterland data simulate {name} -o world.parquet" if name in WORLDS else did_you_mean(name, names)
    raise InputError(Finding("unknown-data", f"there is no packaged table {name!r}", "argument NAME", remedy), "command line")


def _register(name: str) -> pl.DataFrame:
    register = policy_register(name)
    zones = register.zones.rename({c: f"zone_{c}" for c in ("name_zh", "name_en", "confidence", "note") if c in register.zones.columns})
    return register.members.join(zones, on="zone_id", how="left", maintain_order="left")


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as text, so that the table fits every format."""
    return frame.with_columns(pl.col(c).list.join(";") for c, t in frame.schema.items() if isinstance(t, pl.List))
