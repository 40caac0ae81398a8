from __future__ import annotations

import pytest
from small import STUDY

from hinterland.errors import StudyError
from hinterland.study.load import parse_study
from hinterland.study.plan import KINDS, plan, selected, step_hashes
from hinterland.study.step import seed_of
from hinterland.study.steps import STEPS

SMALL = parse_study(STUDY).study


def hashes(text: str, inputs: dict[str, str] | None = None) -> dict[str, str]:
    return step_hashes(plan(parse_study(text).study), "code", inputs or {"small.csv": "1"})


def changed(text: str, **inputs: str) -> set[str]:
    before, after = hashes(STUDY), hashes(text, dict(inputs) or None)
    return {k for k in before if after.get(k) != before[k]}


def test_every_step_comes_after_what_it_builds_on_and_has_a_function() -> None:
    seen: set[str] = set()
    for step in plan(SMALL):
        assert set(step.after) <= seen
        assert step.kind in KINDS
        assert step.kind == "report" or step.kind in STEPS
        assert step.id not in seen
        seen.add(step.id)


def test_families_get_their_estimators() -> None:
    ids = {s.id for s in plan(SMALL)}
    assert {"evaluate/y/twfe", "evaluate/count/ppml", "pretrends/count/ppml", "bacon/y", "robustness/y/model-late/twfe"} <= ids
    assert not {"evaluate/y/ppml", "evaluate/count/twfe", "bacon/count", "placebo-space/count/twfe"} & ids
    assert {"placebo-space/count/ppml", "placebo-time/count/ppml"} <= ids
    assert "robustness/y/comparison-not-yet-treated/twfe" not in ids, "two-way fixed effects do not choose a comparison group"


def test_a_change_touches_only_what_depends_on_it() -> None:
    assert changed(STUDY.replace("placebo_space = 39", "placebo_space = 59")) == {
        "placebo-space/y/twfe",
        "placebo-space/y/callaway-santanna",
        "placebo-space/count/ppml",
        "report",
    }
    assert changed(STUDY.replace('title = "Small"', 'title = "Other"')) == {"report"}
    assert changed(STUDY, **{"small.csv": "2"}) == set(hashes(STUDY))
    assert "data" not in changed(STUDY.replace('column = "first"', 'column = "other"'))


def test_only_takes_what_it_builds_on() -> None:
    ids = [s.id for s in selected(plan(SMALL), ["pretrends"])]
    assert "evaluate/y/event-study" in ids
    assert "report" not in ids
    assert "bacon/y" not in ids
    with pytest.raises(StudyError, match="'evaluate'"):
        selected(plan(SMALL), ["evalute"])
    with pytest.raises(StudyError, match="no step of kind"):
        selected(plan(parse_study(STUDY.replace("placebo_time = [1]", "")).study), ["placebo-time"])


def test_seeds_differ_by_step_and_stay() -> None:
    assert seed_of(SMALL, "a") == seed_of(SMALL, "a")
    assert len({seed_of(SMALL, f"step/{i}") for i in range(50)}) == 50
