"""Cohorts from a panel's own columns: the first treated period, a treatment that switches on, or one that may change again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from hinterland.data.cohorts import Cohorts
from hinterland.data.order import run_starts
from hinterland.data.panel import Panel
from hinterland.errors import Finding, PolicyError, fail_if_any, listed
from hinterland.labels import Note


def adoption(panel: Panel, column: str, never: Sequence[int | float | str | None] = (0, None)) -> Cohorts:
    """Cohorts from a column that holds each unit's first treated period.

    Args:
        panel: the panel.
        column: the first treated period, the same in every row of a unit: whole numbers, or text or floats that are.
        never: values that mean never treated. Missing, NaN and +infinity always do.

    Periods before or at the panel's first, and after its last, are kept; the notes count them.

    Raises:
        PolicyError: no such column; values that are not whole periods; values that vary within a unit; nobody treated.
    """
    _fail_if_no_column(panel, column)
    cleaned = _clean(panel, column, never)
    findings = [*_not_periods(panel, cleaned, column)]
    values = _by_unit(cleaned.filter("legible"))
    findings += _varying(cleaned, values, column)
    if not findings and values["cohort"].null_count() == values.height:
        findings.append(
            Finding(
                "nobody-treated",
                f"column {column!r} marks every unit as never treated",
                f"never = {tuple(never)!r}",
                "check the column, or the values that mean never",
            )
        )
    fail_if_any(findings, "adoption column", PolicyError)
    made = _cohorts(panel, values.select("unit", "cohort"), column)
    return replace(made, notes=(*made.notes, *_undated(panel, column)))


def _undated(panel: Panel, column: str) -> list[Note]:
    """A note on units without a date: they count as never treated, but a missing date may also mean that nobody knows."""
    raw = panel.frame[column]
    empty = raw.is_null() | raw.is_nan() if raw.dtype.is_float() else raw.is_null()
    units = panel.frame.filter(empty)[panel.unit].cast(pl.String).unique(maintain_order=True)
    return [Note("policy-undated", {"count": len(units), "units": listed(units.to_list(), 8)})] if len(units) else []


def adoption_from_treatment(panel: Panel, column: str, *, reversible: bool = False) -> Cohorts:
    """Cohorts from a 0/1 (or Boolean) column: a unit is first treated in the first period that is 1.

    Args:
        panel: the panel.
        column: treatment, by unit and period.
        reversible: treatment may be switched off again, or be any number that changes with time. A cohort is then the first period in
            which a unit's treatment differs from that of its first period, and the column is the cohorts' ``path``. Rows without a
            value are passed over here and left out of estimates.

    Raises:
        PolicyError: no such column; missing values or values other than 0 and 1; treatment that is switched off again,
            with the units and periods; nobody treated. Where ``reversible``: values that are not numbers; nobody's treatment changes.
    """
    _fail_if_no_column(panel, column)
    if reversible:
        return _first_changes(panel, column)
    frame = panel.frame.select(
        unit=pl.col(panel.unit).cast(pl.String), time=panel.time, value=pl.col(column).cast(pl.Float64, strict=False)
    ).sort("unit", "time")
    findings = []
    illegible = frame.filter(~pl.col("value").is_in([0.0, 1.0]).fill_null(False))
    if illegible.height:
        cells = _cells(f"{u}, {t}: {'empty' if v is None else v}" for u, t, v in illegible.iter_rows())
        findings.append(
            Finding(
                "not-binary",
                f"column {column!r} is neither 0 nor 1 in {illegible.height} row(s)",
                cells,
                "recode it to 0 and 1 and leave no gap",
            )
        )
    before = pl.col("value").shift(1).over("unit")
    reversed_ = frame.filter((before == 1) & (pl.col("value") == 0))
    if reversed_.height:
        cells = _cells(f"{u} in {t}" for u, t, _ in reversed_.iter_rows())
        findings.append(
            Finding(
                "treatment-reversal",
                f"treatment {column!r} is switched off again in {reversed_['unit'].n_unique()} unit(s)",
                cells,
                "most methods take treatment as lasting: correct the rows, drop the units, keep the periods before the reversal, "
                "or say reversible=True and choose method dcdh",
            )
        )
    treated = frame.filter(pl.col("value") == 1)
    if not findings and treated.is_empty():
        findings.append(
            Finding("nobody-treated", f"column {column!r} is 0 in every row", "panel", "name the column that marks treated unit-periods")
        )
    fail_if_any(findings, "treatment column", PolicyError)
    start = treated.group_by("unit").agg(cohort=pl.col("time").min().cast(pl.Int64))
    units = frame.select("unit").unique(maintain_order=True)
    return _cohorts(panel, units.join(start, on="unit", how="left", maintain_order="left"), column)


def _first_changes(panel: Panel, column: str) -> Cohorts:
    """Cohorts of a treatment that may change more than once."""
    number = pl.col(column).cast(pl.Float64, strict=False)
    rows = panel.frame.select(unit=pl.col(panel.unit).cast(pl.String), time=panel.time, raw=pl.col(column), value=number.fill_nan(None))
    findings = []
    illegible = rows.filter(
        pl.col("raw").is_not_null() & ~pl.col("value").is_finite() | (pl.col("value").is_null() & _written(rows["raw"]))
    )
    if illegible.height:
        cells = _cells(f"{u}, {t}: {raw}" for u, t, raw, _ in illegible.iter_rows())
        what = f"column {column!r} is no finite number in {illegible.height} row(s)"
        findings.append(Finding("not-numeric", what, cells, "correct the values, or empty them where treatment is not known"))
    frame = rows.drop_nulls("value").sort("unit", "time")
    changed = frame.filter(pl.col("value") != pl.col("value").first().over("unit"))
    if not findings and changed.is_empty():
        what = f"column {column!r} changes over time in no unit"
        findings.append(Finding("nobody-treated", what, "panel", "name the column that holds treatment by unit and period"))
    fail_if_any(findings, "treatment column", PolicyError)
    start = changed.group_by("unit").agg(cohort=pl.col("time").min().cast(pl.Int64))
    units = rows.select("unit").unique(maintain_order=True)
    made = _cohorts(panel, units.join(start, on="unit", how="left", maintain_order="left"), column)
    return replace(made, path=column)


def _written(raw: pl.Series) -> pl.Series:
    """Where a cell holds something: NaN counts as empty."""
    return raw.is_not_null() & ~raw.is_nan() if raw.dtype.is_float() else raw.is_not_null()


def _cells(cells: Iterable[str]) -> str:
    """Up to eight cells in words, and how many more there are."""
    every = list(cells)
    return "; ".join(every[:8]) + (f" and {len(every) - 8} more" if len(every) > 8 else "")


def _fail_if_no_column(panel: Panel, column: str) -> None:
    if column not in panel.frame.columns:
        from hinterland.errors import did_you_mean

        raise PolicyError(
            Finding("unknown-column", f"there is no column {column!r}", "the panel", did_you_mean(column, panel.frame.columns)), "policy"
        )


def _clean(panel: Panel, column: str, never: Sequence[int | float | str | None]) -> pl.DataFrame:
    """Per distinct unit and value: ``unit``, ``raw`` text, ``cohort`` (null = never), ``legible`` (a whole period, or never)."""
    pairs = _pairs(panel.frame.select(unit=panel.unit, value=column))
    raw = pairs["value"]
    number = (
        raw.cast(pl.String).str.strip_chars().str.replace(r"\s*年$", "").cast(pl.Float64, strict=False)
        if raw.dtype == pl.String
        else raw.cast(pl.Float64, strict=False)
    )
    numbers = [float(v) for v in never if isinstance(v, (int, float))]
    words = [v for v in never if isinstance(v, str)] + [""]
    frame = pl.DataFrame({"unit": pairs["unit"].cast(pl.String), "raw": raw.cast(pl.String).str.strip_chars(), "number": number})
    never_number = pl.col("number").is_in(numbers) | pl.col("number").is_nan() | (pl.col("number") == float("inf"))
    is_never = pl.col("raw").is_null() | pl.col("raw").is_in(words) | never_number.fill_null(False)
    whole = pl.col("number").is_finite() & (pl.col("number") == pl.col("number").round(0)) & (pl.col("number").abs() < 2**53)
    return frame.with_columns(
        cohort=pl.when(~is_never & whole.fill_null(False)).then(pl.col("number")).cast(pl.Int64),
        legible=is_never | whole.fill_null(False),
    )


def _by_unit(pairs: pl.DataFrame) -> pl.DataFrame:
    """Per unit: its first ``cohort``, and how many ``kinds`` of them it has."""
    if pairs["unit"].n_unique() == pairs.height:
        return pairs.select("unit", "cohort", kinds=pl.lit(1))
    return pairs.group_by("unit", maintain_order=True).agg(pl.col("cohort").first(), kinds=pl.col("cohort").n_unique())


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """The distinct pairs of ``unit`` and ``value``, in order of appearance."""
    unit, value = rows["unit"], rows["value"]
    if rows.height and not unit.null_count():
        starts = run_starts(unit)
        within = value.ne_missing(value.shift()) & (unit == unit.shift())
        if not within.any() and (unit[starts][1:] > unit[starts][:-1]).all():
            return rows[starts]
    changes = pl.col("unit").ne_missing(pl.col("unit").shift()) | pl.col("value").ne_missing(pl.col("value").shift())
    return rows.filter(changes).unique(maintain_order=True)


def _not_periods(panel: Panel, cleaned: pl.DataFrame, column: str) -> list[Finding]:
    bad = cleaned.filter(~pl.col("legible")).select("unit", "raw").unique(maintain_order=True)
    if bad.is_empty():
        return []
    cells = _cells(f"{u}: {r}" for u, r in bad.iter_rows())
    remedy = f"write the first treated period as a whole number of {panel.time!r}, or list the value in never"
    return [
        Finding("not-a-period", f"column {column!r} holds values that are no period, in {bad['unit'].n_unique()} unit(s)", cells, remedy)
    ]


def _varying(cleaned: pl.DataFrame, values: pl.DataFrame, column: str) -> list[Finding]:
    units = values.filter(pl.col("kinds") > 1)["unit"]
    if units.is_empty():
        return []
    shown = (
        cleaned.filter(pl.col("unit").is_in(units.head(5).implode()) & pl.col("legible"))
        .group_by("unit", maintain_order=True)
        .agg(pl.col("cohort").cast(pl.String).fill_null("never").unique(maintain_order=True))
    )
    cells = "; ".join(f"{u}: {', '.join(c)}" for u, c in shown.iter_rows()) + (f" and {len(units) - 5} more" if len(units) > 5 else "")
    what = f"column {column!r} varies within {len(units)} unit(s), but a unit has one first treated period"
    return [
        Finding("varying-adoption", what, cells, "give every row of a unit the same value; for a 0/1 column use adoption_from_treatment")
    ]


def _cohorts(panel: Panel, values: pl.DataFrame, column: str) -> Cohorts:
    table = values.select(
        "unit",
        pl.col("cohort").cast(pl.Int64),
        dose=pl.lit(1.0),
        excluded=pl.lit(False),
        reason=pl.lit(""),
    )
    return Cohorts(table, True, column, "column", notes=tuple(_window_notes(panel, table)))


def _window_notes(panel: Panel, table: pl.DataFrame) -> list[Note]:
    first, last = panel.frame.select(first=pl.col(panel.time).min(), last=pl.col(panel.time).max()).row(0)
    notes = []
    early = table.filter(pl.col("cohort") <= first).height
    late = table.filter(pl.col("cohort") > last).height
    if early:
        notes.append(Note("policy-always-treated", {"count": early, "first": int(first)}))
    if late:
        notes.append(Note("policy-after-window", {"count": late, "last": int(last)}))
    return notes
