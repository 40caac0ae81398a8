"""A model as text that a person can read and check against its formulas: named rows with labels, bounds, and what costs count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hinterland.plan.frames import named
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem

__all__ = ["as_text"]

Floats = NDArray[np.float64]


def as_text(model: Model, rows: Iterable[str] | None = None, costs: Sequence[str] = ()) -> str:
    """Rows, bounds and costs of a model, one a line, always in the same order.

    ::

        capacity[inland/chips, 2027]: 1 capacity[inland/chips, 2027] - 0.9 capacity[inland/chips, 2026] - 1 arrivals[inland/chips, 2026] = 0

    Rows without a limit are left out. Of variables, those that occur and do not reach from 0 to infinity are listed with their bounds.

    Args:
        model: the built model.
        rows: blocks of rows, or families such as ``C7``; every block by default.
        costs: parts of the discounted cost that are listed too.

    Raises:
        KeyError: a part of cost that the model does not have.
    """
    names = variable_names(model)
    chosen = list(model.rows) if rows is None else _chosen(model, set(rows))
    lines, used = [], np.zeros(len(names), dtype=bool)
    for block in chosen:
        row = model.rows[block]
        lines.append(f"# {block}: {row.family}, {row.unit}")
        for line, at in _rows(model, block, names):
            lines.append(line)
            used[at] = True
    bounds = list(_bounds(model, names, used))
    if bounds:
        lines += ["# bounds", *bounds]
    for part in costs:
        lines.append(f"# cost: {part}")
        lines += [f"{_number(model.costs[part][n])} {names[n]}" for n in np.flatnonzero(model.costs[part])]
    return "\n".join(lines) + "\n"


def _chosen(model: Model, asked: set[str]) -> list[str]:
    """Blocks that are named, or whose family is."""
    return [name for name, row in model.rows.items() if name in asked or row.family in asked]


def variable_names(model: Model) -> list[str]:
    """[n] the name of each variable with its labels."""
    out = [""] * model.program.shape[1]
    for name, (start, end, _) in model.program.columns.items():
        for n, label in zip(range(start, end), labels(model.problem, model.labels[name]), strict=True):
            out[n] = f"{name}[{label}]" if label else name
    return out


def labels(problem: Problem, index: Sequence[pd.Index[Any]]) -> list[str]:
    """Labels of a block, in the order of its vector: dimensions by commas, the year last; the parts of one dimension by strokes."""
    texts: list[tuple[str, ...]] = [()]
    for dim in index:
        columns = [[("" if v is None else str(v)) for v in s] for s in named(problem, dim).values()]
        own = ["/".join(part for part in parts if part) for parts in zip(*columns, strict=True)]
        texts = [(*t, o) for t in texts for o in own]
    last = sorted(range(len(index)), key=lambda n: index[n].name == "year")
    return [", ".join(t[n] for n in last) for t in texts]


def _rows(model: Model, block: str, names: list[str]) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """Each row that limits something as text, with the variables that it holds."""
    p = model.program
    start, end, _ = p.rows[block]
    for n, label in zip(range(start, end), labels(model.problem, model.labels[f"row:{block}"]), strict=True):
        low, high = p.row_lower[n], p.row_upper[n]
        if not (np.isfinite(low) or np.isfinite(high)):
            continue
        at = np.sort(p.matrix.indices[p.matrix.indptr[n] : p.matrix.indptr[n + 1]])
        values = np.asarray(p.matrix[[n]].toarray()).ravel()[at]
        side = f"= {_number(low)}" if low == high else f"<= {_number(high)}" if np.isfinite(high) else f">= {_number(low)}"
        yield (
            f"{block}[{label}]: {_sum(values, [names[j] for j in at])} {side}"
            if label
            else f"{block}: {_sum(values, [names[j] for j in at])} {side}",
            at,
        )


def _sum(values: Floats, names: list[str]) -> str:
    terms = [f"{'-' if v < 0 else '+'} {_number(abs(v))} {n}" for v, n in zip(values, names, strict=True)]
    return " ".join(terms).removeprefix("+ ") if terms else "0"


def _bounds(model: Model, names: list[str], used: NDArray[np.bool_]) -> Iterator[str]:
    """Bounds of the variables that are used and are not simply nonnegative."""
    p = model.program
    for n in np.flatnonzero(used):
        low, high = p.lower[n], p.upper[n]
        if p.integral[n]:
            yield f"{names[n]} is 0 or 1" if (low, high) == (0, 1) else f"{names[n]} is whole, {_number(low)} to {_number(high)}"
        elif low == high:
            yield f"{names[n]} = {_number(low)}"
        elif not np.isfinite(low) and not np.isfinite(high):
            yield f"{names[n]} is free"
        elif low != 0 or np.isfinite(high):
            parts = [f"{_number(low)} <= " if np.isfinite(low) else "", names[n], f" <= {_number(high)}" if np.isfinite(high) else ""]
            yield "".join(parts)


def _number(value: float) -> str:
    """Ten significant digits, and no negative zero."""
    return f"{value + 0.0:.10g}"
