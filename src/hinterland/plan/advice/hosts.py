"""Structure of hosts and gaps between them, measured after the plan is made: concentration, distance, likeness, value added per head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.measure.inequality import gini, theil
from hinterland.measure.specialisation import herfindahl, krugman
from hinterland.measure.structure import krugman_similarity
from hinterland.plan.advice.view import View
from hinterland.plan.tables import shaped

Floats = NDArray[np.float64]


def specialisation(view: View) -> pl.DataFrame:
    r"""Table ``plan_specialisation``, at the start (the year before the plan) and at the end of each phase, over capacity by industry.

    * ``hhi``: :math:`\\sum_i s_{hi}^2` of a host (Hirschman 1945).
    * ``krugman``: :math:`\\sum_i |s_{hi} - m_i|` of a host against the other hosts together, 0 to 2 (Krugman 1991).
    * ``finger-kreinin``: :math:`\\sum_i \\min(s_{hi}, s_{h'i})` of a pair, 0 to 1 (Finger & Kreinin 1979).
    """
    rows = [row for year, phase, held in _held(view) for row in _structure(view.hosts, year, phase, held)]
    return shaped("plan_specialisation", pl.DataFrame(rows, schema=_SCHEMA, orient="row"))


_SCHEMA = {"measure": pl.String, "host": pl.String, "other": pl.String, "year": pl.Int64, "phase": pl.String, "value": pl.Float64}
_Row = tuple[str, str, str | None, int, str | None, float]


def _held(view: View) -> Iterator[tuple[int, str | None, Floats]]:
    """Year, phase and [host, industry] capacity: at the start, and at the end of each phase."""
    first = view.problem.years[0]
    start = view.at_hosts.filter(pl.col("year") == first)
    yield first - 1, None, _table(view, start.with_columns(capacity="before"))
    for phase, _, last, _ in view.spans.iter_rows():
        yield last, phase, _table(view, view.at_hosts.filter(pl.col("year") == last))


def _table(view: View, cells: pl.DataFrame) -> Floats:
    industries = [str(i) for i in view.problem.index["industry"]]
    out = np.zeros((len(view.hosts), len(industries)))
    for host, industry, value in cells.select("host", "industry", "capacity").iter_rows():
        out[view.hosts.index(host), industries.index(industry)] = max(value, 0.0)
    return out


def _structure(hosts: list[str], year: int, phase: str | None, held: Floats) -> list[_Row]:
    rows: list[_Row] = []
    there = held.sum(axis=1) > 0
    apart = krugman(held, versus="rest") if there.sum() > 1 else np.full(len(hosts), np.nan)
    for n, host in enumerate(hosts):
        if there[n]:
            rows.append(("hhi", host, None, year, phase, float(herfindahl(held)[n])))
            rows += [("krugman", host, None, year, phase, float(apart[n]))] if np.isfinite(apart[n]) else []
    for a in range(len(hosts)):
        for b in range(a + 1, len(hosts)):
            if there[a] and there[b]:
                like = float(krugman_similarity(held[a], held[b]))
                rows.append(("finger-kreinin", hosts[a], hosts[b], year, phase, like))
    return rows


def equity(view: View) -> pl.DataFrame:
    """Table ``plan_equity``: value added per head of each host, and how far hosts are apart, by year.

    * ``per-head``: 10 thousand yuan per person. ``of-mean``: as a part of the mean of all regions whose residents are known.
    * ``range``: the highest host less the lowest. ``theil`` and ``gini``: over hosts, weighted by residents.
    """
    made = view.cells.join(view.of("value_added").rename({"value": "va"}), on=["region", "industry", "year"], how="left")
    made = made.group_by("region", "year").agg(made=(pl.col("output") * pl.col("va")).sum())
    heads = view.of("population").rename({"value": "heads"})
    rows = made.join(heads, on=["region", "year"]).filter(pl.col("heads").is_finite() & (pl.col("heads") > 0))
    if not rows.height:
        return shaped("plan_equity", pl.DataFrame())
    mean = rows.group_by("year").agg(mean=pl.col("made").sum() / pl.col("heads").sum())
    rows = rows.with_columns(value=pl.col("made") / pl.col("heads")).join(mean, on="year").filter(pl.col("region").is_in(view.hosts))
    unit = "10k-yuan/person"
    parts = [
        rows.select("region", "year", "value", measure=pl.lit("per-head"), unit=pl.lit(unit)),
        rows.select("region", "year", value=pl.col("value") / pl.col("mean"), measure=pl.lit("of-mean"), unit=pl.lit("share")),
    ]
    for (year,), part in rows.sort("year", "region").group_by("year", maintain_order=True):
        values, weight = part["value"].to_numpy(), part["heads"].to_numpy()
        gaps = {"range": float(np.ptp(values)), "theil": float(theil(values, weight)), "gini": float(gini(values, weight))}
        units = {"range": unit, "theil": "index", "gini": "index"}
        parts.append(
            pl.DataFrame(
                [{"region": None, "year": year, "value": v, "measure": m, "unit": units[m]} for m, v in gaps.items()],
                schema={"region": pl.String, "year": pl.Int64, "value": pl.Float64, "measure": pl.String, "unit": pl.String},
            )
        )
    out = pl.concat(parts, how="diagonal").join(view.years, on="year", how="left")
    return shaped("plan_equity", out.sort("measure", "year", "region"))
