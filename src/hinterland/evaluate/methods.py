"""The register of estimators: ids, names, sources, options, and what each accepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a method: its default and, where they are few, the values it takes."""

    default: object
    values: tuple[object, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One estimator.

    ``module`` holds ``fit(design, **options) -> Effects``. ``accepts`` lists what the method is defined on, out of
    ``covariates``, ``weights``, ``anticipation``, ``unbalanced``, ``repeated-cross-sections``, ``fixed-effects``,
    ``two-way-clusters``, ``not-yet-treated``, ``always-treated``.
    """

    id: str
    name: str
    reference: str
    module: str
    family: tuple[str, ...]
    accepts: frozenset[str]
    options: Mapping[str, Option] = field(default_factory=dict)


_VCOV = Option("cluster", ("cluster", "hetero", "iid"), "covariance estimator")
_SSC = Option("fixest", ("fixest", "reghdfe", "dummies", "none"), "small-sample rule; or an Ssc, or a table of its choices")

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        m.id: m
        for m in (
            Method(
                "twfe",
                "Static two-way fixed effects",
                "Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, ch. 10",
                "hinterland.evaluate.twfe",
                ("gaussian",),
                frozenset({"covariates", "weights", "unbalanced", "fixed-effects", "two-way-clusters", "always-treated"}),
                {"vcov": _VCOV, "ssc": _SSC},
            ),
            Method(
                "event-study",
                "Two-way fixed effects with leads and lags",
                "Schmidheiny & Siegloch (2023), Journal of Applied Econometrics 38(5)",
                "hinterland.evaluate.event_study",
                ("gaussian",),
                frozenset({"covariates", "weights", "unbalanced", "fixed-effects", "two-way-clusters"}),
                {
                    "vcov": _VCOV,
                    "ssc": _SSC,
                    "leads": Option(None, (), "earliest event time; earlier ones are binned into it (None: all)"),
                    "lags": Option(None, (), "latest event time; later ones are binned into it (None: all)"),
                    "reference": Option(-1, (), "event time normalised to zero"),
                },
            ),
            Method(
                "ppml",
                "Poisson pseudo-maximum likelihood with fixed effects",
                "Correia, Guimarães & Zylkin (2020), Stata Journal 20(1)",
                "hinterland.evaluate.ppml",
                ("poisson",),
                frozenset({"covariates", "weights", "unbalanced", "fixed-effects", "two-way-clusters", "always-treated"}),
                {
                    "vcov": _VCOV,
                    "ssc": _SSC,
                    "event_study": Option(False, (False, True), "leads and lags instead of one effect"),
                    "leads": Option(None, (), "as in event-study"),
                    "lags": Option(None, (), "as in event-study"),
                    "reference": Option(-1, (), "as in event-study"),
                },
            ),
            Method(
                "callaway-santanna",
                "Group-time average treatment effects",
                "Callaway & Sant'Anna (2021), Journal of Econometrics 225(2); Sant'Anna & Zhao (2020), Journal of Econometrics 219(1)",
                "hinterland.evaluate.callaway_santanna",
                ("gaussian",),
                frozenset({"covariates", "weights", "anticipation", "unbalanced", "repeated-cross-sections", "not-yet-treated"}),
                {
                    "est_method": Option("dr", ("dr", "ipw", "or"), "doubly robust, inverse probability weighting or outcome regression"),
                    "base_period": Option("varying", ("varying", "universal"), "base period of the pre-treatment effects"),
                    "panel": Option(True, (True, False), "False: rows are repeated cross-sections"),
                    "trim": Option(0.995, (), "comparison units with a propensity score of at least this are left out"),
                    "unbalanced": Option(
                        "pairwise", ("pairwise", "balance"), "gaps: use units seen in both periods of a cell, or leave out units with a gap"
                    ),
                    "influence_of": Option(
                        "exact", ("exact", "drdid"), "standard errors of dr on repeated cross-sections: exact, or as in R's DRDID"
                    ),
                },
            ),
        )
    }
)


def methods() -> pl.DataFrame:
    """Every estimator: ``id, name, reference, family, accepts, options`` (one row each)."""
    return pl.DataFrame(
        {
            "id": [m.id for m in METHODS.values()],
            "name": [m.name for m in METHODS.values()],
            "reference": [m.reference for m in METHODS.values()],
            "family": [list(m.family) for m in METHODS.values()],
            "accepts": [sorted(m.accepts) for m in METHODS.values()],
            "options": [[f"{k}={o.default!r}" for k, o in m.options.items()] for m in METHODS.values()],
        }
    )
