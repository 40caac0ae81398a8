"""The run record, as the report reads it: ``run.json`` and the tables of one run folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import polars as pl

from hinterland.errors import RunError
from hinterland.report.digits import ALPHA

Scale = Literal["log", "log1p", "poisson", "level"]

_ROLES = ("headline", "baseline", "alternative", "subgroup", "robustness")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with its uncertainty."""

    estimate: float
    std_error: float
    statistic: float
    p_value: float
    conf_low: float
    conf_high: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Estimate:
        """From a row of ``effects``; null becomes NaN."""
        return cls(*(math.nan if row.get(name) is None else float(row[name]) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Pretrend:
    """The joint test that all leads are zero; ``n_thin`` leads with few treated units behind them are left out of it.

    ``p_textbook`` is the p-value of the usual test, which takes the covariance as known; ``rivals`` are the estimators of the same
    outcome and sample by which a test, corrected or usual, rejects: ``(method, p-value, whether it is the usual test)``; ``n_tested`` is
    how many estimators were tested.
    """

    statistic: float
    df1: float
    df2: float
    p_value: float
    n_leads: int
    distribution: str
    n_thin: int = 0
    p_textbook: float = math.nan
    rivals: tuple[tuple[str, float, bool], ...] = ()
    n_tested: int = 1


@dataclass(frozen=True, slots=True)
class Fit:
    """One estimator on one outcome and one sample, with every aggregation the record holds of it.

    ``overall`` is the average effect (or the coefficient of a static model); ``events`` the event-time terms, sorted;
    ``facts`` the row of ``models`` (sample sizes, comparison, clusters, …).
    """

    outcome: str
    family: str
    method: str
    sample: str
    role: str
    label: str
    facts: Mapping[str, Any]
    overall: Estimate | None
    events: pl.DataFrame | None
    pretrend: Pretrend | None

    @property
    def has_covariates(self) -> bool:
        """Whether the fit has control variables."""
        return bool(self.facts.get("covariates"))


@dataclass(frozen=True)
class Record:
    """A run folder. ``tables`` holds only tables that have rows."""

    folder: Path
    run: Mapping[str, Any]
    tables: Mapping[str, pl.DataFrame]

    def has(self, *names: str) -> bool:
        """Whether every one of these tables has rows."""
        return all(n in self.tables for n in names)

    def study(self, section: str, key: str, default: Any = None) -> Any:
        """``[section] key`` of the resolved study."""
        part = self.run.get("study", {}).get(section)
        found = part.get(key) if isinstance(part, Mapping) else None
        return default if found is None else found

    @cached_property
    def fits(self) -> tuple[Fit, ...]:
        """Every estimator of the record, in its order."""
        return _fits(self)

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """Outcomes that were estimated: those of the study first, in its order."""
        declared = [o["name"] for o in self.run.get("study", {}).get("outcome", []) if isinstance(o, Mapping)]
        estimated = list(dict.fromkeys(f.outcome for f in self.fits))
        return tuple(dict.fromkeys([*(o for o in declared if o in estimated), *estimated]))

    def chosen(self, *, outcome: str | None = None, roles: Sequence[str] = _ROLES, sample: str | None = "all") -> tuple[Fit, ...]:
        """Fits of one outcome with one of ``roles`` on one sample (``None``: any)."""
        return tuple(
            f for f in self.fits if (outcome is None or f.outcome == outcome) and f.role in roles and (sample is None or f.sample == sample)
        )

    def headline(self, outcome: str, sample: str = "all") -> Fit | None:
        """The fit the report leads with: role ``headline`` with an overall effect, else the first that has one."""
        fits = [f for f in self.fits if f.outcome == outcome and f.sample == sample and f.role != "robustness"]
        ranked = sorted(fits, key=lambda f: (_ROLES.index(f.role) if f.role in _ROLES else 9, f.overall is None))
        return next((f for f in ranked if f.overall is not None), ranked[0] if ranked else None)

    def dynamic(self, outcome: str, sample: str = "all") -> Fit | None:
        """The fit whose event study and pre-trend test speak for ``outcome``: the headline if it has one, else the first that has."""
        head = self.headline(outcome, sample)
        fits = ((head,) if head else ()) + self.fits
        return next(
            (f for f in fits if f.outcome == outcome and f.sample == sample and f.role != "robustness" and f.events is not None), None
        )

    def static(self, outcome: str, sample: str = "all") -> Fit | None:
        """The two-way fixed-effects fit that stands beside the headline: with the headline's covariates if there is one."""
        fits = [
            f
            for f in self.chosen(outcome=outcome, sample=sample, roles=("baseline", "alternative", "headline", "subgroup"))
            if f.method == "twfe" and f.overall
        ]
        head = self.headline(outcome, sample)
        same = [f for f in fits if head is not None and f.has_covariates == head.has_covariates]
        return next(iter([*same, *fits]), None)

    def scale(self, outcome: str, family: str = "gaussian") -> Scale:
        """How the outcome's effects read: ``log`` points, ``log1p``, ``poisson`` (log points of the mean) or ``level``."""
        if family == "poisson":
            return "poisson"
        rule = str((self.study("panel", "derive", {}) or {}).get(outcome, "")).replace(" ", "")
        column = self.run.get("facts", {}).get("columns", {}).get(outcome, {})
        rule = rule or str(column.get("unit", "")).replace(" ", "").removeprefix("logpoints:")
        if "log1p(" in rule or "(1+" in rule or (rule.endswith("+1)") and rule.startswith(("log(", "ln("))):
            return "log1p"
        return "log" if rule.startswith(("log(", "ln(")) or outcome.startswith(("ln_", "log_")) else "level"

    @property
    def simulated(self) -> bool:
        """Whether the data were simulated, so that the truth is known."""
        return self.has("truth") or str(self.study("panel", "source", "")).startswith("world:")


def read_record(folder: str | Path) -> Record:
    """Read a run folder.

    Raises:
        RunError: there is no ``run.json``, or it is not JSON, or a table cannot be read.
    """
    root = Path(folder)
    path = root / "run.json"
    if not path.is_file():
        raise RunError(
            f"there is no run record in {root}\n    where: {path}\n    do:    name a folder written by `hinterland run -o FOLDER`"
        )
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        tables = {p.stem: pl.read_parquet(p) for p in sorted((root / "tables").glob("*.parquet"))}
    except (json.JSONDecodeError, pl.exceptions.PolarsError) as error:
        raise RunError(
            f"the run record cannot be read: {error}\n    where: {root}\n    do:    run the study again into an empty folder"
        ) from error
    return Record(root, run, {name: frame for name, frame in tables.items() if frame.height})


def _fits(record: Record) -> tuple[Fit, ...]:
    if not record.has("models", "effects"):
        return ()
    terms = {key[0]: frame for key, frame in record.tables["effects"].group_by("effects_id", maintain_order=True)}
    tests = {row["effects_id"]: row for row in record.tables["pretrends"].iter_rows(named=True)} if record.has("pretrends") else {}
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in record.tables["models"].iter_rows(named=True):
        key = (row["outcome"], row["family"], row["method"], row["sample"] or "all", row.get("label") or "", row.get("covariates") or "")
        groups.setdefault(key, []).append(row)
    return _with_rivals(tuple(_fit(rows, terms, tests) for rows in groups.values()))


def _with_rivals(fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """Each fit's pre-trend test, told of every test on the same outcome and sample that rejects."""
    found: dict[tuple[str, str], list[tuple[str, float, bool]]] = {}
    tested: dict[tuple[str, str], set[str]] = {}
    for fit in fits:
        if fit.pretrend is not None and fit.role != "robustness":
            tested.setdefault((fit.outcome, fit.sample), set()).add(fit.method)
            corrected = fit.pretrend.p_value < ALPHA
            if corrected or fit.pretrend.p_textbook < ALPHA:
                p = fit.pretrend.p_value if corrected else fit.pretrend.p_textbook
                found.setdefault((fit.outcome, fit.sample), []).append((fit.method, p, not corrected))
    return tuple(_told_of(f, found.get((f.outcome, f.sample), []), len(tested.get((f.outcome, f.sample), ()))) for f in fits)


def _told_of(fit: Fit, rivals: list[tuple[str, float, bool]], tested: int) -> Fit:
    if fit.pretrend is None:
        return fit
    return replace(fit, pretrend=replace(fit.pretrend, rivals=tuple(rivals), n_tested=max(tested, 1)))


def _fit(rows: list[dict[str, Any]], terms: Mapping[Any, pl.DataFrame], tests: Mapping[str, Any]) -> Fit:
    facts = min(rows, key=lambda r: _ROLES.index(r["role"]) if r["role"] in _ROLES else 9)
    overall = next((r for kind in ("overall", "coefficient") for r in rows if r["aggregation"] == kind and r["effects_id"] in terms), None)
    dynamic = next((r for r in rows if r["aggregation"] == "event-time" and r["effects_id"] in terms), None)
    test = next((tests[r["effects_id"]] for r in rows if r["effects_id"] in tests), None)
    return Fit(
        facts["outcome"],
        facts["family"],
        facts["method"],
        facts["sample"] or "all",
        facts["role"],
        facts.get("label") or "",
        overall or facts,
        None if overall is None else Estimate.of(terms[overall["effects_id"]].row(0, named=True)),
        None if dynamic is None else terms[dynamic["effects_id"]].filter(pl.col("event_time").is_not_null()).sort("event_time"),
        None if test is None else _pretrend(test),
    )


def _pretrend(row: Mapping[str, Any]) -> Pretrend:
    real = {k: math.nan if row.get(k) is None else float(row[k]) for k in ("statistic", "df1", "df2", "p_value")}
    kind = str(row.get("distribution") or "chi2")
    leads = int(row.get("n_leads") or 0)
    usual = math.nan if row.get("p_textbook") is None else float(row["p_textbook"])
    return Pretrend(real["statistic"], real["df1"], real["df2"], real["p_value"], leads, kind, int(row.get("n_thin") or 0), usual)
