"""Cohorts from a panel's own columns."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from hinterland.data.panel import Panel
from hinterland.data.policy import adoption, adoption_from_treatment
from hinterland.errors import PolicyError


def panel(
    values: Sequence[object], units: str = "aabbcc", years: Sequence[int] = (2010, 2011) * 3, dtype: pl.DataType | None = None
) -> Panel:
    return Panel(
        pl.DataFrame({"unit": list(units), "year": list(years), "g": pl.Series(list(values), dtype=dtype, strict=False)}), "unit", "year"
    )


def starts(values: Sequence[object], **options: object) -> list[int | None]:
    return adoption(panel(values), "g", **options).table["cohort"].to_list()  # type: ignore[arg-type]


def codes(error: pytest.ExceptionInfo[PolicyError]) -> list[str]:
    return [f.code for f in error.value.findings]


@pytest.mark.parametrize(
    "values",
    [
        [2011, 2011, 0, 0, None, None],
        [2011.0, 2011.0, float("nan"), float("nan"), float("inf"), float("inf")],
        ["2011", "2011", "", "", "0", "0"],
    ],
)
def test_first_period_and_every_way_to_say_never(values: Sequence[object]) -> None:
    policy = adoption(panel(values), "g")
    assert policy.table["cohort"].to_list() == [2011, None, None]
    assert (policy.closed, policy.source, policy.timing) == (True, "g", "column")


def test_never_can_be_named() -> None:
    assert starts([2011, 2011, 9999, 9999, -1, -1], never=(9999, -1)) == [2011, None, None]
    assert starts(["2011", "2011", "none", "none", "none", "none"], never=("none",)) == [2011, None, None]


def test_zero_counts_as_a_period_where_it_does_not_mean_never() -> None:
    assert starts([0, 0, 1, 1, None, None], never=()) == [0, 1, None]


def test_periods_outside_the_window_are_kept_and_told() -> None:
    policy = adoption(panel([2010, 2010, 2030, 2030, 0, 0]), "g")
    assert policy.table["cohort"].to_list() == [2010, 2030, None]
    assert {n.code: n.values["count"] for n in policy.notes} == {"policy-always-treated": 1, "policy-after-window": 1}


def test_values_that_vary_within_a_unit_name_it() -> None:
    with pytest.raises(PolicyError) as error:
        adoption(panel([2011, 2010, 0, 0, 2011, None]), "g")
    assert codes(error) == ["varying-adoption"]
    assert error.value.findings[0].where == "a: 2011, 2010; c: 2011, never"


def test_values_that_are_no_period_name_the_unit() -> None:
    with pytest.raises(PolicyError) as error:
        adoption(panel([2010.5, 2010.5, 0, 0, 2011, 2012]), "g")
    assert codes(error) == ["not-a-period", "varying-adoption"]
    assert "a: 2010.5" in error.value.findings[0].where
    with pytest.raises(PolicyError, match="soon"):
        adoption(panel(["soon", "soon", "0", "0", "2011", "2011"]), "g")


def test_nobody_treated_and_no_such_column() -> None:
    with pytest.raises(PolicyError, match="never treated"):
        adoption(panel([0] * 6), "g")
    with pytest.raises(PolicyError, match="did you mean 'g'"):
        adoption(panel([0] * 6), "gg")


@pytest.mark.parametrize("dtype", [pl.Int64(), pl.Float64(), pl.Boolean()])
def test_treatment_that_switches_on(dtype: pl.DataType) -> None:
    policy = adoption_from_treatment(panel([0, 1, 0, 0, 1, 1], dtype=dtype), "g")
    assert policy.table["cohort"].to_list() == [2011, None, 2010]
    assert [n.code for n in policy.notes] == ["policy-always-treated"]


def test_treatment_that_switches_off_names_units_and_periods() -> None:
    with pytest.raises(PolicyError) as error:
        adoption_from_treatment(panel([1, 0, 0, 1, 1, 0]), "g")
    assert codes(error) == ["treatment-reversal"]
    assert error.value.findings[0].where == "a in 2011; c in 2011"


def test_treatment_that_is_not_binary() -> None:
    with pytest.raises(PolicyError) as error:
        adoption_from_treatment(panel([0, 2, 0, None, 1, 1]), "g")
    assert codes(error) == ["not-binary"]
    assert "a, 2011: 2.0" in error.value.findings[0].where
    with pytest.raises(PolicyError, match="0 in every row"):
        adoption_from_treatment(panel([0] * 6), "g")


def test_reversible_treatment_counts_from_its_first_change() -> None:
    policy = adoption_from_treatment(panel([0, 1, 1, 0, 1, 1]), "g", reversible=True)
    assert policy.table["cohort"].to_list() == [2011, 2011, None]
    assert (policy.path, policy.timing, policy.notes) == ("g", "column", ())
    assert adoption_from_treatment(panel([0, 1, 1, 1, 0, 0]), "g").path is None


def test_reversible_treatment_takes_any_number_and_passes_over_gaps() -> None:
    values = [0.5, 0.5, 0.5, None, 2.0, float("nan"), -1.5, 0.5, 0.25]
    policy = adoption_from_treatment(panel(values, "aaabbbccc", (2010, 2011, 2012) * 3, pl.Float64()), "g", reversible=True)
    assert policy.table["cohort"].to_list() == [None, None, 2011]


def test_reversible_treatment_that_never_changes_or_is_no_number() -> None:
    with pytest.raises(PolicyError) as error:
        adoption_from_treatment(panel([0, 0, 1, 1, 2, 2]), "g", reversible=True)
    assert codes(error) == ["nobody-treated"]
    with pytest.raises(PolicyError) as error:
        adoption_from_treatment(panel(["0", "1", "on", "0", "0", "0"]), "g", reversible=True)
    assert codes(error) == ["not-numeric"]
    assert error.value.findings[0].where == "b, 2010: on"
    with pytest.raises(PolicyError) as error:
        adoption_from_treatment(panel([0, float("inf"), 0, 0, 0, 1]), "g", reversible=True)
    assert codes(error) == ["not-numeric"]


def test_the_remedy_of_a_reversal_names_the_way_out() -> None:
    with pytest.raises(PolicyError, match=r"reversible=True and choose method dcdh"):
        adoption_from_treatment(panel([1, 0, 0, 1, 1, 0]), "g")
