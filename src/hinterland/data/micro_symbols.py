"""Patents' symbols of the International Patent Classification to knowledge width: how spread over main groups each patent is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hinterland.data.micro_cells import Cells, Raw, finished
from hinterland.data.micro_keys import Key, staged
from hinterland.data.micro_reduce import MAX_EXAMPLES, Engine, opened_with, whole_counts
from hinterland.data.micro_source import Reader, from_arrow
from hinterland.errors import Finding, listed

if TYPE_CHECKING:
    import narwhals as nw

_SYMBOL = r"^[A-H]\d\d[A-Z]\d{1,4}/\d{2,6}$"


@dataclass(frozen=True, slots=True)
class Symbols:
    """A table with one row per patent and symbol.

    Attributes:
        source: the rows;  patent, symbol: its columns;  keys: of region and year.
        multiplicity: ``symbols`` weighs a main group by how many of the patent's symbols lie in it, ``groups`` counts each once.
    """

    source: Any
    patent: str
    symbol: str
    keys: tuple[Key, ...]
    multiplicity: str


def widths(symbols: Symbols, engine: Engine) -> Cells:
    """Cells of region × year: patents, and the sum of their widths 1 − Σ_g (k_g/s)², k_g of a patent's s symbols lying in main group g."""
    with engine.reading() as reader:
        frame, schema, name, computed = _opened(reader, symbols)
        raw = reader.collect(_by_cell(_by_patent(_by_group(frame, schema, symbols), symbols), symbols))
    bad, none = int(raw["_bad"].sum()), int((raw["n"] - raw["width_n"]).sum())
    findings = [_malformed(symbols, engine, bad, none, name)] if bad else []
    raw = whole_counts(raw.drop("_bad"), ["width"])
    return finished(Raw(raw, symbols.keys, ("width",), computed, tuple(findings)))


def _opened(reader: Reader, symbols: Symbols) -> tuple[nw.LazyFrame[Any], Mapping[str, Any], str, str]:
    opened = opened_with(reader, symbols.source, (symbols.patent, symbols.symbol, *(k.column for k in symbols.keys)))
    return opened.frame, dict(opened.frame.collect_schema()), opened.name, opened.engine


def _clean(column: str) -> nw.Expr:
    """Symbols without blanks, the edition in brackets (``G06F 17/30(2006.01)I``), and the filled group of some files (``G06F-017/30``)."""
    import narwhals as nw

    return nw.col(column).cast(nw.String).str.to_uppercase().str.replace_all(r"\s|\(.*$|-0*", "")


def _by_group(frame: nw.LazyFrame[Any], schema: Mapping[str, Any], symbols: Symbols) -> nw.LazyFrame[Any]:
    """Distinct symbols counted by patent and main group; the group is null where the symbol is none."""
    import narwhals as nw

    names = [k.name for k in symbols.keys]
    labels = {k.name: staged(k, schema[k.column]) for k in symbols.keys}
    distinct = frame.select(**labels, _patent=nw.col(symbols.patent), _symbol=_clean(symbols.symbol)).unique()
    text = nw.col("_symbol")
    grouped = distinct.with_columns(_group=nw.when(text.str.contains(_SYMBOL)).then(text.str.replace_all("/.*$", "")))
    return grouped.group_by(*names, "_patent", "_group").agg(_k=nw.len())


def _by_patent(groups: nw.LazyFrame[Any], symbols: Symbols) -> nw.LazyFrame[Any]:
    import narwhals as nw

    names = [k.name for k in symbols.keys]
    none = nw.col("_group").is_null()
    k = nw.col("_k").cast(nw.Float64) if symbols.multiplicity == "symbols" else nw.lit(1.0)
    counted = groups.with_columns(_bad=nw.when(none).then(nw.col("_k")).otherwise(0), _k=nw.when(none).then(0.0).otherwise(k))
    counted = counted.with_columns(_k2=nw.col("_k") * nw.col("_k"))
    sums = counted.group_by(*names, "_patent").agg(_s=nw.col("_k").sum(), _s2=nw.col("_k2").sum(), _bad=nw.col("_bad").sum())
    total = nw.when(nw.col("_s") > 0.0).then(nw.col("_s"))
    return sums.with_columns(width=1.0 - nw.col("_s2") / (total * total))


def _by_cell(patents: nw.LazyFrame[Any], symbols: Symbols) -> nw.LazyFrame[Any]:
    import narwhals as nw

    width = nw.col("width")
    sums = {"width": width.sum(), "width_squares": (width * width).sum(), "width_n": width.count(), "_bad": nw.col("_bad").sum()}
    return patents.group_by(*(k.name for k in symbols.keys)).agg(n=nw.len(), **sums)


def _malformed(symbols: Symbols, engine: Engine, bad: int, none: int, name: str) -> Finding:
    """Symbols that are none, with examples, which take another pass."""
    import narwhals as nw

    with engine.reading() as reader:
        frame, *_ = _opened(reader, symbols)
        texts = frame.select(nw.col(symbols.symbol).cast(nw.String).alias("text"), clean=_clean(symbols.symbol))
        strange = texts.filter(~texts_are_symbols()).group_by("text").agg(rows=nw.len())
        shown = from_arrow(strange.sort("rows", "text", descending=[True, False]).head(MAX_EXAMPLES))
    what = f"{bad} symbol(s) have no main group and are left out; {none} patent(s) have no other"
    where = f"{name}, column {symbols.symbol!r}: {listed(shown['text'].fill_null('').to_list())}"
    remedy = "give full symbols such as G06F 17/30; design patents have none and belong elsewhere"
    return Finding("symbol-malformed", what, where, remedy, "warning")


def texts_are_symbols() -> nw.Expr:
    """Whether the column ``clean`` is a full symbol; a missing one is not."""
    import narwhals as nw

    return nw.when(nw.col("clean").is_null()).then(nw.lit(value=False)).otherwise(nw.col("clean").str.contains(_SYMBOL))
