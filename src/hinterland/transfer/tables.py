"""The frames of a transfer analysis: their columns, types and meaning. All are long: one number a row.

A row says what its number is (``measure``, ``component``), of whom (``region``, ``other``, ``industry``, ``group``), of when (``time_from``, ``time``), and
how good it is (``n_used``, ``coverage``, ``reason``). A key that does not apply, or over which a number is summed, is null. Labels are text whatever they
were in the caller's table; codes (``concept``, ``basis``, ``role``, ``label``, ``rule``) are said in words by :mod:`hinterland.labels`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

__all__ = ["COLUMNS", "TRANSFER_TABLES", "Column"]

_TEXT, _WHOLE, _REAL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, and what it holds."""

    dtype: pl.DataType
    meaning: str


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "concept": Column(_TEXT, "redistribution (net, no source), flow (from one region to another) or potential (what could move)"),
        "basis": Column(_TEXT, "what a flow rests on: observed, modelled, imputed; empty for concepts that are no flow"),
        "imputed": Column(_FLAG, "true where proportional matching stands in for data: an assumption, never to be read as an observation"),
        "measure": Column(_TEXT, "id of an indicator of the catalogue, or of a score of this analysis"),
        "component": Column(_TEXT, "which of the measure's numbers; empty where it has one"),
        "level": Column(_TEXT, "what the row is about: cell (region and industry), region, industry, group, region-group, all"),
        "role": Column(_TEXT, "source or host, where the number says which; empty otherwise"),
        "region": Column(_TEXT, "the region; in a pair the source, that is where the industry comes from"),
        "other": Column(_TEXT, "the second region of a pair; in a flow the host, that is where the industry goes"),
        "industry": Column(_TEXT, "the industry; null where the number is of a group or of all"),
        "group": Column(_TEXT, "the industry's group, such as by factor intensity; null without groups, and where the number is of all"),
        "item": Column(_TEXT, "the product whose supply is judged"),
        "series": Column(_TEXT, "the yearly series that a break is found in; common for all together"),
        "span": Column(_TEXT, "whole (first to last year), period (between two given years), year (one year to the next)"),
        "time_from": Column(_WHOLE, "first year of a change; null for a state"),
        "time": Column(_WHOLE, "year of a state, or last year of a change"),
        "value": Column(_REAL, "the number, in the unit of the measure; null where reason says why"),
        "std_error": Column(_REAL, "standard error of an estimate"),
        "conf_low": Column(_REAL, "lower end of its 95 % interval"),
        "conf_high": Column(_REAL, "upper end of its 95 % interval"),
        "weight": Column(_REAL, "size of the flow that is classified, or weight of a part in its composite"),
        "rank": Column(_WHOLE, "place among comparable rows, 1 first"),
        "longitude": Column(_REAL, "degrees east of the centre of gravity"),
        "latitude": Column(_REAL, "degrees north of the centre of gravity"),
        "distance": Column(_REAL, "km from the centre of the year before"),
        "bearing": Column(_REAL, "direction from the centre of the year before, degrees clockwise from north; null where it did not move"),
        "label": Column(_TEXT, "name that the scores give, said last: pattern, model, stage, quadrant; empty where none is given"),
        "policy": Column(_TEXT, "the policy whose date is set beside a break"),
        "rule": Column(
            _TEXT, "code of the sentence that explains the row (section rule of the labels); empty where the number speaks for itself"
        ),
        "values": Column(_TEXT, "JSON object that fills the sentence's fields; {} without a rule"),
        "n_used": Column(_WHOLE, "observations that entered"),
        "coverage": Column(_REAL, "share of what should have entered that did, 0 to 1"),
        "reason": Column(_TEXT, "code of why there is no number; empty where there is one"),
    }
)
"""Every column by name. Tables take theirs from here, so that a name means the same everywhere."""

_QUALITY = "n_used coverage reason"
_PERIOD = "span time_from time"

_LAYOUT: Mapping[str, str] = {
    "transfer_scale": f"concept measure component level region industry group {_PERIOD} value {_QUALITY}",
    "transfer_structure": f"concept measure component level region industry group {_PERIOD} value {_QUALITY}",
    "transfer_sources": f"concept basis imputed measure component role region other industry group {_PERIOD} value rank {_QUALITY}",
    "transfer_flows": f"concept basis imputed measure component region other industry group {_PERIOD} value {_QUALITY}",
    "transfer_reception": f"concept basis imputed measure component region other industry group {_PERIOD} weight value label rule values {_QUALITY}",
    "transfer_pattern": f"concept basis imputed measure component region other industry group {_PERIOD} weight value label {_QUALITY}",
    "transfer_drivers": f"concept measure component level region other industry group time value std_error conf_low conf_high rank label rule values {_QUALITY}",
    "transfer_constraints": f"measure component region industry time value weight rank rule values {_QUALITY}",
    "transfer_selection": f"concept measure component region other industry group time value rank label rule values {_QUALITY}",
    "transfer_phases": f"measure component series region industry group time_from time value std_error label policy rule values {_QUALITY}",
    "transfer_security": f"measure component level region other industry item time_from time value rank rule values {_QUALITY}",
    "transfer_paths": f"concept level industry group time longitude latitude distance bearing {_QUALITY}",
}

TRANSFER_TABLES: Mapping[str, Mapping[str, pl.DataType]] = MappingProxyType(
    {name: MappingProxyType({column: COLUMNS[column].dtype for column in columns.split()}) for name, columns in _LAYOUT.items()}
)
"""Columns and types of each frame, in order.

* ``transfer_scale``: how much was redistributed, by cell, region, industry and group: share-change, absolute-transfer, relative-transfer, gross-shift,
  closure-share, concentration-shift, shift-share, dynamic-shift-share, spatial-shift-share.
* ``transfer_structure``: of which kind: the same by group of industries, each group's part in the whole, and which industry is in which group.
* ``transfer_sources``: where it came from and went: net gains and losses, sums of flows by source and host, shares of sources in each host,
  undertaking-intensity; gradient coefficients as potential.
* ``transfer_flows``: from which region to which: observed, from models (multi-regional tables, gravity), imputed.
* ``transfer_reception``: how hosts take industries in: scores of each model of reception for each flow, horizontal and vertical links; label last.
* ``transfer_pattern``: gradient, leapfrog, reverse-gradient or lateral: three scores for each flow, label last; shares of the patterns.
* ``transfer_drivers``: what pulls: gravity coefficients, costs of location, stage of the product cycle, upstreamness, value added exported.
* ``transfer_constraints``: what holds back: parts of the composite, and the composite.
* ``transfer_selection``: what could come next: scores of candidate industries in each host, with the reason; similarity of hosts.
* ``transfer_phases``: breaks in yearly series beside policy dates, and the phases between them.
* ``transfer_security``: linkages, losses by extraction, self-sufficiency, concentration of supply, cover.
* ``transfer_paths``: centres of gravity year by year.
"""
