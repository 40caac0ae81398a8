"""Which industries could come next to each host, and why: relatedness × complexity × strategic importance × green score, less what other hosts crowd.

Relatedness and complexity: Balland et al. (2019, Regional Studies 53). The product, the ranks and the penalty are this library's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any, listed
from hinterland.measure.complexity import complexity, presence, specialisation
from hinterland.measure.relatedness import QUADRANTS, density, proximity, quadrant
from hinterland.transfer.competition import Competition, competition, crowding
from hinterland.transfer.reception_scores import percentile

__all__ = ["PARTS", "Selection", "select_industries"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PARTS = ("relatedness", "complexity", "strategic", "green")


@dataclass(frozen=True, slots=True)
class Selection:
    """Candidate industries of hosts.

    Attributes:
        candidates: a row per host and candidate, best first: ``host``, ``industry``, ``score`` and ``rank`` (with the penalty), ``score_alone`` and ``rank_alone`` (without),
            ``rank_change`` (places gained by the penalty; negative: lost), a column per part of :data:`PARTS` (0 to 1) and its ``…_rank`` within the host,
            ``density``, ``pci``, ``quadrant``, ``crowding`` (0 to 1), ``strongest`` and ``weakest`` (the parts that lift and lower the score most).
        pairs: a row per pair of hosts: ``host``, ``other``, ``cosine``, ``krugman``, ``key``, ``planned``, ``index``.
        hosts: a row per host: ``competition`` (mean index), ``replaced`` (share of its first ``top`` candidates that the penalty replaces).
    """

    candidates: pl.DataFrame
    pairs: pl.DataFrame
    hosts: pl.DataFrame

    def __repr__(self) -> str:
        return f"Selection({self.candidates.height} candidates of {self.hosts.height} hosts)"


def select_industries(
    activity: Floats,
    regions: Sequence[str],
    industries: Sequence[str],
    hosts: Sequence[str],
    *,
    strategic: Floats | None = None,
    green: Floats | None = None,
    planned: Mapping[str, Sequence[str]] | None = None,
    weights: Mapping[str, float] | None = None,
    penalty: float = 0.5,
    top: int = 10,
    over: Literal["options", "all"] = "options",
    orient: Floats | None = None,
) -> Selection:
    """Rank industries for every host.

    The score is the weighted geometric mean of the parts, times 1 - ``penalty`` × crowding. Relatedness is the percentile of density among the host's candidates, complexity that
    of PCI among all industries: densities of regions of unequal diversity do not compare. Industries without a PCI have no score and are left out.

    Args:
        activity: output or employment, [R, I].
        regions, industries: labels.
        hosts: some of the regions.
        strategic, green: importance and green score, [I] or [H, I], 0 to 1; left out of the mean where not given.
        planned: industries that hosts plan to attract; where given, they are what is crowded beside what hosts have.
        weights: of the parts that are given; scaled to one. Equal by default.
        penalty: part of the score that full crowding takes, 0 to 1.
        top: length of the first list, whose industries count as aimed at, and number of key industries.
        over: ``options``: industries in which the host is not specialised (LQ below 1);  ``all``: every one.
        orient: development of each region, [R], which complexity must go with; the diversity of regions decides without it.

    Raises:
        InputError: labels, shapes or numbers that are wrong, all at once.
    """
    given = {k: v for k, v in (("strategic", strategic), ("green", green)) if v is not None}
    weighed = dict.fromkeys([*PARTS[:2], *given], 1.0) if weights is None else dict(weights)
    fail_if_any(
        [
            *_label_findings(activity, regions, industries, hosts, planned),
            *_part_findings(given, weighed, penalty, (len(hosts), len(industries))),
        ],
        "the selection",
        InputError,
    )
    at = np.array([list(regions).index(h) for h in hosts])
    field = _Field.of(activity, at, over, orient)
    parts = {
        "relatedness": percentile(np.where(field.open, field.density, np.nan)),
        "complexity": np.tile(percentile(field.pci), (len(at), 1)),
    }
    parts |= {k: np.broadcast_to(v, field.open.shape) for k, v in given.items()}
    share = {k: weighed[k] / sum(weighed.values()) for k in parts}
    alone = np.where(field.open, _product(parts, share), np.nan)
    plans = None if planned is None else np.array([[i in set(planned.get(h, ())) for i in industries] for h in hosts])
    rivals = competition(activity, at, plans, top=top)
    first = _ranks(alone) <= top
    crowded = crowding(rivals.index, field.held | (first if plans is None else plans))
    scored = alone * (1 - penalty * crowded)
    table = _table(field, parts, share, (alone, scored, crowded), (list(hosts), list(industries)))
    return Selection(table, _pairs(rivals, list(hosts)), _hosts(rivals, list(hosts), first, _ranks(scored) <= top))


@dataclass(frozen=True, slots=True)
class _Field:
    """What hosts have and could have: density, quadrant, specialisation ``held`` and candidates ``open`` of hosts, [H, I]; PCI, [I]."""

    density: Floats
    quadrant: Ints
    held: Bools
    open: Bools
    pci: Floats

    @classmethod
    def of(cls, activity: Floats, hosts: Ints, over: str, orient: Floats | None) -> _Field:
        matrix = (np.nan_to_num(specialisation(activity)) >= 1).astype(np.float64)
        kept = presence(activity)
        pci = np.full(activity.shape[1], np.nan)
        pci[kept.industries] = complexity(kept.matrix, reference=None if orient is None else orient[kept.regions]).pci
        omega = density(matrix, proximity(matrix))
        held = matrix[hosts] > 0
        candidate = (np.isfinite(omega[hosts]) & np.isfinite(pci)) & (~held if over == "options" else True)
        known = np.isfinite(pci)
        corner = np.full(held.shape, -1, dtype=np.int64)
        corner[:, known] = quadrant(omega[hosts][:, known], pci[known], matrix[hosts][:, known])
        return cls(omega[hosts], corner, held, candidate, pci)


def _product(parts: Mapping[str, Floats], share: Mapping[str, float]) -> Floats:
    """Weighted geometric mean, [H, I]; 0 where a part is."""
    product = np.ones_like(parts["relatedness"])
    for name, values in parts.items():
        product = product * values ** share[name]
    return np.asarray(product, dtype=np.float64)


def _ranks(scores: Floats) -> Floats:
    """Rank of each score within its row, 1 the best, ties (to 12 digits) by their first place, [H, I]; NaN where there is no score."""
    held = np.where(np.isfinite(scores), np.round(-scores, 12), np.inf)
    rank = np.array([np.searchsorted(np.sort(row), row, side="left") + 1.0 for row in held]).reshape(scores.shape)
    return np.where(np.isfinite(scores), rank, np.nan)


def _table(
    field: _Field,
    parts: Mapping[str, Floats],
    share: Mapping[str, float],
    scores: tuple[Floats, Floats, Floats],
    labels: tuple[list[str], list[str]],
) -> pl.DataFrame:
    alone, scored, crowded = scores
    h, i = np.nonzero(np.isfinite(alone))
    rank, rank_alone = _ranks(scored), _ranks(alone)
    pull, names = _pull(parts, share)[:, h, i], np.array(list(parts))
    columns: dict[str, object] = {
        "host": np.array(labels[0])[h],
        "industry": np.array(labels[1])[i],
        "score": scored[h, i],
        "rank": rank[h, i].astype(np.int64),
        "score_alone": alone[h, i],
        "rank_alone": rank_alone[h, i].astype(np.int64),
        "rank_change": (rank_alone - rank)[h, i].astype(np.int64),
    }
    for name, values in parts.items():
        within = _ranks(np.where(np.isfinite(alone), values, np.nan))
        columns |= {name: values[h, i], f"{name}_rank": within[h, i].astype(np.int64)}
    columns |= {
        "density": field.density[h, i],
        "pci": field.pci[i],
        "quadrant": [QUADRANTS[q] if q >= 0 else None for q in field.quadrant[h, i]],
        "crowding": crowded[h, i],
        "strongest": names[pull.argmax(axis=0)],
        "weakest": names[pull.argmin(axis=0)],
    }
    frame = pl.DataFrame({"__at": h, **columns}, schema_overrides={"quadrant": pl.String})
    return frame.sort("__at", "rank", "rank_alone", "industry").drop("__at")


def _pull(parts: Mapping[str, Floats], share: Mapping[str, float]) -> Floats:
    """How far each part moves the logarithm of the score from where it would be at one half, [parts, H, I]; -infinity where it makes the score 0."""
    with np.errstate(divide="ignore"):
        return np.stack([share[k] * np.log(2 * v) if share[k] > 0 else np.zeros_like(v) for k, v in parts.items()])


def _pairs(rivals: Competition, hosts: list[str]) -> pl.DataFrame:
    first, second = np.triu_indices(len(hosts), 1)
    numbers = {k: getattr(rivals, k)[first, second] for k in ("cosine", "krugman", "key", "planned", "index")}
    names = np.array(hosts, dtype=object)
    frame = pl.DataFrame(
        {"host": names[first].tolist(), "other": names[second].tolist(), **numbers},
        schema_overrides={"host": pl.String, "other": pl.String},
    )
    return frame.with_columns(pl.col(*numbers).fill_nan(None))


def _hosts(rivals: Competition, hosts: list[str], first: Bools, after: Bools) -> pl.DataFrame:
    lost = (first & ~after).sum(axis=1) / np.maximum(first.sum(axis=1), 1)
    return pl.DataFrame({"host": hosts, "competition": rivals.host, "replaced": lost}).with_columns(pl.col("competition").fill_nan(None))


def _label_findings(
    activity: Floats, regions: Sequence[str], industries: Sequence[str], hosts: Sequence[str], planned: Mapping[str, Sequence[str]] | None
) -> list[Finding]:
    findings = []
    if activity.shape != (len(regions), len(industries)):
        what = f"activity has the shape {activity.shape}, and labels ask for {(len(regions), len(industries))}"
        findings.append(Finding("shape-differs", what, "argument activity", "give one value per label, in the order of the labels"))
    odd = [h for h in hosts if h not in regions]
    if odd or not hosts or len(set(hosts)) != len(hosts):
        what = f"hosts are not among the regions: {listed(odd)}" if odd else "there is no host, or one occurs twice"
        findings.append(Finding("label-unknown", what, "argument hosts", "name regions, each once"))
    listed_plans = {x for v in (planned or {}).values() for x in v}
    strange = sorted({*(planned or {})} - set(hosts)) + sorted(listed_plans - set(industries))
    if strange:
        findings.append(
            Finding("label-unknown", f"plans name {listed(strange)}", "argument planned", "use the labels of hosts and industries")
        )
    return findings


def _part_findings(given: Mapping[str, Floats], weights: Mapping[str, float], penalty: float, shape: tuple[int, int]) -> list[Finding]:
    findings = []
    for name, values in given.items():
        if np.shape(values) not in (shape, shape[1:]):
            what = f"{name} has the shape {np.shape(values)}, and labels ask for {shape[1:]} or {shape}"
            findings.append(Finding("shape-differs", what, f"argument {name}", "give one value per industry, or per host and industry"))
        elif not bool(((np.asarray(values) >= 0) & (np.asarray(values) <= 1)).all()):
            findings.append(
                Finding("not-between-0-and-1", f"{name} has values outside 0 to 1", f"argument {name}", "give scores from 0 to 1")
            )
    wanted = {*PARTS[:2], *given}
    if set(weights) != wanted or not all(v >= 0 for v in weights.values()) or not sum(weights.values()) > 0:
        what = f"weights are {dict(weights)}"
        findings.append(
            Finding("weights-unfit", what, "argument weights", f"give a weight, 0 or more, to each of {listed(sorted(wanted))}")
        )
    if not 0 <= penalty <= 1:
        findings.append(Finding("out-of-range", f"penalty is {penalty!r}", "argument penalty", "give a number from 0 to 1"))
    return findings
