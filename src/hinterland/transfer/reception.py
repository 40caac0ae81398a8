"""Reception of transfer: pattern, kind of link, six scores and, last, a label for every flow from a source to a host.

Labels rest on thresholds and hide what is near them. The scores are the result; the label is how to speak of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.complexity import complexity, presence, specialisation
from hinterland.measure.flows import LINKS, PATTERNS, complexity_gap, link_kind, pattern, tiers
from hinterland.measure.relatedness import density, proximity, relative_density
from hinterland.transfer.economy import Economy
from hinterland.transfer.reception_scores import (
    arrival_share,
    chain_links,
    chain_score,
    cluster_score,
    cost_score,
    enclave_score,
    market_score,
    percentile,
    policy_score,
    relative_saving,
)

__all__ = ["KINDS", "THRESHOLDS", "Economy", "Reception", "label", "label_changes", "reception"]

Floats = NDArray[np.float64]
_Related = tuple[Floats, Floats, Floats]
"""Location quotient, presence and density of the economy, each [R, I]."""
Ints = NDArray[np.int64]

KINDS = ("enclave", "chain-extension", "cluster", "cost-driven", "market-driven", "policy-driven")
THRESHOLDS: Mapping[str, float] = {**dict.fromkeys(KINDS, 0.5), "cost-driven": 0.2}
"""Score from which a kind is said to be there; a cost that is lower by a fifth counts."""


@dataclass(frozen=True, slots=True)
class Reception:
    """How hosts received flows.

    Attributes:
        flows: a row per flow: ``source``, ``host``, ``industry``, ``value``; ``tier_gap``, ``complexity_gap``, ``relatedness`` and ``pattern``; ``link`` where the flows
            name the parent's industry; a column per kind of :data:`KINDS` (null where not known); ``kind`` (the label: ``none`` below every threshold, ``tied`` where the
            two strongest are within the margin, null where no score is known) and ``tied`` (which kinds then).
        parts: long: ``flow`` (row number), ``kind``, ``part``, ``value``: what each score is made of.
        shares: a row per host and label: ``value`` and ``share`` of the host's arrivals by value.
    """

    flows: pl.DataFrame
    parts: pl.DataFrame
    shares: pl.DataFrame

    def __repr__(self) -> str:
        return f"Reception({self.flows.height} flows, {self.flows['kind'].n_unique()} labels)"


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """Positions of each flow, [N], and what it carries."""

    source: Ints
    host: Ints
    industry: Ints
    value: Floats


def reception(
    flows: pl.DataFrame,
    economy: Economy,
    *,
    thresholds: Mapping[str, float] = THRESHOLDS,
    margin: float = 0.05,
    tau: float = 0.01,
) -> Reception:
    """Score and label every flow.

    Args:
        flows: columns ``source``, ``host``, ``industry``, ``value`` (and ``parent_industry``, for horizontal and vertical links).
        economy: regions and industries before the arrivals.
        thresholds: score from which each kind of :data:`KINDS` is there.
        margin: two kinds whose excess over the threshold differs by less are tied.
        tau: direct requirement from which a link is vertical (:func:`hinterland.measure.flows.link_kind`).

    Raises:
        InputError: columns, labels, or values of the flows that are wrong, all at once.
    """
    fail_if_any(_flow_findings(flows, economy, thresholds), "the flows", InputError)
    places = [
        _at(flows[c], labels) for c, labels in (("source", economy.regions), ("host", economy.regions), ("industry", economy.industries))
    ]
    arrivals = _Arrivals(places[0], places[1], places[2], flows["value"].cast(pl.Float64).to_numpy())
    related = _relatedness(economy.activity)
    scores, parts = _scores(arrivals, economy, related)
    kind, tied = label(np.column_stack([scores[k] for k in KINDS]), np.array([thresholds[k] for k in KINDS]), margin)
    frame = flows.select("source", "host", "industry", "value").with_columns(
        *_pattern_columns(arrivals, economy, related),
        *_link_column(flows, economy, tau),
        *(pl.Series(k, v).fill_nan(None) for k, v in scores.items()),
        pl.Series("kind", kind, dtype=pl.String),
        pl.Series("tied", tied, dtype=pl.String),
    )
    return Reception(frame, parts, _shares(frame))


def _at(values: pl.Series, labels: tuple[str, ...]) -> Ints:
    index = {name: k for k, name in enumerate(labels)}
    return np.array([index[v] for v in values.cast(pl.String)], dtype=np.int64)


def _flow_findings(flows: pl.DataFrame, economy: Economy, thresholds: Mapping[str, float]) -> list[Finding]:
    absent = [c for c in ("source", "host", "industry", "value") if c not in flows.columns]
    findings = [Finding("unknown-column", f"there is no column {c!r}", "the flows", f"name a column {c}") for c in absent]
    labelled = {"source": economy.regions, "host": economy.regions, "industry": economy.industries, "parent_industry": economy.industries}
    for name in [n for n in labelled if n in flows.columns]:
        odd = sorted(set(flows[name].cast(pl.String).drop_nulls()) - set(labelled[name]))
        if odd or flows[name].null_count():
            what = (
                f"{name} has labels that the economy lacks: {listed(odd)}"
                if odd
                else f"{name} is empty in {flows[name].null_count()} row(s)"
            )
            findings.append(Finding("label-unknown", what, f"column {name!r}", "use the labels of the economy, or leave the flows out"))
    if "value" in flows.columns and bool((~(flows["value"].cast(pl.Float64, strict=False).fill_null(-1) >= 0)).any()):
        findings.append(Finding("negative-value", "flows are negative or missing", "column 'value'", "give 0 or more"))
    wrong = sorted(set(thresholds) ^ set(KINDS)) + [k for k, v in thresholds.items() if k in KINDS and not 0 < v <= 1]
    if wrong:
        findings.append(
            Finding("out-of-range", f"thresholds of {listed(wrong)}", "argument thresholds", "give each kind a number above 0, up to 1")
        )
    return findings


def _scores(arrivals: _Arrivals, economy: Economy, related: _Related) -> tuple[dict[str, Floats], pl.DataFrame]:
    """Scores [N] by kind, and the parts of each as a long table."""
    found = _parts(arrivals, economy, related)
    unknown = np.full(len(arrivals.value), np.nan)
    rules = {
        "enclave": lambda p: enclave_score(p["local_linkage"], p["relatedness"], p["arrival_share"]),
        "chain-extension": lambda p: chain_score(p["upstream"], p["downstream"]),
        "cluster": lambda p: cluster_score(p["location_quotient"], p["relatedness"], p.get("localisation")),
        "cost-driven": lambda p: cost_score(*_savings(p)),
        "market-driven": lambda p: market_score(p["host_potential"], p["source_potential"], p.get("local_demand")),
        "policy-driven": lambda p: policy_score(p.get("zone", np.zeros_like(unknown)), p.get("support")),
    }
    scores = {k: rules[k](found[k]) if found[k] else unknown for k in KINDS}
    rows = [
        pl.DataFrame({"flow": np.arange(len(v)), "kind": kind, "part": part, "value": v})
        for kind, parts in found.items()
        for part, v in parts.items()
    ]
    return scores, pl.concat(rows).with_columns(pl.col("value").fill_nan(None))


def _parts(arrivals: _Arrivals, economy: Economy, related: _Related) -> dict[str, dict[str, Floats]]:
    """What each score is made of, [N] by name; nothing where the economy lacks an input that the score needs."""
    s, h, i = arrivals.source, arrivals.host, arrivals.industry
    quotient, matrix, omega = related
    near, arrived = percentile(omega)[h, i], arrival_share(arrivals.value, np.nan_to_num(economy.activity)[h, i])
    found: dict[str, dict[str, Floats]] = {k: {} for k in KINDS}
    if economy.local_linkage is not None:
        found["enclave"] = {"local_linkage": economy.local_linkage[h, i], "relatedness": near, "arrival_share": arrived}
    if economy.requirements is not None:
        up, down = chain_links(economy.requirements, matrix)
        found["chain-extension"] = {"upstream": up[h, i], "downstream": down[h, i]}
    found["cluster"] = {"location_quotient": quotient[h, i], "relatedness": near}
    if economy.localisation is not None:
        found["cluster"]["localisation"] = economy.localisation[i]
    for k, (name, price) in enumerate((("wage", economy.wage), ("land", economy.land_price))):
        if price is not None:
            found["cost-driven"][f"{name}_saving"] = relative_saving(price[h], price[s])
            if economy.factor_shares is not None:
                found["cost-driven"][f"{name}_share"] = economy.factor_shares[i, k]
    if economy.market_potential is not None:
        found["market-driven"] = {"host_potential": economy.market_potential[h], "source_potential": economy.market_potential[s]}
        if economy.local_demand is not None:
            found["market-driven"]["local_demand"] = economy.local_demand[h, i]
    found["policy-driven"] = {k: v[h] for k, v in (("zone", economy.zone), ("support", economy.support)) if v is not None}
    return found


def _savings(parts: dict[str, Floats]) -> tuple[Floats, Floats | None]:
    shares = [v for k, v in parts.items() if k.endswith("_share")]
    return np.column_stack([v for k, v in parts.items() if k.endswith("_saving")]), np.column_stack(shares) if shares else None


def _relatedness(activity: Floats) -> _Related:
    """Location quotient, presence and density, each [R, I]."""
    quotient = specialisation(activity)
    matrix = (np.nan_to_num(quotient) >= 1).astype(np.float64)
    return quotient, matrix, density(matrix, proximity(matrix))


def _pattern_columns(arrivals: _Arrivals, economy: Economy, related: _Related) -> list[pl.Series]:
    _, matrix, omega = related
    kept = presence(economy.activity)
    pci = np.full(len(economy.industries), np.nan)
    pci[kept.industries] = complexity(kept.matrix, reference=economy.income[kept.regions]).pci
    found = pattern(
        arrivals.source,
        arrivals.host,
        arrivals.industry,
        tier=tiers(economy.income),
        gap=complexity_gap(matrix, pci),
        relatedness=relative_density(omega, matrix, over="all"),
    )
    names = np.array([*PATTERNS, None], dtype=object)[found.label]
    numbers = {"tier_gap": found.tier_gap, "complexity_gap": found.complexity_gap, "relatedness": found.relatedness}
    return [*(pl.Series(k, v).fill_nan(None) for k, v in numbers.items()), pl.Series("pattern", names.tolist(), dtype=pl.String)]


def _link_column(flows: pl.DataFrame, economy: Economy, tau: float) -> list[pl.Series]:
    if "parent_industry" not in flows.columns or economy.requirements is None:
        return []
    child, parent = _at(flows["industry"], economy.industries), _at(flows["parent_industry"], economy.industries)
    kinds = link_kind(child, parent, economy.requirements, tau)
    return [pl.Series("link", [LINKS[k] for k in kinds], dtype=pl.String)]


def label(scores: Floats, thresholds: Floats, margin: float) -> tuple[list[str | None], list[str | None]]:
    """Label of each row of scores [N, K] in the order of :data:`KINDS`, and the kinds that are tied.

    The kind with the largest excess (score - θ)/(1 - θ) over its threshold (the score itself where θ = 1), if it is not below it. Kinds within ``margin`` of it, and above
    their threshold, are tied with it. Unknown scores take no part.
    """
    excess = (scores - thresholds) / np.where(thresholds < 1, 1 - thresholds, 1.0)
    names: list[str | None] = []
    ties: list[str | None] = []
    for row in np.where(np.isfinite(excess), excess, -np.inf):
        best = row.max()
        near = [KINDS[k] for k in np.flatnonzero((row >= 0) & (row > best - margin - 1e-12))]
        names.append(None if best == -np.inf else "none" if not near else near[0] if len(near) == 1 else "tied")
        ties.append(", ".join(near) if len(near) > 1 else None)
    return names, ties


def label_changes(found: Reception, *, thresholds: Mapping[str, float] = THRESHOLDS, margin: float = 0.05, by: float = 0.1) -> pl.DataFrame:
    """How many labels rest on a threshold: a row per kind and ``direction``, with the ``share`` of flows whose label changes when that threshold is moved by the part ``by``.

    Thresholds stay at most 1.
    """
    scores = found.flows.select(pl.col(k).fill_null(np.nan) for k in KINDS).to_numpy()
    theta = np.array([thresholds[k] for k in KINDS])
    start = np.array(label(scores, theta, margin)[0], dtype=object)
    rows = []
    for k, kind in enumerate(KINDS):
        for direction, factor in (("lower", 1 - by), ("higher", 1 + by)):
            moved = np.where(np.arange(len(KINDS)) == k, np.minimum(theta * factor, 1.0), theta)
            now = np.array(label(scores, moved, margin)[0], dtype=object)
            rows.append({"kind": kind, "direction": direction, "share": float(np.mean(now != start)) if len(start) else 0.0})
    return pl.DataFrame(rows)


def _shares(frame: pl.DataFrame) -> pl.DataFrame:
    total = frame.group_by("host", "kind").agg(pl.col("value").sum()).sort("host", "kind", nulls_last=True)
    whole = pl.col("value").sum().over("host")
    return total.with_columns(share=pl.when(whole > 0).then(pl.col("value") / whole))
