from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from hinterland.errors import EstimationError
from hinterland.evaluate.design import make_design
from hinterland.evaluate.estimate import estimate, fit
from hinterland.evaluate.method import INFLUENCE_INFERENCE, REGRESSION_INFERENCE
from hinterland.evaluate.methods import METHODS, methods

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("method", "options", "code"),
    [
        ("twfee", {}, "unknown-method"),
        ("twfe", {"leads": 3}, "unknown-option"),
        ("twfe", {"vcov": "robust"}, "unknown-value"),
        ("twfe", {"ssc": "stata"}, "unknown-value"),
        ("twfe", {"anticipation": 1}, "not-defined"),
        ("twfe", {"bootstrap": {"drws": 99}}, "unknown-option"),
    ],
)
def test_bad_options_are_findings(toy: Make, method: str, options: dict[str, Any], code: str) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        estimate(made.panel, "y", made.policy, method, **options)
    assert caught.value.findings[0].code == code
    assert caught.value.findings[0].remedy


@pytest.mark.parametrize("method", ["twfe", "event-study", "ppml"])
def test_a_design_serves_several_methods(toy: Make, method: str) -> None:
    made = toy()
    outcome = "count" if method == "ppml" else "y"
    effects = fit(make_design(made.panel, outcome, made.policy), method)
    assert effects.method == method
    assert effects.outcome == outcome
    assert np.isfinite(effects.std_error[~effects.terms.reference]).all()


def test_every_method_has_its_module_and_the_options_it_declares() -> None:
    import inspect

    table = methods()
    assert table["id"].to_list() == list(METHODS)
    for method in METHODS.values():
        signature = inspect.signature(import_module(method.module).fit)
        declared = {n: p.default for n, p in signature.parameters.items() if n != "design" and p.kind != p.VAR_KEYWORD}
        if any(p.kind == p.VAR_KEYWORD for p in signature.parameters.values()):
            declared |= {n: o.default for n, o in REGRESSION_INFERENCE.items()}
        outer = set(INFLUENCE_INFERENCE) if method.reinferred else set()
        assert outer <= set(method.options), method.id
        assert declared == {n: o.default for n, o in method.options.items() if n not in outer}, method.id


@pytest.mark.filterwarnings("ignore::hinterland.HinterlandWarning")
@pytest.mark.parametrize("method", ["callaway-santanna", "sun-abraham", "imputation", "lp-did", "twfe", "event-study", "dcdh"])
def test_a_method_that_has_no_use_for_the_share_covered_says_so(toy: Make, cohorts: Make, method: str) -> None:
    made = toy(60)
    units = [f"u{i:03d}" for i in range(60)]
    first = [(2004, 2006, None, None)[i % 4] for i in range(60)]
    policies = [cohorts(units, first, [s if f else 0.0 for f in first]) for s in (0.5, 1.0)]
    half, full = (estimate(made.panel, "y", policy, method) for policy in policies)
    assert "dose-not-used" not in {n.code for n in full.notes}
    notes = [n for n in half.notes if n.code == "dose-not-used"]
    if "dose" in METHODS[method].accepts:
        assert not notes
        assert method == "dcdh" or not np.allclose(half.estimate, full.estimate)
        return
    np.testing.assert_array_equal(half.estimate, full.estimate)
    assert notes[0].values["count"] == 30
    assert method in str(notes[0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [[], {}, [1, "a"], (1, 2), 1.5, object(), np.array([1, 2]), np.int64(7)], ids=lambda v: type(v).__name__)
def test_a_value_of_a_wrong_kind_is_a_finding(toy: Make, method: str, value: object) -> None:
    made = toy()
    for name, option in METHODS[method].options.items():
        if not (option.column or option.values) or (name == "ssc" and isinstance(value, dict)):
            continue
        with pytest.raises(EstimationError) as caught:
            estimate(made.panel, "y", made.policy, method, **{name: value})
        assert [f.code for f in caught.value.findings] == ["unknown-value"], name


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("sun-abraham", {"reference": 1.5}),
        ("sun-abraham", {"reference": object()}),
        ("matrix-completion", {"cv_seed": -1}),
        ("matrix-completion", {"cv_seed": "x"}),
        ("matrix-completion", {"folds": 10**9}),
        ("stacked", {"kappa_pre": 10**9}),
        ("stacked", {"kappa_post": 10**9}),
        ("lp-did", {"pmd": 10**9}),
        ("lp-did", {"ylags": 10**9}),
        ("lp-did", {"dylags": 10**9}),
    ],
    ids=lambda v: v if isinstance(v, str) else next(iter(v)),
)
def test_numbers_out_of_all_proportion_are_findings(toy: Make, method: str, options: dict[str, Any]) -> None:
    made = toy()
    with pytest.raises(EstimationError) as caught:
        estimate(made.panel, "y", made.policy, method, **options)
    assert all(f.what and f.where and f.remedy for f in caught.value.findings)
