"""Which choice moves the estimate: how the variance of the estimates over specifications splits over the choices.

The estimates are regressed on indicators of the options of every choice. A choice's share is its average contribution to R² over all
orders in which the choices can enter (Lindeman, Merenda & Gold 1980; the value of Shapley 1953); in a full cross product every order
gives the same, the sums of squares of the analysis of variance. What is left of R² is interaction between choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import factorial

import numpy as np
import polars as pl

from hinterland.evaluate.coding import Floats

MOST = 11
"""Choices up to which every order is averaged over; beyond, the controls are one choice together."""
INTERACTION = "interaction"


def variance_shares(estimate: Floats, options: Mapping[str, Sequence[object]], controls: Mapping[str, Sequence[bool]]) -> pl.DataFrame:
    """``choice, control, options, share, range``: the largest share first, then what the choices do together.

    Args:
        estimate: [P].
        options: the option of each specification, by choice.
        controls: whether each control is in, by control.

    ``control`` is set where the choice is whether that control is in. ``share`` is of the variance of the estimates (null where they do not
    vary), ``range`` the distance between the largest and the smallest mean over the specifications with an option.
    """
    parts: dict[tuple[str, str | None], Floats] = {(name, None): _indicators(values) for name, values in options.items()}
    own: dict[tuple[str, str | None], Floats] = {
        ("controls", name): np.asarray(values, dtype=np.float64)[:, None] for name, values in controls.items()
    }
    varying = {key: x for key, x in (parts | own).items() if x.shape[1] and (np.ptp(x, axis=0) > 0).any()}
    if len(varying) > MOST:
        within = [x for key, x in varying.items() if key[1] is not None]
        varying = {key: x for key, x in varying.items() if key[1] is None}
        varying |= {("controls", None): np.column_stack(within)} if within else {}
    shares = _shapley(estimate - estimate.mean(), list(varying.values()))
    rows = [
        {"choice": choice, "control": control, "options": _count(x), "share": share, "range": _range(estimate, x)}
        for ((choice, control), x), share in zip(varying.items(), shares, strict=True)
    ]
    rows.sort(key=lambda r: -(r["share"] if r["share"] == r["share"] else 0.0))
    if rows:
        rest = 1 - float(np.sum(shares))
        rows.append({"choice": INTERACTION, "control": None, "options": 0, "share": rest, "range": None})
    schema = {"choice": pl.String, "control": pl.String, "options": pl.Int64, "share": pl.Float64, "range": pl.Float64}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("share").fill_nan(None))


def _indicators(values: Sequence[object]) -> Floats:
    """[P, options - 1]: an indicator for each option but the first."""
    levels = list(dict.fromkeys(values))
    return np.array([[v == level for level in levels[1:]] for v in values], dtype=np.float64).reshape(len(values), -1)


def _count(x: Floats) -> int:
    return int(np.unique(x, axis=0).shape[0])


def _range(estimate: Floats, x: Floats) -> float:
    """Distance between the largest and the smallest mean by option."""
    levels, code = np.unique(x, axis=0, return_inverse=True)
    code = code.reshape(-1)
    means = np.bincount(code, weights=estimate, minlength=len(levels)) / np.bincount(code, minlength=len(levels))
    return float(np.ptp(means))


def _shapley(y: Floats, parts: Sequence[Floats]) -> Floats:
    """[D] average gain in R² from adding each part, over all orders."""
    count, total = len(parts), float(y @ y)
    if not count or total <= 1e-24 * len(y):
        return np.full(count, np.nan)
    x = np.column_stack([p - p.mean(axis=0) for p in parts])
    ends = np.cumsum([0, *(p.shape[1] for p in parts)])
    gram, moment = x.T @ x, x.T @ y
    fit = np.zeros(2**count)
    for subset in range(1, 2**count):
        at = np.concatenate([np.arange(ends[d], ends[d + 1]) for d in range(count) if subset >> d & 1])
        fit[subset] = moment[at] @ np.linalg.lstsq(gram[np.ix_(at, at)], moment[at], rcond=1e-10)[0] / total
    size = np.array([subset.bit_count() for subset in range(2**count)])
    weight = np.array([factorial(s) * factorial(count - s - 1) if s < count else 0 for s in range(count + 1)]) / factorial(count)
    out = np.empty(count)
    for d in range(count):
        without = np.array([s for s in range(2**count) if not s >> d & 1])
        out[d] = float(weight[size[without]] @ (fit[without | 1 << d] - fit[without]))
    return out
