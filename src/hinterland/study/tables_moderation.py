"""The tables of a run record that moderation fills."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from hinterland.evaluate.moderation_tables import BINS, EFFECTS, SLOPES

_HEAD: Mapping[str, pl.DataType] = MappingProxyType({"outcome": pl.String(), "moderator": pl.String()})
_REAL = pl.Float64()


def _typed(schema: Mapping[str, type[pl.DataType]]) -> dict[str, pl.DataType]:
    return {name: kind() for name, kind in schema.items()}


MODERATION_TABLES: Mapping[str, Mapping[str, pl.DataType]] = MappingProxyType(
    {
        "moderation": {
            **_HEAD,
            **_typed(SLOPES),
            "column": pl.String(),
            "fixed": pl.String(),
            "level": pl.String(),
            "cluster": pl.String(),
            **dict.fromkeys(("centre", "scale", "support_low", "support_high", "l_kurtosis"), _REAL),
            **dict.fromkeys(("linearity", "linearity_df1", "linearity_df2", "linearity_p", "linearity_p_wild"), _REAL),
        },
        "moderation_effects": {**_HEAD, **_typed(EFFECTS)},
        "moderation_bins": {**_HEAD, **_typed(BINS)},
        "moderation_histogram": {**_HEAD, "low": _REAL, "high": _REAL, "n_treated": pl.Int64(), "n_comparison": pl.Int64()},
    }
)
"""``moderation``: one row per slope; ``moderation_effects``: the effect along the line; ``moderation_bins``; ``moderation_histogram``."""
