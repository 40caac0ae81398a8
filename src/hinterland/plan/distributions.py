"""What is not known of a parameter: the distribution of the factor that it is multiplied by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.plan.changes import Change, findings_of
from hinterland.plan.problem import Problem
from hinterland.plan.program import Floats
from hinterland.plan.provenance import scope

__all__ = ["Distribution", "from_provenance"]

Kind = Literal["uniform", "triangular", "normal", "lognormal"]
KINDS: tuple[Kind, ...] = ("uniform", "triangular", "normal", "lognormal")
Sampling = Literal["latin-hypercube", "sobol"]
_END = 1.959963984540054
"""Standard deviations from the middle of a normal distribution to the end of its central 95 %."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The distribution of the factor of a parameter.

    Attributes:
        parameter: its name in the schema.
        kind: ``uniform``; ``triangular`` with its mode at 1 (or the end nearest to it); ``normal``, without what is negative; ``lognormal``.
        low, high: ends of the range; of ``normal`` and ``lognormal`` the ends of the central 95 %.
        years, regions, industries, of: where, as in :class:`hinterland.plan.changes.Change`.
    """

    parameter: str
    kind: Kind
    low: float
    high: float
    years: tuple[int, ...] | None = None
    regions: tuple[str, ...] | None = None
    industries: tuple[str, ...] | None = None
    of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def change(self) -> Change:
        """What is multiplied."""
        return Change(self.parameter, 1.0, self.years, self.regions, self.industries, self.of)

    def factor(self, u: Floats) -> Floats:
        """[n] factors at these quantiles, each between 0 and 1."""
        from scipy import stats

        if self.low == self.high:
            return np.full(len(u), self.low)
        if self.kind == "uniform":
            return np.asarray(self.low + (self.high - self.low) * u)
        if self.kind == "triangular":
            mode = (min(max(1.0, self.low), self.high) - self.low) / (self.high - self.low)
            return np.asarray(stats.triang.ppf(u, mode, loc=self.low, scale=self.high - self.low))
        if self.kind == "normal":
            middle, spread = (self.low + self.high) / 2, (self.high - self.low) / (2 * _END)
            return np.asarray(stats.truncnorm.ppf(u, -middle / spread, np.inf, loc=middle, scale=spread))
        middle, spread = (np.log(self.low) + np.log(self.high)) / 2, (np.log(self.high) - np.log(self.low)) / (2 * _END)
        return np.asarray(np.exp(stats.norm.ppf(u, loc=middle, scale=spread)))


def from_provenance(problem: Problem, *, kind: Kind, basis: Sequence[str] = ("illustrative",)) -> tuple[Distribution, ...]:
    """A distribution for each parameter, or part of one, whose range the case documents.

    Args:
        problem: the case; ``low`` and ``high`` of its table ``provenance`` are factors.
        kind: of every distribution.
        basis: which parameters: those with this basis.

    Raises:
        InputError: ranges of what is no number to multiply, or none at all.
    """
    rows = problem.provenance.filter(pl.col("basis").is_in(list(basis)) & (pl.col("low") < pl.col("high")))
    out = tuple(
        Distribution(r["parameter"], kind, r["low"], r["high"], of=scope(problem, r["parameter"], r["of"]))
        for r in rows.iter_rows(named=True)
    )
    if not out:
        what, remedy = f"no parameter with the basis {', '.join(basis)} has a range", "give low and high in the table provenance"
        raise InputError(Finding("no-ranges", what, "provenance", remedy), "the distributions")
    fail_if_bad_distributions(problem, out)
    return out


def fail_if_bad_distributions(problem: Problem, distributions: Sequence[Distribution]) -> None:
    """Every problem of the distributions at once.

    Raises:
        InputError: parameters or labels that are not there, ranges that are none.
    """
    out: list[Finding] = []
    for d in distributions:
        where = f"argument distributions, {d.parameter}"
        out += findings_of(problem, d.change, "argument distributions")
        if d.kind not in KINDS:
            out.append(Finding("bad-distribution", f"there is no distribution {d.kind!r}", where, f"choose one of {', '.join(KINDS)}"))
        least = 0 if d.kind in ("uniform", "triangular") else np.finfo(float).tiny
        if not (np.isfinite(d.low) and np.isfinite(d.high) and least <= d.low <= d.high):
            what = f"the range is {d.low:g} to {d.high:g}"
            out.append(Finding("bad-range", what, where, "give 0 ≤ low ≤ high; above 0 for normal and lognormal"))
    scopes = [d.change.scope for d in distributions]
    twice = sorted({str(s[0]) for s in scopes if scopes.count(s) > 1})
    if twice:
        out.append(Finding("bad-distribution", f"{', '.join(twice)} is there twice", "argument distributions", "join them"))
    if not distributions:
        out.append(Finding("bad-distribution", "there is no distribution", "argument distributions", "give one or more"))
    fail_if_any(out, "the distributions", InputError)


def quantiles(n: int, k: int, seed: int, sampling: Sampling) -> Floats:
    """[n, k] points of the unit cube that fill it evenly: a Latin hypercube, or a scrambled Sobol' sequence, whose number must be a power of two."""
    from scipy.stats import qmc

    out = []
    if n < 1:
        out.append(Finding("bad-argument", f"n is {n}", "argument n", "give 1 or more draws"))
    if sampling not in ("latin-hypercube", "sobol"):
        out.append(Finding("bad-argument", f"there is no sampling {sampling!r}", "argument sampling", "choose latin-hypercube or sobol"))
    elif sampling == "sobol" and n >= 1 and n & (n - 1):
        near = 2 ** int(np.ceil(np.log2(n)))
        out.append(Finding("not-a-power-of-two", f"n is {n}", "argument n", f"give a power of two, such as {near}, or a Latin hypercube"))
    fail_if_any(out, "the draws", InputError)
    if sampling == "sobol":
        return np.asarray(qmc.Sobol(k, scramble=True, rng=np.random.default_rng(seed)).random_base2(int(np.log2(n))))
    return np.asarray(qmc.LatinHypercube(k, rng=np.random.default_rng(seed)).random(n))
