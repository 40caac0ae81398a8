"""Evidence: read from a record's tables, drawn with its covariance, and refused where it is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evidence_record as known
import numpy as np
import polars as pl
import pytest

from hinterland.errors import InputError
from hinterland.plan.evidence import Evidence, evidence_draws


def test_the_headline_and_nothing_else() -> None:
    found = Evidence.from_record(known.record(), "ln_y")
    assert found.names == ("ln_y/effect",)
    assert found.values.tolist() == [known.EFFECT]
    assert found.vcov.tolist() == [[known.ERROR**2]]
    assert found.estimates[0].grade == "moderate"
    assert found.estimates[0].unit == "log-points"
    assert found.notes == ()


def test_slope_and_share() -> None:
    found = Evidence.from_record(known.record(mechanism="weak"), "ln_y", moderator="seg", mediators=["agglomeration"])
    assert found.values.tolist() == [known.EFFECT, known.SLOPE, known.SHARE]
    np.testing.assert_allclose(found.vcov, np.diag([known.ERROR**2, known.SLOPE_ERROR**2, known.SHARE_ERROR**2]))
    assert [e.grade for e in found.estimates] == ["moderate", "moderate", "weak"]
    assert (found.estimates[1].centre, found.estimates[1].low, found.estimates[1].high) == (known.CENTRE, 0.1, 0.9)
    assert [n.code for n in found.notes] == ["evidence-independent"]


def test_the_line_brings_its_covariance() -> None:
    """Standard errors along a line determine the covariance of level and slope: se(v)² = V_b + 2 (v − c) C + (v − c)² V_s."""
    found = Evidence.from_record(known.record(), "ln_y", moderator="seg", level="line")
    assert found.values == pytest.approx([known.LINE, known.SLOPE])
    wanted = [[known.LINE_ERROR**2, known.COVARIANCE], [known.COVARIANCE, known.SLOPE_ERROR**2]]
    np.testing.assert_allclose(found.vcov, wanted, rtol=1e-9)
    assert found.notes == ()


def test_a_folder_is_read_like_its_tables(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for name, frame in known.record().items():
        frame.write_parquet(tmp_path / "tables" / f"{name}.parquet")
    for place in (tmp_path, str(tmp_path / "tables")):
        found = Evidence.from_record(place, "ln_y", moderator="seg")
        assert found.frame.equals(Evidence.from_record(known.record(), "ln_y", moderator="seg").frame)


def test_without_advice_nobody_judged() -> None:
    tables = {k: v for k, v in known.record().items() if k != "advice"}
    found = Evidence.from_record(tables, "ln_y")
    assert found.estimates[0].grade is None
    assert [n.code for n in found.notes] == ["evidence-ungraded"]


@pytest.mark.parametrize(
    ("change", "arguments", "code"),
    [
        ({}, {"outcome": "ln_z"}, "no-such-estimate"),
        ({}, {"outcome": "ln_y", "moderator": "sg"}, "no-such-estimate"),
        ({}, {"outcome": "ln_y", "mediators": ["crowds"]}, "no-such-estimate"),
        ({"moderation": None}, {"outcome": "ln_y", "moderator": "seg"}, "missing-table"),
    ],
)
def test_what_the_record_does_not_hold(change: dict[str, None], arguments: dict[str, Any], code: str) -> None:
    tables = {k: v for k, v in known.record().items() if k not in change}
    with pytest.raises(InputError) as error:
        Evidence.from_record(tables, **arguments)
    assert [f.code for f in error.value.findings] == [code]


def test_a_level_is_no_logarithm() -> None:
    tables = {k: v.with_columns(outcome=pl.lit("y")) if "outcome" in v.columns else v for k, v in known.record().items()}
    with pytest.raises(InputError) as error:
        Evidence.from_record(tables, "y")
    assert [f.code for f in error.value.findings] == ["unit-unknown"]
    assert Evidence.from_record(tables, "y", unit="log-points").values.tolist() == [known.EFFECT]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        Evidence.from_record(tmp_path / "nowhere", "ln_y")


def test_draws_have_the_covariance() -> None:
    """In 200 000 draws mean and covariance are the given ones, within five standard errors of the draws."""
    rows = pl.DataFrame({"role": ["effect", "effect"], "outcome": ["a", "b"], "value": [0.2, -0.1], "std_error": [0.05, 0.1]})
    vcov = np.array([[0.0025, 0.003], [0.003, 0.01]])
    evidence = Evidence.from_frames(rows, vcov)
    found = evidence_draws(evidence, 200_000, seed=2)
    np.testing.assert_allclose(found.mean(axis=0), [0.2, -0.1], atol=5 * 0.1 / np.sqrt(200_000))
    np.testing.assert_allclose(np.cov(found.T), vcov, atol=5 * 0.015 / np.sqrt(200_000))
    assert (evidence_draws(evidence, 3, seed=2) == evidence_draws(evidence, 3, seed=2)).all()
    with pytest.raises(InputError):
        evidence_draws(evidence, 0, seed=1)


def test_several_estimates_without_covariance_are_noted() -> None:
    rows = pl.DataFrame({"role": ["effect", "effect"], "outcome": ["a", "b"], "value": [0.2, 0.1], "std_error": [0.1, 0.1]})
    assert [n.code for n in Evidence.from_frames(rows).notes] == ["evidence-independent"]
    assert Evidence.from_frames(rows.head(1)).notes == ()


@pytest.mark.parametrize(
    ("row", "vcov", "code"),
    [
        ({"role": "efect"}, None, "bad-estimate"),
        ({"role": "share"}, None, "bad-estimate"),
        ({"role": "moderation", "of": "seg"}, None, "bad-estimate"),
        ({"grade": "good"}, None, "bad-estimate"),
        ({"value": float("nan")}, None, "not-finite"),
        ({}, [[0.01, 0.0], [0.0, 0.01]], "bad-covariance"),
        ({}, [[0.02]], "bad-covariance"),
        ({}, [[-0.01]], "bad-covariance"),
    ],
)
def test_evidence_that_is_none(row: dict[str, Any], vcov: list[list[float]] | None, code: str) -> None:
    frame = pl.DataFrame([{"role": "effect", "outcome": "a", "value": 0.2, "std_error": 0.1, **row}])
    with pytest.raises(InputError) as error:
        Evidence.from_frames(frame, None if vcov is None else np.array(vcov))
    assert [f.code for f in error.value.findings] == [code]


def test_the_same_estimate_twice() -> None:
    rows = pl.DataFrame({"role": ["effect"] * 2, "outcome": ["a"] * 2, "value": [0.2, 0.1], "std_error": [0.1, 0.1]})
    with pytest.raises(InputError, match="there twice"):
        Evidence.from_frames(rows)
    with pytest.raises(InputError, match="lacks role"):
        Evidence.from_frames(rows.drop("role"))
