"""The design: panel, cohorts and comparison rule, integer-coded once and shared by every estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER, Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, PanelError, did_you_mean, fail_if_any, listed
from hinterland.evaluate.covariates import covariate_columns, covariate_matrix
from hinterland.labels import Note

Comparison = Literal["never-treated", "not-yet-treated"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Factor:
    """An integer-coded grouping of the rows: cluster, or fixed effect (with a slope variable, if it has one).

    Attributes:
        name: as the user wrote it (``"province^year"``, ``"city[year]"``).
        codes: [n] level of each row, 0 … ``size`` - 1, every level present.
        size: number of levels.
        labels: [size] text of each level; empty for interactions, where nobody reads them.
        slope: [n] variable whose coefficient varies over the levels, or ``None`` for an intercept.
    """

    name: str
    codes: Codes
    size: int
    labels: NDArray[np.str_] | None = None
    slope: Floats | None = None


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
    notes: tuple[Note, ...] = field(default=())

    def __repr__(self) -> str:
        return (
            f"Design({self.outcome}: {self.n_units} units × {self.n_periods} periods, {self.n_obs} rows"
            f"{'' if self.balanced else ' (unbalanced)'}; {self.n_treated} treated in {len(self.cohorts)} cohorts; "
            f"{self.comparison}, anticipation {self.anticipation})"
        )

    @property
    def n_units(self) -> int:
        return len(self.unit_labels)

    @property
    def n_periods(self) -> int:
        return len(self.periods)

    @property
    def n_obs(self) -> int:
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

    Rows whose outcome, covariates, weight, fixed effect or cluster is missing are left out and counted in the notes.

    Raises:
        EstimationError: unknown comparison, negative anticipation, outcome that never varies, nobody treated, nobody left
            to compare with.
        PanelError: unknown or non-numeric columns.
    """
    _fail_if_bad_options(comparison, anticipation)
    clusters = _cluster_columns(panel, cluster)
    effects = [_parse_effect(e) for e in fe]
    needed = [outcome, *covariate_columns(covariates, panel.frame.columns), *(c for c in clusters)]
    needed += [c for parts, slope in effects for c in (*parts, *([slope] if slope else []))]
    panel.require(needed, "used by the model")
    _fail_if_not_numeric(panel, outcome, [s for _, s in effects if s])

    columns = dict.fromkeys([panel.unit, panel.time, *needed, *([panel.weight] if panel.weight else []), *(panel.coordinates or ())])
    frame = panel.frame.select(*columns)
    frame, notes = _drop_incomplete(frame, panel, policy)
    if frame.is_empty():
        raise EstimationError(
            Finding("empty-sample", "no row is left after the policy's exclusions and missing values", f"outcome {outcome!r}", "; ".join(str(n) for n in notes) or "check the panel's years and columns"),
            "sample",
        )
    unit = frame[panel.unit].rle_id().cast(pl.Int32).to_numpy()
    starts = np.flatnonzero(np.diff(unit, prepend=-1))
    unit_series = frame[panel.unit].gather(starts)
    cohort, dose, _ = policy.assign(unit_series)
    time = frame[panel.time].to_numpy()
    periods, period = np.unique(time, return_inverse=True)
    cohort = np.where(cohort > periods[-1], NEVER, cohort)
    matrix, names = covariate_matrix(covariates, frame)
    design = Design(
        outcome=outcome,
        unit_labels=unit_series.cast(pl.String).to_numpy().astype(np.str_),
        periods=periods.astype(np.int64),
        unit=unit,
        period=period.astype(np.int32),
        y=frame[outcome].cast(pl.Float64).to_numpy(),
        cohort=cohort,
        dose=np.where(cohort == NEVER, 0.0, dose),
        weight=frame[panel.weight].cast(pl.Float64).to_numpy() if panel.weight else None,
        covariates=matrix,
        covariate_names=names,
        clusters=tuple(_factor(frame, c, (c,), None) for c in clusters),
        fixed_effects=tuple(_factor(frame, f, parts, slope) for f, (parts, slope) in zip(fe, effects, strict=True)),
        coordinates=frame.select(panel.coordinates).gather_every(1)[starts.tolist()].to_numpy() if panel.coordinates else None,
        comparison=comparison,  # type: ignore[arg-type]  # checked above
        anticipation=anticipation,
        balanced=len(time) == len(starts) * len(periods),
        policy=policy,
        unit_name=panel.unit,
        time_name=panel.time,
        weight_name=panel.weight,
        notes=(*policy.notes, *notes),
    )
    fail_if_any(_estimability(design), "design", EstimationError)
    return design


def _fail_if_bad_options(comparison: str, anticipation: int) -> None:
    findings = []
    if comparison not in get_args(Comparison):
        findings.append(Finding("unknown-comparison", f"comparison {comparison!r} is not known", "argument comparison", did_you_mean(comparison, get_args(Comparison))))
    if not isinstance(anticipation, int) or anticipation < 0:
        findings.append(Finding("negative-anticipation", f"anticipation is {anticipation!r}", "argument anticipation", "give a whole number of periods, 0 or more"))
    fail_if_any(findings, "options", EstimationError)


def _cluster_columns(panel: Panel, cluster: str | Sequence[str] | None) -> list[str]:
    if cluster is None:
        return [panel.cluster or panel.unit]
    return [cluster] if isinstance(cluster, str) else list(cluster)


def _parse_effect(text: str) -> tuple[tuple[str, ...], str | None]:
    """``"a^b[x]"`` → (("a", "b"), "x")."""
    head, bracket, rest = text.partition("[")
    parts = tuple(p.strip() for p in head.split("^"))
    slope = rest.removesuffix("]").strip() if bracket else None
    if not all(parts) or (bracket and (not slope or not rest.endswith("]"))):
        raise EstimationError(
            Finding("malformed-fixed-effect", f"fixed effect {text!r} cannot be read", "argument fe", "write 'a', 'a^b' for an interaction, 'a[x]' for a slope of x that varies by a"),
            "options",
        )
    return parts, slope


def _fail_if_not_numeric(panel: Panel, outcome: str, slopes: Sequence[str]) -> None:
    bad = [c for c in (outcome, *slopes) if not (panel.frame.schema[c].is_numeric() or panel.frame.schema[c] == pl.Boolean)]
    fail_if_any(
        [Finding("not-numeric", f"column {c!r} holds {panel.frame.schema[c]}, not numbers", "panel", "convert it, or name another column") for c in bad],
        "panel",
        PanelError,
    )


def _drop_incomplete(frame: pl.DataFrame, panel: Panel, policy: Cohorts) -> tuple[pl.DataFrame, list[Note]]:
    """Leave out units that the policy's rule excludes, then rows with a missing value; say how many of each."""
    notes: list[Note] = []
    units = frame[panel.unit].unique(maintain_order=True)
    _, _, keep = policy.assign(units)
    if not keep.all():
        frame = frame.filter(pl.col(panel.unit).is_in(units.filter(pl.Series(keep)).implode()))
        notes.append(Note("units-excluded", {"count": int((~keep).sum()), "units": listed(units.filter(pl.Series(~keep)).to_list(), 8)}))
    floats = [c for c, t in frame.schema.items() if t.is_float()]
    nulls = frame.null_count().row(0)
    if sum(nulls) or any(frame[c].is_nan().any() for c in floats):
        whole = pl.all_horizontal(pl.all().is_not_null(), *(pl.col(c).is_not_nan() for c in floats))
        complete = frame.filter(whole)
        if complete.height < frame.height:
            worst = sorted(((int((frame[c].is_null() | (frame[c].is_nan() if c in floats else False)).sum()), c) for c in frame.columns), reverse=True)
            notes.append(
                Note(
                    "rows-missing",
                    {
                        "count": frame.height - complete.height,
                        "total": frame.height,
                        "columns": ", ".join(f"{c} ({k})" for k, c in worst if k),
                        "units": frame[panel.unit].n_unique() - complete[panel.unit].n_unique(),
                    },
                )
            )
        frame = complete
    return frame, notes


def _factor(frame: pl.DataFrame, name: str, parts: tuple[str, ...], slope: str | None) -> Factor:
    if len(parts) == 1:
        series = frame[parts[0]]
        if series.dtype == pl.String:
            series = series.cast(pl.Categorical).to_physical()
        values, codes = np.unique(series.to_numpy(), return_inverse=True)
        first = np.zeros(len(values), dtype=np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        labels = frame[parts[0]].gather(first).cast(pl.String).to_numpy().astype(np.str_)
    else:
        codes = frame.select(pl.struct(parts).rank("dense").alias("code") - 1)["code"].to_numpy()
        labels = None
    codes = codes.astype(np.int32)
    return Factor(name, codes, int(codes.max()) + 1, labels, frame[slope].cast(pl.Float64).to_numpy() if slope else None)


def _estimability(design: Design) -> list[Finding]:
    """What makes every estimator impossible on this design."""
    findings = []
    where = f"{design.n_units} units × {design.n_periods} periods ({design.periods[0]}–{design.periods[-1]})"
    if design.n_periods < 2:
        findings.append(Finding("one-period", f"the sample has one period only ({design.periods[0]})", where, "widen [panel].years: a difference-in-differences needs a period before and after"))
    if not np.isfinite(design.y).all():
        bad = np.flatnonzero(~np.isfinite(design.y))
        cells = listed((f"{design.unit_labels[design.unit[i]]}, {design.periods[design.period[i]]}" for i in bad), 5)
        findings.append(Finding("infinite-outcome", f"outcome {design.outcome!r} is infinite in {len(bad)} row(s)", cells, "correct the values; a log of 0 gives -inf: use log1p or model the count"))
    elif np.ptp(design.y) == 0:
        findings.append(Finding("constant-outcome", f"outcome {design.outcome!r} never varies (it is {design.y[0]:g} in every row)", where, "name an outcome that varies"))
    if design.n_treated == 0:
        findings.append(
            Finding("nobody-treated", "no unit is treated inside the window", f"{where}; policy {design.policy.source!r} ({design.policy.timing})", "check that the panel's unit codes match the policy's and that its years reach past the first adoption")
        )
    elif (design.cohort != NEVER).all() and design.always_treated.all():
        findings.append(Finding("all-always-treated", "every unit is already treated in the first period", where, "start the panel before the first adoption"))
    if design.weight is not None and not (np.isfinite(design.weight).all() and (design.weight > 0).all()):
        bad = np.flatnonzero(~(np.isfinite(design.weight) & (design.weight > 0)))
        cells = listed((f"{design.unit_labels[design.unit[i]]}, {design.periods[design.period[i]]}" for i in bad), 5)
        findings.append(Finding("bad-weight", f"weight {design.weight_name!r} is not positive in {len(bad)} row(s)", cells, "give every row a positive, finite weight"))
    return findings


def _recode(factor: Factor, rows: NDArray[np.bool_]) -> Factor:
    kept, codes = np.unique(factor.codes[rows], return_inverse=True)
    labels = None if factor.labels is None else factor.labels[kept]
    return Factor(factor.name, codes.astype(np.int32), len(kept), labels, None if factor.slope is None else factor.slope[rows])


def _restrict(design: Design, rows: NDArray[np.bool_], notes: Sequence[Note]) -> Design:
    from dataclasses import replace

    units, unit = np.unique(design.unit[rows], return_inverse=True)
    periods, period = np.unique(design.period[rows], return_inverse=True)
    labels = design.periods[periods]
    cohort = design.cohort[units]
    cohort = np.where((cohort != NEVER) & (cohort > labels[-1] if len(labels) else False), NEVER, cohort)
    return replace(
        design,
        unit_labels=design.unit_labels[units],
        periods=labels,
        unit=unit.astype(np.int32),
        period=period.astype(np.int32),
        y=design.y[rows],
        cohort=cohort,
        dose=np.where(cohort == NEVER, 0.0, design.dose[units]),
        weight=None if design.weight is None else design.weight[rows],
        covariates=design.covariates[rows],
        clusters=tuple(_recode(c, rows) for c in design.clusters),
        fixed_effects=tuple(_recode(f, rows) for f in design.fixed_effects),
        coordinates=None if design.coordinates is None else design.coordinates[units],
        balanced=int(rows.sum()) == len(units) * len(periods),
        notes=(*design.notes, *notes),
    )
