"""The wording rules: each sentence follows from numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import polars as pl
import pytest

from hinterland.report import caveats, prose, subgroups
from hinterland.report import cohorts as by_cohort
from hinterland.report.record import Estimate, Fit, Pretrend, Record
from hinterland.report.sentences import Sentence, Speaker

Changed = Callable[..., Record]


def estimate(value: float, se: float) -> Estimate:
    p = math.erfc(abs(value / se) / math.sqrt(2))
    return Estimate(value, se, value / se, p, value - 1.96 * se, value + 1.96 * se)


def test_of(p: float) -> Pretrend:
    return Pretrend(9.0, 5.0, math.nan, p, 5, "chi2")


test_of.__test__ = False  # type: ignore[attr-defined]

FACTS = {"n_units": 80, "n_treated": 25, "n_clusters": 80, "cluster": "adcode", "comparison": "never-treated"}


def fit(value: float = 0.2, se: float = 0.05, p_trend: float | None = 0.4, **facts: object) -> Fit:
    return Fit(
        "ln_y",
        "gaussian",
        "callaway-santanna",
        "all",
        "headline",
        "",
        {**FACTS, **facts},
        estimate(value, se),
        None,
        None if p_trend is None else test_of(p_trend),
    )


def keys(sentences: tuple[Sentence, ...]) -> list[str]:
    return [s.key for s in sentences]


@pytest.mark.parametrize(
    ("value", "p_trend", "expected"),
    [
        (0.2, 0.4, "reading.supported"),
        (0.2, 0.01, "reading.rejected-trends"),
        (0.2, None, "reading.untested"),
        (0.05, 0.4, "reading.inconclusive_percent"),
        (0.05, 0.01, "reading.rejected-trends"),
    ],
)
def test_reading_follows_from_estimate_and_pretrends(value: float, p_trend: float | None, expected: str) -> None:
    assert keys(prose.reading(fit(value, p_trend=p_trend), "log")) == [expected]


def test_no_standard_error_no_verdict() -> None:
    bare = Estimate(0.2, math.nan, math.nan, math.nan, math.nan, math.nan)
    assert prose.verdict(bare, test_of(0.5)) == "no-inference"


def test_a_test_that_rejects_elsewhere_makes_the_evidence_mixed() -> None:
    told = replace(test_of(0.4), rivals=(("event-study", 0.028, True), ("ppml", 0.046, False)))
    mixed = replace(fit(), pretrend=told)
    assert keys(prose.reading(mixed, "log")) == ["reading.mixed-trends"]
    assert keys(prose.pretrends(mixed))[-1] == "pretrend.rivals"
    said = {language: Speaker(language).paragraph(prose.headline(mixed, "log")) for language in ("en", "zh")}
    assert "should not be read as the effect" in said["en"]
    assert "p = 0.028" in said["en"].replace("\u00a0", " ")
    assert "不应将其解读为政策效应" in said["zh"]
    weak = replace(fit(0.05), pretrend=told)
    assert keys(prose.reading(weak, "log")) == ["reading.inconclusive_percent"], "there is no effect to be doubted"


def cohort_frame(*cohorts: tuple[int, float, float, int]) -> pl.DataFrame:
    rows = [{"cohort": g, "estimate": b, "p_value": estimate(b, se).p_value, "n_treated": n} for g, b, se, n in cohorts]
    return pl.DataFrame(rows)


def test_an_average_carried_by_some_cohorts_is_said_to_be() -> None:
    few = by_cohort.sentences(cohort_frame((2010, 1.4, 0.3, 8), (2012, 0.06, 0.1, 4), (2014, 0.1, 0.2, 6)))
    assert keys(few) == ["cohorts.some"]
    assert "2010 (8 of 18 treated units)" in Speaker("en").paragraph(few)
    assert keys(by_cohort.sentences(cohort_frame((2010, 1.4, 0.3, 8), (2012, 1.0, 0.1, 4)))) == ["cohorts.all"]
    assert keys(by_cohort.sentences(cohort_frame((2010, 0.1, 0.3, 8), (2012, 0.1, 0.1, 4)))) == ["cohorts.none"]


def test_rejected_trends_are_never_called_an_effect_of_the_policy() -> None:
    said = {language: Speaker(language).paragraph(prose.headline(fit(p_trend=0.001), "log")) for language in ("en", "zh")}
    assert "must not be read as an effect" in said["en"]
    assert "不能解读为政策效应" in said["zh"]
    assert "is it the effect of the policy" not in said["en"]


@pytest.mark.parametrize(
    ("robust", "static", "expected"),
    [
        ((0.2, 0.05), (0.18, 0.05), "agree"),
        ((0.2, 0.05), (-0.2, 0.05), "sign"),
        ((0.2, 0.05), (0.5, 0.05), "size"),
        ((0.2, 0.05), (0.12, 0.2), "significance"),
        ((0.02, 0.05), (-0.02, 0.05), "both-near-zero"),
    ],
)
def test_agreement_of_estimators(robust: tuple[float, float], static: tuple[float, float], expected: str) -> None:
    assert prose.agreement(estimate(*robust), estimate(*static)) == expected


def test_per_cent_is_exact_and_poisson_speaks_of_counts() -> None:
    english = Speaker("en")
    assert "+22.1%" in english.sentence(prose.magnitude(estimate(0.2, 0.05), "log"))
    assert "expected count differs by +22.1%" in english.sentence(prose.magnitude(estimate(0.2, 0.05), "poisson"))
    assert "%" not in english.sentence(prose.magnitude(estimate(0.2, 0.05), "level")).replace("95%", "")


@pytest.mark.parametrize(("share", "expected"), [(0.0, "bacon.none"), (0.05, "bacon.small"), (0.3, "bacon.material")])
def test_forbidden_comparisons(share: float, expected: str) -> None:
    summary = pl.DataFrame({"type": ["treated-vs-never", "later-vs-earlier"], "weight": [1 - share, share], "average": [0.2, 0.1]})
    assert keys(prose.decomposition(summary))[-1] == expected


def test_placebo_in_space_names_a_disagreement_with_the_clustered_p() -> None:
    row: dict[str, object] = {"estimate": 0.2, "draws": 999, "sd_draws": 0.1, "p_exact": 0.2, "method": "twfe"}
    assert keys(prose.placebo_space(row, estimate(0.2, 0.05))) == ["placebo.space", "placebo.common", "placebo.differs"]
    assert keys(prose.placebo_space({**row, "p_exact": 0.001}, estimate(0.2, 0.05))) == ["placebo.space", "placebo.rare"]


def test_placebo_in_time() -> None:
    quiet = [{"shift": 2, "estimate": 0.01, "p_value": 0.6}, {"shift": 3, "estimate": 0.02, "p_value": 0.5}]
    assert keys(prose.placebo_time(quiet)) == ["placebo.time_quiet"]
    found = prose.placebo_time([*quiet, {"shift": 4, "estimate": 0.2, "p_value": 0.01}])
    assert keys(found) == ["placebo.time_found"]
    assert found[0].values["shift"] == "4"


def test_leads_left_out_of_the_test_are_counted() -> None:
    said = prose.pretrends(replace(fit(), pretrend=replace(test_of(0.5), n_thin=2)))
    assert keys(said) == ["pretrend.chi2", "pretrend.left_out", "pretrend.not_rejected"]
    assert said[1].values["out"] == "2"
    assert keys(prose.pretrends(fit(p_trend=0.001))) == ["pretrend.chi2", "pretrend.rejected"]


def test_caveats_follow_the_numbers(changed: Changed) -> None:
    calm = keys(caveats.caveats(changed(), "ln_inventions"))
    assert calm[0] == "caveat.simulated"
    assert "caveat.trends_bounded" in calm
    assert "caveat.forbidden" in calm
    assert "caveat.log1p_same" in calm
    assert "caveat.few_treated" not in calm
    assert not any(k.startswith("caveat.estimators") for k in calm)


def test_caveats_on_bad_numbers(changed: Changed) -> None:
    bad = keys(caveats.caveats(changed(simulated=False, p_trend=0.001, static=-0.3, poisson=-0.2, forbidden=0.01), "ln_inventions"))
    assert {"caveat.trends_rejected", "caveat.estimators_sign", "caveat.log1p_opposite"} <= set(bad)
    assert "caveat.forbidden" not in bad
    assert "caveat.large" not in bad
    assert "caveat.simulated" not in bad


def test_a_large_estimate_is_not_taken_at_face_value(changed: Changed) -> None:
    assert "caveat.large" in keys(caveats.caveats(changed(robust=0.8), "ln_inventions"))


def test_few_treated_units_are_read_by_permutation(record: Record) -> None:
    group = record.chosen(roles=("subgroup",), sample=None)[0]
    assert group.facts["n_treated"] == 2
    assert keys(subgroups.sentences(record, group)) == ["subgroups.estimate", "subgroups.few_exact_null"]


def test_design_facts_state_what_is_needed() -> None:
    said = keys(prose.design_facts(fit(covariates="ln_gdp + share2", weights="pop", anticipation=1)))
    assert said == ["estimand.att", "comparison.never-treated", "sample", "vcov.cluster", "covariates.some", "weights.some", "anticipation"]


def test_every_sentence_can_be_said_in_both_languages(changed: Changed) -> None:
    from hinterland.report.chapters import document

    for numbers in product((0.001, 0.5), (-0.3, 0.17)):
        record = changed(p_trend=numbers[0], static=numbers[1])
        for language in ("en", "zh"):
            doc = document(record, language)
            assert all("{" not in doc.speaker.paragraph(b.sentences) for b in doc.blocks() if hasattr(b, "sentences"))
