"""Steps about the data: what the panel is, who is treated, and what the variables look like."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import polars as pl

from hinterland.data.cohorts import NEVER
from hinterland.evaluate.covariates import covariate_columns
from hinterland.study.step import Step
from hinterland.study.steps.output import Output, notes_table, output
from hinterland.study.workspace import Workspace


def describe_panel(work: Workspace, _: Step) -> Output:
    """Facts of the panel."""
    panel = work.panel
    time = panel.frame[panel.time]
    facts = {
        "n_units": panel.n_units,
        "n_periods": panel.n_periods,
        "n_obs": panel.frame.height,
        "first": int(time.min()),  # type: ignore[arg-type]  # an integer column that is not empty
        "last": int(time.max()),  # type: ignore[arg-type]
        "balanced": panel.is_balanced,
        "unit": panel.unit,
        "time": panel.time,
        "simulated": work.world is not None,
        "columns": {n: {"source": c.source, "unit": c.unit} for n, c in sorted(panel.columns.items())},
        "findings": [asdict(f) for f in panel.findings],
    }
    return output([], facts)


def policy(work: Workspace, step: Step) -> Output:
    """Cohort sizes; for a register also its timeline and its cities."""
    cohorts, panel = work.cohorts(), work.panel
    parts = [("cohort_sizes", _cohort_sizes(work)), ("notes", notes_table(step.id, cohorts.notes))]
    if work.register is not None:
        parts.append(("policy_timeline", work.register.timeline(cohorts, panel)))
        parts.append(("policy_cities", work.register.cities(cohorts, panel)))
    return output(parts)


def _assigned(work: Workspace) -> pl.DataFrame:
    """The panel's rows that the policy's rule keeps, with ``__cohort__`` (null: never treated in the window)."""
    panel = work.panel
    units = panel.frame[panel.unit].unique(maintain_order=True)
    cohort, _, keep = work.cohorts().assign(units)
    last = int(panel.frame[panel.time].max())  # type: ignore[arg-type]
    label = pl.Series("__cohort__", np.where(cohort > last, NEVER, cohort)).replace(NEVER, None)
    marks = pl.DataFrame({panel.unit: units, "__cohort__": label, "__keep__": pl.Series(keep)})
    return panel.frame.join(marks, on=panel.unit, how="left", maintain_order="left").filter("__keep__")


def _cohort_sizes(work: Workspace) -> pl.DataFrame:
    unit = work.panel.unit
    sizes = _assigned(work).group_by("__cohort__").agg(n_units=pl.col(unit).n_unique(), n_obs=pl.len())
    return sizes.rename({"__cohort__": "cohort"}).sort("cohort", nulls_last=True)


def descriptives(work: Workspace, _: Step) -> Output:
    """Moments of outcomes, mediators and covariates, for all units kept, the treated, and the never treated."""
    frame = _assigned(work)
    study = work.study
    mediators = () if study.mechanism is None else study.mechanism.mediators
    names = [o.name for o in study.outcome] + [*mediators] + covariate_columns(study.evaluate.covariates, frame.columns)
    work.panel.require(names, "an outcome, a mediator or a covariate")
    numeric = [n for n in dict.fromkeys(names) if frame.schema[n].is_numeric() or frame.schema[n] == pl.Boolean]
    treated = pl.col("__cohort__").is_not_null()
    samples = {"all": frame, "treated": frame.filter(treated), "never": frame.filter(~treated)}
    rows = [_moments(rows[n].cast(pl.Float64), n, sample) for n in numeric for sample, rows in samples.items()]
    return output([("descriptives", pl.DataFrame(rows, infer_schema_length=None))])


def _moments(values: pl.Series, variable: str, sample: str) -> dict[str, object]:
    seen = values.fill_nan(None).drop_nulls()
    quantiles = {name: seen.quantile(q, "linear") for name, q in (("p25", 0.25), ("median", 0.5), ("p75", 0.75))}
    return {
        "variable": variable,
        "sample": sample,
        "n": len(seen),
        "mean": seen.mean(),
        "sd": seen.std(),
        "min": seen.min(),
        **quantiles,
        "max": seen.max(),
    }
