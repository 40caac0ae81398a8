"""Tests and intervals for an effect that rests on few treated clusters, where cluster-robust standard errors are far too small.

* ``conley-taber``: Conley & Taber (2011), Review of Economics and Statistics 93(1): what the treated clusters' shocks add to the estimate has the distribution
  that the paths of untreated clusters show. Clusters are alike.
* ``ferman-pinto``: Ferman & Pinto (2019), Review of Economics and Statistics 101(3): the same with the null imposed and variances that depend on cluster size.
* ``ibragimov-muller``, ``sign-changes``: from one estimate per group (:mod:`hinterland.evaluate.few_treated_groups`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.few_treated_groups import Outcome, by_group, cluster_t, fail_if_alike, fail_if_few, sign_changes, two_samples
from hinterland.evaluate.few_treated_paths import Contributions, contributions
from hinterland.evaluate.inversion import invert
from hinterland.evaluate.randomisation import unit_values
from hinterland.evaluate.threads import one_thread
from hinterland.labels import Note

FewTreated = Literal["conley-taber", "ferman-pinto", "ibragimov-muller", "sign-changes"]
Index = NDArray[np.intp]

MANY = 1000
"""Control clusters beyond which their average shock is taken as normal rather than drawn cluster by cluster."""
FEWEST = 10
"""Control clusters below which their paths say little about the tails."""
VALID = 0.083
"""Largest two-sided level at which the t test on heterogeneous groups keeps its size (Bakirov & Székely 2005)."""


@dataclass(frozen=True, slots=True)
class FewTreatedTest:
    """A test of one effect that does not rely on many treated clusters.

    Attributes:
        method: which test;  estimator, outcome: what was estimated.
        estimate: the effect;  std_error: where the test has one (``ibragimov-muller``), else NaN.
        p_value: two-sided, of ``null``;  conf_low, conf_high: the values not rejected at 1 − ``level``, infinite where none is.
        n_treated, n_control: clusters behind it (groups, and zero, for tests from one estimate per group).
        drawn: [R] values of the error of the estimate (statistics, for sign changes) that the test compares with;  enumerated: they are all there are.
        notes: what a reader must know;  meta: seed, cluster, groups.
    """

    method: str
    estimator: str
    outcome: str
    estimate: float
    std_error: float
    p_value: float
    conf_low: float
    conf_high: float
    null: float
    level: float
    n_treated: int
    n_control: int
    drawn: Floats
    enumerated: bool
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"FewTreatedTest({self.method}, {self.estimator}, {self.outcome}: {self.estimate:.6g} [{self.conf_low:.4g}, {self.conf_high:.4g}], "
            f"p = {self.p_value:.4g}; {self.n_treated} treated, {self.n_control} control)"
        )

    def tidy(self) -> pl.DataFrame:
        """One row: ``outcome, method, estimator, estimate, p_value, conf_low, conf_high, n_treated, n_control``; null bounds are infinite."""
        names = ("outcome", "method", "estimator", "estimate", "p_value", "conf_low", "conf_high", "n_treated", "n_control")
        row = {k: getattr(self, k) for k in names}
        bounds = {k: row[k] if np.isfinite(row[k]) else None for k in ("conf_low", "conf_high")}
        return pl.DataFrame([{**row, **bounds}], schema_overrides={"conf_low": pl.Float64, "conf_high": pl.Float64})


@one_thread()
def few_treated(
    design: Design,
    method: FewTreated = "conley-taber",
    *,
    estimator: str = "twfe",
    groups: str | NDArray[Any] | None = None,
    size: str | None = None,
    null: float = 0.0,
    draws: int = 9999,
    seed: int = 0,
    level: float = 0.95,
) -> FewTreatedTest:
    """Test an effect that rests on few treated clusters.

    Args:
        design: clustered one way, on whole units; adoption may be staggered.
        method: ``conley-taber`` (untreated clusters are many, and like the treated ones), ``ferman-pinto`` (their variance depends on their size),
            ``ibragimov-muller`` or ``sign-changes`` (several groups that each hold treated and comparison units).
        estimator: ``twfe``, with anything that it takes, or ``callaway-santanna`` (its overall effect; balanced, without covariates and weights). Tests by
            group take any estimator.
        groups: column that the design carries, or values [N] by unit: the groups of the last two methods; by default the clusters, or, where no cluster holds
            treated and comparison units, the treated clusters beside the others (``ibragimov-muller``, one date of adoption).
        size: column that the design carries with the size behind each row, such as its population, for ``ferman-pinto``; by default weights, or rows.
        null: the value under test;  draws, seed: of the draws, where not all possible ones are used;  level: of the interval.

    Raises:
        EstimationError: bad options, too few clusters or groups, or a design that cannot be estimated.
    """
    _fail_if_bad(method, null, draws, level)
    if method in ("conley-taber", "ferman-pinto"):
        found = contributions(design, estimator, _sizes(design, size))
        donors = found.complete & (np.ones_like(found.treated) if method == "ferman-pinto" else ~found.treated)
        _fail_if_few_controls(found, donors)
        draw = _conley_taber if method == "conley-taber" else _ferman_pinto
        outcome, enumerated, extra = draw(found, donors, _Request(null, draws, seed, level))
        notes = (*found.notes, *_remarks(found, donors), *extra)
        meta = {"seed": seed, "cluster": design.clusters[0].name, "groups": None}
        return _result(design, method, estimator, outcome, _Frame(null, level, enumerated, notes, meta))
    return _from_groups(design, method, estimator, groups, _Request(null, draws, seed, level))


@dataclass(frozen=True, slots=True)
class _Request:
    null: float
    draws: int
    seed: int
    level: float


@dataclass(frozen=True, slots=True)
class _Frame:
    null: float
    level: float
    enumerated: bool
    notes: tuple[Note, ...]
    meta: Mapping[str, Any]


def _result(design: Design, method: str, estimator: str, outcome: Outcome, frame: _Frame) -> FewTreatedTest:
    notes = list(frame.notes)
    if not np.isfinite([outcome.low, outcome.high]).all():
        notes.append(Note("ft-unbounded", {"level": frame.level}))
    return FewTreatedTest(
        method=method,
        estimator=estimator,
        outcome=design.outcome,
        estimate=outcome.estimate,
        std_error=outcome.std_error,
        p_value=outcome.p_value,
        conf_low=outcome.low,
        conf_high=outcome.high,
        null=frame.null,
        level=frame.level,
        n_treated=outcome.count[0],
        n_control=outcome.count[1],
        drawn=outcome.drawn,
        enumerated=frame.enumerated,
        notes=tuple(notes),
        meta=frame.meta,
    )


def _conley_taber(found: Contributions, donors: NDArray[np.bool_], request: _Request) -> tuple[Outcome, bool, tuple[Note, ...]]:
    """Σ_{treated j} Σ_t κ_jt ê_{l(j) t} for untreated clusters l(j): every tuple of them, or ``draws`` random ones."""
    treated = np.flatnonzero(found.treated)
    table = found.kappa[treated] @ found.path[donors].T
    count, choices = table.shape
    enumerated = count * np.log(choices) <= np.log(request.draws + 0.5)
    if enumerated:
        chosen = np.array(list(product(range(choices), repeat=count)), dtype=np.intp)
    else:
        chosen = np.random.default_rng(request.seed).integers(0, choices, size=(request.draws, count))
    drawn = table[np.arange(count), chosen].sum(axis=1)
    fail_if_alike(float(drawn.std()), found.estimate, "the paths of the untreated clusters")

    def p_value(delta: float) -> float:
        return float((1 + np.count_nonzero(np.abs(drawn) >= abs(delta) * (1 - 1e-10))) / (1 + len(drawn)))

    low, high = invert(p_value, found.estimate, float(drawn.std()), 1 - request.level)
    p = p_value(found.estimate - request.null)
    return Outcome(found.estimate, float("nan"), p, low, high, (count, choices), drawn), enumerated, ()


def _ferman_pinto(found: Contributions, donors: NDArray[np.bool_], request: _Request) -> tuple[Outcome, bool, tuple[Note, ...]]:
    """The residual bootstrap of Ferman & Pinto (2019, section 3) with the null imposed."""
    model = _Resampled.of(found, donors, request.draws, request.seed)
    estimate = found.estimate

    def p_value(delta: float) -> float:
        drawn = model(delta)
        return float((1 + np.count_nonzero(np.abs(drawn) >= abs(delta) * (1 - 1e-10))) / (1 + len(drawn)))

    scale = float(model(0.0).std())
    fail_if_alike(scale, estimate, "the paths of the clusters")
    low, high = invert(p_value, estimate, scale, 1 - request.level)
    delta = estimate - request.null
    untreated = int((donors & ~found.treated).sum())
    outcome = Outcome(estimate, float("nan"), p_value(delta), low, high, (int(found.treated.sum()), untreated), model(delta))
    alike = np.ptp(found.size[donors]) <= 1e-9 * found.size.max()
    return outcome, False, (Note("ft-equal-sizes"),) if alike else ()


@dataclass(frozen=True, slots=True)
class _Resampled:
    """Draws of the estimate's error, with residuals of the restricted model and variances A + B / size.

    L donors, K treated clusters. ``kappa`` [K, T] of the treated clusters;  ``common`` [T] of the control clusters, per unit of size;  ``path``, ``step`` [L, T] of the
    donors;  ``size`` [L];  ``own`` [K], ``control`` [m] sizes;  ``chosen`` [R, K] donors of the treated clusters;  ``others`` [R, m] donors of the control
    clusters, or [R] normal draws where those are many.
    """

    kappa: Floats
    common: Floats
    path: Floats
    step: Floats
    size: Floats
    own: Floats
    control: Floats
    chosen: Index
    others: Any

    @classmethod
    def of(cls, found: Contributions, donors: NDArray[np.bool_], draws: int, seed: int) -> _Resampled:
        """Draw once; every null value uses the same draws."""
        treated = found.treated
        control = ~treated & (np.abs(found.kappa).sum(axis=1) > 0)
        rng = np.random.default_rng(seed)
        count = int(donors.sum())
        chosen = rng.integers(0, count, size=(draws, int(treated.sum())))
        many = int(control.sum()) > MANY
        others = rng.standard_normal(draws) if many else rng.integers(0, count, size=(draws, int(control.sum())))
        total = found.size[control].sum()
        common = found.kappa[control].sum(axis=0) / (total if total > 0 else 1.0)
        return cls(
            found.kappa[treated],
            common,
            found.path[donors],
            found.step[donors],
            found.size[donors],
            found.size[treated],
            found.size[control],
            chosen,
            others,
        )

    def __call__(self, delta: float) -> Floats:
        """[R] errors of the estimate under the null value τ̂ − δ."""
        path = self.path + delta * self.step
        total = np.zeros(len(self.chosen))
        for j, kappa in enumerate(self.kappa):
            value = path @ kappa
            if not np.abs(value).any():
                continue
            a, b = _variance(value, self.size)
            total += (value / np.sqrt(a + b / self.size))[self.chosen[:, j]] * np.sqrt(a + b / self.own[j])
        value = path @ self.common
        if not np.abs(value).any():
            return total
        a, b = _variance(value, self.size)
        normal, scale = value / np.sqrt(a + b / self.size), self.control * np.sqrt(a + b / self.control)
        if self.others.ndim == 1:
            return np.asarray(total + self.others * np.sqrt((scale**2).sum() * (normal**2).mean()))
        return np.asarray(total + normal[self.others] @ scale)


def _variance(value: Floats, size: Floats) -> tuple[float, float]:
    """A, B ≥ 0 of the variance A + B / size, by least squares of the squares on 1 and 1 / size."""
    squares, inverse = value**2, 1 / size
    centred = inverse - inverse.mean()
    spread = float(centred @ centred)
    mean = float(squares.mean())
    slope = float(centred @ squares) / spread if spread > 1e-18 * float(inverse @ inverse) else 0.0
    if slope <= 0:
        return mean, 0.0
    level = mean - slope * float(inverse.mean())
    if level < 0:
        return 0.0, float(inverse @ squares) / float(inverse @ inverse)
    return level, slope


def _from_groups(design: Design, method: str, estimator: str, groups: str | NDArray[Any] | None, request: _Request) -> FewTreatedTest:
    """The tests from one estimate per group."""
    name, codes = _groups(design, groups)
    estimates, lost = by_group(design, estimator, codes)
    meta = {"seed": request.seed, "cluster": design.clusters[0].name, "groups": name}
    notes: tuple[Note, ...] = (*design.notes, *((Note("ft-groups-left-out", {"count": lost, "used": len(estimates)}),) if lost else ()))
    if method == "ibragimov-muller" and groups is None and len(estimates) < 2:
        found = contributions(design, estimator, None)
        outcome = two_samples(found, design, request.null, request.level)
        notes = found.notes
    elif method == "ibragimov-muller":
        fail_if_few(estimates, 2, lost)
        outcome = cluster_t(estimates, request.null, request.level)
    else:
        fail_if_few(estimates, 2, lost)
        outcome = sign_changes(estimates, request.null, request.level, request.draws, request.seed)
        smallest = 2.0 ** (1 - len(estimates))
        if smallest > 1 - request.level:
            notes = (*notes, Note("ft-few-signs", {"groups": len(estimates), "smallest": smallest}))
    if method == "ibragimov-muller" and 1 - request.level > VALID:
        notes = (*notes, Note("ft-level", {"level": request.level}))
    return _result(
        design,
        method,
        estimator,
        outcome,
        _Frame(request.null, request.level, method != "sign-changes" or len(estimates) <= 16, notes, meta),
    )


def _groups(design: Design, groups: str | NDArray[Any] | None) -> tuple[str | None, Index]:
    """What the groups are called (``None`` where they are given by unit), and that of each unit [N]; the clusters by default.

    Raises:
        EstimationError: several groupings and none named, or groups that change within units.
    """
    if groups is None and len(design.clusters) > 1:
        where = f"cluster = {', '.join(c.name for c in design.clusters)}"
        what = "there are several groupings to take the groups from"
        raise EstimationError(Finding("not-batched", what, where, "name one of them: groups="), "few treated clusters")
    wanted = design.clusters[0].name if groups is None else groups
    codes = unit_values(design, "groups", wanted)
    return wanted if isinstance(wanted, str) else None, np.zeros(design.n_units, dtype=np.intp) if codes is None else codes


def _sizes(design: Design, size: str | None) -> Floats | None:
    """[n] the column behind each row. Raises ``EstimationError`` where the design does not carry it or it is not positive."""
    if size is None:
        return None
    values = design.columns.get(size)
    if values is None:
        remedy = f"{did_you_mean(size, design.columns)} Columns are carried by make_design(columns=[...])"
        raise EstimationError(
            Finding("unknown-column", f"the design carries no column {size!r}", "argument size", remedy), "few treated clusters"
        )
    if values.dtype.kind != "f" or not (np.isfinite(values) & (values > 0)).all():
        what = f"column {size!r} is not a positive number in every row"
        raise EstimationError(Finding("bad-cluster-size", what, "argument size", "give every row a positive size"), "few treated clusters")
    return np.asarray(values, dtype=np.float64)


def _fail_if_few_controls(found: Contributions, donors: NDArray[np.bool_]) -> None:
    untreated = int((donors & ~found.treated).sum())
    if untreated >= 2 and (found.treated & (np.abs(found.kappa).sum(axis=1) > 0)).any():
        return
    what = f"{untreated} untreated cluster(s) are observed in every period, beside {int(found.treated.sum())} treated"
    remedy = "use a finer cluster, fill gaps, or use randomisation_test"
    raise EstimationError(Finding("no-control-cluster", what, "clusters", remedy), "few treated clusters")


def _remarks(found: Contributions, donors: NDArray[np.bool_]) -> list[Note]:
    untreated = int((donors & ~found.treated).sum())
    notes = [Note("ft-clusters", {"treated": int(found.treated.sum()), "control": untreated})]
    gaps = int((~found.complete & ~found.treated).sum())
    if gaps:
        notes.append(Note("ft-gaps", {"count": gaps}))
    if untreated < FEWEST:
        notes.append(Note("ft-few-controls", {"control": untreated}))
    return notes


def _fail_if_bad(method: str, null: float, draws: int, level: float) -> None:
    findings = []
    if method not in get_args(FewTreated):
        findings.append(
            Finding("unknown-value", f"method is {method!r}", "argument method", did_you_mean(str(method), get_args(FewTreated)))
        )
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 99:
        findings.append(Finding("few-draws", f"draws is {draws!r}", "argument draws", "give a whole number of 99 or more, such as 9999"))
    if not 0 < level < 1:
        findings.append(Finding("bad-level", f"level is {level!r}", "argument level", "give a probability between 0 and 1, such as 0.95"))
    if not np.isfinite(null):
        findings.append(Finding("bad-null", f"null is {null!r}", "argument null", "give the value of the effect under test, such as 0"))
    fail_if_any(findings, "few treated clusters", EstimationError)
