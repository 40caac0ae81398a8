"""Families of constraints, one file each; a docstring per block of rows, from which the documentation of the model is made."""

from __future__ import annotations

from hinterland.plan.constraints import (
    balance,
    capacity,
    continuity,
    enclaves,
    equity,
    fiscal,
    gates,
    incentives,
    infrastructure,
    jobs,
    labour,
    output,
    release,
    resources,
    roles,
    security,
    size,
    specialisation,
)
from hinterland.plan.constraints.family import Description, Family, described

FAMILIES: tuple[Family, ...] = (
    release.FAMILY,
    capacity.FAMILY,
    output.FAMILY,
    balance.FAMILY,
    infrastructure.FAMILY,
    labour.FAMILY,
    resources.FAMILY,
    resources.CARBON,
    fiscal.FAMILY,
    incentives.FAMILY,
    enclaves.FAMILY,
    enclaves.SHARING,
    size.FAMILY,
    size.CONGESTION,
    specialisation.FAMILY,
    security.FAMILY,
    security.BACKUP,
    jobs.FAMILY,
    equity.FAMILY,
    gates.FAMILY,
    continuity.FAMILY,
    roles.FAMILY,
)
"""Every family, C1 to C22."""

__all__ = ["FAMILIES", "Description", "Family", "described"]
