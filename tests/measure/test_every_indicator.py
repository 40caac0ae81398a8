"""What holds for every indicator of the catalogue, on tables that are valid, that have gaps, and that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import hinterland as hl
from hinterland.labels import LANGUAGES, catalogue
from hinterland.measure.indicator import Indicator
from hinterland.measure.register import INDICATORS
from hinterland.units import UNITS

CaseOf = Callable[..., Any]
every = pytest.mark.parametrize("name", INDICATORS)
REPEATED = {"area", "size", "distance", "x", "y"}
"""Numbers that several rows repeat, so that a gap in one row is no gap."""
NEEDS_MORE = {
    *("missing-role", "unknown-column", "shares-do-not-sum", "shares-need-reference", "bad-model", "ways-of-neighbours"),
}
"""Findings of alternatives that read another column or table, or values of another kind, than the case has."""
ROUNDING = 1e-9
"""Sums in another order differ by this at most, relative to their size."""


def measured(case: Any, frame: Any = None, **more: Any) -> hl.Measure:
    m = hl.measure(case.id, case.frame if frame is None else frame, **case.arguments, **more)
    fail_if_ill_formed(m, case.indicator)
    return m


def fail_if_ill_formed(m: hl.Measure, indicator: Indicator) -> None:
    """The columns, values and reasons that every result has."""
    keys = [k for k in m.frame.columns if k not in ("component", "value", "n_used", "coverage", "reason")]
    assert m.frame.columns == [
        *keys,
        *(["component"] if indicator.components else []),
        *("value", "n_used", "coverage", "reason"),
    ]
    assert (
        set(keys) <= set(indicator.keys)
        and not m.frame.select(*keys, *(["component"] if indicator.components else [])).is_duplicated().any()
    )
    value, reason = m.frame["value"], m.frame["reason"]
    assert not value.is_nan().any() and not value.is_infinite().any()
    assert (value.is_not_null() == (reason == "")).all(), m.frame.filter(value.is_not_null() != (reason == ""))
    assert "undefined" not in reason, "a reason without a name"
    assert (m.frame["n_used"] >= 0).all() and m.frame["coverage"].is_between(0, 1).all()
    assert m.frame.schema["n_used"] == pl.Int64 and not m.frame["n_used"].has_nulls()
    assert (m.frame.filter(value.is_not_null())["n_used"] > 0).all(), "a value from nothing"
    low, high = indicator.range
    assert value.drop_nulls().is_between(-np.inf if low is None else low - ROUNDING, np.inf if high is None else high + ROUNDING).all()
    if indicator.components:
        assert set(m.frame["component"]) <= set(indicator.components)
    fail_if_unlabelled(m)


def fail_if_unlabelled(m: hl.Measure) -> None:
    for language in LANGUAGES:
        words = catalogue(language)
        assert [r for r in m.frame["reason"].unique() if r and f"reason.{r}" not in words] == []
        assert [f.code for f in m.findings if f"finding.{f.code}" not in words] == []
        assert all(n.text(language) for n in m.notes)


def same(a: pl.DataFrame, b: pl.DataFrame) -> None:
    keys = [c for c in a.columns if c not in ("value", "n_used", "coverage", "reason")]
    assert_frame_equal(a.sort(keys, nulls_last=True), b.sort(keys, nulls_last=True), rel_tol=1e-7, abs_tol=ROUNDING)


@every
def test_the_entry_is_complete(name: str) -> None:
    indicator = INDICATORS[name]
    assert indicator.unit in UNITS or indicator.unit == "as-input"
    assert set(indicator.units) <= set(indicator.components) and set(indicator.units.values()) <= set(UNITS)
    assert indicator.formula and indicator.source
    for language in LANGUAGES:
        assert indicator.name(language) and indicator.meaning(language) and indicator.caution(language)
        assert [c for c in indicator.components if f"component.{c}" not in catalogue(language)] == []
        for text in (indicator.meaning(language), indicator.caution(language)):
            assert "`" not in text and "$" not in text, "reports show texts as they are"
            assert text.endswith("." if language == "en" else "。")


@every
def test_a_valid_table_has_values(name: str, case_of: CaseOf) -> None:
    m = measured(case_of(name))
    assert m.frame["value"].count() > 0
    if INDICATORS[name].components and name != "capital-stock":
        assert set(m.frame["component"]) == set(INDICATORS[name].components)
    assert m.meta["variant"] == "default" or case_of(name).arguments != dict.fromkeys(case_of(name).arguments)


@every
def test_every_alternative_has_values_or_says_what_it_needs(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for parameter, said in case.indicator.parameters.items():
        for value in set(said.values) - {said.default}:
            if parameter in case.arguments or parameter == "engine":
                continue  # the other engine compiles for half a minute, and has a test of its own
            other = replace(case, arguments={**case.arguments, parameter: value})
            try:
                m = measured(other)
            except hl.InputError as error:
                fail_if_nameless(error)
                assert {f.code for f in error.findings} <= NEEDS_MORE, (parameter, value)
            else:
                assert m.frame["value"].count() > 0 or "no-symbols" in m.frame["reason"], (parameter, value)
                assert f"{parameter}={value}" in m.meta["variant"]


@every
def test_parameters_of_the_wrong_kind_are_named(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for parameter in case.indicator.parameters:
        for odd in ("nonsense", -5, 3.7, float("nan"), True, {}, [], object(), pl.DataFrame({"z": [1]})):
            attempt(replace(case, arguments={**case.arguments, parameter: odd}), case.frame)


@every
def test_the_order_of_rows_says_nothing(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    same(measured(case).frame, measured(case, case.frame.sample(fraction=1, shuffle=True, seed=1)).frame)


@every
def test_other_columns_and_a_second_run_change_nothing(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    once, again = measured(case), measured(case, case.frame.with_columns(unrelated=pl.lit("x"), number=pl.lit(None)))
    assert_frame_equal(once.frame, again.frame)
    assert once.meta == again.meta and once.findings == again.findings and once.notes == again.notes


@every
def test_labels_are_only_names(name: str, case_of: CaseOf) -> None:
    plain, named = case_of(name), case_of(name, lambda x: f"name {x}")
    found = measured(named).frame
    assert_frame_equal(measured(plain).frame, found.with_columns(pl.col(pl.String).str.replace("^name ", "")), rel_tol=1e-9)


@every
def test_codes_may_be_numbers_and_frames_of_pandas(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    plain = measured(case).frame
    pandas = replace(case, arguments={k: v.to_pandas() if isinstance(v, pl.DataFrame) else v for k, v in case.arguments.items()})
    assert_frame_equal(plain, measured(pandas, case.frame.to_pandas()).frame)
    numbered = replace(case, arguments={k: in_numbers(v) if isinstance(v, pl.DataFrame) else v for k, v in case.arguments.items()})
    found = measured(numbered, in_numbers(case.frame)).frame
    keys = [k for k in found.columns if found.schema[k] == pl.Int64 and plain.schema[k] == pl.String]
    assert_frame_equal(plain, found.with_columns(pl.col(keys).cast(pl.String)))


def in_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Codes as whole numbers where they can be."""
    codes = [c for c in frame.columns if frame.schema[c] == pl.String and frame[c].str.contains(r"^\d+$").all()]
    return frame.with_columns(pl.col(codes).cast(pl.Int64))


def with_gap(case: Any, role: str, number: float | None, row: int = 0) -> pl.DataFrame:
    """The table with another number in a row."""
    return case.frame.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(pl.lit(number, dtype=pl.Float64)).otherwise(role).alias(role)
    )


@every
def test_a_missing_number_is_not_zero(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for role in set(case.roles("number")) - REPEATED:
        gaps = [attempt(case, with_gap(case, role, None, row)) for row in (0, case.frame.height - 1)]
        base = measured(case).frame
        assert any(gap is None or not base.equals(gap.frame) for gap in gaps), f"a gap in {role} leaves no trace"


@every
def test_what_is_withheld_has_no_value(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    if not case.roles("number"):
        return
    m = attempt(case, case.frame.with_columns(state=pl.lit("suppressed")), state="state")
    if m is not None:
        assert m.frame["value"].count() == 0, m.frame.filter(pl.col("value").is_not_null())
        assert "missing-input" not in m.frame["reason"], "withheld is not missing"


@every
def test_a_region_that_withholds_everything_has_no_value(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    if "region" not in case.indicator.unique or not case.roles("number") or name == "output-elasticity":
        return  # a region without numbers of its own has the elasticity of its group
    held = pl.col("region") == "13"
    m = attempt(case, case.frame.with_columns(state=pl.when(held).then(pl.lit("suppressed"))), state="state")
    if m is not None and "region" in m.frame.columns:
        own = m.frame.filter(held)
        assert own["value"].count() == 0, own.filter(pl.col("value").is_not_null())
        assert own.filter(pl.col("reason").is_in(["missing-input", "undefined"])).height == 0


@every
def test_a_table_of_zeros_has_no_infinity(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    zero = [r.name for r in case.indicator.roles if r.name in case.roles("number") and r.sign != "positive"]
    attempt(case, case.frame.with_columns(pl.lit(0.0).alias(z) for z in zero))
    for role in zero:
        attempt(case, case.frame.with_columns(pl.lit(0.0).alias(role)))


@every
def test_a_complete_table_may_leave_its_zeros_out(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    signs = {r.name: r.sign for r in case.indicator.roles}
    numbers = case.roles("number")
    if (
        not case.indicator.unique
        or "entity" in case.indicator.unique
        or not numbers
        or any(signs[r] != "non-negative" or r in REPEATED for r in numbers)
    ):
        return
    zero = pl.Series(np.random.default_rng(1).uniform(size=case.frame.height) < 0.1)
    written = case.frame.with_columns(pl.when(~zero).then(r).otherwise(0.0).alias(r) for r in numbers)
    listed = attempt(case, written)
    left = attempt(case, case.frame.filter(~zero), complete=True)
    assert (listed is None) == (left is None)
    if listed is not None and left is not None:
        same(listed.frame.drop("n_used", "coverage"), left.frame.drop("n_used", "coverage"))


@every
def test_one_of_a_kind(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for what in case.roles("key", "time"):
        attempt(case, case.frame.filter(pl.col(what) == case.frame[what][0]))
    m = attempt(case, case.frame.head(1))
    assert m is None or m.frame.height or "empty-result" in [f.code for f in m.findings]


@every
def test_gaps_at_random(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        frame = case.frame.sample(fraction=0.7, seed=seed)
        states = rng.choice(["observed", "observed", "observed", "missing", "suppressed"], frame.height)
        zero = {r: pl.when(pl.Series(rng.uniform(size=frame.height) < 0.2)).then(0.0).otherwise(r) for r in case.roles("number")}
        signs = {r.name: r.sign for r in case.indicator.roles}
        attempt(
            case, frame.with_columns(**{r: e for r, e in zero.items() if signs[r] != "positive"}, state=pl.Series(states)), state="state"
        )


def attempt(case: Any, frame: pl.DataFrame, **more: Any) -> hl.Measure | None:
    """A result that is well formed, or findings that have their words; nothing else."""
    try:
        return measured(case, frame, **more)
    except hl.InputError as error:
        fail_if_nameless(error)
        return None


def fail_if_nameless(error: hl.InputError) -> None:
    assert error.findings
    for f in error.findings:
        assert f.code and f.what and f.where and f.remedy
        assert all(f"finding.{f.code}" in catalogue(language) for language in LANGUAGES), f.code


@every
def test_wrong_numbers_are_named_with_their_cells(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    for role in case.indicator.roles:
        if role.name not in case.roles("number"):
            continue
        for number, code in ((-1.0, "negative-value"), (np.inf, "infinite"), (-np.inf, "infinite")):
            if code == "infinite" or role.sign != "any":
                found = findings(case, with_gap(case, role.name, number))
                assert code in found and role.name in found[code].where, (role.name, number, found)
        text = case.frame.with_columns(pl.lit("many").alias(role.name))
        assert any(role.name in f.where + f.what for f in findings(case, text).values())


@every
def test_rows_that_occur_twice_are_named(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    if case.indicator.unique:
        assert "duplicate-cell" in findings(case, pl.concat([case.frame, case.frame.head(1)]))


@every
def test_tables_without_rows_keys_or_columns_are_named(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    assert set(findings(case, case.frame.head(0))) == {"empty-table"}
    first = next(r.name for r in case.indicator.roles if r.required)
    assert "unknown-column" in findings(case, case.frame.drop(first))
    with pytest.raises(hl.InputError, match="missing-role"):
        hl.measure(name, case.frame, **{k: v for k, v in case.arguments.items() if k != first})
    for key in case.roles("key", "time"):
        assert findings(case, case.frame.with_columns(pl.when(pl.int_range(pl.len()) > 0).then(key).alias(key)))


def findings(case: Any, frame: pl.DataFrame) -> dict[str, Any]:
    with pytest.raises(hl.InputError) as caught:
        measured(case, frame)
    fail_if_nameless(caught.value)
    return {f.code: f for f in caught.value.findings}
