"""Formulas: values against arithmetic done by hand, and every way of writing one wrongly."""

from __future__ import annotations

from math import asinh, exp, log, log1p, sqrt
from pathlib import Path

import polars as pl
import pytest

from hinterland import Finding, Panel, PanelError, read_panel
from hinterland.data.derive import FUNCTIONS, derive

FRAME = pl.DataFrame(
    {
        "u": ["a", "a", "a", "b", "b", "b"],
        "t": [2010, 2011, 2013, 2010, 2011, 2012],
        "x": [1.0, 2.0, 4.0, 8.0, None, 16.0],
        "n": [0, 1, 2, 3, 4, 5],
        "省份": ["安徽", "安徽", "安徽", "江西", "江西", "江西"],
        "专利 数": [1, 2, 3, 4, 5, 6],
    }
)


def panel() -> Panel:
    return read_panel(FRAME, unit="u", time="t")


def value(formula: str) -> list[object]:
    return derive(panel(), {"z": formula}).frame["z"].to_list()


def findings(**formulas: str) -> list[Finding]:
    with pytest.raises(PanelError) as caught:
        derive(panel(), formulas)
    assert all(f.what and f.where and f.remedy for f in caught.value.findings)
    return list(caught.value.findings)


def code(formula: str) -> str:
    found = findings(z=formula)
    assert len(found) == 1, found
    return found[0].code


N = None
CASES = {
    "n + 1 - 2 * n / 4": [1 + k - k / 2 for k in range(6)],
    "-n ** 2 % 5": [(-(k**2)) % 5 for k in range(6)],
    "log1p(n)": [log1p(k) for k in range(6)],
    "log(x)": [0.0, log(2), log(4), log(8), N, log(16)],
    "exp(n)": [exp(k) for k in range(6)],
    "sqrt(n)": [sqrt(k) for k in range(6)],
    "asinh(n - 2)": [asinh(k - 2) for k in range(6)],
    "abs(n - 2)": [2, 1, 0, 1, 2, 3],
    "sign(n - 2)": [-1, -1, 0, 1, 1, 1],
    "chain(100 + 10 * n)": [1.0, 1.1, N, 1.3, 1.3 * 1.4, 1.3 * 1.4 * 1.5],
    "chain(x)": [0.01, 0.0002, N, 0.08, N, N],
    "year('2011-01')": [2011] * 6,
    "year('20110105')": [2011] * 6,
    "year('省份')": [N] * 6,
    "floor(n / 2) + round(0.6)": [1, 1, 2, 2, 3, 3],
    "min(x, n)": [0, 1, 2, 3, N, 5],
    "max(x, n, 3)": [3, 3, 4, 8, N, 16],
    "clip(n, 1, 3)": [1, 1, 2, 3, 3, 3],
    "winsorise(n, 0.2, 0.8)": [1, 1, 2, 3, 4, 4],
    "lag(x)": [N, 1, N, N, 8, N],
    "lag(n, 2)": [N, N, 1, N, N, 3],
    "lag(n, k=3)": [N, N, 0, N, N, N],
    "lead(n)": [1, N, N, 4, 5, N],
    "lead(省份)": ["安徽", N, N, "江西", "江西", N],
    "diff(n)": [N, 1, N, N, 1, 1],
    "growth(`专利 数`)": [N, 1.0, N, N, 0.25, 0.2],
    "at(n, 2011)": [1, 1, 1, 4, 4, 4],
    "first_period(x > 1)": [2011, 2011, 2011, 2010, 2010, 2010],
    "first_period(n == 2 or n > 9)": [2013, 2013, 2013, N, N, N],
    "mean(n)": [2.5] * 6,
    "mean_by(x, u)": [7 / 3] * 3 + [12] * 3,
    "sum_by(n, 省份)": [3, 3, 3, 12, 12, 12],
    "mean_by(n, 省份, t)": [0, 1, 2, 3, 4, 5],
    "standardise(n)": [(k - 2.5) / sqrt(3.5) for k in range(6)],
    "rank(0 - n)": [6, 5, 4, 3, 2, 1],
    "where(n > 0, log(n), None)": [N, 0.0, log(2), log(3), log(4), log(5)],
    "where(x > 3, 1, 0)": [0, 0, 1, 1, N, 1],
    "where(n == 0, None, 6 / n)": [N, 6, 3, 2, 1.5, 1.2],
    "isnull(x)": [0, 0, 0, 0, 1, 0],
    "coalesce(x, n)": [1, 2, 4, 8, 4, 16],
    "t >= 2011": [0, 1, 1, 0, 1, 1],
    "2011 <= t < 2013": [0, 1, 0, 0, 1, 1],
    "x > 1 and not (n == 1)": [0, 0, 1, 1, N, 1],
    "(x > 1) & ~(n == 1) | (n == 4)": [0, 0, 1, 1, 1, 1],
    '省份 == "安徽"': [1, 1, 1, 0, 0, 0],
    '省份 in ("江西", "湖南")': [0, 0, 0, 1, 1, 1],
    "n not in (1, 2)": [1, 0, 0, 1, 1, 1],
    "(t > 2010) * n": [0, 1, 2, 0, 4, 5],
    "`专利 数` * 2": [2, 4, 6, 8, 10, 12],
    "mean_by(lag(n), u)": [0.0] * 3 + [3.5] * 3,
    "1": [1.0] * 6,
}


@pytest.mark.parametrize("formula", CASES)
def test_values(formula: str) -> None:
    expected = CASES[formula]
    got = value(formula)
    assert [v is None for v in got] == [v is None for v in expected]
    assert [v for v in got if v is not None] == [pytest.approx(v) if isinstance(v, float) else v for v in expected if v is not None]


def test_every_function_has_a_value_tested() -> None:
    assert all(any(f"{name}(" in formula for formula in CASES) for name in FUNCTIONS)


def test_order_does_not_matter_and_formulas_are_recorded() -> None:
    derived = derive(panel(), {"c": "b * 2", "b": "a + 1", "a": "n"})
    assert derived.frame["c"].to_list() == [2, 4, 6, 8, 10, 12]
    assert derived.columns["c"].source == "derived: b * 2"
    assert derived.frame.columns[-3:] == ["a", "b", "c"]


def test_lags_find_the_period_whatever_rows_lie_between() -> None:
    shuffled = read_panel(FRAME.sample(fraction=1, shuffle=True, seed=1), unit="u", time="t")
    assert derive(shuffled, {"z": "lag(n, 2)"}).frame["z"].to_list() == CASES["lag(n, 2)"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("log(n)", "log-of-nonpositive"),
        ("log1p(n - 1)", "log-of-nonpositive"),
        ("sqrt(n - 1)", "sqrt-of-negative"),
        ("1 / n", "division-by-zero"),
        ("growth(n)", "division-by-zero"),
        ("exp(n * 1000)", "not-finite"),
        ("standardise(n - n)", "not-finite"),
        ("xx + 1", "unknown-column"),
        ("lgo(n)", "unknown-function"),
        ("__import__('os')", "unknown-function"),
        ("n.real", "formula-construct"),
        ("n[0]", "formula-construct"),
        ("[n for n in n]", "formula-construct"),
        ("(lambda: 1)()", "formula-construct"),
        ("n ^ 2", "formula-construct"),
        ("n << 2", "formula-construct"),
        ("n is 2", "formula-construct"),
        ("log(*n)", "formula-construct"),
        ("b'x'", "formula-construct"),
        ("n +", "formula-syntax"),
        ("", "formula-syntax"),
        ("x = 1", "formula-syntax"),
        ("GDP（亿元）", "formula-syntax"),
        ("省份 + 1", "formula-kind"),
        ("省份 == 1", "formula-kind"),
        ("省份 and n", "formula-kind"),
        ('where(n > 1, "a", 2)', "formula-kind"),
        ('n in ("a", 2)', "formula-kind"),
        ("n > 1 & x < 3", "formula-kind"),
        ("log(n, 2)", "formula-arguments"),
        ("clip(n, 3, 1)", "formula-arguments"),
        ("clip(n, 3)", "formula-arguments"),
        ("clip(n, x, 3)", "formula-arguments"),
        ("lag(n, 0)", "formula-arguments"),
        ("lag(n, 1.5)", "formula-arguments"),
        ("winsorise(n, 1, 99)", "formula-arguments"),
        ("min(n)", "formula-arguments"),
        ("mean_by(n)", "formula-arguments"),
    ],
)
def test_errors(formula: str, expected: str) -> None:
    assert code(formula) == expected


def test_the_log_of_zero_is_located_and_has_a_remedy() -> None:
    found = findings(ln_n="log(n)")[0]
    assert "in 1 row(s): a 2010" in found.what
    assert "log1p" in found.remedy
    assert found.where == "ln_n = 'log(n)'"


def test_all_problems_at_once_and_no_echo() -> None:
    found = findings(a="b + 1", b="a * 2", c="a + 1", d="nn", e="d + 1", f="log(n)", u="1")
    assert sorted(f.code for f in found) == ["column-taken", "formula-circle", "log-of-nonpositive", "unknown-column"]
    assert "did you mean" in next(f.remedy for f in found if f.code == "unknown-column")
    assert findings(z="z + 1")[0].code == "formula-circle"


def test_full_width_names() -> None:
    wide = read_panel(FRAME.rename({"n": "ＧＤＰ"}), unit="u", time="t")
    assert derive(wide, {"z": "ＧＤＰ + 1"}).frame["z"].to_list() == [1, 2, 3, 4, 5, 6]


def test_real_columns(shared_data: Path) -> None:
    patents = read_panel(shared_data / "city_patents_2007_2017" / "city_patent_counts.parquet", unit="adcode", time="pub_year")
    derived = derive(patents, {"ln_inventions": "log1p(n_patents)", "growth_ln": "diff(ln_inventions)"})
    assert derived.frame["ln_inventions"].null_count() == 0
    with pytest.raises(PanelError, match=r"in \d+ row"):
        derive(patents, {"z": "log(n_patents - 1)"})
