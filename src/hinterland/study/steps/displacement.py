"""Displacement steps: did others lose what the treated gained, by channel and through all of them at once?"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from hinterland.errors import EstimationError, Finding, HinterlandWarning, StudyError, did_you_mean
from hinterland.evaluate.result import Effects
from hinterland.evaluate.spillover_named import ALL, KEYS
from hinterland.labels import Note
from hinterland.study.estimators import fit_options
from hinterland.study.plan_displacement import channels_for
from hinterland.study.schema_displacement import ChannelTable
from hinterland.study.step import Step
from hinterland.study.steps.assess import displacement as of_the_estimator
from hinterland.study.steps.assess import finite, quantities
from hinterland.study.steps.evaluate import outcome_of
from hinterland.study.steps.output import Output, effects_id, effects_parts, notes_table, output
from hinterland.study.variant import Variant
from hinterland.study.workspace import Workspace, tolerated

_SINGLE = ("exposure", "rings", "neighbours", "nearest", "within_km", "decay", "effect", "leads", "lag_covariates", "likelihood", "average")
"""Options of ``spillover`` that are those of a single exposure, of a path, or of a spatial Durbin model."""


def displacement(work: Workspace, step: Step) -> Output:
    """One channel of [displacement], or all of them; without a channel, the estimator ``spillover`` as the study asks for it."""
    if not step.group:
        return of_the_estimator(work, step)
    from hinterland.evaluate.spillover_displacement import displacement_test

    together = step.group == ALL
    names = channels_for(work.study, outcome_of(work.study, step.outcome)) if together else (step.group,)
    try:
        effects = fitted(work, step.outcome, names)
        found = displacement_test(effects)
        alone = {name: displacement_test(effects, channel=name) for name in names} if together else {}
    except EstimationError as error:
        note = Note("channel-not-possible", {"outcome": step.outcome, "channel": step.group, "reason": tolerated(error)})
        return output([("notes", notes_table(step.id, [note]))])
    variant = Variant(f"displacement={step.group}", "displacement", f"displacement={step.group}")
    critical = effects.critical(found.level)
    rows = quantities(found, critical)
    for name, one in alone.items():
        rows += [{**row, "quantity": f"{row['quantity']}/{name}"} for row in quantities(one, critical)[1:]]
    table = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        outcome=pl.lit(step.outcome),
        effects_id=pl.lit(effects_id(effects, variant)),
        channel=pl.lit(step.group),
        verdict=pl.lit(found.verdict),
    )
    for name, one in alone.items():
        own = pl.col("quantity").str.ends_with(f"/{name}")
        table = table.with_columns(verdict=pl.when(own).then(pl.lit(one.verdict)).otherwise("verdict"))
    parts = effects_parts(effects, variant, "displacement", work.design(step.outcome, "spillover"), work.cohorts().notes)
    return output([*parts, ("displacement", finite(table))])


def fitted(work: Workspace, outcome: str, names: Iterable[str]) -> Effects:
    """The fit with these channels' exposures at once, and no other. Raises ``InputError`` where it is not possible."""
    from hinterland.evaluate.estimate import fit

    channels = {name: asked(work, name) for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)  # the notes say the same
        return fit(work.design(outcome, "spillover"), "spillover", channels=channels, **shared_options(work, outcome))


def shared_options(work: Workspace, outcome: str) -> dict[str, Any]:
    """Options of ``spillover`` that are not those of a single exposure: its covariance, and whether treated units are exposed, too.

    A spatial Durbin model has no channels: two stages take its place, with their own covariance.
    """
    options = {k: v for k, v in fit_options(work.study, outcome, "spillover").items() if k not in _SINGLE}
    if options.get("estimator") == "sdm":
        return {k: v for k, v in options.items() if k not in ("estimator", "on_treated") and (k, v) != ("vcov", "iid")}
    return options


def asked(work: Workspace, name: str) -> Mapping[str, Any]:
    """A channel as option ``channels`` of ``spillover`` takes it, its files read.

    Raises ``StudyError``: no such group, or a file without the columns.
    """
    table = work.study.displacement[name]
    given = {k: getattr(table, k) for k in KEYS if k not in ("among", "neighbours") and getattr(table, k) is not None}
    among = units_among(work, name, table)
    pairs = None if table.file is None else _read(work, name, "file", table.file)
    return {**given, **({} if among is None else {"among": among}), **({} if pairs is None else {"neighbours": pairs})}


def units_among(work: Workspace, name: str, table: ChannelTable) -> tuple[str, ...] | None:
    """The units on which the channel allows an effect; ``None``: all."""
    if table.among_file is not None:
        return tuple(_read(work, name, "among_file", table.among_file)["unit"].cast(pl.String).drop_nulls().unique(maintain_order=True))
    if table.among is None or isinstance(table.among, tuple):
        return table.among
    key, _, wanted = table.among.partition("=")
    placed = work.group_of(key).with_columns(pl.col("group").cast(pl.String))
    levels = placed["group"].unique().sort().to_list()
    if wanted not in levels and not (wanted == "" and levels == [key]):
        remedy = did_you_mean(table.among, [f"{key}={v}" for v in levels])
        where = work.loaded.where("displacement", name, "among")
        raise StudyError(Finding("unknown-group", f"{table.among!r} names no group of units", where, remedy), "study")
    return tuple(placed.filter(pl.col("group") == (wanted or key))["unit"].unique(maintain_order=True))


def _read(work: Workspace, name: str, key: str, source: str) -> pl.DataFrame:
    from hinterland.data.readers import read_table

    frame = read_table(work.path(source))
    if key == "file" and "host" in frame.columns and "neighbour" not in frame.columns:
        frame = frame.rename({"host": "neighbour"})
    wanted = ["unit"] if key == "among_file" else ["unit", "neighbour"]
    absent = ["host" if c == "neighbour" else c for c in wanted if c not in frame.columns]
    if absent:
        what = f"{source} has no column {', '.join(map(repr, absent))}"
        remedy = "give a column unit" + ("" if key == "among_file" else ", a column host and, if wanted, a column weight")
        raise StudyError(Finding("unknown-column", what, work.loaded.where("displacement", name, key), remedy), "study")
    return frame
