"""Screening: of all admissible moves, the few that are likely to be worth while, and what was left out.

A move is scored by what it costs a year: the annuity of the move itself, what production costs more at the host than at the source, and, where relatedness is
given, less by what the host's related industries are worth (Hidalgo et al. 2007). Screening decides nothing: :mod:`hinterland.plan.columns` prices what was
left out and brings back what the plan misses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, listed
from hinterland.plan.algebra import gathered
from hinterland.plan.arcs import Mask, with_arcs
from hinterland.plan.problem import Problem

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Screening:
    """The moves that are kept.

    Attributes:
        problem: with the kept arcs only.
        kept: [arc] whether an arc of the whole problem is kept.
        scores: [arc] yearly cost of a unit moved, 100m yuan per 100m yuan of yearly output; less is better.
        left_out: source, industry, arcs, kept, worst_kept, best_left: how many arcs leave each source's industry, how many were kept, and the scores at
            the border; null where nothing was left out.
    """

    problem: Problem
    kept: Mask
    scores: Floats
    left_out: pl.DataFrame

    def __repr__(self) -> str:
        return f"Screening({self.problem.settings.name}: {int(self.kept.sum())} of {len(self.kept)} arcs)"


def screened(problem: Problem, hosts: int, *, relatedness: Any = None, worth: float | None = None) -> Screening:
    """Keep the ``hosts`` best hosts of each source's industry.

    Kept besides are the best source of each host's industry, so that every cell that could send or receive has a price in the plan; arcs of agreements; and
    arcs along which a move was observed.

    Args:
        problem: with all its arcs.
        hosts: how many hosts each source's industry keeps.
        relatedness: frame of region, industry and value: how related an industry is to what a region has.
        worth: what a unit of relatedness is worth a year, 100m yuan per 100m yuan of yearly output.

    Raises:
        InputError: no host is to be kept; relatedness without its worth or the reverse; cells that do not exist.
    """
    if hosts < 1:
        raise InputError(Finding("bad-argument", f"hosts is {hosts}", "argument hosts", "keep at least one host"), "the screening")
    scores = score(problem, relatedness, worth)
    source, host = problem.links["arc.source"], problem.links["arc.host"]
    kept = (rank(source, scores) < hosts) | (rank(host, scores) < 1) | (problem.links["arc.enclave"] >= 0)
    kept |= (problem["observed_move"].values > 0).any(axis=1)
    return Screening(with_arcs(problem, kept), kept, scores, _left_out(problem, kept, scores))


def rank(groups: NDArray[np.int64], values: Floats) -> NDArray[np.int64]:
    """[n] place of each value among those of its group, from 0; ties keep their order."""
    order = np.lexsort((np.arange(len(values)), values, groups))
    sorted_groups = groups[order]
    first = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]]) if len(groups) else np.zeros(0, dtype=np.int64)
    start = np.repeat(first, np.diff(np.r_[first, len(groups)]))
    out = np.empty(len(groups), dtype=np.int64)
    out[order] = np.arange(len(groups)) - start
    return out


def best_of_ends(source: NDArray[np.int64], host: NDArray[np.int64], values: Floats, most: int) -> Mask:
    """[arc] whether an arc is among the ``most`` least of those that leave its source's cell, or of those that come to its host's."""
    return np.asarray((rank(source, values) < most) | (rank(host, values) < most))


def production_cost(problem: Problem) -> Floats:
    """[cell] what a unit of output costs beside inputs and transport: mean over decided years of operating cost, labour and resources that have a price."""
    p = problem
    cost = p["operating_cost"].transpose("cell", "year").values.copy()
    if len(p.index["skill"]):
        wage = gathered(p["wage"], "region", p.links["cell.region"], p.index["cell"])
        cost += (wage * p["staffing"]).sum("skill").transpose("cell", "year").values
    for resource in p.index["resource"]:
        price = p["price"].sel(resource=resource, drop=True)
        cost += (price * p["intensity_now"].sel(resource=resource, drop=True)).transpose("cell", "year").values
    return np.asarray(cost[:, p.decided].mean(axis=1))


def score(problem: Problem, relatedness: Any = None, worth: float | None = None) -> Floats:
    """[arc] yearly cost of a unit moved: annuity of the move, production at the host less production at the source, less the worth of relatedness."""
    p = problem
    source, host = p.links["arc.source"], p.links["arc.host"]
    annuity = (p.settings.discount + p.of_cells("depreciation").values)[host] * p["arc_cost"].values
    cost = production_cost(p)
    out = annuity + cost[host] - cost[source]
    if (relatedness is None) != (worth is None):
        what = "relatedness has no worth" if worth is None else "worth is given without relatedness"
        raise InputError(Finding("bad-argument", what, "argument worth", "give both, or neither"), "the screening")
    if relatedness is not None and worth is not None:
        out = out - worth * _of_cells(p, load_frame(relatedness))[host]
    return np.asarray(out)


def _of_cells(problem: Problem, frame: pl.DataFrame) -> Floats:
    """[cell] the values of a frame by region and industry; 0 where it has none."""
    names = pl.Series(frame.select(pl.concat_str("region", "industry", separator="/"))).to_list()
    at = problem.index["cell"].get_indexer(names)
    if (at < 0).any():
        lost = listed([n for n, a in zip(names, at, strict=True) if a < 0])
        raise InputError(
            Finding("unknown-cell", f"there is no cell for {lost}", "argument relatedness", "remove the rows"), "the screening"
        )
    out = np.zeros(len(problem.index["cell"]))
    out[at] = frame["value"].cast(pl.Float64).to_numpy()
    return out


def _left_out(problem: Problem, kept: Mask, scores: Floats) -> pl.DataFrame:
    source = problem.links["arc.source"]
    rows = pl.DataFrame({"cell": source, "kept": kept, "score": scores})
    found = (
        rows.group_by("cell")
        .agg(
            arcs=pl.len().cast(pl.Int64),
            kept=pl.col("kept").sum().cast(pl.Int64),
            worst_kept=pl.col("score").filter("kept").max(),
            best_left=pl.col("score").filter(~pl.col("kept")).min(),
        )
        .sort("cell")
    )
    at = found["cell"].to_numpy()
    names = {d: problem.index[d].to_numpy()[problem.links[f"cell.{d}"][at]] for d in ("region", "industry")}
    labels = [
        pl.Series("source", names["region"].tolist(), dtype=pl.String),
        pl.Series("industry", names["industry"].tolist(), dtype=pl.String),
    ]
    return pl.DataFrame([*labels, *found.drop("cell").get_columns()])
