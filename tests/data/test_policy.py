"""The register of demonstration zones and the rules that make cohorts of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland.data.geography import cities
from hinterland.data.panel import Panel
from hinterland.data.policy import PolicyRegister, policy_register, registers
from hinterland.errors import PolicyError

REGISTER = policy_register("industrial-transfer-zones")


def cohort_of(table: pl.DataFrame, unit: str) -> int | None:
    return table.filter(pl.col("unit") == unit)["cohort"].item()


def sizes(**rules: object) -> dict[int, int]:
    table = REGISTER.cohorts(**rules).table.filter(~pl.col("excluded")).drop_nulls("cohort")  # type: ignore[arg-type]
    return dict(table.group_by("cohort").len().sort("cohort").iter_rows())


def panel_of(units: list[str], years: range = range(2008, 2023)) -> Panel:
    frame = pl.DataFrame({"adcode": units}).join(pl.DataFrame({"year": list(years)}), how="cross").sort("adcode", "year")
    return Panel(frame, "adcode", "year")


def test_register_holds_13_zones_and_38_units_with_known_codes() -> None:
    assert registers()[0] == "industrial-transfer-zones"
    assert REGISTER.zones.height == 13
    assert REGISTER.members.height == REGISTER.members["adcode"].n_unique() == 38
    assert set(REGISTER.members["zone_id"]) == set(REGISTER.zones["zone_id"])
    assert set(REGISTER.members["adcode"]) - set(cities()["adcode"]) == {"341400"}
    assert dict(REGISTER.members["coverage"].value_counts().iter_rows()) == {"full": 35, "partial": 2, "uncertain": 1}
    assert repr(REGISTER) == "PolicyRegister(industrial-transfer-zones: 13 zones, 38 units, 2010–2023)"


def test_register_agrees_with_the_list_it_was_read_from(shared_data: Path) -> None:
    source = pl.read_csv(shared_data / "industrial_transfer_zones" / "zones_city_registry.csv", infer_schema_length=None)
    ours = REGISTER.members.join(REGISTER.zones.select("zone_id", "approval", "approval_year"), on="zone_id")
    joined = source.with_columns(adcode=pl.col("adcode_gbt2260").cast(pl.String)).join(ours, on=["zone_id", "adcode"], suffix="_ours")
    assert joined.height == source.height == 38
    for theirs, mine in (
        ("city", "name_zh"),
        ("coverage", "coverage_ours"),
        ("approval", "approval_ours"),
        ("approval_year", "approval_year_ours"),
    ):
        assert joined[theirs].to_list() == joined[mine].to_list()
    full = REGISTER.cohorts("first_full_year", "treat", uncertain="treat").table.select("unit", "cohort")
    years = source.select(unit=pl.col("adcode_gbt2260").cast(pl.String), cohort="first_full_year").sort("unit")
    assert full.equals(years)


@pytest.mark.parametrize(
    ("unit", "approval_year", "first_full_year", "by_june"),
    [
        ("340100", 2010, 2010, 2010),  # approved 12 January 2010
        ("450400", 2010, 2011, 2011),  # October 2010
        ("421000", 2011, 2012, 2012),  # December 2011
        ("610500", 2012, 2013, 2012),  # 14 May 2012
        ("360700", 2013, 2014, 2013),  # June 2013
        ("640100", 2014, 2014, 2014),  # January 2014
        ("433100", 2018, 2019, 2019),  # November 2018
        ("220300", 2023, 2024, 2023),  # 15 March 2023
    ],
)
def test_timing_rules(unit: str, approval_year: int, first_full_year: int, by_june: int) -> None:
    assert cohort_of(REGISTER.cohorts("approval_year").table, unit) == approval_year
    assert cohort_of(REGISTER.cohorts("first_full_year").table, unit) == first_full_year
    assert cohort_of(REGISTER.cohorts("cutoff_month", cutoff_month=6).table, unit) == by_june


def test_cohort_sizes() -> None:
    assert sizes() == {2010: 9, 2011: 4, 2012: 4, 2013: 4, 2014: 6, 2019: 3, 2024: 5}
    assert sizes(timing="approval_year") == {2010: 13, 2011: 4, 2012: 4, 2013: 4, 2014: 2, 2018: 3, 2023: 5}
    assert sizes(partial="treat", uncertain="treat") == {2010: 10, 2011: 5, 2012: 5, 2013: 4, 2014: 6, 2019: 3, 2024: 5}
    assert sizes(until=2022) == {2010: 9, 2011: 4, 2012: 4, 2013: 4, 2014: 6, 2019: 3}


def test_a_cutoff_of_january_is_the_first_full_year_and_of_december_the_year_of_approval() -> None:
    for month, timing in ((1, "first_full_year"), (12, "approval_year")):
        assert REGISTER.cohorts("cutoff_month", cutoff_month=month).table.equals(REGISTER.cohorts(timing).table)


def test_units_of_two_zones_take_the_earlier() -> None:
    policy = REGISTER.cohorts()
    both = policy.table.filter(pl.col("unit").is_in(["430400", "431000", "431100"]))
    assert both["zone"].to_list() == ["Z04"] * 3
    assert both["cohort"].to_list() == [2012] * 3
    overlap = next(n for n in policy.notes if n.code == "policy-overlap")
    assert overlap.values["cities_en"] == "Hengyang, Chenzhou, Yongzhou"


def test_partial_and_uncertain_units_are_left_out_or_counted_and_named() -> None:
    out = REGISTER.cohorts()
    assert dict(out.table.filter("excluded").select("unit", "reason").iter_rows()) == {
        "341500": "partial-coverage",
        "420800": "uncertain-membership",
        "500000": "partial-coverage",
    }
    assert {n.code for n in out.notes} >= {"policy-partial-exclude", "policy-uncertain-exclude", "policy-conflict-earliest"}
    treated = REGISTER.cohorts(partial="treat", uncertain="treat")
    assert not treated.table["excluded"].any()
    assert treated.table["dose"].unique().to_list() == [1.0]
    assert "Chongqing" in next(str(n) for n in treated.notes if n.code == "policy-partial-treat")


def test_shares_need_a_source_or_a_user() -> None:
    with pytest.raises(PolicyError, match="Lu'an") as error:
        REGISTER.cohorts(partial="dose")
    assert [f.code for f in error.value.findings] == ["unknown-dose"]
    table = REGISTER.cohorts(partial="dose", doses={"341500": 0.3}).table
    shares = dict(table.filter(pl.col("dose") < 1).select("unit", "dose").iter_rows())
    assert shares["341500"] == 0.3
    assert shares["500000"] == pytest.approx(5391936 / 28846170, abs=5e-5)


def test_conflicting_dates() -> None:
    late = REGISTER.cohorts(partial="treat", uncertain="treat", conflict="latest").table
    assert [cohort_of(late, u) for u in ("421000", "420800", "500000", "340100")] == [2013, 2013, 2012, 2010]


def test_until_and_since() -> None:
    policy = REGISTER.cohorts(since=2011, until=2018)
    table = policy.table
    assert cohort_of(table, "433100") is None
    assert not table.filter(pl.col("unit") == "433100")["excluded"].item()
    early = table.filter(pl.col("reason") == "before-since")
    assert early.height == 10
    assert early["zone"].unique().to_list() == ["Z01"]
    assert {"policy-until", "policy-since"} <= {n.code for n in policy.notes}


def test_every_note_reads_in_both_languages() -> None:
    for rules in (
        {},
        {"partial": "treat", "uncertain": "treat", "conflict": "latest"},
        {"timing": "cutoff_month", "since": 2011, "until": 2018},
    ):
        for note in REGISTER.cohorts(**rules).notes:  # type: ignore[arg-type]
            assert note.text("en") != note.text("zh")


def test_all_bad_rules_are_reported_together() -> None:
    with pytest.raises(PolicyError) as error:
        REGISTER.cohorts("firstfullyear", "some", until="2022", cutoff_month=13, uncertain="?", conflict="?")  # type: ignore[arg-type]
    codes = [f.code for f in error.value.findings]
    assert codes == ["unknown-timing", "unknown-partial", "unknown-uncertain", "unknown-conflict", "bad-until", "bad-cutoff-month"]
    assert "did you mean 'first_full_year'" in error.value.findings[0].remedy
    with pytest.raises(PolicyError) as error:
        REGISTER.cohorts(doses={"999999": 0.5, "341500": 1.5})
    assert [f.code for f in error.value.findings] == ["unknown-unit", "bad-dose"]
    with pytest.raises(PolicyError, match="after until"):
        REGISTER.cohorts(since=2015, until=2012)
    with pytest.raises(PolicyError, match="did you mean 'industrial-transfer-zones'"):
        policy_register("industrial-transfer-zone")


def test_a_register_without_months_still_has_approval_years() -> None:
    zones = pl.DataFrame({"zone_id": ["A"], "name_zh": ["甲"], "name_en": ["A"], "approval_year": [2012]})
    members = pl.DataFrame({"zone_id": ["A"], "adcode": ["340100"], "name_zh": ["合肥市"], "name_en": ["Hefei"], "coverage": ["full"]})
    register = PolicyRegister("test", "试", "Test", zones, members)
    assert cohort_of(register.cohorts("approval_year").table, "340100") == 2012
    assert register.timeline(register.cohorts("approval_year"))["first_period"].to_list() == [2012]
    with pytest.raises(PolicyError, match="month of approval"):
        register.cohorts("first_full_year")


def test_timeline() -> None:
    policy = REGISTER.cohorts(until=2022)
    table = REGISTER.timeline(policy, panel_of(["340100", "340200", "500000"]))
    assert table.columns == [
        "zone_id",
        "zone_zh",
        "zone_en",
        "approval",
        "approval_year",
        "first_period",
        "n_cities",
        "n_in_panel",
        "authority",
        "confidence",
    ]
    assert table["zone_id"].to_list() == [f"Z{i:02d}" for i in range(1, 14)]
    assert table["first_period"].to_list() == [2010, 2011, 2011, 2012, 2012, 2013, 2014, 2014, 2014, 2014, 2019, None, None]
    assert table["n_cities"].sum() == 38
    assert table.filter(pl.col("n_in_panel") > 0).select("zone_id", "n_in_panel").rows() == [("Z01", 2), ("Z03", 1)]
    assert REGISTER.timeline()["first_period"].null_count() == 13


def test_status_of_every_city() -> None:
    policy = REGISTER.cohorts(until=2022)
    table = REGISTER.cities(policy, panel_of(["110000", "340100", "341400", "500000", "433100", "220300"], range(2008, 2018)))
    status = dict(table.select("unit", "status").iter_rows())
    assert {u: status[u] for u in ("110000", "340100", "341400", "500000", "433100", "220300", "640100")} == {
        "110000": "never",
        "340100": "treated",
        "341400": "treated",
        "500000": "excluded",
        "433100": "outside-window",
        "220300": "outside-window",
        "640100": "not-in-panel",
    }
    assert table.height == 39
    hefei = table.row(by_predicate=pl.col("unit") == "340100", named=True)
    assert (hefei["name_en"], hefei["province_en"], hefei["zone_id"], hefei["cohort"], hefei["coverage"]) == (
        "Hefei",
        "Anhui",
        "Z01",
        2010,
        "full",
    )
    assert (round(hefei["lon"]), round(hefei["lat"])) == (117, 32)
    chaohu = table.row(by_predicate=pl.col("unit") == "341400", named=True)
    assert (chaohu["province_en"], chaohu["name_en"], chaohu["lon"]) == ("Anhui", "Chaohu", None)
    assert table.filter(pl.col("status") == "excluded")["reason"].to_list() == ["partial-coverage"]


def test_integer_codes_match() -> None:
    policy = REGISTER.cohorts()
    cohort, dose, keep = policy.assign(pl.Series([340100, 110000, 500000]))
    assert (int(cohort[0]), dose.tolist(), keep.tolist()) == (2010, [1.0, 0.0, 1.0], [True, True, False])
