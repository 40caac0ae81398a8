"""The rules that turn a register's facts into cohorts: pure functions on frames, and the notes that say what they did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

import polars as pl

from hinterland.errors import Finding, did_you_mean, listed
from hinterland.labels import Note

Timing = Literal["approval_year", "first_full_year", "cutoff_month"]
Partial = Literal["exclude", "treat", "dose"]
Uncertain = Literal["exclude", "treat"]
Conflict = Literal["earliest", "latest"]


def complete(table: pl.DataFrame, columns: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    """``table`` with those of ``columns`` that it lacks, all null."""
    return table.with_columns(pl.lit(None, kind).alias(name) for name, kind in columns.items() if name not in table.columns)


def dated(zones: pl.DataFrame, conflict: str) -> pl.DataFrame:
    """Zones with the ``year`` and ``month`` that the rule for conflicting sources picks."""
    ints = ("approval_month", "alternative_year", "alternative_month")
    zones = complete(
        zones, dict.fromkeys(ints, pl.Int64) | {"also_covers": pl.String, "approval_alternative": pl.String, "approval": pl.String}
    )
    order = pl.col("alternative_year") * 12 + pl.col("alternative_month") - pl.col("approval_year") * 12 - pl.col("approval_month")
    swap = ((order < 0) if conflict == "earliest" else (order > 0)).fill_null(False)
    return zones.with_columns(
        year=pl.when(swap).then("alternative_year").otherwise("approval_year"),
        month=pl.when(swap).then("alternative_month").otherwise("approval_month"),
    )


def first_period(timing: str, cutoff_month: int) -> pl.Expr:
    """First treated year, from ``year`` and ``month`` of approval."""
    last = {"approval_year": 12, "first_full_year": 1, "cutoff_month": cutoff_month}[timing]
    late = pl.lit(0) if timing == "approval_year" else (pl.col("month") > last).cast(pl.Int64)
    return (pl.col("year") + late).cast(pl.Int64)


def entries(zones: pl.DataFrame, members: pl.DataFrame, conflict: str) -> pl.DataFrame:
    """One row per unit and zone, also where a later zone covers a unit again."""
    zones = dated(zones, conflict).select("zone_id", "approval", "year", "month", "approval_alternative", "also_covers")
    members = complete(members, {"dose": pl.Float64}).select("zone_id", "adcode", "name_zh", "name_en", "coverage", "dose")
    names = members.select("adcode", "name_zh", "name_en").unique("adcode", maintain_order=True)
    again = (
        zones.drop_nulls("also_covers")
        .select("zone_id", adcode=pl.col("also_covers").str.split(";"))
        .explode("adcode")
        .join(names, on="adcode", how="left", maintain_order="left")
        .with_columns(coverage=pl.lit("full"), dose=pl.lit(1.0))
    )
    return pl.concat([members, again.select(members.columns)]).join(
        zones.drop("also_covers"), on="zone_id", how="left", maintain_order="left"
    )


def with_doses(first: pl.DataFrame, doses: Mapping[str, float] | None) -> pl.DataFrame:
    """Shares given by the user in place of the register's."""
    given = pl.DataFrame(
        {"adcode": [str(k) for k in doses or {}], "given": list((doses or {}).values())}, {"adcode": pl.String, "given": pl.Float64}
    )
    return first.join(given, on="adcode", how="left", maintain_order="left").with_columns(dose=pl.coalesce("given", "dose"))


def apply_rules(first: pl.DataFrame, partial: str, uncertain: str, until: int | None, since: int | None) -> pl.DataFrame:
    """Who is treated, who is left out and why."""
    part, doubt = pl.col("coverage") == "partial", pl.col("coverage") == "uncertain"
    beyond = pl.col("cohort") > until if until is not None else pl.lit(False)
    early = pl.col("cohort") < since if since is not None else pl.lit(False)
    reason = (
        pl.when(beyond)
        .then(pl.lit(""))
        .when(early)
        .then(pl.lit("before-since"))
        .when(part & (partial == "exclude"))
        .then(pl.lit("partial-coverage"))
        .when(doubt & (uncertain == "exclude"))
        .then(pl.lit("uncertain-membership"))
        .otherwise(pl.lit(""))
    )
    dose = pl.col("dose") if partial == "dose" else pl.lit(1.0)
    return first.with_columns(beyond=beyond, reason=reason, dose=pl.when(part).then(dose).otherwise(1.0)).with_columns(
        unit="adcode",
        zone="zone_id",
        excluded=pl.col("reason") != "",
        cohort=pl.when(pl.col("beyond")).then(None).otherwise("cohort"),
    )


def bad_rules(rules: Mapping[str, str], until: int | None, since: int | None, cutoff_month: int) -> list[Finding]:
    """Rules that do not exist and years that cannot be."""
    known = {"timing": get_args(Timing), "partial": get_args(Partial), "uncertain": get_args(Uncertain), "conflict": get_args(Conflict)}
    findings = [
        Finding(f"unknown-{name}", f"{name} {value!r} is not a rule", f"argument {name}", did_you_mean(str(value), known[name]))
        for name, value in rules.items()
        if value not in known[name]
    ]
    for name, year in (("until", until), ("since", since)):
        if year is not None and (isinstance(year, bool) or not isinstance(year, int)):
            findings.append(
                Finding(f"bad-{name}", f"{name} is {year!r}, not a year", f"argument {name}", "give a whole number, or None for no limit")
            )
    if isinstance(until, int) and isinstance(since, int) and since > until:
        findings.append(
            Finding("empty-window", f"since {since} is after until {until}", "arguments since, until", "swap them, or drop one")
        )
    if isinstance(cutoff_month, bool) or not isinstance(cutoff_month, int) or not 1 <= cutoff_month <= 12:
        findings.append(
            Finding("bad-cutoff-month", f"cutoff_month is {cutoff_month!r}", "argument cutoff_month", "give a month from 1 to 12")
        )
    return findings


def missing_months(entries: pl.DataFrame, timing: str, register: str) -> list[Finding]:
    """Zones whose month of approval is not known, under a rule that needs it."""
    zones = entries.filter(pl.col("month").is_null())["zone_id"].unique(maintain_order=True).to_list()
    if timing == "approval_year" or not zones:
        return []
    what = f"timing {timing!r} needs the month of approval, which is not known for {listed(zones)}"
    return [Finding("unknown-month", what, f"register {register!r}", "use timing='approval_year', or add the months to the register")]


def bad_doses(doses: Mapping[str, float] | None, entries: pl.DataFrame) -> list[Finding]:
    """Shares given for units that the register does not have, or outside (0, 1]."""
    units = entries["adcode"].to_list()
    findings = []
    for unit, dose in (doses or {}).items():
        if str(unit) not in units:
            findings.append(
                Finding(
                    "unknown-unit",
                    f"a share is given for {unit!r}, which is not in the register",
                    "argument doses",
                    did_you_mean(str(unit), units),
                )
            )
        if isinstance(dose, bool) or not isinstance(dose, (int, float)) or not 0 < dose <= 1:
            findings.append(Finding("bad-dose", f"the share of {unit} is {dose!r}", "argument doses", "give a share above 0 and at most 1"))
    return findings


def unknown_doses(table: pl.DataFrame, partial: str) -> list[Finding]:
    """Units covered in part whose share is not known, when the share is what counts."""
    missing = table.filter(
        (pl.col("coverage") == "partial") & pl.col("dose").is_null() & ~pl.col("excluded") & pl.col("cohort").is_not_null()
    )
    if partial != "dose":
        return []
    return [
        Finding(
            "unknown-dose",
            f"the share of {name} ({unit}) that zone {zone} covers is not known",
            "partial='dose'",
            f"give it: doses={{{unit!r}: share}}, or choose partial='exclude' or 'treat'",
        )
        for unit, name, zone in missing.select("unit", "name_en", "zone").iter_rows()
    ]


def _people(table: pl.DataFrame) -> dict[str, str | int | float]:
    """Values of a note that names units: how many, and who, in both languages."""
    return {"count": table.height, "cities_zh": "、".join(table["name_zh"]), "cities_en": ", ".join(table["name_en"])}


def rule_notes(
    entries: pl.DataFrame, table: pl.DataFrame, rules: Mapping[str, str], *, until: int | None, since: int | None, cutoff_month: int
) -> Iterator[Note]:
    """What each rule did, and to whom. ``table``: one row per unit; ``entries``: one row per unit and zone."""
    yield Note(f"policy-timing-{rules['timing'].replace('_', '-')}", {"month": cutoff_month} if rules["timing"] == "cutoff_month" else {})
    inside = table.filter(~pl.col("beyond") & (pl.col("reason") != "before-since"))
    part = inside.filter(pl.col("coverage") == "partial")
    if part.height:
        values = _people(part)
        if rules["partial"] == "dose":
            values["shares"] = ", ".join(f"{d:.3g}" for d in part["dose"])
        yield Note(f"policy-partial-{rules['partial']}", values)
    doubt = inside.filter(pl.col("coverage") == "uncertain")
    if doubt.height:
        yield Note(f"policy-uncertain-{rules['uncertain']}", _people(doubt))
    kept = inside.filter(~pl.col("excluded"))
    yield from _conflict_notes(kept, rules["conflict"])
    twice = kept.filter(pl.col("adcode").is_in(entries.filter(pl.col("adcode").is_duplicated())["adcode"].implode()))
    if twice.height:
        yield Note("policy-overlap", _people(twice))
    late = table.filter("beyond")
    if late.height and until is not None:
        yield Note("policy-until", {**_people(late), "until": until})
    early = table.filter(pl.col("reason") == "before-since")
    if early.height and since is not None:
        yield Note("policy-since", {**_people(early), "since": since})


def _conflict_notes(kept: pl.DataFrame, conflict: str) -> Iterator[Note]:
    disputed = kept.drop_nulls("approval_alternative").group_by("zone", maintain_order=True).agg(pl.all())
    for row in disputed.iter_rows(named=True):
        people = {"cities_zh": "、".join(row["name_zh"]), "cities_en": ", ".join(row["name_en"])}
        dates = {"recorded": row["approval"][0], "other": row["approval_alternative"][0]}
        yield Note(f"policy-conflict-{conflict}", {"zone": row["zone"], **people, **dates})
