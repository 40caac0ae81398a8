"""What the register says of one estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a method: its default and, where they are few, the values it takes.

    ``column``: the value names a column of the panel, which the design then carries (:attr:`Design.columns`); ``several``: or a list of columns.
    """

    default: object
    values: tuple[object, ...] = ()
    help: str = ""
    column: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """One estimator.

    ``module`` holds ``fit(design, **options) -> Effects``. ``accepts`` lists what the method is defined on, out of
    ``covariates``, ``weights``, ``anticipation``, ``unbalanced``, ``repeated-cross-sections``, ``fixed-effects``,
    ``two-way-clusters``, ``not-yet-treated``, ``always-treated``, ``non-absorbing``, ``dose`` (without it, units covered in part count as
    treated in full, and a note says so).
    """

    id: str
    name: str
    reference: str
    module: str
    family: tuple[str, ...]
    accepts: frozenset[str]
    options: Mapping[str, Option] = field(default_factory=dict)

    @property
    def reinferred(self) -> bool:
        """Whether the covariance is computed from the influence function after the fit: the options hold ``INFLUENCE_INFERENCE``."""
        return self.options.get("vcov") is INFLUENCE_INFERENCE["vcov"]


_CUTOFF = Option(None, (), "conley: kilometres within which errors of two units may be correlated")
_KERNEL = Option("uniform", ("uniform", "bartlett"), "conley: weight of a pair: 1, or 1 - distance/cutoff_km")

REGRESSION_INFERENCE: Mapping[str, Option] = MappingProxyType(
    {
        "vcov": Option(
            "cluster",
            ("cluster", "CR2", "CR3", "hetero", "HC2", "HC3", "iid", "conley", "driscoll-kraay", "newey-west"),
            "covariance estimator",
        ),
        "ssc": Option("fixest", ("fixest", "reghdfe", "dummies", "none"), "small-sample rule; or an Ssc, or a table of its choices"),
        "cutoff_km": _CUTOFF,
        "lag": Option(None, (), "newey-west, driscoll-kraay: longest lag (None: T^(1/4)); conley: longest lag within a unit (None: all)"),
        "kernel": _KERNEL,
    }
)
"""Options of every estimator that is one regression; :class:`hinterland.evaluate.inference.InferenceOptions` types them."""

INFLUENCE_INFERENCE: Mapping[str, Option] = MappingProxyType(
    {
        "vcov": Option("cluster", ("cluster", "conley"), "covariance of the influence function: by cluster, or by distance"),
        "cutoff_km": _CUTOFF,
        "kernel": _KERNEL,
    }
)
"""Options of estimators whose covariance is that of their influence function by unit; :func:`hinterland.evaluate.estimate.fit` takes them
off before it calls the estimator, and applies them to what it returns (:mod:`hinterland.evaluate.reinfer`)."""
