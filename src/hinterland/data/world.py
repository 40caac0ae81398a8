"""Simulated worlds: panels whose every effect is known.

The data-generating process is written down in ``docs/explanation/world.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.data.policy import PolicyRegister, policy_register
from hinterland.data.world_draw import draw_basis, draw_outcomes
from hinterland.data.world_frames import observed_panel, potential_frame
from hinterland.data.world_inputs import INPUTS, Inputs
from hinterland.data.world_parameters import Parameters, read_parameters
from hinterland.data.world_process import stream
from hinterland.data.world_truth import truth_frame
from hinterland.data.world_units import REGISTER, real_units, synthetic_units
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any

__all__ = ["WORLDS", "Parameters", "World", "simulate"]

WORLDS = ("demonstration-zones",)
_REAL_UNITS = 293


@dataclass(frozen=True, slots=True)
class World:
    """A simulated world.

    Attributes:
        panel: what an analyst would see.
        truth: every known truth (see :func:`hinterland.data.world_truth.truth_frame`).
        zones: the register behind the dates.
        policy: first treated periods by the default rule (partly covered and disputed units are left out).
        prices: ``province_code``, ``province``, ``year``, ``good``, ``index`` (previous year = 100), from which segmentation follows.
        potential: one row per unit and year: outcomes with the policy as it happened (``…_1``), without the unit's own policy but with its
            neighbours' (``…_0``), with no policy anywhere (``…_00``); log means, ``theta``, ``exposure`` and the moderator.
        parameters: what was chosen.
        seed: of every draw.
        inputs: the statistics from which the panel's indicators are computed, table by table; each is made when it is first asked for.
    """

    panel: Panel
    truth: pl.DataFrame
    zones: PolicyRegister
    policy: Cohorts
    prices: pl.DataFrame
    potential: pl.DataFrame
    parameters: Parameters
    seed: int
    inputs: Mapping[str, pl.DataFrame]

    def __repr__(self) -> str:
        overall = self.truth.filter(pl.col("parameter") == "att/ln_inventions/overall")["value"]
        said = f"{overall[0]:.3f}" if len(overall) else "none"
        return f"World(demonstration-zones, seed {self.seed}: {self.panel.n_units} units × {self.panel.n_periods} years; ATT on ln_inventions {said}; {self.truth.height} truths)"

    def value(self, parameter: str) -> float:
        """The truth called ``parameter`` (``"att/ln_inventions/overall"``).

        Raises:
            InputError: there is none of that name.
        """
        found = self.truth.filter(pl.col("parameter") == parameter)["value"]
        if len(found) == 0:
            raise InputError(
                Finding(
                    "unknown-truth",
                    f"this world has no truth {parameter!r}",
                    "World.truth",
                    did_you_mean(parameter, self.truth["parameter"]),
                ),
                "world",
            )
        return float(found[0])

    def input(self, name: str) -> pl.DataFrame:
        """The raw input called ``name`` (``"employment"``).

        Raises:
            InputError: there is none of that name.
        """
        if name not in INPUTS:
            raise InputError(
                Finding("unknown-input", f"this world has no raw input {name!r}", "World.inputs", did_you_mean(name, INPUTS)), "world"
            )
        return self.inputs[name]

    def truth_for(self, policy: Cohorts) -> pl.DataFrame:
        """The truths as :attr:`truth` has them, for the sample and the treated cells that another rule makes.

        The potential outcomes are the same; which units are kept, and which unit-years count as treated, is ``policy``'s choice.
        """
        units = self.potential["adcode"].unique(maintain_order=True)
        cohort, _, keep = policy.assign(units)
        last = int(self.potential["year"].max())  # type: ignore[arg-type]  # integers, never empty
        first = pl.Series("cohort", np.where(cohort > last, NEVER, cohort)).replace(NEVER, None)
        rule = pl.DataFrame({"adcode": units, "cohort": first, "sampled": pl.Series(keep)})
        since = pl.col("year") - pl.col("cohort")
        potential = (
            self.potential.drop("cohort", "sampled")
            .join(rule, on="adcode", how="left", maintain_order="left")
            .with_columns(event_time=pl.when(since >= 0).then(since))
        )
        return truth_frame(potential, self.parameters)


def simulate(
    name: str = "demonstration-zones",
    seed: int = 0,
    *,
    units: int = _REAL_UNITS,
    periods: int = 15,
    first_year: int = 2008,
    cohorts: int | Sequence[int] | None = None,
    **parameters: Any,
) -> World:
    """Simulate a world with known truth.

    With 293 units and no ``cohorts`` or ``treated_share`` the units are real cities (the prefecture-level cities, with Chongqing in the
    place of Sansha) and adopt when the register says so (first full year). Otherwise they are synthetic cities that adopt at random, in the register's proportions.

    Args:
        name: ``demonstration-zones``.
        seed: 0 or more; the same seed and arguments give the same bytes.
        units: number of units (≥ 2).
        periods: number of years (≥ 2).
        first_year: first calendar year.
        cohorts: how many cohorts, or their years; equal shares of the treated.
        parameters: fields of :class:`Parameters`: ``effect=0`` (nothing happens), ``pretrend=0.02``, ``spillover=-0.3``, …

    Raises:
        InputError: unknown world or parameter, impossible sizes.
    """
    _fail_if_sizes_impossible(name, cohorts, seed=seed, units=units, periods=periods, first_year=first_year)
    chosen = read_parameters(parameters)
    years = np.arange(first_year, first_year + periods, dtype=np.int64)
    if units == _REAL_UNITS and cohorts is None and chosen.treated_share is None:
        who = real_units(years)
    else:
        who = synthetic_units(stream(seed, "units"), units, years, cohorts, chosen.treated_share)
    basis = draw_basis(who, years, chosen, seed)
    outcomes = draw_outcomes(basis)
    potential = potential_frame(basis, outcomes)
    panel = observed_panel(basis, outcomes)
    prices = basis.market.prices
    inputs = Inputs(panel, prices, seed, chosen.sampled_patents, chosen.effect)
    return World(panel, truth_frame(potential, chosen), policy_register(REGISTER), who.policy, prices, potential, chosen, seed, inputs)


def _fail_if_sizes_impossible(name: str, cohorts: Any, **sizes: Any) -> None:
    findings = []
    if name not in WORLDS:
        findings.append(Finding("unknown-world", f"there is no world {name!r}", "argument name", did_you_mean(name, WORLDS)))
    least = {"seed": 0, "units": 2, "periods": 2, "first_year": 1}
    for argument, value in sizes.items():
        low = least[argument]
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            findings.append(Finding("bad-size", f"{argument} is {value!r}", f"argument {argument}", f"give a whole number, {low} or more"))
    given = [cohorts] if isinstance(cohorts, int) else list(cohorts or [])
    if any(isinstance(c, bool) or not isinstance(c, int) for c in given) or (isinstance(cohorts, int) and cohorts < 1):
        findings.append(Finding("bad-cohorts", f"cohorts is {cohorts!r}", "argument cohorts", "give how many (1 or more), or their years"))
    fail_if_any(findings, "world", InputError)
