"""From weights to effects by cohort and period, and to averages of these, for the sample and for its replicates.

τ_gt is the gap between the cohort's mean and its synthetic control in period t, less its λ-weighted mean before adoption; the
mean over treated periods is the estimator of Arkhangelsky et al. (2021), and cohorts are averaged by treated units and periods
(Clarke, Pailañir, Athey & Imbens 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.evaluate.result import Aggregation, Terms
from hinterland.evaluate.sdid_sample import Sample
from hinterland.evaluate.sdid_weights import Synthetic

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Estimand = Literal["group-time", "overall", "event-time", "cohort", "calendar"]


def effects_of(gap: Floats, lam: Floats) -> Floats:
    """[..., T] effects from gaps [..., T] between treated and synthetic control, and time weights [T] or [..., T]."""
    return np.asarray(gap - (gap * lam).sum(axis=-1, keepdims=True))


def cell_effects(sample: Sample, weights: Sequence[Synthetic], y: Floats) -> Floats:
    """[G T] effects of every cohort in every period, of the outcome (or a covariate) ``y`` [N, T]."""
    controls = y[sample.controls]
    rows = [effects_of(y[b.units].mean(axis=0) - w.omega @ controls, w.lam) for b, w in zip(sample.blocks, weights, strict=True)]
    return np.concatenate(rows)


@dataclass(frozen=True, slots=True)
class Layout:
    """Which cells, cohort by cohort, an average takes: ``group``, ``cohort``, ``time`` [G T];  ``terms``; ``member`` [K, G T] its cells, and
    whether ``by_size`` of their cohorts (a mean over one cohort's periods is plain).
    """

    group: Ints
    terms: Terms
    member: NDArray[np.bool_]
    by_size: bool
    aggregation: Aggregation

    def collapse(self, cells: Floats, counts: Floats) -> Floats:
        """[R, K] averages of R replicates of the cells [R, G T] with cohorts of ``counts`` [R, G] units.

        A cohort without units in a replicate takes no part; a term without any is missing.
        """
        if self.aggregation == "group-time":
            if (counts > 0).all():
                return cells
            return np.where(counts[:, self.group] > 0, cells, np.nan)
        size = counts[:, self.group]
        weight = size if self.by_size else (size > 0).astype(np.float64)
        known = np.where(size > 0, cells, 0.0)
        out = np.empty((len(cells), len(self.member)))
        with np.errstate(invalid="ignore"):
            for k, member in enumerate(self.member):
                part = weight[:, member]
                out[:, k] = np.einsum("rq,rq->r", part, known[:, member]) / part.sum(axis=1)
        return out


def make_layout(sample: Sample, weights: Sequence[Synthetic], estimand: Estimand) -> Layout:
    """The cells of the sample, and the averages that ``estimand`` asks for."""
    count, width = len(sample.blocks), len(sample.periods)
    group = np.repeat(np.arange(count), width)
    cohort = np.repeat([b.cohort for b in sample.blocks], width).astype(np.int64)
    time = np.tile(sample.periods, count)
    size = np.array([len(b.units) for b in sample.blocks])
    post = time >= cohort
    every = int(size.sum())
    if estimand == "overall":
        return Layout(group, Terms.make(("overall",), n_treated=np.array([every])), post[None], True, "overall")
    if estimand == "cohort":
        labels = np.unique(cohort)
        terms = Terms.make(tuple(f"cohort={g}" for g in labels), cohort=labels, n_treated=size)
        return Layout(group, terms, (cohort == labels[:, None]) & post, False, "cohort")
    if estimand == "calendar":
        labels = np.unique(time[post])
        member = (time == labels[:, None]) & post
        terms = Terms.make(tuple(f"time={t}" for t in labels), time=labels, n_treated=(member * size[group]).sum(axis=1))
        return Layout(group, terms, member, True, "calendar")
    reference = np.concatenate([w.lam for w in weights]) > 1 - 1e-12
    if estimand == "event-time":
        labels = np.unique(time - cohort)
        member = time - cohort == labels[:, None]
        terms = Terms.make(
            tuple(f"event_time={e}" for e in labels),
            event_time=labels,
            reference=np.array([bool(reference[m].all()) for m in member]),
            n_treated=(member * size[group]).sum(axis=1),
        )
        return Layout(group, terms, member, True, "event-time")
    names = tuple(f"cohort={g},time={t}" for g, t in zip(cohort, time, strict=True))
    terms = Terms.make(names, cohort=cohort, time=time, event_time=time - cohort, reference=reference, n_treated=size[group])
    return Layout(group, terms, np.eye(len(group), dtype=np.bool_), True, "group-time")
