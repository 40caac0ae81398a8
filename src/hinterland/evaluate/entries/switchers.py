"""Estimators that compare switchers with stayers: de Chaisemartin–D’Haultfœuille, local projections."""

from __future__ import annotations

from hinterland.evaluate.method import Method, Option

ENTRIES: tuple[Method, ...] = (
    Method(
        "dcdh",
        "Intertemporal effects of a treatment that may switch on and off",
        "de Chaisemartin & D'Haultfœuille (2024), Review of Economics and Statistics",
        "hinterland.evaluate.dcdh",
        ("gaussian",),
        frozenset({"covariates", "weights", "unbalanced", "not-yet-treated", "always-treated", "non-absorbing", "dose"}),
        {
            "effects": Option(None, (), "periods after the first change, counted from 1 (None: all that can be estimated)"),
            "placebos": Option(None, (), "periods before it, as many (None: all that can be estimated)"),
            "switchers": Option("both", ("both", "in", "out"), "units whose treatment first rises, falls, or both"),
            "normalized": Option(False, (False, True), "divide by the change of treatment cumulated up to the period"),
            "same_switchers": Option(False, (False, True), "only units for which every effect can be estimated"),
            "same_switchers_placebos": Option(
                False, (False, True), "for the placebos, only units for which every placebo can be estimated"
            ),
            "only_never_switchers": Option(False, (False, True), "compare with units that never change only"),
            "trends_nonparam": Option(None, (), "column(s): compare only units with the same values", column=True),
            "trends_lin": Option(False, (False, True), "a linear trend for each unit"),
            "keep_bidirectional": Option(
                False, (False, True), "keep periods from which on treatment has been both above and below its first value"
            ),
            "less_conservative_se": Option(False, (False, True), "demean switchers among those with the same treatments so far"),
        },
    ),
)
