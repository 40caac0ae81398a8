"""Policy registers: dated, sourced facts on who entered a programme when, and the rules that turn them into cohorts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from hinterland.data.adoption import adoption, adoption_from_treatment
from hinterland.data.cohorts import Cohorts
from hinterland.data.geography import catalogue_table, cities, former_units
from hinterland.data.panel import Panel
from hinterland.data.policy_rules import (
    apply_rules,
    bad_doses,
    bad_rules,
    complete,
    dated,
    entries,
    first_period,
    missing_months,
    rule_notes,
    unknown_doses,
    with_doses,
)
from hinterland.errors import Finding, PolicyError, did_you_mean, fail_if_any

__all__ = ["PolicyRegister", "adoption", "adoption_from_treatment", "policy_register", "registers"]

_REGISTERS = {
    "industrial-transfer-zones": (
        "承接产业转移示范区",
        "National demonstration zones for undertaking industrial transfer",
    ),
    "low-carbon-pilots": ("低碳省区和低碳城市试点", "Low-carbon pilot provinces and cities"),
    "broadband-china": ("“宽带中国”示范城市", "Broadband China demonstration cities"),
    "innovative-cities": ("国家创新型城市", "National innovative cities"),
    "ip-demonstration-cities": ("国家知识产权示范城市", "National intellectual-property demonstration cities"),
}
_ZONES = "industrial-transfer-zones"
"""The register of zones; the others are programmes of the same years, which studies of it leave out or control for."""


@dataclass(frozen=True, slots=True)
class PolicyRegister:
    """Dated, sourced facts: which unit entered which programme when, fully or in part.

    Attributes:
        id: stable identifier.
        name_zh, name_en: names for people.
        zones: one row per zone: ``zone_id``, ``name_zh``, ``name_en``, ``approval`` (date as recorded), ``precision``,
            ``approval_year`` (Int64), ``approval_month`` (Int64, null = unknown), ``approval_alternative``,
            ``alternative_year``, ``alternative_month`` (where the sources disagree, null otherwise), ``also_covers``
            (codes, separated by semicolons, of units that belong to an earlier zone too), ``authority``,
            ``confidence``, ``sources``, ``note``. Columns a register does not have may be absent, but for the id, the
            names and the year.
        members: one row per unit and zone it first entered: ``zone_id``, ``adcode`` (text), ``name_zh``, ``name_en``,
            ``coverage`` (full, partial, uncertain), ``dose`` (Float64, share of the unit covered; null = not known),
            ``dose_basis``, ``districts``, ``confidence``, ``note``. Only the first five are needed.
    """

    id: str
    name_zh: str
    name_en: str
    zones: pl.DataFrame
    members: pl.DataFrame

    def __repr__(self) -> str:
        years = self.zones["approval_year"].sort().to_list()
        span = f"{years[0]}–{years[-1]}" if years else "empty"
        return f"PolicyRegister({self.id}: {self.zones.height} zones, {self.members.height} units, {span})"

    def cohorts(
        self,
        timing: str = "first_full_year",
        partial: str = "exclude",
        *,
        until: int | None = None,
        since: int | None = None,
        cutoff_month: int = 6,
        uncertain: str = "exclude",
        conflict: str = "earliest",
        doses: Mapping[str, float] | None = None,
    ) -> Cohorts:
        """First treated year of every unit of the register, by an explicit rule.

        Args:
            timing: ``approval_year``; ``first_full_year`` (the same year if approved in January, else the next);
                ``cutoff_month`` (the same year if approved in or before ``cutoff_month``, else the next).
            partial: units covered in part are left out of the sample (``exclude``), count as treated (``treat``), or
                count as treated with the share of the unit that is covered (``dose``).
            until: last year whose adoptions count; units adopting later are untreated in the window.
            since: first year whose adoptions count; units adopting earlier are left out of the sample, because they
                are neither untreated nor newly treated.
            cutoff_month: 1–12, for ``timing="cutoff_month"``.
            uncertain: units whose membership the sources dispute are left out (``exclude``) or count (``treat``).
            conflict: where sources disagree on the date, the ``earliest`` or the ``latest`` is taken.
            doses: share covered (0–1] by unit code, in place of, or where there is none in, the register.

        A unit in two zones takes the earlier. ``notes`` say what each rule did, and to whom.

        Raises:
            PolicyError: unknown rules, impossible years or shares, shares that are not known under ``partial="dose"``,
                zones without a month under a rule that needs one.
        """
        rules = {"timing": timing, "partial": partial, "uncertain": uncertain, "conflict": conflict}
        fail_if_any(bad_rules(rules, until, since, cutoff_month), "policy rule", PolicyError)
        every = entries(self.zones, self.members, conflict)
        fail_if_any([*missing_months(every, timing, self.id), *bad_doses(doses, every)], "policy rule", PolicyError)
        every = every.with_columns(cohort=first_period(timing, cutoff_month))
        first = every.sort("cohort", "zone_id", maintain_order=True).unique("adcode", keep="first", maintain_order=True)
        table = apply_rules(with_doses(first, doses), partial, uncertain, until, since).sort("unit")
        fail_if_any(unknown_doses(table, partial), "policy rule", PolicyError)
        options: dict[str, str | int | float | bool | None] = {"uncertain": uncertain, "conflict": conflict, "since": since}
        if timing == "cutoff_month":
            options["cutoff_month"] = cutoff_month
        notes = tuple(rule_notes(every, table, rules, until=until, since=since, cutoff_month=cutoff_month))
        columns = table.select("unit", "cohort", "dose", "excluded", "reason", "zone")
        return Cohorts(columns, False, self.id, timing, partial, until, notes, options)

    def timeline(self, cohorts: Cohorts | None = None, panel: Panel | None = None) -> pl.DataFrame:
        """One row per zone, in order of approval.

        Columns: ``zone_id``, ``zone_zh``, ``zone_en``, ``approval``, ``approval_year``, ``first_period`` (by the rule of
        ``cohorts``; null without one, and for zones outside its window), ``n_cities`` (units that entered with this
        zone), ``n_in_panel`` (of them, those in ``panel``; null without one), ``authority``, ``confidence``.
        """
        counts = (
            self.members.with_columns(
                here=pl.col("adcode").is_in(_panel_units(panel)["unit"].implode()) if panel is not None else pl.lit(None, pl.Boolean)
            )
            .group_by("zone_id")
            .agg(n_cities=pl.len(), n_in_panel=pl.col("here").sum() if panel is not None else pl.lit(None, pl.Int64))
        )
        zones = complete(self.zones, {"authority": pl.String, "confidence": pl.String, "approval": pl.String})
        return (
            zones.join(_zone_periods(self, cohorts), on="zone_id", how="left", maintain_order="left")
            .join(counts, on="zone_id", how="left", maintain_order="left")
            .select(
                *(
                    "zone_id",
                    pl.col("name_zh").alias("zone_zh"),
                    pl.col("name_en").alias("zone_en"),
                    "approval",
                    "approval_year",
                    "first_period",
                ),
                *(pl.col("n_cities").cast(pl.Int64).fill_null(0), pl.col("n_in_panel").cast(pl.Int64), "authority", "confidence"),
            )
            .sort("approval_year", "zone_id", maintain_order=True)
        )

    def cities(self, cohorts: Cohorts, panel: Panel) -> pl.DataFrame:
        """Every unit of ``panel`` and of the register: its zone, cohort, status under the rule, and place.

        Columns: ``unit``, ``name_zh``, ``name_en``, ``province``, ``province_en``, ``zone_id``, ``cohort`` (null =
        never), ``coverage``, ``status`` (treated, never, excluded, outside-window, not-in-panel), ``lon``, ``lat``
        (degrees, null when unknown), ``reason`` (an identifier, empty unless excluded).
        """
        here = _panel_units(panel)
        last = int(panel.frame[panel.time].to_numpy().max())
        named = self.members.select(unit="adcode", zh="name_zh", en="name_en", coverage="coverage").unique("unit", maintain_order=True)
        units = pl.concat([here, named.select("unit")]).unique("unit", maintain_order=True)
        table = cohorts.table if "zone" in cohorts.table.columns else cohorts.table.with_columns(zone=pl.lit(None, pl.String))
        return (
            units.join(table, on="unit", how="left", maintain_order="left")
            .join(named, on="unit", how="left", maintain_order="left")
            .join(_places(units["unit"]), on="unit", how="left", maintain_order="left")
            .with_columns(status=_status(here["unit"], last, cohorts.closed))
            .select(
                *("unit", pl.coalesce("name_zh", "zh").alias("name_zh"), pl.coalesce("name_en", "en").alias("name_en")),
                *("province", "province_en", pl.col("zone").alias("zone_id"), "cohort", "coverage", "status", "lon", "lat"),
                pl.col("reason").fill_null(""),
            )
            .sort("unit")
        )


def registers() -> tuple[str, ...]:
    """The identifiers of the packaged registers."""
    return tuple(_REGISTERS)


def policy_register(name: str = "industrial-transfer-zones") -> PolicyRegister:
    """A packaged register.

    ``industrial-transfer-zones``: 13 zone approvals from 2010 to 2023 and their 38 units. ``low-carbon-pilots``, ``broadband-china``,
    ``innovative-cities``, ``ip-demonstration-cities``: other programmes of those years, one entry (``zone``) per batch. Batches whose
    ``precision`` is ``latest`` are dated by a cumulative list: their units had entered by that year.

    Raises:
        PolicyError: unknown name.
    """
    if name not in _REGISTERS:
        raise PolicyError(
            Finding("unknown-register", f"there is no register {name!r}", "argument name", did_you_mean(name, _REGISTERS)), "arguments"
        )
    zh, en = _REGISTERS[name]
    if name != _ZONES:
        return PolicyRegister(name, zh, en, *_programme(name))
    numbers = [f"{kind}_{part}" for kind in ("approval", "alternative") for part in ("year", "month")]
    return PolicyRegister(
        name,
        zh,
        en,
        catalogue_table("zones").with_columns(pl.col(numbers).cast(pl.Int64)),
        catalogue_table("zone_cities").with_columns(pl.col("dose").cast(pl.Float64)),
    )


def _programme(name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Batches and members of a programme; the share of a unit that is covered in part is not known."""
    batches = catalogue_table("programmes").filter(programme=name).drop("programme")
    members = catalogue_table("programme_cities").filter(programme=name).drop("programme")
    whole = pl.when(pl.col("coverage") == "full").then(1.0)
    return batches.with_columns(pl.col("approval_year", "approval_month").cast(pl.Int64)), members.with_columns(whole.alias("dose"))


def _panel_units(panel: Panel) -> pl.DataFrame:
    return panel.frame.select(unit=pl.col(panel.unit).cast(pl.String)).unique("unit", maintain_order=True)


def _zone_periods(register: PolicyRegister, cohorts: Cohorts | None) -> pl.DataFrame:
    """First period of each zone by the rule of ``cohorts``: null without a rule and outside its window."""
    zones = dated(register.zones, str(cohorts.options.get("conflict", "earliest")) if cohorts else "earliest")
    if cohorts is None or cohorts.timing == "column":
        return zones.select("zone_id", first_period=pl.lit(None, pl.Int64))
    cutoff, since = cohorts.options.get("cutoff_month"), cohorts.options.get("since")
    period = first_period(cohorts.timing, int(cutoff) if cutoff is not None else 6)
    inside = pl.lit(True)
    if cohorts.until is not None:
        inside = inside & (pl.col("first_period") <= cohorts.until)
    if since is not None:
        inside = inside & (pl.col("first_period") >= int(since))
    return zones.select("zone_id", first_period=period).with_columns(first_period=pl.when(inside).then("first_period"))


def _places(units: pl.Series) -> pl.DataFrame:
    """Names, province and coordinates of ``units``, where the geography knows them."""
    known = pl.concat([cities(), former_units()], how="diagonal").filter(pl.col("adcode").is_in(units.implode()))
    return known.select("name_zh", "name_en", "lon", "lat", "province_en", unit="adcode", province="province_zh")


def _status(here: pl.Series, last: int, closed: bool) -> pl.Expr:
    """``cohort`` after the last period of the panel is outside its window, as is a register's unit beyond ``until``."""
    return (
        pl.when(~pl.col("unit").is_in(here.implode()))
        .then(pl.lit("not-in-panel"))
        .when(pl.col("excluded").fill_null(closed))
        .then(pl.lit("excluded"))
        .when((pl.col("cohort") > last) | (pl.col("cohort").is_null() & pl.col("zone").is_not_null()))
        .then(pl.lit("outside-window"))
        .when(pl.col("cohort").is_null())
        .then(pl.lit("never"))
        .otherwise(pl.lit("treated"))
    )
