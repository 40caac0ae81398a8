"""Estimators that are one regression with fixed effects."""

from __future__ import annotations

from hinterland.evaluate.method import REGRESSION_INFERENCE, Method, Option

ENTRIES = (
    Method(
        "twfe",
        "Static two-way fixed effects",
        "Wooldridge (2010), Econometric Analysis of Cross Section and Panel Data, ch. 10",
        "hinterland.evaluate.twfe",
        ("gaussian",),
        frozenset({"covariates", "weights", "unbalanced", "fixed-effects", "two-way-clusters", "always-treated", "non-absorbing", "dose"}),
        dict(REGRESSION_INFERENCE),
    ),
    Method(
        "event-study",
        "Two-way fixed effects with leads and lags",
        "Schmidheiny & Siegloch (2023), Journal of Applied Econometrics 38(5)",
        "hinterland.evaluate.event_study",
        ("gaussian",),
        frozenset({"covariates", "weights", "unbalanced", "fixed-effects", "two-way-clusters", "dose"}),
        {
            **REGRESSION_INFERENCE,
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
        frozenset({"covariates", "weights", "unbalanced", "fixed-effects", "two-way-clusters", "always-treated", "dose"}),
        {
            **REGRESSION_INFERENCE,
            "event_study": Option(False, (False, True), "leads and lags instead of one effect"),
            "leads": Option(None, (), "as in event-study"),
            "lags": Option(None, (), "as in event-study"),
            "reference": Option(-1, (), "as in event-study"),
        },
    ),
)
