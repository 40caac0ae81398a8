"""What is true in a simulated world: the estimands, computed exactly from its potential outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from hinterland.data.world_parameters import Parameters
from hinterland.data.world_process import MEDIATORS, mediated_shares
from hinterland.labels import text

OUTCOMES = ("ln_inventions", "inventions", "quality", "citations", *MEDIATORS)
COUNTS = ("inventions", "citations")

_SCHEMA = {
    "parameter": pl.String,
    "outcome": pl.String,
    "estimand": pl.String,
    "cohort": pl.Int64,
    "time": pl.Int64,
    "event_time": pl.Int64,
    "value": pl.Float64,
    "n": pl.Int64,
    "definition": pl.String,
    "definition_zh": pl.String,
}
_BY = {
    "overall": (),
    "cohort": ("cohort",),
    "calendar": ("time",),
    "event-time": ("event_time",),
    "group-time": ("cohort", "time"),
}


def truth_frame(potential: pl.DataFrame, p: Parameters) -> pl.DataFrame:
    """Every known truth of a world.

    ``potential`` is :attr:`World.potential`. Columns: ``parameter`` (unique key: family/outcome/estimand/…), ``outcome``,
    ``estimand``, ``cohort``, ``time``, ``event_time`` (null where they do not apply), ``value``, ``n`` (unit-periods it is the
    mean of; null for parameters), ``definition``, ``definition_zh``. Families: ``att`` (mean of policy minus no own policy over treated
    unit-periods), ``log-ratio`` (log of the ratio of summed counts: the Poisson estimand), ``did``, ``moderation``,
    ``mediation``, ``spillover``, ``parameter``.
    """
    treated = potential.filter(pl.col("sampled") & (pl.col("event_time") >= 0)).with_columns(time=pl.col("year"))
    parts = [
        *_att(treated),
        *_log_ratios(treated),
        *_averages(treated),
        *_regions(treated),
        *_partial(potential),
        *_mediation(treated, p),
        *_moderation(treated, p),
        *_spillovers(potential, treated, p),
        *_identified(potential, treated),
        *_chosen(p),
    ]
    return pl.concat(parts).filter(pl.col("value").is_not_nan() & pl.col("value").is_not_null())


def _rows(
    family: str, outcome: str, estimand: str, frame: pl.DataFrame, *, keys: Sequence[str] = (), said: str | None = None, detail: str = ""
) -> pl.DataFrame:
    """Truth rows from ``frame`` [keys…, value, n]; the definition is the text ``truth.<said>``."""
    name = pl.concat_str([pl.lit("/".join(x for x in (family, outcome, estimand, detail) if x)), *(pl.col(k).cast(pl.String) for k in keys)], separator="/")
    key = f"truth.{said or f'{family}-{estimand}'}"
    have = {c: pl.col(c) if c in keys else pl.lit(None, pl.Int64) for c in ("cohort", "time", "event_time")}
    texts = {column: pl.lit(text(key, language, outcome=text(f"world_outcome.{outcome}", language) if outcome else "")) for column, language in (("definition", "en"), ("definition_zh", "zh"))}  # type: ignore[arg-type]  # both literals
    made = frame.with_columns(parameter=name, outcome=pl.lit(outcome), estimand=pl.lit(estimand), **have, **texts)
    return made.select(pl.col(c).cast(t) for c, t in _SCHEMA.items())


def _one(family: str, outcome: str, estimand: str, value: float, n: int | None = None, said: str | None = None) -> pl.DataFrame:
    return _rows(family, outcome, estimand, pl.DataFrame({"value": [float(value)], "n": [n]}, {"value": pl.Float64, "n": pl.Int64}), said=said)


def _difference(outcome: str) -> pl.Expr:
    return pl.col(f"{outcome}_1") - pl.col(f"{outcome}_0")


def _grouped(frame: pl.DataFrame, keys: Sequence[str], value: pl.Expr) -> pl.DataFrame:
    asked = [value.alias("value"), pl.len().cast(pl.Int64).alias("n")]
    return frame.group_by(keys).agg(asked).sort(keys) if keys else frame.select(asked)


def _att(treated: pl.DataFrame) -> list[pl.DataFrame]:
    return [
        _rows("att", outcome, estimand, _grouped(treated, keys, _difference(outcome).mean()), keys=keys)
        for outcome in OUTCOMES
        for estimand, keys in _BY.items()
    ]


def _log_ratios(treated: pl.DataFrame) -> list[pl.DataFrame]:
    return [
        _rows("log-ratio", outcome, estimand, _grouped(treated, _BY[estimand], (pl.col(f"{outcome}_1").sum() / pl.col(f"{outcome}_0").sum()).log()), keys=_BY[estimand])
        for outcome in COUNTS
        for estimand in ("overall", "cohort", "event-time")
    ]


def _averages(treated: pl.DataFrame) -> list[pl.DataFrame]:
    """Other overall averages in use: of the cohorts' means weighted by their units, of the event-time means, of the calendar means."""
    parts = []
    for outcome in OUTCOMES:
        by_cohort = treated.group_by("cohort").agg(value=_difference(outcome).mean(), units=pl.col("adcode").n_unique())
        by_age = treated.group_by("event_time").agg(value=_difference(outcome).mean())
        by_year = treated.group_by("time").agg(value=_difference(outcome).mean())
        weighted = by_cohort.select((pl.col("value") * pl.col("units")).sum() / pl.col("units").sum())
        for estimand, value in (("overall-by-cohort", weighted.item()), ("overall-by-event-time", by_age["value"].mean()), ("overall-by-calendar", by_year["value"].mean())):
            parts.append(_one("att", outcome, estimand, value if isinstance(value, float) else float("nan"), treated.height))
    return parts


def _regions(treated: pl.DataFrame) -> list[pl.DataFrame]:
    parts = []
    for outcome in OUTCOMES:
        inside = _grouped(treated.filter("sichuan_chongqing"), (), _difference(outcome).mean())
        outside = _grouped(treated.filter(~pl.col("sichuan_chongqing")), (), _difference(outcome).mean())
        gap = pl.DataFrame({"value": [_number(inside) - _number(outside)], "n": [treated.height]})
        parts += [
            _rows("att", outcome, "sichuan-chongqing", inside),
            _rows("att", outcome, "elsewhere", outside),
            _rows("att", outcome, "sichuan-chongqing-difference", gap),
        ]
    return parts


def _number(frame: pl.DataFrame) -> float:
    value = frame["value"][0]
    return float("nan") if value is None else float(value)


def _partial(potential: pl.DataFrame) -> list[pl.DataFrame]:
    """Treated units that the default rule leaves out of the sample: covered in part, or of disputed membership."""
    left_out = potential.filter(~pl.col("sampled") & (pl.col("event_time") >= 0))
    return [_rows("att", outcome, "left-out", _grouped(left_out, (), _difference(outcome).mean())) for outcome in OUTCOMES]


def _mediation(treated: pl.DataFrame, p: Parameters) -> list[pl.DataFrame]:
    shares = mediated_shares(p)
    theta = _number(_grouped(treated, (), pl.col("theta").mean()))
    parts = [_one("mediation", "ln_inventions", f"share-{name}", share) for name, share in shares.items()]
    parts.append(_one("mediation", "ln_inventions", "share-direct", 1 - sum(shares.values())))
    parts += [_one("mediation", "ln_inventions", f"log-points-{name}", share * theta, treated.height) for name, share in shares.items()]
    indirect = (pl.col("log_mean_mediated") - pl.col("log_mean_0")).mean()
    direct = (pl.col("log_mean_1") - pl.col("log_mean_mediated")).mean()
    parts.append(_rows("mediation", "ln_inventions", "log-points-indirect", _grouped(treated, (), indirect)))
    parts.append(_rows("mediation", "ln_inventions", "log-points-direct", _grouped(treated, (), direct)))
    return parts


def _moderation(treated: pl.DataFrame, p: Parameters) -> list[pl.DataFrame]:
    """Slopes of the effect in segmentation before the policy: by how it was made, and by least squares over treated unit-periods."""
    slope = p.moderation + p.moderation_sichuan_chongqing * pl.col("sichuan_chongqing").cast(pl.Float64)
    made = (-p.effect * slope * pl.col("maturity")).mean()
    parts = [_rows("moderation", "ln_inventions", "slope-per-sd", _grouped(treated, (), made))]
    for column, estimand in (("segmentation_z", "fitted-slope-per-sd"), ("segmentation_pre", "fitted-slope")):
        fitted = pl.cov(_difference("ln_inventions"), pl.col(column)) / pl.col(column).var()
        parts.append(_rows("moderation", "ln_inventions", estimand, _grouped(treated, (), fitted)))
    return parts


def _spillovers(potential: pl.DataFrame, treated: pl.DataFrame, p: Parameters) -> list[pl.DataFrame]:
    received = (pl.col("ln_inventions_0") - pl.col("ln_inventions_00")).mean()
    exposed = potential.filter(pl.col("event_time").is_null() & (pl.col("exposure") > 0))
    never = potential.filter(pl.col("cohort").is_null())
    return [
        _one("spillover", "ln_inventions", "fraction", p.spillover),
        _one("spillover", "ln_inventions", "full-exposure", p.spillover * p.effect),
        _rows("spillover", "ln_inventions", "exposed-never-treated", _grouped(exposed, (), received)),
        _rows("spillover", "ln_inventions", "never-treated", _grouped(never, (), received)),
        _rows("spillover", "ln_inventions", "treated", _grouped(treated, (), received)),
    ]


def _identified(potential: pl.DataFrame, treated: pl.DataFrame) -> list[pl.DataFrame]:
    """The mean over treated unit-periods of what a comparison of changes with the never treated since G - 1 identifies.

    With a spillover it is not the direct effect: both sides' spillovers enter it. Differential trends
    (``pretrend``, ``selection``) are not part of it.
    """
    received = pl.col("ln_inventions_0") - pl.col("ln_inventions_00")
    never = potential.filter(pl.col("cohort").is_null()).group_by("year").agg(control=received.mean())
    if never.is_empty():
        return []
    before = potential.filter(pl.col("cohort").is_not_null() & (pl.col("year") == pl.col("cohort") - 1)).select("adcode", base=received)
    changes = (
        treated.join(never, on="year", how="left")
        .join(never.select(pl.col("year") + 1, control_base="control"), left_on="cohort", right_on="year", how="left")
        .join(before, on="adcode", how="left")
    )
    identified = _difference("ln_inventions") + received - pl.col("base") - (pl.col("control") - pl.col("control_base"))
    return [_rows("did", "ln_inventions", "overall", _grouped(changes, (), identified.mean()))]


def _chosen(p: Parameters) -> list[pl.DataFrame]:
    names = ("effect", "dynamics", "pretrend", "selection")
    return [_one("parameter", "", name, float(np.float64(getattr(p, name)))) for name in names]
