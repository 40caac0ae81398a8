"""Estimators that average comparisons by cohort and period."""

from __future__ import annotations

from hinterland.evaluate.method import INFLUENCE_INFERENCE, Method, Option

ENTRIES = (
    Method(
        "callaway-santanna",
        "Group-time average treatment effects",
        "Callaway & Sant'Anna (2021), Journal of Econometrics 225(2); Sant'Anna & Zhao (2020), Journal of Econometrics 219(1)",
        "hinterland.evaluate.callaway_santanna",
        ("gaussian",),
        frozenset(
            {"covariates", "weights", "anticipation", "unbalanced", "repeated-cross-sections", "not-yet-treated", "two-way-clusters"}
        ),
        {
            **INFLUENCE_INFERENCE,
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
