"""Estimators that predict the untreated outcome: imputation, two-stage, matrix completion."""

from __future__ import annotations

from hinterland.evaluate.method import INFLUENCE_INFERENCE, Method, Option

_ACCEPTS = frozenset({"covariates", "weights", "anticipation", "unbalanced", "fixed-effects", "not-yet-treated", "two-way-clusters"})

ENTRIES = (
    Method(
        "imputation",
        "Imputation of untreated outcomes",
        "Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6)",
        "hinterland.evaluate.imputation",
        ("gaussian",),
        _ACCEPTS,
        {
            **INFLUENCE_INFERENCE,
            "variance_groups": Option(
                "cohort-period",
                ("cohort-period", "cohort", "event-time", "period", "all"),
                "treated rows whose effects are compared in the variance",
            ),
            "variance_means": Option("observation", ("observation", "cluster"), "how means in the variance weigh rows"),
            "leave_one_out": Option(False, (False, True), "compare each cluster with the others' mean in the variance"),
            "influence_of": Option("exact", ("exact", "didimputation"), "standard errors under weights: exact, or as in R's didimputation"),
            "pretrends": Option(0, (), "leads of the pre-trend test on untreated rows; the result is then by event time"),
        },
    ),
    Method(
        "two-stage",
        "Two-stage difference-in-differences",
        "Gardner (2021), arXiv 2207.05943",
        "hinterland.evaluate.two_stage",
        ("gaussian",),
        _ACCEPTS,
        {
            **INFLUENCE_INFERENCE,
            "second_stage": Option("group-time", ("group-time", "event-study", "static"), "indicators of the second stage"),
            "leads": Option(False, (False, True), "include first-stage residuals of periods before adoption"),
        },
    ),
    Method(
        "matrix-completion",
        "Matrix completion",
        "Athey, Bayati, Doudchenko, Imbens & Khosravi (2021), Journal of the American Statistical Association 116(536)",
        "hinterland.evaluate.matrix_completion",
        ("gaussian",),
        frozenset({"covariates", "anticipation", "unbalanced", "not-yet-treated"}),
        {
            "penalty": Option(None, (), "weight of the nuclear norm; None: by cross-validation"),
            "folds": Option(5, (), "parts of the untreated cells held out in cross-validation"),
            "penalties": Option(20, (), "number of penalties tried"),
            "replicates": Option(200, (), "jackknife: clusters are left out one by one up to this number of clusters, in groups beyond"),
            "cv_seed": Option(1, (), "of the held-out parts and of the jackknife's groups"),
        },
    ),
)
