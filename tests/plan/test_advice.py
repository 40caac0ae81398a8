"""What follows from a plan: every number again from the plan's frames, and what prices promise against plans made anew."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cases import every, tiny

from hinterland.errors import InputError
from hinterland.plan.advice import advice_frames
from hinterland.plan.advice.compared import compared, recommendations
from hinterland.plan.advice.restrictions import catalogue, kind_of
from hinterland.plan.advice.view import View
from hinterland.plan.case import read_problem
from hinterland.plan.entry import plan
from hinterland.plan.result import Plan
from hinterland.plan.tables import COLUMNS, PLAN_TABLES

HOSTS = ("hill", "plain")
SPANS = {"one": (2025, 2025), "two": (2026, 2028), "three": (2029, 2031)}
RATE = 0.04

Frames = dict[str, pl.DataFrame]


def case() -> dict[str, pl.DataFrame]:
    """The case of every table, with regions called Guangdong, Sichuan and Guizhou, room to move and build, and more asked of chips than can be made in time."""
    tables = every()
    phases = tables["phases"].with_columns(release_total=pl.Series([0.1, 0.3, 0.5]), ramp=pl.Series([None, 0.4, 0.4]))
    capacity = [300.0, 400, 80, 60, 50, 90, 40, 70, 60]
    cells = tables["cells"].with_columns(
        capacity=pl.Series(capacity), absorption=pl.Series([None, None, None, 12.0, 15, 20, 10, 15, 20]), productivity_growth=pl.lit(0.02)
    )
    return tables | {
        "regions": tables["regions"].with_columns(name_en=pl.Series(["Guangdong", "Sichuan", "Guizhou"])),
        "phases": phases,
        "industries": tables["industries"].with_columns(relocation_cost=pl.lit(0.1), relocation_per_1000km=pl.lit(0.02)),
        "cells": cells,
        "observed": tables["observed"].with_columns(capacity=pl.Series([1.01 * c for c in capacity])),
        "limits": pl.DataFrame({"resource": ["carbon", "land", "land"], "region": [None, "hill", "plain"], "value": [2600.0, 13.0, 12.0]}),
        "labour": pl.DataFrame(
            {
                "region": ["hill", "hill", "plain", "plain"],
                "skill": ["plain", "trained"] * 2,
                "supply": [1.8, 0.5, 1.9, 0.45],
                "wage": [6.0, 9, 6, 9],
            }
        ),
        "staffing": pl.DataFrame({"industry": ["chips", "cloth", "power"], "skill": ["plain"] * 3, "value": [80e-4, 130e-4, 35e-4]}),
        "budgets": pl.DataFrame({"region": ["hill", "plain"], "value": [12.0, 10.0]}),
        "uptake": tables["uptake"].with_columns(response=pl.Series([1.6, 0.8, 1.4, 0.7]), width=pl.Series([0.2, 0.4, 0.2, 0.4])),
        "specialisation": tables["specialisation"].with_columns(cap=pl.lit(0.8)),
        "security": pl.DataFrame({"industry": ["chips", "chips"], "year": [2026, 2031], "share": [0.2, 0.22]}),
        "backup": pl.DataFrame({"industry": ["chips"], "tolerance": [0.7]}),
        "jobs": pl.DataFrame({"region": ["hill", "plain"], "floor": [1.2, 1.2]}),
        "gates": tables["gates"].with_columns(group=pl.Series(["transport", "emerging", "emerging", None])),
        "roles": tables["roles"].with_columns(share=pl.lit(0.55)),
    }


@pytest.fixture(scope="module")
def made() -> Plan:
    return plan(read_problem(case(), settings={"name": "every"}))


@pytest.fixture(scope="module")
def free() -> Plan:
    return plan(read_problem(case(), settings={"name": "every", "roles": False}))


@pytest.fixture(scope="module")
def frames(made: Plan, free: Plan) -> Frames:
    return advice_frames(made, free)


def one(frame: pl.DataFrame, **keys: object) -> dict[str, object]:
    """The only row with these keys."""
    found = frame.filter(*(pl.col(k).eq_missing(pl.lit(v)) for k, v in keys.items()))
    assert found.height == 1, (keys, found)
    return found.row(0, named=True)


def within(frame: pl.DataFrame, phase: str) -> pl.DataFrame:
    first, last = SPANS[phase]
    return frame.filter(pl.col("year").is_between(first, last))


def test_every_table_has_its_columns(frames: Frames, made: Plan) -> None:
    for name, frame in frames.items():
        assert dict(frame.schema) == dict(PLAN_TABLES[name]), name
    for name, frame in made.tables.items():
        assert frame.columns == list(PLAN_TABLES[name]), name
    assert {c for columns in PLAN_TABLES.values() for c in columns} == set(COLUMNS)


# ------------------------------------------------------------------------------------------------------------------------ the pathway


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("phase", list(SPANS))
def test_pathway_is_summed_from_flows_and_capacity(frames: Frames, made: Plan, host: str, phase: str) -> None:
    """In all and by group: what moved is the sum of flows, what is held at the end is the plan's capacity, and a phase starts where the one before ended."""
    _, last = SPANS[phase]
    flows = within(made.flows.filter(host=host), phase)
    cells = made.capacity.filter(region=host)
    rows = frames["plan_pathway"].filter(host=host, phase=phase)
    for keys, industries in (({"level": "all"}, ["chips", "cloth", "power"]), ({"level": "group", "group": "light"}, ["cloth"])):
        row = one(rows, **keys)
        of = pl.col("industry").is_in(industries)
        assert row["moved"] == pytest.approx(flows.filter(of)["value"].sum(), abs=1e-6)
        assert row["greenfield"] == pytest.approx(within(cells.filter(of), phase)["greenfield"].sum(), abs=1e-6)
        assert row["capacity_end"] == pytest.approx(cells.filter(of, year=last)["capacity"].sum())
        start = case()["cells"].filter(of, region=host)["capacity"].sum()
        start = start if phase == "one" else cells.filter(of, year=SPANS[phase][0] - 1)["capacity"].sum()
        assert row["capacity_start"] == pytest.approx(start)
        assert row["change"] == pytest.approx(row["capacity_end"] - start)  # type: ignore[operator]
        both = made.capacity.filter(pl.col("region").is_in(HOSTS), of, year=last)["capacity"].sum()
        assert row["share_of_hosts"] == pytest.approx(row["capacity_end"] / both)  # type: ignore[operator]


def test_pathway_names_its_sources(frames: Frames, made: Plan) -> None:
    """East is the only source, so that all of what moves comes from it; where nothing moves nobody is named."""
    for row in frames["plan_pathway"].iter_rows(named=True):
        listed = json.loads(row["sources"])
        assert (row["source"] is None) == (row["moved"] == 0) == (listed == [])
        if listed:
            assert listed == [{"region": "east", "value": pytest.approx(row["moved"], abs=1e-5)}]
            assert row["source_share"] == 1
    assert frames["plan_pathway"].filter(phase="one")["observed"].all()


def test_first_moves_are_ranked_by_year_then_size(frames: Frames, made: Plan) -> None:
    found = frames["plan_first_moves"]
    for host in HOSTS:
        flows = made.flows.filter(host=host).join(frames["plan_years"], on="year")
        decided = flows.filter(~pl.col("observed")).group_by("industry").agg(pl.col("year").min(), value=pl.col("value").sum())
        rows = found.filter(host=host, kind="move", observed=False)
        assert dict(rows.select("industry", "first_year").iter_rows()) == dict(decided.select("industry", "year").iter_rows())
        for row in rows.iter_rows(named=True):
            assert row["value"] == pytest.approx(decided.filter(industry=row["industry"])["value"][0])
            assert row["first_value"] == pytest.approx(flows.filter(industry=row["industry"], year=row["first_year"])["value"].sum())
        built = found.filter(host=host, kind="new", observed=False).sort("rank")
        order = list(built.select("first_year", "first_value").iter_rows())
        assert order == sorted(order, key=lambda r: (r[0], -r[1]))
        assert built["rank"].to_list() == list(range(1, built.height + 1))
    seen = one(found, host="hill", kind="move", observed=True)
    assert (seen["industry"], seen["first_year"], seen["value"], seen["rank"]) == ("cloth", 2025, 2.0, None)


# -------------------------------------------------------------------------------------------------------------------------- support


def test_support_per_unit_is_what_the_response_says(frames: Frames, made: Plan) -> None:
    """A yuan of land support brings 1.6 of capacity in its first step and 0.8 in its second, of tax support 1.4 and 0.7."""
    response = {("land", 1): 1.6, ("land", 2): 0.8, ("tax", 1): 1.4, ("tax", 2): 0.7}
    rows = frames["plan_support_needed"].filter(kind="support")
    assert rows.height > 0
    for row in rows.iter_rows(named=True):
        paid = within(made.support.filter(region=row["host"], instrument=row["instrument"]), row["phase"])
        assert row["amount"] == pytest.approx(paid["value"].sum())
        brought = sum(response[i, int(s)] * v for i, s, v in paid.select("instrument", "segment", "value").iter_rows())
        assert row["capacity"] == pytest.approx(brought)
        assert row["per_unit"] == pytest.approx(row["amount"] / brought)
    assert rows["amount"].sum() == pytest.approx(made.support["value"].sum())


def test_infrastructure_is_paid_by_public_money_in_part(frames: Frames, made: Plan) -> None:
    """Parks are half public, transport wholly; both are set against all new capacity of the host in the phase."""
    rows = frames["plan_support_needed"].filter(kind="infrastructure")
    for row in rows.iter_rows(named=True):
        spent = within(made.infrastructure.filter(region=row["host"], kind=row["instrument"]), row["phase"])["investment"].sum()
        new = within(made.capacity.filter(region=row["host"]), row["phase"])
        assert row["amount"] == pytest.approx(spent)
        assert row["public"] == pytest.approx(spent * {"park": 0.5, "transport": 1.0}[row["instrument"]])
        assert row["per_unit"] == pytest.approx(spent / (new["arrivals"].sum() + new["greenfield"].sum()))
    assert rows["amount"].sum() == pytest.approx(made.infrastructure["investment"].sum())


def test_needs_do_not_exceed_the_money_that_is_there(frames: Frames) -> None:
    """No budget is short in this plan, so that public needs of each host and phase are within budget, own tax and compensation."""
    rows = frames["plan_support_needed"]
    for host in HOSTS:
        for phase in ("two", "three"):
            part = rows.filter(host=host, phase=phase)
            assert part.filter(side="need")["public"].sum() <= part.filter(side="source")["amount"].sum() + 1e-6
            assert one(part, kind="budget")["amount"] == pytest.approx({"hill": 36.0, "plain": 30.0}[host])


def test_compensation_received_is_the_levy_paid(frames: Frames, made: Plan) -> None:
    got = frames["plan_support_needed"].filter(kind="compensation")["amount"].sum()
    assert got == pytest.approx(made.money["levy"].sum())


# ----------------------------------------------------------------------------------------------------------------------- restrictions


def test_prices_are_duals_in_the_money_of_their_year(frames: Frames, made: Plan) -> None:
    """Floors of employment are 1.2 in each year: the row of the phase has the dual over its discount factor, weighted by equal floors."""
    found = frames["plan_restrictions"].filter(constraint="floors_of_jobs")
    assert found.height > 0
    for row in found.iter_rows(named=True):
        duals = within(made.duals.filter(constraint="floors_of_jobs", region=row["region"]), row["phase"])
        now = [v * (1 + RATE) ** (y - 2025) for y, v in duals.select("year", "value").iter_rows()]
        assert row["rows"] == len(now)
        assert row["price"] == pytest.approx(np.mean(now))
        assert row["scarce"] == pytest.approx(1.2 * len(now))
        assert row["cost"] == pytest.approx(1.2 * sum(now))
        assert row["cost_discounted"] == pytest.approx(1.2 * duals["value"].sum())
        assert row["bound"] == "floor"


def test_infrastructure_counts_what_uses_it(frames: Frames, made: Plan) -> None:
    """A unit of chips takes one park and a unit of cloth one: the amount is their capacity in the years that bind."""
    for row in frames["plan_restrictions"].filter(constraint="infrastructure:park").iter_rows(named=True):
        duals = within(made.duals.filter(constraint="infrastructure:park", region=row["region"]), row["phase"])
        taken = made.capacity.filter(
            pl.col("industry").is_in(["chips", "cloth"]), pl.col("year").is_in(duals["year"].implode()), region=row["region"]
        )
        assert row["scarce"] == pytest.approx(taken["capacity"].sum())
        assert (row["bound"], row["scarce_is"]) == ("limit", "used")


def test_missed_rows_stand_apart_without_a_cost(frames: Frames, made: Plan) -> None:
    found = frames["plan_restrictions"]
    missed = found.filter(pl.col("falls_short"))
    assert set(made.shortfalls["constraint"]) <= set(missed["constraint"])
    assert missed["cost"].null_count() == missed.height
    assert found.filter(pl.col("cost").is_not_null())["cost"].to_list() == sorted(found["cost"].drop_nulls(), reverse=True)
    later = found.filter(constraint="gate:later")
    assert later["cost"].null_count() == later.height > 0, "what is forbidden has a price and no amount"
    assert later["price"].min() > 0  # type: ignore[operator]


def test_every_block_of_rows_is_in_the_catalogue(made: Plan) -> None:
    known = set(catalogue())
    assert {name.partition(":")[0] for name in made.model.rows} <= known
    assert {kind_of(c).scarce for c in known if kind_of(c).restricts} == {"side", "used", "held", "active"}


def _priced(limit: float) -> Plan:
    """The smallest case with a limit of the coast's releases, as a share of its capacity in a year."""
    tables = tiny()
    return plan(read_problem(tables | {"phases": pl.DataFrame({"phase": ["second"], "release_share": [limit], "release_total": [1.0]})}))


def test_a_unit_more_of_a_limit_saves_its_price() -> None:
    """Relaxing every binding release row by a thousandth of 100 saves the sum of duals times 0.1, as long as the basis stays; and as much again of the limit
    saves no more than price times amount (convexity of the optimum in the sides).
    """
    here, more, twice = (_priced(share) for share in (0.05, 0.051, 0.10))
    value = {p: float(one(p.objectives, objective="cost")["value"]) for p in (here, more, twice)}  # type: ignore[arg-type]
    rows = advice_frames(here)["plan_restrictions"].filter(constraint="release_in_year")
    duals = here.duals.filter(constraint="release_in_year")
    assert rows.height > 0
    assert value[here] - value[more] == pytest.approx(0.1 * duals["price"].sum(), rel=1e-4)
    bound = rows["cost_discounted"].sum()
    assert bound == pytest.approx(5.0 * duals["price"].sum())
    assert 0 < value[here] - value[twice] <= bound + 1e-6


# ----------------------------------------------------------------------------------------------------- structure, security, jobs, gaps


def test_structure_by_hand(frames: Frames, made: Plan) -> None:
    """At the start hill has 60, 50, 90 of 200 and plain 40, 70, 60 of 170: HHI 0.355 and the common part 40/170 + 0.25 + 60/170."""
    found = frames["plan_specialisation"]
    assert one(found, measure="hhi", host="hill", year=2024)["value"] == pytest.approx(0.3**2 + 0.25**2 + 0.45**2)
    common = min(0.3, 40 / 170) + min(0.25, 70 / 170) + min(0.45, 60 / 170)
    assert one(found, measure="finger-kreinin", year=2024)["value"] == pytest.approx(common)
    apart = one(found, measure="krugman", host="hill", year=2024)["value"]
    assert apart == pytest.approx(2 * (1 - common)), "with two hosts the others together are the other one"
    last = {h: made.capacity.filter(region=h, year=2031).sort("industry")["capacity"].to_numpy() for h in HOSTS}
    shares = [k / k.sum() for k in last.values()]
    assert one(found, measure="finger-kreinin", year=2031)["value"] == pytest.approx(np.minimum(*shares).sum())


def test_security_by_hand(frames: Frames, made: Plan) -> None:
    """Use is first capacity at 0.95 (400) grown by 2 %; without the east the hinterland's surge is 1.2 of its capacity, without hill that of the others."""
    for row in frames["plan_security"].iter_rows(named=True):
        cells = made.capacity.filter(industry="chips", year=row["year"])
        use = 400 * 0.95 * 1.02 ** (row["year"] - 2025)
        assert row["use"] == pytest.approx(use)
        assert row["share"] == pytest.approx(cells.filter(pl.col("region").is_in(HOSTS))["output"].sum() / use)
        left = {r: 1.2 * cells.filter(pl.col("region") != r)["capacity"].sum() for r in ("east", "hill")}
        assert row["lost"] == min(left, key=lambda r: left[r])
        assert row["fails"] == pytest.approx(max(0.0, use - min(left.values())))
        assert row["short"] == pytest.approx(max(0.0, row["required"] - row["share"]))


def test_limits_and_jobs_by_hand(frames: Frames, made: Plan) -> None:
    land = one(frames["plan_limits"], resource="land", region="hill", year=2031)
    held = dict(made.capacity.filter(region="hill", year=2031).select("industry", "capacity").iter_rows())
    assert land["used"] == pytest.approx(0.02 * held["chips"] + 0.03 * held["cloth"] + 0.05 * held["power"])
    assert land["share"] == pytest.approx(land["used"] / 13.0)  # type: ignore[operator]
    gone = within(made.flows.filter(source="east"), "two")
    staff = {"chips": 80e-4, "cloth": 130e-4, "power": 35e-4}
    jobs = sum(0.95 * staff[i] * 0.98 ** (y - 2025) * v for i, y, v in gone.select("industry", "year", "value").iter_rows())
    row = one(frames["plan_jobs"], region="east", phase="two")
    assert row["displaced"] == pytest.approx(jobs, rel=1e-6)
    brought = frames["plan_jobs"].filter(phase="two", role="host")["brought"].sum()
    assert brought == pytest.approx(jobs, rel=1e-6), "the same people per unit everywhere in this case"


def test_gaps_by_hand(frames: Frames, made: Plan) -> None:
    """Theil over two hosts with 500 and 600 residents, from value added that inputs leave: chips 0.7, cloth 0.7, power 1."""
    left = {"chips": 1 - 0.2 - 0.1, "cloth": 1 - 0.1 - 0.2, "power": 1.0}
    year, heads = 2031, {"hill": 500.0, "plain": 600.0}
    made_by = {
        h: sum(left[i] * z for i, z in made.capacity.filter(region=h, year=year).select("industry", "output").iter_rows()) for h in HOSTS
    }
    per_head = {h: made_by[h] / heads[h] for h in HOSTS}
    for h in HOSTS:
        assert one(frames["plan_equity"], measure="per-head", region=h, year=year)["value"] == pytest.approx(per_head[h])
    mean = sum(made_by.values()) / 1100
    theil = sum(heads[h] / 1100 * per_head[h] / mean * np.log(per_head[h] / mean) for h in HOSTS)
    assert one(frames["plan_equity"], measure="theil", year=year)["value"] == pytest.approx(theil)
    assert one(frames["plan_equity"], measure="range", year=year)["value"] == pytest.approx(abs(per_head["hill"] - per_head["plain"]))


# ------------------------------------------------------------------------------------------------------------- the published pathway


def test_recommendations_are_words_in_both_languages() -> None:
    found = recommendations()
    assert len({r.id for r in found}) == len(found) > 20
    for r in found:
        assert r.statement_en.endswith("."), r.id
        assert r.statement_zh.endswith("。"), r.id
        assert r.first_year <= r.last_year


def test_claims_about_a_region_are_its_share(frames: Frames, made: Plan) -> None:
    """No group of the case is called electronics, and Chongqing is not in it: those claims cannot be judged. Guizhou stands without Yunnan."""
    found = frames["plan_compared"]
    assert one(found, id="base-electronics")["reason"] == "region-not-a-host"
    assert one(found, id="sichuan-electronics")["reason"] == "group-not-in-case"
    assert one(found, id="research")["reason"] == "not-in-model"
    assert set(found.filter(verdict="cannot")["value"]) == {None}


def own(view: View, without: View | None, **changes: object) -> dict[str, object]:
    """The packaged recommendation that Sichuan's part of electronics rises, changed."""
    from dataclasses import replace

    base = next(r for r in recommendations() if r.id == "sichuan-electronics")
    return compared(view, without, [replace(base, **changes)]).row(0, named=True)  # type: ignore[arg-type]


def test_what_a_role_imposes_is_not_confirmed(made: Plan, free: Plan) -> None:
    """The case's role is that hill (here Sichuan) holds 55 % of hosts' emerging capacity from 2028. Its share by hand, before (2025) and at the end (2031)."""
    row = own(View(made), View(free), groups=("emerging",))
    for plan_, value, before in ((made, "value", "threshold"), (free, "value_without", "threshold_without")):
        held = {(r, y): k for r, y, k in plan_.capacity.filter(industry="chips").select("region", "year", "capacity").iter_rows()}
        assert row[value] == pytest.approx(held["hill", 2031] / (held["hill", 2031] + held["plain", 2031]))
        assert row[before] == pytest.approx(held["hill", 2025] / (held["hill", 2025] + held["plain", 2025]))
    assert row["imposed_by"] == "role:chips-hill"
    risen = row["value"] > row["threshold"]  # type: ignore[operator]
    assert row["verdict"] == ("imposed" if risen else "disagrees")
    assert row["verdict_without"] in ("agrees", "disagrees")
    fallen = own(View(made), None, groups=("emerging",), test="quotient-above", threshold=0.0)
    assert fallen["verdict"] == "imposed", "a quotient above nothing holds always, and the role is on"
    assert own(View(free), None, groups=("emerging",), test="quotient-above", threshold=0.0)["verdict"] == "agrees"


def test_plans_that_hold_roles_cannot_stand_for_those_without(made: Plan) -> None:
    with pytest.raises(InputError, match="chips-hill"):
        advice_frames(made, made)


def test_order_in_years_that_are_past_is_judged_in_the_first_decided_phase(frames: Frames, made: Plan) -> None:
    """Investment in 2023–2025 is past: its mean of 2026–2028 is set against that of 2029–2031."""
    row = one(frames["plan_compared"], id="infrastructure-first")
    spent = {p: within(made.infrastructure, p)["investment"].sum() / 3 for p in ("two", "three")}
    assert (row["first_year"], row["last_year"], row["reason"]) == (2026, 2028, "next-phase")
    assert row["value"] == pytest.approx(spent["two"])
    assert row["threshold"] == pytest.approx(spent["three"])
    assert row["verdict"] == ("agrees" if spent["two"] > spent["three"] else "disagrees")


def test_cleaner_industry_is_its_mix_and_not_assumed_progress(frames: Frames, made: Plan) -> None:
    """Both years at the intensities of 2030, before the span 2031–2035: what technology saves in between does not count."""
    takes = {"chips": 0.5 * 0.97**5, "cloth": 0.8 * 0.98**5, "power": 6.0 * 0.97**5}
    row = one(frames["plan_compared"], id="green-system")
    for year, column in ((2031, "value"), (2030, "threshold")):
        cells = made.capacity.filter(pl.col("region").is_in(HOSTS), year=year)
        total = sum(takes[i] * z for i, z in cells.select("industry", "output").iter_rows())
        assert row[column] == pytest.approx(total / cells["output"].sum())


def test_plans_without_most_tables_have_advice() -> None:
    found = advice_frames(plan(read_problem(tiny())))
    assert found["plan_support_needed"].height == 0
    assert found["plan_jobs"].height == 0
    assert found["plan_pathway"].filter(level="all")["moved"].sum() > 0
    assert set(found["plan_compared"]["verdict"]) <= {"agrees", "disagrees", "cannot", "imposed"}
