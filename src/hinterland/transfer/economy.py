"""Regions and industries as they are before industries arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any

__all__ = ["Economy"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Economy:
    """Regions and industries before the arrivals. What is not given leaves the scores that need it without a value.

    Attributes:
        regions, industries: labels, [R] and [I].
        activity: output or employment, [R, I], in the unit of the flows' ``value``.
        income: what orders regions into tiers, such as GDP per head, [R].
        requirements: direct requirements a_ij, input of the row per unit of the column, [I, I].
        local_linkage: share of an industry's purchases made within the region, [R, I], 0 to 1.
        wage, land_price: [R], above 0.
        factor_shares: cost shares of labour and land, [I, 2]; equal without them.
        market_potential: [R], 0 or more.
        local_demand: share of an industry's output sold within the region, [R, I], 0 to 1.
        localisation: index of Ellison & Glaeser, [I].
        zone: part of the region under a programme that undertakes transfer, [R], 0 to 1.
        support: public support over investment, [R], 0 or more.
    """

    regions: tuple[str, ...]
    industries: tuple[str, ...]
    activity: Floats
    income: Floats
    requirements: Floats | None = None
    local_linkage: Floats | None = None
    wage: Floats | None = None
    land_price: Floats | None = None
    factor_shares: Floats | None = None
    market_potential: Floats | None = None
    local_demand: Floats | None = None
    localisation: Floats | None = None
    zone: Floats | None = None
    support: Floats | None = None

    def __post_init__(self) -> None:
        fail_if_any(list(_economy_findings(self)), "the economy", InputError)

    def __repr__(self) -> str:
        return f"Economy({len(self.regions)} regions × {len(self.industries)} industries)"


_BOUNDED = ("local_linkage", "local_demand", "zone")


def _economy_findings(economy: Economy) -> list[Finding]:
    r, i = len(economy.regions), len(economy.industries)
    shapes: dict[str, tuple[int, ...]] = {"activity": (r, i), "requirements": (i, i), "local_linkage": (r, i), "local_demand": (r, i)}
    shapes |= dict.fromkeys(("income", "wage", "land_price", "market_potential", "zone", "support"), (r,))
    shapes |= {"factor_shares": (i, 2), "localisation": (i,)}
    findings = []
    for name, shape in shapes.items():
        values = getattr(economy, name)
        if values is None:
            continue
        if np.shape(values) != shape:
            what = f"{name} has the shape {np.shape(values)}, and labels ask for {shape}"
            findings.append(Finding("shape-differs", what, f"argument {name}", "give one value per label, in the order of the labels"))
        elif name not in ("income", "localisation") and bool((np.asarray(values) < 0).any()):
            findings.append(
                Finding("negative-value", f"{name} has negative values", f"argument {name}", "correct them, or leave them out as NaN")
            )
        elif name in _BOUNDED and bool((np.asarray(values) > 1).any()):
            findings.append(Finding("not-between-0-and-1", f"{name} has values above 1", f"argument {name}", "give shares from 0 to 1"))
    findings += [
        Finding("repeated-label", f"{name} occur twice", f"argument {name}", "give each label once")
        for name in ("regions", "industries")
        if len(set(getattr(economy, name))) != len(getattr(economy, name))
    ]
    return findings
