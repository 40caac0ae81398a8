"""What regions make, use, buy and sell: accounts from an input-output table, made consistent for a plan, with what that changed.

Regions R, industries S. Every array is a view by region first, in the table's unit until :meth:`Accounts.in_unit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hinterland.data.io_table import Floats, IOTable
from hinterland.errors import Finding, InputError, did_you_mean, listed
from hinterland.units import conversion

__all__ = ["Accounts", "Estimated", "accounts_of"]


@runtime_checkable
class Estimated(Protocol):
    """An estimated inter-regional table: regions' own tables, flows between them, and margins of trade by sector and region."""

    @property
    def given(self) -> IOTable:
        """The regions' own tables, side by side."""

    @property
    def trade(self) -> Floats:
        """[S, R, R] flows between regions."""

    @property
    def margins(self) -> Any:
        """``exports`` and ``imports``, [S, R] each."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Accounts of one year.

    Attributes:
        regions, industries: labels.
        output: gross output, [R, S].
        inputs: use of a product (second) by an industry (third) of a region, wherever it comes from, [R, S, S].
        final: final demand for each product, wherever it comes from, [R, S].
        exports, imports: trade abroad by product, [R, S].
        bought: inputs from abroad whose product is not known, by the industry that uses them, [R, S].
        trade: flows between regions, [S, R, R] origin, destination; where they are expected, until they are balanced.
        findings: what was changed on the way.
    """

    regions: tuple[str, ...]
    industries: tuple[str, ...]
    output: Floats
    inputs: Floats
    final: Floats
    exports: Floats
    imports: Floats
    bought: Floats
    trade: Floats
    findings: tuple[Finding, ...] = ()

    @property
    def use(self) -> Floats:
        """Inputs and final demand by product, [R, S]."""
        return np.asarray(self.inputs.sum(axis=2) + self.final, dtype=np.float64)

    @property
    def supply(self) -> Floats:
        """What is left of output for the country, [R, S]."""
        return np.asarray(self.output - self.exports, dtype=np.float64)

    @property
    def need(self) -> Floats:
        """What is used and not imported, [R, S]."""
        return np.asarray(self.use - self.imports, dtype=np.float64)

    @property
    def value_added(self) -> Floats:
        """Output less inputs, [R, S]."""
        return np.asarray(self.output - self.inputs.sum(axis=1) - self.bought, dtype=np.float64)

    @property
    def residual(self) -> Floats:
        """Output, inflow and imports, less inputs, final demand, outflow and exports, [R, S]: 0 where the accounts balance."""
        between = self.trade * ~np.eye(len(self.regions), dtype=bool)
        return np.asarray(self.supply + between.sum(axis=1).T - self.need - between.sum(axis=2).T, dtype=np.float64)

    def warned(self, code: str, what: str, remedy: str) -> Accounts:
        """The same with a warning."""
        return replace(self, findings=(*self.findings, Finding(code, what, "economy", remedy, "warning")))

    def scaled(self, factor: Floats) -> Accounts:
        """Every account of a region times its factor, [R]; trade by that of where it comes from."""
        by, wide = factor[:, None], factor[:, None, None]
        flat = {n: getattr(self, n) * by for n in ("output", "final", "exports", "imports", "bought")}
        return replace(self, **flat, inputs=self.inputs * wide, trade=self.trade * factor[None, :, None])


def accounts_of(io: IOTable | Estimated, *, unit: str | None = None, groups: Mapping[str, str] | None = None) -> Accounts:
    """Accounts of a linked inter-regional table, or of an estimated one with the regions' own tables that it comes from.

    Args:
        io: the table. Imports of a linked table that are not apart by product stay inputs of unknown product.
        unit: what the table is measured in, where it does not say.
        groups: industry of each sector; all sectors by default, each its own.

    Raises:
        InputError: tables that cannot be told apart by product and region; sectors without an industry; a unit that is no money.
    """
    t = _own(io) if isinstance(io, IOTable) else io.given
    trade = _supplied(io) if isinstance(io, IOTable) else np.asarray(io.trade)
    merge, industries = _merging(t, groups)
    abroad = _abroad(io)
    R, S = t.n_regions, t.n_sectors
    flat = {n: v.reshape(R, S) @ merge for n, v in ({"output": t.x} | abroad | {"bought": t.imported_inputs.sum(axis=0)}).items()}
    own = np.stack([t.Z[r * S : (r + 1) * S, r * S : (r + 1) * S] for r in range(R)])
    final, findings = _final(t)
    factor = _money(t, unit)
    made = Accounts(
        regions=tuple(map(str, t.region_labels)),
        industries=industries,
        inputs=np.einsum("si,rsu,uj->rij", merge, own, merge, optimize=True),
        final=final.reshape(R, S) @ merge,
        trade=np.einsum("si,sod->iod", merge, trade, optimize=True),
        findings=(*t.findings, *findings),
        **flat,
    )
    return made.scaled(np.full(R, factor))


def _own(t: IOTable) -> IOTable:
    """Regions side by side, with all their use by product."""
    if not t.is_regular or not t.is_linked or t.n_regions < 2:
        what = "the table has no flows between regions" if t.is_regular else "the regions have different sectors"
        raise InputError(Finding("economy-not-linked", what, t.source, "estimate them: hl.estimate_mrio"), "economy")
    return t.margins()


def _abroad(io: IOTable | Estimated) -> dict[str, Floats]:
    """Exports and imports by row, [n]."""
    if isinstance(io, IOTable):
        return {"exports": io.margins().exports, "imports": io.imports}
    return {n: np.asarray(getattr(io.margins, n)).T.reshape(-1) for n in ("exports", "imports")}


def _supplied(t: IOTable) -> Floats:
    """[S, R, R] what each region supplies to each."""
    return np.ascontiguousarray(t.supply.transpose(1, 0, 2))


def _merging(t: IOTable, groups: Mapping[str, str] | None) -> tuple[Floats, tuple[str, ...]]:
    """The 0-1 matrix [sectors, industries], and the industries in the order of first appearance."""
    sectors = [str(s) for s in t.sector_labels]
    groups = {s: s for s in sectors} if groups is None else groups
    lost, unknown = [s for s in sectors if s not in groups], [s for s in groups if s not in sectors]
    findings = []
    if lost:
        findings.append(Finding("sector-without-industry", f"sectors {listed(lost)} have no industry", "groups", "give each sector one"))
    if unknown:
        findings.append(
            Finding("unknown-sector", f"the table has no sector {listed(unknown)}", "groups", did_you_mean(unknown[0], sectors))
        )
    if findings:
        raise InputError(findings, "economy")
    industries = tuple(dict.fromkeys(groups[s] for s in sectors))
    merge = np.zeros((len(sectors), len(industries)))
    merge[np.arange(len(sectors)), [industries.index(groups[s]) for s in sectors]] = 1.0
    return merge, industries


def _final(t: IOTable) -> tuple[Floats, list[Finding]]:
    """Final demand by row, [n], without what is below zero: stocks that run down are no standing source of supply."""
    below = t.F.clip(max=0.0)
    if not below.any():
        return t.F.sum(axis=1), []
    kinds = [str(k) for k in dict.fromkeys(t.final_kind) if below[:, t.final_kind == k].any()]
    where = list(dict.fromkeys(str(t.regions[i]) for i in np.flatnonzero(below.any(axis=1))))
    share = -below.sum() / t.F.clip(min=0.0).sum()
    what = f"final demand is below zero in {listed(kinds)} of {listed(where)}: {share:.2%} of all final demand, counted as 0"
    remedy = "nothing: stocks that run down once cannot supply every year of a plan"
    return t.F.clip(min=0.0).sum(axis=1), [Finding("economy-negative-demand", what, t.source, remedy, "warning")]


def _money(t: IOTable, unit: str | None) -> float:
    written = unit or t.unit
    if written == "as-input":
        finding = Finding("economy-without-unit", "the table does not say what it is measured in", t.source, 'give unit = "10k-yuan"')
        raise InputError(finding, "economy")
    try:
        return conversion(written, "100m-yuan")
    except ValueError as error:
        raise InputError(Finding("bad-unit", str(error), t.source, "give a unit of money in yuan"), "economy") from error
