"""What could come next: how near and how complex industries are that hosts lack, candidates with their reasons, and how alike hosts are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.data import Data
from hinterland.measure.entries.presences import orientation
from hinterland.measure.entry import find_indicator
from hinterland.measure.relatedness import QUADRANTS
from hinterland.measure.second import table
from hinterland.transfer.inputs import Cells, for_years
from hinterland.transfer.rows import applied, as_values, conformed, measured_rows, ranked
from hinterland.transfer.selection import PARTS, Selection, select_industries

__all__ = ["Plans", "read_plans", "read_scores", "selection_frame"]

Floats = NDArray[np.float64]

_BY_CELL = ("relatedness-density", "relative-relatedness", "complexity-outlook-gain", "diversification-quadrant")
_PAIRS = ("cosine", "krugman", "key", "planned", "index")


@dataclass(frozen=True, slots=True)
class Plans:
    """Industries that each host plans, out of those of the table."""

    by_host: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...] = ()


def read_plans(source: Any, cells: Cells) -> Plans:
    """Read a table of ``region`` and ``industry``.

    Raises:
        InputError: columns missing, or no host among its regions.
    """
    where = "argument planned"
    found = (
        table(source, "planned", ["region", "industry"]).with_columns(pl.col("region", "industry").cast(pl.String)).drop_nulls().unique()
    )
    inside = found.filter(pl.col("region").is_in(list(cells.hosts))).sort("region", "industry")
    if not inside.height:
        what = f"no host has planned industries in the table: {listed(found['region'].unique().sort())}"
        raise InputError(Finding("planned-regions", what, where, "use the labels of the table"), where)
    known = cells.data.labels("industry")
    strange = inside.filter(~pl.col("industry").is_in(known.implode()))["industry"].unique().sort()
    what = f"planned industries are not in the table, and count for nothing: {listed(strange)}"
    findings = (Finding("planned-industries", what, where, "use its labels", "warning"),) if len(strange) else ()
    kept = inside.filter(pl.col("industry").is_in(known.implode()))
    return Plans({h: tuple(kept.filter(region=h)["industry"]) for h in cells.hosts}, findings)


def read_scores(name: str, source: Any, cells: Cells) -> Floats:
    """[I] or [H, I] scores from a table of ``industry``, perhaps ``region``, and ``value``, 0 to 1.

    Raises:
        InputError: columns missing, scores outside 0 to 1, or an industry (of a host) without a score.
    """
    where = f"argument {name}"
    frame = table(source, name)
    keys = ["region", "industry"] if "region" in frame.columns else ["industry"]
    found = table(frame, name, [*keys, "value"]).with_columns(pl.col(keys).cast(pl.String), pl.col("value").cast(pl.Float64))
    known = {tuple(row[:-1]): row[-1] for row in found.iter_rows() if row[-1] is not None}
    wanted = [[(h, i) if len(keys) == 2 else (i,) for i in cells.data.labels("industry")] for h in cells.hosts]
    absent = [" ".join(k) for row in wanted for k in row if k not in known]
    odd = [v for v in known.values() if not 0 <= v <= 1]
    findings = (
        [Finding("scores-lack-industry", f"there is no score for {listed(dict.fromkeys(absent))}", where, "add the rows")] if absent else []
    )
    findings += [Finding("not-between-0-and-1", f"scores are {listed(odd)}", where, "give scores from 0 to 1")] if odd else []
    fail_if_any(findings, where, InputError)
    return np.array([[known[k] for k in row] for row in wanted])


def selection_frame(
    cells: Cells, plans: Plans | None, strategic: Floats | None, green: Floats | None, levels: Any = None, *, rich: bool
) -> pl.DataFrame:
    """Rows of ``transfer_selection``, as of the last year; with ``levels`` those decide which end of complexity is the high one.

    ``rich``: whether that year has enough presences for complexity.
    """
    data = for_years(cells.data, cells.years[-1])
    rows = [cells.grouped(f) for f in _scores(cells, data, levels)]
    if rich:
        cube = data.cube("time", "region", "industry")
        scores = {"strategic": strategic, "green": green}
        rows += _candidates(cells, _selected(cells, cube.values[0], plans, scores, levels))
    return conformed("transfer_selection", [f.with_columns(concept=pl.lit("potential")) for f in rows])


def _selected(cells: Cells, activity: Floats, plans: Plans | None, scores: Mapping[str, Floats | None], levels: Any) -> Selection:
    """Candidates of every host."""
    regions, industries = (cells.data.labels(r).to_list() for r in ("region", "industry"))
    plan = None if plans is None else plans.by_host
    at = orientation(levels, cells.data.labels("region"))
    given: dict[str, Any] = {**scores, "orient": at if np.isfinite(at).any() else None}
    return select_industries(activity, regions, industries, list(cells.hosts), planned=plan, **given)


def _candidates(cells: Cells, found: Selection) -> Iterator[pl.DataFrame]:
    when = pl.lit(cells.years[-1], pl.Int64)
    table_ = found.candidates
    reasons = as_values(table_, ["strongest", "weakest", "rank_alone", "rank_change"])
    given = [p for p in PARTS if p in table_.columns]
    numbers = {"candidate-score": "rank", "candidate-score-alone": "rank_alone", **{f"candidate-{p}": f"{p}_rank" for p in given}}
    for component, rank in numbers.items():
        column = component.removeprefix("candidate-").replace("-", "_")
        rows = table_.select(region="host", industry="industry", value=column, rank=rank, label=pl.col("quadrant").fill_null(""))
        rule = "candidate-reason" if component == "candidate-score" else ""
        rows = rows.with_columns(pl.lit(component).alias("component"), rule=pl.lit(rule))
        yield _told(cells.grouped(rows.with_columns(reasons if rule else pl.lit("{}").alias("values"))), when, "candidate")
    crowded = table_.select(region="host", industry="industry", value="crowding", component=pl.lit("candidate-crowding"))
    yield _told(cells.grouped(crowded), when, "candidate")
    pairs = found.pairs.unpivot(on=_PAIRS, index=["host", "other"], variable_name="component", value_name="value").drop_nulls("value")
    pairs = pairs.with_columns(pl.format("competition-{}", "component").alias("component")).rename({"host": "region"})
    yield _told(pairs.with_columns(ranked(pl.col("value"), "component")), when, "homogenised-competition")
    for component, column in (("competition-host", "competition"), ("competition-replaced", "replaced")):
        rows = found.hosts.select(region="host", value=column, component=pl.lit(component)).drop_nulls("value")
        yield _told(rows.with_columns(ranked(pl.col("value"))), when, "homogenised-competition")


def _told(rows: pl.DataFrame, when: pl.Expr, measure: str) -> pl.DataFrame:
    return rows.with_columns(time=when, measure=pl.lit(measure), n_used=pl.lit(1, pl.Int64))


def _scores(cells: Cells, data: Data, levels: Any) -> Iterator[pl.DataFrame]:
    """Measures of relatedness and complexity: of each host and industry, of each industry, of each region."""
    for name in _BY_CELL:
        how = {"orient": levels} if "orient" in find_indicator(name).parameters else {}
        found = measured_rows(name, applied(name, data, **how)).filter(pl.col("region").is_in(list(cells.hosts)))
        rows = found.with_columns(ranked(pl.col("value"), "region"))
        yield rows.with_columns(rank=pl.lit(None, pl.Int64), label=_quadrant()) if name == "diversification-quadrant" else rows
    yield measured_rows("product-complexity", applied("product-complexity", data, orient=levels)).with_columns(ranked(pl.col("value")))
    regions = measured_rows("economic-complexity", applied("economic-complexity", data, orient=levels)).with_columns(
        ranked(pl.col("value"))
    )
    yield regions.with_columns(industry=pl.lit(None, pl.String))


def _quadrant() -> pl.Expr:
    names = dict(enumerate(QUADRANTS))
    return pl.col("value").cast(pl.Int64).replace_strict(names, default="", return_dtype=pl.String).fill_null("").alias("label")
