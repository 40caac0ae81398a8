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
