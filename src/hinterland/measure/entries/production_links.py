"""Linkages, hypothetical extraction and inoperability of input-output tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.labels import Note
from hinterland.measure import inoperability as iim
from hinterland.measure import multiregional
from hinterland.measure.data import Data
from hinterland.measure.entries.axes import axes
from hinterland.measure.entries.io_tables import FINAL, ROLES, UNIQUE, Tables, by_year, io_tables, said_as_findings
from hinterland.measure.extraction import extract
from hinterland.measure.indicator import Indicator, Parameter
from hinterland.measure.linkages import linkages
from hinterland.measure.result import Measured, block, dense
from hinterland.measure.second import table
from hinterland.measure.security import embodied_self_sufficiency

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def linkage(data: Data, *, final: Any = None, forward: Literal["ghosh", "leontief"] = "ghosh") -> Measured:
    """Four components per time, region and industry."""
    t = io_tables(data, final)
    with said_as_findings("linkages"):
        found = [linkages(z, x, forward=forward) for z, x in zip(t.deliveries, t.output, strict=True)]
    where, n = axes(time=t.times, region=t.regions, industry=t.industries), t.deliveries.shape[1]
    blocks = [
        dense(
            where, t.split(np.stack([getattr(f, name) for f in found])), n_used=n, reasons={"too-few-sectors": n < 2}, component=component
        )
        for component, name in _LINKAGES.items()
    ]
    return Measured(blocks)


def extraction(
    data: Data,
    *,
    final: Any = None,
    by: Literal["region", "industry", "cell"] = "region",
    mode: Literal["keep_f", "total"] = "keep_f",
    links: Literal["all", "external"] = "all",
) -> Measured:
    """Two components per time and block: a region, an industry in all regions, or an industry of one region."""
    t = io_tables(data, final)
    grid = np.arange(t.deliveries.shape[1]).reshape(len(t.regions), len(t.industries))
    blocks: list[Ints] = list(grid) if by == "region" else list(grid.T) if by == "industry" else list(grid.reshape(-1, 1))
    with said_as_findings("hypothetical-extraction"):
        found = [extract(z, f, blocks, mode=mode, links=links) for z, f in zip(t.deliveries, t.demand, strict=True)]
    names = {"region": ("region",), "industry": ("industry",), "cell": ("region", "industry")}[by]
    labels = {"time": t.times} | {n: t.regions if n == "region" else t.industries for n in names}
    total = t.output.sum(axis=1, keepdims=True)
    values = {
        "extraction-importance": np.stack([f.importance for f in found]),
        "extraction-outside": np.stack([f.loss_outside for f in found]) / total,
    }
    where = axes(**labels)
    shape = tuple(len(x) for x in labels.values())
    return Measured([dense(where, v.reshape(shape), n_used=t.deliveries.shape[1], component=c) for c, v in values.items()])


def inoperability(data: Data, *, final: Any = None, shock: Any = None) -> Measured:
    """One value per time, region and industry."""
    t = io_tables(data, final)
    lost = _shock(data, t, shock)
    values = by_year(t, lambda y: iim.inoperability(t.deliveries[y], t.output[y], lost).inoperability, "inoperability")
    where = axes(time=t.times, region=t.regions, industry=t.industries)
    reasons = {"no-output": t.split(t.output) <= 0}
    return Measured([dense(where, t.split(values), n_used=t.deliveries.shape[1], reasons=reasons)], notes=(Note("inoperability-demand"),))


def _shock(data: Data, t: Tables, shock: Any) -> Floats:
    """[n] share of output for which final demand falls away.

    Raises:
        InputError: no shock, labels that the table lacks, or shares outside 0 to 1.
    """
    where = "parameter shock"
    if shock is None:
        raise InputError(
            Finding("missing-shock", "no shock was given", where, "give a table of region, industry and value, a share of output"), where
        )
    roles = [r for r in ("region", "industry") if data.has(r)]
    found = table(shock, "shock", [*roles, "value"], data.columns, unique=roles)
    found = found.with_columns(pl.col(roles).cast(pl.String), pl.col("value").cast(pl.Float64, strict=False))
    findings = []
    for role, labels in (("region", t.regions), ("industry", t.industries)):
        extra = found.filter(~pl.col(role).is_in(labels.implode()))[role] if role in roles else pl.Series(dtype=pl.String)
        if len(extra):
            findings.append(
                Finding(
                    "shock-label",
                    f"the shock has {role} labels that the table lacks: {listed(extra)}",
                    where,
                    "use the labels of the table",
                )
            )
    bad = found.filter(~pl.col("value").is_between(0, 1).fill_null(value=False))["value"]
    if len(bad):
        findings.append(Finding("shock-share", f"shares of the shock are {listed(bad)}", where, "give shares of output between 0 and 1"))
    fail_if_any(findings, where, InputError)
    out = np.zeros(t.deliveries.shape[1])
    out[t.node(found)] = found["value"].to_numpy()
    return out


def embodied(data: Data, *, final: Any = None, members: Any = ()) -> Measured:
    """One value per time and region of demand."""
    t = io_tables(data, final)
    chosen = [members] if isinstance(members, str | int) else list(members)
    own = not chosen
    unknown = [m for m in chosen if str(m) not in set(t.regions)]
    if unknown:
        remedy = "use the labels of the table"
        raise InputError(Finding("member-unknown", f"there is no region {listed(unknown)}", "parameter members", remedy), "members")
    at = np.array([t.regions.to_list().index(str(m)) for m in chosen], dtype=np.intp)

    def compute(year: int) -> Floats:
        m = multiregional.table(t.deliveries[year], t.final[year], x=t.output[year])
        flow = multiregional.by_region(multiregional.induced_value_added(m))
        if not own:
            return embodied_self_sufficiency(flow, at)
        return np.array([embodied_self_sufficiency(flow, np.array([r]))[r] for r in range(len(flow))])

    values = by_year(t, compute, "embodied-self-sufficiency")
    years, regions = np.indices(values.shape)
    keys = {"time": t.times.gather(years.ravel()), "region": t.regions.gather(regions.ravel())}
    made = block(keys, values.ravel(), n_used=t.deliveries.shape[1], reasons={"no-final-demand": ~np.isfinite(values.ravel())})
    return Measured([made], meta={"members": [str(m) for m in chosen] or "own region"})


_LINKAGES = {
    "backward-linkage": "backward",
    "forward-linkage": "forward",
    "backward-variation": "backward_variation",
    "forward-variation": "forward_variation",
}


def _entry(name: str, compute: str, *, formula: str, source: str, keys: tuple[str, ...], more: Mapping[str, Any]) -> Indicator:
    said = {"unit": "share", "range": (0.0, 1.0), "roles": ROLES} | dict(more)
    said["parameters"] = {"final": FINAL} | dict(more.get("parameters", {}))
    return Indicator(
        id=name,
        family="security",
        formula=formula,
        source=source,
        keys=keys,
        compute=f"hinterland.measure.entries.production_links:{compute}",
        unique=UNIQUE,
        **said,
    )


_NODES = ("time", "region", "industry")

ENTRIES = (
    _entry(
        "linkages",
        "linkage",
        formula=r"BL_j = n\sum_i L_{ij}/\sum\sum L,\; FL_i = n\sum_j G_{ij}/\sum\sum G",
        source="Rasmussen (1956); Ghosh (1958); Jones (1976)",
        keys=_NODES,
        more={
            "unit": "index",
            "range": (0.0, None),
            "parameters": {
                "forward": Parameter(
                    "ghosh", ("ghosh", "leontief"), "forward linkage: row sums of the Ghosh or of the Leontief inverse (感应度系数)"
                )
            },
            "components": tuple(_LINKAGES),
        },
    ),
    _entry(
        "hypothetical-extraction",
        "extraction",
        formula=r"(\sum x - \sum \bar x)/\sum x,\; \bar x_{-K} = x_{-K} - L_{-K,K} L_{KK}^{-1} x_K",
        source="Dietzenbacher & Lahr (2013)",
        keys=_NODES,
        more={
            "parameters": {
                "by": Parameter(
                    "region",
                    ("region", "industry", "cell"),
                    "what is taken out: a region, an industry everywhere, or an industry of a region",
                ),
                "mode": Parameter("keep_f", ("keep_f", "total"), "the block still meets its own final demand, or not"),
                "links": Parameter("all", ("all", "external"), "deliveries within the block go too, or only those across its border"),
            },
            "components": ("extraction-importance", "extraction-outside"),
        },
    ),
    _entry(
        "inoperability",
        "inoperability",
        formula=r"q = (I - A^*)^{-1} c^*,\; A^* = \hat x^{-1} A \hat x",
        source="Haimes & Jiang (2001); Santos & Haimes (2004)",
        keys=_NODES,
        more={
            "range": (0.0, None),
            "parameters": {
                "shock": Parameter(
                    None, help="demand lost: a table with the columns of region, industry and value, a share of output", table=True
                )
            },
        },
    ),
    _entry(
        "embodied-self-sufficiency",
        "embodied",
        formula=r"\sum_{q\in H} T^{VA}_{qr}/\sum_q T^{VA}_{qr}",
        source="this library's own, after trade in value added (Johnson & Noguera 2012)",
        keys=("time", "region"),
        more={
            "roles": tuple(r if r.name not in ("region", "other") else type(r)(r.name, r.kind, r.help) for r in ROLES),
            "parameters": {
                "members": Parameter((), help="regions whose value added counts as secure; each region's own where none is named")
            },
        },
    ),
)
