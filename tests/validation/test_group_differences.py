"""Differences between groups: size of every test, with many treated units, with two, and where clusters span groups; coverage in the packaged world."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

import hinterland as hl
from hinterland.data.grouping import cut_groups, region_groups, with_rest
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.heterogeneity_groups import GroupFits, codes_of, fit_groups
from hinterland.evaluate.heterogeneity_interaction import interact
from hinterland.evaluate.heterogeneity_permutation import Request, permute_pair
from hinterland.evaluate.heterogeneity_stacked import Stacked, difference, equality, least_df, stack

pytestmark = pytest.mark.validate

REPLICATIONS, WORLDS, DRAWS, PERIODS = 1000, 300, 99, 6
Floats = np.ndarray[Any, np.dtype[np.float64]]


def panel_of(sizes: Sequence[tuple[int, int]], provinces: int = 0) -> tuple[Design, pl.DataFrame]:
    """A design with groups of ``(units, treated)``; half of the treated start in period 3, half in 4. Provinces are dealt over all groups."""
    rows, groups, unit = [], [], 0
    for g, (count, treated) in enumerate(sizes):
        for k in range(count):
            first = 0 if k >= treated else 3 + (k % 2)
            name = f"u{unit:04d}"
            groups.append((name, f"g{g}"))
            rows += [(name, t, first, f"p{unit % provinces:02d}" if provinces else name, 0.0 if t else 1.0) for t in range(PERIODS)]
            unit += 1
    frame = pl.DataFrame(rows, schema=["unit", "time", "first", "province", "y"], orient="row")
    panel = Panel(frame, "unit", "time")
    design = make_design(panel, "y", hl.adoption(panel, "first", never=(0,)), cluster="province" if provinces else None)
    return design, pl.DataFrame(groups, schema=["unit", "group"], orient="row")


def errors(design: Design, rng: np.random.Generator, scale: Floats | None = None) -> Floats:
    """Unit effects, and errors with an autocorrelation of 0.5 within units, [n]; an effect of 1 on every treated row."""
    shocks = rng.normal(size=(design.n_units, PERIODS)) * (1.0 if scale is None else scale[:, None])
    for t in range(1, PERIODS):
        shocks[:, t] = 0.5 * shocks[:, t - 1] + np.sqrt(0.75) * shocks[:, t]
    return (shocks + rng.normal(size=(design.n_units, 1))).reshape(-1) + design.treated


def rejected(fits: GroupFits, method: str, draws: int, seed: int) -> dict[str, bool]:
    """Which tests of the first difference reject at 5 %."""
    stacked = stack(fits, method, {})
    found = {"stacked": difference(stacked, 0, 1).p_value < 0.05}
    if method == "twfe":
        for periods in ("group", "common"):
            one = interact(fits, method, {}, periods)
            same = Stacked(one.estimate, one.vcov, np.full(len(one.estimate), one.df), 1, 0)
            found[f"interaction, period effects {periods}"] = difference(same, 0, 1, welch=False).p_value < 0.05
    if len(fits.groups) > 2:
        found["equality, stacked"] = equality(stacked.estimate, stacked.vcov, least_df(stacked)).p_value < 0.05
    if draws:
        permuted = permute_pair(fits, method, {}, Request(draws=draws, seed=seed), interval=False)
        found["permutation, t"] = permuted.p_value <= 0.05
        found["permutation, coefficient"] = permuted.p_coefficient <= 0.05
    return found


def rejections(
    sizes: Sequence[tuple[int, int]], methods: Sequence[str], draws: int, scale: Sequence[float] = ()
) -> Mapping[tuple[str, str], list[bool]]:
    design, groups = panel_of(sizes)
    spread = np.repeat(scale, [n for n, _ in sizes]) if scale else None
    found: dict[tuple[str, str], list[bool]] = defaultdict(list)
    of, labels = codes_of(design, groups)
    for seed in range(REPLICATIONS):
        rng = np.random.default_rng(seed)
        drawn = replace(design, y=errors(design, rng, spread))
        for method in methods:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fits = fit_groups(drawn, of, labels, method, {})
                for name, hit in rejected(fits, method, draws, seed).items():
                    found[method, name].append(hit)
    return found


def test_groups_alike(validated: Recorder) -> None:
    """Two groups of 40 units, 16 treated in each: every test keeps its size."""
    for (method, name), hits in rejections([(40, 16), (40, 16)], ["twfe", "callaway-santanna"], DRAWS).items():
        validated("tests", "group difference", "no difference; 2 groups of 40 units, 16 treated", variant=f"{method}, {name}", seed=0).size(
            hits
        )


def test_groups_of_unequal_variance(validated: Recorder) -> None:
    """Errors of one group have three times the standard deviation, and it is smaller: what permutes the difference itself rejects too often, its t statistic not."""
    found = rejections([(30, 12), (90, 36)], ["twfe"], DRAWS, scale=(3.0, 1.0))
    where = "no difference; 30 and 90 units, errors of the smaller group three times as large"
    for (method, name), hits in found.items():
        kept = validated(
            "failures" if name == "permutation, coefficient" else "tests", "group difference", where, variant=f"{method}, {name}", seed=0
        )
        if name == "permutation, coefficient":
            kept.size(hits, within=(0.1, 1.0), reason="known failure")
        else:
            kept.size(hits, within=(0.03, 0.1), reason="small sample")


def test_four_groups(validated: Recorder) -> None:
    """Common period effects, whose residuals share the comparison units of all groups, reject a little too often."""
    where = "no difference; 4 groups of 40 units, 16 treated"
    for (method, name), hits in rejections([(40, 16)] * 4, ["twfe"], 0).items():
        options: dict[str, Any] = {"within": (0.03, 0.09), "reason": "small sample"} if "common" in name else {}
        validated("tests", "group difference", where, variant=f"{method}, {name}", seed=0).size(hits, **options)


def test_two_treated_units_in_a_group(validated: Recorder) -> None:
    """As in Sichuan–Chongqing: standard errors are far too small, permuted labels are exact."""
    where = "no difference; 20 units with 2 treated beside 80 with 24"
    for (method, name), hits in rejections([(20, 2), (80, 24)], ["twfe", "callaway-santanna"], DRAWS).items():
        exact = name.startswith("permutation")
        kept = validated("few clusters" if exact else "failures", "group difference", where, variant=f"{method}, {name}", seed=0)
        kept.size(hits, **({} if exact else {"within": (0.1, 1.0), "reason": "known failure"}))


def test_clusters_that_span_groups(validated: Recorder) -> None:
    """Provinces hold units of both groups and their treated units share shocks: these cancel from the difference, which independent samples do not know."""
    design, groups = panel_of([(120, 48), (120, 48)], provinces=30)
    of, labels = codes_of(design, groups)
    province = design.clusters[0].codes
    hits: dict[str, list[bool]] = defaultdict(list)
    for seed in range(REPLICATIONS):
        rng = np.random.default_rng(seed)
        shared = rng.normal(size=30)[province] * design.treated
        fits = fit_groups(replace(design, y=errors(design, rng) + shared), of, labels, "twfe", {})
        stacked = stack(fits, "twfe", {})
        apart = replace(stacked, vcov=np.diag(np.diag(stacked.vcov)))
        hits["stacked"].append(difference(stacked, 0, 1).p_value < 0.05)
        hits["independent samples"].append(difference(apart, 0, 1).p_value < 0.05)
    where = "no difference; 30 provinces with units of both groups and shocks in common"
    validated("tests", "group difference", where, variant="twfe, stacked", seed=0).size(
        hits["stacked"], within=(0.03, 0.08), reason="small sample"
    )
    apart_ = validated("failures", "group difference", where, variant="twfe, independent samples", seed=0)
    apart_.size(hits["independent samples"], within=(0.0, 0.03), reason="known failure")


def test_the_packaged_world(validated: Recorder) -> None:
    """Sichuan–Chongqing (two treated cities) and elsewhere, and cities above and below median income: the true differences are known city by city."""
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for seed in range(WORLDS):
        world = hl.simulate("demonstration-zones", seed=seed, spillover=0.0)
        policy = world.zones.cohorts(partial="treat", uncertain="treat", until=2022)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            design = make_design(world.panel, "ln_inventions", policy)
            gain = effect_of(world, design)
            made = {
                "sichuan-chongqing": with_rest(world.panel, region_groups(world.panel, "sichuan-chongqing")),
                "income": cut_groups(world.panel, "ln_gdp_pc", "median", 2009),
            }
            for name, groups in made.items():
                covered(hits, name, fit_groups(design, *codes_of(design, groups), "callaway-santanna", {}), gain, seed)
    for (name, test), inside in hits.items():
        where = (
            "Sichuan–Chongqing, 2 cities treated, and elsewhere"
            if name == "sichuan-chongqing"
            else "above and below median income, 13 and 18 treated"
        )
        naive = name == "sichuan-chongqing" and test == "stacked"
        kept = validated("failures" if naive else "packaged world", "group difference", where, variant=f"callaway-santanna, {test}", seed=0)
        options: dict[str, Any] = (
            {"within": (0.0, 0.9), "reason": "known failure"} if naive else {"within": (0.88, 1.0), "reason": "small sample"}
        )
        kept.coverage(inside, **options)


def effect_of(world: hl.World, design: Design) -> Floats:
    """[n] what the policy did to the log of inventions in each row of the design, zero where nobody is treated."""
    frame = world.potential.select(
        unit=pl.col("adcode").cast(pl.String), time="year", gain=pl.col("ln_inventions_1") - pl.col("ln_inventions_0")
    )
    rows = pl.DataFrame({"unit": design.unit_labels[design.unit], "time": design.periods[design.period]})
    gain = rows.join(frame, on=["unit", "time"], how="left", maintain_order="left")["gain"].to_numpy()
    return np.where(design.treated, gain, 0.0)


def covered(hits: dict[tuple[str, str], list[bool]], name: str, fits: GroupFits, gain: Floats, seed: int) -> None:
    """Whether the interval of the stacked difference, and the test by permutation, hold the true difference."""
    design, inside = fits.design, fits.of[fits.design.unit]
    effects = [float(gain[design.treated & (inside == g)].mean()) for g in (0, 1)]
    truth = effects[0] - effects[1]
    low, high = difference(stack(fits, "callaway-santanna", {}), 0, 1).interval(0.95)
    hits[name, "stacked"].append(low <= truth <= high)
    shifted = replace(design, y=design.y - truth * (design.treated & (inside == 0)))
    again = fit_groups(shifted, fits.of, fits.labels, "callaway-santanna", {})
    hits[name, "permutation, t"].append(
        permute_pair(again, "callaway-santanna", {}, Request(draws=99, seed=seed), interval=False).p_value > 0.05
    )
