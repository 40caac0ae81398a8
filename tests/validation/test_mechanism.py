"""Shares of an effect that runs through mediators, in the packaged world and where a confounder is known; what they do where there is no mediation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from recording import Recorder
from simulated import autoregressive, make

from hinterland.data.cohorts import NEVER
from hinterland.data.world_draw import draw_basis, draw_outcomes
from hinterland.data.world_parameters import read_parameters
from hinterland.data.world_process import MEDIATORS, mediated_shares, stream
from hinterland.data.world_units import synthetic_units
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fit
from hinterland.evaluate.families import adjust
from hinterland.evaluate.mechanism_checks import interaction
from hinterland.evaluate.mechanism_draws import Resampling, resampled
from hinterland.evaluate.mechanism_frames import Sampled, path_frame
from hinterland.evaluate.mechanism_intervals import percentile
from hinterland.evaluate.mechanism_paths import Paths, Slope, on_mediator, one_number, slopes, stacked
from hinterland.evaluate.mechanism_sensitivity import indirect_at
from hinterland.evaluate.result import Effects

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
DRAWS = 399
UNITS, YEARS = 300, np.arange(2008, 2020, dtype=np.int64)
Floats = NDArray[np.float64]


def analysed(design: Design, names: tuple[str, ...], method: str, slope: Slope, seed: int) -> tuple[pl.DataFrame, Sampled, list[Effects]]:
    """What ``mechanism_of`` computes of paths, without its checks."""
    total, *effects = [one_number(fit(d, method)) for d in (design, *(on_mediator(design, m) for m in names))]
    found = slopes(design, names, (), slope)
    theta = stacked(total, effects, found)
    sampled = resampled(design, names, (), theta, Resampling(method == "twfe" and slope == "pooled", DRAWS, seed))
    return path_frame(names, total, effects, found=found, theta=theta, sampled=sampled, level=0.95), sampled, effects


@dataclass
class Shares:
    """Estimates less the truth, and whether intervals hold it, by mediator (``joint``: all)."""

    errors: dict[str, list[float]] = field(default_factory=dict)
    percentile: dict[str, list[bool]] = field(default_factory=dict)
    accelerated: dict[str, list[bool]] = field(default_factory=dict)

    def add(self, frame: pl.DataFrame, truth: Mapping[str, float]) -> None:
        for row in frame.filter(quantity="share").iter_rows(named=True):
            name = row["mediator"] or "joint"
            self.errors.setdefault(name, []).append(row["estimate"] - truth[name])
            self.percentile.setdefault(name, []).append(row["conf_low"] <= truth[name] <= row["conf_high"])
            bca = row["bca_low"] is not None and row["bca_low"] <= truth[name] <= row["bca_high"]
            self.accelerated.setdefault(name, []).append(bca)


def world_designs(seed: int) -> tuple[Design, Design]:
    """One world of 300 synthetic cities and twelve years, spillovers off: with the policy, and without it."""
    p = read_parameters({"spillover": 0.0, "treated_share": 0.4})
    who = synthetic_units(stream(seed, "units"), UNITS, YEARS, (2012, 2014, 2016), p.treated_share)
    drawn = draw_outcomes(draw_basis(who, YEARS, p, seed))
    design = make(np.where(who.cohort == NEVER, NEVER, who.cohort - YEARS[0] + 1), len(YEARS))
    states = [
        replace(design, y=drawn[f"ln_inventions_{k}"].ravel(), columns={m: np.log(drawn[f"{m}_{k}"]).ravel() for m in MEDIATORS})
        for k in (1, 0)
    ]
    return states[0], states[1]


def test_shares_of_the_packaged_world(validated: Recorder) -> None:
    """Shares 0.25, 0.15, 0.10: coverage of both intervals with slopes from untreated rows; two-way fixed effects mix effects that grow into slopes and understate the total."""
    truth = dict(mediated_shares(read_parameters({})))
    truth["joint"] = sum(truth.values())
    found = {"callaway-santanna": Shares(), "twfe": Shares()}
    null: dict[str, list[bool]] = {}
    family: list[bool] = []
    for seed in range(REPLICATIONS):
        design, without = world_designs(seed)
        found["callaway-santanna"].add(analysed(design, MEDIATORS, "callaway-santanna", "untreated", seed)[0], truth)
        found["twfe"].add(analysed(design, MEDIATORS, "twfe", "pooled", seed)[0], truth)
        frame, _, effects = analysed(without, MEDIATORS, "callaway-santanna", "untreated", seed)
        for row in frame.filter((pl.col("quantity") == "indirect") & pl.col("mediator").is_not_null()).iter_rows(named=True):
            null.setdefault(row["mediator"], []).append(row["p_value"] < 0.05)
        family.append(bool((adjust(effects, "romano-wolf", draws=DRAWS, seed=seed).p_adjusted < 0.05).any()))
    where = "300 cities, 12 years, 40 % treated"
    lead, other = found["callaway-santanna"], found["twfe"]
    for kind, hits in (("percentile", lead.percentile), ("BCa", lead.accelerated)):
        rows = validated("mechanism", "share, callaway-santanna, untreated slopes", where, variant=kind, seed=0)
        for name, values in hits.items():
            rows.coverage(values, name)
    rows = validated("mechanism", "indirect effect, callaway-santanna, untreated slopes", f"{where}; no policy", seed=0)
    for name, rejected in null.items():
        rows.size(rejected, name)
    rows.rate("error rate", family, "effects on three mediators, romano-wolf", within=(0.02, 0.07))
    failing = validated("failures", "share, twfe, pooled slopes", where, seed=0)
    failing.bias(other.errors["joint"], "joint", reason="known failure", least=0.05)
    failing.coverage(other.percentile["joint"], "joint", within=(0.0, 0.93), reason="known failure")
    validated.fail_if_outside()


COHORT = np.array([4, 6, NEVER])[np.arange(150) % 3]
PERIODS = 8


def linear(rng: np.random.Generator, template: Design, a: float, b: float, hidden: float) -> Design:
    """M = a D + e₂, Y = 0.5 D + b M + e₃ + unit effects; e₂ and e₃ share ``hidden`` times the same autoregressive shock."""
    n = len(COHORT)
    d = (np.arange(1, PERIODS + 1) >= np.where(COHORT == NEVER, 99, COHORT)[:, None]).astype(float)
    u, e2, e3 = (autoregressive(rng, n, PERIODS, 0.5) for _ in range(3))
    m = a * d + hidden * u + e2 + rng.normal(size=n)[:, None]
    y = 0.5 * d + b * m + hidden * u + e3 + rng.normal(size=n)[:, None]
    return replace(template, y=y.ravel(), columns={"m": m.ravel()})


def test_without_mediation_nothing_is_found(validated: Recorder) -> None:
    """Indirect effects where a path is zero: the right size if one is, conservative if both are; slopes that are the same under treatment."""
    template = make(COHORT, PERIODS)
    for method, slope in (("callaway-santanna", "untreated"), ("twfe", "pooled")):
        rejected: dict[str, list[bool]] = {"no effect on the mediator": [], "no slope": [], "neither": []}
        crossed = []
        for seed in range(REPLICATIONS):
            rng = np.random.default_rng([seed, 1])
            for name, a, b in (("no effect on the mediator", 0.0, 0.6), ("no slope", 0.5, 0.0), ("neither", 0.0, 0.0)):
                design = linear(rng, template, a, b, 0.0)
                frame = analysed(design, ("m",), method, slope, seed)[0]  # type: ignore[arg-type]
                rejected[name].append(frame.filter(quantity="indirect", mediator="m")["p_value"][0] < 0.05)
            crossed.append(interaction(design, ("m",), (), slope).p_value < 0.05)  # type: ignore[arg-type]
        rows = validated("mechanism", f"indirect effect, {method}, {slope} slopes", "150 units, 8 periods, autoregressive errors", seed=1)
        for name, values in rejected.items():
            if name == "neither":
                rows.size(values, name, within=(0.0, 0.03), reason="conservative")
            else:
                rows.size(values, name)
        validated("mechanism", "test of equal slopes", "150 units, 8 periods, autoregressive errors", variant=slope, seed=1).size(crossed)
    validated.fail_if_outside()


def test_a_shared_confounder_is_undone_at_its_own_correlation(validated: Recorder) -> None:
    """Errors that share a shock of their own size correlate at 1/2: intervals that ignore it fail, those at ρ = 1/2 hold the truth 0.5 · 0.6."""
    template, truth = make(COHORT, PERIODS), 0.5 * 0.6
    for method, slope in (("callaway-santanna", "untreated"), ("twfe", "pooled")):
        ignored: list[Any] = []
        errors, told = [], []
        for seed in range(REPLICATIONS):
            design = linear(np.random.default_rng([seed, 2]), template, 0.5, 0.6, 1.0)
            frame, sampled, _ = analysed(design, ("m",), method, slope, seed)  # type: ignore[arg-type]
            row = frame.filter(quantity="indirect", mediator="m").row(0, named=True)
            ignored.append((row["estimate"] - truth, row["conf_low"] <= truth <= row["conf_high"]))
            low, high = percentile(indirect_at(Paths.of(sampled.draws), 0.5), 0.95)
            errors.append(indirect_at(Paths.of(sampled.estimate), 0.5)[0, 0] - truth)
            told.append(low[0] <= truth <= high[0])
        where = "a shock shared by mediator and outcome"
        failing = validated("failures", f"indirect effect, {method}, {slope} slopes", where, seed=2)
        failing.bias([e for e, _ in ignored], reason="known failure", least=0.1)
        failing.coverage([h for _, h in ignored], within=(0.0, 0.9), reason="known failure")
        rows = validated("mechanism", f"indirect effect at the true ρ, {method}, {slope} slopes", where, seed=2)
        rows.bias(errors)
        rows.coverage(told)
    validated.fail_if_outside()
