"""C6: people, by skill: those there, those who come, those who are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hinterland.plan.algebra import Expression, column, lag, rows_where, total
from hinterland.plan.building import Building, typical
from hinterland.plan.constraints.family import Family

UNIT = "10k-person"


def staffed(b: Building) -> np.ndarray:
    """[region] regions whose labour is limited: those with a supply in every decided year."""
    supply = b.problem["labour"].transpose("region", "skill", "year").values
    return np.asarray(np.isfinite(supply).all(axis=(1, 2))) if supply.size else np.zeros(len(b.problem.index["region"]), dtype=bool)


def employment(b: Building, skill: str, where: np.ndarray, index: pd.Index[Any]) -> Expression:
    """[region, year] people of a skill that output employs, in the regions of ``where``."""
    p = b.problem
    at = np.where(where[p.links["cell.region"]], (np.cumsum(where) - 1)[p.links["cell.region"]], -1)
    return total(p["staffing"].sel(skill=skill, drop=True) * b["output"], "cell", at.astype(np.int64), index)


def people(b: Building) -> None:
    r"""People of a skill are those there, those who came and those who were trained; trainees leave the skill they had.

    Rows: region × skill × year
    Unit: 10k-person
    Formula: P_{rlt} = P_{rl,t-1} + (Lab_{rlt} - Lab_{rl,t-1}) + mig_{rlt} + trn_{rl,t-\ell_l} - \sum_{l' \leftarrow l} trn_{rl't}
    Gives way: no
    """
    p, skills = b.problem, b.problem.index["skill"]
    where = staffed(b)
    if not where.any():
        return
    region = rows_where(where, p.index["region"])
    _add(b, region)
    supply = p["labour"].sel(region=region).transpose("region", "skill", "year")
    change = supply.values.copy()
    change[:, :, 1:] -= supply.values[:, :, :-1]
    sources = dict(zip(p.text["skill"]["skill"], p.text["skill"]["from"], strict=True)) if "from" in p.text["skill"].columns else {}
    for n, skill in enumerate(skills):
        one = {"skill": skill, "drop": True}
        ends = b["people"].sel(**one) - lag(b["people"].sel(**one), 1, b.year) - b["migrants"].sel(**one)
        ends = ends - lag(b["trained"].sel(**one), int(p["training_lag"].values[n]), b.year)
        for taught, had in sources.items():
            if had == skill:
                ends = ends + b["trained"].sel(skill=taught, drop=True)
        b.require(f"people:{skill}", ends, "=", column(change[:, n], region, b.year), family="C6", unit=UNIT)


def _add(b: Building, region: pd.Index[Any]) -> None:
    p, skills = b.problem, b.problem.index["skill"]
    index = (region, skills, b.year)
    supply = p["labour"].sel(region=region).transpose("region", "skill", "year").values
    open_years = p.decided[None, None]
    come = np.where(open_years, supply * p["migration_share"].values[None, :, None], 0.0)
    learn = np.where(open_years, supply * p["training_share"].values[None, :, None], 0.0)
    b.variable("people", *index, unit=UNIT, meaning="people of the skill who can work")
    b.variable("migrants", *index, upper=column(come, *index), unit=UNIT, meaning="people who come")
    b.variable("trained", *index, upper=column(learn, *index), unit=UNIT, meaning="people who enter training for the skill")


def labour(b: Building) -> None:
    r"""Output employs no more people of a skill than there are.

    Rows: region × skill × decided year
    Unit: 10k-person
    Formula: \sum_i \lambda_{rilt} z_{rit} \le P_{rlt}
    Gives way: over where people are short
    """
    p, where = b.problem, staffed(b)
    if not where.any():
        return
    region = rows_where(where, p.index["region"])
    for skill in p.index["skill"]:
        rest = employment(b, skill, where, region) - b["people"].sel(skill=skill, drop=True)
        level = typical(p["staffing"].sel(skill=skill).values)
        b.require(f"labour:{skill}", rest.sel(year=b.open), "<=", 0, family="C6", unit=UNIT, typical=level)


FAMILY = Family("C6", "labour", (people, labour))
