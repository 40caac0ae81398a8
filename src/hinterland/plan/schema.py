"""What a case may hold: its tables, their keys, and every parameter with its dimensions, unit, default and range.

The two lists are data (``catalogue/tables.csv`` and ``catalogue/parameters.csv``); reader, validator and documentation take them from here.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal, cast

Kind = Literal["number", "whole", "flag", "text"]
FURTHER = ("resource", "skill", "kind", "instrument", "enclave", "gate", "role", "market", "phase")
"""Dimensions of named labels beside region and industry; a parameter has one of them at most."""


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table of a case: ``keys`` identify a row, and a blank in an optional key stands for all."""

    name: str
    keys: tuple[str, ...]
    optional_keys: tuple[str, ...]
    required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """A parameter: a column of a table, with the dimensions it has in the model.

    ``default`` is ``None`` where a parameter that is not given means that there is no such limit.
    """

    name: str
    table: str
    column: str
    kind: Kind
    dims: tuple[str, ...]
    unit: str
    default: float | bool | str | None
    low: float | None
    high: float | None
    meaning: str

    @property
    def further(self) -> str | None:
        """The dimension of :data:`FURTHER` that the parameter has; ``None`` where it has none."""
        return next((d for d in self.dims if d in FURTHER), None)


@cache
def tables() -> Mapping[str, TableSpec]:
    """Every table by name."""
    return MappingProxyType(
        {
            row["table"]: TableSpec(
                row["table"], _names(row["keys"]), _names(row["optional_keys"]), row["required"] == "yes", row["meaning"]
            )
            for row in _rows("tables.csv")
        }
    )


@cache
def parameters() -> Mapping[str, ParameterSpec]:
    """Every parameter by name."""
    return MappingProxyType({row["parameter"]: _parameter(row) for row in _rows("parameters.csv")})


def columns_of(table: str) -> Mapping[str, ParameterSpec]:
    """The parameters of one table, by column."""
    return MappingProxyType({p.column: p for p in parameters().values() if p.table == table})


def labels_in(written: str | None) -> tuple[str, ...]:
    """Labels that are written in one cell, joined by ``;``; none where it is empty."""
    return tuple(label for part in (written or "").split(";") if (label := part.strip()))


def _rows(name: str) -> list[dict[str, str]]:
    text = files("hinterland.plan").joinpath("catalogue", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _names(written: str) -> tuple[str, ...]:
    return tuple(written.split(";")) if written else ()


def _parameter(row: Mapping[str, str]) -> ParameterSpec:
    kind = cast(Kind, row["kind"])
    written = row["default"]
    default: float | bool | str | None = None
    if written:
        default = written == "true" if kind == "flag" else written if kind == "text" else float(written)
    low, high = (float(row[k]) if row[k] else None for k in ("low", "high"))
    return ParameterSpec(
        row["parameter"], row["table"], row["column"], kind, _names(row["dims"]), row["unit"], default, low, high, row["meaning"]
    )
