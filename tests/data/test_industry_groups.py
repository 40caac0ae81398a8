"""Groups of industries: every division has one, in every edition."""

from __future__ import annotations

import polars as pl
import pytest

from hinterland.data.industry import STANDARDS, known_codes
from hinterland.data.industry_groups import GROUPS, grouped, industry_groups
from hinterland.errors import InputError


@pytest.mark.parametrize("standard", STANDARDS)
def test_every_division_of_industry_has_one_group(standard: str) -> None:
    table = industry_groups(standard)
    assert sorted(table["division"]) == sorted(d for d in known_codes(standard, "division") if "06" <= d <= "46")
    assert set(table["group"]) == set(GROUPS)
    assert table.null_count().sum_horizontal()[0] == 0


def test_editions_agree_on_the_activity_not_on_the_number() -> None:
    found = {s: dict(industry_groups(s).select("division", "group").iter_rows()) for s in STANDARDS}
    assert found["2011"] == found["2017"]
    assert (found["2002"]["37"], found["2017"]["36"]) == ("technology", "technology")  # motor vehicles
    assert (found["2002"]["31"], found["2017"]["30"]) == ("resource", "resource")  # cement and glass
    assert (found["2002"]["30"], found["2017"]["29"]) == ("labour", "labour")  # plastics


def test_codes_of_any_depth_find_their_group() -> None:
    group, findings = grouped(pl.Series(["C39", "17", "2614", "065", "A01"]))
    assert group.to_list() == ["technology", "labour", "capital", "resource", None]
    (said,) = findings
    assert (said.code, said.severity) == ("industry-without-group", "warning")
    assert "'A01'" in said.what


def test_own_groups_and_nonsense() -> None:
    group, findings = grouped(pl.Series(["x", "y"]), {"x": "old", "y": "new"})
    assert (group.to_list(), findings) == (["old", "new"], ())
    with pytest.raises(InputError, match="industry-without-group"):
        grouped(pl.Series(["x", "y"]))
    with pytest.raises(InputError, match="unknown-standard"):
        grouped(pl.Series(["39"]), standard="1994")
