"""The choices of [robustness.curve], resolved: what the study declares, with what it leaves out taken from the rows of [robustness]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from hinterland.data.cohorts import Cohorts
from hinterland.errors import Finding, InputError
from hinterland.evaluate.covariates import plain_names
from hinterland.evaluate.design import make_design
from hinterland.evaluate.methods import METHODS
from hinterland.evaluate.specification_choices import Choices, Keep, baseline, fail_if_bad, settled
from hinterland.evaluate.specification_rows import Rows
from hinterland.study.estimators import fit_options
from hinterland.study.schema import ModelTable, Study
from hinterland.study.schema_curve import CurveTable
from hinterland.study.step import headline_for
from hinterland.study.unbuilt import Problem
from hinterland.study.variant import Variant

if TYPE_CHECKING:
    from hinterland.study.workspace import Workspace

ALL = "all"
"""The sample of the baseline."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The options beside the baseline's, by choice, as plain values: what the step's hash covers."""

    outcomes: tuple[str, ...]
    methods: tuple[str, ...]
    controls: tuple[str, ...] | None
    fe: tuple[tuple[str, ...], ...]
    cluster: tuple[tuple[str, ...], ...]
    timing: tuple[str, ...]
    partial: tuple[str, ...]
    uncertain: tuple[str, ...]
    comparison: tuple[str, ...]
    anticipation: tuple[int, ...]
    drop: tuple[str, ...]
    where: tuple[tuple[str, str], ...]
    years: tuple[tuple[int, int], ...]
    winsorise: tuple[float, ...]
    draws: int
    joint: tuple[str, ...]
    limit: int

    def as_json(self) -> dict[str, Any]:
        """For hashing."""
        return asdict(self)


def declared(study: Study) -> Declared | None:
    """What the study's curve crosses; ``None`` where it asks for none."""
    table, rows = study.robustness.curve, study.robustness
    if table is None:
        return None
    models = [m for m in rows.model if m.methods is None or set(m.methods) & {"twfe", study.evaluate.headline}]
    return Declared(
        outcomes=table.outcomes,
        methods=_methods(study, table),
        controls=_controls(study, table, models),
        fe=_given(table.fe, [m.fe for m in models if m.fe is not None]),
        cluster=_given(table.cluster, [m.cluster for m in models if m.cluster is not None]),
        timing=_given(table.timing, [*rows.timing, *(m.timing for m in models if m.timing)]),
        partial=_given(table.partial, [*rows.partial, *(m.partial for m in models if m.partial)]),
        uncertain=_given(table.uncertain, [m.uncertain for m in models if m.uncertain]),
        comparison=_given(table.comparison, [*rows.comparison, *(m.comparison for m in models if m.comparison)]),
        anticipation=table.anticipation,
        drop=_given(table.drop, list(rows.drop)),
        where=tuple((table.where if table.where is not None else {m.name: str(m.where) for m in _alone(models, "where")}).items()),
        years=_given(table.years, [m.years for m in _alone(models, "years")]),
        winsorise=table.winsorise,
        draws=table.draws,
        joint=table.joint,
        limit=table.limit,
    )


def _given(own: Sequence[Any] | None, rows: Sequence[Any]) -> tuple[Any, ...]:
    """The curve's own options, else those of the rows, each once."""
    return tuple(own) if own is not None else tuple(dict.fromkeys(rows))


def _alone(models: Sequence[ModelTable], key: str) -> list[ModelTable]:
    """The rows that change nothing but ``key``: what others keep goes with what they change."""
    return [m for m in models if m.model_fields_set - {"name", "label", "methods"} == {key}]


def _methods(study: Study, table: CurveTable) -> tuple[str, ...]:
    """The headline, then the others."""
    outcome = study.outcome[0]
    lead = headline_for(study, outcome)
    named = table.methods if table.methods is not None else ("twfe", *(m for model in study.robustness.model for m in model.methods or ()))
    return tuple(dict.fromkeys([lead, *(m for m in named if outcome.family in METHODS[m].family)]))


def _controls(study: Study, table: CurveTable, models: Sequence[ModelTable]) -> tuple[str, ...] | None:
    """The curve's own; else every column that [evaluate] or a row controls for, ``None`` where [evaluate] has a formula that is no plain sum."""
    if table.controls is not None:
        return table.controls
    base = plain_names(study.evaluate.covariates)
    if base is None:
        return None
    rows = [name for m in models for name in plain_names(m.covariates or None) or ()]
    return tuple(dict.fromkeys([*base, *rows]))


def curve_choices(work: Workspace, wanted: Declared) -> Choices:
    """The choices with their data: policies by rule, samples by rows. The baseline is the headline's own."""
    study = work.study
    outcome = study.outcome[0]
    settings = work.settings(headline_for(study, outcome))
    covariates, controls, lead = _split(settings.covariates, wanted.controls)
    return Choices(
        outcome=(outcome.name, *wanted.outcomes),
        method=wanted.methods,
        policy=_policies(work, wanted),
        comparison=(settings.comparison, *wanted.comparison),
        anticipation=(settings.anticipation, *wanted.anticipation),
        sample=_samples(work, wanted),
        window=(None, *wanted.years),
        winsorise=(0.0, *wanted.winsorise),
        covariates=(covariates,),
        controls=controls,
        lead=lead,
        fe=(settings.fe, *wanted.fe),
        cluster=(settings.cluster, *wanted.cluster),
    )


def _split(
    base: str | tuple[str, ...] | None, wanted: tuple[str, ...] | None
) -> tuple[str | tuple[str, ...] | None, tuple[str, ...], tuple[str, ...]]:
    """What is always controlled for, what may be in or out, and which of that the baseline has."""
    plain = plain_names(base)
    if wanted is None or plain is None:
        return base, wanted or (), ()
    return tuple(n for n in plain if n not in wanted) or None, wanted, tuple(n for n in wanted if n in plain)


def _policies(work: Workspace, wanted: Declared) -> dict[str, Cohorts]:
    policy = work.study.policy
    if policy.register_ is None:
        return {"policy": work.cohorts()}
    made = {}
    for timing in (policy.timing, *wanted.timing):
        for partial in (policy.partial, *wanted.partial):
            for uncertain in (policy.uncertain, *wanted.uncertain):
                made[f"{timing}, {partial}, {uncertain}"] = work.cohorts(Variant(timing=timing, partial=partial, uncertain=uncertain))
    return made


def _samples(work: Workspace, wanted: Declared) -> dict[str, Keep]:
    panel = work.panel
    samples: dict[str, Keep] = {ALL: None}
    for name in wanted.drop:
        units = work.group_of(name)["unit"]
        samples[name] = ~pl.col(panel.unit).cast(pl.String).is_in(units.implode())
    for name, expression in wanted.where:
        samples[name] = _rows_where(work, expression)
    return samples


def _rows_where(work: Workspace, expression: str) -> pl.Series:
    """[n] whether the rows satisfy an expression in the language of [panel.derive]."""
    from hinterland.data.derive import derive

    panel = work.panel
    name = "where" if "where" not in panel.frame.columns else "where_"
    return derive(panel, {name: expression}).frame[name].cast(pl.Boolean)


def curve_options(study: Study, methods: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The options of each estimator, as its leading fit has them, less those that say what the family is."""
    outcome = study.outcome[0].name
    made = {m: {k: v for k, v in fit_options(study, outcome, m).items() if k != "family"} for m in methods}
    return {m: options for m, options in made.items() if options}


_LISTS = (
    "outcomes", "methods", "controls", "fe", "cluster", "timing", "partial", "uncertain", "comparison", "anticipation", "drop", "years", "winsorise", "joint",
)  # fmt: skip
"""Keys that list options."""
_PATH = ("robustness", "curve")


def inconsistencies(study: Study) -> Iterator[Problem]:
    """What the curve's keys get wrong without a look at the data."""
    table = study.robustness.curve
    if table is None:
        return
    yield from _policy(study, table)
    yield from _repetitions(study, table)
    yield from _values(table)
    yield from _families(study, table)


def _policy(study: Study, table: CurveTable) -> Iterator[Problem]:
    for key in ("timing", "partial", "uncertain"):
        if study.policy.register_ is None and getattr(table, key):
            what = f"robustness.curve.{key} has a meaning for registers only"
            yield (*_PATH, key), "register-only", what, "remove it, or give policy.register"


def _repetitions(study: Study, table: CurveTable) -> Iterator[Problem]:
    """Options named twice, or that are the baseline's own."""
    policy, evaluate = study.policy, study.evaluate
    baselines: Mapping[str, Any] = {
        "outcomes": study.outcome[0].name,
        "timing": policy.timing,
        "partial": policy.partial,
        "uncertain": policy.uncertain,
        "comparison": evaluate.comparison,
        "anticipation": evaluate.anticipation,
        "winsorise": 0.0,
        "fe": evaluate.fe,
        "cluster": evaluate.cluster,
        "years": study.panel.years,
    }
    for key in _LISTS:
        options = tuple(getattr(table, key) or ())
        for i, value in enumerate(options):
            if key in baselines and value == baselines[key]:
                what = f"robustness.curve.{key} names {value!r}, which is the baseline's own"
                yield (*_PATH, key, i), "same-as-baseline", what, "name other options only: the baseline's is always in"
            if value in options[:i]:
                what = f"robustness.curve.{key} names {value!r} twice"
                yield (*_PATH, key, i), "repeated-choice", what, "name each option once: a repeated one would count twice"


def _values(table: CurveTable) -> Iterator[Problem]:
    for i, share in enumerate(table.winsorise):
        if not 0 <= share < 0.5:
            what = f"robustness.curve.winsorise has {share:g}"
            yield (*_PATH, "winsorise", i), "bad-share", what, "give the share of rows at either end, such as 0.01"
    for i, periods in enumerate(table.anticipation):
        if periods < 0:
            what = f"robustness.curve.anticipation has {periods}"
            yield (*_PATH, "anticipation", i), "negative-anticipation", what, "give a whole number of periods, 0 or more"
    for i, years in enumerate(table.years or ()):
        if years[0] >= years[1]:
            what = f"years runs from {years[0]} to {years[1]}"
            yield (*_PATH, "years", i), "empty-window", what, "give the first period, then a later last one"


def _families(study: Study, table: CurveTable) -> Iterator[Problem]:
    outcome = study.outcome[0]
    for i, method in enumerate(table.methods or ()):
        if outcome.family not in METHODS[method].family:
            what = f"{method!r} does not estimate the first outcome {outcome.name!r}, which is of family {outcome.family}"
            yield ("robustness", "curve", "methods", i), "method-without-outcome", what, "name estimators of its family"


def curve_findings(work: Workspace) -> Iterator[Finding]:
    """What the data have against the curve: unknown columns, too many specifications, a choice that leaves nothing to estimate."""
    wanted = declared(work.study)
    if wanted is None:
        return
    where = work.loaded.where("robustness", "curve")
    try:
        choices = settled(work.panel, curve_choices(work, wanted))
        fail_if_bad(work.panel, choices, wanted.limit)
    except InputError as error:
        yield from (replace(f, where=f"{where}: {f.where}") for f in error.findings)
        return
    yield from _empty(work, choices, where)


def _empty(work: Workspace, choices: Choices, where: str) -> Iterator[Finding]:
    """Samples, windows and rules with which nothing is left."""
    rows, base = Rows(work.panel, choices), baseline(choices)
    alone = [replace(base, outcome=o) for o in choices.outcome]
    alone += [replace(base, sample=s) for s in list(choices.sample)[1:]]
    alone += [replace(base, window=w) for w in choices.window[1:]]
    alone += [replace(base, policy=p) for p in list(choices.policy)[1:]]
    for one in alone:
        changed = next((n for n in ("outcome", "sample", "window", "policy") if getattr(one, n) != getattr(base, n)), "outcome")
        try:
            make_design(rows.panel_of(one), one.outcome, choices.policy[one.policy])
        except InputError as error:
            found = error.findings[0]
            what = f"the {changed} {getattr(one, changed)!r} leaves nothing to estimate: {found.what}"
            yield Finding("choice-leaves-nothing", what, where, found.remedy)
