"""Measurable claims about a plan: each gives a number and what it is compared with, or says why it cannot.

A claim that something *rises* compares the last year of its span in the plan with the year before the span, or with the start of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from hinterland.plan.advice import hosts, security
from hinterland.plan.advice.view import View


@dataclass(frozen=True, slots=True)
class Ask:
    """What a claim is about.

    Attributes:
        regions: as the plan calls them; none for all hosts.
        industries: of the group; none for all.
        first, last: decided years of the plan within the recommendation's span.
        threshold: what the number is compared with, where the claim itself does not say.
    """

    regions: tuple[str, ...]
    industries: tuple[str, ...]
    first: int
    last: int
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """A claim's number, what it is compared with, its unit, and whether less speaks for the claim; or the reason why there is no number."""

    value: float = np.nan
    threshold: float = np.nan
    unit: str = "share"
    less: bool = False
    reason: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the number speaks for the claim; ``None`` where there is none. A difference within a millionth is none."""
        if self.reason or not np.isfinite([self.value, self.threshold]).all():
            return None
        room = 1e-6 * max(1.0, abs(self.threshold))
        return bool(self.value < self.threshold - room if self.less else self.value > self.threshold + room)


Claim = Callable[[View, Ask], Found]


def _held(view: View, year: int, *, regions: tuple[str, ...] = (), industries: tuple[str, ...] = ()) -> float:
    """Capacity of hosts at the end of a year; before the plan, at its start."""
    first = view.problem.years[0]
    name = "before" if year < first else "capacity"
    cells = view.at_hosts.filter(pl.col("year") == max(year, first))
    if regions:
        cells = cells.filter(pl.col("host").is_in(regions))
    if industries:
        cells = cells.filter(pl.col("industry").is_in(industries))
    return float(cells[name].sum())


def _ratio(a: float, b: float) -> float:
    return a / b if b > 0 else np.nan


def region_share_rises(view: View, ask: Ask) -> Found:
    """The regions' part of all hosts' capacity in the group is larger at the end of the span than before it."""
    now, then = (
        _ratio(_held(view, y, regions=ask.regions, industries=ask.industries), _held(view, y, industries=ask.industries))
        for y in (ask.last, ask.first - 1)
    )
    return Found(now, then)


def share_of_hosts_rises(view: View, ask: Ask) -> Found:
    """The group's part of hosts' capacity in all industries is larger at the end of the span than before it."""
    now, then = (_ratio(_held(view, y, industries=ask.industries), _held(view, y)) for y in (ask.last, ask.first - 1))
    return Found(now, then)


def quotient_above(view: View, ask: Ask) -> Found:
    """The location quotient of the group in the regions, among hosts at the end of the span, is above the threshold."""
    own = _ratio(_held(view, ask.last, regions=ask.regions, industries=ask.industries), _held(view, ask.last, regions=ask.regions))
    every = _ratio(_held(view, ask.last, industries=ask.industries), _held(view, ask.last))
    return Found(_ratio(own, every), 1.0 if ask.threshold is None else ask.threshold, "ratio")


def new_share_earlier(view: View, ask: Ask) -> Found:
    """The group's part of what is newly decided at hosts is larger within the span than in the years after it."""
    new = view.at_hosts.with_columns(new=pl.col("arrivals") + pl.col("greenfield"))
    theirs = pl.col("industry").is_in(list(ask.industries))
    during = pl.col("year").is_between(ask.first, ask.last)
    inside, outside = new.filter(during), new.filter(pl.col("year") > ask.last)
    if not inside["new"].sum() > 0 or not outside["new"].sum() > 0:
        return Found(reason="nothing-new")
    now, later = (_ratio(float(f.filter(theirs)["new"].sum()), float(f["new"].sum())) for f in (inside, outside))
    return Found(now, later)


def investment_earlier(view: View, ask: Ask) -> Found:
    """Investment in infrastructure a year is larger within the span than in the years after it."""
    spent = view.plan.infrastructure
    if not spent.height:
        return Found(reason="not-in-case")
    during = spent.filter(pl.col("year").is_between(ask.first, ask.last))
    later = spent.filter(pl.col("year") > ask.last)
    if not later.height or not spent["investment"].sum() > 0:
        return Found(reason="nothing-new")
    now, then = (float(f["investment"].sum()) / f["year"].n_unique() for f in (during, later))
    return Found(now, then, "100m-yuan")


def intensity_falls(view: View, ask: Ask) -> Found:
    """What hosts' output of the group takes of the emissions resource per unit is less at the end of the span than before it, by which industries make it where.

    Both years are valued at the intensities of the earlier one, so that what technology is assumed to save does not count for the plan.
    """
    resource = view.problem.settings.emissions
    if resource not in view.problem.index["resource"]:
        return Found(reason="not-in-case")
    before = max(ask.first - 1, view.problem.years[0])
    takes = view.of("intensity_now").filter(resource=resource, year=before).select("region", "industry", takes="value")
    cells = view.cells.filter(pl.col("region").is_in(view.hosts)).join(takes, on=["region", "industry"])
    if ask.industries:
        cells = cells.filter(pl.col("industry").is_in(list(ask.industries)))

    def of(year: int) -> float:
        rows = cells.filter(pl.col("year") == year)
        return _ratio(float((rows["output"] * rows["takes"]).sum()), float(rows["output"].sum()))

    unit = view.plan.resources.filter(resource=resource)["unit"]
    return Found(of(ask.last), of(before), f"{unit[0]}/100m-yuan", less=True)


def likeness_falls(view: View, ask: Ask) -> Found:
    """The mean likeness of hosts (Finger & Kreinin) is less at the last end of a phase within the span than at the last one before it."""
    rows = hosts.specialisation(view).filter(measure="finger-kreinin")
    means = dict(rows.group_by("year").agg(pl.col("value").mean()).sort("year").iter_rows())
    within, before = [y for y in means if ask.first <= y <= ask.last], [y for y in means if y < ask.first]
    if not within or not before:
        return Found(reason="one-host" if not means else "not-in-years")
    return Found(means[within[-1]], means[before[-1]], "index", less=True)


def gap_falls(view: View, ask: Ask) -> Found:
    """The Theil index of value added per head over hosts is less at the end of the span than before it."""
    rows = hosts.equity(view).filter(measure="theil")
    found = dict(rows.select("year", "value").iter_rows())
    if ask.last not in found or len(view.hosts) < 2:
        return Found(reason="not-in-case")
    return Found(found[ask.last], found[max(ask.first - 1, view.problem.years[0])], "index", less=True)


def security_rises(view: View, ask: Ask) -> Found:
    """Hosts' part of national use of critical industries, mean over them, is larger at the end of the span than before it."""
    rows = security.security(view).drop_nulls("share")
    if not rows.height:
        return Found(reason="not-in-case")
    means = dict(rows.group_by("year").agg(pl.col("share").mean()).iter_rows())
    return Found(means.get(ask.last, np.nan), means.get(max(ask.first - 1, view.problem.years[0]), np.nan))


def agreements_used(view: View, ask: Ask) -> Found:
    """At least one agreement is active within the span."""
    if not view.plan.enclaves.height:
        return Found(reason="not-in-case")
    inside = view.plan.enclaves.filter(pl.col("year").is_between(ask.first, ask.last), pl.col("active") > 0.5)
    return Found(float(inside["enclave"].n_unique()), 0.0, "count")


def exports_rise(view: View, ask: Ask) -> Found:
    """Hosts' exports are larger at the end of the span than before it."""
    sold = view.plan.abroad.filter(pl.col("region").is_in(view.hosts))
    if not sold.height or not sold["exports"].sum() > 0:
        return Found(reason="not-in-case")
    found = dict(sold.group_by("year").agg(pl.col("exports").sum()).iter_rows())
    return Found(found.get(ask.last, 0.0), found.get(max(ask.first - 1, view.problem.years[0]), 0.0), "100m-yuan")


def support_used(view: View, ask: Ask) -> Found:
    """Some support is paid within the span."""
    if not len(view.problem.index["instrument"]):
        return Found(reason="not-in-case")
    return Found(_sum(view.plan.support, "value", ask), 0.0, "100m-yuan")


def compensation_used(view: View, ask: Ask) -> Found:
    """Some ecological compensation is received within the span."""
    if not view.plan.money.height:
        return Found(reason="not-in-case")
    return Found(_sum(view.plan.money, "compensation", ask), 0.0, "100m-yuan")


def training_used(view: View, ask: Ask) -> Found:
    """Some people of hosts enter training within the span."""
    people = view.plan.people.filter(pl.col("region").is_in(view.hosts)) if view.plan.people.height else view.plan.people
    if not people.height:
        return Found(reason="not-in-case")
    return Found(_sum(people, "trained", ask), 0.0, "10k-person")


def _sum(frame: pl.DataFrame, column: str, ask: Ask) -> float:
    return float(frame.filter(pl.col("year").is_between(ask.first, ask.last))[column].sum()) if frame.height else 0.0


CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        "region-share-rises": region_share_rises,
        "share-of-hosts-rises": share_of_hosts_rises,
        "quotient-above": quotient_above,
        "new-share-earlier": new_share_earlier,
        "investment-earlier": investment_earlier,
        "intensity-falls": intensity_falls,
        "likeness-falls": likeness_falls,
        "gap-falls": gap_falls,
        "security-rises": security_rises,
        "agreements-used": agreements_used,
        "exports-rise": exports_rise,
        "support-used": support_used,
        "compensation-used": compensation_used,
        "training-used": training_used,
    }
)
"""Every claim that can be tested, by the identifier that the catalogue of recommendations uses."""
