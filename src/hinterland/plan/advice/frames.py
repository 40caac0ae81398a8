"""Every frame that follows from a plan, by the name of its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import polars as pl

from hinterland.plan.advice import compared, hosts, names, pathway, restrictions, security, support
from hinterland.plan.advice.view import View
from hinterland.plan.result import Plan

Frame = Callable[[View], pl.DataFrame]

FRAMES: Mapping[str, Frame] = MappingProxyType(
    {
        "plan_pathway": pathway.pathway,
        "plan_first_moves": pathway.first_moves,
        "plan_support_needed": support.support_needed,
        "plan_restrictions": restrictions.restrictions,
        "plan_specialisation": hosts.specialisation,
        "plan_security": security.security,
        "plan_limits": security.limits,
        "plan_jobs": security.jobs,
        "plan_equity": hosts.equity,
        "plan_labels": names.labels,
        "plan_groups": names.groups,
        "plan_years": names.years,
        "plan_places": names.places,
        "plan_provenance": names.provenance,
        "plan_solver": names.solver,
        "plan_settings": names.settings,
    }
)
"""Frames of one plan."""


def advice_frames(plan: Plan, without_roles: Plan | None = None) -> dict[str, pl.DataFrame]:
    """What follows from a plan, each frame with the columns of :data:`hinterland.plan.tables.PLAN_TABLES`.

    Args:
        plan: the plan.
        without_roles: the plan of the same problem without spatial roles (``roles = false``, or ``off = ["C22"]``), with which recommendations that roles
            impose are judged.

    Raises:
        InputError: roles hold in ``without_roles`` too.
    """
    view = View(plan)
    frames = {name: make(view) for name, make in FRAMES.items()}
    return frames | {"plan_compared": compared.compared(view, None if without_roles is None else View(without_roles))}
