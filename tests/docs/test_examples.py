"""The documentation's code runs, and shows what it gives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

import hinterland as hl
from hinterland.data.world import simulate

ROOT = Path(__file__).resolve().parents[2]
NEEDS_DATA = ("how-to/real-zones.md", "how-to/replicate-table.md", "how-to/measure-provinces.md")
"""Pages on real data, which are beside the project and not in it."""
RUN = (
    "tutorial/first-study.md",
    "reference/python.md",
    "how-to/own-data.md",
    "how-to/plan.md",
    "how-to/plan-under-uncertainty.md",
    "how-to/measure.md",
    "how-to/choose-estimator.md",
    "how-to/match.md",
    "how-to/robustness.md",
    "how-to/sensitivity.md",
    "how-to/few-treated.md",
    "how-to/groups.md",
    "how-to/non-absorbing.md",
    "how-to/spillovers.md",
    "how-to/mechanisms.md",
    "how-to/moderation.md",
    "how-to/large-panels.md",
    "how-to/micro-data.md",
    "how-to/verify.md",
    "how-to/own-register.md",
    "how-to/fix-findings.md",
    "explanation/identification.md",
    "explanation/timing-and-coverage.md",
    "explanation/inference.md",
    "explanation/data-quality.md",
    "explanation/world.md",
    "explanation/transfer.md",
    *sorted(f"explanation/measures/{p.name}" for p in (ROOT / "docs" / "explanation" / "measures").glob("*.md") if p.stem != "index"),
    *NEEDS_DATA,
)


@pytest.mark.parametrize("page", RUN)
def test_page_shows_what_its_code_gives(
    page: str, docs: Path, snippets: ModuleType, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if page in NEEDS_DATA:
        (tmp_path / "data").symlink_to(request.getfixturevalue("shared_data"))
        (tmp_path / "studies").symlink_to(ROOT / "studies")
    found = snippets.run_page(docs / page, tmp_path)
    assert found
    assert [f"line {s.line}: the page shows\n{s.shown}\nbut the code gives\n{s.real}" for s in found if not s.agrees] == []


METHOD_PAGES = sorted(p.stem for p in (ROOT / "docs" / "explanation" / "methods").glob("*.md"))


@pytest.fixture(scope="module")
def at_hand() -> dict[str, object]:
    """What the snippets of the method pages take for granted: the packaged world with a few more columns."""
    world = simulate(seed=0)
    adopted = pl.col("first_treat")
    panel = world.panel.with_columns(
        zone=pl.when(adopted > 0).then(adopted.cast(pl.String)).otherwise(pl.col("adcode").cast(pl.String)),
        population=pl.col("ln_pop_density").exp().mean().over("adcode"),
        region=pl.col("macro_region"),
        encouraged=(pl.col("adcode").cast(pl.Int64) // 100) % 2,
    )
    outcomes = ("ln_inventions", "quality")
    designs = [hl.make_design(panel, y, world.policy, covariates=["ln_gdp_pc"]) for y in outcomes]
    effects = hl.estimate(panel, "ln_inventions", world.policy, method="event-study", leads=-5)
    return {"hl": hl, "panel": panel, "policy": world.policy, "design": designs[0], "designs": designs, "effects": effects}


@pytest.mark.parametrize("page", METHOD_PAGES)
def test_snippets_of_method_pages_run(page: str, at_hand: dict[str, object], docs: Path, snippets: ModuleType, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        snippets.run_page(docs / "explanation" / "methods" / f"{page}.md", tmp_path, {**at_hand, "pool": pool})


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_readme_runs(name: str, snippets: ModuleType, tmp_path: Path) -> None:
    import pyreadstat

    frame = simulate(seed=0).panel.frame.select("adcode", "year", "inventions", "ln_inventions", "ln_gdp_pc", "share2")
    pyreadstat.write_dta(frame, str(tmp_path / "cities.dta"))
    assert any(b.language == "python" for b in snippets.blocks((ROOT / name).read_text(encoding="utf-8")))
    snippets.run_page(ROOT / name, tmp_path)


def test_no_page_with_shown_values_is_left_out(docs: Path, snippets: ModuleType) -> None:
    shown = {
        p.relative_to(docs).as_posix()
        for p in docs.rglob("*.md")
        if any(b.language == "python" and "# →" in b.text for b in snippets.blocks(p.read_text(encoding="utf-8")))
    }
    assert {p for p in shown if not p.endswith(".zh.md")} - set(RUN) == set()


def test_tutorials_have_the_same_blocks(docs: Path, snippets: ModuleType) -> None:
    english, chinese = (snippets.blocks((docs / "tutorial" / f"first-study{s}.md").read_text(encoding="utf-8")) for s in ("", ".zh"))
    assert [(b.language, b.text) for b in chinese] == [(b.language, b.text) for b in english]


def test_tutorials_have_the_same_headings(docs: Path) -> None:
    def levels(name: str) -> list[int]:
        outside = (docs / "tutorial" / name).read_text(encoding="utf-8").split("```")[::2]
        return [len(line) - len(line.lstrip("#")) for part in outside for line in part.splitlines() if line.startswith("#")]

    assert levels("first-study.md") == levels("first-study.zh.md")


def test_misspelt_key_of_the_tutorial(docs: Path, snippets: ModuleType, tmp_path: Path) -> None:
    """The message that the tutorial shows for a misspelt key is the one that appears, with its line."""
    from hinterland.errors import StudyError
    from hinterland.study.load import load_study

    page = snippets.blocks((docs / "tutorial" / "first-study.md").read_text(encoding="utf-8"))
    snippets.save_files(page, tmp_path)
    study = tmp_path / "my-study.toml"
    study.write_text(study.read_text(encoding="utf-8").replace("placebo_space", "placebo_spce"), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(study)
    (finding,) = caught.value.findings
    shown = next(b.text for b in page if "placebo_spce" in b.text)
    assert all(part in shown for part in (finding.code, finding.what, finding.where, finding.remedy))


def test_numbers_may_differ_by_rounding_only(snippets: ModuleType) -> None:
    assert snippets.same("0.1234 (SE 12)\n", "0.1235 (SE 12)")
    assert not snippets.same("0.1234", "0.1236")
    assert not snippets.same("12", "13")
    assert not snippets.same("twfe 1.0", "ppml 1.0")
