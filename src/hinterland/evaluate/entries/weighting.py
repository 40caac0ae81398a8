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
)
