"""``match``: comparison units that are like the treated ones before adoption, as weights that any estimator takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding, fail_if_any, listed
from hinterland.evaluate.entropy_balancing import MOMENTS, Constraints, balance, constraints, unmet
from hinterland.evaluate.matching_balance import balance_frame, effective_size
from hinterland.evaluate.matching_rule import BEFORE, MatchRule, rule_of
from hinterland.evaluate.matching_sample import Candidates, candidates, groups_of, one_sided, strata_of
from hinterland.evaluate.matching_score import on_support, pooled_sd, scores
from hinterland.evaluate.matching_weights import Matches, Sides, kernel, nearest, nearest_once
from hinterland.labels import Note

__all__ = ["Matched", "match", "match_by"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

WEIGHT = "match_weight"
"""Name of the weight column of the matched panel."""
SCORE = "propensity_score"
"""Name of the score in the table of balance."""
_KIND: Mapping[str, str] = MappingProxyType({"unit": "units", "cohort": "units", "year": "rows", "pooled": "rows"})
"""What is counted."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A panel whose comparison rows are matched with its treated rows.

    Attributes:
        rule: how it was matched.
        panel: the rows that are matched, with column ``match_weight`` as weight (none where every matched row counts once): give it to
            :func:`hinterland.estimate` with the same policy.
        weights: one row per candidate: ``unit``, ``period`` (rows of their own period; the cohort, where cohorts are matched one by one),
            ``treated``, ``score`` (null for entropy balancing), ``weight`` (0 where not matched) and ``status``: ``matched``, ``unmatched``
            or ``off-support``.
        counts: ``n_treated, n_treated_matched, n_comparison, n_comparison_matched`` (units, or rows of periods), ``effective`` size of the
            comparison side, ``largest_before`` and ``largest_after``: absolute standardised differences.
        notes: what a reader must know.
        findings: what the checks warn of.
    """

    rule: MatchRule
    panel: Panel
    weights: pl.DataFrame
    counts: Mapping[str, float]
    notes: tuple[Note, ...]
    findings: tuple[Finding, ...] = ()
    table: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False)

    def __repr__(self) -> str:
        c = self.counts
        return (
            f"Matched({self.rule.method}, by {self.rule.by}: {c['n_treated_matched']:.0f} of {c['n_treated']:.0f} treated with "
            f"{c['n_comparison_matched']:.0f} of {c['n_comparison']:.0f} comparisons, worth {c['effective']:.1f}; largest difference "
            f"{c['largest_before']:.3f} before, {c['largest_after']:.3f} after)"
        )

    def balance(self) -> pl.DataFrame:
        """``variable``, then means, standardised mean differences, variance ratios (treated over comparison) and Kolmogorov–Smirnov
        distances ``before`` and ``after`` matching: see :mod:`hinterland.evaluate.matching_balance`.
        """
        return self.table


def match(
    panel: Panel,
    policy: Cohorts,
    covariates: str | Sequence[str],
    method: str = "nearest",
    *,
    by: str = "unit",
    anticipation: int = 0,
    **options: Any,
) -> Matched:
    """Match never-treated rows with treated ones, or weight them until their moments agree, before anything is estimated.

    Args:
        panel: the panel; its weights, if any, are base weights.
        policy: first treated periods.
        covariates: one-sided formula or column names, observed before adoption.
        method: ``nearest``, ``radius`` or ``kernel`` on the propensity score, or ``entropy-balancing``.
        by: ``unit`` (units, once, on covariates from before the first adoption), ``cohort`` (each cohort on covariates from before its own
            adoption), ``year`` (rows within each period) or ``pooled`` (rows of all periods): the last two match on covariates that
            adoption may have changed, which a finding says.
        anticipation: periods before adoption in which units may already react: covariates are taken from before them.
        options: settings of the method, see :class:`hinterland.evaluate.matching_rule.MatchRule`.

    Raises:
        EstimationError: nothing to match on, unknown settings, scores of 0 and 1, nobody on the common support, moments that no weights
            can meet (each with by how much), nobody never treated.
        PanelError: unknown columns.
    """
    return match_by(panel, policy, rule_of(covariates, method, by, options), anticipation)


def match_by(panel: Panel, policy: Cohorts, rule: MatchRule, anticipation: int = 0) -> Matched:
    """The same by a rule that was checked."""
    found = candidates(panel, policy, rule, anticipation)
    rows = groups_of(found)
    empty = one_sided(found, rows)
    made = _balanced(found, rows, rule) if rule.method == "entropy-balancing" else _scored(found, rows, rule)
    if not (made.weight[found.treated] > 0).any():
        raise EstimationError(_nobody(rule, found), "matching")
    names, x = (found.names, found.x) if made.score is None else ((SCORE, *found.names), np.column_stack([made.score, found.x]))
    table = balance_frame(x, names, found.treated, found.weight, made.weight)
    kept = _with_weights(panel, found, made.weight, rule)
    counts = _counts(found, made.weight, table, by_unit=rule.by in BEFORE)
    said = (*_notes(found, made, rule, counts), *([Note("match-empty-groups", {"groups": ", ".join(empty)})] if empty else []))
    return Matched(rule, kept, _weights_frame(found, made, rule), counts, said, _warnings(found, rule), table)


@dataclass(frozen=True, slots=True)
class _Made:
    """Weights [n] after matching (0: not matched), scores [n], rows off the support [n], covariates dropped as collinear."""

    weight: Floats
    score: Floats | None
    off: Mask
    dropped: tuple[str, ...] = ()


def _scored(found: Candidates, rows: list[Ints], rule: MatchRule) -> _Made:
    """Weights by the propensity score."""
    n = len(found.treated)
    score, logit, weight, off = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n), np.zeros(n, dtype=np.bool_)
    dropped: dict[str, None] = {}
    base = None if (found.weight == found.weight[0]).all() else found.weight
    for at, strata in strata_of(rule, found):
        if found.treated[at].all() or not found.treated[at].any():
            continue
        where = f"{len(at)} candidate rows" + (f" of {found.groups[found.group[at[0]]]}" if rule.by == "year" else "")
        fitted = scores(found.x[at], found.names, found.treated[at], None if base is None else base[at], strata=strata, where=where)
        score[at], logit[at] = fitted.score, fitted.logit
        dropped |= dict.fromkeys(fitted.dropped)
    measure = score if rule.scale == "score" else logit
    for at in rows:
        if found.treated[at].all() or not found.treated[at].any():
            continue
        inside = on_support(measure[at], found.treated[at], rule.support)
        off[at] = ~inside
        yard = (pooled_sd(measure[at], found.treated[at]) or 1.0) if rule.distance_in == "sd" else 1.0
        weight[at] = _matched(at, inside, measure[at] / yard, found, rule)
    if not rule.weighted:
        weight = np.where(weight > 0, found.weight, 0.0)
    return _Made(weight, score, off, tuple(dropped))


def _matched(at: Ints, inside: Mask, place: Floats, found: Candidates, rule: MatchRule) -> Floats:
    """Weights [m] of the rows ``at`` [m] of one group, matched among those ``inside`` [m] the common support.

    ``place`` [m]: where they are on the scale that distances are measured on.
    """
    out, one, zero = np.zeros(len(at)), inside & found.treated[at], inside & ~found.treated[at]
    if not one.any() or not zero.any():
        return out
    sides = Sides(place[one], place[zero], found.weight[at[one]], found.weight[at[zero]])
    if rule.method == "kernel":
        made = kernel(sides, rule.kernel, rule.bandwidth)
    elif rule.method == "radius":
        made = kernel(sides, "uniform", rule.radius)
    else:
        made = _nearest(sides, rule, np.inf if rule.caliper is None else rule.caliper)
    out[one] = np.where(made.matched, sides.treated_weight, 0.0)
    out[zero] = made.comparison
    return out


def _nearest(sides: Sides, rule: MatchRule, caliper: float) -> Matches:
    if rule.replacement:
        return nearest(sides, rule.k, caliper, all_ties=rule.ties == "all")
    sign = {"largest": -1.0, "smallest": 1.0, "data": 0.0}[rule.order]
    return nearest_once(sides, rule.k, caliper, np.argsort(sign * sides.treated, kind="stable"))


def _balanced(found: Candidates, rows: list[Ints], rule: MatchRule) -> _Made:
    """Weights by entropy balancing, group by group."""
    weight, findings = np.zeros(len(found.treated)), []
    for name, at in zip(found.groups, rows, strict=True):
        one, zero = at[found.treated[at]], at[~found.treated[at]]
        if not len(one) or not len(zero):
            continue
        wanted = constraints(found.x[one], found.x[zero], found.weight[one], rule.moments)
        made = balance(wanted, found.weight[zero])
        if not made.converged:
            findings += _out_of_reach(wanted, found, one, "" if len(rows) == 1 else f" in {name}", made.largest)
        weight[one], weight[zero] = found.weight[one], made.weight * found.weight[one].sum()
    fail_if_any(findings, "matching", EstimationError)
    return _Made(weight, None, np.zeros(len(weight), dtype=np.bool_))


def _out_of_reach(wanted: Constraints, found: Candidates, one: Ints, where: str, largest: float) -> list[Finding]:
    """The moments that cannot be met, each with how near weights come to it."""
    findings = []
    for u in unmet(wanted):
        name, x = found.names[u.column], found.x[one, u.column]
        share = found.weight[one] / found.weight[one].sum()
        mean = float(share @ x)
        spread = float(np.sqrt(share @ (x - mean) ** 2))
        near = f"; the nearest that weights reach is {mean + u.short * spread:.6g}" if u.moment == 0 and spread > 0 else ""
        findings.append(
            Finding(
                "moment-out-of-reach",
                f"no weights of the comparison rows meet the {MOMENTS[u.moment]} of {name} together with the other moments{where}: treated mean {mean:.6g}{near}, short by {abs(u.short):.3g} treated standard deviations",
                f"entropy balancing of {len(one)} treated and {len(wanted.gap)} comparison rows",
                "ask for fewer moments, leave the covariate out or transform it, or leave out the treated units that nobody is like",
            )
        )
    return findings or [
        Finding(
            "moments-at-the-edge",
            f"the moments are met only by giving comparison rows a weight of zero{where}: a gap of {largest:.3g} treated standard deviations is left",
            f"entropy balancing of {len(one)} treated and {len(wanted.gap)} comparison rows",
            "ask for fewer moments, or leave out the covariate or the treated units at the edge",
        )
    ]


def _nobody(rule: MatchRule, found: Candidates) -> Finding:
    n = int(found.treated.sum())
    reach = {"nearest": f"the caliper of {rule.caliper}", "radius": f"the radius of {rule.radius:g}"}
    how = reach.get(rule.method, f"the bandwidth of {rule.bandwidth:g}") + (" standard deviations" if rule.distance_in == "sd" else "")
    return Finding(
        "no-common-support",
        f"none of {n} treated rows has a comparison row on the common support within {how}",
        f"matching by {rule.method}, on the {rule.scale}",
        'widen it, match on fewer covariates, or set support = "none"',
    )


def _with_weights(panel: Panel, found: Candidates, weight: Floats, rule: MatchRule) -> Panel:
    """The panel's matched rows; their weight is that of the unit over all groups, or of the row."""
    by_row = rule.by not in BEFORE
    table = _totals(found, weight, by_row)
    key = pl.col(panel.unit).cast(pl.String).alias("_unit")
    on = ["_unit", panel.time] if by_row else ["_unit"]
    frame = panel.frame.drop(WEIGHT, strict=False).with_columns(key)
    joined = frame.join(table.rename({"period": panel.time} if by_row else {}), on=on, how="inner", maintain_order="left").drop("_unit")
    if rule.weighted:
        return replace(panel, frame=joined, weight=WEIGHT)
    return replace(panel, frame=joined.drop(WEIGHT))


def _totals(found: Candidates, weight: Floats, by_row: bool) -> pl.DataFrame:
    """``_unit, match_weight`` of every matched unit (a treated one's own, a comparison unit's over all cohorts), and ``period``."""
    frame = pl.DataFrame({"_unit": found.unit_labels[found.unit], "period": found.period, WEIGHT: weight}).filter(pl.col(WEIGHT) > 0)
    return frame if by_row else frame.group_by("_unit", maintain_order=True).agg(pl.col(WEIGHT).sum())


def _weights_frame(found: Candidates, made: _Made, rule: MatchRule) -> pl.DataFrame:
    status = np.where(made.weight > 0, "matched", np.where(made.off, "off-support", "unmatched"))
    score = pl.Series("score", made.score, nan_to_null=True) if made.score is not None else pl.lit(None, dtype=pl.Float64).alias("score")
    frame = pl.DataFrame({"unit": found.unit_labels[found.unit], "period": found.period, "treated": found.treated})
    out = frame.with_columns(score, pl.Series("weight", made.weight), pl.Series("status", status))
    return out.drop("period") if rule.by == "unit" else out


def _counts(found: Candidates, weight: Floats, table: pl.DataFrame, *, by_unit: bool) -> dict[str, float]:
    """Units where units are matched (a comparison unit once, whatever the number of cohorts), rows where rows are."""
    code = found.unit if by_unit else np.arange(len(weight))
    treated, own = np.unique(code[found.treated]), np.unique(code[~found.treated])
    total: Floats = np.bincount(code, weights=weight, minlength=int(code.max()) + 1).astype(np.float64)
    covariates = table.filter(pl.col("variable") != SCORE)
    return {
        "n_treated": float(len(treated)),
        "n_treated_matched": float((total[treated] > 0).sum()),
        "n_comparison": float(len(own)),
        "n_comparison_matched": float((total[own] > 0).sum()),
        "effective": effective_size(total[own]),
        **{f"largest_{when}": float(covariates[f"smd_{when}"].abs().max() or 0.0) for when in ("before", "after")},  # type: ignore[arg-type]
    }


def _warnings(found: Candidates, rule: MatchRule) -> tuple[Finding, ...]:
    if not found.changing:
        return ()
    return (
        Finding(
            "covariate-after-treatment",
            f"matching by {rule.by} uses covariates of treated periods, and {listed(found.changing, 8)} change after adoption: the policy may have changed them",
            f"covariates {listed(found.names, 8)}",
            'match units on values from before adoption (by = "unit" or "cohort"), or name columns that are fixed by then',
            "warning",
        ),
    )


def _notes(found: Candidates, made: _Made, rule: MatchRule, counts: Mapping[str, float]) -> tuple[Note, ...]:
    whole = {k: int(v) for k, v in counts.items() if k.startswith("n_")}
    kind = _KIND[rule.by]
    notes = [
        Note(
            f"match-counts-{kind}",
            {**whole, "effective": counts["effective"], "before": counts["largest_before"], "after": counts["largest_after"]},
        ),
        *_left(found, made, rule),
    ]
    if made.dropped:
        notes.append(Note("collinear-dropped", {"names": ", ".join(made.dropped)}))
    if found.changing:
        notes.append(Note("match-after-treatment", {"names": ", ".join(found.changing)}))
    if rule.by == "pooled":
        notes.append(Note("match-pooled-periods"))
    if rule.by == "year":
        notes.append(Note("match-changing-partners"))
    if rule.by == "cohort":
        notes.append(Note("match-summed-cohorts"))
    notes.append(Note("match-given"))
    return tuple(notes)


def _left(found: Candidates, made: _Made, rule: MatchRule) -> list[Note]:
    """Who is left out, by name, and why."""
    labels = found.unit_labels[found.unit]

    def named(code: str, rows: Mask) -> list[Note]:
        units = np.unique(labels[rows])
        count = len(units) if rule.by in BEFORE else int(rows.sum())
        said = Note(f"{code}-{_KIND[rule.by]}", {"count": count, "units": listed(units.tolist(), 12)})
        return [said] if count else []

    total = np.bincount(found.unit, weights=made.weight)[found.unit] if rule.by in BEFORE else made.weight
    lost = total <= 0
    notes = named("match-treated-off-support", found.treated & made.off & lost)
    notes += named("match-treated-unmatched", found.treated & ~made.off & lost)
    notes += named("match-comparison-unused", ~found.treated & lost)
    for reason, units in found.left_out.items():
        notes.append(Note(f"match-left-out-{reason}", {"count": len(units), "units": listed(units, 12)}))
    return notes
