"""What is recommended is defined on the design, and recommendations agree with each other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.data.panel import Panel
from hinterland.evaluate.balance import clusters_report
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.diagnose import Diagnosis, diagnose_design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.recommend import possible

Make = Callable[..., Any]
GAPS = np.random.default_rng(1).random(320) > 0.1


def world(starts: tuple[int, ...] = (0, 2004, 2006), outcome: str = "normal", units: int = 40) -> pl.DataFrame:
    """``units`` × 2000–2007; unit i adopts in ``starts[i mod len]`` (0: never)."""
    rng = np.random.default_rng(0)
    unit, year = np.repeat(np.arange(units), 8), np.tile(np.arange(2000, 2008), units)
    g = np.array(starts)[unit % len(starts)]
    treated = (g > 0) & (year >= g)
    draws = {"normal": rng.normal(size=len(unit)) + treated, "count": rng.poisson(3, len(unit)), "binary": rng.random(len(unit)) < 0.4}
    return pl.DataFrame(
        {
            "unit": [f"u{i:03d}" for i in unit],
            "year": year,
            "g": g,
            "y": draws[outcome].astype(float),
            "x": rng.normal(size=len(unit)),
            "w": 1.0 + unit % 3,
            "block": unit // 4,
            "group": unit % 5,
            "province": unit // 8,
            "d": treated * (rng.random(len(unit)) > 0.3).astype(float),
        }
    )


def design_of(frame: pl.DataFrame, *, weight: str | None = None, reversible: bool = False, **options: Any) -> Design:
    panel = Panel(frame, "unit", "year", weight=weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        policy = hl.adoption_from_treatment(panel, "d", reversible=True) if reversible else hl.adoption(panel, "g")
        return make_design(panel, "y", policy, **options)


NOT_YET = {"comparison": "not-yet-treated"}
DESIGNS: dict[str, Callable[[], Design]] = {
    "plain": lambda: design_of(world()),
    "covariates": lambda: design_of(world(), covariates="~ x"),
    "weights": lambda: design_of(world(), weight="w"),
    "fixed effects": lambda: design_of(world(), fe=["province^year"]),
    "anticipation": lambda: design_of(world(), anticipation=1),
    "gaps": lambda: design_of(world().filter(pl.Series(GAPS))),
    "two groupings": lambda: design_of(world(), cluster=["block", "group"]),
    "periods as clusters too": lambda: design_of(world(), cluster=["block", "year"]),
    "periods as clusters": lambda: design_of(world(), cluster="year"),
    "nobody never treated": lambda: design_of(world((2003, 2005, 2007)), **NOT_YET),
    "nobody never treated, clusters": lambda: design_of(world((2003, 2005, 2007)), cluster="block", **NOT_YET),
    "nobody never treated, covariates": lambda: design_of(world((2003, 2005, 2007)), covariates="~ x", **NOT_YET),
    "nobody never treated, gaps": lambda: design_of(world((2003, 2005, 2007)).filter(pl.Series(GAPS)), **NOT_YET),
    "all early": lambda: design_of(world((0, 1999, 2000))),
    "some early": lambda: design_of(world((0, 2000, 2004))),
    "all at once": lambda: design_of(world((2003, 2003))),
    "count": lambda: design_of(world((0, 2004), "count")),
    "binary, fixed effects": lambda: design_of(world(outcome="binary"), fe=["province^year"]),
    "binary": lambda: design_of(world(outcome="binary")),
    "one treated": lambda: design_of(world((2004, *[0] * 39))),
    "one untreated": lambda: design_of(world((0, *[2004] * 39))),
    "switching": lambda: design_of(world(), reversible=True),
    "switching, gaps": lambda: design_of(world().filter(pl.Series(GAPS)), reversible=True),
    "switching, fixed effects": lambda: design_of(world(), reversible=True, fe=["province^year"]),
    "cross-sections": lambda: design_of(world().with_columns(unit=pl.int_range(pl.len()).cast(pl.String))),
    "three units": lambda: design_of(world((0, 2004, 2006), units=3)),
}
OPTIONS = {
    "recommend-count": {"family": "poisson"},
    "recommend-binary": {"family": "logit"},
    "recommend-switching-window": {"nonabsorbing": 2},
    "recommend-cross-sections": {"panel": False},
}


def looked_at(name: str) -> tuple[Design, Diagnosis]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        design = DESIGNS[name]()
        return design, diagnose_design(design)


@pytest.mark.parametrize("name", DESIGNS)
def test_what_is_recommended_can_be_estimated(name: str) -> None:
    design, found = looked_at(name)
    found.tidy()
    found.recommended("zh")
    leads = [r for r in found.recommendations if r.kind == "estimator" and r.role == "headline"]
    assert len(leads) == (0 if "recommend-none" in {n.code for n in found.notes} else 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in found.recommendations:
            if one.kind == "estimator" and one.role != "avoid":
                assert np.isfinite(fit(design, one.id, **OPTIONS.get(one.reason.code, {})).estimate).any(), one


@pytest.mark.parametrize("name", ["all early", "all at once", "switching, fixed effects"])
def test_where_nothing_can_lead_that_is_said(name: str) -> None:
    _, found = looked_at(name)
    assert found.notes[0].code == "recommend-none"
    assert not [r for r in found.recommendations if r.kind == "estimator" and r.role in ("headline", "beside")]


def inference(name: str) -> dict[str, str]:
    return {r.id: r.role for r in looked_at(name)[1].recommendations if r.kind == "inference"}


def test_inference_follows_from_both_sides_of_the_comparison() -> None:
    assert inference("one treated") == {"randomisation-inference": "instead", "ferman-pinto": "beside", "wild-cluster-bootstrap": "avoid"}
    assert inference("one untreated") == {"randomisation-inference": "instead", "wild-cluster-bootstrap": "avoid"}
    few = {"wild-cluster-bootstrap": "instead", "CR3": "beside"}
    assert inference("nobody never treated, clusters") == few  # ten clusters, each with units of every cohort
    assert inference("two groupings") == few
    assert "randomisation-inference" not in inference("switching, gaps")


def test_of_several_groupings_the_one_worth_least_is_looked_at() -> None:
    assert clusters_report(DESIGNS["two groupings"]()).name == "group"


def test_what_is_possible() -> None:
    assert not possible(DESIGNS["gaps"](), "sdid")
    assert not possible(DESIGNS["nobody never treated, clusters"](), "efficient")
    assert not possible(DESIGNS["nobody never treated, covariates"](), "efficient")
    assert possible(DESIGNS["nobody never treated"](), "efficient")
    assert not possible(DESIGNS["binary, fixed effects"](), "etwfe")
    assert possible(DESIGNS["binary"](), "etwfe")
