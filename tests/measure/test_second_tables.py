"""Tables beside the data, such as neighbours or national figures: what is wrong with one is named, whatever the indicator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

import hinterland as hl
from hinterland.errors import Finding
from hinterland.labels import LANGUAGES, catalogue
from hinterland.measure.register import INDICATORS

CaseOf = Callable[..., Any]
REGIONS = ["11", "12", "13", "14", "15", "21"]
INDUSTRIES = ["31", "32", "33", "34"]
ADDS_UP = {"final", "cited_by"}
"""Rows of the same labels are several kinds of demand, or several citations."""
SETS = {"pairs", "neighbours", "coordinates"}
"""A pair may be written twice, or both ways round; a place twice alike."""


def national(*keys: str, numbers: tuple[str, ...] = ("value",)) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.group_by(*keys, maintain_order=True).agg(pl.col(numbers).sum())


def by_region(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: pl.DataFrame({"region": REGIONS, column: [1.0, 2, 1, 3, 1, 2]})


def by_industry(column: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: pl.DataFrame({"industry": INDUSTRIES, column: [0.3, 0.2, 0.4, 0.1]})


PLACES = pl.DataFrame({"region": REGIONS, "lon": [100.0, 101, 102, 103, 104, 105], "lat": [30.0, 31, 32, 33, 34, 35]})
APART = pl.DataFrame([(a, b, 100.0) for a in REGIONS for b in REGIONS if a < b], schema=["region", "other", "distance"], orient="row")
CITED = pl.DataFrame({"entity": ["1000", "1001"], "citing_year": [2012, 2013]})
OPTIONAL: tuple[tuple[str, str, Callable[[pl.DataFrame], pl.DataFrame], dict[str, Any]], ...] = (
    ("location-quotient", "reference", national("time", "industry"), {}),
    ("krugman-specialisation", "reference", national("industry"), {}),
    ("shift-share", "reference", national("time", "industry"), {}),
    ("regional-resilience", "reference", national("time", "industry"), {}),
    ("capital-misallocation", "reference", national("time", numbers=("output", "capital")), {}),
    ("hsieh-klenow", "alpha", by_industry("alpha"), {}),
    ("hsieh-klenow", "theta", by_industry("theta"), {}),
    ("market-segmentation", "distances", lambda frame: APART, {"pairs": "distance"}),
    ("citation-weighted-patents", "cited_by", lambda frame: CITED, {"citations": None}),
    ("beta-convergence", "controls", by_region("x"), {}),
    ("economic-complexity", "orient", by_region("value"), {}),
    ("moran", "coordinates", lambda frame: PLACES, {"neighbours": None, "nearest": 2}),
)


def wrong(table: pl.DataFrame, name: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The table with one thing wrong, and what that is."""
    first = pl.int_range(pl.len()) == 0
    if name not in ADDS_UP | SETS:
        yield "a row twice", pl.concat([table, table.head(1)])
    for column in table.columns:
        if name != "neighbours":
            yield f"no {column}", table.drop(column)
        if table.schema[column] == pl.Float64:
            yield f"text in {column}", table.with_columns(pl.lit("many").alias(column))
            yield f"infinity in {column}", table.with_columns(pl.when(first).then(float("inf")).otherwise(column).alias(column))


def tables(name: str, case_of: CaseOf) -> Iterator[tuple[str, pl.DataFrame, dict[str, Any], pl.DataFrame]]:
    case = case_of(name)
    for parameter, value in case.arguments.items():
        if isinstance(value, pl.DataFrame):
            yield parameter, value, case.arguments, case.frame
    for indicator, parameter, made, more in OPTIONAL:
        if indicator == name:
            value = made(case.frame)
            yield parameter, value, {**case.arguments, parameter: value, **more}, case.frame


def refused(name: str, frame: pl.DataFrame, arguments: dict[str, Any]) -> list[Finding]:
    with pytest.raises(hl.InputError) as caught:
        hl.measure(name, frame, **arguments)
    return list(caught.value.findings)


@pytest.mark.parametrize("name", INDICATORS)
def test_what_is_wrong_with_a_second_table_is_named(name: str, case_of: CaseOf) -> None:
    for parameter, value, arguments, frame in tables(name, case_of):
        hl.measure(name, frame, **arguments)
        for what, table in wrong(value, parameter):
            if parameter == "controls" and what == "text in x":
                continue  # a column of text is no control, and the table has no other
            found = refused(name, frame, {**arguments, parameter: table})
            assert all(parameter in f.where for f in found), (what, found)
            assert all(f"finding.{f.code}" in catalogue(language) for f in found for language in LANGUAGES)


@pytest.mark.parametrize("name", INDICATORS)
def test_labels_that_are_missing_end_in_a_finding_or_are_left_out(name: str, case_of: CaseOf) -> None:
    for parameter, value, arguments, frame in tables(name, case_of):
        for column in value.columns:
            holed = value.with_columns(pl.when(pl.int_range(pl.len()) > 0).then(column).alias(column))
            for table in (holed, value.head(0)):
                try:
                    m = hl.measure(name, frame, **{**arguments, parameter: table})
                except hl.InputError as error:
                    assert error.findings
                else:
                    assert not m.frame["value"].is_nan().any() and not m.frame["value"].is_infinite().any()
