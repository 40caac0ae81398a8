"""The register of estimators: ids, names, sources, options, and what each accepts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from hinterland.evaluate.entries import designs, group_time, imputation, regression, saturated, switchers, weighting
from hinterland.evaluate.method import Method, Option

__all__ = ["METHODS", "Method", "Option", "methods"]

METHODS: Mapping[str, Method] = MappingProxyType(
    {m.id: m for family in (regression, saturated, group_time, imputation, switchers, weighting, designs) for m in family.ENTRIES}
)


def methods() -> pl.DataFrame:
    """Every estimator: ``id, name, reference, family, accepts, options`` (one row each)."""
    return pl.DataFrame(
        {
            "id": [m.id for m in METHODS.values()],
            "name": [m.name for m in METHODS.values()],
            "reference": [m.reference for m in METHODS.values()],
            "family": [list(m.family) for m in METHODS.values()],
            "accepts": [sorted(m.accepts) for m in METHODS.values()],
            "options": [[f"{k}={o.default!r}" for k, o in m.options.items()] for m in METHODS.values()],
        }
    )
