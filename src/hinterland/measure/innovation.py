"""Quantity and quality of patents (创新数量与质量): counts, shares, citations, claims, renewal, family, transfer.

Counts are arrays ``[T, R]`` or of any one shape; patents are rows ``[N]`` with integer codes of their cell (region and application year). NaN is a
number that was not observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from hinterland.measure.division import ratio

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Counts = NDArray[np.int64]
GRANT_LAG = 3
"""Years before the last observed grant in which applications are still being granted (two to four years from application)."""

PATENT_TYPES = {
    "invention": ("invention", "inventions", "发明", "发明专利", "发明授权", "发明公开", "发明公布", "1", "a", "b"),
    "utility": ("utility", "utility model", "utility-model", "实用新型", "实用新型专利", "2", "u"),
    "design": ("design", "designs", "外观", "外观设计", "外观设计专利", "3", "s", "d"),
}
"""How files write the three patent types of China; the numbers are those inside application numbers."""


@dataclass(frozen=True, slots=True)
class CellMeans:
    """A mean over the patents of each cell, each ``[C]``.

    Attributes:
        value: NaN where no patent of the cell has the number.
        n_used: patents with the number.
        n: patents.
    """

    value: Array
    n_used: Counts
    n: Counts


def patent_type(labels: pl.Series) -> pl.Series:
    """``invention``, ``utility`` or ``design`` of each label; null where it is none of :data:`PATENT_TYPES`."""
    names = {written: kind for kind, all_of_it in PATENT_TYPES.items() for written in all_of_it}
    return labels.cast(pl.String).str.strip_chars().str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.String)


def per_capita(patents: ArrayLike, population: ArrayLike) -> Array:
    """Patents per head of ``population`` (10 000 residents: patents per 10 000 people); NaN where population is 0."""
    return ratio(patents, population)


def log_patents(patents: ArrayLike) -> Array:
    """``ln(1 + P)``, the form that regressions use because of zeros."""
    logs: Array = np.log1p(np.asarray(patents, dtype=np.float64))
    return logs


def invention_share(invention: ArrayLike, utility: ArrayLike, design: ArrayLike) -> Array:
    """``inventions / (inventions + utility models + designs)``; NaN where there are no patents."""
    i, u, d = (np.asarray(v, dtype=np.float64) for v in (invention, utility, design))
    total = i + u + d
    return ratio(i, total)


def truncated(year: ArrayLike, observed_until: int, lag: int = GRANT_LAG) -> NDArray[np.bool_]:
    """Whether patents applied for in ``year`` were still being granted when grants were last observed: the last ``lag`` years."""
    return np.asarray(year) > observed_until - lag


def windowed_citations(cited: Codes, citing_year: ArrayLike, application_year: ArrayLike, window: int | None) -> Counts:
    """Citations that each patent received within ``window`` years after the year of its application.

    Args:
        cited: ``[E]`` position of the cited patent of each citation.
        citing_year: ``[E]``.
        application_year: ``[N]`` of the patents.
        window: a citation counts when ``0 ≤ citing year − application year ≤ window``; None: every citation not before the application.
    """
    applied = np.asarray(application_year)
    age = np.asarray(citing_year) - applied[cited]
    inside = (age >= 0) & (age <= window) if window is not None else age >= 0
    return np.bincount(cited[inside], minlength=len(applied)).astype(np.int64)


def scaled_citations(citations: ArrayLike, cohort: Codes) -> Array:
    """``c_p / c̄`` with ``c̄`` the mean of the patent's field and year (fixed-effect scaling; Hall, Jaffe & Trajtenberg 2001).

    Args:
        citations: ``[N]``, NaN where not observed.
        cohort: ``[N]`` codes from 0 of field × application year.

    Returns:
        ``[N]``; NaN in a cohort that nobody cites, where the mean says nothing.
    """
    c = np.asarray(citations, dtype=np.float64)
    seen = np.isfinite(c)
    number = np.bincount(cohort[seen], minlength=int(cohort.max(initial=-1)) + 1)
    total = np.bincount(cohort[seen], c[seen], minlength=len(number))
    mean = np.divide(total, number, out=np.full(len(number), np.nan), where=total > 0)
    scaled: Array = c / mean[cohort]
    return scaled


def cell_means(values: ArrayLike, cell: Codes, cells: int) -> CellMeans:
    """Mean of a number over the patents of each cell.

    Args:
        values: ``[N]``, NaN where not observed.
        cell: ``[N]`` codes from 0.
        cells: how many cells there are.
    """
    v = np.asarray(values, dtype=np.float64)
    seen = np.isfinite(v)
    used = np.bincount(cell[seen], minlength=cells)
    total = np.bincount(cell[seen], v[seen], minlength=cells)
    value = ratio(total, used)
    return CellMeans(value, used.astype(np.int64), np.bincount(cell, minlength=cells).astype(np.int64))


def maintained(years: ArrayLike, start: ArrayLike, observed_until: int, threshold: int = 5) -> Array:
    """Whether a patent was kept in force for ``threshold`` years: 1, 0, or NaN where that is not yet known.

    A patent too young to have reached the threshold is NaN even if it has lapsed: counting those that failed but not those that may
    still succeed would lower the share of every recent year.

    Args:
        years: ``[N]`` years in force so far.
        start: ``[N]`` year from which they count.
        observed_until: last year of the register.
    """
    kept = np.asarray(years, dtype=np.float64)
    old_enough = observed_until - np.asarray(start, dtype=np.float64) >= threshold
    return np.where(old_enough & np.isfinite(kept), (kept >= threshold).astype(np.float64), np.nan)
