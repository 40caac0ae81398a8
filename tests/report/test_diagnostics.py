"""The chapters on the completed engine: what each table of the record makes the report say, in either language."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from synthetic import ALL, DIAGNOSED, write_record

import hinterland as hl
from hinterland.labels import LANGUAGES, catalogue
from hinterland.report import bounds, caveats, displacement, estimators, leave_out, recommendations, sensitivity, small_sample, uncertainty
from hinterland.report.answer import answer
from hinterland.report.blocks import Chart, Document, Prose
from hinterland.report.chapters import document
from hinterland.report.panels import common_range, event_grid
from hinterland.report.record import Record, read_record
from hinterland.report.sentences import Sentence, Speaker
from hinterland.report.table import Table

OUTCOME = "ln_inventions"

Changed = Callable[..., Record]


@pytest.fixture(scope="module")
def whole(record: Record) -> Document:
    """The report of the record with every table, in English."""
    return document(record, "en")


def keys(sentences: tuple[Sentence, ...]) -> list[str]:
    return [s.key for s in sentences]


def told(record: Record) -> list[str]:
    head = record.headline(OUTCOME)
    assert head is not None
    return keys(answer(record, head))


def without(record: Record, *names: str) -> Record:
    return Record(record.folder, record.run, {k: v for k, v in record.tables.items() if k not in names})


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_estimator_has_its_names(language: str) -> None:
    known = catalogue(language)  # type: ignore[arg-type]
    absent = [f"{s}.{m}" for m in hl.methods()["id"] for s in ("method", "method_short", "method_note") if f"{s}.{m}" not in known]
    assert absent == []


def test_every_covariance_and_comparison_has_its_words() -> None:
    from hinterland.evaluate.methods import METHODS

    kinds = {str(v) for m in METHODS.values() for name in ("vcov", "variance") if name in m.options for v in m.options[name].values}
    kinds = (kinds - {"auto"}) | {"jackknife"}
    assert sorted(k for k in kinds for prefix in ("vcov", "sentence.vcov") if f"{prefix}.{k}" not in catalogue("en")) == []
    compared = {k.split(".")[1] for k in catalogue("en") if k.startswith("comparison_short.")}
    assert sorted(c for c in compared if f"sentence.comparison.{c}" not in catalogue("en")) == []


@pytest.mark.parametrize(
    ("facts", "en", "zh"),
    [
        ({"vcov": "cluster", "cluster": "adcode", "n_clusters": 80}, "clustered by city (80 clusters)", "按城市聚类（80 个聚类）"),
        ({"vcov": "cluster", "cluster": "adcode + year", "n_clusters": 15}, "clustered by city and year (15 clusters)", "按城市和年份聚类"),
        ({"vcov": "cluster", "cluster": ["adcode"], "n_clusters": 80}, "clustered by city (80 clusters)", "按城市聚类"),
        ({"vcov": "CR2", "cluster": "adcode", "n_clusters": 80}, "CR2 correction for leverage", "以 CR2 校正"),
        (
            {"vcov": "CR3", "cluster": "adcode", "n_clusters": 80},
            "a jackknife over 80 clusters by city (CR3)",
            "聚类刀切法（CR3，80 个聚类）",
        ),
        (
            {"vcov": "CR3", "cluster": "adcode + year", "n_clusters": 15},
            "by city and year (CR3; 15 clusters",
            "按城市和年份的聚类刀切法（CR3，聚类最少",
        ),
        ({"vcov": "conley", "cutoff_km": 300.0}, "up to 300 km apart", "相距 300 公里以内"),
        ({"vcov": "conley"}, "lie near each other", "邻近单位"),
        ({"vcov": "driscoll-kraay", "lag": 2}, "over 2 period(s)", "2 期以内"),
        ({"vcov": "placebo"}, "those of placebos", "安慰剂"),
        ({"vcov": "a-new-kind"}, "of the kind “a-new-kind”", "a-new-kind"),
    ],
)
def test_standard_errors_are_called_what_they_are(facts: dict[str, object], en: str, zh: str) -> None:
    sentence = uncertainty.sentence(facts)
    assert sentence is not None
    assert en in Speaker("en").sentence(sentence)
    assert zh in Speaker("zh").sentence(sentence)


def test_a_table_note_tells_kinds_of_standard_error_apart(record: Record) -> None:
    words = uncertainty.of_all(Speaker("en"), estimators.fits_of(record, OUTCOME))
    assert words.startswith("clustered by city; ")
    assert "SDID: placebos on controls" in words
    assert uncertainty.of_all(Speaker("en"), estimators.fits_of(record, OUTCOME)[:2]) == "clustered by city"


def test_estimators_are_compared_with_the_headline(record: Record, whole: Document) -> None:
    fits = estimators.fits_of(record, OUTCOME)
    assert [f.method for f in fits[:2]] == ["callaway-santanna", "twfe"]
    assert keys(estimators.sentences(fits)) == ["methods.range", "methods.one_sign", "methods.inside", "methods.samples"]
    table = next(t for t in whole.tables() if t.key == "methods")
    assert len(table.rows) == len(fits) == 9
    assert table.rows[0].cells[0] == "Callaway–Sant'Anna"
    assert "design-based" in table.rows[-1].cells[-1]


def test_estimates_outside_the_headline_interval_are_named(changed: Changed) -> None:
    fits = estimators.fits_of(changed(static=-0.4), OUTCOME)
    said = estimators.sentences(fits)
    assert {"methods.two_signs", "methods.outside"} <= set(keys(said))
    assert "TWFE" in Speaker("en").paragraph(said)
    assert estimators.disagree_in_sign(fits)
    assert "caveat.methods_signs" in keys(caveats.caveats(changed(static=-0.4), OUTCOME))


def test_effects_on_another_scale_stand_apart(record: Record) -> None:
    counts = record.headline("inventions")
    assert counts is not None
    fits = [counts, *estimators.fits_of(record, "quality")]
    assert estimators.comparable(record, fits) == [counts]
    table = estimators.methods_table(record, Speaker("en"), [fits], key="x", title="x")
    assert [r.cells[0] for r in table.rows if r.kind == "head"] == ["On the outcome's own scale"]


def test_many_event_studies_get_a_panel_each(record: Record) -> None:
    series = {f.method: f.events for f in estimators.fits_of(record, OUTCOME) if f.events is not None}
    assert len(series) > 3
    figure = event_grid(series, Speaker("zh"), unit="x", headline="callaway-santanna")
    assert len([a for a in figure.axes if a.get_title(loc="left")]) == len(series)


def test_one_wild_estimate_does_not_stretch_the_common_axis(record: Record) -> None:
    series = {f.method: f.events for f in estimators.fits_of(record, OUTCOME) if f.events is not None}
    wild = series["dcdh"].with_columns(pl.when(pl.col("event_time") == -6).then(40.0).otherwise(pl.col("estimate")).alias("estimate"))
    low, high = common_range({**series, "dcdh": wild}, "callaway-santanna")
    assert -1 < low < 0 < high < 1


def test_what_the_conclusion_survives_follows_the_estimate(changed: Changed) -> None:
    assert told(changed()) == ["headline.intro", "magnitude.log1p", "reading.supported", "sensitivity.brief_above", "beside.agree"]
    assert "sensitivity.brief_below" in told(changed(breakdown=0.4))
    assert "sensitivity.brief_never" in told(changed(breakdown=math.nan))
    assert "sensitivity.brief_beyond" in told(changed(breakdown=math.inf))
    assert told(changed(tables=tuple(t for t in ALL if t not in DIAGNOSED)))[2:] == ["reading.supported", "beside.agree"]


@pytest.mark.parametrize(("at_one", "breakdown", "side"), [(0.02, 1.3, "clear above"), (-0.2, 0.4, "zero below")])
def test_rejected_trends_are_led_by_the_sensitivity_result(changed: Changed, at_one: float, breakdown: float, side: str) -> None:
    record = changed(p_trend=0.001, at_one=at_one, breakdown=breakdown)
    first, second = side.split()
    known = ["lead.taken", "magnitude.log1p", "beside.agree"]
    assert told(record) == ["lead.rejected", f"bounded.{first}", f"sensitivity.breakdown_{second}", *known]
    doc = document(record, "en")
    lead = next(p for p in doc.summary if p.style == "lead")
    assert doc.speaker.paragraph(lead.sentences).startswith("Before adoption, treated and comparison units were already on different paths")
    assert "must not be read as an effect" in doc.speaker.paragraph(lead.sentences)


def test_breakdown_values_are_read_as_they_were_written(changed: Changed) -> None:
    first = bounds.bounds(changed(breakdown=math.inf), OUTCOME)[0]
    assert first.kind == "relative-magnitude"
    assert math.isinf(first.breakdown)
    assert math.isnan(bounds.bounds(changed(breakdown=math.nan), OUTCOME)[0].breakdown)
    groups = bounds.bounds(changed(), OUTCOME)
    assert [(b.method, b.kind) for b in groups] == [
        ("callaway-santanna", "relative-magnitude"),
        ("callaway-santanna", "smoothness"),
        ("event-study", "relative-magnitude"),
    ]
    assert groups[0].deviating["value"].to_list() == [0.5, 1.0, 1.5, 2.0]
    assert groups[1].deviating["value"][0] == 0.0, "a change of slope of 0 is not parallel trends"


def test_a_trend_that_the_test_misses_is_held_against_the_estimate(changed: Changed) -> None:
    drift = 0.01 * np.mean(np.arange(1, 10))
    rows = sensitivity.power_rows(changed(), OUTCOME)
    assert rows[0]["drift"] == pytest.approx(drift)
    assert not sensitivity.misses_the_estimate(changed(), OUTCOME)
    record = changed(slope=0.05)
    assert sensitivity.misses_the_estimate(record, OUTCOME)
    assert "caveat.power_over" in keys(caveats.caveats(record, OUTCOME))
    assert not sensitivity.misses_the_estimate(changed(slope=0.05, p_trend=0.001), OUTCOME), "a test that rejects missed nothing"


def in_sample(record: Record, method: str = "callaway-santanna") -> list[str]:
    rows = small_sample.rows_by_method(record, OUTCOME)[method]
    return keys(small_sample.sentences(method, rows, small_sample.usual(record, OUTCOME, method)))


def test_the_inference_to_rely_on_follows_from_the_clusters(changed: Changed) -> None:
    assert in_sample(changed()) == ["small.facts_effective", "small.rely_wild", "small.same"]
    assert in_sample(changed(p_wild=0.2)) == ["small.facts_effective", "small.rely_wild", "small.differs"]
    assert in_sample(changed(treated_clusters=4)) == ["small.facts_effective", "small.rely_few", "small.same"]
    assert in_sample(changed(effective=60)) == ["small.facts_effective", "small.rely_usual", "small.checks"]
    assert in_sample(changed(effective=60, p_wild=0.2))[-1] == "small.checks_differ"
    assert "caveat.small_differs" in keys(caveats.caveats(changed(p_wild=0.2), OUTCOME))


def test_no_procedure_for_few_treated_clusters_is_said(changed: Changed) -> None:
    rows = [{**r, "n_treated_clusters": 3} for r in small_sample.rows_by_method(changed(), OUTCOME)["twfe"]]
    assert keys(small_sample.sentences("twfe", rows, None))[-1] == "small.absent_few"


def test_an_estimate_that_rests_on_one_group_is_said_to(changed: Changed) -> None:
    calm = leave_out.groups(changed(), OUTCOME)
    assert [g.by for g in calm] == ["cohort", "cluster"]
    assert keys(leave_out.sentences(changed(), calm[0])) == ["leave_out.range", "leave_out.stable"]
    record = changed(alone=0.02)
    found = leave_out.groups(record, OUTCOME)[0]
    assert leave_out.decisive(found) == {"sign": [], "lost": ["2010"], "gained": []}
    assert "caveat.leave_out_decides" in keys(caveats.caveats(record, OUTCOME))
    assert keys(leave_out.sentences(changed(alone=-0.1), leave_out.groups(changed(alone=-0.1), OUTCOME)[0]))[1] == "leave_out.sign"


def test_many_groups_are_ranked_and_the_table_says_so(record: Record, whole: Document) -> None:
    table = next(t for t in whole.tables() if t.key == "leave-out-cluster")
    assert len(table.rows) == leave_out.TABLED + 1
    assert "the record holds all 80" in table.notes[-1]
    assert Speaker("zh").value(leave_out.group_name(record, "340100")) == "城市1"


def test_what_the_data_call_for_is_set_against_what_was_done(record: Record) -> None:
    rows = recommendations.rows_of(record, OUTCOME)
    said, against = recommendations.sentences(record, OUTCOME, rows)
    assert keys(said) == ["recommendations.same", "recommendations.instead", "recommendations.absent", "recommendations.table"]
    assert "matrix completion" in Speaker("en").sentence(said[2])
    assert "wild" not in Speaker("en").sentence(said[2])
    assert against == ()
    rows[0] = {**rows[0], "id": "dcdh"}
    rows[2] = {**rows[2], "id": "callaway-santanna"}
    said, against = recommendations.sentences(record, OUTCOME, rows)
    assert said[0].key == "recommendations.other"
    assert keys(against) == ["recommendations.avoid"]


@pytest.mark.parametrize("verdict", ["not-told-apart", "partly-displaced", "net-loss", "gained", "no-evidence"])
def test_displacement_is_said_with_what_is_not_identified(record: Record, whole: Document, verdict: str) -> None:
    rows = {q: {**r, "verdict": verdict} for q, r in displacement.rows_of(record, OUTCOME).items()}
    said = displacement.sentences(rows)
    lost = verdict in ("not-told-apart", "partly-displaced", "net-loss")
    assert keys(said) == [f"displacement.{verdict}", *(["displacement.share"] if lost else [])]
    assert all("{" not in Speaker(language).paragraph(said) for language in LANGUAGES)
    chapter = next(c for c in whole.chapters if c.key == "displacement")
    prose = [keys(b.sentences) for b in chapter.blocks if isinstance(b, Prose)]
    assert ["displacement.identified", "displacement.not_identified"] in prose
    assert "caveat.displacement_estimated" in keys(caveats.caveats(record, OUTCOME))


@pytest.mark.parametrize("name", DIAGNOSED)
def test_each_table_may_be_absent(record: Record, whole: Document, name: str) -> None:
    partly = document(without(record, name), "en")
    shapes = [{b.key for b in d.blocks() if isinstance(b, Chart | Table)} for d in (whole, partly)]
    assert shapes[1] < shapes[0]
    words = " ".join(partly.speaker.paragraph(b.sentences) for b in partly.blocks() if isinstance(b, Prose))
    assert re.findall(r"(?:Table|Figure) \?", words) == []


@pytest.mark.parametrize(
    "numbers", [{}, {"p_trend": 0.001, "at_one": -0.2}, {"treated_clusters": 4, "alone": -0.1}, {"breakdown": math.nan}]
)
def test_both_languages_say_the_same_numbers(tmp_path: Path, numbers: dict[str, float]) -> None:
    record = read_record(write_record(tmp_path, **numbers))
    docs = [document(record, language) for language in LANGUAGES]
    for english, chinese in zip(docs[0].blocks(), docs[1].blocks(), strict=True):
        assert type(english) is type(chinese)
        if isinstance(english, Prose) and isinstance(chinese, Prose):
            words = [d.speaker.paragraph(b.sentences) for d, b in zip(docs, (english, chinese), strict=True)]
            found = [sorted(re.findall(r"\d+\.\d+", w)) for w in words]
            assert found[0] == found[1], words
            assert "{" not in "".join(words)


def test_a_sensitivity_has_a_plot() -> None:
    from hinterland.evaluate.sensitivity import sensitivity as analyse
    from hinterland.report.figures import plot_sensitivity

    world = hl.simulate(seed=0)
    found = analyse(hl.estimate(world.panel, OUTCOME, world.policy, method="event-study", lags=4, leads=-4), grid=[0.5, 1.0])
    assert isinstance(found.plot(), Figure)
    assert "平行" in plot_sensitivity(found, language="zh").axes[0].get_xticklabels()[0].get_text()
