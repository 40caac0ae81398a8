"""Input-output tables as one noun: deliveries, final demand, output, value added, trade outside the table, and what does not add up.

Rows and columns of n = Σ sectors over regions, ordered region by region. Rows add up as
``Z1 + F1 + exports + outflow - imports - inflow + error = x`` and columns as ``1'Z + 1'imported_inputs + 1'value_added = x``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.labels import Note

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]
Text = NDArray[np.str_]
Imports = Literal["within", "competitive", "separate"]

__all__ = ["IOTable", "LongTable"]


def _none() -> Floats:
    return np.zeros(0)


def _no_rows() -> Floats:
    return np.zeros((0, 0))


def _no_text() -> Text:
    return np.zeros(0, dtype=np.str_)


@dataclass(frozen=True, eq=False, repr=False)
class IOTable:
    """An input-output table of one or several regions in one year.

    Arrays are kept as they come when they are float64 (no copy of Z) and are read-only here. What has a default may be left out.

    Attributes:
        Z: deliveries from row to column, [n, n].
        F: final demand by column of final demand, [n, m]; imports and exports are no columns of it.
        x: gross output, [n].
        regions, sectors: labels of each row, [n]; the rows of a region stand together.
        final_region, final_kind: region and kind (consumption, investment, ...) of each column of final demand, [m].
        value_added: primary inputs, [k, n]; output less inputs where none is given.
        value_added_kind: their labels, [k].
        exports: deliveries to places outside the table, [n].
        imports: competitive imports from there, [n], 0 or more: contained in Z and F, and taken off the row.
        outflow, inflow: the same for the other regions of the country, where they are known as margins only, [n].
        imported_inputs: inputs from outside the table that have rows of their own, [p, n].
        imported_kind: their labels, [p].
        imported_final: imports for final demand that are in no row of F, [m].
        error: statistical discrepancy of each row, [n], as published.
        unit: id of a unit, such as ``10k-yuan``.
        year: of the table; ``None`` where it is not known.
        prices: ``current``, or what the values are deflated to.
        source: file or data set.
        notes: what was done to the table, such as netting imports.
        findings: warnings of the reader and of the checks.

    Raises:
        InputError: shapes that do not fit, gaps, labels that repeat, rows of a region apart, output far from row or column sums.
    """

    Z: Floats
    F: Floats
    x: Floats
    regions: Text
    sectors: Text
    final_region: Text
    final_kind: Text
    value_added: Floats = field(default_factory=_no_rows)
    value_added_kind: Text = field(default_factory=_no_text)
    exports: Floats = field(default_factory=_none)
    imports: Floats = field(default_factory=_none)
    outflow: Floats = field(default_factory=_none)
    inflow: Floats = field(default_factory=_none)
    imported_inputs: Floats = field(default_factory=_no_rows)
    imported_kind: Text = field(default_factory=_no_text)
    imported_final: Floats = field(default_factory=_none)
    error: Floats = field(default_factory=_none)
    unit: str = "as-input"
    year: int | None = None
    prices: str = "current"
    source: str = "table"
    notes: tuple[Note, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        from hinterland.data.io_checks import CHECKED, balance_findings, shape_findings

        for name in ("regions", "sectors", "final_region", "final_kind", "value_added_kind", "imported_kind"):
            self._set(name, np.asarray(getattr(self, name), dtype=np.str_))
        for name in ARRAYS:
            self._set(name, np.asarray(getattr(self, name), dtype=np.float64))
        self._fill()
        fail_if_any(shape_findings(self), self.source, InputError)
        if not len(self.value_added):
            inputs = self.Z.sum(axis=0) + self.imported_inputs.sum(axis=0)
            self._set("value_added", (self.x - inputs)[None, :])
            self._set("value_added_kind", np.array(["value-added"]))
        found = balance_findings(self)
        fail_if_any(found, self.source, InputError)
        # A changed table carries the findings of its reader; those of the checks are made anew.
        self._set("findings", (*(f for f in self.findings if f.code not in CHECKED), *found))
        for name in ARRAYS:
            self._set(name, _read_only(getattr(self, name)))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _fill(self) -> None:
        """Zeros for what was left out."""
        n, m = len(self.x), self.F.shape[-1]
        for name in ("exports", "imports", "outflow", "inflow", "error"):
            if not getattr(self, name).size:
                self._set(name, np.zeros(n))
        if not self.imported_final.size:
            self._set("imported_final", np.zeros(m))
        for name in ("imported_inputs", "value_added"):
            if not getattr(self, name).size:
                self._set(name, np.zeros((0, n)))

    def __repr__(self) -> str:
        years = "" if self.year is None else f" {self.year}"
        size = f"{self.n_regions} region{'s' * (self.n_regions != 1)} of {self.n_sectors} sectors, n = {self.n}"
        warned = f", {len(self.findings)} finding(s)" if self.findings else ""
        return f"IOTable({self.source}{years}: {size}, {self.F.shape[1]} columns of final demand, {self.unit}{warned})"

    @property
    def n(self) -> int:
        """Rows of the table."""
        return len(self.x)

    @property
    def region_labels(self) -> Text:
        """Distinct regions in the table's order, [R]."""
        return distinct(self.regions)

    @property
    def sector_labels(self) -> Text:
        """Distinct sectors in the table's order, [S]."""
        return distinct(self.sectors)

    @property
    def n_regions(self) -> int:
        """R, the number of regions."""
        return len(self.region_labels)

    @property
    def n_sectors(self) -> int:
        """S, the number of distinct sectors."""
        return len(self.sector_labels)

    @property
    def is_regular(self) -> bool:
        """Whether every region has the same sectors in the same order, so that arrays reshape to [R, S]."""
        r, s = self.n_regions, self.n_sectors
        return self.n == r * s and bool((self.sectors.reshape(r, s) == self.sector_labels).all())

    @property
    def A(self) -> Floats:  # noqa: N802  # the matrix of the literature
        """A = Z x̂⁻¹, [n, n], a new array: input of the row per unit of output of the column; zero for columns without output."""
        found = self.Z / np.where(self.x > 0, self.x, 1.0)
        found[:, self.x <= 0] = 0.0
        return found

    @property
    def final_demand(self) -> Floats:
        """Final demand by region of demand, [n, R], in the order of ``region_labels``; columns of other regions are left out."""
        return np.stack([self.F[:, self.final_region == r].sum(axis=1) for r in self.region_labels], axis=1)

    @property
    def supply(self) -> Floats:
        """What each region supplies of each product to each region, for inputs and final demand, [R origin, S, R user]."""
        R, S = self.n_regions, self.n_sectors
        return np.asarray(self.Z.reshape(R, S, R, S).sum(axis=3) + self.final_demand.reshape(R, S, R), dtype=np.float64)

    @property
    def import_treatment(self) -> Imports:
        """``competitive``: imports are inside Z and F and taken off the row; ``separate``: they have rows of their own; ``within``: there are none."""
        if self.imports.any() or self.inflow.any():
            return "competitive"
        return "separate" if self.imported_inputs.any() or self.imported_final.any() else "within"

    @property
    def is_linked(self) -> bool:
        """Whether deliveries between the regions are known; a table of provinces stacked by their margins has none."""
        ends = np.flatnonzero(np.concatenate([self.regions[1:] != self.regions[:-1], [True]])) + 1
        starts = np.concatenate([[0], ends[:-1]])
        return self.n_regions == 1 or any(self.Z[a:b, :a].any() or self.Z[a:b, b:].any() for a, b in zip(starts, ends, strict=True))

    @property
    def row_residual(self) -> Floats:
        """Output x less what its row adds up to, the published error included, [n]."""
        used = self.Z.sum(axis=1) + self.F.sum(axis=1) + self.exports + self.outflow + self.error
        return np.asarray(self.x - (used - self.imports - self.inflow), dtype=np.float64)

    @property
    def column_residual(self) -> Floats:
        """Output x less what its column adds up to, [n]."""
        made = self.Z.sum(axis=0) + self.imported_inputs.sum(axis=0) + self.value_added.sum(axis=0)
        return np.asarray(self.x - made, dtype=np.float64)

    def balance(self) -> pl.DataFrame:
        """One row per region and sector: ``region, sector, output, error, row_residual, column_residual``, in the table's unit."""
        import polars as pl

        named = {"region": self.regions, "sector": self.sectors, "output": self.x, "error": self.error}
        return pl.DataFrame({**named, "row_residual": self.row_residual, "column_residual": self.column_residual})

    def domestic(self) -> IOTable:
        """The table with competitive imports and inflow netted out: see :func:`hinterland.data.io_netting.net_imports`."""
        from hinterland.data.io_netting import net_imports

        return net_imports(self)

    def within(self, *regions: str) -> IOTable:
        """The table of some of the regions, with the others outside it: deliveries to them are exports, and from them imported inputs."""
        from hinterland.data.io_change import within

        return within(self, regions)

    def margins(self) -> IOTable:
        """The regions side by side with outflow and inflow as margins: see :func:`hinterland.data.io_change.margins`."""
        from hinterland.data.io_change import margins

        return margins(self)

    def by_region(self) -> Mapping[str, IOTable]:
        """One table per region, by its label."""
        return {str(r): self.within(str(r)) for r in self.region_labels}

    def aggregate(
        self,
        *,
        regions: Mapping[str, str] | None = None,
        sectors: Mapping[str, str] | None = None,
        final: Mapping[str, str] | None = None,
    ) -> IOTable:
        """The table with regions, sectors or kinds of final demand merged: new label by old; labels that a mapping lacks stay as they are."""
        from hinterland.data.io_change import aggregate

        return aggregate(self, regions or {}, sectors or {}, final or {})

    def deflate(self, deflators: Any, *, prices: str, imported: float = 1.0) -> IOTable:
        """The table at the prices ``prices`` by double deflation: see :func:`hinterland.data.io_change.deflate`."""
        from hinterland.data.io_change import deflate

        return deflate(self, deflators, prices, imported)

    def long(self) -> LongTable:
        """Deliveries and final demand as long frames, as the measures take them."""
        from hinterland.data.io_change import long

        return long(self)


@dataclass(frozen=True, eq=False)
class LongTable:
    """A table in long form.

    Attributes:
        deliveries: ``region, industry, other, other_industry, value`` and ``time``; deliveries of zero are left out, but for the diagonal.
        final: ``region, industry, other, value`` and ``time``; ``other`` is a region of the table, or says what lies outside it.
    """

    deliveries: pl.DataFrame
    final: pl.DataFrame


ARRAYS = (
    "Z",
    "F",
    "x",
    "value_added",
    "exports",
    "imports",
    "outflow",
    "inflow",
    "imported_inputs",
    "imported_final",
    "error",
)
"""Every array of a table of numbers."""


def _read_only(array: Floats) -> Floats:
    """A view that cannot be written through; the caller's own array stays as it is."""
    view = array.view()
    view.flags.writeable = False
    return view


def distinct(labels: Text) -> Text:
    """Labels without repetition, in the order of first appearance."""
    _, first = np.unique(labels, return_index=True)
    return np.asarray(labels[np.sort(first)], dtype=np.str_)


def row_blocks(n: int, rows: int = 512) -> Iterator[slice]:
    """Slices over n rows, so that masks of a large table never take its size."""
    return (slice(start, min(start + rows, n)) for start in range(0, n, rows))
