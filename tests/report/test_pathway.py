"""The chapter of a plan: from a handmade record, in both languages, with every table and figure, and no number unmarked that rests on an example."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pathway_record import frames, write

from hinterland.labels import LANGUAGES, Language
from hinterland.report.advice import advice_table
from hinterland.report.advice_record import Source
from hinterland.report.blocks import Bullets, Chart, Heading, Prose
from hinterland.report.chapters import document
from hinterland.report.pathway import pathway
from hinterland.report.pathway_choices import front
from hinterland.report.pathway_said import TOPICS, state
from hinterland.report.pathway_statements import statements
from hinterland.report.pathway_words import SIGN, PlanWords
from hinterland.report.record import Record, read_record
from hinterland.report.sentences import Sentence, Speaker
from hinterland.report.table import Table

TABLES = {
    "shortfalls", "objectives", "costs", "hosts", "groups", "first-moves", "support", "restrictions", "security", "limits", "jobs", "structure", "gaps",
    "payoff", "front", "alternatives", "sensitivity", "scenarios", "continuity", "calibration", "draws", "compared", "parameters", "solver", "settings",
}  # fmt: skip
CHARTS = {"gantt", "map-1", "map-2", "map-3", "capacity", "spending", "costs_of_restrictions", "front", "ranges", "tornado"}
GIVEN = {"calibration", "parameters", "solver", "settings"}
"""Tables whose numbers are not decided by the plan."""
NUMBER = re.compile(r"[−+]?[\d,]*\d(?:\.\d+)?$")

Made = Callable[..., Record]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return write(tmp_path_factory.mktemp("plan"))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda **changes: write(tmp_path, **changes)


def blocks_of(record: Record, language: Language, kind: type) -> dict[str, object]:
    return {b.key.removeprefix("pathway-"): b for b in pathway(record, Speaker(language)) if isinstance(b, kind)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_and_figure_is_there(whole: Record, language: Language) -> None:
    assert set(blocks_of(whole, language, Table)) == TABLES
    charts = blocks_of(whole, language, Chart)
    assert set(charts) == CHARTS
    for chart in charts.values():
        assert isinstance(chart, Chart)
        assert chart.data.height > 0
        assert chart.title and chart.alt and chart.subtitle


def test_the_chapter_stands_in_the_report(whole: Record) -> None:
    for language, title in (("en", "The pathway"), ("zh", "承接路径")):
        doc = document(whole, language)  # type: ignore[arg-type]
        assert title in [c.title for c in doc.chapters]


def test_shortfalls_come_before_anything_else(whole: Record) -> None:
    blocks = pathway(whole, Speaker("en"))
    tables = [b.key for b in blocks if isinstance(b, Table)]
    assert tables[0] == "pathway-shortfalls"
    at = next(n for n, b in enumerate(blocks) if isinstance(b, Table))
    assert any(isinstance(b, Prose) and b.style == "warning" for b in blocks[:at])
    row = blocks_of(whole, "en", Table)["shortfalls"].rows[0].cells  # type: ignore[attr-defined]
    assert row[:5] == ("The hinterland's share of critical industries", "Electronics", "2029–2030", "short by", "4")


def test_sections_without_tables_are_absent(made: Made) -> None:
    several = ("payoff", "pareto", "alternatives", "sensitivity", "scenarios", "continuity", "calibration", "draws")
    record = made(without=(*(f"plan_{n}" for n in several), "plan_shortfalls", "plan_compared", "plan_security", "plan_flows"))
    for language in LANGUAGES:
        blocks = pathway(record, Speaker(language))
        titles = {b.text for b in blocks if isinstance(b, Heading)}
        ui = Speaker(language).ui
        for gone in ("choice", "doubt", "compared", "short", "topic_choice", "topic_doubt"):
            assert ui(f"heading.pathway_{gone}") not in titles
        left = {b.key.removeprefix("pathway-") for b in blocks if isinstance(b, Table)}
        assert left == TABLES - {
            "payoff",
            "front",
            "alternatives",
            "sensitivity",
            "scenarios",
            "continuity",
            "calibration",
            "draws",
            "shortfalls",
            "compared",
            "security",
        }
        assert not any(b.key.startswith("pathway-map") for b in blocks if isinstance(b, Chart))


def test_records_without_a_plan_have_no_chapter(made: Made) -> None:
    assert pathway(made(without=tuple(frames())), Speaker("en")) == ()


# ----------------------------------------------------------------------------------------------------------------------------- marks


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_number_that_rests_on_an_example_is_unmarked(whole: Record, language: Language) -> None:
    """In tables by the heading of the column, unless it is of observed years; in figures by title and subtitle; in sentences at the number itself."""
    speaker = Speaker(language)
    for key, table in blocks_of(whole, language, Table).items():
        assert isinstance(table, Table)
        if key in GIVEN:
            continue
        assert speaker.ui("note.pathway_illustrative", sign=SIGN) in table.notes, key
        body = [r.cells for r in table.rows if r.kind != "head"]
        for n, heading in enumerate(table.headings):
            marked = heading.text.endswith(SIGN) or heading.spanner.endswith(SIGN)
            numeric = heading.align == "right" and any(NUMBER.fullmatch(c[n]) for c in body)
            assert marked or not numeric or heading.text in unmarked(speaker) or observed(speaker, heading.text, heading.spanner), (
                key,
                heading,
            )
    for chart in blocks_of(whole, language, Chart).values():
        assert isinstance(chart, Chart)
        assert chart.title.endswith(SIGN)
        assert speaker.ui("note.pathway_illustrative", sign=SIGN) in chart.subtitle


def unmarked(speaker: Speaker) -> set[str]:
    """Columns that are given and not decided: ranks, points, requirements, ends of ranges of parameters, the start."""
    keys = (
        "col.rank",
        "col.pathway_point",
        "col.pathway_required",
        "col.pathway_tolerated",
        "col.pathway_low",
        "col.pathway_high",
        "mark.pathway_start",
    )
    return {speaker.ui(k) for k in keys}


def observed(speaker: Speaker, *texts: str) -> bool:
    return any(t in (speaker.ui("mark.pathway_observed", years="2025"),) for t in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_mark_their_numbers(whole: Record, language: Language) -> None:
    """Every number but years, shares of a slack and counts of recommendations, in every sentence but those of the past."""
    speaker = Speaker(language)
    for said in statements(PlanWords(whole, speaker)):
        text = speaker.sentence(said.sentence)
        if said.sentence.key.endswith("phase_past"):
            assert SIGN not in text
            continue
        text = re.sub(r"\d{4}(?:[–—]\d{4})?", "", text)
        text = re.sub(r"5%|^Of 5|在 5 条|在 5条|（0 至 1）|\(0 to 1\)|, against 1\b|对照值为 1）|对照值为 1，|Statement of \w", "", text)
        bare = [m.group() for m in re.finditer(r"\d[\d,.]*%?", text) if text[m.end() : m.end() + 1] != SIGN]
        assert bare == [], (said.sentence.key, text)


@pytest.mark.parametrize(
    ("language", "carbon", "land", "wage"),
    [
        ("en", "use of resources per unit (carbon dioxide)", "use of resources per unit (industrial land)", "Wages (graduates)"),
        ("zh", "资源使用强度（二氧化碳）", "资源使用强度（工业用地）", "工资（大学毕业）"),
    ],
)
def test_parts_of_a_parameter_are_told_apart(whole: Record, language: Language, carbon: str, land: str, wage: str) -> None:
    """Each with its own basis, and only the illustrative one marked; named so in the text, the tables and the sentences."""
    words = PlanWords(whole, Speaker(language))
    tables = blocks_of(whole, language, Table)
    names = [r.cells[0] for r in tables["parameters"].rows]  # type: ignore[attr-defined]
    assert carbon in names and f"{land}{SIGN}" in names
    assert any(str(r.cells[0]).lower() == wage.lower() for r in tables["sensitivity"].rows)  # type: ignore[attr-defined]
    assert words.illustrative == [{"parameter": "intensity", "of": "land"}, {"parameter": "response", "of": None}]
    said = [Speaker(language).sentence(s.sentence) for s in statements(words)]
    assert any(wage in text for text in said)
    assert any(
        land in Speaker(language).sentence(s) for b in pathway(whole, Speaker(language)) if isinstance(b, Prose) for s in b.sentences
    )


def test_without_examples_nothing_is_marked(made: Made) -> None:
    record = made(illustrative=False)
    for language in LANGUAGES:
        speaker = Speaker(language)
        for block in pathway(record, speaker):
            if isinstance(block, Table):
                assert not any(SIGN in h.text + h.spanner for h in block.headings), block.key
                assert speaker.ui("note.pathway_illustrative", sign=SIGN) not in block.notes
            elif isinstance(block, Chart):
                assert SIGN not in block.title + block.subtitle
            elif isinstance(block, Bullets):
                assert not any(SIGN in speaker.sentence(s) for s in block.items)


# --------------------------------------------------------------------------------------------------------------------------- specks


def speckled(folder: Path) -> Record:
    """The record with what an interior point leaves: clothing of 0.001 to Guizhou in 2029, 0.00001 for training there, a hundredth of a person trained."""
    write(folder)

    def put(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        path = folder / "tables" / f"plan_{name}.parquet"
        before = pl.read_parquet(path)
        change(before).select(before.columns).cast(dict(before.schema)).write_parquet(path)  # type: ignore[arg-type]

    def more(frame: pl.DataFrame, **row: object) -> pl.DataFrame:
        return pl.concat([frame, frame.head(1).with_columns(**{k: pl.lit(v) for k, v in row.items()})], how="vertical_relaxed")

    there = (pl.col("host") == "520000") & (pl.col("phase") == "three")
    whole_or_cloth = there & ((pl.col("level") == "all") | (pl.col("group") == "labour-intensive") | (pl.col("industry") == "cloth"))
    put("flows", lambda f: more(f, source="330000", host="520000", industry="cloth", year=2029, value=1e-3))
    put("pathway", lambda f: f.with_columns(moved=pl.when(whole_or_cloth).then(pl.col("moved") + 1e-3).otherwise("moved")))
    put("support_needed", lambda f: more(f, host="520000", phase="three", kind="training", amount=1e-5, public=1e-5))
    put("jobs", lambda f: f.with_columns(trained=pl.when(pl.col("trained") == 0).then(1e-6).otherwise("trained")))
    return read_record(folder)


def test_specks_are_not_shown_and_their_sum_is_told(tmp_path: Path) -> None:
    record = speckled(tmp_path)
    tables, plain = blocks_of(record, "en", Table), blocks_of(write(tmp_path / "plain"), "en", Table)
    for key, n, amount in (("hosts", 1, "0.0010*"), ("first-moves", 1, "0.0010*"), ("groups", 1, "0.0010*"), ("support", 1, "0.000010*")):
        shown, without = tables[key], plain[key]
        assert isinstance(shown, Table)
        assert isinstance(without, Table)
        assert shown.rows == without.rows, key
        told = [note for note in shown.notes if note not in without.notes]
        assert [note.startswith(f"Amounts too small to be shown, and 0 or left out here: {n}, together {amount}.") for note in told] == [
            True
        ], told
    charts, before = blocks_of(record, "zh", Chart), blocks_of(write(tmp_path / "plain"), "zh", Chart)
    assert charts["map-3"].data.rows() == before["map-3"].data.rows()  # type: ignore[attr-defined]
    assert "过小而记作 0 或略去的数额：1 个，合计 0.0010*" in charts["map-3"].subtitle  # type: ignore[attr-defined]
    assert "过小" not in charts["map-2"].subtitle  # type: ignore[attr-defined]


def test_what_is_too_small_is_no_statement(tmp_path: Path) -> None:
    """Sentences on the phases and on support name what they named before; sums of a phase hold everything."""
    record = speckled(tmp_path)
    for language in LANGUAGES:
        speaker = Speaker(language)
        said, before = (
            [speaker.sentence(s.sentence) for s in statements(PlanWords(r, speaker))] for r in (record, write(tmp_path / language))
        )
        assert [re.sub(r"\.0+\*", "*", text) for text in said] == before
    assert record.tables["plan_flows"]["value"].min() == 1e-3


# ------------------------------------------------------------------------------------------------------------------------- sentences


def test_a_sentence_without_rows_cannot_be_made(whole: Record, made: Made) -> None:
    words = PlanWords(whole, Speaker("en"))
    for said in statements(words):
        assert said.sources
        assert all(source.rows(whole).height for source in said.sources)
    with pytest.raises(ValueError, match="no row"):
        state(words, "first", Sentence("pathway.first_nothing", {"host": "x"}), Source("plan_first_moves", {"host": "x"}))
    with pytest.raises(ValueError, match="no row"):
        state(words, "first", Sentence("pathway.first_nothing", {"host": "x"}))


def test_every_topic_is_told(whole: Record) -> None:
    assert {s.topic for s in statements(PlanWords(whole, Speaker("en")))} == set(TOPICS)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "en",
            "Sichuan first takes in Clothing from Guangdong in 2026 (30* hundred million yuan of capacity in that year, 30* over the plan); Electronics",
        ),
        ("en", "Nothing moves to Guizhou; built there first: Batteries in 2028"),
        ("en", "as much again (100*) would save at most 20*"),
        ("en", "(Sichuan, Electronics, 2026–2027) forbids: a first unit"),
        ("en", "Imposed, and not confirmed: Statement of c. The plan has 0.550* against 0.500*"),
        ("en", "Imposed, and confirmed without roles: Statement of d"),
        ("en", "Disagrees: Statement of b"),
        ("en", "where the objective may be 5% worse, no plan adds 1* of the capacities looked at: emerging in Guizhou"),
        ("zh", "四川首先承接：2026 年由广东转入的服装（当年产能 30* 亿元，规划期共 30* 亿元）"),
        ("zh", "没有产能转入贵州；当地首先新建：2028 年的电池"),
        ("zh", "事先规定，且未获证实：关于 c 的建议"),
    ],
)
def test_what_is_said(whole: Record, language: Language, text: str) -> None:
    speaker = Speaker(language)
    assert text in "\n".join(speaker.sentence(s.sentence) for s in statements(PlanWords(whole, speaker)))


def test_the_record_alone_tells_what_the_chapter_says(whole: Record) -> None:
    """Table ``advice``: every statement of the chapter in both languages, with its rule and rows that the record holds, and what its numbers rest on."""
    frame = advice_table(whole)
    assert frame["number"].to_list() == list(range(1, frame.height + 1))
    for language, column in (("en", "text"), ("zh", "text_zh")):
        speaker = Speaker(language)
        said = statements(PlanWords(whole, speaker))
        assert frame[column].to_list() == [speaker.sentence(s.sentence) for s in said]
        assert frame["topic"].to_list() == [f"pathway-{s.topic}" for s in said]
    for row in frame.iter_rows(named=True):
        sources = json.loads(row["sources"])
        assert sources
        assert all(Source(s["table"], s["where"]).rows(whole).height for s in sources)
        past = row["rule"] == "pathway.phase_past"
        assert row["basis"] == ("observed" if past else "illustrative")
        assert (row["grade"], row["outcome"]) == (None, None)
    assert frame.filter(basis="observed").height == 1


def test_advice_of_a_plan_without_examples_rests_on_the_plan(made: Made) -> None:
    frame = advice_table(made(illustrative=False))
    assert set(frame["basis"]) == {"plan", "observed"}
    assert not frame["text"].str.contains(SIGN, literal=True).any()


def test_records_without_a_plan_give_no_advice_on_one(made: Made) -> None:
    assert advice_table(made(without=tuple(frames()))).height == 0


def test_names_come_from_the_case_then_from_the_labels(whole: Record) -> None:
    words = PlanWords(whole, Speaker("zh"))
    assert words.said("host", "510000") == "四川"
    assert words.said("group", "labour-intensive") == "劳动密集型"
    assert words.said("group", "own-group") == "own group"
    assert words.constraint("limit:carbon") == "地区资源上限（二氧化碳）"
    assert words.unit("10k-tonne/100m-yuan") == "万吨/亿元"
    assert PlanWords(whole, Speaker("en")).money().startswith("100 million yuan at constant prices of 2017")


def test_numbers_of_tables(whole: Record) -> None:
    """By hand from the record: Sichuan takes 30 of clothing in 2026 and 2027, all from Guangdong; all hosts' objectives and the first cost."""
    tables = blocks_of(whole, "en", Table)
    hosts = [r.cells for r in tables["hosts"].rows]  # type: ignore[attr-defined]
    assert hosts[0][:2] == ("Sichuan", "2025 (observed)")
    assert hosts[1][:5] == ("", "2026–2027", "30", "Guangdong 100%", "0")
    costs = tables["costs"].rows  # type: ignore[attr-defined]
    assert [r.cells for r in costs] == [("labour", "70", "70.0"), ("transport", "30", "30.0"), ("Total", "100", "100.0")]
    verdicts = [r.cells[0] for r in tables["compared"].rows if r.kind == "head"]  # type: ignore[attr-defined]
    assert verdicts == ["Disagrees (1)", "Agrees (1)", "Imposed (2)", "Cannot be judged (1)"]
    gantt = blocks_of(whole, "en", Chart)["gantt"].data  # type: ignore[attr-defined]
    assert gantt.filter(host="510000", label="emerging", year=2028).select("moved", "new").row(0) == (20.0, 5.0)


def test_every_format_is_written(tmp_path: Path) -> None:
    from hinterland.report.document import write_report

    write(tmp_path)
    paths = write_report(tmp_path, ["en", "zh"], ["html", "docx", "pdf", "tex"])
    assert {p.name for p in paths} >= {
        "report.html",
        "report.docx",
        "report.zh.docx",
        "report.pdf",
        "report.zh.pdf",
        "report.tex",
        "report.zh.tex",
    }
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "各承接地的路径" in page
    assert "What moves first" in page
    table = pl.read_csv(tmp_path / "tables" / "table-pathway-restrictions.en.csv")
    assert table[table.columns[0]][0] == "People with the skill (graduates)"
    for name in CHARTS:
        assert (tmp_path / "figures" / f"pathway-{name}.zh.png").stat().st_size > 3000


def test_points_of_a_front_are_columns_as_long_as_they_fit(whole: Record) -> None:
    """Each objective has a row with its unit, those that were traded one more for the part of the way; beyond eight points they are rows."""
    table = blocks_of(whole, "en", Table)["front"]
    assert isinstance(table, Table)
    assert [h.text for h in table.headings] == ["Objective", "Unit", "1", "2", "3"]
    assert [r.cells[0] != "" for r in table.rows] == [True, False, True, False, True, False, True, False]
    assert table.rows[0].cells[2:] == ("100", "104", "118")
    assert table.rows[1].cells[2:] == ("0", "50", "100")
    assert table.rows[-1].cells[2:] == ("", "repeats a point", "")
    frame = whole.tables["plan_pareto"]
    many = pl.concat([frame.with_columns(point=pl.col("point") + 3 * k) for k in range(3)])
    down = front(PlanWords(replace(whole, tables={**whole.tables, "plan_pareto": many}), Speaker("en")))
    assert down is not None
    assert [r.cells[0] for r in down.rows] == [str(n) for n in range(1, 10)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_industry_asked_about_alone_has_its_name(whole: Record, language: Language) -> None:
    """Alternatives can be asked about groups or about single industries: both are named in the reader's language."""
    labels = pl.concat(
        [
            whole.tables["plan_labels"],
            pl.DataFrame({"dimension": ["industry"], "id": ["chips-x"], "name_en": ["Chips"], "name_zh": ["芯片"]}).select(
                whole.tables["plan_labels"].columns
            ),
        ],
        how="vertical_relaxed",
    )
    words = PlanWords(replace(whole, tables={**whole.tables, "plan_labels": labels}), Speaker(language))
    assert words.said("group", "chips-x") == {"en": "Chips", "zh": "芯片"}[language]
    assert words.said("group", "emerging") != "emerging" or language == "en"
