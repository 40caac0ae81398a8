"""Estimates of every specification: two-way fixed effects by blocks, other estimators on designs and fits that they share."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.errors import HinterlandWarning, InputError
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.covariates import covariate_matrix
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.design_checks import estimability
from hinterland.evaluate.estimate import columns_of, find_method, fit
from hinterland.evaluate.inference import Inference
from hinterland.evaluate.regression import TREATED, without_singletons
from hinterland.evaluate.result import Effects
from hinterland.evaluate.sample import real
from hinterland.evaluate.specification_block import Block, Member, fit_block, make_block, with_members
from hinterland.evaluate.specification_choices import Formula, Reason, Specification
from hinterland.evaluate.specification_rows import Rows
from hinterland.evaluate.vcov import Ssc
from hinterland.evaluate.vcov_time import sum_columns

SHARED = ("callaway-santanna", "imputation")
"""Estimators whose one-way clustered covariance is that of sums of their influence function by unit: groupings share one fit."""
_BATCHED_OPTIONS = ("ssc", "vcov")


@dataclass(frozen=True, slots=True)
class Estimated:
    """One specification: numbers, sizes, and its influence function [C] by cluster with the clusters' labels (``None`` where its variance is not
    that of the influence function by one grouping).
    """

    place: int
    estimate: float
    std_error: float
    p_value: float
    df: float
    n_obs: int
    n_units: int
    n_treated: int
    n_clusters: int
    influence: Floats | None
    labels: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Group:
    """Specifications of another estimator that share a design but for the grouping: ``places``, and the position of each one's grouping in the
    design's clusters.
    """

    design: Design
    method: str
    options: Mapping[str, Any]
    places: tuple[int, ...]
    clusters: tuple[int, ...]


Lost = tuple[int, Reason, str]
"""Place, reason and code (or the place of the specification that it is over again)."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Everything that was estimated, what was not, and what joint inference draws from."""

    estimated: tuple[Estimated, ...]
    lost: tuple[Lost, ...]
    blocks: tuple[Block, ...]
    groups: tuple[Group, ...]


def is_batched(method: str, options: Mapping[str, Any]) -> bool:
    """Whether the specifications of ``method`` are estimated by blocks: two-way fixed effects with clustered standard errors."""
    return method == "twfe" and set(options) <= set(_BATCHED_OPTIONS) and options.get("vcov", "cluster") == "cluster"


def fit_all(rows: Rows, chosen: Sequence[Specification], options: Mapping[str, Mapping[str, Any]]) -> Fitted:
    """Estimate every one of ``chosen``; ``options`` by estimator."""
    unique, lost = _distinct(rows, chosen)
    own = {m: dict(options.get(m, {})) for m in {chosen[k].method for k in unique}}
    batched = [k for k in unique if is_batched(chosen[k].method, own[chosen[k].method])]
    ssc = Inference.of(**own.get("twfe", {})).ssc if batched else Inference.of().ssc
    estimated: list[Estimated] = []
    blocks: list[Block] = []
    for block, failed in _blocks(rows, [(k, chosen[k]) for k in batched], ssc):
        lost += failed
        if block is not None:
            found, again, members = _of_block(block)
            estimated += found
            lost += again
            blocks.append(with_members(block, members))
    groups: list[Group] = []
    others = [(k, chosen[k]) for k in unique if not is_batched(chosen[k].method, own[chosen[k].method])]
    for same in _grouped(rows, others, own):
        group, found, failed = _of_group(rows, same, own[same[0][1].method])
        estimated += found
        lost += failed
        groups += [group] if group is not None else []
    return Fitted(tuple(sorted(estimated, key=lambda e: e.place)), tuple(lost), tuple(blocks), tuple(groups))


def _distinct(rows: Rows, chosen: Sequence[Specification]) -> tuple[list[int], list[Lost]]:
    """Places of the specifications that differ in what is estimated on what, and those that are another one over again."""
    seen: dict[object, int] = {}
    unique: list[int] = []
    lost: list[Lost] = []
    masks: dict[object, bytes] = {}
    cohorts = {name: rows.cohorts(name) for name in rows.choices.policy}
    for k, one in enumerate(chosen):
        place = (one.sample, one.window, one.policy, rows.signature(one))
        if place not in masks:
            masks[place] = rows.of(one).tobytes()
        clipped = (one.winsorise, rows.base(one.sample, one.window).tobytes()) if one.winsorise else ()
        names = one.names if one.names is None or isinstance(one.names, str) else frozenset(one.names)
        key = (
            one.outcome,
            one.method,
            cohorts[one.policy],
            masks[place],
            clipped,
            one.comparison,
            one.anticipation,
            names,
            one.fe,
            one.cluster,
        )
        first = seen.setdefault(key, k)
        if first == k:
            unique.append(k)
        else:
            lost.append((k, "same-as-another", str(first)))
    return unique, lost


def _blocks(rows: Rows, chosen: Sequence[tuple[int, Specification]], ssc: Ssc) -> list[tuple[Block | None, list[Lost]]]:
    grouped: dict[object, list[tuple[int, Specification]]] = {}
    for k, one in chosen:
        grouped.setdefault((one.sample, one.window, one.policy, one.fe, rows.signature(one)), []).append((k, one))
    nets: dict[object, Floats] = {}
    return [_block(rows, same, ssc, nets) for same in grouped.values()]


def _block(rows: Rows, same: Sequence[tuple[int, Specification]], ssc: Ssc, nets: dict[object, Floats]) -> tuple[Block | None, list[Lost]]:
    """The block of specifications on the same rows; ``nets`` keeps controls net of fixed effects for blocks that differ in their dates only."""
    one = same[0][1]
    mask = rows.of(one)
    clusters = list(dict.fromkeys(c for _, s in same for c in s.cluster))
    panel = replace(rows.panel, frame=rows.panel.frame.filter(pl.Series(mask)))
    pool, bad = _Pool.of(panel, same)
    same = [(k, s) for k, s in same if k not in {place for place, _, _ in bad}]
    values = {(s.outcome, s.winsorise): rows.outcome(s)[mask] for _, s in same}
    try:
        design = _design(panel, rows.choices.policy[one.policy], [o for o, _ in values], one.fe, clusters)
        design = replace(design, covariates=pool.matrix(design.n_obs), covariate_names=tuple(pool.columns))
        kept, failed = _checked(design, values, pool, same)
        bad += failed
        carried = replace(design, columns={f"{o} {share}": y for (o, share), y in values.items()})
        carried = without_singletons(carried, ssc) if kept else carried
    except InputError as error:
        return None, [*bad, *((k, "not-estimable", error.findings[0].code) for k, _ in same)]
    if not kept:
        return None, bad
    ready = _with_used(carried, {n for _, s in kept for n in pool.named(s)})
    members = _members(kept, ready.covariate_names, pool, list(values), clusters)
    key = (mask.tobytes(), one.fe, ready.covariate_names)
    block = make_block(ready, np.column_stack(list(carried.columns.values())), members, ssc, nets.get(key))
    nets.setdefault(key, block.x[:, 1:] if block.root is None else block.x[:, 1:] / block.root[:, None])
    return block, bad


def _design(panel: Panel, policy: Cohorts, outcomes: Sequence[str], fe: tuple[str, ...], clusters: Sequence[str]) -> Design:
    """The design of the first outcome that has one: which of them can be estimated is found out one by one."""
    for outcome in outcomes[:-1]:
        try:
            return make_design(panel, outcome, policy, fe=fe, cluster=clusters)
        except InputError:
            continue
    return make_design(panel, outcomes[-1], policy, fe=fe, cluster=clusters)


def _with_used(design: Design, used: Collection[str]) -> Design:
    """The design with the covariates that are used, and nothing that was only carried along."""
    stay = [j for j, n in enumerate(design.covariate_names) if n in used]
    names = tuple(design.covariate_names[j] for j in stay)
    return replace(design, columns={}, covariates=np.asfortranarray(design.covariates[:, stay]), covariate_names=names)


def _members(
    kept: Sequence[tuple[int, Specification]],
    names: Sequence[str],
    pool: _Pool,
    outcomes: Sequence[tuple[str, float]],
    clusters: Sequence[str],
) -> list[Member]:
    at = {n: j for j, n in enumerate(names)}
    members = []
    for k, s in kept:
        wanted = np.zeros(len(names), dtype=np.bool_)
        wanted[[at[n] for n in pool.named(s)]] = True
        members.append(Member(k, outcomes.index((s.outcome, s.winsorise)), wanted, tuple(clusters.index(c) for c in s.cluster)))
    return members


@dataclass(frozen=True, slots=True)
class _Pool:
    """Every column that a block's specifications control for, by name; ``coded``: the columns that each of their formulas makes."""

    columns: dict[str, Floats]
    coded: dict[Formula, tuple[str, ...]]

    @classmethod
    def of(cls, panel: Panel, same: Sequence[tuple[int, Specification]]) -> tuple[_Pool, list[Lost]]:
        """The pool, and the specifications whose formula gives no columns on these rows."""
        columns: dict[str, Floats] = {}
        coded: dict[Formula, tuple[str, ...]] = {}
        codes: dict[Formula, str] = {}
        for formula in dict.fromkeys(s.covariates for _, s in same):
            try:
                matrix, coded[formula] = covariate_matrix(formula, panel.frame)
            except InputError as error:
                codes[formula] = error.findings[0].code
                continue
            columns.update({n: matrix[:, j] for j, n in enumerate(coded[formula]) if n not in columns})
        for name in dict.fromkeys(c for _, s in same for c in s.controls):
            columns.setdefault(name, real(panel.frame, name))
        return cls(columns, coded), [(k, "not-estimable", codes[s.covariates]) for k, s in same if s.covariates in codes]

    def matrix(self, n: int) -> Floats:
        """[n, q] all columns."""
        out = np.empty((n, len(self.columns)), order="F")
        for j, column in enumerate(self.columns.values()):
            out[:, j] = column
        return out

    def named(self, one: Specification) -> tuple[str, ...]:
        """The columns that a specification controls for."""
        return (*self.coded[one.covariates], *one.controls)


def _checked(
    design: Design, values: Mapping[tuple[str, float], Floats], pool: _Pool, same: Sequence[tuple[int, Specification]]
) -> tuple[list[tuple[int, Specification]], list[Lost]]:
    """The specifications whose outcome and controls can be computed with, and the others."""
    bare = replace(design, covariates=design.covariates[:, :0], covariate_names=())
    wrong = {o: [f.code for f in estimability(replace(bare, outcome=o[0], y=y))] for o, y in values.items()}
    whole = [f.code for f in estimability(bare)]
    odd: dict[str, str] = {}
    for j, name in enumerate(design.covariate_names):
        found = [f.code for f in estimability(replace(bare, covariates=design.covariates[:, [j]], covariate_names=(name,)))]
        if len(found) > len(whole):
            odd[name] = found[-1]
    kept: list[tuple[int, Specification]] = []
    bad: list[Lost] = []
    for k, one in same:
        codes = [*wrong[one.outcome, one.winsorise], *(odd[n] for n in pool.named(one) if n in odd)]
        if codes:
            bad.append((k, "not-estimable", codes[0]))
        else:
            kept.append((k, one))
    return kept, bad


def _of_block(block: Block) -> tuple[list[Estimated], list[Lost], tuple[Member, ...]]:
    """The members' numbers; those whose controls the fixed effects explain are another specification over again."""
    from scipy import special

    solved = fit_block(block)
    lost: list[Lost] = [(place, "not-estimable", code) for place, code in solved.failed]
    seen: dict[object, int] = {}
    found, members = [], []
    design = block.design
    treated = design.n_treated
    for k, one in enumerate(solved.member):
        first = seen.setdefault((one.outcome, one.clusters, solved.kept[k].tobytes()), one.place)
        if first != one.place:
            lost.append((one.place, "same-as-another", str(first)))
            continue
        grouping = design.clusters[one.clusters[0]]
        labels = grouping.labels if grouping.labels is not None else np.arange(grouping.size).astype(np.str_)
        t = abs(solved.estimate[k] / solved.std_error[k])
        found.append(
            Estimated(
                place=one.place,
                estimate=float(solved.estimate[k]),
                std_error=float(solved.std_error[k]),
                p_value=float(2 * special.stdtr(solved.df[k], -t)),
                df=float(solved.df[k]),
                n_obs=design.n_obs,
                n_units=design.n_units,
                n_treated=treated,
                n_clusters=min(design.clusters[c].size for c in one.clusters),
                influence=solved.influence[k] if len(one.clusters) == 1 else None,
                labels=labels,
            )
        )
        members.append(replace(one, wanted=solved.kept[k]))
    return found, lost, tuple(members)


def _grouped(
    rows: Rows, chosen: Sequence[tuple[int, Specification]], options: Mapping[str, Mapping[str, Any]]
) -> list[list[tuple[int, Specification]]]:
    """Specifications that differ in their one grouping alone, where their estimator needs one fit for all groupings."""
    found: dict[object, list[tuple[int, Specification]]] = {}
    for k, one in chosen:
        alone = one.method not in SHARED or len(one.cluster) > 1 or "vcov" in options[one.method]
        key = (k,) if alone else (replace(one, cluster=()), rows.signature(one))
        found.setdefault(key, []).append((k, one))
    return list(found.values())


def _of_group(
    rows: Rows, same: Sequence[tuple[int, Specification]], options: Mapping[str, Any]
) -> tuple[Group | None, list[Estimated], list[Lost]]:
    one = same[0][1]
    clusters = list(dict.fromkeys(c for _, s in same for c in s.cluster))
    try:
        design = make_design(
            rows.panel_of(one),
            one.outcome,
            rows.choices.policy[one.policy],
            covariates=one.names,
            fe=one.fe,
            comparison=one.comparison,
            anticipation=one.anticipation,
            cluster=clusters,
            columns=columns_of(find_method(one.method), options),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HinterlandWarning)  # of one specification among many: its numbers say it
            found = (
                [_one(design, k, s, clusters, options) for k, s in same]
                if len(same) == 1
                else _by_grouping(design, same, clusters, options)
            )
    except InputError as error:
        return None, [], [(k, "not-estimable", error.findings[0].code) for k, _ in same]
    positions = tuple(clusters.index(s.cluster[0]) for _, s in same)
    return Group(design, one.method, options, tuple(k for k, _ in same), positions), found, []


def leading(effects: Effects) -> Effects:
    """The one effect that an estimator is about: the treatment's coefficient, or the overall average."""
    if effects.aggregation == "coefficient":
        at = effects.terms.name.index(TREATED) if TREATED in effects.terms.name else 0
        return effects.take(np.array([at]))
    found = effects if effects.aggregation == "overall" else effects.aggregate("overall")
    return found if len(found.estimate) == 1 else found.take(np.array([0]))


def _one(design: Design, place: int, one: Specification, clusters: Sequence[str], options: Mapping[str, Any]) -> Estimated:
    effects = leading(fit(design, one.method, **options))
    sizes = [design.clusters[clusters.index(c)].size for c in clusters]
    own = effects.influence[:, 0] if effects.from_influence else None
    return _estimated(design, place, effects, min(sizes), own)


def _by_grouping(
    design: Design, same: Sequence[tuple[int, Specification]], clusters: Sequence[str], options: Mapping[str, Any]
) -> list[Estimated]:
    """One fit by unit, its influence function summed over each grouping."""
    unit = Factor(design.unit_name, design.unit, design.n_units, design.unit_labels)
    effects = leading(fit(replace(design, clusters=(unit,)), same[0][1].method, **options))
    order = np.argsort(design.unit_labels)
    place = order[np.searchsorted(design.unit_labels, effects.clusters, sorter=order)]
    first = np.unique(design.unit, return_index=True)[1]
    found = []
    for k, one in same:
        grouping = design.clusters[clusters.index(one.cluster[0])]
        codes = grouping.codes[first]
        if not (codes[design.unit] == grouping.codes).all():
            found.append(_one(replace(design, clusters=(grouping,)), k, one, [grouping.name], options))
            continue
        sums = sum_columns(codes[place], effects.influence, grouping.size)[:, 0]
        labels = grouping.labels if grouping.labels is not None else np.arange(grouping.size).astype(np.str_)
        used = np.unique(codes[place])
        own = replace(effects, vcov=np.array([[sums @ sums]]), clusters=labels[used])
        found.append(_estimated(design, k, own, grouping.size, sums[used]))
    return found


def _estimated(design: Design, place: int, effects: Effects, clusters: int, influence: Floats | None) -> Estimated:
    meta = effects.meta
    return Estimated(
        place=place,
        estimate=float(effects.estimate[0]),
        std_error=float(effects.std_error[0]),
        p_value=float(effects.p_value[0]),
        df=float(effects.df if effects.term_df is None else effects.term_df[0]),
        n_obs=int(meta.get("n_obs", design.n_obs)),
        n_units=int(meta.get("n_units", design.n_units)),
        n_treated=int(meta.get("n_treated", design.n_treated)),
        n_clusters=clusters,
        influence=influence,
        labels=effects.clusters,
    )
