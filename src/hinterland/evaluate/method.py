"""What the register says of one estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a method: its default and, where they are few, the values it takes.

    ``column``: the value names a column of the panel, which the design then carries (:attr:`Design.columns`).
    """

    default: object
    values: tuple[object, ...] = ()
    help: str = ""
    column: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """One estimator.

    ``module`` holds ``fit(design, **options) -> Effects``. ``accepts`` lists what the method is defined on, out of
    ``covariates``, ``weights``, ``anticipation``, ``unbalanced``, ``repeated-cross-sections``, ``fixed-effects``,
    ``two-way-clusters``, ``not-yet-treated``, ``always-treated``, ``non-absorbing``, ``dose``.
    """

    id: str
    name: str
    reference: str
    module: str
    family: tuple[str, ...]
    accepts: frozenset[str]
    options: Mapping[str, Option] = field(default_factory=dict)


REGRESSION_INFERENCE: Mapping[str, Option] = MappingProxyType(
    {
        "vcov": Option("cluster", ("cluster", "hetero", "iid"), "covariance estimator"),
        "ssc": Option("fixest", ("fixest", "reghdfe", "dummies", "none"), "small-sample rule; or an Ssc, or a table of its choices"),
    }
)
"""Options of every estimator that is one regression; :class:`hinterland.evaluate.regression.InferenceOptions` types them."""
