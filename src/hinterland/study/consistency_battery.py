"""What must hold between the keys of ``[robustness]`` that make the rows of the battery."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hinterland.data.policy import registers
from hinterland.errors import did_you_mean
from hinterland.evaluate.methods import METHODS
from hinterland.study.battery import name_of
from hinterland.study.changes import PARTIAL
from hinterland.study.schema import Study
from hinterland.study.schema_battery import ConcurrentTable
from hinterland.study.step import base_methods, has_controls, headline_for, methods_for
from hinterland.study.unbuilt import Problem

_SAME = "name other choices only"


def battery_inconsistencies(study: Study) -> Iterator[Problem]:
    """Every rule that the battery's keys break: key path, code, what, remedy."""
    yield from _limits(study)
    yield from _repeated(study)
    yield from _concurrent(study)
    yield from _controls(study)
    yield from _effects_and_clusters(study)
    yield from _outcomes(study)
    yield from _methods(study)
    yield from _partial(study)


def _limits(study: Study) -> Iterator[Problem]:
    for key in ("winsorise", "trim"):
        for i, (low, high) in enumerate(getattr(study.robustness, key)):
            path = ("robustness", key, i)
            if not 0 <= low < high <= 1:
                remedy = "give the share of each tail, such as 0.01, or two quantiles, such as [0.01, 0.99]"
                yield path, "bad-value", f"robustness.{key} has {low:g} and {high:g}", remedy
            elif (low, high) == (0.0, 1.0):
                yield path, "same-as-baseline", f"robustness.{key} has 0 and 1, which changes nothing", "give a share above 0"


def _repeated(study: Study) -> Iterator[Problem]:
    table = study.robustness
    for key in ("winsorise", "trim", "concurrent_how", "lag_controls", "fe", "outcomes", "cluster", "methods", "drop"):
        values: Sequence[Any] = getattr(table, key)
        for i, value in enumerate(values):
            if value in values[:i]:
                yield ("robustness", key, i), "repeated-value", f"robustness.{key} names {value!r} twice", "name each once"
    names = [name_of(e) for e in table.concurrent]
    for i, name in enumerate(names):
        if name in names[:i]:
            yield ("robustness", "concurrent", i), "repeated-value", f"robustness.concurrent names {name!r} twice", "name each once"


def _concurrent(study: Study) -> Iterator[Problem]:
    table = study.robustness
    if not table.concurrent and "concurrent_how" in table.model_fields_set:
        what = "robustness.concurrent_how has a meaning with robustness.concurrent only"
        yield ("robustness", "concurrent_how"), "option-unused", what, "name programmes in concurrent, or remove it"
    for i, entry in enumerate(table.concurrent):
        path = ("robustness", "concurrent", i)
        if name_of(entry) == study.policy.register_:
            what = f"robustness.concurrent names {name_of(entry)!r}, which is the policy itself"
            yield path, "same-as-baseline", what, "name other programmes only"
        elif isinstance(entry, ConcurrentTable):
            yield from _own_programme(path, entry)


def _own_programme(path: tuple[str | int, ...], entry: ConcurrentTable) -> Iterator[Problem]:
    if entry.name in registers():
        what = f"the programme {entry.name!r} has the name of a packaged register"
        yield (*path, "name"), "name-taken", what, "give it another name, or name the register alone"
    if (entry.source is None) == (entry.column is None):
        what = f"the programme {entry.name!r} names {'neither a file nor a column' if entry.source is None else 'both a file and a column'}"
        yield path, "one-source", what, "give source (with unit and first), or column"
    lacking = [k for k in ("unit", "first") if entry.source is not None and getattr(entry, k) is None]
    if lacking:
        yield path, "missing-key", f"the programme {entry.name!r} lacks {' and '.join(lacking)}", "name the columns of its file"


def _controls(study: Study) -> Iterator[Problem]:
    table = study.robustness
    told = {m for o in study.outcome for m in base_methods(study, o)}
    if table.lag_controls and not any(has_controls(study, m) for m in told):
        what = "robustness.lag_controls lags the controls, and neither twfe nor the headline has any"
        yield ("robustness", "lag_controls"), "no-covariates", what, "name covariates in [evaluate], or remove it"
    for i, periods in enumerate(table.lag_controls):
        if periods < 1:
            what = f"robustness.lag_controls has {periods}"
            yield ("robustness", "lag_controls", i), "bad-value", what, "give whole numbers of periods, 1 or more"


def _effects_and_clusters(study: Study) -> Iterator[Problem]:
    evaluate, table = study.evaluate, study.robustness
    for i, effects in enumerate(table.fe):
        if set(effects) <= set(evaluate.fe):
            what = f"robustness.fe adds {' + '.join(effects) or 'nothing'}, which the baseline has"
            yield ("robustness", "fe", i), "same-as-baseline", what, _SAME
    own = evaluate.cluster or (study.panel.cluster or study.panel.unit,)
    for i, cluster in enumerate(table.cluster):
        if not cluster or set(cluster) == set(own):
            what = f"robustness.cluster names {' and '.join(cluster) or 'nothing'}, as the baseline does"
            yield ("robustness", "cluster", i), "same-as-baseline", what, _SAME


def _outcomes(study: Study) -> Iterator[Problem]:
    roles = {study.panel.unit: "panel.unit", study.panel.time: "panel.time"}
    roles |= {n: f"policy.{k}" for k, n in (("column", study.policy.column), ("treatment", study.policy.treatment)) if n is not None}
    for i, name in enumerate(study.robustness.outcomes):
        path = ("robustness", "outcomes", i)
        if name == study.outcome[0].name:
            yield path, "same-as-baseline", f"robustness.outcomes names {name!r}, the first outcome itself", _SAME
        elif name in roles:
            what = f"robustness.outcomes names {name!r}, which is also {roles[name]}"
            yield path, "role-shared", what, "name a column that the policy may have changed"


def _methods(study: Study) -> Iterator[Problem]:
    families = {o.family for o in study.outcome}
    leads = {headline_for(study, o) for o in study.outcome}
    run = {m for o in study.outcome for m in methods_for(study, o)}
    for i, method in enumerate(study.robustness.methods):
        path = ("robustness", "methods", i)
        if method in leads:
            yield path, "same-as-baseline", f"robustness.methods names {method!r}, the headline itself", _SAME
        elif not families & set(METHODS[method].family):
            what = f"no outcome is of a family that {method!r} estimates"
            yield (
                path,
                "method-without-outcome",
                what,
                did_you_mean(method, sorted(m for m in METHODS if families & set(METHODS[m].family))),
            )
        elif method == "triple" and method not in run:
            what = "triple needs its partition, which [evaluate.options.triple] names"
            yield path, "no-partition", what, "add triple to evaluate.methods with its options"


def _partial(study: Study) -> Iterator[Problem]:
    drop = study.robustness.drop
    if PARTIAL not in drop:
        return
    path = ("robustness", "drop", drop.index(PARTIAL))
    if study.policy.register_ is None:
        what = f"robustness.drop names {PARTIAL!r}, which has a meaning for registers only"
        yield path, "register-only", what, "remove it, or give policy.register"
    elif study.policy.partial == "exclude":
        what = f"robustness.drop names {PARTIAL!r}, and policy.partial = 'exclude' leaves these units out already"
        yield path, "same-as-baseline", what, "name other sets only"
