"""Whatever is thrown at readers and formulas, only a PanelError comes back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hinterland import PanelError, read_panel
from hinterland.data.derive import derive

PANEL = read_panel(
    pl.DataFrame({"u": [1, 1, 2, 2], "t": [1, 2, 1, 3], "x": [0.5, 2, 3, None], "省": ["a", "a", "b", "b"]}), unit="u", time="t"
)
PIECES = [
    "x",
    "省",
    "t",
    "u",
    "1",
    "0.5",
    "-",
    "+",
    "*",
    "/",
    "**",
    "%",
    "(",
    ")",
    ",",
    "&",
    "|",
    "~",
    " and ",
    " not ",
    "<",
    "==",
    "lag(",
    "log(",
    "where(",
]
PIECES += [
    "mean_by(",
    "winsorise(",
    "min(",
    "`x`",
    "`",
    '"a"',
    "'",
    " in ",
    "[",
    "]",
    ".",
    "lambda",
    "None",
    "True",
    "\\",
    "\n",
    "：",
    "is",
]
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@QUIET
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join))
def test_formulas(formula: str) -> None:
    with suppress(PanelError):
        derived = derive(PANEL, {"z": formula})
        assert derived.frame.height == 4
        assert derived.frame.drop("z").equals(PANEL.frame)


@pytest.mark.parametrize(
    "formula", ["9" * 400, "-" * 3000 + "x", "(" * 3000, "x + " * 2000 + "x", "x ** 9 ** 9 ** 9", "\0", '省 == "\\d"', "1e999"]
)
def test_extreme_formulas(formula: str) -> None:
    with suppress(PanelError):
        derive(PANEL, {"z": formula})


@QUIET
@given(st.binary(max_size=200) | st.text(alphabet='ut,;\t\n"\r01年—.-é缺', max_size=80).map(lambda s: ("u,t\n" + s).encode()))
def test_bytes_as_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with suppress(PanelError):
        panel = read_panel(path, unit="u", time="t")
        assert panel.frame["t"].dtype == pl.Int64


@settings(QUIET, max_examples=40)
@given(
    st.sampled_from([".xlsx", ".xls", ".dta", ".parquet", ".csv.gz"]),
    st.sampled_from([b"", b"PK\x03\x04", b"PAR1", b"<stata_dta>", b"r\x02\x01", b"\x1f\x8b\x08"]),
    st.binary(max_size=200),
)
def test_bytes_as_other_formats(tmp_path: Path, suffix: str, start: bytes, rest: bytes) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(start + rest)
    with suppress(PanelError):
        read_panel(path, unit="u", time="t")
