"""Covariances of regression coefficients, with every small-sample choice written down: by row and by cluster.

With residualised regressors X [n, k], weighted residuals u = w·e [n] and bread B = (X'WX)⁻¹ [k, k]:

* ``iid``      V = σ² B,  σ² = Σ w e² / (n − K)
* ``hetero``   V = c B (X' diag(u²) X) B
* ``cluster``  V = c B (Σ_g s_g s_g') B,  s_g = Σ_{i∈g} x_i u_i; for two groupings V₁ + V₂ − V₁₂ (Cameron, Gelbach & Miller 2011)

with c = (n − 1)/(n − K) · G/(G − 1). What K counts, and which G, is the choice in :class:`Ssc`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from hinterland.errors import EstimationError, Finding, did_you_mean, fail_if_any
from hinterland.evaluate.coding import Codes, Factor, Floats
from hinterland.labels import Note

CountedEffects = Literal["none", "nonnested", "full"]
Groups = Literal["min", "conventional"]
Singletons = Literal["keep", "drop"]
Kind = Literal["cluster", "hetero", "iid"]


@dataclass(frozen=True, slots=True)
class Ssc:
    """Small-sample correction: the choices of R's ``fixest::ssc`` (version 0.14), plus what is done with singletons.

    Attributes:
        k_adj: multiply by (n − 1)/(n − K) (``iid``: divide the sum of squares by n − K, else by n − 1).
        k_fixef: which fixed-effect coefficients K counts besides the regressors. ``full``: all, less one per factor after the
            first. ``nonnested``: as ``full``, but a factor nested in a cluster counts as one. ``none``: none, so K is the
            number of regressors.
        k_exact: count linearly independent coefficients instead of "one less per factor".
        g_adj: multiply by G/(G − 1) (``hetero``: n/(n − 1)).
        g_df: for two-way clusters, ``min``: the smaller G in every term; ``conventional``: each term its own G.
        t_df: degrees of freedom of the t distribution: ``min``: smallest G − 1; ``conventional``: n − K.
        singletons: ``drop`` leaves out rows that are alone in a level of a fixed effect, one after another (as fixest does since 0.13).
    """

    k_adj: bool = True
    k_fixef: CountedEffects = "nonnested"
    k_exact: bool = False
    g_adj: bool = True
    g_df: Groups = "min"
    t_df: Groups = "min"
    singletons: Singletons = "drop"

    def __str__(self) -> str:
        named = next((name for name, rule in RULES.items() if rule == self), None)
        return named or ", ".join(f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default)


RULES: Mapping[str, Ssc] = MappingProxyType(
    {
        "fixest": Ssc(),
        "reghdfe": Ssc(k_exact=True),
        "dummies": Ssc(k_fixef="full", singletons="keep"),
        "none": Ssc(k_adj=False, g_adj=False, singletons="keep"),
    }
)
"""``fixest``: R's default: singletons are dropped, a factor nested in a cluster counts as one. ``reghdfe``: Stata's (Correia 2017): the
same, and redundant levels are found exactly. ``dummies``: every level counts, singletons too, as in ordinary least squares on dummies or
Stata's ``areg``. ``none``: c = 1."""

_CHOICES: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "k_adj": (True, False),
        "k_fixef": get_args(CountedEffects),
        "k_exact": (True, False),
        "g_adj": (True, False),
        "g_df": get_args(Groups),
        "t_df": get_args(Groups),
        "singletons": get_args(Singletons),
    }
)


def resolve_ssc(rule: str | Ssc | Mapping[str, Any]) -> Ssc:
    """The rule by name, as a table of choices (``{"k_fixef": "full"}``), or as it is.

    Raises:
        EstimationError: unknown name, choice or value.
    """
    if isinstance(rule, str):
        if rule not in RULES:
            raise EstimationError(Finding("unknown-value", f"ssc is {rule!r}", "option ssc", did_you_mean(rule, RULES)), "options")
        return RULES[rule]
    choices = {f.name: getattr(rule, f.name) for f in fields(Ssc)} if isinstance(rule, Ssc) else dict(rule)
    findings = [
        Finding(
            "unknown-value",
            f"ssc has {name}={value!r}",
            "option ssc",
            f"choose one of {_CHOICES[name]}" if name in _CHOICES else did_you_mean(name, _CHOICES),
        )
        for name, value in choices.items()
        if name not in _CHOICES or value not in _CHOICES[name]
    ]
    fail_if_any(findings, "options", EstimationError)
    return Ssc(**choices)


@dataclass(frozen=True, slots=True)
class Covariance:
    """A covariance and what it rests on.

    Attributes:
        vcov: [k, k].
        influence: [C, k] influence function summed over the first grouping, scaled so that ``influence.T @ influence`` is the
            one-way clustered covariance.
        df: degrees of freedom of the t distribution.
        n_parameters: K.
        n_clusters: levels of each grouping.
        repaired: negative eigenvalues of a two-way covariance were set to zero.
        term_df: [k] degrees of freedom by coefficient, where they differ.
        parts: [2^q − 1, k, k] covariances by sets of q groupings, from which ``vcov`` is combined (CR3 with several groupings).
        notes: what a reader must know.
        facts: what else went into it, for ``meta``.
    """

    vcov: Floats
    influence: Floats
    df: float
    n_parameters: int
    n_clusters: tuple[int, ...]
    repaired: bool = False
    term_df: Floats | None = None
    parts: Floats | None = None
    notes: tuple[Note, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Moments:
    """What a covariance is made from.

    Attributes:
        x: [n, k] residualised regressors.
        u: [n] residuals, times the weights.
        bread: [k, k] inverse of X'WX.
        factors: the fixed effects that were absorbed.
        rank: dimension of the space they span; ``None`` when not known.
        dispersion: Σ w e² for ``iid`` (``None``: the variance is known to be the bread, as in a Poisson likelihood).
        weights: [n] weights of the metric in which ``x`` is residualised and ``bread`` computed (sampling weights; times the fitted mean
            under Poisson), or ``None``; covariances that correct for leverage need them.
    """

    x: Floats
    u: Floats
    bread: Floats
    factors: tuple[Factor, ...]
    rank: int | None
    dispersion: float | None
    weights: Floats | None = None


def covariance(moments: Moments, kind: str, clusters: Sequence[Factor], ssc: Ssc) -> Covariance:
    """The covariance ``kind`` of the coefficients. ``clusters`` also gives the grouping of the influence function.

    Raises:
        ValueError: another kind; :func:`hinterland.evaluate.inference.coefficient_covariance` knows them all.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"covariance by row or cluster only, not {kind!r}")
    n, k = moments.x.shape
    clustered = kind == "cluster"
    parameters = count_parameters(k, moments, clusters if clustered else (), ssc)
    inflate = inflation(n, parameters, ssc)
    scores = cluster_sums(moments.x, moments.u, clusters[0]) @ moments.bread
    sizes = tuple(c.size for c in clusters)
    least = min(sizes)
    own = inflate * _groups(sizes[0], least, ssc)
    scores *= np.sqrt(own)
    df = float(least - 1) if clustered and ssc.t_df == "min" else float(n - parameters)
    if kind == "iid":
        sigma2 = inflate if moments.dispersion is None else moments.dispersion / (n - 1) * inflate
        return Covariance(sigma2 * moments.bread, scores, df, parameters, sizes)
    if kind == "hetero":
        half = (moments.x * moments.u[:, None]) @ moments.bread
        vcov = half.T @ half * inflate * group_factor(n, ssc)
        return Covariance(vcov, scores, df, parameters, sizes)
    vcov = scores.T @ scores
    if len(clusters) == 1:
        return Covariance(vcov, scores, df, parameters, sizes)
    vcov, repaired = nearest_positive(_several(moments, clusters, inflate, least, ssc))
    return Covariance(vcov, scores, df, parameters, sizes, repaired)


def inflation(n: int, parameters: int, ssc: Ssc) -> float:
    """(n − 1)/(n − K), or 1. Raises ``EstimationError`` where no degrees of freedom are left."""
    fail_if_any(_saturated(n, parameters, ssc), "sample", EstimationError)
    return (n - 1) / (n - parameters) if ssc.k_adj else 1.0


def group_factor(size: int, ssc: Ssc) -> float:
    """G/(G − 1), or 1."""
    return size / (size - 1) if ssc.g_adj and size > 1 else 1.0


def _saturated(n: int, parameters: int, ssc: Ssc) -> list[Finding]:
    if n > parameters or not ssc.k_adj:
        return []
    return [
        Finding(
            "no-degrees-of-freedom",
            f"{parameters} parameters are estimated from {n} rows",
            "sample",
            "leave out fixed effects or covariates, or set ssc='none'",
        )
    ]


def _groups(own: int, least: int, ssc: Ssc) -> float:
    return group_factor(least if ssc.g_df == "min" else own, ssc)


def _several(moments: Moments, clusters: Sequence[Factor], inflate: float, least: int, ssc: Ssc) -> Floats:
    """Inclusion and exclusion over all intersections of the groupings."""
    from itertools import combinations

    k = moments.x.shape[1]
    total = np.zeros((k, k))
    for count in range(1, len(clusters) + 1):
        for chosen in combinations(clusters, count):
            group = chosen[0] if count == 1 else intersect(chosen)
            half = cluster_sums(moments.x, moments.u, group) @ moments.bread
            total += (-1) ** (count + 1) * inflate * _groups(group.size, least, ssc) * (half.T @ half)
    return total


def nearest_positive(vcov: Floats) -> tuple[Floats, bool]:
    """The matrix without its negative eigenvalues, and whether it had any."""
    values, vectors = np.linalg.eigh(vcov)
    if values[0] >= -1e-14 * max(values[-1], 0.0):
        return vcov, False
    return (vectors * np.maximum(values, 0.0)) @ vectors.T, True


def cluster_sums(x: Floats, u: Floats, cluster: Factor) -> Floats:
    """[C, k] sums of x_i u_i within clusters, for x [n, k] and u [n]."""
    codes = cluster.codes
    out = np.empty((cluster.size, x.shape[1]))
    width = len(codes) // cluster.size
    if width * cluster.size == len(codes) and (codes.reshape(-1, width) == np.arange(cluster.size)[:, None]).all():
        for j in range(x.shape[1]):
            np.einsum("it,it->i", x[:, j].reshape(-1, width), u.reshape(-1, width), out=out[:, j])
        return out
    ordered = bool((codes[1:] >= codes[:-1]).all())
    starts = np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1)) if ordered else None
    for j in range(x.shape[1]):
        score = x[:, j] * u
        out[:, j] = np.add.reduceat(score, starts) if starts is not None else np.bincount(codes, weights=score, minlength=cluster.size)
    return out


def intersect(factors: Sequence[Factor]) -> Factor:
    """The grouping by the combinations of levels that occur."""
    combined: Any = np.zeros(len(factors[0].codes), dtype=np.int64)
    for factor in factors:
        combined = combined * factor.size + factor.codes
    levels, codes = np.unique(combined, return_inverse=True)
    return Factor("^".join(f.name for f in factors), codes.astype(np.int32), len(levels))


def is_nested(factor: Factor, cluster: Factor) -> bool:
    """Whether every level of ``factor`` lies within one cluster."""
    if factor.codes is cluster.codes:
        return True
    if factor.size < cluster.size:
        return False
    owner: Codes = np.zeros(factor.size, dtype=np.int32)
    owner[factor.codes] = cluster.codes
    return bool((owner[factor.codes] == cluster.codes).all())


def count_parameters(k: int, moments: Moments, clusters: Sequence[Factor], ssc: Ssc) -> int:
    """K: the k regressors and the fixed-effect coefficients that ``ssc`` counts."""
    if ssc.k_fixef == "none":
        return k
    intercepts = [f for f in moments.factors if f.slope is None]
    slopes = sum(f.size for f in moments.factors if f.slope is not None)
    full = sum(f.size for f in intercepts) - (len(intercepts) - 1) + slopes
    if ssc.k_exact and moments.rank is not None:
        full = moments.rank
    if ssc.k_fixef == "full" or not clusters:
        return k + full
    nested = [f.size for f in intercepts if any(is_nested(f, c) for c in clusters)]
    return k + max(full - (sum(nested) - len(nested)), 1)
