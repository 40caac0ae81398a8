"""What :func:`hinterland.moderation` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from hinterland.evaluate.moderation_bins import Linearity
from hinterland.evaluate.result import Effects
from hinterland.labels import Note


@dataclass(frozen=True, slots=True)
class Moderation:
    """The effect as a function of a moderator.

    Attributes:
        outcome, moderator: names;  family: ``gaussian`` or ``poisson`` (effects in log points of the mean).
        slopes: one row per version and group: ``version`` (``linear``, ``imputation``, ``strata``), ``method``, ``group`` (``all``; with a group also
            ``elsewhere``, ``inside``, ``difference``), ``estimate`` (change of the effect per unit of the moderator), ``std_error, statistic, p_value,
            conf_low, conf_high, df``, ``p_wild, wild_low, wild_high`` (wild cluster bootstrap), ``p_exact, labels, enumerated`` (permutation of the
            group's label), ``effective_clusters``, ``estimand``.
        effects: effects along the line by ``version`` and ``group``: ``kind`` (``grid``, or ``min, p10, mean, p90, max``, or differences between them such as
            ``p10-mean``), ``value`` of the moderator, ``estimate, std_error, conf_low, conf_high, band_low, band_high`` (all values at once) and
            ``inside``: treated and comparison units lie on both sides of the value.
        bins: effects by bin: ``version`` (``binning``: at the bin's median; ``strata``: at the mean of its treated units), ``method, bin, low, high, at,
            estimate, std_error, conf_low, conf_high, n_treated, n_comparison``.
        values: ``unit, value, treated`` of every unit used.
        linear, imputed, strata: the estimates behind the versions, with their influence functions (``None`` where there are none).
        linearity: test of the linear form (``None`` where the bins do not allow one).
        notes: what a reader must know;  meta: how the moderator was fixed and centred, its standard deviation, support, clusters.
    """

    outcome: str
    moderator: str
    family: str
    slopes: pl.DataFrame
    effects: pl.DataFrame
    bins: pl.DataFrame
    values: pl.DataFrame
    linear: Effects
    imputed: Effects | None
    strata: Effects | None
    linearity: Linearity | None
    notes: tuple[Note, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        row = self.slopes.row(0, named=True)
        wild = "" if row["p_wild"] is None else f", wild p = {row['p_wild']:.3g}"
        return f"Moderation({self.outcome} by {self.moderator}: {row['estimate']:.4g} per unit (SE {row['std_error']:.4g}, p = {row['p_value']:.3g}{wild}), {self.slopes.height} slopes)"

    @property
    def frame(self) -> pl.DataFrame:
        """Effects along the line: :attr:`effects`."""
        return self.effects

    def tidy(self) -> pl.DataFrame:
        """One row per version and group: :attr:`slopes`."""
        return self.slopes
