"""Green productivity in the catalogue: labelled values, reasons, findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import hinterland as hl
from hinterland.labels import LANGUAGES, catalogue
from hinterland.measure import efficiency, green_productivity
from hinterland.measure.entries import composite as composite_entries
from hinterland.measure.entries import productivity as productivity_entries
from hinterland.measure.entries import structure as structure_entries
from hinterland.measure.entry import measure

TOY = {2000: {"a": (1, 2, 1), "b": (1, 1, 1)}, 2001: {"a": (1, 2.4, 1), "b": (1, 1.5, 0.9)}}
ROLES: dict[str, Any] = {"region": "r", "time": "t", "item": "k", "value": "v", "inputs": ["x"], "outputs": ["y"], "undesirable": ["b"]}
DDF = {"distance": "ddf", "direction": "own-outputs"}


def long(rows: dict[int, dict[str, tuple[float, ...]]], items: str = "xyb") -> pl.DataFrame:
    return pl.DataFrame(
        [{"r": r, "t": t, "k": k, "v": float(v)} for t, by in rows.items() for r, vs in by.items() for k, v in zip(items, vs, strict=True)]
    )


def test_worked_example() -> None:
    m = measure("green-productivity", long(TOY), **ROLES, **DDF)
    found = {name: m.component(name) for name in ("productivity-index", "efficiency-change", "frontier-change", "productivity-level")}
    six = {"atol": 5e-7}
    np.testing.assert_allclose(found["productivity-index"]["value"][2:], [1.090909, 1.196078], **six)
    np.testing.assert_allclose(found["efficiency-change"]["value"][2:], [1, 1.129630], **six)
    np.testing.assert_allclose(found["frontier-change"]["value"][2:], [1.090909, 1.058824], **six)
    np.testing.assert_allclose(found["productivity-level"]["value"], [1, 1, 1.090909, 1.196078], **six)
    assert found["productivity-index"]["reason"].to_list() == ["no-earlier-year"] * 2 + [""] * 2
    assert found["productivity-index"]["n_used"].to_list() == [4] * 4 and found["efficiency-change"]["n_used"].to_list() == [2] * 4
    assert [f.code for f in m.findings] == ["few-observations"]


def test_adjacent_index_flags_what_is_infeasible() -> None:
    m = measure("green-productivity", long(TOY), index="adjacent", **ROLES, **DDF)
    index, level = m.component("productivity-index"), m.component("productivity-level")
    assert index["reason"].to_list() == ["no-earlier-year", "no-earlier-year", "infeasible", ""]
    assert index["value"][3] == pytest.approx(1.209080, abs=5e-7)
    assert level["reason"].to_list() == ["", "", "infeasible", ""]
    longer = TOY | {2002: TOY[2001]}
    level = measure("green-productivity", long(longer), index="adjacent", **ROLES, **DDF).component("productivity-level")
    assert level["reason"].to_list()[-2:] == ["broken-chain", ""]


def test_inefficiency() -> None:
    year = measure("green-inefficiency", long(TOY), frontier="year", **ROLES).frame
    np.testing.assert_allclose(year["value"], [0, 0.375, 0, 0.263889], atol=5e-7)
    everybody = measure("green-inefficiency", long(TOY), **ROLES, **DDF).frame
    np.testing.assert_allclose(everybody["value"], [0.090909, 0.411765, 0, 0.180328], atol=5e-7)


def test_reasons() -> None:
    rows: dict[int, dict[str, tuple[float, ...]]] = {
        t: {"a": (1, 2, 1), "b": (1, 0, 1), "c": (0, 1, 1), "d": (1, 1, 0)} for t in (2000, 2001)
    }
    frame = long(rows).filter(~((pl.col("r") == "a") & (pl.col("t") == 2001) & (pl.col("k") == "b")))
    found = measure("green-inefficiency", frame, frontier="year", **ROLES).frame
    assert found["reason"].to_list() == [
        "",
        "zero-direction",
        "zero-input",
        "zero-direction",
        "missing-input",
        "zero-direction",
        "zero-input",
        "zero-direction",
    ]
    index = measure("green-productivity", frame, **ROLES).component("productivity-index")
    assert index["reason"].to_list() == ["no-earlier-year"] * 4 + ["missing-input", "zero-direction", "zero-input", "zero-direction"]
    assert found.filter(r="a", t=2001)["coverage"].item() == pytest.approx(2 / 3)


def test_negative_numbers_are_an_error_or_a_gap() -> None:
    frame = long(TOY).with_columns(v=pl.when((pl.col("r") == "a") & (pl.col("t") == 2000) & (pl.col("k") == "b")).then(-1.0).otherwise("v"))
    with pytest.raises(hl.InputError, match="negative"):
        measure("green-productivity", frame, **ROLES)
    found = measure("green-inefficiency", frame, on_negative="nan", **ROLES).frame
    assert found.filter(r="a", t=2000)["reason"].item() == "missing-input"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"inputs": [], "outputs": []}, ["missing-items", "missing-items"]),
        ({"inputs": ["x", "labor"], "undesirable": ["y"]}, ["unknown-item", "item-twice"]),
        ({"direction": "own-outputs"}, ["bad-model"]),
        ({"returns": "irs"}, ["unknown-value"]),
    ],
)
def test_choices_that_cannot_be(change: dict[str, object], codes: list[str]) -> None:
    with pytest.raises(hl.InputError) as error:
        measure("green-productivity", long(TOY), **{**ROLES, **change})
    assert [f.code for f in error.value.findings] == codes


def test_warnings() -> None:
    rows = {2000: TOY[2000], 2001: TOY[2001], 2004: TOY[2001]}
    more = pl.concat([long(rows), long({2000: {"a": (3,)}}, "z")])
    m = measure("green-productivity", more, **ROLES)
    assert [f.code for f in m.findings] == ["unused-item", "few-observations", "uneven-years"]


def test_every_code_and_component_has_words() -> None:
    codes = {"missing-input", "negative-input", "zero-input", "zero-direction", "infeasible", "unbounded", "unsolved", "empty-frontier"}
    codes |= {"no-other-year", "no-earlier-year", "broken-chain"}
    entries = (*structure_entries.ENTRIES, *composite_entries.ENTRIES, *productivity_entries.ENTRIES)
    for language in LANGUAGES:
        words = catalogue(language)
        assert [c for c in codes if f"reason.{c}" not in words] == []
        assert [x for e in entries for x in e.components if f"component.{x}" not in words] == []
        assert all(e.name(language) and e.meaning(language) and e.caution(language) for e in entries)


def test_numbers_live_in_functions_of_arrays() -> None:
    """The entry adds labels and reasons, no numbers of its own."""
    frame = long(TOY)
    cube = frame.pivot("k", index=["t", "r"], values="v").sort("t", "r")
    x, y, b = (cube[k].to_numpy().reshape(2, 2, 1) for k in "xyb")
    by_hand = green_productivity.global_malmquist_luenberger(x, y, b, efficiency.Model())
    m = measure("green-productivity", frame, **ROLES)
    np.testing.assert_array_equal(m.component("productivity-level")["value"].to_numpy(), by_hand.level.ravel())
