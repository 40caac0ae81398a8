"""Estimators that choose weights: efficient under random timing, synthetic difference-in-differences."""

from __future__ import annotations

from hinterland.evaluate.method import Method, Option

ENTRIES: tuple[Method, ...] = (
    Method(
        "efficient",
        "Efficient estimation under random timing",
        "Roth & Sant'Anna (2023), Journal of Political Economy Microeconomics 1(4)",
        "hinterland.evaluate.efficient",
        ("gaussian",),
        frozenset({"not-yet-treated", "always-treated"}),
        {
            "estimand": Option(
                "event-time",
                ("event-time", "overall", "cohort", "calendar", "group-time", "cohort-average", "calendar-average"),
                "what the adjustment is chosen for, and what a term is",
            ),
            "beta": Option(None, (), "coefficient of outcomes before treatment; None: efficient; 1: difference-in-differences; 0: levels"),
            "controls": Option("not-yet-treated", ("not-yet-treated", "last-treated"), "cohorts compared with"),
            "contrasts": Option("did", ("did", "all"), "comparisons before treatment that are adjusted for"),
            "variance": Option("adjusted", ("adjusted", "neyman"), "adjusted for outcomes before treatment, or Neyman's"),
        },
    ),
    Method(
        "sdid",
        "Synthetic difference-in-differences",
        "Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12); Clarke, Pailañir, Athey & Imbens (2023)",
        "hinterland.evaluate.sdid",
        ("gaussian",),
        frozenset({"covariates", "not-yet-treated"}),
        {
            "estimator": Option("sdid", ("sdid", "sc", "did"), "synthetic difference-in-differences, synthetic control, or equal weights"),
            "estimand": Option("group-time", ("group-time", "overall", "event-time", "cohort", "calendar"), "what a term is"),
            "solver": Option("exact", ("exact", "frank-wolfe"), "exact weights, or those where R's synthdid stops"),
            "variance": Option("auto", ("auto", "jackknife", "placebo", "bootstrap", "none"), "auto: the first that is possible"),
            "draws": Option(200, (), "draws of placebo and bootstrap"),
            "draw_seed": Option(0, (), "seed of the draws"),
        },
    ),
)
