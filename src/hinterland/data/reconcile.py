"""Adoption dates against a treatment column: two statements of one fact, and where they contradict each other.

An estimator that reads adoption dates never looks at a treatment column, and the other way round: a reversal, a missing date or a
shifted year stays unseen unless the two are compared. Here they are, unit by unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import Finding, PolicyError, did_you_mean, fail_if_any

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What the two statements say of each unit.

    Attributes:
        table: one row per unit: ``unit``, ``cohort`` (first treated period by the dates; null = never), ``first_treated`` (by the
            column; null = in no period), ``last_treated``, ``reversed`` (switched off again), ``missing`` (periods without a value
            of the column), ``verdict``.
        findings: the contradictions, by kind, with the units named; of severity ``error``, but for units treated in every period.
    """

    table: pl.DataFrame
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        agree = self.table.filter(pl.col("verdict") == "agree").height
        return f"Reconciliation({agree} of {self.table.height} units agree; {len(self.findings)} findings)"


AGREE = "agree"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A way in which dates and column contradict each other: what the column does, and the remedy."""

    code: str
    what: str
    remedy: str


KINDS = (
    Contradiction(
        "treatment-reversal",
        "is switched off again",
        "these methods take treatment as lasting: correct the rows, drop the units, or take the column itself as the policy "
        "(adoption_from_treatment with reversible=True) and estimate with dcdh",
    ),
    Contradiction(
        "treated-without-date",
        "is 1 although there is no adoption date (a missing date counts as never treated)",
        "give these units their date, or correct the treatment column; a missing date is not the same as never treated",
    ),
    Contradiction(
        "date-without-treatment",
        "is never 1 although the adoption date lies inside the panel",
        "remove the date, or correct the treatment column",
    ),
    Contradiction(
        "treated-before-date",
        "is 1 before the adoption date",
        "correct the date or the column; with treatment dated by approval and the year after as first full year, derive the column from the date",
    ),
    Contradiction(
        "untreated-after-date",
        "is still 0 in the adoption period or after it",
        "correct the date or the column; where the date is the approval and treatment starts later, use the later period as date",
    ),
)
"""Contradictions, most telling first: a unit is counted under the first that holds."""


def reconcile(panel: Panel, cohorts: Cohorts, treatment: str) -> Reconciliation:
    """Compare the adoption dates in ``cohorts`` with the panel's column ``treatment`` (treated where it is not 0).

    Units that the policy's rule excludes take no part.

    Raises:
        PolicyError: there is no such column, or it does not hold numbers.
    """
    values = _values(panel, treatment)
    table = _dated(values, cohorts).with_columns(verdict=_verdict(panel))
    return Reconciliation(table.drop("early", "late"), tuple(_findings(table, treatment, cohorts)))


def fail_if_contradicted(panel: Panel, cohorts: Cohorts, treatment: str) -> tuple[Finding, ...]:
    """Raise ``PolicyError`` with every contradiction between dates and column; return what is only worth a warning."""
    found = reconcile(panel, cohorts, treatment).findings
    fail_if_any(found, "adoption dates and treatment column", PolicyError)
    return found


def _values(panel: Panel, treatment: str) -> pl.DataFrame:
    if treatment not in panel.frame.columns:
        raise PolicyError(
            Finding("unknown-column", f"there is no column {treatment!r}", "the panel", did_you_mean(treatment, panel.frame.columns)),
            "policy",
        )
    dtype = panel.frame.schema[treatment]
    if not (dtype.is_numeric() or dtype == pl.Boolean):
        raise PolicyError(
            Finding("not-numeric", f"column {treatment!r} holds {dtype}, not numbers", "the panel", "recode it to 0 and 1"), "policy"
        )
    return panel.frame.select(
        unit=pl.col(panel.unit).cast(pl.String), time=pl.col(panel.time).cast(pl.Int64), d=pl.col(treatment).cast(pl.Float64).fill_nan(None)
    ).sort("unit", "time")


def _dated(values: pl.DataFrame, cohorts: Cohorts) -> pl.DataFrame:
    """One row per unit that the policy keeps: the date, and what the column says before it and from it on."""
    units = values.group_by("unit", maintain_order=True).agg(missing=pl.col("d").null_count())
    cohort, _, keep = cohorts.assign(units["unit"])
    dated = units.with_columns(cohort=pl.Series(cohort).replace(NEVER, None), keep=pl.Series(keep)).filter("keep").drop("keep")
    on = pl.col("d") != 0
    said = (
        values.filter(pl.col("d").is_not_null())
        .join(dated.select("unit", "cohort"), on="unit", maintain_order="left")
        .with_columns(before=pl.col("d").shift(1).over("unit"))
        .group_by("unit", maintain_order=True)
        .agg(
            first_treated=pl.col("time").filter(on).min(),
            last_treated=pl.col("time").filter(on).max(),
            reversed=((pl.col("before") != 0) & ~on).any(),
            early=(on & (pl.col("time") < pl.col("cohort"))).any(),
            late=(~on & (pl.col("time") >= pl.col("cohort"))).any(),
        )
    )
    flags = [pl.col(c).fill_null(value=False) for c in ("reversed", "early", "late")]
    order = ("unit", "cohort", "first_treated", "last_treated", "reversed", "missing", "early", "late")
    return dated.join(said, on="unit", how="left", maintain_order="left").with_columns(flags).select(order)


def _verdict(panel: Panel) -> pl.Expr:
    """The first contradiction that holds of a unit, ``always-treated``, or ``agree``."""
    untreated = pl.col("first_treated").is_null()
    return (
        pl.when("reversed")
        .then(pl.lit("treatment-reversal"))
        .when(~untreated & pl.col("cohort").is_null())
        .then(pl.lit("treated-without-date"))
        .when(untreated & pl.col("late"))
        .then(pl.lit("date-without-treatment"))
        .when("early")
        .then(pl.lit("treated-before-date"))
        .when("late")
        .then(pl.lit("untreated-after-date"))
        .when((pl.col("first_treated") == panel.frame[panel.time].min()).fill_null(value=False))
        .then(pl.lit("always-treated"))
        .otherwise(pl.lit(AGREE))
    )


def _findings(table: pl.DataFrame, treatment: str, cohorts: Cohorts) -> Iterator[Finding]:
    for kind in KINDS:
        units = table.filter(pl.col("verdict") == kind.code)
        if units.height:
            where = f"dates from {cohorts.source!r}; {_named(units)}"
            yield Finding(kind.code, f"treatment {treatment!r} {kind.what} in {units.height} unit(s)", where, kind.remedy)
    always = table.filter(pl.col("verdict") == "always-treated")
    if always.height:
        what = f"{always.height} unit(s) are treated in every period"
        remedy = "estimators that need a period before treatment leave them out; start the panel earlier to keep them"
        yield Finding("always-treated", what, _named(always), remedy, "warning")


def _named(units: pl.DataFrame) -> str:
    """Up to eight units with the date and the periods in which the column is 1."""

    def one(row: dict[str, object]) -> str:
        dated = "no date" if row["cohort"] is None else f"date {row['cohort']}"
        seen = "never 1" if row["first_treated"] is None else f"1 from {row['first_treated']} to {row['last_treated']}"
        return f"{row['unit']} ({dated}, {seen})"

    shown = ", ".join(one(row) for row in units.head(_SHOWN).iter_rows(named=True))
    return shown + (f" and {units.height - _SHOWN} more" if units.height > _SHOWN else "")
