"""Numbers that are legal one by one and contradict each other once they are laid out over places and years."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, listed
from hinterland.plan.problem import Problem

Floats = NDArray[np.float64]
TINY = 1e-9


def implausible(problem: Problem) -> list[Finding]:
    """What is wrong with the numbers of a problem: errors that the model could not express, and warnings of what will not be as it seems."""
    checks = (_falling, _response, _inputs, _supply, _labour, _residents, _backup, _gates, _past)
    return [f for check in checks for f in check(problem)]


def _falling(p: Problem) -> Iterator[Finding]:
    """Limits of resources that must not rise do not."""
    for name, dims in (("limit", ("resource", "region", "year")), ("national_limit", ("resource", "year"))):
        values = p[name].transpose(*dims).values
        for n in np.flatnonzero(p["falling"].values.astype(bool)):
            of = values[n].reshape(-1, values.shape[-1])
            rises = of[:, 1:] > of[:, :-1] * (1 + TINY) + TINY
            for row, year in zip(*np.nonzero(rises), strict=True):
                place = str(p.index["region"][row]) if name == "limit" else "the nation"
                what = f"the limit of {p.index['resource'][n]} in {place} rises from {of[row, year]:g} to {of[row, year + 1]:g} in {p.years[year + 1]}"
                yield Finding("limit-rises", what, "limits", "let it fall, or take the flag 'falling' from the resource")


def _response(p: Problem) -> Iterator[Finding]:
    """Each step of support brings no more than the one before: the linear programme would take the best step first."""
    values = p["response"].transpose("instrument", "region", "segment").values
    wide = np.isfinite(p["width"].transpose("instrument", "segment").values)
    for i, instrument in enumerate(p.index["instrument"]):
        steps = values[i][:, wide[i]]
        rising = (np.diff(steps, axis=1) > TINY).any(axis=1)
        if rising.any():
            first = steps[np.flatnonzero(rising)[0]]
            what = f"the response to {instrument} is {listed([float(v) for v in first])}: it rises from one step to the next"
            yield Finding("response-rises", what, "uptake, column 'response'", "order the steps so that each brings less")


def _inputs(p: Problem) -> Iterator[Finding]:
    """What a unit of output takes is no more than the unit."""
    taken = np.bincount(p.links["input.user"], weights=p["coefficient"].values, minlength=len(p.index["cell"]))
    above = np.flatnonzero(taken > 1 + TINY)
    if len(above):
        shown = listed([f"{p.index['cell'][c]} {taken[c]:.3g}" for c in above])
        what = f"inputs of a unit of output are more than the unit, and value added is negative: {shown}"
        yield Finding("inputs-above-output", what, "inputs, column 'coefficient'", "check the coefficients", "warning")


def _supply(p: Problem) -> Iterator[Finding]:
    """Goods that are asked for where they are neither made nor brought need new plants, which take years."""
    cells = len(p.index["cell"])
    asked = (p["final_demand"].transpose("cell", "year").values > 0).any(axis=1)
    brought = np.bincount(p.links["route.destination"], minlength=cells) > 0
    imported = ((p["imports"].transpose("cell", "year").values > 0) | (p["import_limit"].transpose("cell", "year").values > 0)).any(axis=1)
    bare = np.flatnonzero(asked & (p["capacity"].values <= 0) & ~brought & ~imported)
    if len(bare):
        shown = listed([str(p.index["cell"][c]) for c in bare])
        what = f"{shown}: there is demand, and neither capacity nor a route nor imports to meet it from"
        yield Finding("demand-without-supply", what, "demand", "add capacity, a route or imports; new plants alone come late", "warning")


def _labour(p: Problem) -> Iterator[Finding]:
    """People are counted by skill: a region that gives some supply gives it for every skill and year."""
    supply = p["labour"].transpose("region", "skill", "year").values
    known = np.isfinite(supply)
    partly = np.flatnonzero(known.any(axis=(1, 2)) & ~known.all(axis=(1, 2))) if supply.size else np.zeros(0, dtype=int)
    for r in partly:
        lacks = [f"{p.index['skill'][s]} in {p.years[y]}" for s, y in zip(*np.nonzero(~known[r]), strict=True)]
        what = f"{p.index['region'][r]} has people of some skills and years only, and labour would not limit it: none of {listed(lacks)}"
        yield Finding("labour-with-holes", what, "labour, column 'supply'", "give every skill from the first year, 0 where there is no one")


def _residents(p: Problem) -> Iterator[Finding]:
    """Rules of value added per head reach only hosts whose residents are known in every year."""
    rules = np.isfinite(p["equity"].values) | np.isfinite(p["range"].values)
    heads = p["population"].transpose("region", "year").values
    lost = np.flatnonzero(p["host"].values.astype(bool) & ~(np.isfinite(heads) & (heads > 0)).all(axis=1))
    if rules.any() and len(lost):
        what = f"residents of {listed([str(p.index['region'][r]) for r in lost])} are not known in every year: equity does not reach them"
        yield Finding("equity-without-residents", what, "regions, column 'population'", "give the residents of every host", "warning")


def _backup(p: Problem) -> Iterator[Finding]:
    """Backup is asked of industries for the loss of regions: it needs both."""
    asked = np.isfinite(p["tolerance"].values).any() or np.isfinite(p["backup_demand"].values).any()
    tests = p["backup_tested"].values.astype(bool).any()
    if asked and not tests:
        what = "industries must survive the loss of a region, and no region's loss is tested"
        yield Finding("backup-untested", what, "regions, column 'backup_tested'", "flag the regions whose loss is tested", "warning")
    if tests and not asked:
        what = "the loss of regions is tested, and no industry says what may fail"
        yield Finding(
            "backup-untested", what, "backup, column 'tolerance'", "say which industries must survive, and what part may fail", "warning"
        )


def _gates(p: Problem) -> Iterator[Finding]:
    """Groups of gates have cells at hosts."""
    table = p.text["gate"]
    host = p.cells_where(region="host")
    for row in table.iter_rows(named=True):
        if row.get("kind") in ("start", "capacity-share") and row.get("group"):
            inside = np.any([p.members(g) for g in row["group"].split(";")], axis=0)
            if not (inside[p.links["cell.industry"]] & host).any():
                what = f"no host has a cell of {row['group']!r}, and the gate asks for nothing"
                yield Finding(
                    "gate-without-cells", what, f"gates, {row['gate']}", "add the cells, with capacity 0 where there is none", "warning"
                )


def _past(p: Problem) -> Iterator[Finding]:
    """In observed years no cell sends away more than it has."""
    if p.decided.all():
        return
    kept = 1 - p.of_cells("depreciation").values
    moved = np.zeros((len(p.index["cell"]), len(p.years)))
    np.add.at(moved, p.links["arc.source"], p["observed_move"].transpose("arc", "year").values)
    built = p["observed_greenfield"].transpose("cell", "year").values
    seen, held = p["observed_capacity"].transpose("cell", "year").values, p["capacity"].values.copy()
    for y in np.flatnonzero(~p.decided):
        held = np.where(np.isfinite(seen[:, y]), seen[:, y], kept * held + built[:, y] - moved[:, y])
        for c in np.flatnonzero(held < -TINY):
            what = f"{p.index['cell'][c]} sends away {moved[c, y]:g} in {p.years[y]}, {-held[c]:g} more than it has"
            yield Finding("observed-moves-too-large", what, "moves", "correct the moves, or give the capacity that was observed")
        held = np.maximum(held, 0.0)
