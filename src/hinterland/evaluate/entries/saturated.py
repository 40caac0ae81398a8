"""Saturated and stacked regressions: Sun–Abraham, extended two-way fixed effects, stacked."""

from __future__ import annotations

from hinterland.evaluate.method import REGRESSION_INFERENCE, Method, Option

ENTRIES: tuple[Method, ...] = (
    Method(
        "sun-abraham",
        "Interaction-weighted event study",
        "Sun & Abraham (2021), Journal of Econometrics 225(2)",
        "hinterland.evaluate.sun_abraham",
        ("gaussian",),
        frozenset({"covariates", "weights", "anticipation", "unbalanced", "fixed-effects", "two-way-clusters"}),
        {
            **REGRESSION_INFERENCE,
            "reference": Option(None, (), "event time or times set to zero (None: the last period before adoption, less anticipation)"),
            "share_variance": Option(True, (True, False), "standard errors of averages include the estimation of the cohorts' shares"),
        },
    ),
)
