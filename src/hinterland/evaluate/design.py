"""The design: panel, cohorts and comparison rule, integer-coded once and shared by every estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, PanelError, did_you_mean, fail_if_any, listed
from hinterland.evaluate.coding import Codes, Factor, Floats, RowCoder, compact, parse_effect, period_codes, unit_codes
from hinterland.evaluate.covariates import covariate_columns, covariate_matrix
from hinterland.evaluate.design_checks import estimability, oddities
from hinterland.evaluate.sample import complete_sample, real
from hinterland.labels import Note

__all__ = ["Codes", "Comparison", "Design", "Factor", "Floats", "make_design"]

Comparison = Literal["never-treated", "not-yet-treated"]


@dataclass(frozen=True, slots=True)
class Design:
    """What is estimated on what: rows sorted by unit then period, integer-coded.

    N units, T periods, n rows, k covariates.

    Attributes:
        outcome: name of the outcome column.
        unit_labels: [N] unit codes as text, in row order.
        periods: [T] period labels, increasing (not necessarily consecutive).
        unit: [n] index into ``unit_labels``;  period: [n] index into ``periods``.
        y: [n] outcome.
        cohort: [N] first treated period (a label, not an index); ``NEVER`` if never treated in the window.
        dose: [N] share of the unit covered by the policy (0 for never treated).
        weight: [n] sampling weights or ``None``.
        covariates: [n, k] covariate columns, no intercept;  covariate_names: their k names.
        clusters: the grouping(s) inference clusters on; the first is the one influence functions are summed over.
        fixed_effects: extra fixed effects and slopes, beyond unit and period.
        coordinates: [N, 2] longitude and latitude in degrees, or ``None``.
        comparison: the untreated group that is compared with.
        anticipation: periods before adoption in which units may already react.
        balanced: every unit is observed in every period, so ``y.reshape(N, T)`` is the panel.
        policy: the rule behind ``cohort``.
        treatment_level: [n] the treatment as observed, where the policy comes from a column that may be switched off or change its
            level (:attr:`Cohorts.path`); ``None`` where treatment is 1[t ≥ cohort].
        treatment_path: [N, T] the same wherever the panel shows it, also in rows that are left out for a missing value, NaN elsewhere;
            ``None`` where no row is left out.
        columns: [n] further columns that an option of a method names, by column name: numbers as floats, the rest as text.
        notes: rows dropped and why, in words.
    """

    outcome: str
    unit_labels: NDArray[np.str_]
    periods: NDArray[np.int64]
    unit: Codes
    period: Codes
    y: Floats
    cohort: NDArray[np.int64]
    dose: Floats
    weight: Floats | None
    covariates: Floats
    covariate_names: tuple[str, ...]
    clusters: tuple[Factor, ...]
    fixed_effects: tuple[Factor, ...]
    coordinates: Floats | None
    comparison: Comparison
    anticipation: int
    balanced: bool
    policy: Cohorts
    unit_name: str = "unit"
    time_name: str = "time"
    weight_name: str | None = None
    treatment_level: Floats | None = None
    treatment_path: Floats | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[Note, ...] = field(default=())

    def __repr__(self) -> str:
        return (
            f"Design({self.outcome}: {self.n_units} units × {self.n_periods} periods, {self.n_obs} rows"
            f"{'' if self.balanced else ' (unbalanced)'}; {self.n_treated} treated in {len(self.cohorts)} cohorts; "
            f"{self.comparison}, anticipation {self.anticipation})"
        )

    @property
    def n_units(self) -> int:
        """Number of units N."""
        return len(self.unit_labels)

    @property
    def n_periods(self) -> int:
        """Number of periods T."""
        return len(self.periods)

    @property
    def n_obs(self) -> int:
        """Number of rows n."""
        return len(self.y)

    @property
    def n_treated(self) -> int:
        """Units first treated inside the window (always-treated units included)."""
        return int(np.count_nonzero(self.cohort != NEVER))

    @property
    def cohorts(self) -> NDArray[np.int64]:
        """The distinct first treated periods, increasing, without ``NEVER``."""
        return np.unique(self.cohort[self.cohort != NEVER])

    @property
    def treated(self) -> NDArray[np.bool_]:
        """[n] whether the row's unit is treated in the row's period."""
        return np.asarray(self.periods[self.period] >= self.cohort[self.unit])

    @property
    def event_time(self) -> NDArray[np.int64]:
        """[n] period minus first treated period; meaningless where the cohort is ``NEVER``."""
        return np.asarray(self.periods[self.period] - self.cohort[self.unit])

    @property
    def absorbing(self) -> bool:
        """Whether treatment, once switched on, stays on at one level: 1[t ≥ cohort]."""
        return self.treatment_level is None or bool((self.treatment_level == self.treated).all())

    @property
    def always_treated(self) -> NDArray[np.bool_]:
        """[N] units already treated in the first period of the window."""
        return np.asarray(self.cohort <= self.periods[0])

    def take(self, rows: NDArray[np.bool_], *notes: Note) -> Design:
        """The design restricted to ``rows`` [n], recoded, with further notes."""
        return _restrict(self, rows, notes)


def make_design(
    panel: Panel,
    outcome: str,
    policy: Cohorts,
    *,
    covariates: str | Sequence[str] | None = None,
    fe: Sequence[str] = (),
    comparison: str = "never-treated",
    anticipation: int = 0,
    cluster: str | Sequence[str] | None = None,
    columns: Sequence[str] = (),
) -> Design:
    """Code ``panel`` and ``policy`` into a :class:`Design`.

    Args:
        panel: a checked panel.
        outcome: the outcome column (numeric).
        policy: first treated periods, from a register or from a column.
        covariates: a one-sided formula (``"~ ln_gdp + share2"``) or column names.
        fe: extra fixed effects: ``"province"``, ``"province^year"`` (interaction), ``"city[year]"`` (slope of year by city).
        comparison: ``never-treated`` or ``not-yet-treated``.
        anticipation: periods before adoption in which units may already react (≥ 0).
        cluster: column(s) to cluster on; the panel's cluster column, else the unit, by default.
        columns: further columns that a method needs.

    Rows whose outcome, covariates, weight, fixed effect or cluster is missing are left out and counted in the notes.

    Raises:
        PolicyError: the policy's dates contradict the panel's treatment column.
        EstimationError: unknown comparison, negative anticipation, outcome that never varies, nobody treated, nobody left
            to compare with.
        PanelError: unknown or non-numeric columns.
    """
    _fail_if_bad_options(comparison, anticipation)
    clusters = _cluster_columns(panel, cluster)
    effects = [parse_effect(e) for e in fe]
    needed = [outcome, *covariate_columns(covariates, panel.frame.columns), *clusters, *columns, *([policy.path] if policy.path else [])]
    needed += [c for parts, slope in effects for c in (*parts, *([slope] if slope else []))]
    panel.require(needed, "used by the model")
    _fail_if_not_numeric(panel, outcome, [s for _, s in effects if s])

    _fail_if_contradicted(panel, policy)
    sample = complete_sample(panel, needed, policy, outcome)
    frame, starts = sample.frame, sample.starts
    unit = unit_codes(starts, frame.height)
    periods, period, balanced = period_codes(frame[panel.time].to_numpy(), starts)
    cohort = np.where(sample.cohort > periods[-1] + anticipation, NEVER, sample.cohort)
    labels = frame[panel.unit][starts].cast(pl.String).to_numpy().astype(np.str_)
    coder = RowCoder(frame, panel.unit, panel.time, unit, period, starts, labels, periods)
    matrix, names = covariate_matrix(covariates, frame)
    design = Design(
        outcome=outcome,
        unit_labels=labels,
        periods=periods,
        unit=unit,
        period=period,
        y=real(frame, outcome),
        cohort=cohort,
        dose=np.where(cohort == NEVER, 0.0, sample.dose),
        weight=real(frame, panel.weight) if panel.weight else None,
        covariates=matrix,
        covariate_names=names,
        clusters=tuple(coder.factor(c, (c,)) for c in clusters),
        fixed_effects=tuple(coder.factor(f, parts, slope) for f, (parts, slope) in zip(fe, effects, strict=True)),
        coordinates=np.column_stack([real(frame, c)[starts] for c in panel.coordinates]) if panel.coordinates else None,
        comparison=comparison,  # type: ignore[arg-type]  # checked above
        anticipation=anticipation,
        balanced=balanced,
        policy=policy,
        unit_name=panel.unit,
        time_name=panel.time,
        weight_name=panel.weight,
        treatment_level=real(frame, policy.path) if policy.path else None,
        treatment_path=_whole_path(panel, policy.path, labels, periods) if policy.path and frame.height < panel.frame.height else None,
        columns={c: _carried(frame, c) for c in columns},
        notes=(*policy.notes, *sample.notes),
    )
    design = replace(design, notes=(*design.notes, *oddities(design)))
    fail_if_any(estimability(design), "design", EstimationError)
    return design


def _whole_path(panel: Panel, path: str, labels: NDArray[np.str_], periods: NDArray[np.int64]) -> Floats:
    """[N, T] column ``path`` of the units ``labels`` in ``periods``, from all rows of the panel; NaN where it has none."""
    unit = panel.frame[panel.unit].cast(pl.String).to_numpy().astype(np.str_)
    time = panel.frame[panel.time].to_numpy()
    order = np.argsort(labels)
    row, column = np.searchsorted(labels, unit, sorter=order), np.searchsorted(periods, time)
    inside = (row < len(labels)) & (column < len(periods))
    row, column = order[np.minimum(row, len(labels) - 1)], np.minimum(column, len(periods) - 1)
    inside &= (labels[row] == unit) & (periods[column] == time)
    out = np.full((len(labels), len(periods)), np.nan)
    out[row[inside], column[inside]] = real(panel.frame, path)[inside]
    return out


def _carried(frame: pl.DataFrame, name: str) -> NDArray[Any]:
    """The column as floats when it holds numbers or truth values, else as text."""
    dtype = frame.schema[name]
    if dtype.is_numeric() or dtype == pl.Boolean:
        return real(frame, name)
    return frame[name].cast(pl.String).to_numpy().astype(np.str_)


def _fail_if_bad_options(comparison: str, anticipation: int) -> None:
    findings = []
    if comparison not in get_args(Comparison):
        findings.append(
            Finding(
                "unknown-comparison",
                f"comparison {comparison!r} is not known",
                "argument comparison",
                did_you_mean(comparison, get_args(Comparison)),
            )
        )
    if not isinstance(anticipation, int) or anticipation < 0:
        findings.append(
            Finding(
                "negative-anticipation",
                f"anticipation is {anticipation!r}",
                "argument anticipation",
                "give a whole number of periods, 0 or more",
            )
        )
    fail_if_any(findings, "options", EstimationError)


def _cluster_columns(panel: Panel, cluster: str | Sequence[str] | None) -> list[str]:
    if cluster is None:
        return [panel.cluster or panel.unit]
    return [cluster] if isinstance(cluster, str) else list(cluster)


def _fail_if_contradicted(panel: Panel, policy: Cohorts) -> None:
    """Compare the policy's dates with the panel's treatment column, where it has one that the policy was not made from."""
    if panel.treatment is None or panel.treatment in (policy.path, policy.source):
        return
    from hinterland.data.reconcile import fail_if_contradicted

    fail_if_contradicted(panel, policy, panel.treatment)


def _fail_if_not_numeric(panel: Panel, outcome: str, slopes: Sequence[str]) -> None:
    bad = [c for c in (outcome, *slopes) if not (panel.frame.schema[c].is_numeric() or panel.frame.schema[c] == pl.Boolean)]
    fail_if_any(
        [
            Finding(
                "not-numeric", f"column {c!r} holds {panel.frame.schema[c]}, not numbers", "panel", "convert it, or name another column"
            )
            for c in bad
        ],
        "panel",
        PanelError,
    )


def switching(design: Design, method: str) -> list[Finding]:
    """Treatment that is switched off again, or changes its level, for a method that takes it as lasting: with the units named."""
    if design.absorbing or design.treatment_level is None:
        return []
    units = np.unique(design.unit[design.treatment_level != design.treated])
    name = design.policy.path
    what = f"{method} takes treatment as 0 until adoption and 1 from then on, but {name!r} is not so in {len(units)} unit(s)"
    remedy = "choose dcdh, which allows treatment to be switched off or to change its level, or leave these units out"
    return [Finding("treatment-reversal", what, listed(design.unit_labels[units].tolist(), 8), remedy)]


def fail_if_switching(design: Design, method: str) -> None:
    """Raise ``EstimationError`` when treatment does not last: see :func:`switching`."""
    fail_if_any(switching(design, method), "design", EstimationError)


def _recode(factor: Factor, rows: NDArray[np.bool_]) -> Factor:
    kept, codes = compact(factor.codes[rows], factor.size)
    labels = None if factor.labels is None else factor.labels[kept]
    return Factor(factor.name, codes, len(kept), labels, None if factor.slope is None else factor.slope[rows])


def _restrict(design: Design, rows: NDArray[np.bool_], notes: Sequence[Note]) -> Design:
    units, unit = compact(design.unit[rows], design.n_units)
    periods, period = compact(design.period[rows], design.n_periods)
    labels = design.periods[periods]
    cohort = design.cohort[units]
    cohort = np.where((cohort != NEVER) & (cohort > labels[-1] + design.anticipation if len(labels) else False), NEVER, cohort)
    return replace(
        design,
        unit_labels=design.unit_labels[units],
        periods=labels,
        unit=unit,
        period=period,
        y=design.y[rows],
        cohort=cohort,
        dose=np.where(cohort == NEVER, 0.0, design.dose[units]),
        weight=None if design.weight is None else design.weight[rows],
        covariates=np.asfortranarray(design.covariates[rows]),
        clusters=tuple(_recode(c, rows) for c in design.clusters),
        fixed_effects=tuple(_recode(f, rows) for f in design.fixed_effects),
        coordinates=None if design.coordinates is None else design.coordinates[units],
        balanced=int(rows.sum()) == len(units) * len(periods),
        treatment_level=None if design.treatment_level is None else design.treatment_level[rows],
        treatment_path=None if design.treatment_path is None else design.treatment_path[np.ix_(units, periods)],
        columns={name: values[rows] for name, values in design.columns.items()},
        notes=(*design.notes, *notes),
    )
