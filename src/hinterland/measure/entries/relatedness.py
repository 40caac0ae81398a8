"""Relatedness of industries, and what is near to what a region has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, fail_if_any
from hinterland.labels import Note
from hinterland.measure import relatedness
from hinterland.measure.complexity import Complexity, specialisation
from hinterland.measure.data import Data
from hinterland.measure.entries.axes import axes, codes, union
from hinterland.measure.entries.presences import CELLS, ORIENT, PRESENCE, Presences, complexities, presences
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.result import Measured, dense

Floats = NDArray[np.float64]
Method = Literal["minimum", "conditional", "cosine", "capped-cosine"]


def _phi(p: Presences, t: int, method: Method, diagonal: Literal[0, 1], cap: float) -> Floats:
    year = p.years[t]
    if method != "capped-cosine":
        return relatedness.proximity(year.matrix, method=method, diagonal=diagonal)
    values = p.cube.values[t][np.ix_(year.regions, year.industries)]
    return relatedness.capped_cosine(specialisation(values), cap=cap, diagonal=diagonal)


@dataclass(frozen=True, slots=True)
class Space:
    """Presence matrices of a panel with each year's proximities."""

    presences: Presences
    phi: list[Floats]

    @property
    def density(self) -> list[Floats]:
        """Relatedness density of each year."""
        return [relatedness.density(y.matrix, phi) for y, phi in zip(self.presences.years, self.phi, strict=True)]

    @property
    def isolated(self) -> dict[str, Any]:
        """The reason of industries that are near to no other, [T, 1, I]."""
        alone = self.presences.stacked([(phi.sum(axis=1) == 0).astype(np.float64) for phi in self.phi], "i") == 1
        return {"near-to-none": alone[:, None, :]}


def space(data: Data, *, threshold: float, floor: float, method: Method, phi_diag: Literal[0, 1], cap: float) -> Space:
    """Presence and proximity of every year."""
    if isinstance(cap, bool) or not isinstance(cap, int | float) or not cap > 0:
        fail_if_any([Finding("out-of-range", f"cap is {cap!r}", "parameter cap", "give a number above 0")], "relatedness")
    p = presences(data, threshold, floor)
    return Space(p, [_phi(p, t, method, phi_diag, cap) for t in range(len(p.years))])


def proximity(data: Data, **options: Any) -> Measured:
    """One value per time and pair of industries."""
    s = space(data, **options)
    p = s.presences
    used, coverage = p.counts("ii")
    times, _, industries = p.cube.labels
    pairs = axes(time=times, industry=industries, other_industry=industries)
    return Measured([dense(pairs, p.stacked(s.phi, "ii"), n_used=used, coverage=coverage, reasons=p.reasons("ii"))])


def flow_proximity(data: Data, *, phi_diag: Literal[0, 1] = 0) -> Measured:
    """One value per time and pair of industries."""
    industries, times = union(data, "industry", "other_industry"), data.labels("time")
    year, ends = data.codes("time"), [codes(data, role, industries) for role in ("industry", "other_industry")]
    flows = np.zeros((len(times), len(industries), len(industries)))
    flows[year, ends[0], ends[1]] = np.nan_to_num(data.number())
    known, rows = np.zeros(flows.shape, dtype=np.int64), np.zeros(flows.shape, dtype=np.int64)
    known[year, ends[0], ends[1]], rows[year, ends[0], ends[1]] = np.isfinite(data.number()), 1
    values = np.stack([relatedness.flow_proximity(f, diagonal=phi_diag) for f in flows])
    counted, there = (x.sum(axis=2)[:, :, None] + x.sum(axis=1)[:, None, :] for x in (known, rows))
    coverage = np.divide(counted, there, out=np.zeros(counted.shape), where=there > 0)
    silent = (flows.sum(axis=2) + flows.sum(axis=1)) == 0
    made = dense(
        axes(time=times, industry=industries, other_industry=industries),
        values,
        n_used=counted,
        coverage=coverage,
        reasons={"missing-input": (counted == 0) & (there > 0), "no-flows": silent[:, :, None] | silent[:, None, :]},
    )
    return Measured([made])


def density(data: Data, **options: Any) -> Measured:
    """One value per time, region and industry."""
    s = space(data, **options)
    return _cells(s.presences, s.density, s.isolated)


def relative_density(data: Data, *, over: Literal["options", "all"] = "options", **options: Any) -> Measured:
    """One value per time, region and industry."""
    s = space(data, **options)
    years = s.presences.years
    values = [relatedness.relative_density(w, y.matrix, over=over) for w, y in zip(s.density, years, strict=True)]
    held = s.presences.stacked([y.matrix for y in years], "ri") == 1
    alike = s.presences.stacked([np.asarray(np.isnan(v).all(axis=1), dtype=np.float64) for v in values], "r") == 1
    reasons = {"industry-present": held & (over == "options"), **s.isolated, "no-variation": alike[:, :, None]}
    return _cells(s.presences, values, reasons, own=over == "options")


def outlook(data: Data, *, orient: Any = None, **options: Any) -> Measured:
    """One value per time and region."""
    s = space(data, **options)
    p, (found, notes, meta) = s.presences, complexities(s.presences, orient)
    values = [
        np.full(len(y.regions), np.nan) if c is None else relatedness.outlook_index(_known(w), y.matrix, _known(c.pci))
        for c, w, y in zip(found, s.density, p.years, strict=True)
    ]
    used, coverage = p.counts("r")
    few = np.array([c is None for c in found])[:, None]
    made = dense(
        p.cube, p.stacked(values, "r"), n_used=used, coverage=coverage, reasons={**p.reasons("r"), "too-thin": few}, dims=("time", "region")
    )
    return Measured([made], notes=notes, meta=meta)


def _known(values: Floats) -> Floats:
    """An industry outside the largest component, or near to none, adds nothing to the outlook."""
    return np.nan_to_num(values)


def outlook_gain(data: Data, *, orient: Any = None, **options: Any) -> Measured:
    """One value per time, region and industry."""
    s = space(data, **options)

    def gain(t: int, c: Complexity) -> Floats:
        return relatedness.outlook_gain(s.phi[t], s.presences.years[t].matrix, _known(c.pci))

    return _with_complexity(s, gain, orient)


def quadrant(data: Data, *, orient: Any = None, **options: Any) -> Measured:
    """One value per time, region and industry that the region lacks: 0 to 3."""
    s = space(data, **options)
    omega = s.density
    years = s.presences.years

    def place(t: int, c: Complexity) -> Floats:
        found = relatedness.quadrant(_known(omega[t]), _known(c.pci), years[t].matrix)
        return np.where((found < 0) | ~np.isfinite(c.pci)[None, :], np.nan, found)

    held = s.presences.stacked([y.matrix for y in years], "ri") == 1
    return _with_complexity(s, place, orient, {"industry-present": held})


def _with_complexity(
    s: Space, compute: Callable[[int, Complexity], Floats], orient: Any, reasons: Mapping[str, Any] | None = None
) -> Measured:
    found, notes, meta = complexities(s.presences, orient)
    values = [
        np.full(y.matrix.shape, np.nan) if c is None else compute(t, c)
        for t, (c, y) in enumerate(zip(found, s.presences.years, strict=True))
    ]
    few = np.array([c is None for c in found])[:, None, None]
    pci = [np.zeros(y.matrix.shape[1]) if c is None else c.pci for c, y in zip(found, s.presences.years, strict=True)]
    outside = s.presences.stacked([np.isnan(v).astype(np.float64) for v in pci], "i") == 1
    stated = {**(reasons or {}), "too-thin": few, "outside-component": outside[:, None, :]}
    return _cells(s.presences, values, stated, notes, meta, own=True)


def entry(data: Data, *, threshold: float = 1.0, floor: float = 0.0) -> Measured:
    """One value per time but the first, region and industry."""
    p = presences(data, threshold, floor)
    full = np.nan_to_num(p.stacked([y.matrix for y in p.years], "ri"))
    values = np.full(full.shape, np.nan)
    for t in range(1, len(full)):
        values[t] = relatedness.entry(full[t - 1], full[t])
    seen = p.cube.observed
    first, unknown = np.zeros(seen.shape, dtype=bool), ~seen
    first[0], unknown[1:] = True, ~seen[1:] | ~seen[:-1]
    held = np.zeros(seen.shape, dtype=bool)
    held[1:] = full[:-1] == 1
    used, coverage = p.counts("ri")
    reasons = {"no-year-before": first, "missing-input": unknown, "industry-present": held}
    return Measured([dense(p.cube, values, n_used=used, coverage=coverage, reasons=reasons)])


def _cells(
    p: Presences,
    values: Sequence[Floats],
    more: Mapping[str, Any] | None = None,
    notes: tuple[Note, ...] = (),
    meta: Mapping[str, Any] | None = None,
    *,
    own: bool = False,
) -> Measured:
    """``own``: a value needs to know whether the region has the industry."""
    used, coverage = p.counts("ri")
    reasons = p.reasons("ri")
    if own:
        reasons = {**reasons, "missing-input": reasons["missing-input"] | ~p.cube.observed}
    made = dense(p.cube, p.stacked(list(values), "ri"), n_used=used, coverage=coverage, reasons={**reasons, **(more or {})})
    return Measured([made], notes=notes, meta=meta or {})


_PROXIMITY = PRESENCE | {
    "method": Parameter(
        "minimum",
        ("minimum", "conditional", "cosine", "capped-cosine"),
        "proximity: smaller conditional probability, P(i|j), cosine, or cosine of capped quotients",
    ),
    "phi_diag": Parameter(0, (0, 1), "proximity of an industry to itself"),
    "cap": Parameter(2.0, help="greatest location quotient of capped-cosine"),
}
_FLOWS = (
    Role("industry", "key", "industry that a worker, or a delivery, leaves"),
    Role("other_industry", "key", "industry that it reaches"),
    Role("value", "number", "workers or deliveries", sign="non-negative"),
    Role("time", "time", "year", required=False),
)


def _entry(
    name: str,
    *,
    bounds: tuple[float | None, float | None],
    formula: str,
    source: str,
    keys: tuple[str, ...],
    compute: str,
    unit: str = "index",
    parameters: dict[str, Parameter] = _PROXIMITY,
    roles: tuple[Role, ...] = CELLS,
) -> Indicator:
    return Indicator(
        id=name,
        family="complexity",
        unit=unit,
        range=bounds,
        formula=formula,
        source=source,
        roles=roles,
        keys=("time", *keys),
        compute=f"hinterland.measure.entries.relatedness:{compute}",
        parameters=parameters,
        unique=("time", "industry", "other_industry") if roles is _FLOWS else ("time", "region", "industry"),
    )


_CELL_KEYS = ("region", "industry")

ENTRIES = (
    _entry(
        "proximity",
        bounds=(0.0, 1.0),
        formula=r"\varphi_{ij} = \sum_r M_{ri} M_{rj} / \max(u_i, u_j),\; \varphi_{ii} = 0",
        source="Hidalgo et al. (2007)",
        keys=("industry", "other_industry"),
        compute="proximity",
    ),
    _entry(
        "flow-proximity",
        bounds=(0.0, 1.0),
        formula=r"\varphi_{ij} = \tfrac12\left(\tfrac{R_{ij}}{1+R_{ij}} + \tfrac{R_{ji}}{1+R_{ji}}\right),\; R_{ij} = F_{ij}F_{\cdot\cdot}/(F_{i\cdot}F_{\cdot j})",
        source="Neffke, Otto & Weyh (2017)",
        keys=("industry", "other_industry"),
        compute="flow_proximity",
        parameters={"phi_diag": _PROXIMITY["phi_diag"]},
        roles=_FLOWS,
    ),
    _entry(
        "relatedness-density",
        bounds=(0.0, 1.0),
        formula=r"\omega_{ri} = \sum_j M_{rj}\varphi_{ij} / \sum_j \varphi_{ij}",
        source="Hidalgo et al. (2007)",
        keys=_CELL_KEYS,
        compute="density",
        unit="share",
    ),
    _entry(
        "relative-relatedness",
        bounds=(None, None),
        formula=r"z_{ri} = (\omega_{ri} - \bar\omega_r)/\sigma_r",
        source="Pinheiro, Hartmann, Boschma & Hidalgo (2022), eq. 7",
        keys=_CELL_KEYS,
        compute="relative_density",
        parameters=_PROXIMITY
        | {"over": Parameter("options", ("options", "all"), "industries whose mean and spread count: those the region lacks, or all")},
    ),
    _entry(
        "complexity-outlook",
        bounds=(None, None),
        formula=r"COI_r = \sum_i \omega_{ri}(1-M_{ri})PCI_i",
        source="Hausmann et al. (2014), eq. 8",
        keys=("region",),
        compute="outlook",
        parameters=_PROXIMITY | ORIENT,
    ),
    _entry(
        "complexity-outlook-gain",
        bounds=(None, None),
        formula=r"COG_{ri} = (1-M_{ri})\sum_j \frac{\varphi_{ij}}{\sum_k \varphi_{jk}}(1-M_{rj})PCI_j",
        source="Hausmann et al. (2014), eq. 9",
        keys=_CELL_KEYS,
        compute="outlook_gain",
        parameters=_PROXIMITY | ORIENT,
    ),
    _entry(
        "diversification-quadrant",
        bounds=(0.0, 3.0),
        formula=r"q_{ri} = 2\cdot 1[PCI_i > \mathrm{med}] + 1[\omega_{ri} > \mathrm{med}]",
        source="Balland, Boschma, Crespo & Rigby (2019)",
        keys=_CELL_KEYS,
        compute="quadrant",
        parameters=_PROXIMITY | ORIENT,
    ),
    _entry(
        "industry-entry",
        bounds=(0.0, 1.0),
        formula=r"Entry_{ri,t} = M_{ri,t} \mid M_{ri,t-1} = 0",
        source="Boschma, Balland & Kogler (2015)",
        keys=_CELL_KEYS,
        compute="entry",
        parameters=PRESENCE,
    ),
)
