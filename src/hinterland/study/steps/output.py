"""What a step leaves: parts of tables, notes, facts, files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.design import Design
from hinterland.evaluate.result import Effects
from hinterland.labels import Note
from hinterland.study.tables import conform
from hinterland.study.variant import Role, Variant


@dataclass(frozen=True, slots=True)
class Output:
    """What one step adds to the record.

    Attributes:
        tables: parts of tables, by table name, with that table's columns.
        facts: what ``run.json`` says about the data.
        files: files written outside the tables, relative to the run folder.
    """

    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def notes_table(scope: str, notes: Iterable[Note]) -> pl.DataFrame:
    """Notes as rows of table ``notes``, each once."""
    unique = dict.fromkeys((scope, n.code, json.dumps(dict(n.values), ensure_ascii=False, sort_keys=True)) for n in notes)
    return conform("notes", pl.DataFrame(list(unique), schema={"scope": pl.String, "code": pl.String, "values": pl.String}, orient="row"))


def output(parts: Iterable[tuple[str, pl.DataFrame]], facts: Mapping[str, Any] | None = None, files: tuple[str, ...] = ()) -> Output:
    """Parts of tables, conformed and put together by table."""
    grouped: dict[str, list[pl.DataFrame]] = {}
    for name, frame in parts:
        grouped.setdefault(name, []).append(conform(name, frame))
    return Output({name: pl.concat(frames) for name, frames in grouped.items()}, facts or {}, files)


def effects_id(effects: Effects, variant: Variant) -> str:
    """``outcome/method/aggregation``, with ``@key`` for a robustness row or a subgroup."""
    return f"{effects.outcome}/{effects.method}/{effects.aggregation}" + (f"@{variant.key}" if variant.key else "")


def effects_parts(
    effects: Effects, variant: Variant, role: Role, design: Design, said: Iterable[Note] = ()
) -> list[tuple[str, pl.DataFrame]]:
    """The rows that one result adds to ``models``, ``effects`` and ``notes``; notes in ``said`` are not repeated."""
    name = effects_id(effects, variant)
    new = [n for n in effects.notes if n not in tuple(said)]
    return [
        ("models", pl.DataFrame([_model(effects, variant, role, design, name)], infer_schema_length=None)),
        ("effects", effects.tidy().with_columns(effects_id=pl.lit(name))),
        ("notes", notes_table(name, new)),
    ]


def _model(effects: Effects, variant: Variant, role: Role, design: Design, name: str) -> dict[str, Any]:
    meta = {**effects.meta, "estimand": _estimand(effects)}
    fallback = {
        "n_obs": design.n_obs,
        "n_units": design.n_units,
        "n_treated": int((design.cohort != NEVER).sum()),
        "n_periods": design.n_periods,
        "first_period": int(design.periods[0]),
        "last_period": int(design.periods[-1]),
        "n_clusters": design.clusters[0].size,
        "cluster": " + ".join(c.name for c in design.clusters),
        "vcov": "cluster",
        "comparison": design.comparison,
        "anticipation": design.anticipation,
        "covariates": " + ".join(design.covariate_names),
        "fixed_effects": "",
        "weights": design.weight_name or "",
        "r2_within": None,
        "estimand": None,
        "effective_clusters": None,
        "cutoff_km": None,
        "lag": None,
    }
    return {
        "effects_id": name,
        "outcome": effects.outcome,
        "family": effects.family,
        "method": effects.method,
        "sample": variant.sample,
        "role": role,
        "aggregation": effects.aggregation,
        "label": variant.key if role == "robustness" else "",
        "df": None if effects.df == float("inf") else float(effects.df),
        **{key: _plain(meta.get(key, value)) for key, value in fallback.items()},
    }


def _estimand(effects: Effects) -> str:
    """What one term is: the estimator's own code of it, and how it was averaged."""
    code = str(effects.meta.get("estimand_code", effects.method))
    averaged = effects.meta.get("aggregated_from")
    return code if averaged is None else f"{code}/{effects.aggregation}-of-{averaged}"


def _plain(value: Any) -> Any:
    """Lists as text, as a person would write them in a formula; other scalars as they are."""
    return " + ".join(map(str, value)) if isinstance(value, list | tuple) else value
