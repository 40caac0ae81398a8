"""What a transfer analysis gives: frames, notes and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from hinterland.errors import Finding
from hinterland.labels import Note

__all__ = ["FRAMES", "Transfer"]

FRAMES = (
    "scale",
    "structure",
    "sources",
    "flows",
    "reception",
    "pattern",
    "drivers",
    "constraints",
    "selection",
    "phases",
    "security",
    "paths",
)
"""The frames of an analysis, in the order of its questions."""


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """The anatomy of transfer: a frame for each question, with the columns of :data:`hinterland.transfer.tables.TRANSFER_TABLES`.

    A part whose input was not given is absent, and a note says what to give.

    Attributes:
        scale: how much was redistributed.
        structure: of which kind, by group of industries.
        sources: where it came from and where it went.
        flows: from which region to which: observed, from models, imputed.
        reception: how hosts take it in.
        pattern: gradient, leapfrog, reverse-gradient or lateral.
        drivers: what pulls.
        constraints: what holds back.
        selection: what could come next.
        phases: breaks beside policy dates.
        security: what hosts would lose and could replace.
        paths: centres of gravity.
        notes: what the frames cannot say, and what is absent without which input.
        findings: warnings about the inputs.
        meta: regions, industries, years, cuts, hosts, sources, groups, and which inputs were given.
    """

    scale: pl.DataFrame
    structure: pl.DataFrame
    sources: pl.DataFrame
    flows: pl.DataFrame
    reception: pl.DataFrame
    pattern: pl.DataFrame
    drivers: pl.DataFrame
    constraints: pl.DataFrame
    selection: pl.DataFrame
    phases: pl.DataFrame
    security: pl.DataFrame
    paths: pl.DataFrame
    notes: tuple[Note, ...]
    findings: tuple[Finding, ...]
    meta: Mapping[str, Any]

    @property
    def tables(self) -> Mapping[str, pl.DataFrame]:
        """Every frame by the name of its table, ``transfer_scale`` and so on."""
        return MappingProxyType({f"transfer_{name}": getattr(self, name) for name in FRAMES})

    def __repr__(self) -> str:
        m = self.meta
        filled = [n for n in FRAMES if getattr(self, n).height]
        return (
            f"Transfer({len(m['regions'])} regions × {len(m['industries'])} industries, {m['years'][0]}–{m['years'][-1]}: "
            f"{', '.join(filled)}; {len(self.notes)} notes)"
        )
