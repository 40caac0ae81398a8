"""Estimators that compare switchers with stayers: de Chaisemartin–D’Haultfœuille, local projections."""

from __future__ import annotations

from hinterland.evaluate.method import INFLUENCE_INFERENCE, REGRESSION_INFERENCE, Method, Option

ENTRIES: tuple[Method, ...] = (
    Method(
        "dcdh",
        "Intertemporal effects of a treatment that may switch on and off",
        "de Chaisemartin & D'Haultfœuille (2024), Review of Economics and Statistics",
        "hinterland.evaluate.dcdh",
        ("gaussian",),
        frozenset(
            {"covariates", "weights", "unbalanced", "not-yet-treated", "always-treated", "non-absorbing", "dose", "two-way-clusters"}
        ),
        {
            **INFLUENCE_INFERENCE,
            "effects": Option(None, (), "periods after the first change, counted from 1 (None: all that can be estimated)"),
            "placebos": Option(None, (), "periods before it, as many (None: all that can be estimated)"),
            "switchers": Option("both", ("both", "in", "out"), "units whose treatment first rises, falls, or both"),
            "normalized": Option(False, (False, True), "divide by the change of treatment cumulated up to the period"),
            "same_switchers": Option(False, (False, True), "only units for which every effect can be estimated"),
            "same_switchers_placebos": Option(
                False, (False, True), "for the placebos, only units for which every placebo can be estimated"
            ),
            "only_never_switchers": Option(False, (False, True), "compare with units that never change only"),
            "trends_nonparam": Option(None, (), "column(s): compare only units with the same values", column=True, several=True),
            "trends_lin": Option(False, (False, True), "a linear trend for each unit"),
            "keep_bidirectional": Option(
                False, (False, True), "keep periods from which on treatment has been both above and below its first value"
            ),
            "less_conservative_se": Option(False, (False, True), "demean switchers among those with the same treatments so far"),
        },
    ),
    Method(
        "lp-did",
        "Local projections difference-in-differences",
        "Dube, Girardi, Jordà & Taylor (2023), NBER working paper 31184",
        "hinterland.evaluate.lp_did",
        ("gaussian",),
        frozenset({"covariates", "weights", "unbalanced", "not-yet-treated", "non-absorbing"}),
        {
            "pre_window": Option(None, (), "periods before entry (None: all)"),
            "post_window": Option(None, (), "periods after entry (None: all)"),
            "reweight": Option(False, (False, True), "entries count alike, not with the variance of entry in their period"),
            "never_treated": Option(False, (False, True), "controls are never treated, not only not yet"),
            "pmd": Option(None, (), "compare with the mean of so many periods before entry, or of all ('max')"),
            "ylags": Option(0, (), "lags of the outcome as covariates"),
            "dylags": Option(0, (), "lags of its change as covariates"),
            "covariate_period": Option("base", ("base", "entry"), "covariates of the period before entry, or of that of entry"),
            "nocomp": Option(False, (False, True), "the same entries and controls at every horizon"),
            "nonabsorbing": Option(None, (), "treatment may be switched off: periods without another change that make a unit clean"),
            "notyet": Option(False, (False, True), "with nonabsorbing: controls are not yet treated"),
            "firsttreat": Option(False, (False, True), "with nonabsorbing: only first entries"),
            "pooled": Option(False, (False, True), "one effect over the periods after entry and one over those before"),
            "ssc": REGRESSION_INFERENCE["ssc"],
        },
    ),
)
