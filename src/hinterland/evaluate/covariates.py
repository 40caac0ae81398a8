"""Covariates: a one-sided formula, or column names, turned into a matrix."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding

_PLAIN = re.compile(r"^\s*~?\s*(?:1\s*\+\s*)?[^\W\d]\w*(\s*\+\s*[^\W\d]\w*)*\s*$")


def plain_names(covariates: str | Sequence[str] | None) -> list[str] | None:
    """The column names, when the formula is a plain sum of columns (the fast path); ``None`` when it is not."""
    if covariates is None:
        return []
    if not isinstance(covariates, str):
        return list(covariates)
    body = covariates.strip().removeprefix("~").strip()
    if body in {"", "1"}:
        return []
    if _PLAIN.match(covariates):
        return [part.strip() for part in body.split("+") if part.strip() != "1"]
    return None


def covariate_columns(covariates: str | Sequence[str] | None, columns: Sequence[str]) -> list[str]:
    """The columns that ``covariates`` needs, out of ``columns`` in their order; then those that are not among them."""
    names = plain_names(covariates)
    if names is not None:
        return names
    formula = _formula(str(covariates))
    needed = {str(v) for v in formula.required_variables}
    return [c for c in columns if c in needed] + sorted(needed.difference(columns))


def covariate_matrix(covariates: str | Sequence[str] | None, frame: pl.DataFrame) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Matrix [n, k] without intercept, and its k column names.

    Text columns in a formula become indicators (first level left out), as in R. Raises ``EstimationError`` for a formula
    that cannot be read and for a non-numeric column named outside a formula.
    """
    names = plain_names(covariates)
    if names is None:
        return _from_formula(str(covariates), frame)
    text = [n for n in names if not (frame.schema[n].is_numeric() or frame.schema[n] == pl.Boolean)]
    if text and isinstance(covariates, str):
        return _from_formula(str(covariates), frame)
    if text:
        raise EstimationError(
            [
                Finding(
                    "not-numeric",
                    f"covariate {n!r} holds {frame.schema[n]}, not numbers",
                    "covariates",
                    f"write it in a formula, '~ C({n})', to use it as categories",
                )
                for n in text
            ],
            "covariates",
        )
    if not names:
        return np.empty((frame.height, 0)), ()
    matrix = np.empty((frame.height, len(names)), order="F")
    for j, name in enumerate(names):
        series = frame[name]
        matrix[:, j] = (series if series.dtype == pl.Float64 else series.cast(pl.Float64)).to_numpy()
    return matrix, tuple(names)


def _plain(error: Exception) -> str:
    """The message of another library on one line, without colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())


def _formula(text: str):  # type: ignore[no-untyped-def]
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        return Formula(text if text.strip().startswith("~") else f"~ {text}")
    except (FormulaicError, SyntaxError, ValueError) as error:
        raise EstimationError(
            Finding(
                "malformed-formula",
                f"the covariate formula {text!r} cannot be read: {_plain(error)}",
                "covariates",
                "write a one-sided formula such as '~ ln_gdp + share2'",
            ),
            "covariates",
        ) from error


def _from_formula(text: str, frame: pl.DataFrame) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    from formulaic.errors import FormulaicError

    formula = _formula(text)
    names = {str(v) for v in formula.required_variables}
    needed = frame.select(c for c in frame.columns if c in names)
    try:
        with np.errstate(all="ignore"):
            matrix = formula.get_model_matrix(needed.to_pandas(), na_action="raise", ensure_full_rank=True)
    except (FormulaicError, ValueError, TypeError, NameError) as error:
        raise EstimationError(
            Finding(
                "malformed-formula",
                f"the covariate formula {text!r} cannot be evaluated: {_plain(error)}",
                "covariates",
                "check the names and functions in it",
            ),
            "covariates",
        ) from error
    keep = [c for c in matrix.columns if c != "Intercept"]
    return np.asfortranarray(matrix[keep].to_numpy(dtype=np.float64)), tuple(str(c) for c in keep)
