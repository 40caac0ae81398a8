"""The tables of a plan in a record: their columns, types and meaning.

Frames of :class:`hinterland.plan.result.Plan` keep its columns; the others are what follows from them (:mod:`hinterland.plan.advice`), or what is made of
several plans. Money is in 100 million yuan at the case's prices; capacity is gross output that can be made in a year, in the same unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

__all__ = ["COLUMNS", "PLACES", "PLAN_TABLES", "Column", "shaped"]

PLACES = (
    "region",
    "industry",
    "other",
    "skill",
    "kind",
    "enclave",
    "market",
    "case",
    "lost",
    "good",
    "phase",
    "role",
    "segment",
    "instrument",
)
"""Keys that a row of a constraint may have, beside the year."""

_TEXT, _WHOLE, _REAL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, and what it holds."""

    dtype: pl.DataType
    meaning: str


_KEYS = {
    "objective": "what is aimed at, or counted",
    "region": "the region",
    "host": "the region that receives",
    "source": "the region that sends; of a parameter, where it comes from",
    "other": "the second region of a pair",
    "origin": "where goods come from",
    "destination": "where goods go",
    "industry": "the industry; null where the number is of a group or of all",
    "group": "the group of industries; an industry may be in several, so that groups do not add up",
    "phase": "the phase",
    "enclave": "the agreement between a source and a host; null without one",
    "market": "the market abroad; null for imports",
    "skill": "the level of skill",
    "resource": "the resource",
    "kind": "the kind of infrastructure, of a need, or of a move",
    "case": "the loss and the industry that a row tests",
    "lost": "the region whose loss is tested",
    "good": "market and industry",
    "role": "the spatial role; of a region, what it does in the plan",
    "instrument": "the instrument of support, kind of infrastructure, skill or agreement that the need is of",
    "unit": "unit of the number",
    "better": "whether less or more is better",
    "part": "what the cost pays for",
    "constraint": "the block of rows",
    "family": "the family of constraints, C1 to C22",
    "side": "whether the constraint is short or goes over; of support, whether money is needed or there (need, source)",
    "level": "what the row is about: industry, group, or all",
    "sources": "JSON list of the largest sources, each with region and value",
    "basis": "what a number rests on",
    "price_unit": "unit of what a unit of the constraint is worth",
    "bound": "whether the row is a limit or a floor",
    "scarce_is": "what is scarce: the constraint's side, what uses it (used), or the capacity that fills it (held)",
    "measure": "which number the row holds",
    "dimension": "what the label is of: region, industry, group, phase, role, skill, instrument, kind, resource, market, enclave",
    "id": "the label, or the recommendation, by its identifier",
    "name_en": "its name in English",
    "name_zh": "its name in Chinese",
    "section": "where in the source the recommendation stands",
    "test": "which claim about the plan's numbers stands for the recommendation",
    "statement_en": "the recommendation in English",
    "statement_zh": "the recommendation in Chinese",
    "regions": "the recommendation's regions, as the plan calls them; joined by ;",
    "verdict": "agrees, disagrees, imposed (the claim holds because the plan was told so) or cannot; of an alternative, must-have, must-avoid or free",
    "verdict_without": "the same for the plan without spatial roles; null where there is none",
    "imposed_by": "constraints that impose the claim and hold in the plan; joined by ;",
    "reason": "code of why the claim cannot be judged; empty where it can",
    "parameter": "the parameter",
    "of": "labels of the parameter's resource, skill, kind and so on that the row speaks of, joined by ;, and null for all that no other row names",
    "note": "what a reader must know, in English",
    "note_zh": "what a reader must know, in Chinese",
    "key": "which fact",
}
_WHOLE_COLUMNS = {
    "year": "the year",
    "first_year": "first year of the phase, or of what the row is about",
    "last_year": "last year of the phase, or of what the row is about",
    "segment": "the step of response, or of size",
    "rank": "place among comparable rows, 1 first",
    "rows": "rows of the constraint that bind",
    "point": "number of the point on the front",
}
_FLAGS = {
    "observed": "the years are past: nothing is decided there",
    "falls_short": "the constraint is missed, or would be at the next unit: its price is the one put on missing it, and no cost",
    "distinct": "the point differs from the others",
}
_NUMBERS = {
    "value": "the number, in the unit of the row",
    "capacity": "capacity at the end of the year; of a need, new capacity that the money brings",
    "output": "gross output",
    "greenfield": "new capacity that is built",
    "arrivals": "capacity decided to come",
    "departures": "capacity that leaves",
    "unexplained": "observed change of capacity that nothing on record explains",
    "imports": "imports",
    "exports": "exports",
    "investment": "investment in infrastructure",
    "service": "infrastructure in service",
    "people": "people of the skill; of a need, people trained",
    "migrants": "people who come",
    "trained": "people who enter training",
    "used": "use of the resource",
    "banked": "what is kept for later",
    "levy": "ecological compensation that the region pays",
    "compensation": "ecological compensation that the region receives",
    "active": "1 where the agreement is active",
    "started": "1 in the year in which it starts",
    "shared": "tax that goes back to the source",
    "filled": "capacity in the step",
    "reached": "1 where the step is reached",
    "price": "what a unit of the constraint is worth; in plan_restrictions at prices of the phase's years, not discounted",
    "moved": "capacity decided to move in",
    "capacity_start": "capacity before the phase",
    "capacity_end": "capacity at the end of the phase",
    "change": "what it is at the end less what it was at the start",
    "share_of_host": "part of the host's capacity at the end of the phase",
    "share_of_hosts": "part of all hosts' capacity of the industry or group at the end of the phase",
    "first_value": "amount in the first year",
    "source_share": "part of the largest source",
    "amount": "money in all years of the phase, not discounted",
    "public": "of it, from public budgets",
    "per_unit": "money per unit of capacity that it brings",
    "price_most": "the largest price of a row",
    "scarce": "how much of what is scarce there is, sum over rows; null where a row forbids",
    "cost": "price times what is scarce, not discounted: as much again of a limit, or doing without a floor, saves at most this",
    "cost_discounted": "the same, discounted to the first year of the plan",
    "made": "hosts' output",
    "use": "national use",
    "share": "part of a whole, 0 to 1; of a front, part of the way from the best end of the objective to the worst",
    "required": "part that is required",
    "short": "by how much it is short",
    "fails": "use that fails in the worst loss of a region",
    "fails_share": "part of national use that fails in it",
    "tolerated": "part that may fail",
    "limit": "most that may be used; null where there is no limit",
    "employed_first": "people employed in the first year of the phase, 10 thousand",
    "employed_last": "people employed in its last year, 10 thousand",
    "displaced": "jobs of capacity that leaves, at full use and the productivity of the year, 10 thousand",
    "brought": "jobs of capacity that moves in, at full use, 10 thousand",
    "created": "jobs of capacity that is built new, at full use, 10 thousand",
    "threshold": "what the claim compares it with",
    "value_without": "the number in the plan without spatial roles",
    "threshold_without": "what it is compared with there",
    "low": "lower end",
    "high": "upper end",
    "optimum": "in the plan",
    "slack": "how much worse the objective may become, as a part of it",
    "first_low": "objective at the lower end, by the prices of the plan (first order)",
    "first_high": "objective at the upper end, by the prices of the plan (first order)",
    "exact_low": "objective of the plan made again at the lower end",
    "exact_high": "objective of the plan made again at the upper end",
    "before": "before calibration",
    "after": "after calibration",
    "estimate": "the estimate behind it",
    "std_error": "its standard error",
    "mean": "mean over draws",
    "share_of_draws": "part of the draws in which it is more than nothing",
    "lon": "degrees east",
    "lat": "degrees north",
}

COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        **{name: Column(_TEXT, meaning) for name, meaning in _KEYS.items()},
        **{name: Column(_WHOLE, meaning) for name, meaning in _WHOLE_COLUMNS.items()},
        **{name: Column(_FLAG, meaning) for name, meaning in _FLAGS.items()},
        **{name: Column(_REAL, meaning) for name, meaning in _NUMBERS.items()},
    }
)
"""Every column by name. Tables take theirs from here, so that a name means the same everywhere; where a table needs another type, it says so below."""

_PLACED = f"constraint family {' '.join(PLACES)} year value unit"
_SPAN = "phase first_year last_year observed"

_LAYOUT: Mapping[str, str] = {
    "plan_objectives": "objective value unit better",
    "plan_costs": "part value",
    "plan_flows": "source host industry enclave year value",
    "plan_capacity": "region industry year capacity output greenfield arrivals departures unexplained",
    "plan_trade": "origin destination industry year value",
    "plan_abroad": "region industry market year imports exports",
    "plan_support": "region industry instrument segment year value",
    "plan_infrastructure": "region kind year investment service",
    "plan_people": "region skill year people migrants trained",
    "plan_resources": "region resource year used banked unit",
    "plan_money": "region year levy compensation",
    "plan_enclaves": "enclave year active started shared",
    "plan_sizes": "region industry segment year filled reached",
    "plan_shortfalls": f"{_PLACED} side",
    "plan_duals": f"{_PLACED} price",
    "plan_pathway": f"level host {_SPAN} group industry moved greenfield source source_share sources capacity_start capacity_end change "
    "share_of_host share_of_hosts",
    "plan_first_moves": "host kind industry observed first_year phase rank source first_value value",
    "plan_support_needed": f"host {_SPAN} side kind instrument amount public capacity per_unit people basis",
    "plan_restrictions": f"rank constraint family region industry lost skill market {_SPAN} rows unit price price_most price_unit bound scarce scarce_is cost "
    "cost_discounted falls_short",
    "plan_specialisation": "measure host other year phase value",
    "plan_security": "industry year phase observed made use share required short lost fails fails_share tolerated",
    "plan_limits": "region resource year phase observed used limit share unit",
    "plan_jobs": f"region role {_SPAN} employed_first employed_last change displaced brought created migrants trained",
    "plan_equity": "measure region year phase observed value unit",
    "plan_compared": "id section statement_en statement_zh regions group first_year last_year test value threshold unit imposed_by verdict reason "
    "value_without threshold_without verdict_without",
    "plan_labels": "dimension id name_en name_zh",
    "plan_groups": "group industry",
    "plan_years": "year phase observed",
    "plan_places": "region role name_en name_zh lon lat",
    "plan_provenance": "parameter of basis source low high note note_zh",
    "plan_solver": "key value",
    "plan_settings": "key value",
    "plan_pareto": "point objective value unit share distinct",
    "plan_payoff": "objective other value unit",
    "plan_alternatives": "slack host group year optimum low high verdict",
    "plan_sensitivity": "parameter of basis low high first_low first_high exact_low exact_high unit",
    "plan_scenarios": "measure value low high unit share",
    "plan_continuity": "measure value low high unit share",
    "plan_calibration": "parameter host before after estimate std_error basis",
    "plan_draws": "region group year mean low high share_of_draws",
}
_AS_TEXT = {("plan_solver", "value"), ("plan_settings", "value")}
"""Columns whose values are text there, whatever they are elsewhere."""
_WHOLE_SEGMENTS = ("plan_support", "plan_sizes")
"""Tables in which a step is a number; among the places of a constraint it is a label."""


def _type(table: str, column: str) -> pl.DataType:
    if (table, column) in _AS_TEXT or (column == "segment" and table not in _WHOLE_SEGMENTS):
        return _TEXT
    return COLUMNS[column].dtype


PLAN_TABLES: Mapping[str, Mapping[str, pl.DataType]] = MappingProxyType(
    {name: MappingProxyType({c: _type(name, c) for c in columns.split()}) for name, columns in _LAYOUT.items()}
)
"""Columns and types of each table, in order.

What follows from one plan:

* ``plan_pathway``: by host and phase, what moves in (and from whom), what is built, and capacity at start and end; by industry, by group, and in all.
* ``plan_first_moves``: which industry moves first to each host, by year and size; moves and new plants apart, observed and decided apart.
* ``plan_support_needed``: money by host, phase and instrument, per unit of capacity brought, and where the money comes from.
* ``plan_restrictions``: what each constraint costs: its price, and its price times what is scarce.
* ``plan_specialisation``: concentration of hosts (hhi), distance of each from the other hosts (krugman), likeness of pairs (finger-kreinin).
* ``plan_security``: hinterland's share of critical industries, and the worst loss of a region.
* ``plan_limits``: use of resources against limits. ``plan_jobs``: employment. ``plan_equity``: value added per head, and how far hosts are apart.
* ``plan_compared``: recommendations of a published study against the plan.
* ``plan_labels``, ``plan_groups``, ``plan_years``, ``plan_places``: names, groups, phases and places. ``plan_provenance``: where parameters come from.
* ``plan_solver``, ``plan_settings``: how the plan was found, and what was asked.

What is made of several plans: ``plan_pareto``, ``plan_payoff`` (objectives against each other; ``other`` is the objective aimed at), ``plan_alternatives``
(ranges within a slack of the optimum), ``plan_sensitivity``, ``plan_scenarios``, ``plan_continuity``, ``plan_calibration``, ``plan_draws``.
"""


def shaped(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the table's columns and types; a column that it lacks is null."""
    schema = PLAN_TABLES[table]
    if not frame.height:
        return pl.DataFrame(schema=schema)
    return frame.select((pl.col(c) if c in frame.columns else pl.lit(None)).cast(t).alias(c) for c, t in schema.items())
