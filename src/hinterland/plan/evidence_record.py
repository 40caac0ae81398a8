"""Evidence from the tables of a run record: the headline's average effect, a moderator's slope, and the shares of mediators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean
from hinterland.labels import Note
from hinterland.plan.evidence import Estimate, Evidence, Grade, independent
from hinterland.plan.program import Floats

AVERAGES = ("overall", "coefficient")
"""Aggregations whose one term is the average effect."""
_LOGS = ("ln_", "log_", "log1p_")


def read_evidence(
    record: str | Path | Mapping[str, pl.DataFrame],
    outcome: str,
    *,
    moderator: str | None = None,
    mediators: Sequence[str] = (),
    unit: str | None = None,
    level: Literal["headline", "line"] = "headline",
) -> Evidence:
    """The evidence of a run record on one outcome.

    Args:
        record: a run folder, its folder of tables, or frames by the name of their table.
        outcome: its name in the study.
        moderator: of the effect, by its name in the study.
        mediators: whose shares of the effect are taken.
        unit: of the effect; by default log points of counts and of outcomes that are named or made as logarithms, and an error otherwise.
        level: with a moderator, whose effect at its centre: the ``headline``'s, which is taken to be independent of the slope, or that of the ``line``
            itself, whose covariance with the slope follows from the standard errors along it.

    Raises:
        InputError: tables or rows that the record does not hold.
    """
    tables = _Tables(record)
    effect = _effect(tables, outcome, unit)
    rows: list[Estimate] = [effect]
    notes: list[Note] = []
    vcov = np.array([[effect.std_error**2]])
    if moderator is not None:
        slope = _slope(tables, outcome, moderator)
        covariance = 0.0
        if level == "line":
            rows[0], covariance = _line(tables, effect, slope)
            vcov = np.array([[rows[0].std_error ** 2]])
        rows.append(slope)
        vcov = np.block([[vcov, np.array([[covariance]])], [np.array([[covariance]]), np.array([[slope.std_error**2]])]])
    for mediator in mediators:
        rows.append(_share(tables, outcome, mediator, effect))
        vcov = _with(vcov, rows[-1].std_error ** 2)
    if len(rows) > (2 if level == "line" and moderator is not None else 1):
        notes += independent(rows)
    if not tables.has("advice"):
        notes.append(Note("evidence-ungraded", {"outcome": outcome}))
    return Evidence(tuple(rows), vcov, tuple(notes))


class _Tables:
    """The tables of a record, from a folder or from frames."""

    def __init__(self, record: str | Path | Mapping[str, pl.DataFrame]) -> None:
        self._frames = dict(record) if isinstance(record, Mapping) else None
        self._folder = None
        if self._frames is None:
            folder = Path(cast("str | Path", record))
            self._folder = folder / "tables" if (folder / "tables").is_dir() else folder
            if not self._folder.is_dir():
                remedy = "name a folder written by `hinterland run -o FOLDER`"
                raise InputError(
                    Finding("missing-folder", f"there is no folder {str(folder)!r}", "argument record", remedy), "the evidence"
                )

    def has(self, name: str) -> bool:
        """Whether the record holds the table."""
        return name in self._frames if self._frames is not None else bool(self._folder and (self._folder / f"{name}.parquet").is_file())

    def __getitem__(self, name: str) -> pl.DataFrame:
        if not self.has(name):
            remedy = {"moderation": "ask for [moderation] in the study", "mechanism": "ask for [mechanism] in the study"}
            what = f"the record has no table {name!r}"
            raise InputError(
                Finding("missing-table", what, "argument record", remedy.get(name, "run the study to its end")), "the evidence"
            )
        return self._frames[name] if self._frames is not None else pl.read_parquet(cast(Path, self._folder) / f"{name}.parquet")

    def one(self, name: str, column: str, /, **where: Any) -> dict[str, Any]:
        """The first row whose columns have these values; ``column`` is the one whose values an error offers."""
        frame = self[name]
        found = frame.filter(
            *(pl.col(c).is_in(list(v)) if isinstance(v, tuple) else pl.col(c).eq_missing(pl.lit(v)) for c, v in where.items())
        )
        if not found.height:
            have = frame[column].drop_nulls().unique(maintain_order=True).to_list()
            what = f"table {name!r} has no row with " + ", ".join(f"{c} {v!r}" for c, v in where.items())
            raise InputError(
                Finding("no-such-estimate", what, f"the record's table {name!r}", did_you_mean(str(where[column]), have)), "the evidence"
            )
        return found.row(0, named=True)

    def derived(self, outcome: str) -> str:
        """The formula by which the study makes the outcome; empty where it is a column of the data, or the record is frames alone."""
        path = None if self._folder is None else self._folder.parent / "run.json"
        if path is None or not path.is_file():
            return ""
        study = json.loads(path.read_text(encoding="utf-8")).get("study", {})
        return str(study.get("panel", {}).get("derive", {}).get(outcome, ""))

    def grade(self, topic: str, outcome: str, **where: str) -> Grade | None:
        """The record's own judgement of a kind of evidence on an outcome."""
        if not self.has("advice"):
            return None
        rows = self["advice"].filter((pl.col("topic") == topic) & (pl.col("outcome") == outcome))
        for row in rows.iter_rows(named=True):
            sources = json.loads(row["sources"] or "[]")
            if not where or any(all(s["where"].get(k) == v for k, v in where.items()) for s in sources):
                return cast("Grade | None", row["grade"])
        return None


def _effect(tables: _Tables, outcome: str, unit: str | None) -> Estimate:
    """The headline's average effect."""
    model = tables.one("models", "outcome", outcome=outcome, role=("headline",), sample="all", aggregation=AVERAGES)
    key = model["effects_id"]
    row = tables.one("effects", "effects_id", effects_id=key)
    logarithm = model["family"] == "poisson" or outcome.startswith(_LOGS) or tables.derived(outcome).startswith("log")
    said = unit or ("log-points" if logarithm else None)
    if said is None:
        remedy = "say unit='log-points' if the outcome is a logarithm; an effect in levels has no rule"
        raise InputError(
            Finding("unit-unknown", f"nothing says whether {outcome!r} is a logarithm", "argument unit", remedy), "the evidence"
        )
    grade = tables.grade("effects", outcome)
    return Estimate(
        f"{outcome}/effect", "effect", outcome, "", _number(row["estimate"]), _number(row["std_error"]), said, grade, f"effects: {key}"
    )


def _slope(tables: _Tables, outcome: str, moderator: str) -> Estimate:
    """The linear slope of the effect in the moderator."""
    row = tables.one("moderation", "moderator", moderator=moderator, outcome=outcome, version="linear", group="all")
    return Estimate(
        name=f"{outcome}/moderation/{moderator}",
        role="moderation",
        outcome=outcome,
        of=moderator,
        value=_number(row["estimate"]),
        std_error=_number(row["std_error"]),
        unit="log-points per unit of the moderator",
        grade=tables.grade("moderation", outcome, moderator=moderator),
        source=f"moderation: {outcome}, {moderator}, linear",
        centre=row["centre"],
        low=row["support_low"],
        high=row["support_high"],
    )


def _line(tables: _Tables, effect: Estimate, slope: Estimate) -> tuple[Estimate, float]:
    """The effect of the line at its centre, and its covariance with the slope.

    Along the line ``se(v)² = V_b + 2 (v − c) C + (v − c)² V_s``, so that the covariance ``C`` follows by least squares from the standard errors at its points.
    """
    rows = tables["moderation_effects"].filter(
        (pl.col("outcome") == effect.outcome)
        & (pl.col("moderator") == slope.of)
        & (pl.col("version") == "linear")
        & (pl.col("group") == "all")
        & ~pl.col("kind").str.contains("-")
    )
    rows = rows.drop_nulls(("value", "estimate", "std_error"))
    away = rows["value"].to_numpy() - cast(float, slope.centre)
    if len(np.unique(away)) < 3:
        what = f"table 'moderation_effects' has fewer than three points of {slope.of!r}"
        raise InputError(
            Finding("no-such-estimate", what, "the record's table 'moderation_effects'", "take level='headline'"), "the evidence"
        )
    variance, covariance = _parabola(away, rows["std_error"].to_numpy() ** 2 - slope.std_error**2 * away**2)
    middle = rows["estimate"].to_numpy() - slope.value * away
    value, error = float(np.mean(middle)), float(np.sqrt(max(variance, 0.0)))
    limit = error * slope.std_error
    told = Estimate(effect.name, "effect", effect.outcome, "", value, error, effect.unit, effect.grade, f"{slope.source}, at its centre")
    return told, float(np.clip(covariance, -limit, limit))


def _parabola(away: Floats, rest: Floats) -> tuple[float, float]:
    """Variance at the centre ``V`` and covariance ``C`` by least squares from ``rest = V + 2 away C``."""
    found = np.linalg.lstsq(np.column_stack([np.ones_like(away), 2 * away]), rest, rcond=None)[0]
    return float(found[0]), float(found[1])


def _share(tables: _Tables, outcome: str, mediator: str, effect: Estimate) -> Estimate:
    """The part of the effect that goes through a mediator, by the headline's method where the record has it."""
    frame = tables["mechanism"].filter((pl.col("outcome") == outcome) & (pl.col("quantity") == "share"))
    methods = frame["method"].unique(maintain_order=True).to_list()
    mine = effect.source.split("/")[1] if "/" in effect.source else ""
    method = mine if mine in methods else (methods[0] if methods else "")
    row = tables.one("mechanism", "mediator", mediator=mediator, outcome=outcome, quantity="share", method=method)
    return Estimate(
        name=f"{outcome}/share/{mediator}",
        role="share",
        outcome=outcome,
        of=mediator,
        value=_number(row["estimate"]),
        std_error=_number(row["std_error"]),
        unit="share",
        grade=tables.grade("mechanism", outcome, mediator=mediator),
        source=f"mechanism: {outcome}, {method}, {mediator}",
    )


def _with(vcov: Floats, variance: float) -> Floats:
    """The covariance with a further estimate that is independent of the others."""
    k = len(vcov)
    out = np.zeros((k + 1, k + 1))
    out[:k, :k], out[k, k] = vcov, variance
    return out


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
