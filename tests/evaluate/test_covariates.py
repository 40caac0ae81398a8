from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from hinterland.errors import EstimationError
from hinterland.evaluate.covariates import covariate_columns, covariate_matrix, plain_names

FRAME = pl.DataFrame(
    {
        "x": [1.0, 2.0, 3.0, 4.0],
        "z": [1, 0, 1, 0],
        "kind": ["a", "b", "c", "a"],
        "面积": [4.0, 3.0, 2.0, 1.0],
        "flag": [True, False, True, True],
    }
)


@pytest.mark.parametrize(
    ("covariates", "names"),
    [
        (None, []),
        ("~ 1", []),
        ("~ x + z", ["x", "z"]),
        ("x", ["x"]),
        (["面积", "x"], ["面积", "x"]),
        ("~ 1 + 面积", ["面积"]),
        ("~ log(x)", None),
        ("~ x:z", None),
    ],
)
def test_plain_sums_of_columns_are_recognised(covariates: str | list[str] | None, names: list[str] | None) -> None:
    assert plain_names(covariates) == names


def test_columns_needed_by_a_formula_in_the_order_of_the_panel() -> None:
    assert covariate_columns("~ C(kind):x + z", FRAME.columns) == ["x", "z", "kind"]
    assert covariate_columns("~ x:w", FRAME.columns) == ["x", "w"]


def test_matrix_of_columns() -> None:
    matrix, names = covariate_matrix(["x", "z", "flag"], FRAME)
    assert names == ("x", "z", "flag")
    np.testing.assert_array_equal(matrix, [[1, 1, 1], [2, 0, 0], [3, 1, 1], [4, 0, 1]])


def test_text_in_a_formula_becomes_indicators() -> None:
    matrix, names = covariate_matrix("~ kind", FRAME)
    assert names == ("kind[T.b]", "kind[T.c]")
    np.testing.assert_array_equal(matrix, [[0, 0], [1, 0], [0, 1], [0, 0]])


def test_transformations() -> None:
    matrix, names = covariate_matrix("~ log(x) + x:z", FRAME)
    assert names == ("log(x)", "x:z")
    np.testing.assert_allclose(matrix[:, 0], np.log([1, 2, 3, 4]))


def test_text_column_outside_a_formula_is_a_finding() -> None:
    with pytest.raises(EstimationError) as caught:
        covariate_matrix(["x", "kind"], FRAME)
    assert caught.value.findings[0].code == "not-numeric"


@pytest.mark.parametrize("formula", ["~ x +", "~ log(x", "~ nosuch(x)"])
def test_malformed_formulas_are_findings(formula: str) -> None:
    with pytest.raises(EstimationError) as caught:
        covariate_matrix(formula, FRAME)
    assert caught.value.findings[0].code == "malformed-formula"
