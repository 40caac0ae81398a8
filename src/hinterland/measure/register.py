"""The catalogue of indicators: ids, names, units, ranges, formulas, sources, inputs and cautions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from hinterland.measure.entries import (
    agglomeration,
    border_effect,
    breadth,
    breaks,
    capital,
    common_breaks,
    comovement,
    complexity,
    composite,
    convergence,
    density,
    flows,
    gravity,
    hsieh_klenow,
    inequality,
    location,
    markov,
    misallocation,
    multiregional,
    patent_quality,
    patents,
    price_convergence,
    production_links,
    productivity,
    relatedness,
    security,
    segmentation,
    shift_share,
    spatial,
    structure,
    transfer,
)
from hinterland.measure.indicator import Indicator

__all__ = ["INDICATORS", "indicators"]

_FAMILIES = (
    agglomeration,
    segmentation,
    border_effect,
    comovement,
    price_convergence,
    structure,
    composite,
    productivity,
    inequality,
    convergence,
    density,
    markov,
    spatial,
    capital,
    misallocation,
    hsieh_klenow,
    patents,
    patent_quality,
    breadth,
    shift_share,
    transfer,
    gravity,
    flows,
    location,
    multiregional,
    complexity,
    relatedness,
    security,
    production_links,
    breaks,
    common_breaks,
)

INDICATORS: Mapping[str, Indicator] = MappingProxyType({i.id: i for family in _FAMILIES for i in family.ENTRIES})
"""Every indicator by id."""


def indicators() -> pl.DataFrame:
    """Every indicator, one row each.

    Columns: ``id``, ``family``, ``name_en``, ``name_zh``, ``unit``, ``low``, ``high`` (null: no bound), ``formula`` (LaTeX), ``source``,
    ``inputs`` (columns it reads, optional ones in brackets), ``parameters`` (with defaults), ``components``, ``keys``, ``caution_en``,
    ``caution_zh``.
    """
    return pl.DataFrame([_row(i) for i in INDICATORS.values()], infer_schema_length=None).with_columns(
        pl.col("low", "high").cast(pl.Float64)
    )


def _row(indicator: Indicator) -> dict[str, object]:
    return {
        "id": indicator.id,
        "family": indicator.family,
        "name_en": indicator.name("en"),
        "name_zh": indicator.name("zh"),
        "unit": indicator.unit,
        "low": indicator.range[0],
        "high": indicator.range[1],
        "formula": indicator.formula,
        "source": indicator.source,
        "inputs": [r.name if r.required else f"[{r.name}]" for r in indicator.roles],
        "parameters": [f"{k}={p.default!r}" for k, p in indicator.parameters.items()],
        "components": list(indicator.components),
        "keys": list(indicator.keys),
        "caution_en": indicator.caution("en"),
        "caution_zh": indicator.caution("zh"),
    }
