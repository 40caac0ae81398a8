"""The specification curve: every combination of choices, and the curve as a whole against chance."""

from __future__ import annotations

import polars as pl

from hinterland.errors import EstimationError
from hinterland.evaluate.specification import SpecificationCurve
from hinterland.evaluate.specification import curve as estimate
from hinterland.evaluate.specification_joint import SpecificationInference
from hinterland.labels import Note
from hinterland.study.curve import curve_choices, curve_options, declared
from hinterland.study.step import Step, seed_of
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace, tolerated


def curve(work: Workspace, step: Step) -> Output:
    """Estimates of all specifications, what each choice moves, the joint tests; a note on each test that has no draws."""
    wanted = declared(work.study)
    if wanted is None:
        return Output()
    try:
        found = estimate(work.panel, curve_choices(work, wanted), curve_options(work.study, wanted.methods), wanted.limit)
    except EstimationError as error:
        return output(
            [("notes", notes_table(step.id, [Note("curve-not-possible", {"outcome": step.outcome, "reason": tolerated(error)})]))]
        )
    tests, notes = [], list(found.notes)
    for kind in wanted.joint:
        try:
            tests.append(found.joint(wanted.draws, kind, seed=seed_of(work.study, f"{step.id}/{kind}")))  # type: ignore[arg-type]  # by the schema
        except EstimationError as error:
            notes.append(Note("curve-joint-not-possible", {"kind": kind, "reason": tolerated(error)}))
    named = pl.lit(step.outcome).alias("outcome")
    measured = {"outcome": "measure"}
    parts = [
        ("specifications", _beside(found, tests).rename(measured).with_columns(named)),
        ("specification_shares", _shares(found).with_columns(named)),
        ("specification_left_out", found.left_out.rename(measured).with_columns(named)),
        *(("specification_inference", _tests(test).with_columns(named)) for test in tests),
        ("notes", notes_table(step.id, notes)),
        *(("notes", notes_table(f"{step.id}/{test.kind}", test.notes)) for test in tests),
    ]
    return output(parts)


def _beside(found: SpecificationCurve, tests: list[SpecificationInference]) -> pl.DataFrame:
    """The specifications, with what the first test says of each and of each rank."""
    if not tests:
        return found.frame
    alone = tests[0].specifications.select("specification", pl.col("p_value").alias("p_exact"), "p_adjusted", "estimate").sort("estimate")
    ranked = alone.with_columns(null_low=tests[0].ranks["low"], null_high=tests[0].ranks["high"]).drop("estimate")
    return found.frame.join(ranked, on="specification", how="left", maintain_order="left")


def _shares(found: SpecificationCurve) -> pl.DataFrame:
    """The outcome as a choice is called what the column of table ``specifications`` is."""
    return found.shares.with_columns(pl.col("choice").replace({"outcome": "measure"}))


def _tests(test: SpecificationInference) -> pl.DataFrame:
    real = test.frame.with_columns(pl.when(pl.col(pl.Float64).is_finite()).then(pl.col(pl.Float64)))
    return real.with_columns(
        kind=pl.lit(test.kind),
        n_specifications=pl.lit(test.n_specifications),
        n_significant=pl.lit(test.n_significant),
        draws=pl.lit(test.draws),
    )
