"""Tables of the record that hold measured indicators."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from hinterland.measure.indicator import LABEL_KEYS, NUMBER_KEYS

_TEXT, _WHOLE, _REAL = pl.String(), pl.Int64(), pl.Float64()

MEASURE_TABLES: Mapping[str, Mapping[str, pl.DataType]] = {
    "measures": {
        **dict.fromkeys(("measure", "indicator", "component", *LABEL_KEYS), _TEXT),
        "time": _WHOLE,
        **dict.fromkeys(NUMBER_KEYS, _REAL),
        "value": _REAL,
        "n_used": _WHOLE,
        "coverage": _REAL,
        "reason": _TEXT,
    },
    "measure_models": {
        **dict.fromkeys(("measure", "indicator", "family", "input", "variant", "unit", "formula", "source"), _TEXT),
        **dict.fromkeys(("component", "components", "keys", "column", "region_column", "selected"), _TEXT),
        **dict.fromkeys(("roles", "parameters", "meta", "input_hash", "label_en", "label_zh"), _TEXT),
        **dict.fromkeys(("n_rows", "n_results", "n_values", "first", "last", "shown_first", "shown_last"), _WHOLE),
        **dict.fromkeys(("low", "high", "coverage"), _REAL),
    },
    "measure_findings": dict.fromkeys(("measure", "code", "what", "where", "remedy", "severity"), _TEXT),
    "measure_excluded": {
        **dict.fromkeys(("measure", "owner", "source", "why_en", "why_zh", "region"), _TEXT),
        **dict.fromkeys(("rule", "time", "n", "before"), _WHOLE),
    },
    "measure_places": {**dict.fromkeys(("measure", "region", "code", "name_zh", "name_en", "level"), _TEXT), "lon": _REAL, "lat": _REAL},
    "measure_labels": dict.fromkeys(("measure", "label", "code", "name_zh", "name_en"), _TEXT),
    "measure_outlines": {
        **dict.fromkeys(("measure", "region"), _TEXT),
        **dict.fromkeys(("shape", "part", "ring"), _WHOLE),
        **dict.fromkeys(("lon", "lat"), _REAL),
    },
}
