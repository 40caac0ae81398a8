"""The tables of a run record about matching: their columns and types."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from hinterland.evaluate.matching_balance import BALANCE

_TEXT, _WHOLE, _REAL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

MATCHING: Mapping[str, Mapping[str, pl.DataType]] = MappingProxyType(
    {
        "matching": {
            **dict.fromkeys(("row", "method", "by", "when", "covariates"), _TEXT),
            **dict.fromkeys(("n_treated", "n_treated_matched", "n_comparison", "n_comparison_matched"), _WHOLE),
            **dict.fromkeys(("effective", "largest_before", "largest_after"), _REAL),
        },
        "matching_balance": {"row": _TEXT, "variable": _TEXT, **dict.fromkeys(BALANCE, _REAL)},
        "matching_scores": {
            "row": _TEXT,
            "unit": _TEXT,
            "period": _WHOLE,
            "treated": _FLAG,
            "score": _REAL,
            "weight": _REAL,
            "status": _TEXT,
        },
    }
)
