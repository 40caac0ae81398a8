"""A small, plausible run record, written table by table with the columns that the runner writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ALL = (
    "descriptives",
    "policy_timeline",
    "policy_cities",
    "cohort_sizes",
    "models",
    "effects",
    "pretrends",
    "bacon",
    "bacon_summary",
    "placebo_space",
    "placebo",
    "sensitivity",
    "pretrend_power",
    "leave_out",
    "small_sample",
    "recommendations",
    "displacement",
    "notes",
    "truth",
)
DIAGNOSED = ("sensitivity", "pretrend_power", "leave_out", "small_sample", "recommendations", "displacement")
"""Tables of the diagnostics that a study may do without."""
COHORTS = {2010: 8, 2011: 6, 2012: 5, 2014: 4, 2019: 2}
_ZONES = (
    ("Z01", "皖江城市带承接产业转移示范区", "Wanjiang City Belt", "2010-01-12", 2010, 2010, 8),
    ("Z02", "广西桂东承接产业转移示范区", "Eastern Guangxi", "2010-10-18", 2010, 2011, 4),
    ("Z03", "重庆沿江承接产业转移示范区", "Chongqing Yangtze Belt", "2011-01-20", 2011, 2011, 1),
    ("Z04", "湖南湘南承接产业转移示范区", "Xiangnan", "2011-10-06", 2011, 2012, 3),
    ("Z05", "四川广安承接产业转移示范区", "Guang'an", "2013-03-13", 2013, 2014, 1),
    ("Z06", "吉西南承接产业转移示范区", "South-Western Jilin", "2025", 2025, None, 3),
)
_DEFAULTS: dict[str, float] = {
    "robust": 0.21,
    "static": 0.17,
    "p_trend": 0.43,
    "forbidden": 0.16,
    "p_exact": 0.004,
    "poisson": 0.19,
    "breakdown": 1.3,
    "at_one": 0.02,
    "slope": 0.01,
    "treated_clusters": 25,
    "effective": 21.4,
    "p_wild": 0.004,
    "alone": 0.18,
}


def write_record(folder: Path, *, tables: tuple[str, ...] = ALL, simulated: bool = True, **numbers: float) -> Path:
    """Write a record to ``folder``; ``numbers`` overrides what is in ``_DEFAULTS``."""
    n = {**_DEFAULTS, **numbers}
    frames = {**_design(), **_estimates(n), **_diagnostics(n), **_diagnosed(n)}
    if simulated:
        frames["truth"] = pl.DataFrame(
            {
                "effects_id": ["ln_inventions/callaway-santanna/overall", "ln_inventions/callaway-santanna/event-time", None],
                "parameter": ["att/ln_inventions/overall", "att/ln_inventions/event-time/2", "parameter/effect"],
                "value": [0.2, 0.19, 0.3],
                "definition": ["a", "b", "c"],
            }
        )
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for name in ALL:
        path = folder / "tables" / f"{name}.parquet"
        path.unlink(missing_ok=True)
        if name in tables and name in frames:
            frames[name].write_parquet(path)
    (folder / "run.json").write_text(json.dumps(_run(simulated), ensure_ascii=False), encoding="utf-8")
    return folder


def _run(simulated: bool) -> dict[str, Any]:
    return {
        "hinterland": "0.1.0",
        "status": "complete",
        "seed": 20220101,
        "started": "2026-01-02T03:04:05",
        "finished": "2026-01-02T03:04:31",
        "study": {
            "study": {"title": {"en": "Demonstration zones & innovation", "zh": "承接产业转移示范区与创新"}, "language": "both"},
            "panel": {
                "source": "world:demonstration-zones" if simulated else "data/cities.parquet",
                "derive": {"ln_inventions": "log1p(inventions)"},
            },
            "policy": {"register": "industrial-transfer-zones", "timing": "first_full_year", "partial": "exclude", "until": 2022},
            "outcome": [
                {"name": "ln_inventions"},
                {"name": "quality"},
                {"name": "inventions", "family": "poisson", "label": {"en": "invention patents", "zh": "发明专利数"}},
            ],
            "robustness": {"model": [{"name": "no-controls", "label": {"en": "without controls", "zh": "不加控制变量"}}]},
        },
        "inputs": [{"path": "data/cities.parquet", "sha256": "ab" * 32, "bytes": 123456}],
        "versions": {"numpy": "2.4.6", "polars": "2.1.0"},
        "steps": [
            {"id": "data", "status": "done", "seconds": 0.21, "hash": "cd" * 32, "outputs": []},
            {"id": "report", "status": "done", "seconds": 1.5, "hash": "ef" * 32, "outputs": []},
        ],
        "facts": {"n_units": 80, "n_periods": 15, "n_obs": 1200, "first": 2008, "last": 2022},
    }


def _design() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(7)
    names = ("all", "treated", "never")
    described = [
        {
            "variable": v,
            "sample": s,
            "n": (1200, 375, 825)[k],
            "mean": m + (0.0, -0.3, 0.14)[k],
            "sd": d,
            "min": 0.0,
            "p25": m - d / 2,
            "median": m,
            "p75": m + d / 2,
            "max": m + 4 * d,
        }
        for v, m, d in (
            ("ln_inventions", 4.812, 1.713),
            ("quality", 0.321, 0.093),
            ("inventions", 612.4, 2210.7),
            ("ln_gdp_pc", 10.52, 0.61),
            ("share2", 0.463, 0.101),
        )
        for k, s in enumerate(names)
    ]
    zones = [
        {
            "zone_id": z,
            "zone_zh": zh,
            "zone_en": en,
            "approval": a,
            "approval_year": y,
            "first_period": f,
            "n_cities": n,
            "n_in_panel": n if f else 0,
            "authority": "NDRC",
            "confidence": "high",
        }
        for z, zh, en, a, y, f, n in _ZONES
    ]
    cohort = [g for g, n in COHORTS.items() for _ in range(n)]
    status = ["treated"] * 25 + ["never"] * 52 + ["excluded"] * 2 + ["not-in-panel"]
    cities = pl.DataFrame(
        {
            "unit": [str(340000 + 100 * k) for k in range(80)],
            "name_zh": [f"城市{k}" for k in range(79)] + ["神农架林区"],
            "name_en": [f"City {k}" for k in range(79)] + ["Shennongjia"],
            "province": ["安徽省"] * 80,
            "province_en": ["Anhui"] * 80,
            "zone_id": ["Z01"] * 25 + [None] * 55,
            "cohort": [*cohort, *[None] * 55],
            "coverage": ["full"] * 25 + [None] * 55,
            "status": status,
            "lon": [*rng.uniform(88, 126, 78), None, 110.7],
            "lat": [*rng.uniform(22, 46, 78), None, 31.7],
            "reason": [""] * 80,
        }
    )
    sizes = pl.DataFrame(
        {"cohort": [*COHORTS, None], "n_units": [*COHORTS.values(), 55], "n_obs": [15 * n for n in (*COHORTS.values(), 55)]}
    )
    return {"descriptives": pl.DataFrame(described), "policy_timeline": pl.DataFrame(zones), "policy_cities": cities, "cohort_sizes": sizes}


def _model(effects_id: str, outcome: str, family: str, method: str, role: str, aggregation: str, **other: Any) -> dict[str, Any]:
    row = {
        "effects_id": effects_id,
        "outcome": outcome,
        "family": family,
        "method": method,
        "sample": "all",
        "role": role,
        "aggregation": aggregation,
        "label": "",
    }
    facts = {
        "n_obs": 1200,
        "n_units": 80,
        "n_treated": 25,
        "n_periods": 15,
        "first_period": 2008,
        "last_period": 2022,
        "n_clusters": 80,
        "cluster": "adcode",
        "vcov": "cluster",
        "df": None,
    }
    rest = {
        "comparison": "never-treated" if method == "callaway-santanna" else None,
        "anticipation": 0,
        "covariates": "ln_gdp_pc + share2",
        "fixed_effects": "" if method == "callaway-santanna" else "adcode + year",
        "weights": "",
        "r2_within": None if method == "callaway-santanna" else 0.041,
    }
    return {**row, **facts, **rest, **other}


def _term(effects_id: str, term: str, estimate: float, se: float | None, **other: Any) -> dict[str, Any]:
    from scipy.special import ndtr

    t = estimate / se if se else None
    band = {} if se is None else {"conf_low": estimate - 1.96 * se, "conf_high": estimate + 1.96 * se}
    row: dict[str, Any] = {
        "effects_id": effects_id,
        "term": term,
        "cohort": None,
        "time": None,
        "event_time": None,
        "estimate": estimate,
        "std_error": se,
        "statistic": t,
        "p_value": None if t is None else 2 * ndtr(-abs(t)),
    }
    return {
        **row,
        "conf_low": None,
        "conf_high": None,
        **band,
        "band_low": None,
        "band_high": None,
        "reference": False,
        "n_treated": None,
        **other,
    }


def _events(effects_id: str, level: float) -> list[dict[str, Any]]:
    rows = []
    for e in range(-6, 9):
        estimate = 0.012 * ((-1) ** e) if e < 0 else level * (1 - np.exp(-(e + 1) / 3))
        se = 0.04 + 0.004 * abs(e)
        if e == -1:
            rows.append(_term(effects_id, "e=-1", 0.0, None, event_time=-1, reference=True, n_treated=25))
        else:
            rows.append(
                _term(
                    effects_id,
                    f"e={e}",
                    float(estimate),
                    se,
                    event_time=e,
                    band_low=estimate - 2.8 * se,
                    band_high=estimate + 2.8 * se,
                    n_treated=25 if e < 3 else 21,
                )
            )
    return rows


def _estimates(n: Mapping[str, float]) -> dict[str, pl.DataFrame]:
    models, terms = [], []

    def add(outcome: str, family: str, method: str, role: str, estimate: float, se: float, **other: Any) -> None:
        kind = "overall" if method == "callaway-santanna" else "coefficient"
        key = f"{outcome}/{method}/{kind}" + (f"@{other.get('label') or other.get('sample')}" if other else "")
        models.append(_model(key, outcome, family, method, role, kind, **other))
        terms.append(_term(key, "treated", estimate, se))

    def path(outcome: str, family: str, method: str, role: str, level: float) -> None:
        key = f"{outcome}/{method}/event-time"
        models.append(_model(key, outcome, family, method, role, "event-time"))
        terms.extend(_events(key, level))

    add("ln_inventions", "gaussian", "twfe", "baseline", n["static"], 0.05)
    path("ln_inventions", "gaussian", "event-study", "alternative", n["static"])
    add("ln_inventions", "gaussian", "callaway-santanna", "headline", n["robust"], 0.055)
    path("ln_inventions", "gaussian", "callaway-santanna", "headline", n["robust"])
    for label, value in (("drop-municipalities", 0.2), ("timing-approval_year", 0.16), ("model-no-controls", 0.24)):
        add("ln_inventions", "gaussian", "callaway-santanna", "robustness", value, 0.06, label=label)
    for k, method in enumerate(("sun-abraham", "imputation", "etwfe", "sdid", "dcdh", "lp-did", "efficient")):
        vcov = {"sdid": "placebo", "efficient": "adjusted", "dcdh": "conley"}.get(method, "cluster")
        key = f"ln_inventions/{method}/overall"
        facts = {"vcov": vcov, "comparison": "not-yet-treated", "n_obs": 1200 - 15 * k}
        models.append(_model(key, "ln_inventions", "gaussian", method, "alternative", "overall", **facts))
        terms.append(_term(key, "overall", n["robust"] + 0.03 * (k - 3), 0.05 + 0.01 * k))
        path("ln_inventions", "gaussian", method, "alternative", n["robust"] + 0.03 * (k - 3))
    add("ln_inventions", "gaussian", "callaway-santanna", "subgroup", 0.33, 0.02, sample="sichuan-chongqing", n_treated=2, n_units=19)
    add("quality", "gaussian", "twfe", "baseline", 0.008, 0.006)
    add("quality", "gaussian", "callaway-santanna", "headline", 0.009, 0.007)
    path("quality", "gaussian", "callaway-santanna", "headline", 0.01)
    add("inventions", "poisson", "ppml", "headline", n["poisson"], 0.07)
    path("inventions", "poisson", "ppml", "headline", n["poisson"])
    whole = dict.fromkeys(("cohort", "time", "event_time", "n_treated"), pl.Int64) | dict.fromkeys(
        ("band_low", "band_high", "std_error", "statistic", "p_value"), pl.Float64
    )
    return {
        "models": pl.DataFrame(models, infer_schema_length=None),
        "effects": pl.DataFrame(terms, schema_overrides=whole, infer_schema_length=None),
    }


def _diagnostics(n: Mapping[str, float]) -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(3)
    pretrends = [
        {
            "effects_id": f"{o}/{m}/event-time",
            "method": m,
            "outcome": o,
            "statistic": 4.9,
            "df1": 5.0,
            "df2": None,
            "p_value": p,
            "n_leads": 5,
            "distribution": "chi2",
        }
        for o, m, p in (
            ("ln_inventions", "callaway-santanna", n["p_trend"]),
            ("ln_inventions", "event-study", n["p_trend"]),
            ("quality", "callaway-santanna", 0.2),
            ("inventions", "ppml", 0.6),
        )
    ]
    f = n["forbidden"]
    bacon = [
        {"outcome": "ln_inventions", "type": t, "treated": g, "control": c, "weight": w / 4, "estimate": float(rng.normal(0.17, 0.08))}
        for t, w in (("treated-vs-never", 0.8 - f), ("earlier-vs-later", 0.2), ("later-vs-earlier", f))
        for g, c in ((2010, 2011), (2011, 2012), (2012, 2014), (2014, 2019))
    ]
    frame = pl.DataFrame(bacon)
    summary = frame.group_by("outcome", "type", maintain_order=True).agg(
        pl.col("weight").sum(), ((pl.col("weight") * pl.col("estimate")).sum() / pl.col("weight").sum()).alias("average")
    )
    draws = rng.normal(0, 0.06, 400)
    space = pl.DataFrame(
        {
            "outcome": "ln_inventions",
            "method": "twfe",
            "draw": range(401),
            "estimate": [n["static"], *draws],
            "statistic": [n["static"] / 0.05, *(draws / 0.05)],
        }
    )
    placebo = [
        {
            "outcome": "ln_inventions",
            "method": "twfe",
            "kind": "space",
            "sample": "all",
            "shift": None,
            "estimate": n["static"],
            "std_error": 0.05,
            "p_value": 0.001,
            "p_exact": n["p_exact"],
            "p_exact_statistic": n["p_exact"],
            "draws": 400,
            "sd_draws": 0.06,
        },
        {
            "outcome": "ln_inventions",
            "method": "callaway-santanna",
            "kind": "space",
            "sample": "sichuan-chongqing",
            "shift": None,
            "estimate": 0.33,
            "std_error": 0.02,
            "p_value": 0.0,
            "p_exact": 0.12,
            "p_exact_statistic": 0.1,
            "draws": 400,
            "sd_draws": 0.2,
        },
        *(
            {
                "outcome": "ln_inventions",
                "method": "twfe",
                "kind": "time",
                "sample": "all",
                "shift": s,
                "estimate": 0.01 * s,
                "std_error": 0.04,
                "p_value": 0.6,
                "p_exact": None,
                "p_exact_statistic": None,
                "draws": None,
                "sd_draws": None,
            }
            for s in (2, 3)
        ),
    ]
    notes = pl.DataFrame(
        {
            "scope": ["policy", "ln_inventions/twfe/coefficient"],
            "code": ["policy-timing-first-full-year", "twfe-staggered"],
            "values": ["{}", '{"cohorts": 5}'],
        }
    )
    return {
        "pretrends": pl.DataFrame(pretrends, schema_overrides={"df2": pl.Float64}),
        "bacon": frame,
        "bacon_summary": summary,
        "placebo_space": space,
        "placebo": pl.DataFrame(placebo, schema_overrides={"shift": pl.Int64, "draws": pl.Int64}, infer_schema_length=None),
        "notes": notes,
    }


def _diagnosed(n: Mapping[str, float]) -> dict[str, pl.DataFrame]:
    """Tables of sensitivity, power, leave-outs, small samples, recommendations and displacement."""
    outcome, method = "ln_inventions", "callaway-santanna"
    real = dict.fromkeys(("conf_low", "conf_high", "breakdown", "statistic"), pl.Float64) | {"draws": pl.Int64, "enumerated": pl.Boolean}
    return {
        "sensitivity": pl.DataFrame(_sensitivity(n, outcome), schema_overrides=real, infer_schema_length=None),
        "pretrend_power": pl.DataFrame(
            [
                {"effects_id": f"{outcome}/{m}/event-time", "outcome": outcome, "method": m, "test": "individual", "power": p, "slope": s}
                for m in (method, "event-study")
                for p, s in ((0.5, n["slope"]), (0.8, 1.4 * n["slope"]))
            ]
        ),
        "leave_out": _leave_out(n, outcome, method),
        "small_sample": pl.DataFrame(_small_sample(n, outcome), schema_overrides=real, infer_schema_length=None),
        "recommendations": pl.DataFrame(
            [
                {"outcome": outcome, "kind": kind, "id": name, "role": role, "code": code, "values": json.dumps(values)}
                for kind, name, role, code, values in (
                    ("estimator", method, "headline", "recommend-staggered", {"cohorts": 5, "never": 55}),
                    ("estimator", "matrix-completion", "beside", "recommend-factors", {"before": 8, "p": 0.03}),
                    ("estimator", "twfe", "avoid", "recommend-negative-weights", {"count": 3, "total": 60, "sum": -0.02}),
                    ("inference", "wild-cluster-bootstrap", "instead", "recommend-few-clusters", {"clusters": 80, "effective": 21.4, "name": "adcode"}),
                    ("sensitivity", "relative-magnitude", "beside", "recommend-honest", {"p": 0.43}),
                )
            ]
        ),
        "displacement": pl.DataFrame(
            [
                {"outcome": outcome, "effects_id": f"{outcome}/spillover/coefficient", "quantity": q, "estimate": b, "std_error": se,
                 "conf_low": b - 1.96 * se, "conf_high": b + 1.96 * se, "p_value": p, "verdict": "partly-displaced"}
                for q, b, se, p in (("direct", 0.3, 0.05, 0.0001), ("spillover", -0.1, 0.03, 0.001), ("total", 0.2, 0.06, 0.001), ("share", 0.333, 0.1, None))
            ],
            schema_overrides={"p_value": pl.Float64},
        ),
    }  # fmt: skip


def _sensitivity(n: Mapping[str, float], outcome: str) -> list[dict[str, Any]]:
    """Relative magnitudes for two estimators and smoothness for the headline; the headline's interval at 1 starts at ``at_one``."""
    rows = []
    for method, kind, grid in (
        ("callaway-santanna", "relative-magnitude", (0.5, 1.0, 1.5, 2.0)),
        ("callaway-santanna", "smoothness", (0.0, 0.005, 0.01, 0.02)),
        ("event-study", "relative-magnitude", (0.5, 1.0)),
    ):
        finite = np.isfinite(n["breakdown"])
        rows += [
            {
                "effects_id": f"{outcome}/{method}/event-time",
                "outcome": outcome,
                "method": method,
                "kind": kind,
                "estimand": "first",
                "interval": "flci" if kind == "smoothness" else "c-lf",
                "value": value,
                "conf_low": n["at_one"] + 0.1 * (1 - k),
                "conf_high": 0.3 + 0.1 * k,
                "breakdown": (n["breakdown"] if kind == "relative-magnitude" else 0.012) if finite else None,
                "breakdown_beyond": n["breakdown"] == np.inf,
                "original_low": 0.1,
                "original_high": 0.28,
            }
            for k, value in enumerate(grid)
        ]
    return rows


def _leave_out(n: Mapping[str, float], outcome: str, method: str) -> pl.DataFrame:
    by_cohort = [("cohort", str(g), size, n["alone"] if g == 2010 else 0.2) for g, size in COHORTS.items()]
    by_unit = [("cluster", str(340000 + 100 * k), 1, 0.21 + 0.001 * (k % 7)) for k in range(80)]
    return pl.DataFrame(
        [
            {"outcome": outcome, "method": method, "by": by, "dropped": name, "n_units_dropped": size, "estimate": b, "std_error": 0.055}
            for by, name, size, b in (*by_cohort, *by_unit)
        ]
    )


def _small_sample(n: Mapping[str, float], outcome: str) -> list[dict[str, Any]]:
    few = n["treated_clusters"] <= 10
    procedures = [("randomisation", 999, False)] if few else [("wild-cluster-bootstrap", 9999, False), ("CR3", None, None)]
    return [
        {
            "outcome": outcome,
            "method": method,
            "term": "treated",
            "procedure": procedure,
            "estimate": b,
            "statistic": b / 0.055,
            "p_value": n["p_wild"] if draws else 0.01,
            "conf_low": b - 0.13,
            "conf_high": None if few else b + 0.13,
            "draws": draws,
            "enumerated": all_,
            "n_clusters": 80,
            "n_treated_clusters": int(n["treated_clusters"]),
            "effective_clusters": n["effective"],
        }
        for method, b in (("callaway-santanna", n["robust"]), ("twfe", n["static"]))
        for procedure, draws, all_ in procedures
    ]
