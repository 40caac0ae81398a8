"""The design: panel, cohorts and comparison rule, integer-coded once and shared by every estimator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from hinterland.evaluate.sample import complete_sample, real
from hinterland.labels import Note

__all__ = ["Codes", "Comparison", "Design", "Factor", "Floats", "make_design"]

Comparison = Literal["never-treated", "not-yet-treated"]

WEIGHT_RANGE = 1e12
"""Weights may differ by this factor: beyond it, sums of doubles lose the small ones."""
LARGEST, SMALLEST = 1e100, 1e-100
"""Columns beyond these have squares and products out of the range of doubles."""


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
        columns={c: _carried(frame, c) for c in columns},
        notes=(*policy.notes, *sample.notes),
    )
    design = replace(design, notes=(*design.notes, *_oddities(design)))
    fail_if_any(_estimability(design), "design", EstimationError)
    return design


def _oddities(design: Design) -> Iterator[Note]:
    """What every method should say of the sample: gaps, cohorts of one unit, nobody untreated to the end."""
    if not design.balanced:
        seen = np.bincount(design.unit, minlength=design.n_units)
        short = np.flatnonzero(seen < design.n_periods)
        order = short[np.argsort(seen[short], kind="stable")]
        worst = ", ".join(f"{str(design.unit_labels[i])!r} ({seen[i]})" for i in order[:5]) + (", …" if len(short) > 5 else "")
        share = 1 - design.n_obs / (design.n_units * design.n_periods)
        yield Note(
            "design-gaps", {"count": len(short), "total": design.n_units, "periods": design.n_periods, "share": share, "units": worst}
        )
    inside = design.cohort[(design.cohort != NEVER) & ~design.always_treated]
    cohorts, sizes = np.unique(inside, return_counts=True)
    if (sizes == 1).any() and len(cohorts) > 1:
        alone = [f"{g} ({design.unit_labels[design.cohort == g][0]})" for g in cohorts[sizes == 1]]
        yield Note("design-single-unit-cohorts", {"count": len(alone), "cohorts": ", ".join(alone[:8]) + (", …" if len(alone) > 8 else "")})
    if design.n_treated == design.n_units and len(cohorts):
        yield Note("design-no-never", {"last": int(cohorts[-1]), "count": int(sizes[-1])})


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


def _estimability(design: Design) -> list[Finding]:
    """What makes every estimator impossible on this design."""
    where = f"{design.n_units} units × {design.n_periods} periods ({design.periods[0]}–{design.periods[-1]})"
    findings = []
    if design.n_periods < 2:
        what = f"the sample has one period only ({design.periods[0]})"
        remedy = "widen [panel].years: a difference-in-differences needs a period before and after"
        findings.append(Finding("one-period", what, where, remedy))
    findings += [*_outcome_findings(design, where), *_treatment_findings(design, where)]
    for factor in design.clusters:
        if factor.size < 2:
            what = f"every row is in one cluster of {factor.name!r}: no standard error can be estimated"
            findings.append(
                Finding("one-cluster", what, f"cluster {factor.name!r}", "cluster on a column with many groups, such as the unit")
            )
    return [*findings, *_weight_findings(design), *_scale_findings(design)]


def cells(design: Design, rows: NDArray[np.int64]) -> str:
    """The unit and period of some rows, in words."""
    return listed((f"{design.unit_labels[design.unit[i]]}, {design.periods[design.period[i]]}" for i in rows), 5)


def _outcome_findings(design: Design, where: str) -> list[Finding]:
    bad = np.flatnonzero(~np.isfinite(design.y))
    if len(bad):
        what = f"outcome {design.outcome!r} is infinite in {len(bad)} row(s)"
        remedy = "correct the values; a log of 0 gives -inf: use log1p or model the count"
        return [Finding("infinite-outcome", what, cells(design, bad), remedy)]
    if np.ptp(design.y) == 0:
        what = f"outcome {design.outcome!r} never varies (it is {design.y[0]:g} in every row)"
        return [Finding("constant-outcome", what, where, "name an outcome that varies")]
    return []


def _treatment_findings(design: Design, where: str) -> list[Finding]:
    if design.n_treated == 0:
        policy = f"{where}; policy {design.policy.source!r} ({design.policy.timing})"
        remedy = "check that the panel's unit codes match the policy's and that its years reach past the first adoption"
        return [Finding("nobody-treated", "no unit is treated inside the window", policy, remedy)]
    if design.always_treated.all():
        what = "every unit is already treated in the first period"
        return [Finding("all-always-treated", what, where, "start the panel before the first adoption")]
    return []


def _weight_findings(design: Design) -> list[Finding]:
    if design.weight is None:
        return []
    bad = np.flatnonzero(~(np.isfinite(design.weight) & (design.weight > 0)))
    if len(bad):
        what = f"weight {design.weight_name!r} is not positive in {len(bad)} row(s)"
        return [Finding("bad-weight", what, cells(design, bad), "give every row a positive, finite weight")]
    low, high = float(design.weight.min()), float(design.weight.max())
    if low >= high / WEIGHT_RANGE and low > SMALLEST and high < LARGEST:
        return []
    what = f"weight {design.weight_name!r} runs from {low:.3g} to {high:.3g}: sums of such weights lose the small ones in rounding"
    rows = np.array([design.weight.argmin(), design.weight.argmax()])
    return [Finding("weight-range", what, cells(design, rows), f"keep weights within a factor of {WEIGHT_RANGE:g} of one another")]


def _scale_findings(design: Design) -> list[Finding]:
    """Columns whose squares cannot be computed, and covariates that a formula made infinite or undefined."""
    columns = [("outcome", design.outcome, design.y)]
    columns += [("covariate", name, design.covariates[:, j]) for j, name in enumerate(design.covariate_names)]
    findings = []
    for role, name, values in columns:
        largest = float(np.abs(values).max(initial=0.0))
        if role == "covariate" and not np.isfinite(largest):
            bad = np.flatnonzero(~np.isfinite(values))
            what = f"covariate {name!r} is infinite or undefined in {len(bad)} row(s)"
            findings.append(Finding("infinite-covariate", what, cells(design, bad), "correct the values; a log of 0 gives -inf"))
        elif np.isfinite(largest) and (largest >= LARGEST or 0 < largest <= SMALLEST):
            what = f"{role} {name!r} has values as large as {largest:.3g}, too {'large' if largest > 1 else 'small'} to square"
            findings.append(Finding("scale", what, "design", "change its unit of measurement"))
    return findings


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
        columns={name: values[rows] for name, values in design.columns.items()},
        notes=(*design.notes, *notes),
    )
