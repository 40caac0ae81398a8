"""Labelled algebra on linopy expressions, written once: sums by group, gathers, lags, subsets spread over their whole.

Everything stays sparse: linopy's ``groupby(...).sum()``, ``reindex`` and ``fillna`` work on rows of a sparse matrix in a model built with ``sparse=True``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

Expression = Any
"""A linopy variable or linear expression."""


def total(expression: Expression, of: str, positions: NDArray[np.int64], over: pd.Index[Any]) -> Expression:
    """Sum along the dimension ``of`` into the labels of ``over``.

    Args:
        expression: with dimension ``of``.
        of: the dimension that is summed.
        positions: [len(of)] position in ``over`` of each term; −1 leaves it out.
        over: labels of the result's dimension, named after it; labels without terms get 0.
    """
    if (positions < 0).any():
        expression = expression.isel({of: np.flatnonzero(positions >= 0)})
        positions = positions[positions >= 0]
    if not len(positions):
        return zero(expression, of, over)
    at = xr.DataArray(over.to_numpy()[positions], dims=[of], coords={of: expression.indexes[of]}, name=over.name)
    return _on(linear(expression).groupby(at).sum(), {str(over.name): over})


def zero(expression: Expression, of: str, over: pd.Index[Any]) -> xr.DataArray:
    """The constant 0 on the dimensions that a sum along ``of`` would have."""
    kept = [d for d in expression.dims if d not in (of, "_term")] if hasattr(expression, "dims") else []
    coords = {str(over.name): over, **{d: expression.indexes[d] for d in kept}}
    return xr.DataArray(np.zeros(tuple(len(c) for c in coords.values())), dims=list(coords), coords=coords)


def gather(expression: Expression, dim: str, positions: NDArray[np.int64], new: pd.Index[Any]) -> Expression:
    """Each label of ``new`` with what ``expression`` has at a position of ``dim``."""
    taken = linear(expression).isel({dim: xr.DataArray(positions, dims=[str(new.name)])})
    return taken.drop_vars(dim).assign_coords({str(new.name): new})


def gathered(values: xr.DataArray, dim: str, positions: NDArray[np.int64], new: pd.Index[Any]) -> xr.DataArray:
    """The same of an array of numbers."""
    return values.isel({dim: xr.DataArray(positions, dims=[str(new.name)])}).drop_vars(dim).assign_coords({str(new.name): new})


def lag(expression: Expression, steps: int, years: pd.Index[Any], dim: str = "year") -> Expression:
    """What ``expression`` was ``steps`` years before: 0 in the first years."""
    if steps == 0:
        return linear(expression)
    if steps >= len(years):
        return 0 * expression
    earlier = linear(expression).isel({dim: slice(0, len(years) - steps)}).assign_coords({dim: years[steps:]})
    return earlier.reindex({dim: years}).fillna(0)


def spread(expression: Expression, **over: pd.Index[Any]) -> Expression:
    """An expression of some labels, on all labels of a dimension: 0 elsewhere."""
    return _on(linear(expression), over)


def linear(expression: Expression) -> Expression:
    """A variable as an expression; an expression as it is."""
    return expression.to_linexpr() if hasattr(expression, "to_linexpr") else expression


def _on(expression: Expression, over: Mapping[str, pd.Index[Any]]) -> Expression:
    """The expression on all labels of some dimensions, in their order: 0 where it has none."""
    if all(expression.indexes[d].equals(index) for d, index in over.items()):
        return expression
    return expression.reindex(over).fillna(0)


def rows_where(mask: NDArray[np.bool_], index: pd.Index[Any]) -> pd.Index[Any]:
    """The labels where ``mask`` holds, under the same name."""
    return pd.Index(index[mask], name=index.name)


def at_most(values: xr.DataArray) -> xr.DataArray:
    """Upper limits: infinite where none is given."""
    return values.where(values.notnull(), np.inf)


def at_least(values: xr.DataArray) -> xr.DataArray:
    """Lower limits: minus infinity where none is given."""
    return values.where(values.notnull(), -np.inf)


def column(values: NDArray[Any] | Sequence[Any], *index: pd.Index[Any]) -> xr.DataArray:
    """An array with one labelled dimension per index."""
    return xr.DataArray(np.asarray(values), dims=[str(i.name) for i in index], coords={str(i.name): i for i in index})
