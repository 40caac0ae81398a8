"""Checksums, the catalogue of sources, and units."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hinterland.data.sources import fingerprint, sources
from hinterland.labels import catalogue
from hinterland.units import UNITS, conversion, find_unit


def test_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    mark = fingerprint(tmp_path / "a")
    assert (mark.sha256, mark.bytes) == (hashlib.sha256(b"abc").hexdigest(), 3)


def test_sources_are_complete() -> None:
    frame = sources()
    assert frame.null_count().sum_horizontal().item() == 0
    assert frame["id"].is_unique().all()


def test_units() -> None:
    assert conversion("亿元", "万元") == 1e4
    assert conversion("megatonne", "t") == 1e6
    assert find_unit("万人").id == "10k-person"
    with pytest.raises(ValueError, match="cannot be converted"):
        conversion("yuan", "person")
    with pytest.raises(ValueError, match="there is no unit"):
        find_unit("furlong")
    for language in ("en", "zh"):
        assert {k.removeprefix("unit.") for k in catalogue(language) if k.startswith("unit.")} == set(UNITS)
