"""Panels larger than memory: sums by cluster, cohort and period, from which estimators without covariates follow exactly.

With unit and period effects on a balanced panel, and no covariates, two-way fixed effects, the event study and group-time effects are
linear in a unit's outcomes, with coefficients that depend on its cohort only. Estimates then need, per cohort, the number of units and
the sums of outcomes by period; standard errors clustered by unit need the cross-products of outcomes between periods as well, and
standard errors clustered by a coarser grouping the sums by cluster. All of them are read off the data in one pass, by DuckDB or by
Spark (one expression for both, through narwhals), and take a few megabytes whatever the size of the data.

Outcomes enter as differences from the unit's first period: nothing that is estimated depends on unit levels, and sums of squares of
differences lose no digits to a large level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.micro_source import duckdb_connection, from_arrow, unread
from hinterland.errors import EstimationError, Finding, PanelError, did_you_mean, fail_if_any, listed

if TYPE_CHECKING:
    import narwhals as nw

    from hinterland.evaluate.result import Effects

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FORMATS = {".parquet": "read_parquet", ".csv": "read_csv"}


@dataclass(frozen=True, slots=True)
class PanelMoments:
    """What is kept of a balanced panel of N units and T periods: K cohorts, C clusters.

    Attributes:
        outcome, unit, time: names of the columns;  weight: of the weights, ``None`` without.
        periods: [T] labels, increasing.
        cohort: [K] first treated periods, increasing, ``NEVER`` last if there is one.
        n_units: [K];  mass: [K] sum of weights (units, without weights).
        total: [K, T] weighted sums of z_it = y_it − y_i1.
        cross: [K, T + 1, T + 1] sums of w² (z, 1)(z, 1)' over units, for clustering by unit; ``None`` when ``cluster`` is coarser.
        cluster: name of the grouping;  labels: [C] its levels (empty when it is the unit).
        cluster_mass: [C, K];  cluster_total: [C, K, T]: the same as ``mass`` and ``total`` by cluster; ``None`` when it is the unit.
        engine: what computed them.
        left_out: rows without an outcome and units with gaps that were left out, on request.
    """

    outcome: str
    unit: str
    time: str
    weight: str | None
    periods: Ints
    cohort: Ints
    n_units: Ints
    mass: Floats
    total: Floats
    cross: Floats | None
    cluster: str
    labels: NDArray[np.str_]
    cluster_mass: Floats | None
    cluster_total: Floats | None
    engine: str
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        kept = f"{int(self.n_units.sum())} units × {len(self.periods)} periods, {len(self.cohort)} cohorts"
        return f"PanelMoments({self.outcome}: {kept}; cluster {self.cluster}; {self.engine})"

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.n_units.sum()) if self.cross is not None else len(self.labels)

    def estimate(self, method: str, **options: Any) -> Effects:
        """Fit ``twfe``, ``event-study`` or ``callaway-santanna``: see :func:`hinterland.evaluate.moment_fits.fit`."""
        from hinterland.evaluate.moment_fits import fit

        known = set(signature(fit).parameters) - {"moments", "method"}
        fail_if_any(
            [
                Finding("unknown-option", f"moments have no option {name!r}", f"option {name}={value!r}", _remedy(name, known))
                for name, value in options.items()
                if name not in known
            ],
            "options",
            EstimationError,
        )
        return fit(self, method, **options)


def _remedy(name: str, known: Iterable[str]) -> str:
    if name in ("covariates", "fe", "bootstrap"):
        return f"leave it out: {name} needs the rows themselves, so read the panel and use hinterland.estimate"
    return did_you_mean(name, sorted(known))


def panel_moments(
    source: str | Path | Any,
    outcome: str,
    *,
    unit: str,
    time: str,
    adoption: str,
    never: Sequence[int] = (0,),
    cluster: str | None = None,
    weight: str | None = None,
    periods: Sequence[int] | None = None,
    gaps: str = "error",
    memory: str = "2GB",
) -> PanelMoments:
    """Reduce a panel to its moments in one pass.

    Args:
        source: a ``.parquet`` or ``.csv`` file (or several, as a pattern with ``*``), read by DuckDB under the limit ``memory`` and
            spilling to disk beyond it; or any lazy frame that narwhals supports, such as a DuckDB relation or a Spark data frame.
        outcome, unit, time: columns of the outcome, the unit and the period (whole numbers).
        adoption: column of the first treated period; missing values and those in ``never`` mean never treated.
        cluster: column that does not vary within units; ``None`` clusters by unit.
        weight: column of weights that do not vary within units.
        periods: the period labels of all rows. Given, the data are read once; else the time column is read before.
        gaps: what happens to units that miss a period or an outcome: ``error``, or ``drop`` (counted in ``left_out``).

    Raises:
        PanelError: every problem of the data at once, with examples: unknown columns, repeated unit-periods, rows in other periods or
            without a unit, gaps, adoption, cluster or weight that is missing or varies within a unit, weights that are not positive.
    """
    if gaps not in ("error", "drop"):
        raise PanelError(Finding("unknown-value", f"gaps is {gaps!r}", "argument gaps", "choose 'error' or 'drop'"), "options")
    roles = _Roles(outcome, unit, time, adoption, cluster, weight, tuple(never))
    with _opened(source, memory) as (frame, engine):
        _fail_if_columns_unknown(frame, roles)
        labels = np.unique(np.array(periods, dtype=np.int64)) if periods is not None else _periods_of(frame, roles)
        if len(labels) < 2:
            what = f"the panel has {len(labels)} period(s)"
            raise PanelError(Finding("one-period", what, f"column {time!r}", "a comparison needs a period before and after"), "panel")
        units = _by_unit(frame, roles, labels)
        cells = from_arrow(_by_cell(units, roles, len(labels))).with_columns(pl.exclude("_c").cast(pl.Float64))
        fail_if_any(_problems(cells, units, roles, gaps), "panel", PanelError)
        return _assembled(cells, roles, labels, engine)


@dataclass(frozen=True, slots=True)
class _Roles:
    outcome: str
    unit: str
    time: str
    adoption: str
    cluster: str | None
    weight: str | None
    never: tuple[int, ...]

    @property
    def columns(self) -> list[str]:
        named = [self.outcome, self.unit, self.time, self.adoption, self.cluster, self.weight]
        return list(dict.fromkeys(c for c in named if c is not None))


@contextmanager
def _opened(source: Any, memory: str) -> Iterator[tuple[nw.LazyFrame[Any], str]]:
    """The source as a lazy frame, and the name of the engine behind it."""
    import narwhals as nw

    if not isinstance(source, str | Path):
        frame = nw.from_native(source)
        lazy = frame.lazy() if isinstance(frame, nw.DataFrame) else frame
        yield lazy, str(lazy.implementation).rsplit(".", 1)[-1].lower()
        return
    reader = _FORMATS.get(Path(source).suffix.lower())
    if reader is None:
        what = f"{str(source)!r} is neither .parquet nor .csv"
        raise PanelError(Finding("unknown-format", what, str(source), "convert it to Parquet, or pass a lazy frame"), "panel")
    import duckdb

    with duckdb_connection(memory) as (connection, _):
        try:
            relation = getattr(connection, reader)(str(source))
        except duckdb.IOException as error:
            where = str(source)
            raise PanelError(Finding("missing-file", f"no file matches {where!r}", where, "check the path"), "panel") from error
        except duckdb.Error as error:
            raise PanelError(replace(unread(error), where=str(source)), "panel") from error
        yield nw.from_native(relation), "duckdb"


def _fail_if_columns_unknown(frame: nw.LazyFrame[Any], roles: _Roles) -> None:
    have = frame.collect_schema().names()
    missing = [c for c in roles.columns if c not in have]
    fail_if_any(
        [Finding("unknown-column", f"there is no column {c!r}", f"columns {listed(have, 12)}", did_you_mean(c, have)) for c in missing],
        "panel",
        PanelError,
    )


def _periods_of(frame: nw.LazyFrame[Any], roles: _Roles) -> Ints:
    import narwhals as nw

    values = from_arrow(frame.select(nw.col(roles.time)).unique())[roles.time].drop_nulls()
    return values.cast(pl.Int64).sort().to_numpy().astype(np.int64)


def _by_unit(frame: nw.LazyFrame[Any], roles: _Roles, periods: Ints) -> nw.LazyFrame[Any]:
    """One row per unit: its outcome in each period, its roles, and what is wrong with it."""
    import narwhals as nw

    y, time = nw.col(roles.outcome).cast(nw.Float64), nw.col(roles.time)
    present = _finite(nw.col("_y"))
    numbered = frame.with_columns(_y=y, _g=_cohort(roles))
    one = nw.lit(1.0)
    per_period = {f"_y{k}": nw.when(present & (time == int(p))).then(nw.col("_y")).max() for k, p in enumerate(periods)}
    keys = {"_w": nw.col(roles.weight).cast(nw.Float64) if roles.weight else one, "_c": nw.col(roles.cluster or roles.unit)}
    whole = len(periods) == periods[-1] - periods[0] + 1
    inside = (time >= int(periods[0])) & (time <= int(periods[-1])) if whole else time.is_in(periods.tolist())
    marks = {
        "_ok": nw.when(present).then(one),
        "_inside": nw.when(inside).then(1).otherwise(0),
        "_no_c": nw.when(nw.col("_c").is_null()).then(1).otherwise(0) if roles.cluster else nw.lit(0),
        "_no_w": nw.when(_finite(nw.col("_w"))).then(0).otherwise(1) if roles.weight else nw.lit(0),
    }
    grouped = numbered.with_columns(**keys).with_columns(**marks).group_by(nw.col(roles.unit).alias("_unit"))
    units = grouped.agg(
        _rows=nw.len(),
        _seen=nw.col("_ok").sum(),
        _g=nw.col("_g").max(),
        _g_low=nw.col("_g").min(),
        _w=nw.col("_w").max(),
        _w_low=nw.col("_w").min(),
        _c=nw.col("_c").max(),
        _c_low=nw.col("_c").min(),
        **{name: nw.col(name).sum() for name in marks if name != "_ok"},
        **per_period,
    )
    filled = sum((nw.when(nw.col(f"_y{k}").is_null()).then(0).otherwise(1) for k in range(len(periods))), start=nw.lit(0))
    return units.with_columns(_cells=filled)


def _finite(x: nw.Expr) -> nw.Expr:
    """Whether a float is a number. DuckDB answers ``isnan`` from a Parquet file's statistics, in which many writers leave NaN out."""
    return (x - x) == 0.0


def _cohort(roles: _Roles) -> nw.Expr:
    """First treated period as a float; +inf where never treated."""
    import narwhals as nw

    date = nw.col(roles.adoption).cast(nw.Float64)
    never = date.is_null() | ~_finite(date)
    for value in roles.never:
        never = never | (date == float(value))
    return nw.when(never).then(nw.lit(float("inf"))).otherwise(date)


_PROBLEMS = ("_repeated", "_elsewhere", "_unnamed", "_gap", "_moved_date", "_no_date", "_moved_weight", "_moved_cluster", "_bad_weight")


def _flagged(units: nw.LazyFrame[Any], n_periods: int) -> nw.LazyFrame[Any]:
    import narwhals as nw

    whole = nw.col("_cells") == n_periods
    return units.with_columns(
        _repeated=(nw.col("_inside") > n_periods) | ((nw.col("_inside") == nw.col("_rows")) & (nw.col("_seen") > nw.col("_cells"))),
        _elsewhere=nw.col("_inside") < nw.col("_rows"),
        _unnamed=nw.col("_unit").is_null(),
        _gap=~whole,
        _moved_date=nw.col("_g") != nw.col("_g_low"),
        _no_date=_finite(nw.col("_g")) & (nw.col("_g") % 1.0 != 0.0),
        _moved_weight=nw.col("_w") != nw.col("_w_low"),
        _moved_cluster=(nw.col("_no_c") > 0) | (nw.col("_c") != nw.col("_c_low")),
        _bad_weight=(nw.col("_no_w") > 0) | ~(nw.col("_w_low") > 0.0),
    )


def _by_cell(units: nw.LazyFrame[Any], roles: _Roles, n_periods: int) -> nw.LazyFrame[Any]:
    """Sums by cohort (and cluster) over units without gaps, and how many units have each problem."""
    import narwhals as nw

    flagged = _flagged(units, n_periods)
    z = {f"_z{k}": nw.col(f"_y{k}") - nw.col("_y0") for k in range(n_periods)}
    weighted = flagged.with_columns(**z).with_columns(_full=nw.when(~nw.col("_gap")).then(nw.col("_w")))
    w = nw.col("_full")
    sums = {"mass": w.sum(), "units": nw.when(~nw.col("_gap")).then(1).sum()}
    sums |= {f"s{k}": (w * nw.col(f"_z{k}")).sum() for k in range(1, n_periods)}
    if roles.cluster is None:
        sums["q"] = (w * w).sum()
        sums |= {f"q{k}": (w * w * nw.col(f"_z{k}")).sum() for k in range(1, n_periods)}
        pairs = [(k, j) for k in range(1, n_periods) for j in range(k, n_periods)]
        sums |= {f"q{k}_{j}": (w * w * nw.col(f"_z{k}") * nw.col(f"_z{j}")).sum() for k, j in pairs}
    bad = {p: nw.when(nw.col(p)).then(1).otherwise(0).sum() for p in _PROBLEMS}
    keys = ["_g"] if roles.cluster is None else ["_g", "_c"]
    return weighted.group_by(*keys).agg(**sums, **bad, rows=nw.col("_rows").sum(), seen=nw.col("_seen").sum())


def _problems(cells: pl.DataFrame, units: nw.LazyFrame[Any], roles: _Roles, gaps: str) -> list[Finding]:
    """Every problem of the units, with up to five of them named (which takes a second pass, on bad data only)."""
    said = {
        "_repeated": ("duplicate-unit-period", "unit(s) have more than one row for a period", "leave one row per unit and period"),
        "_elsewhere": (
            "years-outside",
            f"unit(s) have rows whose {roles.time!r} is missing, or not among the periods given",
            "leave these rows out first, or give their periods",
        ),
        "_unnamed": ("unit-missing", f"unit(s) have no {roles.unit!r}", "fill in the code, or leave these rows out"),
        "_gap": ("gaps", "unit(s) miss a period or a finite outcome", "complete the panel, or set gaps='drop' to leave these units out"),
        "_moved_date": ("varying-adoption", f"unit(s) have several values of {roles.adoption!r}", "give a unit one first treated period"),
        "_no_date": (
            "not-a-period",
            f"unit(s) have a {roles.adoption!r} that is no whole period",
            "give whole periods, and missing values for units never treated",
        ),
        "_moved_weight": (
            "weight-varies",
            f"unit(s) have several values of {roles.weight!r}",
            "give a unit one weight, or estimate in memory",
        ),
        "_moved_cluster": (
            "cluster-not-nested",
            f"unit(s) are in several clusters {roles.cluster!r}, or in none",
            "cluster on a column that is filled in and does not vary within units",
        ),
        "_bad_weight": (
            "bad-weight",
            f"unit(s) have a weight {roles.weight!r} that is missing, infinite or not positive",
            "give every unit a positive, finite weight",
        ),
    }
    found = []
    for flag, (code, what, remedy) in said.items():
        count = int(cells[flag].sum() or 0)
        if count and not (flag == "_gap" and gaps == "drop"):
            found.append(Finding(code, f"{count} {what}", _examples(units, cells, flag), remedy))
    return found


def _examples(units: nw.LazyFrame[Any], cells: pl.DataFrame, flag: str) -> str:
    import narwhals as nw

    n_periods = sum(c.startswith("s") and c[1:].isdigit() for c in cells.columns) + 1
    named = from_arrow(_flagged(units, n_periods).filter(nw.col(flag)).select("_unit").sort("_unit").head(5))["_unit"]
    return f"units {listed(named.cast(pl.String).to_list(), 5)}"


def _assembled(cells: pl.DataFrame, roles: _Roles, periods: Ints, engine: str) -> PanelMoments:
    n_periods = len(periods)
    left_out = {"units": int(cells["_gap"].sum()), "rows": int(cells.select((pl.col("rows") - pl.col("seen")).sum()).item())}
    kept = (
        cells.filter(pl.col("units").fill_null(0) > 0)
        .with_columns(pl.col(pl.Float64).fill_null(0.0))
        .sort("_g", *(["_c"] if roles.cluster else []))
    )
    if kept.is_empty():
        raise PanelError(Finding("empty-sample", "no unit is observed in every period", "panel", "complete the panel"), "panel")
    date = kept["_g"].to_numpy()
    cohort_of = np.where(np.isinf(date) | (date > periods[-1]), float(2**62), date)
    values, place = np.unique(cohort_of, return_inverse=True)
    cohort = np.where(values >= 2**62, NEVER, np.minimum(values, 2**61).astype(np.int64))
    k = len(values)
    sums = np.column_stack([np.zeros(len(kept)), *(kept[f"s{j}"].to_numpy() for j in range(1, n_periods))])
    total = np.zeros((k, n_periods))
    np.add.at(total, place, sums)
    bare = PanelMoments(
        outcome=roles.outcome,
        unit=roles.unit,
        time=roles.time,
        weight=roles.weight,
        periods=periods,
        cohort=cohort,
        n_units=np.bincount(place, kept["units"].to_numpy(), k).astype(np.int64),
        mass=np.bincount(place, kept["mass"].to_numpy(), k).astype(np.float64),
        total=total,
        cross=None,
        cluster=roles.cluster or roles.unit,
        labels=np.empty(0, dtype=np.str_),
        cluster_mass=None,
        cluster_total=None,
        engine=engine,
        left_out={name: n for name, n in left_out.items() if n},
    )
    if roles.cluster is None:
        cross = np.zeros((k, n_periods + 1, n_periods + 1))
        np.add.at(cross, place, _crossed(kept, n_periods))
        return replace(bare, cross=cross)
    labels, row = np.unique(kept["_c"].cast(pl.String).to_numpy().astype(np.str_), return_inverse=True)
    cluster_mass, cluster_total = np.zeros((len(labels), k)), np.zeros((len(labels), k, n_periods))
    np.add.at(cluster_mass, (row, place), kept["mass"].to_numpy())
    np.add.at(cluster_total, (row, place), sums)
    return replace(bare, labels=labels, cluster_mass=cluster_mass, cluster_total=cluster_total)


def _crossed(kept: pl.DataFrame, n_periods: int) -> Floats:
    """[rows, T + 1, T + 1] cross-products of (z, 1); z of the first period is zero."""
    out = np.zeros((len(kept), n_periods + 1, n_periods + 1))
    out[:, -1, -1] = kept["q"].to_numpy()
    for i in range(1, n_periods):
        out[:, i, -1] = out[:, -1, i] = kept[f"q{i}"].to_numpy()
        for j in range(i, n_periods):
            out[:, i, j] = out[:, j, i] = kept[f"q{i}_{j}"].to_numpy()
    return out
