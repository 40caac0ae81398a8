"""In which phases: breaks in the hosts' shares and in what moves each year, beside the dates of policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.measure.data import Data
from hinterland.measure.division import ratio
from hinterland.measure.second import table
from hinterland.transfer.inputs import Cells, aggregated
from hinterland.transfer.rows import applied, as_values, conformed, measured_rows, number_rows

__all__ = ["Phases", "phases_frame", "policy_dates"]

Floats = NDArray[np.float64]

_KEYS = ["series", "region", "group"]


@dataclass(frozen=True, slots=True)
class Phases:
    """Rows of ``transfer_phases``, and what looking for breaks found and said."""

    frame: pl.DataFrame
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]


def policy_dates(source: Any) -> dict[str, int]:
    """Policies and their first years, from a mapping or a table of ``policy`` and ``year``.

    Raises:
        InputError: columns missing, or years that are no whole numbers.
    """
    where = "argument policies"
    if isinstance(source, Mapping):
        pairs = [(str(k), v) for k, v in source.items()]
    else:
        pairs = list(table(source, "policies", ["policy", "year"]).with_columns(pl.col("policy").cast(pl.String)).iter_rows())
    odd = [v for _, v in pairs if isinstance(v, bool) or not isinstance(v, int)]
    findings = [Finding("bad-dates", f"years of policies are {listed(odd)}", where, "give whole numbers")] if odd else []
    fail_if_any(findings, where, InputError)
    return dict(pairs)


def phases_frame(cells: Cells, scale: pl.DataFrame, policies: Mapping[str, int], min_years: int) -> Phases:
    """Breaks of each series, common breaks of the hosts' shares, the phases between breaks, and their distance from policies.

    Shares are taken to have a level and a slope in each phase, what moves each year a level. ``share``: of each host, and of all hosts, in the nation's
    activity;  ``moved-share``: what part of all activity was redistributed each year.
    """
    shares, moved = _shares(cells), _moved(scale)
    found = [
        _breaks("structural-breaks", shares, policies, min_years, model="trend"),
        _breaks("structural-breaks", moved, policies, min_years, model="mean"),
        _breaks("common-breaks", shares.filter(pl.col("series") == "host-share"), policies, min_years, model="trend"),
    ]
    found[2] = Phases(found[2].frame.with_columns(series=pl.lit("common")), found[2].findings, found[2].notes)
    breaks = pl.concat([f.frame for f in found], how="diagonal_relaxed")
    single = breaks.filter(pl.col("measure") == "structural-breaks")
    stages = list(_stages(pl.concat([shares, moved]), single))
    beside = _beside(breaks, policies)
    notes = tuple(dict.fromkeys((n.code, tuple(n.values.items())) for f in found for n in f.notes))
    findings = {f.code: f for p in found for f in p.findings}
    frame = conformed("transfer_phases", [breaks, *stages, *beside])
    return Phases(frame, tuple(findings.values()), tuple(Note(code, dict(values)) for code, values in notes))


def _shares(cells: Cells) -> pl.DataFrame:
    """Shares in the nation's activity, on regions and industries known in every year: ``series, region, group, time, value``."""
    frames = []
    for series, into, group in _totals(cells):
        cube = aggregated(cells.data, into).cube("time", "region", "industry")
        values = np.nan_to_num(cube.values[:, :, 0])
        share = ratio(values, values.sum(axis=1, keepdims=True))
        at = [cube.labels[1].to_list().index(h) for h in cells.hosts]
        columns = {"hosts-share": share[:, at].sum(axis=1)[:, None]} if series == "hosts-share" else {"host-share": share[:, at]}
        names = [None] if series == "hosts-share" else list(cells.hosts)
        for name, block in columns.items():
            t, r = (x.ravel() for x in np.indices(block.shape))
            frames.append(
                pl.DataFrame(
                    {
                        "series": pl.repeat(name, len(t), eager=True),
                        "region": pl.Series([names[k] for k in r], dtype=pl.String),
                        "group": pl.Series([group] * len(t), dtype=pl.String),
                        "time": cube.labels[0].gather(t),
                        "value": pl.Series(block.ravel(), nan_to_null=True),
                    }
                )
            )
    return pl.concat(frames)


def _totals(cells: Cells) -> Iterator[tuple[str, dict[str, str], str | None]]:
    everything = dict.fromkeys(cells.data.labels("industry"), "all")
    if len(cells.hosts) < len(cells.data.labels("region")):
        yield "hosts-share", everything, None
        for group in sorted(set(cells.groups.values())):
            yield "hosts-share", {i: g for i, g in cells.groups.items() if g == group}, group
    yield "host-share", everything, None


def _moved(scale: pl.DataFrame) -> pl.DataFrame:
    rows = scale.filter((pl.col("component") == "moved-share") & (pl.col("span") == "year"))
    return rows.select(
        series=pl.lit("moved-share"), region=pl.lit(None, pl.String), group=pl.lit(None, pl.String), time="time", value="value"
    )


def _breaks(measure: str, rows: pl.DataFrame, policies: Mapping[str, int], min_years: int, model: str) -> Phases:
    key = pl.concat_str([pl.col(k).fill_null("\t") for k in _KEYS], separator="\n")
    named = rows.with_columns(item=key, **{"state:value": pl.when(pl.col("value").is_null()).then(1).otherwise(0).cast(pl.UInt8)})
    data = Data(named.select("item", "time", "value", "state:value"), {k: k for k in ("item", "time", "value")})
    made = applied(measure, data, model=model, min_years=min_years, dates=tuple(sorted(set(policies.values()))))
    found = measured_rows(measure, made)
    if "item" in found.columns:
        labels = named.select("item", *_KEYS).unique()
        found = found.join(labels, on="item", how="left", maintain_order="left").drop("item")
    return Phases(found, made.findings, made.notes)


def _dates(breaks: pl.DataFrame) -> pl.DataFrame:
    """One row for each break found, by series: its last year of the old phase in ``value``."""
    return breaks.filter(pl.col("component").str.contains(r"^break-\d$") & pl.col("value").is_not_null())


def _stages(series: pl.DataFrame, breaks: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """``phase``: mean and yearly pace of each series between its breaks."""
    counted = breaks.filter((pl.col("component") == "break-count") & pl.col("value").is_not_null()).select(_KEYS)
    ends = _dates(breaks).select(*_KEYS, end=pl.col("value").cast(pl.Int64))
    known = series.drop_nulls("value").join(counted, on=_KEYS, nulls_equal=True)
    if not known.height:
        return
    passed = (
        known.join(ends, on=_KEYS, how="left", nulls_equal=True)
        .group_by([*_KEYS, "time", "value"])
        .agg(phase=1 + (pl.col("end") < pl.col("time")).sum().cast(pl.Int64))
    )
    t, y = pl.col("time").cast(pl.Float64), pl.col("value")
    stages = passed.group_by([*_KEYS, "phase"]).agg(
        pl.col("time").min().alias("time_from"),
        pl.col("time").max().alias("last"),
        y.mean().alias("phase-mean"),
        (pl.cov(t, y) / t.var()).alias("phase-pace"),
        n_used=pl.len().cast(pl.Int64),
    )
    for component in ("phase-mean", "phase-pace"):
        rows = stages.sort([*_KEYS, "phase"]).select(*_KEYS, "time_from", time="last", value=component, n_used="n_used", label=_numbered())
        yield rows.with_columns(measure=pl.lit("phase"), component=pl.lit(component))


def _numbered() -> pl.Expr:
    return pl.format("phase-{}", pl.col("phase"))


def _beside(breaks: pl.DataFrame, policies: Mapping[str, int]) -> list[pl.DataFrame]:
    """``policy-distance``: years from each policy's first year to the nearest first year of a new phase, negative where the phase came first."""
    found = _dates(breaks)
    if not found.height or not policies:
        return []
    dates = pl.DataFrame({"policy": list(policies), "year": list(policies.values())})
    pairs = found.select(*_KEYS, start=pl.col("value").cast(pl.Int64) + 1).join(dates, how="cross")
    gap = pl.col("start") - pl.col("year")
    nearest = (
        pairs.sort(gap.abs(), "start").group_by([*_KEYS, "policy", "year"], maintain_order=True).first().sort([*_KEYS, "year", "policy"])
    )
    nearest = nearest.with_columns(gap=gap)
    keys = {k: nearest[k] for k in (*_KEYS, "policy")}
    rows = number_rows(keys, nearest["gap"].cast(pl.Float64).to_numpy(), measure="policy-distance", rule="policy-distance")
    values = as_values(nearest.select("policy", "year", "start", years="gap"), ["policy", "year", "start", "years"])
    return [rows.with_columns(values, time_from=nearest["year"], time=nearest["start"])]
