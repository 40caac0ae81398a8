"""Saturated and stacked regressions: Sun–Abraham, extended two-way fixed effects, stacked."""

from __future__ import annotations

from hinterland.evaluate.method import INFLUENCE_INFERENCE, REGRESSION_INFERENCE, Method, Option

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
    Method(
        "etwfe",
        "Extended two-way fixed effects",
        "Wooldridge (2021), working paper; Wooldridge (2023), The Econometrics Journal 26(3)",
        "hinterland.evaluate.etwfe",
        ("gaussian", "poisson"),
        frozenset(
            {
                "covariates",
                "weights",
                "anticipation",
                "unbalanced",
                "repeated-cross-sections",
                "fixed-effects",
                "two-way-clusters",
                "not-yet-treated",
            }
        ),
        {
            **REGRESSION_INFERENCE,
            "family": Option("gaussian", ("gaussian", "poisson", "logit"), "model of the outcome; effects are on its scale"),
            "unit_effects": Option(False, (True, False), "unit instead of cohort effects (gaussian only)"),
            "share_variance": Option(False, (True, False), "standard errors of averages include the estimation of the cohorts' shares"),
        },
    ),
    Method(
        "stacked",
        "Stacked difference-in-differences",
        "Cengiz, Dube, Lindner & Zipperer (2019), Quarterly Journal of Economics 134(3); Wing, Freedman & Hollingsworth (2024), NBER WP 32054",
        "hinterland.evaluate.stacked",
        ("gaussian",),
        frozenset({"covariates", "weights", "anticipation", "unbalanced", "two-way-clusters", "not-yet-treated"}),
        {
            **INFLUENCE_INFERENCE,
            "kappa_pre": Option(3, (), "periods before adoption that every cohort must be seen"),
            "kappa_post": Option(3, (), "periods after the one of adoption"),
            "weighting": Option("corrective", ("corrective", "none"), "cohorts weigh by treated units, or as in the plain stack"),
            "effects": Option("by-stack", ("by-stack", "pooled"), "unit and period effects by sub-experiment, or one set for the stack"),
            "share_variance": Option(False, (True, False), "standard errors of averages include the estimation of the cohorts' shares"),
            "ssc": REGRESSION_INFERENCE["ssc"],
        },
    ),
)
