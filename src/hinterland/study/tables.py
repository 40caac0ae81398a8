"""The tables of a run record: their columns and types, in order. The report reads these and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import polars as pl

from hinterland.plan.tables import PLAN_TABLES
from hinterland.study.tables_curve import CURVE_TABLES
from hinterland.study.tables_heterogeneity import HETEROGENEITY
from hinterland.study.tables_matching import MATCHING
from hinterland.study.tables_measure import MEASURE_TABLES
from hinterland.study.tables_mechanism import MECHANISM_TABLES
from hinterland.study.tables_moderation import MODERATION_TABLES
from hinterland.transfer.tables import TRANSFER_TABLES

_TEXT, _WHOLE, _REAL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()

Schema = Mapping[str, pl.DataType]

ADVICE = "advice"
"""The table of what follows from the others, made with the report."""


def _columns(text: str = "", **types: pl.DataType) -> dict[str, pl.DataType]:
    return {**dict.fromkeys(text.split(), _TEXT), **types}


TABLES: Mapping[str, Schema] = MappingProxyType(
    {
        **MEASURE_TABLES,
        **TRANSFER_TABLES,
        **PLAN_TABLES,
        "descriptives": _columns(
            "variable sample", n=_WHOLE, mean=_REAL, sd=_REAL, min=_REAL, p25=_REAL, median=_REAL, p75=_REAL, max=_REAL
        ),
        "policy_timeline": _columns(
            "zone_id zone_zh zone_en approval",
            approval_year=_WHOLE,
            first_period=_WHOLE,
            n_cities=_WHOLE,
            n_in_panel=_WHOLE,
            authority=_TEXT,
            confidence=_TEXT,
        ),
        "policy_cities": _columns(
            "unit name_zh name_en province province_en zone_id",
            cohort=_WHOLE,
            coverage=_TEXT,
            status=_TEXT,
            lon=_REAL,
            lat=_REAL,
            reason=_TEXT,
        ),
        "cohort_sizes": _columns(cohort=_WHOLE, n_units=_WHOLE, n_obs=_WHOLE),
        "models": _columns(
            "effects_id outcome family method sample role aggregation label",
            n_obs=_WHOLE,
            n_units=_WHOLE,
            n_treated=_WHOLE,
            n_periods=_WHOLE,
            first_period=_WHOLE,
            last_period=_WHOLE,
            n_clusters=_WHOLE,
            cluster=_TEXT,
            vcov=_TEXT,
            df=_REAL,
            comparison=_TEXT,
            anticipation=_WHOLE,
            covariates=_TEXT,
            fixed_effects=_TEXT,
            weights=_TEXT,
            r2_within=_REAL,
            estimand=_TEXT,
            effective_clusters=_REAL,
            cutoff_km=_REAL,
            lag=_WHOLE,
        ),
        "effects": _columns(
            "effects_id term",
            cohort=_WHOLE,
            time=_WHOLE,
            event_time=_WHOLE,
            estimate=_REAL,
            std_error=_REAL,
            statistic=_REAL,
            p_value=_REAL,
            conf_low=_REAL,
            conf_high=_REAL,
            band_low=_REAL,
            band_high=_REAL,
            reference=_FLAG,
            n_treated=_WHOLE,
        ),
        "pretrends": _columns(
            "effects_id method outcome",
            statistic=_REAL,
            df1=_REAL,
            df2=_REAL,
            p_value=_REAL,
            n_leads=_WHOLE,
            n_thin=_WHOLE,
            p_textbook=_REAL,
            distribution=_TEXT,
        ),
        "bacon": _columns("outcome type", treated=_WHOLE, control=_WHOLE, weight=_REAL, estimate=_REAL),
        "bacon_summary": _columns("outcome type", weight=_REAL, average=_REAL),
        "placebo_space": _columns("outcome method", draw=_WHOLE, estimate=_REAL, statistic=_REAL),
        "placebo": _columns(
            "outcome method kind sample",
            shift=_WHOLE,
            estimate=_REAL,
            std_error=_REAL,
            p_value=_REAL,
            p_exact=_REAL,
            p_exact_statistic=_REAL,
            draws=_WHOLE,
            sd_draws=_REAL,
        ),
        "sensitivity": _columns(
            "effects_id outcome method kind estimand interval",
            value=_REAL,
            conf_low=_REAL,
            conf_high=_REAL,
            open_low=_FLAG,
            open_high=_FLAG,
            empty=_FLAG,
            breakdown=_REAL,
            breakdown_beyond=_FLAG,
            original_low=_REAL,
            original_high=_REAL,
            n_leads=_WHOLE,
        ),
        "pretrend_power": _columns(
            "effects_id outcome method test",
            power=_REAL,
            slope=_REAL,
            level=_REAL,
            size=_REAL,
            bias=_REAL,
            bias_unconditional=_REAL,
            n_leads=_WHOLE,
        ),
        "robustness": _columns(
            "outcome row code values method effects_id baseline_id",
            difference=_REAL,
            difference_std_error=_REAL,
            difference_p_value=_REAL,
            reason=_TEXT,
        ),
        "leave_out": _columns("outcome method by dropped", n_units_dropped=_WHOLE, estimate=_REAL, std_error=_REAL),
        "small_sample": _columns(
            "outcome method term procedure",
            estimate=_REAL,
            std_error=_REAL,
            statistic=_REAL,
            p_value=_REAL,
            conf_low=_REAL,
            conf_high=_REAL,
            draws=_WHOLE,
            enumerated=_FLAG,
            n_clusters=_WHOLE,
            n_treated_clusters=_WHOLE,
            effective_clusters=_REAL,
        ),
        "oster": _columns(
            "outcome covariates",
            estimate_short=_REAL,
            estimate_long=_REAL,
            r2_short=_REAL,
            r2_long=_REAL,
            r_max=_REAL,
            delta=_REAL,
            adjusted=_REAL,
            low=_REAL,
            high=_REAL,
        ),
        "recommendations": _columns("outcome kind id role code values"),
        **MODERATION_TABLES,
        "displacement": _columns(
            "outcome effects_id quantity",
            estimate=_REAL,
            std_error=_REAL,
            conf_low=_REAL,
            conf_high=_REAL,
            p_value=_REAL,
            verdict=_TEXT,
            shape=_TEXT,
            channel=_TEXT,
        ),
        **MECHANISM_TABLES,
        **HETEROGENEITY,
        **MATCHING,
        **CURVE_TABLES,
        ADVICE: _columns("topic outcome rule grade basis text text_zh sources", number=_WHOLE),
        "notes": _columns("scope code values"),
        "truth": _columns("parameter effects_id term", value=_REAL, definition=_TEXT, definition_zh=_TEXT),
    }
)


def conform(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with exactly the columns and types of table ``name``; columns it lacks are null, others are left out."""
    schema = TABLES[name]
    return frame.select((pl.col(c).cast(t) if c in frame.columns else pl.lit(None, dtype=t)).alias(c) for c, t in schema.items())


def assemble(name: str, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The parts of a table, one after the other."""
    frames = list(parts)
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict(TABLES[name]))
