"""Cells and files as people have them: dates as text, TRUE and FALSE, a year with its sign, a suffix that is not the format's."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from hinterland import InputError, adoption, read_panel
from hinterland.data.policy import adoption_from_treatment
from hinterland.data.readers import join_columns

ROWS = pl.DataFrame({"unit": ["a", "a", "b", "b"], "year": [2010, 2011, 2010, 2011], "y": [1.0, 2.0, 3.0, 5.0]})


def read(folder: Path, frame: pl.DataFrame, **options: object) -> object:
    frame.write_csv(folder / "x.csv")
    return read_panel(folder / "x.csv", unit="unit", time="year", **options)  # type: ignore[arg-type]


def said(folder: Path, frame: pl.DataFrame, **options: object) -> list[str]:
    with pytest.raises(InputError) as error:
        read(folder, frame, **options)
    return [f"{f.code}: {f.what} -> {f.remedy}" for f in error.value.findings]


@pytest.mark.parametrize("form", ["{}-12-31", "{}/12/31", "{}.1.1", "{}年12月31日", "{}-12-31 00:00:00", "{}-12-31T00:00:00"])
def test_dates_as_text_are_years_when_all_are_on_one_day(tmp_path: Path, form: str) -> None:
    panel = read(tmp_path, ROWS.with_columns(year=pl.col("year").map_elements(form.format, return_dtype=pl.String)))
    assert panel.frame["year"].to_list() == [2010, 2011, 2010, 2011]  # type: ignore[attr-defined]
    assert [f.code for f in panel.findings] == ["time-from-dates"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("cells", [["2010-12-31", "2011-06-30"] * 2, ["2010-12-31", "spring"] * 2, ["2010-13-45", "2011-13-45"] * 2])
def test_other_dates_are_one_finding(tmp_path: Path, cells: list[str]) -> None:
    (found,) = said(tmp_path, ROWS.with_columns(year=pl.Series(cells)))
    assert found.startswith("time-not-integer")


def test_true_and_false_are_a_treatment(tmp_path: Path) -> None:
    panel = read(tmp_path, ROWS.with_columns(on=pl.Series(["FALSE", "TRUE", "false", "False"])), treatment="on")
    cohorts = adoption_from_treatment(panel, "on")  # type: ignore[arg-type]
    assert dict(cohorts.table.select("unit", "cohort").iter_rows()) == {"a": 2011, "b": None}


def test_words_of_a_treatment_are_shown_once_each(tmp_path: Path) -> None:
    (found,) = said(tmp_path, ROWS.with_columns(on=pl.Series(["否", "是", "否", "否"])), treatment="on")
    assert "'否', '是'" in found
    assert found.count("'否'") == 1


def test_first_periods_may_carry_the_sign_of_the_year(tmp_path: Path) -> None:
    panel = read(tmp_path, ROWS.with_columns(first=pl.Series(["2011年", "2011 年", "从未", "从未"])))
    cohorts = adoption(panel, "first", never=("从未",))  # type: ignore[arg-type]
    assert dict(cohorts.table.select("unit", "cohort").iter_rows()) == {"a": 2011, "b": None}


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".dta", ".parquet", ".csv.gz"])
@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (ROWS.write_csv().encode(), "give it the suffix .csv"),
        (b"<html>\n<table>a, b</table>\n</html>", "a web page: export the table"),
        (b"%PDF-1.7\n", "a PDF document: export the table"),
    ],
)
def test_a_text_table_under_another_suffix(tmp_path: Path, suffix: str, content: bytes, remedy: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_panel(path, unit="unit", time="year")
    assert error.value.findings[0].code == "corrupt-file"
    assert remedy in error.value.findings[0].remedy


def test_names_joined_to_codes_are_told_how_to_become_codes(tmp_path: Path) -> None:
    panel = read(tmp_path, ROWS.with_columns(unit=pl.col("unit").replace({"a": "340100", "b": "340200"})))
    with pytest.raises(InputError) as error:
        join_columns(panel, pl.DataFrame({"city": ["合肥市"], "gdp": [1.0]}), unit="city", time=None, columns=["gdp"])  # type: ignore[arg-type]
    assert 'match = "cities"' in error.value.findings[0].remedy
    met = join_columns(panel, pl.DataFrame({"city": ["合肥市"], "gdp": [1.0]}), unit="city", time=None, columns=["gdp"], match="cities")
    assert met.frame.filter(pl.col("unit").cast(pl.String) == "340100")["gdp"].unique().to_list() == [1.0], "the remedy works"


def test_a_pandas_index_with_names_is_read_as_columns() -> None:
    frame = ROWS.to_pandas()
    panel = read_panel(frame.set_index(["unit", "year"]), unit="unit", time="year")
    assert panel.frame.equals(read_panel(frame, unit="unit", time="year").frame.select(panel.frame.columns))


def test_columns_that_repeat_are_named() -> None:
    import pandas as pd

    frame = ROWS.to_pandas()
    with pytest.raises(InputError) as error:
        read_panel(pd.concat([frame, frame[["year"]]], axis=1), unit="unit", time="year")
    assert "'year'" in error.value.findings[0].what


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    ROWS.write_csv(path)

    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", closed)
    with pytest.raises(InputError) as error:
        read_panel(path, unit="unit", time="year")
    assert error.value.findings[0].code == "unreadable-file"
