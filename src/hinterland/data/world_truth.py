"""What is true in a simulated world: the estimands, computed exactly from its potential outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.world_parameters import Parameters
from hinterland.data.world_process import MEDIATORS, mediated_shares
from hinterland.labels import LANGUAGES, Language, text

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OUTCOMES = ("ln_inventions", "inventions", "quality", "citations", *MEDIATORS)
COUNTS = ("inventions", "citations")

_BY: Mapping[str, tuple[str, ...]] = {
    "overall": (),
    "cohort": ("cohort",),
    "calendar": ("time",),
    "event-time": ("event_time",),
    "group-time": ("cohort", "time"),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One truth: where it belongs, its value, and the number of unit-periods behind it (``None`` for parameters)."""

    family: str
    outcome: str
    estimand: str
    value: float
    n: int | None = None
    cohort: int | None = None
    time: int | None = None
    event_time: int | None = None

    @property
    def parameter(self) -> str:
        cells = (str(c) for c in (self.cohort, self.time, self.event_time) if c is not None)
        return "/".join([x for x in (self.family, self.outcome, self.estimand) if x] + list(cells))


@dataclass(frozen=True, slots=True)
class _Treated:
    """The m treated unit-periods of the sample: columns of the potential outcomes, and their keys."""

    frame: pl.DataFrame
    keys: Mapping[str, Ints]

    def column(self, name: str) -> Floats:
        return self.frame[name].to_numpy().astype(np.float64)

    def effect(self, outcome: str) -> Floats:
        return self.column(f"{outcome}_1") - self.column(f"{outcome}_0")

    def __len__(self) -> int:
        return self.frame.height


def truth_frame(potential: pl.DataFrame, p: Parameters) -> pl.DataFrame:
    """Every known truth of a world.

    ``potential`` is :attr:`World.potential`. Columns: ``parameter`` (unique key: family/outcome/estimand/…), ``family``, ``outcome``,
    ``estimand``, ``cohort``, ``time``, ``event_time`` (null where they do not apply), ``value``, ``n`` (unit-periods it is the
    mean of; null for parameters), ``definition``, ``definition_zh``. Families: ``att`` (mean of policy minus no own policy over treated
    unit-periods), ``log-ratio`` (log of the ratio of summed counts: the Poisson estimand), ``did``, ``moderation``,
    ``mediation``, ``spillover``, ``parameter``. A truth that does not exist in this world (no unit behind it) has no row.
    """
    rows = [*_parameters(p), *_spillovers(potential)]
    inside = potential.filter(pl.col("sampled") & (pl.col("event_time") >= 0))
    if inside.height:
        columns = {"cohort": "cohort", "time": "year", "event_time": "event_time"}
        treated = _Treated(inside, {key: inside[c].to_numpy() for key, c in columns.items()})
        rows = [
            *_effects(treated),
            *_averages(treated),
            *_mediation(treated, p),
            *_moderation(treated, p),
            *_did(potential, treated),
            *rows,
        ]
    rows += _left_out(potential)
    return _framed([row for row in rows if np.isfinite(row.value)])


def _framed(rows: Sequence[_Row]) -> pl.DataFrame:
    whole = ("n", "cohort", "time", "event_time")
    said = {language: [_definition(row, language) for row in rows] for language in LANGUAGES}
    texts = {c: [getattr(r, c) for r in rows] for c in ("parameter", "family", "outcome", "estimand")}
    numbers = {c: pl.Series([getattr(r, c) for r in rows], dtype=pl.Int64) for c in whole}
    frame = pl.DataFrame({**texts, **numbers, "value": [r.value for r in rows], "definition": said["en"], "definition_zh": said["zh"]})
    return frame.select(
        "parameter", "family", "outcome", "estimand", "cohort", "time", "event_time", "value", "n", "definition", "definition_zh"
    )


def _definition(row: _Row, language: Language) -> str:
    outcome = text(f"world_outcome.{row.outcome}", language) if row.outcome else ""
    return text(f"truth.{row.family}-{row.estimand}", language, outcome=outcome)


def _cells(treated: _Treated, by: Sequence[str]) -> tuple[Ints, Ints, list[dict[str, int]]]:
    """Cell of each unit-period [m], size of each cell, and the keys of each cell."""
    if not by:
        return np.zeros(len(treated), dtype=np.int64), np.array([len(treated)]), [{}]
    stacked = np.column_stack([treated.keys[k] for k in by])
    values, code, sizes = np.unique(stacked, axis=0, return_inverse=True, return_counts=True)
    return code.ravel().astype(np.int64), sizes, [dict(zip(by, map(int, v), strict=True)) for v in values]


def _effects(treated: _Treated) -> Iterator[_Row]:
    """Mean differences and log ratios, overall and by cohort, year, event time, and cohort and year."""
    for estimand, by in _BY.items():
        code, sizes, keys = _cells(treated, by)
        for outcome in OUTCOMES:
            means = np.bincount(code, treated.effect(outcome)) / sizes
            yield from (_Row("att", outcome, estimand, float(v), int(n), **k) for v, n, k in zip(means, sizes, keys, strict=True))
        if estimand in {"overall", "cohort", "event-time"}:
            for outcome in COUNTS:
                with np.errstate(divide="ignore", invalid="ignore"):
                    ratios = np.log(np.bincount(code, treated.column(f"{outcome}_1")) / np.bincount(code, treated.column(f"{outcome}_0")))
                yield from (
                    _Row("log-ratio", outcome, estimand, float(v), int(n), **k) for v, n, k in zip(ratios, sizes, keys, strict=True)
                )


def _averages(treated: _Treated) -> Iterator[_Row]:
    """Other overall averages in use, and the effect inside and outside Sichuan–Chongqing."""
    west = treated.frame["sichuan_chongqing"].to_numpy()
    units = treated.frame.group_by("cohort").agg(pl.col("adcode").n_unique()).sort("cohort")["adcode"].to_numpy()
    for outcome in OUTCOMES:
        effect = treated.effect(outcome)
        for estimand, key in (("overall-by-cohort", "cohort"), ("overall-by-event-time", "event_time"), ("overall-by-calendar", "time")):
            code, sizes, _ = _cells(treated, (key,))
            means = np.bincount(code, effect) / sizes
            yield _Row("att", outcome, estimand, float(np.average(means, weights=units if key == "cohort" else None)), len(treated))
        if west.any():
            yield _Row("att", outcome, "sichuan-chongqing", float(effect[west].mean()), int(west.sum()))
        if not west.all():
            yield _Row("att", outcome, "elsewhere", float(effect[~west].mean()), int((~west).sum()))
        if west.any() and not west.all():
            yield _Row("att", outcome, "sichuan-chongqing-difference", float(effect[west].mean() - effect[~west].mean()), len(treated))


def _left_out(potential: pl.DataFrame) -> Iterator[_Row]:
    """Treated units that the default rule leaves out of the sample: covered in part, or of disputed membership."""
    frame = potential.filter(~pl.col("sampled") & (pl.col("event_time") >= 0))
    if frame.height:
        for outcome in OUTCOMES:
            yield _Row("att", outcome, "left-out", float((frame[f"{outcome}_1"] - frame[f"{outcome}_0"]).to_numpy().mean()), frame.height)


def _mediation(treated: _Treated, p: Parameters) -> Iterator[_Row]:
    theta = float(treated.column("theta").mean())
    for name, share in mediated_shares(p).items():
        yield _Row("mediation", "ln_inventions", f"log-points-{name}", share * theta, len(treated))
    indirect = treated.column("log_mean_mediated") - treated.column("log_mean_0")
    direct = treated.column("log_mean_1") - treated.column("log_mean_mediated")
    yield _Row("mediation", "ln_inventions", "log-points-indirect", float(indirect.mean()), len(treated))
    yield _Row("mediation", "ln_inventions", "log-points-direct", float(direct.mean()), len(treated))


def _moderation(treated: _Treated, p: Parameters) -> Iterator[_Row]:
    """Slopes of the effect in segmentation before the policy: as it was made, and by least squares over treated unit-periods."""
    slope = p.moderation + p.moderation_sichuan_chongqing * treated.column("sichuan_chongqing")
    made = -p.effect * slope * treated.column("maturity")
    yield _Row("moderation", "ln_inventions", "slope-per-sd", float(made.mean()), len(treated))
    effect = treated.effect("ln_inventions")
    for column, estimand in (("segmentation_z", "fitted-slope-per-sd"), ("segmentation_pre", "fitted-slope")):
        centred = treated.column(column) - treated.column(column).mean()
        if (spread := float(centred @ centred)) > 0:
            yield _Row("moderation", "ln_inventions", estimand, float(centred @ effect) / spread, len(treated))


def _spillovers(potential: pl.DataFrame) -> Iterator[_Row]:
    received = (pl.col("ln_inventions_0") - pl.col("ln_inventions_00")).alias("received")
    never = potential.filter(pl.col("cohort").is_null())
    groups = {
        "exposed-never-treated": never.filter(pl.col("exposure") > 0),
        "never-treated": never,
        "treated": potential.filter(pl.col("sampled") & (pl.col("event_time") >= 0)),
    }
    for estimand, frame in groups.items():
        if frame.height:
            yield _Row("spillover", "ln_inventions", estimand, float(frame.select(received)["received"].to_numpy().mean()), frame.height)


def _did(potential: pl.DataFrame, treated: _Treated) -> Iterator[_Row]:
    """The mean over treated unit-periods of what a comparison of changes with the never treated since G - 1 identifies.

    With a spillover it is not the direct effect: both sides' spillovers enter it. Differential trends
    (``pretrend``, ``selection``) are not part of it.
    """
    received = (pl.col("ln_inventions_0") - pl.col("ln_inventions_00")).alias("received")
    sample = potential.filter("sampled")
    never = sample.filter(pl.col("cohort").is_null()).group_by("year").agg(control=received.mean())
    if never.is_empty():
        return
    before = sample.filter(pl.col("year") == pl.col("cohort") - 1).select("adcode", base=received)
    base = never.select(pl.col("year") + 1, control_base="control")
    joined = (
        treated.frame.select("adcode", "cohort", "year", received)
        .join(never, on="year", how="left", maintain_order="left")
        .join(base, left_on="cohort", right_on="year", how="left", maintain_order="left")
        .join(before, on="adcode", how="left", maintain_order="left")
    )
    change = joined["received"] - joined["base"] - joined["control"] + joined["control_base"]
    yield _Row("did", "ln_inventions", "overall", float((treated.effect("ln_inventions") + change.to_numpy()).mean()), len(treated))


def _parameters(p: Parameters) -> Iterator[_Row]:
    shares = mediated_shares(p)
    yield from (_Row("mediation", "ln_inventions", f"share-{name}", share) for name, share in shares.items())
    yield _Row("mediation", "ln_inventions", "share-direct", 1 - sum(shares.values()))
    yield _Row("spillover", "ln_inventions", "fraction", p.spillover)
    yield _Row("spillover", "ln_inventions", "full-exposure", p.spillover * p.effect)
    yield from (_Row("parameter", "", name, float(getattr(p, name))) for name in ("effect", "dynamics", "pretrend", "selection"))
