"""Which ways to look for alternatives: the capacity of each host in each group of industries, least and most, or many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from hinterland.errors import Finding, InputError, did_you_mean
from hinterland.plan.model import Model
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats

Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Hosts and groups of industries: where capacity of a year can be.

    Attributes:
        host, group: [s] names of each.
        year: of the capacity.
        members: [s, cells] which cells belong to each.
        first: position of the capacity of the first cell in the year among the columns.
        stride: columns from one cell to the next.
        initial: [s] capacity at the start, 100m yuan a year.
    """

    host: tuple[str, ...]
    group: tuple[str, ...]
    year: int
    members: NDArray[np.bool_]
    first: int
    stride: int
    initial: Floats

    def held(self, x: Floats) -> Floats:
        """[s] capacity of each site in a solution [n]."""
        cells = x[self.first :: self.stride][: self.members.shape[1]]
        return np.asarray(self.members @ cells)

    def cost(self, weights: Floats, n: int) -> Floats:
        """[n] the cost whose least is the most of ``weights`` [s] times the capacity of each site."""
        out = np.zeros(n)
        out[self.first :: self.stride][: self.members.shape[1]] = -(weights @ self.members)
        return out


def sites(made: Model, groups: Groups | Sequence[str] | None, year: int | None) -> Sites:
    """Every host with every group that it has cells of.

    Args:
        made: the model.
        groups: industries by the name of their group, or names of the case's groups or industries; by default the case's groups, or each relocatable
            industry where it has none.
        year: of the capacity; the last by default.

    Raises:
        InputError: a year, group or industry that the case does not have.
    """
    p = made.problem
    at = p.years[-1] if year is None else year
    if at not in p.years:
        what = f"the case has no year {at}"
        raise InputError(Finding("unknown-year", what, "argument year", f"choose one of {p.years[0]} to {p.years[-1]}"), "the alternatives")
    chosen = _groups(p, groups)
    hosts = [str(r) for r, h in zip(p.index["region"], p["host"].values, strict=True) if h]
    region, industry = p.index["region"].to_numpy()[p.links["cell.region"]], p.links["cell.industry"]
    rows = [(h, g, inside) for h in hosts for g, members in chosen.items() if (inside := (region == h) & members[industry]).any()]
    if not rows:
        what = "no host has a cell of these groups"
        raise InputError(Finding("no-sites", what, "argument groups", "name groups with industries that hosts have"), "the alternatives")
    members = np.array([inside for _, _, inside in rows])
    start, _, shape = made.program.columns["capacity"]
    names = tuple(h for h, _, _ in rows), tuple(g for _, g, _ in rows)
    return Sites(*names, at, members, start + p.years.index(at), shape[1], members @ p["capacity"].values)


def _groups(p: Problem, groups: Groups | Sequence[str] | None) -> dict[str, NDArray[np.bool_]]:
    """[industry] the members of each group."""
    industries = p.index["industry"]
    table = p.text["group"]
    named = table["group"].unique(maintain_order=True).to_list()
    if groups is None:
        relocatable = [str(i) for i, m in zip(industries, p["relocatable"].values, strict=True) if m]
        groups = named or relocatable
    if isinstance(groups, Mapping):
        unknown = [i for members in groups.values() for i in members if i not in industries]
        known = [str(i) for i in industries]
    else:
        known = [*named, *(str(i) for i in industries)]
        unknown = [g for g in groups if g not in known]
    if unknown:
        findings = [Finding("unknown-group", f"there is no {u!r} in the case", "argument groups", did_you_mean(u, known)) for u in unknown]
        raise InputError(findings, "the alternatives")
    if isinstance(groups, Mapping):
        return {g: np.asarray(industries.isin(list(members))) for g, members in groups.items()}
    return {g: p.members(g) for g in groups}


def extremes(n: int) -> Floats:
    """[2n, n] weights whose most is the least, then the most, of each site."""
    return np.stack([-np.eye(n), np.eye(n)], axis=1).reshape(2 * n, n)


def halton(count: int, sizes: Floats, seed: int) -> Floats:
    """[count, n] directions spread evenly over all that there are: normal scores of a scrambled Halton sequence, each site by its size.

    As PyPSA draws them (Brown, Hörsch, Schlachtberger 2018; Lombardi et al. 2020 for spatially distinct alternatives).

    Args:
        count: how many.
        sizes: [n] capacity that counts as large at each site.
        seed: of the scrambling.
    """
    points = qmc.Halton(len(sizes), rng=seed).random(count)
    scores = norm.ppf(np.clip(points, 1e-9, 1 - 1e-9))
    length = np.linalg.norm(scores, axis=1, keepdims=True)
    return np.asarray(scores / length / sizes)


def described(where: Sites, values: Floats) -> pl.DataFrame:
    """A row for each site with its value."""
    return pl.DataFrame({"host": where.host, "group": where.group, "value": values})
