"""The rows of each specification: sample and window, units that the policy's rule keeps, complete cases of what it uses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.panel import Panel
from hinterland.errors import EstimationError, Finding
from hinterland.evaluate.coding import Floats, parse_effect
from hinterland.evaluate.covariates import covariate_columns
from hinterland.evaluate.sample import real
from hinterland.evaluate.specification_choices import Choices, Specification

Mask = NDArray[np.bool_]


class Rows:
    """Masks over the n rows of one panel, each made once."""

    def __init__(self, panel: Panel, choices: Choices) -> None:
        self.panel, self.choices = panel, choices
        self._base: dict[tuple[str, tuple[int, int] | None], Mask] = {}
        self._kept: dict[str, Mask] = {}
        self._missing: dict[str, Mask | None] = {}
        self._needed: dict[str, Mask] = {}
        self._values: dict[tuple[str, float, str, tuple[int, int] | None], Floats] = {}

    def base(self, sample: str, window: tuple[int, int] | None) -> Mask:
        """[n] rows of the sample inside the window."""
        key = (sample, window)
        if key not in self._base:
            rows = self._sample(sample)
            if window is not None:
                time = self.panel.frame[self.panel.time].to_numpy()
                rows = rows & (time >= window[0]) & (time <= window[1])
            self._base[key] = rows
        return self._base[key]

    def _sample(self, name: str) -> Mask:
        keep, frame = self.choices.sample[name], self.panel.frame
        if keep is None:
            return np.ones(frame.height, dtype=np.bool_)
        found = frame.select(keep).to_series() if isinstance(keep, pl.Expr) else keep
        if found.dtype != pl.Boolean or len(found) != frame.height:
            what = f"sample {name!r} gives {len(found)} values of type {found.dtype} for {frame.height} rows"
            remedy = "give a polars expression, or a column, that is true for the rows to keep"
            raise EstimationError(Finding("bad-sample", what, "argument samples", remedy), "choices")
        return found.fill_null(value=False).to_numpy()

    def kept(self, policy: str) -> Mask:
        """[n] rows of units that the policy's rule does not leave out."""
        if policy not in self._kept:
            units = self.panel.frame[self.panel.unit]
            labels = units.unique(maintain_order=True)
            keep = self.choices.policy[policy].assign(labels)[2]
            place = (
                np.searchsorted(np.flatnonzero(np.append(True, (units[1:] != units[:-1]).to_numpy())), np.arange(len(units)), "right") - 1
            )
            self._kept[policy] = keep[place]
        return self._kept[policy]

    def cohorts(self, policy: str) -> bytes:
        """What the policy makes of the units: policies that make the same are the same."""
        labels = self.panel.frame[self.panel.unit].unique(maintain_order=True)
        cohort, dose, keep = self.choices.policy[policy].assign(labels)
        last = int(self.panel.frame[self.panel.time].max())  # type: ignore[arg-type]  # an integer column that is not empty
        cohort = np.where(keep, np.where(cohort > last, NEVER, cohort), 0)
        dosed = self.choices.policy[policy].partial == "dose"
        path = (self.choices.policy[policy].path or "").encode()
        return cohort.tobytes() + keep.tobytes() + path + (np.where(keep, dose, 0.0).tobytes() if dosed else b"")

    def needed(self, one: Specification) -> tuple[str, ...]:
        """The columns that a specification uses."""
        panel = self.panel
        parsed = [parse_effect(e) for e in one.fe]
        path = self.choices.policy[one.policy].path
        names = [
            one.outcome,
            *covariate_columns(one.names, panel.frame.columns),
            *(c for parts, slope in parsed for c in (*parts, *([slope] if slope else []))),
            *one.cluster,
            *([panel.weight] if panel.weight else []),
            *([path] if path else []),
        ]
        return tuple(dict.fromkeys(names))

    def of(self, one: Specification) -> Mask:
        """[n] the rows that the specification is estimated on."""
        rows = self.base(one.sample, one.window) & self.kept(one.policy)
        for name in self.needed(one):
            missing = self.missing(name)
            if missing is not None:
                rows = rows & ~missing
        return rows

    def signature(self, one: Specification) -> tuple[str, ...]:
        """The columns it uses that have a gap anywhere: with the same ones, the same rows are complete."""
        return tuple(sorted(n for n in self.needed(one) if self.missing(n) is not None))

    def missing(self, name: str) -> Mask | None:
        """[n] where the column is null or NaN; ``None`` where it nowhere is."""
        if name not in self._missing:
            series = self.panel.frame[name]
            bad = series.is_null().to_numpy() | (np.isnan(series.to_numpy()) if series.dtype.is_float() else False)
            self._missing[name] = bad if bad.any() else None
        return self._missing[name]

    def outcome(self, one: Specification) -> Floats:
        """[n] the outcome, its values beyond the quantiles of the sample pulled in to them."""
        key = (one.outcome, one.winsorise, one.sample, one.window)
        if key not in self._values:
            values = real(self.panel.frame, one.outcome)
            if one.winsorise:
                seen = values[self.base(one.sample, one.window)]
                seen = seen[np.isfinite(seen)]
                if len(seen):
                    values = np.clip(values, *np.quantile(seen, [one.winsorise, 1 - one.winsorise]))
            self._values[key] = values
        return self._values[key]

    def panel_of(self, one: Specification) -> Panel:
        """The panel that :func:`hinterland.estimate` would be given: the sample and window, the outcome as the specification has it."""
        rows = self.base(one.sample, one.window)
        frame = self.panel.frame
        if one.winsorise:
            frame = frame.with_columns(pl.Series(one.outcome, self.outcome(one)).fill_nan(None))
        return replace(self.panel, frame=frame if rows.all() else frame.filter(pl.Series(rows)))
