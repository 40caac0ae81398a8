"""Figures: what is drawn, its data, its bytes, and the font it is drawn with."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from hinterland.evaluate.result import Effects, Terms
from hinterland.labels import LANGUAGES, Language, catalogue, text
from hinterland.report.charts import density
from hinterland.report.compare import compare
from hinterland.report.figures import plot_data, plot_effects
from hinterland.report.record import Record
from hinterland.report.sentences import Speaker, spaced, term_name
from hinterland.report.style import draw, embedded_font, inline


def effects(aggregation: str = "event-time", outcome: str = "ln_inventions") -> Effects:
    place = np.arange(-3, 4)
    where = {"event-time": "event_time", "cohort": "cohort", "calendar": "time", "group-time": "time"}.get(aggregation)
    columns = {} if where is None else {where: place}
    if aggregation == "group-time":
        columns["cohort"] = np.repeat([2010, 2012], [4, 3])
    terms = Terms.make(tuple(f"t{k}" for k in place), reference=place == -1, n_treated=np.full(7, 9), **columns)
    rng = np.random.default_rng(1)
    influence = rng.normal(0, 0.01, (40, 7))
    meta = {"n_obs": 600, "n_units": 40, "cluster": "adcode"}
    return Effects(
        "callaway-santanna",
        outcome,
        aggregation,
        terms,
        np.linspace(-0.1, 0.3, 7),
        influence.T @ influence,
        influence,
        np.array([str(k) for k in range(40)]),
        meta=meta,
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("aggregation", ["event-time", "cohort", "calendar", "group-time", "overall", "coefficient"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_aggregation_has_a_plot(aggregation: str, language: str) -> None:
    figure = plot_effects(effects(aggregation), language=language)  # type: ignore[arg-type]
    assert isinstance(figure, Figure)
    assert len(draw(figure, "x").svg) > 1000


def test_plot_data_are_the_tidy_terms() -> None:
    result = effects()
    assert plot_data(result).equals(result.tidy())
    assert isinstance(result.plot(), Figure)


def test_drawing_is_deterministic_and_undated() -> None:
    first, second = (draw(plot_effects(effects(), language="zh"), "event-study") for _ in range(2))
    assert first == second
    assert "<dc:date>" not in first.svg
    assert b"CreationDate" not in first.pdf


def test_text_stays_text_and_inline_ids_differ() -> None:
    drawn = draw(plot_effects(effects(), language="zh"), "event-study").svg
    assert "距政策实施的期数" in drawn
    page = inline(drawn, "a") + inline(drawn, "b")
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))


def test_font_holds_every_character_that_figures_may_show() -> None:
    from fontTools.ttLib import TTFont

    with as_file(files("hinterland.report") / "fonts" / "HinterlandSansSC-Regular.ttf") as path:
        have = set(TTFont(path).getBestCmap())
        assert path.stat().st_size < 3_000_000
    texts = [
        text
        for language in LANGUAGES
        for key, text in catalogue(language).items()
        if key.split(".")[0] in {"report", "variable", "method", "method_short", "region", "policy-status", "variation", "bacon_type"}
    ]
    catalogues = [p.read_text(encoding="utf-8") for p in (files("hinterland.data") / "catalogue").iterdir() if p.name.endswith(".csv")]
    han = {c for text in (*texts, *catalogues) for c in text if "\u3400" <= c <= "\u9fff"}
    assert sorted(c for c in han if ord(c) not in have) == []
    assert sorted(c for text in texts for c in text if c.isprintable() and ord(c) not in have) == []


def test_embedded_font_is_small_and_inline() -> None:
    font = embedded_font("效应 abc")
    assert font.startswith("data:font/woff;base64,")
    assert len(font) < 20_000


def test_density_integrates_to_one() -> None:
    grid, heights = density(np.random.default_rng(0).normal(size=500))
    assert np.trapezoid(heights, grid) == pytest.approx(1.0, abs=1e-3)


def test_chinese_text_is_set_apart_from_latin() -> None:
    assert spaced("对ln(GDP)的影响为0.2个对数点") == "对 ln(GDP) 的影响为 0.2 个对数点"


def test_labels_of_the_study_come_first(record: Record) -> None:
    from hinterland.report.description import own_labels

    assert Speaker("zh", own_labels(record)).name("inventions") == "发明专利数"
    assert Speaker("en").name("no_such_column") == "no_such_column"


def test_compare_puts_models_in_columns() -> None:
    both = compare([effects("event-time"), effects("overall")])
    assert both.frame.columns[:5] == ["model", "method", "outcome", "aggregation", "term"]
    assert both.frame["model"].unique().sort().to_list() == [1, 2]
    assert len(both.table.headings) == 3
    assert both.table.rows[1].cells[1:] == ("", f"({both.frame['std_error'][7]:.3f})"), "averages come before event times"
    assert "clustered by city" in both.table.notes[0]
    assert isinstance(both.frame, pl.DataFrame)
    assert "600" in both.table.to_markdown()


def test_compare_lines_up_terms_that_mean_the_same() -> None:
    first = effects("event-time")
    other = replace(first, method="event-study", terms=replace(first.terms, name=tuple(f"event-time {k}" for k in range(-3, 4))))
    table = compare([first, other]).table
    assert [r.cells[0] for r in table.rows if r.kind == "body"] == [f"Event time {k}" for k in ("−3", "−2", "−1", "0", "+1", "+2", "+3")]
    assert all(r.cells[1] and r.cells[1] == r.cells[2] for r in table.rows if r.kind == "body")


def with_names(*names: str, **columns: np.ndarray) -> Effects:
    whole = effects("coefficient")
    return replace(whole.take(np.arange(len(names))), method="dose", terms=Terms.make(names, **columns))


def test_a_curve_over_doses_has_doses_on_its_axis() -> None:
    curve = with_names("att", "att(0.25)", "att(0.5)", "acrt", "acrt(0.25)", "acrt(0.5)")
    data = plot_data(curve)
    assert data["dose"].to_list() == [None, 0.25, 0.5, None, 0.25, 0.5]
    assert data["curve"].to_list() == [None, "att", "att", None, "acrt", "acrt"]
    assert [a.get_xlabel() for a in plot_effects(curve).axes] == ["Dose", "Dose"]


def test_channels_by_event_time_get_a_panel_each() -> None:
    names = ("direct, event time -1", "direct, event time 0", "ring 0-50 km, event time 0", "ring 0-50 km, event time 1")
    figure = plot_effects(with_names(*names, event_time=np.array([-1, 0, 0, 1])))
    assert [a.get_title(loc="left") for a in figure.axes] == ["Direct effect", "Ring 0–50 km"]
    assert [term_name(Speaker("zh"), t) for t in names[2:3]] == ["0–50 公里环带，事件时间 0"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_version_of_an_estimator_has_its_own_note_and_terms(language: Language) -> None:
    durbin = replace(with_names("direct", "rho", "neighbours treated", "neighbours' x"), method="spillover")
    durbin = replace(durbin, meta={**durbin.meta, "estimand_code": "spillover-durbin"})
    table = compare([durbin, replace(durbin, meta={**durbin.meta, "estimand_code": "spillover"})], language=language).table
    assert list(table.notes[1:]) == [text(f"method_note.{key}", language) for key in ("spillover-durbin", "spillover")]
    said = {
        "en": ["Direct effect", "Neighbours' outcome (ρ)", "Neighbours treated", "Neighbours: x"],
        "zh": ["直接效应", "邻居的结果（ρ）", "邻居受处理", "邻居：x"],
    }
    assert [r.cells[0] for r in table.rows if r.kind == "body"] == said[language]


def test_compare_reports_every_problem() -> None:
    from hinterland.errors import InputError

    with pytest.raises(InputError) as caught:
        compare([effects(), "twfe"], names=["one"])  # type: ignore[list-item]
    assert {f.code for f in caught.value.findings} == {"not-effects", "names-differ"}


def test_the_style_of_the_session_changes_no_figure() -> None:
    import matplotlib as mpl

    plain = draw(plot_effects(effects()), "x")
    with mpl.rc_context({"lines.linewidth": 9, "figure.dpi": 50, "axes.grid": True, "xtick.direction": "in"}):
        assert draw(plot_effects(effects()), "x") == plain
