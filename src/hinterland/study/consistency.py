"""What must hold between the keys of a study file: each rule is a function that yields problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite

from hinterland.errors import did_you_mean
from hinterland.evaluate.methods import METHODS
from hinterland.study import curve
from hinterland.study.columns import clashes
from hinterland.study.consistency_battery import battery_inconsistencies
from hinterland.study.consistency_measure import least_problems, measure_problems, table_problems
from hinterland.study.consistency_mechanism import mechanism_problems
from hinterland.study.estimators import COVARIANCE, DESIGN_OPTIONS, USED_BY
from hinterland.study.groups import group_problems
from hinterland.study.plan_displacement import displacement_problems
from hinterland.study.plan_matching import inconsistent_matching
from hinterland.study.plan_moderation import moderation_problems
from hinterland.study.planning import plan_problems
from hinterland.study.schema import Study
from hinterland.study.transferring import transfer_problems
from hinterland.study.unbuilt import Problem


def inconsistencies(study: Study) -> Iterator[Problem]:
    """Every rule that ``study`` breaks: key path, code, what, remedy."""
    yield from least_problems(study)
    yield from table_problems(study)
    yield from measure_problems(study)
    yield from transfer_problems(study)
    yield from plan_problems(study)
    if not study.evaluates:
        return
    if "policy" in study.model_fields_set:
        yield from _policy(study)
    yield from _panel(study)
    yield from _outcomes(study)
    yield from clashes(study)
    yield from _methods(study)
    yield from _options(study)
    yield from _covariance(study)
    yield from _diagnostics(study)
    yield from _robustness(study)
    yield from battery_inconsistencies(study)
    yield from moderation_problems(study)
    yield from displacement_problems(study)
    yield from mechanism_problems(study)
    yield from group_problems(study)
    yield from inconsistent_matching(study)
    yield from curve.inconsistencies(study)


def _policy(study: Study) -> Iterator[Problem]:
    policy = study.policy
    dated = [k for k, v in (("register", policy.register_), ("column", policy.column)) if v is not None]
    given = dated if dated and not policy.reversible else [*dated, *(["treatment"] if policy.treatment is not None else [])]
    if len(given) != 1:
        what = "names no source of adoption dates" if not given else f"names {len(given)} sources of adoption dates: {', '.join(given)}"
        yield (
            ("policy",),
            "one-policy",
            f"[policy] {what}",
            "give register or column (treatment beside it is compared with the dates), or treatment alone",
        )
    if policy.register_ is None and given:
        only = {"timing", "partial", "uncertain", "conflict", "cutoff_month", "since", "until"} & policy.model_fields_set
        for key in sorted(only):
            yield (
                ("policy", key),
                "register-only",
                f"policy.{key} has a meaning for registers only",
                f"remove it: {given[0]} already says when each unit is treated",
            )
    if "never" in policy.model_fields_set and policy.column is None:
        yield ("policy", "never"), "column-only", "policy.never has a meaning with policy.column only", "remove it"
    if policy.reversible and policy.treatment is None:
        yield ("policy", "reversible"), "treatment-only", "policy.reversible has a meaning with policy.treatment only", "remove it"
    if policy.since is not None and policy.until is not None and policy.since > policy.until:
        yield ("policy", "until"), "empty-window", f"policy.until ({policy.until}) is before policy.since ({policy.since})", "swap them"


def _panel(study: Study) -> Iterator[Problem]:
    panel = study.panel
    for path, years in (
        (("panel", "years"), panel.years),
        *((("robustness", "model", i, "years"), m.years) for i, m in enumerate(study.robustness.model)),
    ):
        if years is not None and years[0] >= years[1]:
            yield path, "empty-window", f"years runs from {years[0]} to {years[1]}", "give the first period, then a later last one"
    if panel.world is not None and not study.is_world:
        yield (
            ("panel", "world"),
            "world-only",
            f"[panel.world] has no meaning for the source {panel.source!r}",
            'remove it, or set source = "world:demonstration-zones"',
        )
    for i, join in enumerate(panel.join):
        for old in join.rename:
            if old not in join.columns:
                yield (
                    ("panel", "join", i, "rename", old),
                    "unknown-column",
                    f"rename names {old!r}, which is not among the joined columns",
                    did_you_mean(old, join.columns),
                )


def _outcomes(study: Study) -> Iterator[Problem]:
    counts = Counter(o.name for o in study.outcome)
    for i, outcome in enumerate(study.outcome):
        if counts[outcome.name] > 1 and [o.name for o in study.outcome].index(outcome.name) != i:
            yield (
                ("outcome", i, "name"),
                "repeated-outcome",
                f"the outcome {outcome.name!r} is there {counts[outcome.name]} times",
                "give each outcome once, under one family",
            )


def _methods(study: Study) -> Iterator[Problem]:
    evaluate = study.evaluate
    if "triple" in evaluate.methods and not evaluate.options.get("triple", {}).get("partition"):
        what = "triple needs a column that is 1 for the units the policy is meant for and 0 for the others of the same places"
        path = ("evaluate", "methods", evaluate.methods.index("triple"))
        yield path, "no-partition", what, 'name it: [evaluate.options.triple] partition = "…"'
    for i, method in enumerate(evaluate.methods):
        if method in evaluate.methods[:i]:
            yield ("evaluate", "methods", i), "repeated-method", f"the estimator {method!r} is there twice", "name each estimator once"
    if evaluate.headline not in evaluate.methods:
        yield (
            ("evaluate", "headline"),
            "headline-not-run",
            f"the headline {evaluate.headline!r} is not among evaluate.methods",
            "add it to methods, or name one of them",
        )
    elif METHODS[evaluate.headline].family == ("poisson",) and any(o.family == "gaussian" for o in study.outcome):
        yield (
            ("evaluate", "headline"),
            "headline-family",
            f"the headline {evaluate.headline!r} is for counts, and there are gaussian outcomes",
            "name a gaussian estimator: ppml leads the outcomes of family poisson by itself",
        )
    families = {o.family for o in study.outcome}
    for i, method in enumerate(evaluate.methods):
        if not families & set(METHODS[method].family) and method != evaluate.headline:
            yield (
                ("evaluate", "methods", i),
                "method-without-outcome",
                f"no outcome is of a family that {method!r} estimates",
                f'add an [[outcome]] with family = "{METHODS[method].family[0]}", or remove the estimator',
            )


def _options(study: Study) -> Iterator[Problem]:
    used = {*study.evaluate.methods, *(["ppml"] if any(o.family == "poisson" for o in study.outcome) else [])}
    used |= {"spillover"} if study.displacement else set()
    for method, options in study.evaluate.options.items():
        path = ("evaluate", "options", method)
        if method not in used:
            yield path, "unused-options", f"there are options for {method!r}, which is not run", did_you_mean(method, sorted(used))
            continue
        known = METHODS[method].options
        for name, value in options.items():
            if name in DESIGN_OPTIONS:
                continue
            if name not in known:
                yield (*path, name), "unknown-option", f"{method} has no option {name!r}", did_you_mean(name, [*known, *DESIGN_OPTIONS])
            elif known[name].values and isinstance(value, str | int | float) and value not in known[name].values:
                yield (*path, name), "unknown-value", f"{name} is {value!r}", f"choose one of: {', '.join(map(repr, known[name].values))}"


def _covariance(study: Study) -> Iterator[Problem]:
    """Keys of a covariance that is not asked for, or that lacks its distance."""
    evaluate = study.evaluate
    own = [options.get("vcov") for options in evaluate.options.values()]
    yield from _covariance_keys(("evaluate",), {k: getattr(evaluate, k) for k in COVARIANCE}, own)
    for i, model in enumerate(study.robustness.model):
        yield from _covariance_keys(("robustness", "model", i), {k: getattr(model, k) for k in COVARIANCE}, ())
    for method, options in evaluate.options.items():
        if method in METHODS and options.get("vcov") == "conley" and "cutoff_km" not in options and evaluate.cutoff_km is None:
            yield (
                ("evaluate", "options", method, "vcov"),
                "cutoff-missing",
                f"vcov of {method} is 'conley' without a distance",
                "give cutoff_km: kilometres within which errors may be correlated, such as 300",
            )


def _covariance_keys(path: tuple[str | int, ...], given: Mapping[str, object], others: Iterable[object]) -> Iterator[Problem]:
    asked = {given["vcov"], *others}
    for key, kinds in USED_BY.items():
        if given[key] is not None and not asked & set(kinds):
            remedy = f"leave it out, or set vcov to one of: {', '.join(map(repr, kinds))}"
            yield (*path, key), "option-unused", f"{key} has a meaning with {' or '.join(kinds)} only", remedy
    if given["vcov"] == "conley" and given["cutoff_km"] is None:
        remedy = "give cutoff_km: kilometres within which errors may be correlated, such as 300"
        yield (*path, "vcov"), "cutoff-missing", "vcov is 'conley' without a distance", remedy


def _diagnostics(study: Study) -> Iterator[Problem]:
    table = study.diagnostics
    for key in ("sensitivity", "sensitivity_methods", "leave_out", "small_sample"):
        values = getattr(table, key)
        for i, value in enumerate(values):
            if value in values[:i]:
                yield ("diagnostics", key, i), "repeated-value", f"diagnostics.{key} names {value!r} twice", "name each once"
    for i, value in enumerate(table.grid):
        if value < 0 or not isfinite(value):
            yield ("diagnostics", "grid", i), "bad-value", f"diagnostics.grid has {value:g}", "give sizes of 0 or more"
    for i, method in enumerate(table.sensitivity_methods):
        if method not in study.evaluate.methods:
            remedy = "add it to evaluate.methods, or remove it here"
            yield ("diagnostics", "sensitivity_methods", i), "method-not-run", f"the estimator {method!r} is not run", remedy
    if "zone" in table.leave_out and study.policy.register_ is None:
        what = "diagnostics.leave_out names 'zone', and the policy comes from no register"
        yield ("diagnostics", "leave_out", table.leave_out.index("zone")), "register-only", what, "remove it, or give policy.register"
    if table.oster and not (study.evaluate.covariates or study.evaluate.options.get("twfe", {}).get("covariates")):
        what = "diagnostics.oster compares the coefficient without and with covariates, and there are none"
        yield ("diagnostics", "oster"), "no-covariates", what, "name covariates in [evaluate], or leave it out"


def _robustness(study: Study) -> Iterator[Problem]:
    rows, policy, evaluate = study.robustness, study.policy, study.evaluate
    if policy.register_ is None:
        for key in ("timing", "partial"):
            if getattr(rows, key):
                yield (
                    ("robustness", key),
                    "register-only",
                    f"robustness.{key} has a meaning for registers only",
                    "remove it, or give policy.register",
                )
    for key, values, baseline in (
        ("timing", rows.timing, policy.timing),
        ("partial", rows.partial, policy.partial),
        ("comparison", rows.comparison, evaluate.comparison),
    ):
        for i, value in enumerate(values):
            if value == baseline and (key == "comparison" or policy.register_ is not None):
                yield (
                    ("robustness", key, i),
                    "same-as-baseline",
                    f"robustness.{key} names {value!r}, which is the baseline's own rule",
                    "name other rules only",
                )
    for i, shift in enumerate(rows.placebo_time):
        if shift < 1:
            yield ("robustness", "placebo_time", i), "bad-value", f"placebo_time has {shift}", "give whole numbers of periods, 1 or more"
    yield from _models(study)


def _models(study: Study) -> Iterator[Problem]:
    policy, rows = study.policy, study.robustness
    names = [m.name for m in rows.model]
    for i, model in enumerate(rows.model):
        for key in ("timing", "partial", "uncertain"):
            if policy.register_ is None and getattr(model, key) is not None:
                yield (
                    ("robustness", "model", i, key),
                    "register-only",
                    f"robustness.model.{key} has a meaning for registers only",
                    "remove it, or give policy.register",
                )
        if model.name in names[:i]:
            yield (
                ("robustness", "model", i, "name"),
                "repeated-model",
                f"the robustness model {model.name!r} is there twice",
                "give each its own name",
            )
