"""Regressions in the form that a wild bootstrap takes: residualised columns, residuals, bread, and linear restrictions on the coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hinterland.errors import EstimationError, Finding, did_you_mean, listed
from hinterland.evaluate.coding import Factor, Floats
from hinterland.evaluate.design import Design
from hinterland.evaluate.estimate import fail_if_not_accepted, find_method
from hinterland.evaluate.event_study import event_columns, event_window, term_name, without_always_treated
from hinterland.evaluate.hdfe import Absorber, project_off
from hinterland.evaluate.regression import (
    TREATED,
    absorbed,
    column_scale,
    fail_if_nothing_left,
    gram_of,
    independent_columns,
    projection,
    treatment,
    without_singletons,
)
from hinterland.evaluate.vcov import Moments, Ssc, count_parameters, intersect
from hinterland.evaluate.wild_forms import Grouping, Products, Restricted, nests
from hinterland.labels import Note

Term = str | Sequence[str] | Mapping[str, float] | None
REGRESSIONS = ("twfe", "event-study")
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Regression:
    """A linear regression net of fixed effects.

    p kept columns. ``x`` [n, p] residualised;  ``residuals`` [n];  ``bread`` [p, p];  ``names``, ``estimate`` [p];  ``prepared``: the projection off
    the fixed effects;  ``ssc``: the small-sample rule;  ``design``: after singletons.
    """

    design: Design
    prepared: Absorber
    names: tuple[str, ...]
    estimate: Floats
    x: Floats
    residuals: Floats
    bread: Floats
    ssc: Ssc

    def restrict(self, weights: Floats, *, impose_null: bool) -> tuple[float, Restricted]:
        """R'β̂ for R = ``weights`` [p], and the restriction as one regressor z = X B R / (R'B R)."""
        slope = self.bread @ weights
        slope = slope / (weights @ slope)
        z = self.x @ slope
        w = self.design.weight
        residuals = (self.residuals, z) if impose_null else (self.residuals,)
        return float(weights @ self.estimate), Restricted(slope, z, z if w is None else z * w, residuals, self.x, self.bread, w)

    def products(self, factors: Sequence[Factor]) -> tuple[Products, ...]:
        """Sums over the clusters of each grouping, made once for all restrictions; empty where they are of no use, since clusters cut across fixed effects."""
        w = self.design.weight
        if not nests(self.prepared, factors):
            return tuple(Products(factor, np.zeros((0, 0)), None) for factor in factors)
        u = self.residuals if w is None else self.residuals * w
        made: dict[int, Products] = {}
        for factor in factors:
            if id(factor.codes) not in made:
                made[id(factor.codes)] = Products.of(factor, self.x, u, w)
        return tuple(made[id(factor.codes)] for factor in factors)

    def groupings(self) -> tuple[Grouping, ...]:
        """The groupings of the cluster-robust variance, each with its signed small-sample factor (Cameron, Gelbach & Miller 2011)."""
        from itertools import combinations

        design, ssc = self.design, self.ssc
        n, clusters = design.n_obs, design.clusters
        rank = self.prepared.rank() if ssc.k_exact else None
        counted = count_parameters(
            len(self.names), Moments(self.x, self.residuals, self.bread, absorbed(design), rank, None), clusters, ssc
        )
        if ssc.k_adj and n <= counted:
            what = f"{counted} parameters are estimated from {n} rows"
            remedy = "leave out fixed effects or covariates, or set ssc='none'"
            raise EstimationError(Finding("no-degrees-of-freedom", what, "sample", remedy), "sample")
        inflate = (n - 1) / (n - counted) if ssc.k_adj else 1.0
        least = min(c.size for c in clusters)
        out = []
        for count in range(1, len(clusters) + 1):
            for chosen in combinations(clusters, count):
                factor = chosen[0] if count == 1 else intersect(chosen)
                size = least if ssc.g_df == "min" else factor.size
                sign = 1 if count % 2 else -1
                out.append(Grouping(factor, sign * inflate * (size / (size - 1) if ssc.g_adj and size > 1 else 1.0)))
        return tuple(out)


def regression(
    design: Design, method: str, ssc: Ssc, *, leads: int | None = None, lags: int | None = None, reference: int = -1
) -> Regression:
    """The regression behind ``twfe`` or ``event-study``.

    Raises:
        EstimationError: another method, a design that the method is not defined on, or a regression that cannot be estimated.
    """
    if method in REGRESSIONS:
        fail_if_not_accepted(find_method(method), design)
    if method == "twfe":
        design = without_singletons(design, ssc)
        columns = np.empty((design.n_obs, 1 + len(design.covariate_names)), order="F")
        columns[:, 0] = treatment(design)
        columns[:, 1:] = design.covariates
        return reduce(design, columns, (TREATED, *design.covariate_names), ssc)
    if method == "event-study":
        design = without_singletons(without_always_treated(design), ssc)
        columns, names = event_columns(design, event_window(design, leads, lags, reference))
        return reduce(design, columns, names, ssc)
    remedy = f"{did_you_mean(method, REGRESSIONS)} For other estimators use score_bootstrap on their effects"
    raise EstimationError(Finding("not-a-regression", f"{method!r} is not one linear regression", "argument method", remedy), "bootstrap")


def reduce(design: Design, columns: Floats, names: Sequence[str], ssc: Ssc) -> Regression:
    """Any regression of the design's outcome on ``columns`` [n, p] net of its fixed effects; ``columns`` is overwritten."""
    weights = design.weight
    prepared = projection(design, weights)
    raw, centred = column_scale(columns, weights)
    x = project_off(prepared, columns, out=columns)
    y = prepared.column(design.y)
    gram = gram_of(x, weights)
    kept = independent_columns(gram, raw, centred)
    fail_if_nothing_left(design, names, kept)
    if not kept.all():
        dropped = ", ".join(name for name, keep in zip(names, kept, strict=True) if not keep)
        design = _noted(design, Note("collinear-dropped", {"names": dropped}))
        x, gram = np.asfortranarray(x[:, kept]), gram[np.ix_(kept, kept)]
    bread = np.linalg.inv(gram).astype(np.float64, copy=False)
    estimate: Floats = bread @ (x.T @ (y if weights is None else y * weights))
    kept_names = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
    return Regression(design, prepared, kept_names, estimate, x, y - x @ estimate, bread, ssc)


def _noted(design: Design, note: Note) -> Design:
    from dataclasses import replace

    return replace(design, notes=(*design.notes, note))


def restrictions(fitted: Regression, method: str, term: Term) -> dict[str, Floats]:
    """The linear combinations R [p] to test, by name.

    ``None``: the treatment, or every event time; a name or several; ``overall``: the mean over event times from 0 on; a mapping from names to
    weights: their sum.

    Raises:
        EstimationError: names that the regression does not have.
    """
    names = {name: i for i, name in enumerate(fitted.names)}
    events = [n for n in fitted.names if n.startswith("event-time ")]
    if isinstance(term, Mapping):
        _fail_if_unknown(term, names)
        out = np.zeros(len(names))
        for name, weight in term.items():
            out[names[name]] = weight
        if not np.isfinite(out).all() or not out.any():
            what = f"the weights of the restriction are {dict(term)!r}"
            raise EstimationError(Finding("bad-restriction", what, "argument term", "give finite weights, not all zero"), "bootstrap")
        return {" + ".join(f"{weight:g} × {name}" for name, weight in term.items()): out}
    if term is None:
        wanted = [TREATED] if method == "twfe" else sorted(events, key=lambda n: int(n.split()[-1]))
    else:
        wanted = [term] if isinstance(term, str) else list(term)
    later = np.array([method == "event-study" and n in events and int(n.split()[-1]) >= 0 for n in fitted.names])
    _fail_if_unknown(wanted, [*names, *([OVERALL] if later.any() else [])])
    return {name: later / later.sum() if name == OVERALL else np.eye(len(names))[names[name]] for name in wanted}


def _fail_if_unknown(wanted: Sequence[str] | Mapping[str, float], names: Sequence[str] | Mapping[str, int]) -> None:
    unknown = [t for t in wanted if t not in names]
    if unknown or not wanted:
        what = f"the regression has no term {listed(unknown)}" if unknown else "no term is named"
        remedy = did_you_mean(unknown[0] if unknown else "", names)
        raise EstimationError(Finding("unknown-term", what, "argument term", remedy), "bootstrap")


def boot_factor(design: Design, name: str | None) -> Factor:
    """The grouping whose rows share a weight: the cluster grouping with the fewest clusters (MacKinnon, Nielsen & Webb 2021), or the one named: a
    cluster column, or the unit.
    """
    if name is None:
        return min(design.clusters, key=lambda c: c.size)
    for factor in design.clusters:
        if factor.name == name:
            return factor
    if name in (design.unit_name, "unit"):
        return Factor(design.unit_name, design.unit, design.n_units, design.unit_labels)
    known = [*(c.name for c in design.clusters), design.unit_name]
    what = f"bootcluster {name!r} is neither a cluster column of the design nor its unit"
    raise EstimationError(Finding("unknown-bootcluster", what, "argument bootcluster", did_you_mean(name, known)), "bootstrap")


__all__ = ["Regression", "Term", "boot_factor", "reduce", "regression", "restrictions", "term_name"]
