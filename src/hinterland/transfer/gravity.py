"""Gravity of flows by Poisson pseudo-maximum likelihood with any number of fixed effects.

E[F_shit | x] = exp(x'β + effects). Consistent whenever that mean is right, whatever the distribution, with zeros kept (Santos Silva & Tenreyro 2006,
Review of Economics and Statistics 88(4)); separation as in Correia, Guimarães & Zylkin (2020, Stata Journal 20(1)); effects of source and
host by year for multilateral resistance (Anderson & van Wincoop 2003; Baldwin & Taglioni 2006).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from hinterland.data.readers import load_frame
from hinterland.errors import Finding, InputError, did_you_mean, fail_if_any
from hinterland.evaluate.coding import Floats
from hinterland.evaluate.inference import effective_clusters
from hinterland.evaluate.poisson import PoissonFit, fit_poisson, log_likelihood
from hinterland.evaluate.threads import one_thread
from hinterland.evaluate.vcov import Covariance, Moments, Ssc, covariance, resolve_ssc
from hinterland.evaluate.vcov_leverage import JACKKNIFE, adjusted_scores, projection_of
from hinterland.evaluate.vcov_several import combined, jackknife
from hinterland.transfer.gravity_sample import PAIR, Roles, Sample, identified, informative, read_sample

__all__ = ["Gravity", "gravity", "with_zeros"]

Vcov = Literal["cluster", "CR3"]

FEW = 30
"""Clusters below which clustered standard errors are too small more often than not."""


@dataclass(frozen=True, slots=True)
class Gravity:
    """A fitted gravity equation.

    Attributes:
        names: the p terms that are identified;  dropped: the others.
        estimate: [p], log points per unit of the term;  vcov: [p, p].
        effects, cluster: as asked for.
        fitted: the rows used: keys, ``value`` and ``mean``, the flow that the equation expects.
        roles: of the key columns of ``fitted``, in their order: source, host, industry, time.
        findings: rows and terms that were left out, and why.
        facts: ``n_obs``, ``n_zeros``, ``n_given``, ``n_clusters``, ``vcov``, ``deviance``, ``log_likelihood``, ``pseudo_r2``, ``iterations``, ``ssc``, ``df`` (of
            the t distribution that terms are tested against: infinite under ``cluster``, clusters less one under ``CR3``), ``effective_clusters`` [p]
            (Carter, Schnepel & Steigerwald 2017): where a few large flows carry a term, they are far fewer than the clusters.
    """

    names: tuple[str, ...]
    dropped: tuple[str, ...]
    estimate: Floats
    vcov: Floats
    effects: tuple[str, ...]
    cluster: tuple[str, ...]
    fitted: pl.DataFrame
    roles: tuple[str, ...]
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        said = ", ".join(f"{n} {b:.3f}" for n, b in zip(self.names, self.estimate, strict=True))
        return f"Gravity({said}; {self.facts['n_obs']} rows, {self.facts['n_zeros']} zeros; effects {', '.join(self.effects)})"

    @property
    def std_error(self) -> Floats:
        """[p]."""
        return np.asarray(np.sqrt(np.diag(self.vcov)))

    def tidy(self, level: float = 0.95) -> pl.DataFrame:
        """``term``, ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``conf_low``, ``conf_high``, ``percent``: a row per term, those left out as nulls.

        ``percent`` = 100 (exp(β) - 1), the change of the flow with one unit more.
        """
        from scipy.stats import t

        df, error = self.facts["df"], self.std_error
        z = float(t.ppf((1 + level) / 2, df))
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = self.estimate / error
        known = pl.DataFrame(
            {
                "term": self.names,
                "estimate": self.estimate,
                "std_error": error,
                "statistic": statistic,
                "p_value": 2 * t.sf(np.abs(statistic), df),
                "conf_low": self.estimate - z * error,
                "conf_high": self.estimate + z * error,
                "percent": 100 * np.expm1(self.estimate),
            }
        )
        return pl.concat([known, pl.DataFrame({"term": self.dropped}, schema={"term": pl.String})], how="diagonal")


@one_thread()
def gravity(
    flows: Any,
    *,
    terms: Sequence[str],
    effects: Sequence[str] = ("source^time", "host^time"),
    cluster: Sequence[str] = (PAIR,),
    vcov: Vcov = "cluster",
    value: str = "value",
    source: str = "source",
    host: str = "host",
    time: str | None = None,
    industry: str | None = None,
    ssc: str | Ssc = "fixest",
) -> Gravity:
    """Fit E[F] = exp(x'β + effects).

    Args:
        flows: a table, one row per source, host and, where named, industry and time; zeros as rows (:func:`with_zeros` adds them).
        terms: columns of regressors; ``a:b`` is the product of two.
        effects: fixed effects: ``source``, ``host``, ``time``, ``industry``, ``pair`` (source^host), any column, and combinations with ``^``.
        cluster: groupings of the standard errors, in the same words; several are combined by inclusion and exclusion; none: by row.
        vcov: ``cluster`` (CR1) or ``CR3``, the jackknife over clusters, which costs more and is near its level where a few large flows carry the
            fit.
        value, source, host, time, industry: columns.
        ssc: small-sample rule, as of the estimators of effects.

    Raises:
        InputError: what is wrong with the table, all at once.
        EstimationError: no term is identified, or no convergence.
    """
    rule, roles = resolve_ssc(ssc), Roles(value, source, host, time, industry)
    _fail_if_options_wrong(roles, {"terms": terms, "effects": effects, "cluster": cluster}, vcov)
    read = read_sample(flows, roles, tuple(terms), tuple(effects), tuple(cluster) or (PAIR,))
    sample, dropped = identified(informative(read, drop_singletons=rule.singletons == "drop"))
    fitted = fit_poisson(sample.y, sample.columns, sample.factors, None)
    moments = _moments(sample, fitted, rule)
    found = _covariance(sample, moments, rule, vcov if cluster else "hetero")
    df = found.df if vcov == "CR3" else float("inf")
    effective = _effective(sample, moments) if cluster else []
    asked = {"vcov": vcov if cluster else "hetero", "ssc": str(rule), "df": df, "effective_clusters": effective}
    facts = {**_facts(sample, fitted, len(read.y)), "n_clusters": found.n_clusters, **asked}
    names = tuple(n for n, k in zip(sample.names, fitted.kept, strict=True) if k)
    return Gravity(
        names=names,
        dropped=(*dropped, *(n for n in sample.names if n not in names)),
        estimate=fitted.estimate,
        vcov=found.vcov,
        effects=tuple(effects),
        cluster=tuple(cluster),
        fitted=sample.keys.with_columns(value=pl.Series(sample.y), mean=pl.Series(fitted.mu)),
        roles=roles.names,
        findings=(*sample.findings, *_cluster_findings(found, effective, vcov)),
        facts=facts,
    )


def _fail_if_options_wrong(roles: Roles, asked: Mapping[str, Sequence[str]], vcov: str) -> None:
    """Raise where nothing is asked for, an effect names a role that has no column, or the covariance does not exist."""
    used = {p.strip() for e in (*asked["effects"], *asked["cluster"]) for p in e.split("^")}
    absent = [r for r in ("time", "industry") if r in used and getattr(roles, r) is None]
    found = [Finding("role-missing", f"effects name {r!r}, which has no column", f"argument {r}", f"name it: {r}='…'") for r in absent]
    found += [
        Finding("nothing-asked", f"no {what} were given", f"argument {what}", "name at least one")
        for what in ("terms", "effects")
        if not asked[what]
    ]
    if vcov not in get_args(Vcov):
        found.append(Finding("unknown-value", f"vcov is {vcov!r}", "argument vcov", did_you_mean(str(vcov), get_args(Vcov))))
    elif vcov != "cluster" and not asked["cluster"]:
        found.append(Finding("option-unused", f"vcov={vcov!r} needs clusters", "argument cluster", "name groupings, such as 'pair'"))
    fail_if_any(found, "gravity", InputError)


def _moments(sample: Sample, fitted: PoissonFit, ssc: Ssc) -> Moments:
    return Moments(
        x=fitted.x,
        u=sample.y - fitted.mu,
        bread=np.linalg.inv(fitted.gram).astype(np.float64, copy=False),
        factors=sample.factors,
        rank=fitted.prepared.rank() if ssc.k_exact else None,
        dispersion=None,
        weights=fitted.mu,
    )


def _effective(sample: Sample, moments: Moments) -> list[float]:
    """[p] effective number of clusters behind each term, of several groupings the least."""
    rows = np.eye(moments.x.shape[1])
    return [min(effective_clusters(moments, c, row) for c in sample.clusters) for row in rows]


def _covariance(sample: Sample, moments: Moments, ssc: Ssc, kind: str) -> Covariance:
    return _jackknifed(sample, moments) if kind == "CR3" else covariance(moments, kind, sample.clusters, ssc)


def _jackknifed(sample: Sample, moments: Moments) -> Covariance:
    """CR3: (G − 1)/G times the sum of squares of the scores less leverage; several groupings as :func:`combined` has it."""
    clusters, projection = sample.clusters, projection_of(moments)
    sizes = tuple(c.size for c in clusters)
    if len(clusters) > 1:
        parts, alone = jackknife(projection, clusters)
        return Covariance(combined(parts), alone[0].scores, float(min(sizes) - 1), moments.x.shape[1], sizes)
    scores = adjusted_scores(projection, clusters[0], JACKKNIFE).scores * np.sqrt((sizes[0] - 1) / sizes[0])
    return Covariance(scores.T @ scores, scores, float(sizes[0] - 1), moments.x.shape[1], sizes)


def _facts(sample: Sample, fitted: PoissonFit, given: int) -> dict[str, Any]:
    mean = np.full(len(sample.y), sample.y.mean())
    likelihood = log_likelihood(sample.y, fitted.mu, None)
    return {
        "n_obs": len(sample.y),
        "n_zeros": int((sample.y == 0).sum()),
        "deviance": fitted.deviance,
        "log_likelihood": likelihood,
        "pseudo_r2": 1 - likelihood / log_likelihood(sample.y, mean, None),
        "iterations": fitted.iterations,
        "n_given": given,
    }


def _cluster_findings(found: Covariance, effective: Sequence[float], vcov: str) -> tuple[Finding, ...]:
    said = []
    if effective and vcov == "cluster" and min(effective) < FEW:
        what = (
            f"{min(found.n_clusters)} clusters weigh like {min(effective):.1f} for one of the terms; intervals from so few are too narrow"
        )
        remedy = "use vcov='CR3', the jackknife, or read the intervals with care"
        said.append(Finding("gravity-few-clusters", what, "argument cluster", remedy, "warning"))
    if found.repaired:
        what = "the covariance by several groupings had negative eigenvalues, which were set to zero"
        said.append(
            Finding("gravity-covariance-repaired", what, "argument cluster", "use the grouping with the fewest clusters", "warning")
        )
    return tuple(said)


def with_zeros(
    flows: Any,
    *,
    values: Sequence[str],
    by: Sequence[str] = (),
    source: str = "source",
    host: str = "host",
    regions: Sequence[str] | None = None,
    covariates: Sequence[pl.DataFrame] = (),
) -> pl.DataFrame:
    """Every pair of different regions for every combination of ``by``, flows that are not in the table as zeros.

    Only for tables in which absent means none, such as registers reduced to cells; a sample has gaps instead.

    Args:
        flows: a table;  values: its columns of flows;  by: its other keys (industry, year).
        source, host: columns of the two ends.
        regions: that could send and receive; those in the table if ``None``.
        covariates: tables to be joined by the key columns that they have: distances by source and host, zones by host and year, …

    Raises:
        InputError: unknown columns; a covariate's keys are repeated, or it has none.
    """
    frame = load_frame(flows)
    keys = [source, host, *by]
    fail_if_any(
        [
            Finding("unknown-column", f"the flows have no column {c!r}", "argument flows", did_you_mean(c, frame.columns))
            for c in (*keys, *values)
            if c not in frame.columns
        ],
        "flows",
        InputError,
    )
    ends = pl.Series(regions) if regions is not None else pl.concat([frame[source], frame[host]]).unique().sort()
    out = pl.DataFrame({source: ends}).join(pl.DataFrame({host: ends}), how="cross").filter(pl.col(source) != pl.col(host))
    for column in by:
        out = out.join(frame.select(pl.col(column).unique().sort()), how="cross")
    summed = frame.group_by(keys).agg(pl.col(values).sum())
    out = out.join(summed, on=keys, how="left", maintain_order="left").with_columns(pl.col(values).fill_null(0))
    for number, table in enumerate(covariates, 1):
        shared = _shared(table, keys, number)
        out = out.join(table, on=shared, how="left", maintain_order="left")
    return out


def _shared(table: pl.DataFrame, keys: Sequence[str], number: int) -> list[str]:
    where = f"covariates, table {number}"
    shared = [k for k in keys if k in table.columns]
    if not shared:
        remedy = f"name its columns as in the flows: {', '.join(keys)}"
        raise InputError(Finding("no-shared-key", "the table has no key of the flows", where, remedy), "covariates")
    twice = int(table.select(shared).is_duplicated().sum())
    if twice:
        remedy = "leave one row each"
        raise InputError(Finding("covariate-repeated", f"{twice} rows share their {', '.join(shared)}", where, remedy), "covariates")
    return shared
