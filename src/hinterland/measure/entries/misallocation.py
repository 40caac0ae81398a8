"""Output elasticities, and relative misallocation of capital and labour between regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, did_you_mean, fail_if_any, listed
from hinterland.measure import elasticities, misallocation
from hinterland.measure.data import Cube, Data, positions
from hinterland.measure.elasticities import BOUNDS, Elasticities
from hinterland.measure.entries.arguments import out_of_range
from hinterland.measure.entries.groups import region_groups
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, block, dense
from hinterland.measure.second import Reference, table

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
RULES = ("by-group", "pooled", "by-region", "partial-pooling")


@dataclass(frozen=True, slots=True)
class _Choice:
    """How elasticities are found."""

    elasticity: str | float
    year_effects: str
    bounds: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Betas:
    """Elasticities of one factor: [T, R] or broadcast to it, why some are missing, and what there is to say."""

    values: Array
    reasons: dict[str, Mask]
    findings: tuple[Finding, ...]
    meta: dict[str, Any]


def output_elasticity(
    data: Data, *, elasticity: str = "by-group", year_effects: str = "common", bounds: Sequence[float] = BOUNDS
) -> Measured:
    """Elasticities of capital and labour of each region, with the estimate before the bounds and its standard error."""
    fail_if_any(_bounds_findings(bounds), "output-elasticity")
    found, groups = _estimated(data, _Choice(elasticity, year_effects, bounds))
    labels = {"region": data.labels("region")}
    reasons = {"elasticity-outside-bounds": found.outside, "elasticity-not-estimated": np.isnan(found.estimate)}
    used, rows = found.n_used, len(data.labels("time"))
    own = np.isfinite(_complete(data)).sum(axis=0) / rows
    given: dict[str, Any] = {"n_used": used, "coverage": own}
    blocks = [
        block(labels, found.capital, reasons=reasons, component="capital-elasticity", **given),
        block(labels, found.labour, reasons=reasons, component="labour-elasticity", **given),
        block(
            labels, found.estimate, reasons={"elasticity-not-estimated": np.isnan(found.estimate)}, component="elasticity-estimate", **given
        ),
        block(labels, found.std_error, reasons={"no-standard-error": np.isnan(found.std_error)}, component="elasticity-std-error", **given),
    ]
    return Measured(blocks, _outside_findings(data, found, bounds), meta=_elasticity_meta(data, found, groups, elasticity))


def capital_misallocation(
    data: Data,
    *,
    elasticity: str | float = "by-group",
    year_effects: str = "common",
    bounds: Sequence[float] = BOUNDS,
    reference: Reference = None,
) -> Measured:
    """|τ_K|, τ_K and γ_K per time and region."""
    return _misallocation(data, "capital", _Choice(elasticity, year_effects, bounds), reference)


def labour_misallocation(
    data: Data,
    *,
    elasticity: str | float = "by-group",
    year_effects: str = "common",
    bounds: Sequence[float] = BOUNDS,
    reference: Reference = None,
) -> Measured:
    """|τ_L|, τ_L and γ_L per time and region."""
    return _misallocation(data, "labour", _Choice(elasticity, year_effects, bounds), reference)


def _misallocation(data: Data, factor: str, choice: _Choice, reference: Reference) -> Measured:
    given = [r for r in ("output", "capital", "labour") if data.has(r)]
    cubes = {r: data.cube("time", "region", value=r) for r in given}
    betas = _betas(data, factor, choice)
    totals = _totals(data, cubes[factor], reference, factor)
    seen = np.all([c.observed for c in cubes.values()], axis=0)
    found = misallocation.misallocation(cubes["output"].values, cubes[factor].values, betas.values, sample=seen, **totals)
    suppressed = np.any([c.suppressed for c in cubes.values()], axis=0)
    inputs = {"suppressed-input": suppressed, "missing-input": ~seen, **betas.reasons}
    gamma = {**inputs, "zero-output": cubes["output"].values == 0, "zero-total": np.isnan(found.gamma)}
    tau = {**gamma, "zero-factor": found.gamma == 0}
    used = found.used.sum(axis=1, keepdims=True)
    common: dict[str, Any] = {"n_used": used, "coverage": used / found.used.shape[1]}
    blocks = [
        dense(cubes["output"], value, reasons=why, component=name, **common)
        for name, value, why in (
            ("absolute-distortion", found.absolute, tau),
            ("distortion", found.tau, tau),
            ("relative-intensity", found.gamma, gamma),
        )
    ]
    meta = {**betas.meta, "totals": "sum of the sample" if reference is None else "reference"}
    return Measured(blocks, betas.findings, meta=meta)


def _betas(data: Data, factor: str, choice: _Choice) -> _Betas:
    """The elasticity of ``factor``: a column, a number, or estimates."""
    shape = (len(data.labels("time")), len(data.labels("region")))
    fail_if_any(_bounds_findings(choice.bounds), f"{factor}-misallocation")
    if data.has("factor_elasticity"):
        return _given_betas(data, choice.bounds)
    if isinstance(choice.elasticity, int | float) and not isinstance(choice.elasticity, bool):
        fail_if_any(out_of_range("elasticity", choice.elasticity, *choice.bounds, open_ends=True), f"{factor}-misallocation")
        return _Betas(np.full(shape, float(choice.elasticity)), {}, (), {"elasticities": {factor: choice.elasticity}})
    fail_if_any(_rule_findings(data, choice.elasticity), f"{factor}-misallocation")
    found, groups = _estimated(data, choice)
    reasons = {"elasticity-outside-bounds": found.outside[None, :], "elasticity-not-estimated": np.isnan(found.estimate)[None, :]}
    values = np.broadcast_to(found.capital if factor == "capital" else found.labour, shape)
    return _Betas(values, reasons, _outside_findings(data, found, choice.bounds), _elasticity_meta(data, found, groups, choice.elasticity))


def _given_betas(data: Data, bounds: Sequence[float]) -> _Betas:
    """Elasticities of a column, those outside the bounds left out by name."""
    cube, given = data.cube("time", "region", value="factor_elasticity"), data.number("factor_elasticity")
    outside = cube.observed & ~((cube.values > bounds[0]) & (cube.values < bounds[1]))
    said: tuple[Finding, ...] = ()
    if outside.any():
        rows = np.flatnonzero((given <= bounds[0]) | (given >= bounds[1]))
        what = f"{len(rows)} elasticities are outside ({bounds[0]:g}, {bounds[1]:g}): {listed(given[rows])}"
        remedy = "correct them, or pass wider bounds"
        said = (Finding("elasticity-outside-bounds", what, data.where(rows, "factor_elasticity"), remedy, "warning"),)
    reasons = {"elasticity-outside-bounds": outside, "missing-input": ~cube.observed}
    meta = {"elasticities": "column", "elasticities_outside_bounds": int(outside.sum())}
    return _Betas(np.where(outside, np.nan, cube.values), reasons, said, meta)


def _rule_findings(data: Data, elasticity: object) -> list[Finding]:
    if not isinstance(elasticity, str) or elasticity not in RULES:
        return [
            Finding(
                "unknown-value",
                f"elasticity is {elasticity!r}",
                "parameter elasticity",
                f"{did_you_mean(str(elasticity), RULES)} Or give a number between 0 and 1",
            )
        ]
    lacking = [r for r in ("capital", "labour") if not data.has(r)]
    remedy = "pass it, or give elasticities: a number as parameter elasticity, or a column"
    return [Finding("missing-role", f"estimating elasticities needs a column for {r}", f"argument {r}", remedy) for r in lacking]


def _bounds_findings(bounds: Sequence[float]) -> list[Finding]:
    pair = tuple(bounds) if isinstance(bounds, list | tuple) else ()
    if len(pair) == 2 and all(isinstance(b, int | float) for b in pair) and 0 <= pair[0] < pair[1] <= 1:
        return []
    return [Finding("out-of-range", f"bounds is {bounds!r}", "parameter bounds", "give two numbers, 0 ≤ low < high ≤ 1")]


def _estimated(data: Data, choice: _Choice) -> tuple[Elasticities, pl.Series | None]:
    cubes = [data.cube("time", "region", value=r).values for r in ("output", "capital", "labour")]
    groups = region_groups(data) if choice.elasticity == "by-group" else None
    codes = None if groups is None else positions(groups, groups.unique().sort()).astype(np.intp)
    found = elasticities.estimate_elasticities(
        *cubes,
        rule=str(choice.elasticity),
        group=codes,
        year_effects=choice.year_effects,
        bounds=(choice.bounds[0], choice.bounds[1]),
    )
    return found, groups


def _complete(data: Data) -> Array:
    """[T, R] NaN where output, capital or labour is not a positive number."""
    cubes = [data.cube("time", "region", value=r).values for r in ("output", "capital", "labour")]
    return np.where(np.all([c > 0 for c in cubes], axis=0), 1.0, np.nan)


def _outside_findings(data: Data, found: Elasticities, bounds: Sequence[float]) -> tuple[Finding, ...]:
    if not found.outside.any():
        return ()
    regions = data.labels("region").filter(pl.Series(found.outside))
    values = [f"{r}: {b:.3f}" for r, b in zip(regions, found.estimate[found.outside], strict=True)]
    what = f"the elasticity of {len(regions)} region(s) is outside ({bounds[0]:g}, {bounds[1]:g}), and has no value: {listed(values)}"
    remedy = "use elasticity = pooled or partial-pooling, a longer panel, or elasticities from elsewhere"
    return (Finding("elasticity-outside-bounds", what, "estimated elasticities", remedy, "warning"),)


def _elasticity_meta(data: Data, found: Elasticities, groups: pl.Series | None, rule: object) -> dict[str, Any]:
    """Elasticities of capital as they were estimated, by group or by region, for the note below a table."""
    names = ["all"] * len(found.estimate) if rule == "pooled" else data.labels("region").to_list() if groups is None else groups.to_list()
    classes = {str(n): i for i, n in enumerate(names)}
    said = {
        n: {"capital": _plain(found.estimate[i]), "std_error": _plain(found.std_error[i]), "n": int(found.n_used[i])}
        for n, i in sorted(classes.items())
    }
    return {"elasticities": said, "elasticities_outside_bounds": int(found.outside.sum())}


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _totals(data: Data, cube: Cube, reference: Reference, factor: str) -> dict[str, Array]:
    """Totals of a wider area by year, from a table with the caller's columns of time, output and the factor, and of its elasticity where the data have that column."""
    if reference is None:
        return {}
    roles = ["time", "output", factor, *(["factor_elasticity"] if data.has("factor_elasticity") else [])]
    found = table(reference, "reference", roles, data.columns).with_columns(
        pl.col("time").cast(pl.Int64), pl.exclude("time").cast(pl.Float64, strict=False)
    )
    years = cube.labels[0]
    absent = [t for t in years if t not in set(found["time"])]
    bad = found.filter(pl.any_horizontal((pl.exclude("time").is_null()) | (pl.exclude("time") <= 0) | ~pl.exclude("time").is_finite()))
    findings = (
        [Finding("reference-lacks-time", f"there is no national figure for {listed(absent)}", "parameter reference", "add the rows")]
        if absent
        else []
    )
    if bad.height:
        what = f"national figures of {listed(bad['time'])} are missing, not positive or not finite"
        findings.append(Finding("bad-reference", what, "parameter reference", "give a positive number for every year"))
    if found["time"].is_duplicated().any():
        findings.append(Finding("duplicate-cell", "years occur twice in the reference", "parameter reference", "give one row each"))
    fail_if_any(findings, "parameter reference")
    ordered = pl.DataFrame({"time": years}).join(found, on="time", how="left", maintain_order="left")
    totals = {"output_total": ordered["output"].to_numpy(), "factor_total": ordered[factor].to_numpy()}
    return totals | ({"mean_elasticity": ordered["factor_elasticity"].to_numpy()} if "factor_elasticity" in ordered.columns else {})


_PANEL = (Role("region", "key", "region or city"), Role("time", "time", "year"))
_OUTPUT = Role("output", "number", "real output, such as GDP at constant prices", sign="non-negative")
_GROUP = Role(
    "group", "key", "group of regions for elasticity = by-group; by default the macro-region of an administrative code", required=False
)
_BOUNDS = Parameter(BOUNDS, help="an elasticity outside this open interval has no value")
_ELASTICITY = Parameter("by-group", help="by-group, pooled, by-region, partial-pooling, or a number within the bounds")
_YEARS = Parameter(
    "common", ("common", "group"), "year effects of all regions together, or of each group by itself (elasticity = by-group)"
)
_GIVEN = Role("factor_elasticity", "number", "output elasticity of this factor, instead of an estimate", required=False)
_REFERENCE = Parameter(
    None, help="totals: of the table's regions, or a table of time, output and the factor (and its elasticity)", table=True
)
_COMPONENTS = ("absolute-distortion", "distortion", "relative-intensity")
_SOURCE = "Aoki (2012); Chen & Hu (2011)"


def _entry(factor: str, other: str, letter: str, unit: str) -> Indicator:
    return Indicator(
        id=f"{factor}-misallocation",
        family="misallocation",
        unit="index",
        range=(-1.0, None),
        formula=rf"\tau_{{{letter}r}} = 1/\gamma_{{{letter}r}} - 1, \quad \gamma_{{{letter}r}} = \frac{{{letter}_r/\sum {letter}}}{{s_r \beta_{{{letter}r}}/\bar\beta_{letter}}}",
        source=_SOURCE,
        roles=(
            *_PANEL,
            _OUTPUT,
            Role(factor, "number", f"{factor}, {unit}", sign="non-negative"),
            Role(other, "number", f"{other}, where elasticities are estimated", required=False, sign="non-negative"),
            _GROUP,
            _GIVEN,
        ),
        keys=("time", "region"),
        compute=f"hinterland.measure.entries.misallocation:{factor}_misallocation",
        parameters={"elasticity": _ELASTICITY, "year_effects": _YEARS, "bounds": _BOUNDS, "reference": _REFERENCE},
        components=_COMPONENTS,
        unique=("time", "region"),
    )


ENTRIES = (
    Indicator(
        id="output-elasticity",
        family="misallocation",
        unit="index",
        range=(None, None),
        formula=r"\ln(Y/L)_{rt} = \beta_K \ln(K/L)_{rt} + \mu_r + \lambda_t + \varepsilon_{rt}, \quad \beta_L = 1 - \beta_K",
        source="Chen & Hu (2011); partial pooling: Paule & Mandel (1982)",
        roles=(
            *_PANEL,
            _OUTPUT,
            Role("capital", "number", "capital stock at constant prices", sign="non-negative"),
            Role("labour", "number", "persons employed", sign="non-negative"),
            _GROUP,
        ),
        keys=("region",),
        compute="hinterland.measure.entries.misallocation:output_elasticity",
        parameters={
            "elasticity": Parameter(
                "by-group", RULES, "whose slope: the group's, everybody's, the region's, or the region's drawn to the mean"
            ),
            "year_effects": _YEARS,
            "bounds": _BOUNDS,
        },
        components=("capital-elasticity", "labour-elasticity", "elasticity-estimate", "elasticity-std-error"),
        unique=("time", "region"),
    ),
    _entry("capital", "labour", "K", "stock at constant prices"),
    _entry("labour", "capital", "L", "persons employed"),
)
