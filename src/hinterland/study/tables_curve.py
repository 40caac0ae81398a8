"""The record tables of the specification curve."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

_TEXT, _WHOLE, _REAL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

CHOICES: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "measure": _TEXT,
        "method": _TEXT,
        "timing": _TEXT,
        "partial": _TEXT,
        "uncertain": _TEXT,
        "comparison": _TEXT,
        "anticipation": _WHOLE,
        "sample": _TEXT,
        "window": _TEXT,
        "winsorise": _REAL,
        "covariates": _TEXT,
        "controls": _TEXT,
        "fe": _TEXT,
        "cluster": _TEXT,
    }
)
"""One column per choice; ``measure`` is the column that measures the outcome."""

CURVE_TABLES: Mapping[str, Mapping[str, pl.DataType]] = MappingProxyType(
    {
        "specifications": {
            "outcome": _TEXT,
            "specification": _WHOLE,
            **CHOICES,
            **dict.fromkeys(("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high", "df"), _REAL),
            **dict.fromkeys(("n_obs", "n_units", "n_treated", "n_clusters"), _WHOLE),
            "baseline": _FLAG,
            **dict.fromkeys(("p_exact", "p_adjusted", "null_low", "null_high"), _REAL),
        },
        "specification_inference": {
            "outcome": _TEXT,
            "kind": _TEXT,
            "statistic": _TEXT,
            **dict.fromkeys(("observed", "null_low", "null_mid", "null_high", "p_value"), _REAL),
            **dict.fromkeys(("n_specifications", "n_significant", "draws"), _WHOLE),
        },
        "specification_shares": {"outcome": _TEXT, "choice": _TEXT, "control": _TEXT, "options": _WHOLE, "share": _REAL, "range": _REAL},
        "specification_left_out": {"outcome": _TEXT, **CHOICES, "reason": _TEXT, "detail": _TEXT},
    }
)
"""``null_low`` and ``null_high``: where the estimate of the same rank lies in 95 % of the draws of the first joint test; ``p_exact`` and
``p_adjusted``: from the same draws, of each specification alone and step-down over all of them."""
