from __future__ import annotations

from pathlib import Path

import pytest
from small import STUDY

from hinterland.errors import Finding, StudyError
from hinterland.study.load import load_study, parse_study

HEAD = """\
[study]
title = "T"
[panel]
source = "a.csv"
unit = "u"
time = "t"
"""
POLICY = """\
[policy]
column = "g"
"""
OUTCOME = """\
[[outcome]]
name = "y"
"""
WHOLE = HEAD + POLICY + OUTCOME


def findings(text: str) -> tuple[Finding, ...]:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "s.toml")
    return caught.value.findings


def only(text: str) -> Finding:
    (found,) = findings(text)
    return found


def test_the_shortest_study_is_enough() -> None:
    study = parse_study(WHOLE).study
    assert study.evaluate.headline == "callaway-santanna"
    assert study.study.title.zh == "T"
    assert study.languages == ("en",)


def test_the_packaged_and_the_shipped_studies_are_in_order() -> None:
    assert load_study().study.is_world
    for path in sorted((Path(__file__).parents[2] / "studies").glob("*.toml")):
        study = load_study(path).study
        assert study.outcome or study.measure or study.transfer or study.plan


@pytest.mark.parametrize(
    ("text", "code", "line", "says"),
    [
        (WHOLE.replace('unit = "u"', 'unit = "u"\nyaers = [1, 2]'), "unknown-key", 6, "'years'"),
        (WHOLE + '[evalute]\nheadline = "twfe"\n', "unknown-key", 11, "'evaluate'"),
        (WHOLE.replace('time = "t"\n', ""), "missing-key", 3, "time"),
        (HEAD + POLICY, "missing-key", None, "[[outcome]]"),
        (WHOLE.replace('unit = "u"', "unit = 3"), "wrong-type", 5, "text in quotes"),
        (WHOLE.replace('unit = "u"', 'unit = "u"\nyears = 2010'), "wrong-type", 6, "a list"),
        (WHOLE.replace('unit = "u"', 'unit = "u"\nyears = [2010, 2005]'), "empty-window", 6, "later"),
        (WHOLE + "[evaluate]\nanticipation = 0.5\n", "wrong-type", 12, "whole number"),
        (WHOLE + "[evaluate]\nanticipation = -1\n", "bad-value", 12, "greater"),
        (WHOLE + "[evaluate]\ncovariates = 3\n", "wrong-type", 12, "formula"),
        (WHOLE + '[evaluate]\ncomparison = "never"\n', "unknown-value", 12, "never-treated"),
        (WHOLE + '[evaluate]\nmethods = ["twfe", "callaway-santana"]\nheadline = "twfe"\n', "unknown-method", 12, "callaway-santanna"),
        (WHOLE + '[evaluate]\nmethods = ["twfe",\n "sdidd"]\nheadline = "twfe"\n', "unknown-method", 13, "'sdid'"),
        (WHOLE + '[evaluate]\nmethods = ["twfe", "twfe"]\nheadline = "twfe"\n', "repeated-method", 12, "once"),
        (WHOLE + '[evaluate]\nmethods = ["twfe"]\n', "headline-not-run", 11, "methods"),
        (WHOLE + '[evaluate]\nmethods = ["ppml"]\nheadline = "ppml"\n', "headline-family", 13, "gaussian"),
        (WHOLE + '[evaluate]\nmethods = ["twfe", "ppml"]\nheadline = "twfe"\n', "method-without-outcome", 12, "poisson"),
        (WHOLE + "[evaluate.options.ppml]\nleads = 3\n", "unused-options", 11, "event-study"),
        (WHOLE + "[evaluate.options.event-study]\nlead = -3\n", "unknown-option", 12, "leads"),
        (WHOLE + '[evaluate.options.callaway-santanna]\nest_method = "reg"\n', "unknown-value", 12, "'dr'"),
        (WHOLE + "[stress]\nregion = 1\n", "not-available-yet", 11, "remove"),
        (WHOLE + '[robustness]\ntiming = ["approval_year"]\n', "register-only", 12, "register"),
        (WHOLE + '[robustness]\ncomparison = ["never-treated"]\n', "same-as-baseline", 12, "other rules"),
        (WHOLE + "[robustness]\nplacebo_time = [2, 0]\n", "bad-value", 12, "1 or more"),
        (WHOLE + '[[robustness.model]]\nname = "a b"\n', "bad-value", 12, "letters"),
        (WHOLE + '[[robustness.model]]\nname = "a"\n[[robustness.model]]\nname = "a"\n', "repeated-model", 14, "own name"),
        (WHOLE.replace(OUTCOME, OUTCOME + OUTCOME), "repeated-outcome", 12, "once"),
        (WHOLE.replace('column = "g"', 'column = "g"\nregister = "r"'), "one-policy", 7, "register or column"),
        (WHOLE.replace('column = "g"', 'column = "g"\ntiming = "approval_year"'), "register-only", 9, "remove"),
        (WHOLE.replace('column = "g"', 'treatment = "g"\nnever = [0]'), "column-only", 9, "remove"),
        (WHOLE.replace('column = "g"', 'register = "r"\nsince = 2012\nuntil = 2010'), "empty-window", 10, "swap"),
        (WHOLE + "[panel.world]\nseed = 1\n", "world-only", 11, "world:"),
        (WHOLE + '[[panel.join]]\nsource = "b"\nunit = "u"\ncolumns = ["x"]\nrename = { z = "w" }\n', "unknown-column", 15, "'x'"),
        (WHOLE + '[report]\nformats = ["htm"]\n', "unknown-value", 12, "'html'"),
        (WHOLE + '[report]\nformats = ["html", "svg"]\n', "unknown-value", 12, "docx"),
        (WHOLE.replace("[[outcome]]", "[outcome]"), "wrong-type", 9, "[[outcome]]"),
        (WHOLE.replace('name = "y"', 'name = "u"'), "role-shared", 10, "column"),
        (WHOLE.replace('name = "y"', 'name = "g"'), "role-shared", 10, "column"),
        (WHOLE + '[evaluate]\ncovariates = "~ x + y"\n', "role-shared", 12, "leave it out"),
        (WHOLE + '[evaluate]\ncovariates = ["t"]\n', "role-shared", 12, "leave it out"),
        (WHOLE + '[evaluate.options.twfe]\ncovariates = "~ g"\n', "role-shared", 12, "leave it out"),
        (WHOLE + '[[robustness.model]]\nname = "a"\ncovariates = ["y"]\n', "role-shared", 13, "leave it out"),
        (WHOLE.replace("[panel]", "summary = 5\n[panel]", 1), "wrong-type", 3, "in quotes, or one per language: { en ="),
        (WHOLE.replace("[panel]", 'summary = " "\n[panel]', 1), "bad-value", 3, "say something"),
    ],
)
def test_each_problem_is_one_finding_with_its_line(text: str, code: str, line: int | None, says: str) -> None:
    found = only(text)
    assert found.code == code
    assert says in found.remedy
    assert (f"line {line} " in found.where) if line else found.where.startswith("s.toml")


def test_all_problems_are_reported_at_once_and_in_order() -> None:
    text = WHOLE.replace('unit = "u"', "unit = 3").replace('column = "g"', 'colum = "g"') + "[stress]\n[evaluate]\nheadline = 1\n"
    codes = [f.code for f in findings(text)]
    assert codes == ["wrong-type", "unknown-key", "not-available-yet", "wrong-type"]


def test_a_study_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_bytes("[study]\ntitle = '示范'".encode("gb18030"))
    for name, code in (("othr.toml", "missing-file"), (".", "missing-file"), ("other.toml", "wrong-encoding")):
        with pytest.raises(StudyError) as caught:
            load_study(tmp_path / name)
        assert caught.value.findings[0].code == code
    with pytest.raises(StudyError, match=r"other\.toml"):
        load_study(tmp_path / "othr.toml")


def test_byte_order_mark_and_windows_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    assert load_study(path).study.study.seed == 7
