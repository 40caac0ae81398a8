"""Breadth of knowledge: of patents, of portfolios, of what patents cite and of what cites them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from hinterland.errors import Finding, fail_if_any, listed
from hinterland.measure import knowledge_width as breadth
from hinterland.measure.data import Data
from hinterland.measure.entries.patent_rows import CELL, REGION, TYPE, keep_types
from hinterland.measure.indicator import Indicator, Parameter, Role
from hinterland.measure.ipc import IPC_LEVELS, read_symbols
from hinterland.measure.result import Block, Measured, block, product_of

_MODULE = "hinterland.measure.entries.breadth"


def knowledge_width(
    data: Data, *, level: str = "main-group", count: str = "multiplicity", aggregate: str = "mean", unbiased: bool = False
) -> Measured:
    """Mean or median width of a region's patents per time and region."""
    sums, findings, meta = _sums(data, level, count)
    return _summary(data, sums, aggregate=aggregate, unbiased=unbiased, findings=findings, meta=meta)


def generality(data: Data, *, level: str = "as-given", aggregate: str = "mean", unbiased: bool = False) -> Measured:
    """Mean or median breadth of the classes that cite a region's patents."""
    return _of_classes(data, level, aggregate, unbiased)


def originality(data: Data, *, level: str = "as-given", aggregate: str = "mean", unbiased: bool = False) -> Measured:
    """Mean or median breadth of the classes that a region's patents cite."""
    return _of_classes(data, level, aggregate, unbiased)


def portfolio_width(data: Data, *, level: str = "main-group") -> Measured:
    """Breadth of a region's cumulated symbols per time and region."""
    kept = _without_designs(data)
    symbols, findings, meta = _symbols(data, kept, level)
    years = data.labels("time").to_list()
    found = breadth.portfolio_width(breadth.group_counts(symbols, ["entity", *CELL])).with_columns(pl.col("region").cast(pl.String))
    keys = product_of(CELL, [data.labels(k) for k in CELL])
    rows = pl.DataFrame(keys).with_row_index("order").join(found, on=list(CELL), how="left").sort("region", "time")
    carried = rows.with_columns(pl.col("value", "stock").fill_null(strategy="forward").over("region")).sort("order")
    value, stock = carried["value"].fill_null(np.nan).to_numpy(), carried["stock"].fill_null(0).to_numpy()
    made = block(keys, value, n_used=stock, reasons={"no-patents": stock == 0})
    return Measured([made], tuple(findings), meta={**meta, "stock_from": years[0]})


def _sums(data: Data, level: str, count: str) -> tuple[pl.DataFrame, list[Finding], dict[str, Any]]:
    """``s`` and ``s2`` by patent, from symbols, from counts by group, or as given; patents without a symbol have nulls."""
    kept = _without_designs(data)
    if data.has("symbols") and data.has("squares"):
        given = kept.select(*CELL, s="symbols", s2="squares")
        fail_if_any(_square_findings(data, given), "knowledge-width")
        return given, [], {"input": "sums by patent"}
    lacking = [r for r in ("entity", "item") if not data.has(r)]
    remedy = "pass entity and item; or, for a table of sums by patent, symbols and squares"
    fail_if_any(
        [Finding("missing-role", f"knowledge-width needs a column for {r}", f"argument {r}", remedy) for r in lacking], "knowledge-width"
    )
    keys = ["entity", *CELL]
    if data.has("symbols"):
        k = pl.col("symbols") if count == "multiplicity" else (pl.col("symbols") > 0).cast(pl.Float64)
        counts = kept.select(*keys, group="item", k=k).drop_nulls("k")
        findings, meta = list[Finding](), dict[str, Any]({"input": "counts by patent and group"})
    else:
        symbols, findings, meta = _symbols(data, kept, level)
        counts = breadth.group_counts(symbols, keys, count="distinct-groups" if count == "distinct-groups" else "multiplicity")
    patents = kept.select(keys).unique()
    return patents.join(breadth.patent_sums(counts, keys), on=keys, how="left", nulls_equal=True), findings, meta


def _square_findings(data: Data, sums: pl.DataFrame) -> list[Finding]:
    """Sums of squares that no counts can have."""
    bad = sums.select(((pl.col("s2") < pl.col("s")) | (pl.col("s2") > pl.col("s") ** 2)).fill_null(value=False)).to_series().arg_true()
    if not len(bad):
        return []
    what = f"{len(bad)} sum(s) of squares are below the sum or above its square"
    return [Finding("squares-impossible", what, data.where(bad.to_list(), "squares"), "give Σk and Σk² of the same patent")]


def _symbols(data: Data, rows: pl.DataFrame, level: str) -> tuple[pl.DataFrame, list[Finding], dict[str, Any]]:
    """Rows with ``symbol`` and ``group``, and what was wrong with the symbols."""
    keys, extra = ["entity", *CELL], [c for c in ("k",) if c in rows.columns]
    if level == "as-given":
        return rows.select(*keys, *extra, symbol="item", group="item"), [], {"level": level}
    read = read_symbols(rows.select(*keys, *extra, "item"), "item", level)  # type: ignore[arg-type]  # one of the parameter's values
    findings = []
    if read.malformed.height:
        texts = read.malformed["text"].unique(maintain_order=True)
        what = f"{read.malformed.height} symbol(s) are not of the International Patent Classification, and are left out: {listed(texts)}"
        at = rows["row"].gather(read.malformed["row"].unique(maintain_order=True)).to_list()
        where = f"{data.where(at, 'item')} (rows {listed(at)}, counted from 0)"
        findings.append(Finding("ipc-malformed", what, where, "write symbols such as G06F17/30, several of them between ;", "warning"))
    meta = {"level": level, "symbols": read.rows.height, "symbols_malformed": read.malformed.height, "symbols_of_designs": read.locarno}
    return read.rows, findings, meta


def _without_designs(data: Data) -> pl.DataFrame:
    """The rows that are no design patents, with null times where there is no time, and patents and regions as categories, which is quicker."""
    frame = data.frame if data.has("time") else data.frame.with_columns(time=pl.lit(None, dtype=pl.Int64))
    frame = frame.with_columns(pl.col(k).cast(pl.Categorical) for k in ("entity", "region") if k in frame.columns)
    return frame.with_row_index("row").filter(pl.Series(keep_types(data, ("invention", "utility"))))


def _of_classes(data: Data, level: str, aggregate: str, unbiased: bool) -> Measured:
    keys = ["entity", *CELL]
    kept = _without_designs(data).with_columns(k=pl.col("symbols") if data.has("symbols") else pl.lit(1.0))
    rows, findings, meta = _symbols(data, kept, level)
    sums = breadth.patent_sums(rows.group_by(*keys, "group").agg(pl.col("k").sum()), keys)
    sums = kept.select(keys).unique().join(sums, on=keys, how="left", nulls_equal=True)
    return _summary(data, sums, aggregate=aggregate, unbiased=unbiased, findings=findings, meta=meta)


def _summary(data: Data, sums: pl.DataFrame, *, aggregate: str, unbiased: bool, findings: list[Finding], meta: dict[str, Any]) -> Measured:
    column = "width_unbiased" if unbiased else "width"
    found = breadth.by_region(breadth.width(sums), CELL, column, "median" if aggregate == "median" else "mean")
    return Measured([_cell_block(data, found)], tuple(findings), meta=meta)


def _cell_block(data: Data, found: pl.DataFrame) -> Block:
    """Every time with every region, those without patents too."""
    keys = product_of(CELL, [data.labels(k) for k in CELL])
    found = found.with_columns(pl.col("region").cast(pl.String))
    rows = pl.DataFrame(keys).join(found, on=list(CELL), how="left", nulls_equal=True, maintain_order="left")
    n, used = rows["n"].fill_null(0).to_numpy(), rows["n_used"].fill_null(0).to_numpy()
    reasons = {"no-patents": n == 0, "no-symbols": used == 0}
    return block(keys, rows["value"].fill_null(np.nan).to_numpy(), n_used=used, coverage=used / np.maximum(n, 1), reasons=reasons)


_PATENT = Role("entity", "key", "number of the patent", required=False)
_YEAR = Role("time", "time", "year of application", required=False)
_LEVEL = Parameter("main-group", IPC_LEVELS, "what counts as one class: the text before the slash (大组), or a coarser level")
_CLASS_LEVEL = Parameter("as-given", ("as-given", *IPC_LEVELS), "classes as they are, or the level of the IPC symbols in the column")
_AGGREGATE = Parameter("mean", ("mean", "median"), "over the region's patents")
_UNBIASED = Parameter(False, (False, True), "times N/(N−1), for patents with at least two symbols")


def _classes(name: str, role: str, formula: str) -> Indicator:
    return Indicator(
        id=name,
        family="innovation",
        unit="index",
        range=(0.0, 1.0),
        formula=formula,
        source="Trajtenberg, Henderson & Jaffe (1997); Hall (2005)",
        roles=(
            Role("entity", "key", "number of the patent"),
            REGION,
            _YEAR,
            Role("item", "key", role),
            Role("symbols", "number", "citations that the row stands for; 1 by default", required=False, sign="non-negative"),
        ),
        keys=CELL,
        compute=f"{_MODULE}:{name}",
        parameters={"level": _CLASS_LEVEL, "aggregate": _AGGREGATE, "unbiased": _UNBIASED},
    )


ENTRIES = (
    Indicator(
        id="knowledge-width",
        family="innovation",
        unit="index",
        range=(0.0, 1.0),
        formula=r"w_p = 1 - \sum_g \alpha_{pg}^2, \quad W_{rt} = \frac{1}{n_{rt}}\sum_{p \in r,t} w_p",
        source="Aghion et al. (2015); Akcigit et al. (2016); Zhang & Zheng (2018)",
        roles=(
            REGION,
            _YEAR,
            _PATENT,
            Role(
                "item", "key", "IPC symbol of the patent, one a row or several in a cell; or its main group, with symbols", required=False
            ),
            TYPE,
            Role(
                "symbols",
                "number",
                "symbols of the patent: in the group (with item), or in all (with squares)",
                required=False,
                sign="non-negative",
            ),
            Role("squares", "number", "sum over groups of squared symbols of the patent", required=False, sign="non-negative"),
        ),
        keys=CELL,
        compute=f"{_MODULE}:knowledge_width",
        parameters={
            "level": _LEVEL,
            "count": Parameter("multiplicity", ("multiplicity", "distinct-groups"), "weight of a group: its distinct symbols, or one"),
            "aggregate": _AGGREGATE,
            "unbiased": _UNBIASED,
        },
    ),
    Indicator(
        id="portfolio-width",
        family="innovation",
        unit="index",
        range=(0.0, 1.0),
        formula=r"1 - \sum_g \Bigl(\frac{\sum_{\tau \le t} C_{rg\tau}}{\sum_{\tau \le t} C_{r\tau}}\Bigr)^2",
        source="Li & Wang (2021)",
        roles=(
            Role("entity", "key", "number of the patent"),
            REGION,
            Role("time", "time", "year of application"),
            Role("item", "key", "IPC symbol of the patent, one a row or several in a cell"),
            TYPE,
        ),
        keys=CELL,
        compute=f"{_MODULE}:portfolio_width",
        parameters={"level": _LEVEL},
    ),
    _classes("generality", "class of a patent that cites this one", r"1 - \sum_k \Bigl(\frac{N^{citing}_{pk}}{N^{citing}_p}\Bigr)^2"),
    _classes("originality", "class of a patent that this one cites", r"1 - \sum_k \Bigl(\frac{N^{cited}_{pk}}{N^{cited}_p}\Bigr)^2"),
)
