"""What holds a host back: scores of five dimensions, and a composite whose parts can be read.

Weights pooled over all region-years, equal or by entropy within each dimension; dimensions count alike unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any, listed
from hinterland.measure.composite import EntropyWeights, entropy_weights, equal_weights, grouped_score, normalise
from hinterland.measure.division import ratio

__all__ = ["DIMENSIONS", "Constraints", "Indicator", "constraints", "input_complementarity"]

Floats = NDArray[np.float64]

DIMENSIONS = ("industrial-complementarity", "talent", "business-environment", "infrastructure", "environment")


@dataclass(frozen=True, slots=True)
class Indicator:
    """A column that measures a dimension: ``column``, ``dimension`` (one of :data:`DIMENSIONS`), and whether less of it is better (``cost``)."""

    column: str
    dimension: str
    cost: bool = False


@dataclass(frozen=True, slots=True)
class Constraints:
    """Scores from 0 (the worst observed) to 1 (the best).

    Attributes:
        scores: a row per region (and year): a column per dimension, ``total``, ``binding`` (the dimension with the lowest score, all of them where they tie) and ``severity``
            (1 less that score); null where an indicator is missing.
        parts: long: region (and year), ``indicator``, ``dimension``, ``raw``, ``normalised`` (0 to 1), ``weight`` (sums to one over indicators) and ``contribution``
            (``weight`` times ``normalised``: contributions sum to ``total``).
        weights: a row per indicator: ``dimension``, ``weight``, ``entropy``, ``constant``.
        findings: warnings.
    """

    scores: pl.DataFrame
    parts: pl.DataFrame
    weights: pl.DataFrame
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Constraints({self.scores.height} rows, {self.weights.height} indicators)"


def constraints(
    frame: pl.DataFrame,
    indicators: Sequence[Indicator],
    *,
    region: str = "region",
    time: str | None = None,
    weights: Literal["equal", "entropy"] = "equal",
    dimension_weights: Mapping[str, float] | None = None,
) -> Constraints:
    """Score the constraints of every region (and year).

    Args:
        frame: a row per region, or per region and year.
        indicators: which columns measure what; a dimension may have several or none.
        region, time: columns that identify a row.
        weights: of the indicators within their dimension: ``equal``, or ``entropy`` (more for those that tell rows apart), over all rows together.
        dimension_weights: of the dimensions that are measured; scaled to one. Equal by default.

    Raises:
        InputError: columns, dimensions, weights or rows that are wrong, all at once.
    """
    keys = [region, *([time] if time else [])]
    fail_if_any(_input_findings(frame, indicators, keys, dimension_weights), "the table of constraints", InputError)
    present = [d for d in DIMENSIONS if any(i.dimension == d for i in indicators)]
    at = np.array([present.index(i.dimension) for i in indicators])
    raw = frame.select(pl.col(i.column).cast(pl.Float64).fill_null(np.nan) for i in indicators).to_numpy()
    z = normalise(raw, np.array([i.cost for i in indicators]))
    entropy = entropy_weights(z)
    share = np.array([(dimension_weights or dict.fromkeys(present, 1.0))[d] for d in present])
    weight = _weights(entropy, at, share / share.sum(), weights)
    scored = grouped_score(z, weight, at)
    return Constraints(
        _scores(frame.select(keys), present, scored.parts, scored.total),
        _parts(frame.select(keys), indicators, (raw, z, weight)),
        pl.DataFrame(
            {
                "indicator": [i.column for i in indicators],
                "dimension": [i.dimension for i in indicators],
                "weight": weight,
                "entropy": entropy.entropy,
                "constant": entropy.constant,
            }
        ),
        tuple(_warnings(frame, indicators, z, entropy)),
    )


def _weights(entropy: EntropyWeights, at: NDArray[np.int64], share: Floats, kind: str) -> Floats:
    """[K] summing to one: those of dimensions times those within each. A dimension whose indicators are all constant falls back to equal ones."""
    within = equal_weights(at) * len(share)
    if kind == "entropy":
        dispersion = np.where(entropy.constant, 0.0, 1 - entropy.entropy)
        total = np.bincount(at, weights=dispersion)[at]
        within = np.where(total > 0, dispersion / np.where(total > 0, total, 1.0), within)
    return np.asarray(within * share[at], dtype=np.float64)


def _scores(keys: pl.DataFrame, present: list[str], parts: Floats, total: Floats) -> pl.DataFrame:
    known = np.asarray(np.isfinite(parts).all(axis=1))
    least = np.where(known, np.where(np.isfinite(parts), parts, np.inf).min(axis=1), np.nan)
    binding = [
        ", ".join(d for d, v in zip(present, row, strict=True) if v <= low + 1e-12) if ok else None
        for row, low, ok in zip(parts, least, known, strict=True)
    ]
    return keys.with_columns(
        *(pl.Series(d, parts[:, k]).fill_nan(None) for k, d in enumerate(present)),
        pl.Series("total", total).fill_nan(None),
        pl.Series("binding", binding, dtype=pl.String),
        pl.Series("severity", 1 - least).fill_nan(None),
    )


def _parts(keys: pl.DataFrame, indicators: Sequence[Indicator], values: tuple[Floats, Floats, Floats]) -> pl.DataFrame:
    raw, z, weight = values
    rows = [
        keys.with_columns(
            pl.lit(i.column).alias("indicator"),
            pl.lit(i.dimension).alias("dimension"),
            pl.Series("raw", raw[:, k]).fill_nan(None),
            pl.Series("normalised", z[:, k]).fill_nan(None),
            pl.lit(float(weight[k])).alias("weight"),
            pl.Series("contribution", z[:, k] * weight[k]).fill_nan(None),
        )
        for k, i in enumerate(indicators)
    ]
    return pl.concat(rows)


def _input_findings(
    frame: pl.DataFrame, indicators: Sequence[Indicator], keys: list[str], dimension_weights: Mapping[str, float] | None
) -> list[Finding]:
    where, columns = "the table", [i.column for i in indicators]
    findings = [
        Finding("unknown-column", f"there is no column {c!r}", where, did_you_mean(c, frame.columns))
        for c in [*keys, *columns]
        if c not in frame.columns
    ]
    findings += [
        Finding("unknown-dimension", f"{i.column} measures {i.dimension!r}", "argument indicators", did_you_mean(i.dimension, DIMENSIONS))
        for i in indicators
        if i.dimension not in DIMENSIONS
    ]
    if not indicators:
        findings.append(Finding("no-indicator", "no column measures anything", "argument indicators", "name at least one"))
    if len(set(columns)) != len(columns):
        findings.append(Finding("repeated-label", "an indicator occurs twice", "argument indicators", "name each column once"))
    texts = [c for c in columns if c in frame.columns and not frame.schema[c].is_numeric()]
    if texts:
        findings.append(Finding("not-a-number", f"columns hold text: {listed(texts)}", where, "name columns of numbers"))
    if not [c for c in keys if c not in frame.columns] and frame.select(keys).is_duplicated().any():
        findings.append(
            Finding("duplicate-cell", "rows share their region and year", where, "give each region, or region and year, one row")
        )
    given = {i.dimension for i in indicators}
    if dimension_weights is not None and (not given <= set(dimension_weights) or not all(v > 0 for v in dimension_weights.values())):
        what = "weights of dimensions are missing or not above 0"
        findings.append(Finding("weights-unfit", what, "argument dimension_weights", f"give a weight to each of {listed(sorted(given))}"))
    return findings


def _warnings(frame: pl.DataFrame, indicators: Sequence[Indicator], z: Floats, entropy: EntropyWeights) -> list[Finding]:
    findings = []
    gaps = int((~np.isfinite(z).all(axis=1)).sum())
    if gaps:
        what = f"{gaps} of {frame.height} rows lack an indicator and have no score"
        findings.append(Finding("incomplete-rows", what, "the table", "complete them, or leave the indicator out", "warning"))
    same = [i.column for i, c in zip(indicators, entropy.constant, strict=True) if c]
    if same:
        what = f"indicators do not vary and score 0 everywhere: {listed(same)}"
        findings.append(Finding("flat-indicator", what, "argument indicators", "leave them out", "warning"))
    return findings


def input_complementarity(moving: Floats, requirements: Floats, matrix: Floats) -> Floats:
    """Share of the inputs that moving industries buy from others which each host's specialisations can supply, [R]: a measure of industrial complementarity.

    Σ_i g_i Σ_{j≠i} a_ji M_hj/Σ_i g_i Σ_{j≠i} a_ji.

    Args:
        moving: g, what moves, or what the sources have, by industry, [I].
        requirements: a, [I, I], input of the row per unit of the column.
        matrix: presence M of the hosts, [R, I].
    """
    a = np.array(requirements, dtype=np.float64)
    np.fill_diagonal(a, 0.0)
    needs = a @ moving
    return ratio(matrix @ needs, np.full(len(matrix), needs.sum()))
