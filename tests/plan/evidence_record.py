"""A small record of estimates with the columns that a run writes; what its numbers are is known."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from hinterland.study.tables import conform

EFFECT, ERROR = 0.20, 0.05
"""The headline's average effect."""
LINE, LINE_ERROR = 0.18, 0.06
SLOPE, SLOPE_ERROR, COVARIANCE = -0.5, 0.2, -0.004
CENTRE = 0.4
"""The line: level at the centre, slope, their covariance."""
SHARE, SHARE_ERROR = 0.3, 0.1


def _line() -> list[dict[str, object]]:
    points = {"min": 0.1, "p10": 0.2, "mean": CENTRE, "p90": 0.6, "max": 0.9}
    rows: list[dict[str, object]] = []
    for kind, value in points.items():
        away = value - CENTRE
        error = float(np.sqrt(LINE_ERROR**2 + 2 * away * COVARIANCE + away**2 * SLOPE_ERROR**2))
        rows.append({"kind": kind, "value": value, "estimate": LINE + SLOPE * away, "std_error": error, "inside": True})
    rows.append({"kind": "p90-p10", "value": 0.4, "estimate": SLOPE * 0.4, "std_error": SLOPE_ERROR * 0.4, "inside": True})
    return [{"outcome": "ln_y", "moderator": "seg", "version": "linear", "group": "all", **r} for r in rows]


def _advice(effect: str, moderation: str, mechanism: str) -> list[dict[str, object]]:
    def row(topic: str, grade: str, **where: str) -> dict[str, object]:
        sources = [{"table": topic, "where": {"outcome": "ln_y", **where}}]
        return {"topic": topic, "outcome": "ln_y", "rule": f"advice.{topic}", "grade": grade, "text": "", "sources": json.dumps(sources)}

    return [row("effects", effect), row("moderation", moderation, moderator="seg"), row("mechanism", mechanism, mediator="agglomeration")]


def record(*, effect: str = "moderate", moderation: str = "moderate", mechanism: str = "moderate") -> dict[str, pl.DataFrame]:
    """The tables of a record whose advice has these grades."""
    key = "ln_y/callaway-santanna/overall"
    model = {"outcome": "ln_y", "family": "gaussian", "method": "callaway-santanna", "sample": "all", "role": "headline"}
    models = [
        {**model, "effects_id": "ln_y/callaway-santanna/event-time", "aggregation": "event-time"},
        {**model, "effects_id": key, "aggregation": "overall"},
        {**model, "effects_id": f"{key}@drop", "aggregation": "overall", "role": "robustness", "label": "drop"},
    ]
    effects = [
        {"effects_id": "ln_y/callaway-santanna/event-time", "term": "e=0", "event_time": 0, "estimate": 9.0, "std_error": 9.0},
        {"effects_id": key, "term": "treated", "estimate": EFFECT, "std_error": ERROR},
        {"effects_id": f"{key}@drop", "term": "treated", "estimate": 9.0, "std_error": 9.0},
    ]
    slope = {
        "outcome": "ln_y",
        "moderator": "seg",
        "method": "twfe",
        "group": "all",
        "centre": CENTRE,
        "support_low": 0.1,
        "support_high": 0.9,
    }
    slopes = [
        {**slope, "version": "strata", "estimate": 9.0, "std_error": 9.0},
        {**slope, "version": "linear", "estimate": SLOPE, "std_error": SLOPE_ERROR},
    ]
    part = {"outcome": "ln_y", "mediator": "agglomeration"}
    mechanism_rows = [
        {**part, "method": "twfe", "quantity": "share", "estimate": 9.0, "std_error": 9.0},
        {**part, "method": "callaway-santanna", "quantity": "indirect", "estimate": 9.0, "std_error": 9.0},
        {**part, "method": "callaway-santanna", "quantity": "share", "estimate": SHARE, "std_error": SHARE_ERROR},
    ]
    made = {
        "models": models,
        "effects": effects,
        "moderation": slopes,
        "moderation_effects": _line(),
        "mechanism": mechanism_rows,
        "advice": _advice(effect, moderation, mechanism),
    }
    return {name: conform(name, pl.DataFrame(rows)) for name, rows in made.items()}
