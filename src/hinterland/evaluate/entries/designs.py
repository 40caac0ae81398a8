"""Estimators for other designs: doses, triple differences, spillovers."""

from __future__ import annotations

from hinterland.evaluate.method import INFLUENCE_INFERENCE, REGRESSION_INFERENCE, Method, Option

ENTRIES: tuple[Method, ...] = (
    Method(
        "dose",
        "Difference-in-differences with a dose",
        "Callaway, Goodman-Bacon & Sant'Anna (2024), NBER Working Paper 32117",
        "hinterland.evaluate.dose",
        ("gaussian",),
        frozenset({"covariates", "weights", "anticipation", "unbalanced", "not-yet-treated", "dose", "two-way-clusters"}),
        {
            **INFLUENCE_INFERENCE,
            "dose": Option(
                None, (), "column with the dose of treated units (None: the share of the unit that the policy covers)", column=True
            ),
            "target": Option("level", ("level", "slope", "both"), "ATT, ACRT, or both (by dose only)"),
            "by": Option("dose", ("dose", "group-time"), "a curve over doses, or means over doses by cohort and period"),
            "basis": Option("spline", ("spline", "levels", "bins"), "how effects vary with the dose"),
            "degree": Option(3, (), "of the spline"),
            "knots": Option(0, (), "inner knots of the spline: how many, at quantiles, or where"),
            "bins": Option(4, (), "steps: how many, at quantiles, or their edges"),
            "grid": Option(None, (), "doses at which the curve is told (None: deciles)"),
            "average": Option("cohort", ("cohort", "cell"), "cohorts' means by share, or all treated cohort-periods by share"),
            "base_period": Option("varying", ("varying", "universal"), "as in callaway-santanna"),
        },
    ),
    Method(
        "triple",
        "Triple differences",
        "Ortiz-Villavicencio & Sant'Anna (2025), arXiv 2505.09942; Olden & Møen (2022), Econometrics Journal 25(3)",
        "hinterland.evaluate.triple",
        ("gaussian",),
        frozenset({"covariates", "weights", "anticipation", "unbalanced", "not-yet-treated", "fixed-effects", "two-way-clusters"}),
        {
            **REGRESSION_INFERENCE,
            "partition": Option(None, (), "column: 1 for units the policy is meant for, 0 for the others of the same places", column=True),
            "estimator": Option("group-time", ("group-time", "regression"), "staggered adoption, or one regression for one date"),
            "est_method": Option("dr", ("dr", "ipw", "or"), "as in callaway-santanna"),
            "base_period": Option("varying", ("varying", "universal"), "as in callaway-santanna"),
            "trim": Option(0.995, (), "as in callaway-santanna"),
            "place": Option(None, (), "regression: column whose effects by period are absorbed (None: cohorts)", column=True),
            "industry": Option(None, (), "regression: column whose effects by period are absorbed (None: the partition)", column=True),
            "event_study": Option(False, (False, True), "regression: leads and lags instead of one effect"),
            "reference": Option(-1, (), "regression: event time normalised to zero"),
        },
    ),
    Method(
        "spillover",
        "Spatial difference-in-differences",
        "Butts (2021), arXiv 2105.03737; Delgado & Florax (2015), Economics Letters 137; Lee & Yu (2010), Journal of Econometrics 154(2)",
        "hinterland.evaluate.spillover",
        ("gaussian",),
        frozenset({"covariates", "weights", "anticipation", "unbalanced", "fixed-effects", "two-way-clusters", "dose"}),
        {
            **REGRESSION_INFERENCE,
            "exposure": Option("rings", ("rings", "neighbours"), "rings around treated units, or the share of neighbours treated"),
            "rings": Option((50.0, 100.0), (), "kilometres: breakpoints, or pairs"),
            "neighbours": Option(None, (), "table with columns unit, neighbour, weight (None: by distance)"),
            "nearest": Option(4, (), "nearest units that are neighbours (0: all within within_km)"),
            "within_km": Option(None, (), "kilometres within which neighbours lie (None: any distance)"),
            "decay": Option(0.0, (), "weights fall with distance to this power"),
            "channels": Option(
                None, (), "named exposures with rules of their own, and units among which each may have an effect (from Python)"
            ),
            "on_treated": Option(None, ("no", "apart", "same"), "spillovers on treated units (None: no; sdm: same)"),
            "estimator": Option(
                "two-stage", ("two-stage", "twfe", "sdm"), "clean rows predict untreated outcomes, one regression, or spatial Durbin model"
            ),
            "effect": Option("channels", ("channels", "event-study", "direct"), "what is told"),
            "leads": Option(3, (), "event-study: periods before adoption and exposure"),
            "lag_covariates": Option(None, (False, True), "twfe, sdm: the neighbours' mean of each covariate, too (None: sdm only)"),
            "likelihood": Option("transformation", ("transformation", "direct"), "sdm: of data freed from fixed effects, or of all rows"),
            "average": Option("units", ("units", "treated"), "sdm: effects of treating any unit, or those that were treated"),
        },
    ),
)
