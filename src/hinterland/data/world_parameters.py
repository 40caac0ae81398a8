"""What can be chosen about a simulated world, and the calibrated constants that are not chosen."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a simulated world: what the policy does, and which assumptions are broken.

    θ, the effect on the log mean of innovation in unit i and period t at event time e = t - G_i ≥ 0, is

        θ_it = effect · dose_i · (1 - exp(-(e + 1)/dynamics))
               · [1 + κ_G + sichuan_chongqing·SC_i - (moderation + moderation_sichuan_chongqing·SC_i)·z_p(i) + ν_i]

    Attributes:
        effect: log points that the policy adds in the long run in an average fully covered city; 0 is the null world, where
            no outcome moves.
        dynamics: periods in which the effect reaches 63 % of its long-run value (> 0).
        cohort_gap: κ of the first cohort; κ falls linearly to -cohort_gap for the last one.
        sichuan_chongqing: how much stronger the effect is in Sichuan and Chongqing, as a share of ``effect``.
        moderation: share of ``effect`` lost for each standard deviation (over provinces) of segmentation before the policy.
        moderation_sichuan_chongqing: further share lost there.
        heterogeneity: standard deviation of ν_i, drawn for each unit.
        mediated_agglomeration: share of θ that acts through agglomeration;  mediated_capital, mediated_labour: through lower
            capital and labour mismatch. Their sum must not exceed 1.
        spillover: fraction of ``effect`` that a unit receives when all its neighbours are treated and mature; negative
            = displacement.
        neighbours: nearest units that count as neighbours;  neighbour_km: and how far they may be.
        quality: log-odds of quality per log point of θ.
        quality_citations: log citations per invention, per log point of θ.
        pretrend: log points a year by which units that will be treated drift from the others, before and after (0 at event
            time -1); breaks parallel trends.
        selection: 0 = adoption is independent of every determinant of the outcomes, so parallel trends hold unconditionally
            in every functional form; otherwise treated units start poorer and more industrial, and growth depends on
            both, so parallel trends hold only given ``ln_gdp_pc_base`` and ``share2_base`` (linear, log outcome).
        treated_share: share of units first treated inside the window in synthetic worlds; the register's share if ``None``.
        sampled_patents: most inventions of a city and year that the raw input ``patents`` holds; changes nothing else.
    """

    effect: float = 0.50
    dynamics: float = 3.0
    cohort_gap: float = 0.2
    sichuan_chongqing: float = 1.0
    moderation: float = 0.25
    moderation_sichuan_chongqing: float = 0.1
    heterogeneity: float = 0.2
    mediated_agglomeration: float = 0.25
    mediated_capital: float = 0.15
    mediated_labour: float = 0.10
    spillover: float = 0.05
    neighbours: int = 4
    neighbour_km: float = 300.0
    quality: float = 0.6
    quality_citations: float = 0.3
    pretrend: float = 0.0
    selection: float = 0.0
    treated_share: float | None = None
    sampled_patents: int = 30


@cache
def calibration() -> Mapping[str, Any]:
    """The packaged calibration: ``process``, ``calendar`` and ``moment`` (see ``catalogue/world_calibration.toml``)."""
    source = files("hinterland.data").joinpath("catalogue", "world_calibration.toml").read_text(encoding="utf-8")
    return MappingProxyType(tomllib.loads(source))


def read_parameters(chosen: Mapping[str, Any]) -> Parameters:
    """:class:`Parameters` with what was ``chosen``; every unknown name and impossible value is a finding."""
    known = {f.name: f for f in fields(Parameters)}
    findings = [
        Finding("unknown-parameter", f"the world has no parameter {name!r}", f"{name}={value!r}", did_you_mean(name, known))
        for name, value in chosen.items()
        if name not in known
    ]
    findings += [f for name, value in chosen.items() if name in known for f in _value_findings(name, value)]
    fail_if_any(findings, "world parameters", InputError)
    made = replace(Parameters(), **chosen)
    fail_if_any(_joint_findings(made), "world parameters", InputError)
    return made


def _value_findings(name: str, value: Any) -> list[Finding]:
    if name == "treated_share" and value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return [Finding("not-a-number", f"{name} is {value!r}", f"parameter {name}", "give a finite number")]
    limits = {
        "dynamics": (1e-6, math.inf),
        "heterogeneity": (0.0, math.inf),
        "neighbours": (1, 100),
        "sampled_patents": (1, 10**6),
        "neighbour_km": (0.0, math.inf),
        "treated_share": (1e-9, 1.0),
        "effect": (-5.0, 5.0),
    } | dict.fromkeys(("mediated_agglomeration", "mediated_capital", "mediated_labour"), (0.0, 1.0))
    low, high = limits.get(name, (-math.inf, math.inf))
    found = []
    if not low <= value <= high:
        found.append(Finding("out-of-range", f"{name} is {value!r}", f"parameter {name}", f"give a number from {low:g} to {high:g}"))
    if name in ("neighbours", "sampled_patents") and not isinstance(value, int):
        found.append(Finding("not-whole", f"{name} is {value!r}", f"parameter {name}", "give a whole number"))
    return found


def _joint_findings(made: Parameters) -> list[Finding]:
    shares = made.mediated_agglomeration + made.mediated_capital + made.mediated_labour
    if shares <= 1.0 + 1e-12:
        return []
    return [
        Finding(
            "shares-above-one",
            f"the mediated shares add up to {shares:g}",
            "parameters mediated_*",
            "lower them: what is left is the direct share",
        )
    ]
