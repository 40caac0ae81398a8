"""Files of every format to a :class:`~hinterland.data.table.Table`: paths, corruption, sheets, Stata encodings."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hinterland.data.delimited import column_names, drop_blank_rows, find_header, header_skipped, parse_delimited
from hinterland.data.encoding import best_text_encoding, canonical, decode, decode_cut, looks_like, looks_like_text
from hinterland.data.panel import Column
from hinterland.data.table import Table, numbered
from hinterland.errors import Finding, PanelError, did_you_mean, listed

TEXT = (".csv", ".tsv", ".txt")
EXCEL = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
SUFFIXES = (*TEXT, *EXCEL, ".dta", ".parquet", ".pq")


def read_file(path: Path, encoding: str | None = None, sheet: str | int | None = None) -> Table:
    """Read a file by its suffix.

    Raises:
        PanelError: no such file, unknown suffix, corrupt file, wrong encoding, unknown sheet.
    """
    _fail_if_no_file(path)
    suffix = _suffix(path)
    if suffix in TEXT:
        return parse_delimited(decode(_bytes(path), encoding, path.name), path.name)
    if suffix in EXCEL:
        return _read_excel(path, sheet)
    if suffix == ".dta":
        return _read_stata(path, encoding)
    return _read_parquet(path)


def _suffix(path: Path) -> str:
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    suffix = inner.suffix.lower()
    if suffix not in SUFFIXES or (inner is not path and suffix not in TEXT):
        what = f"files that end in {''.join(path.suffixes[-2:]) or 'no suffix'!r} cannot be read"
        remedy = f"save the table as one of {', '.join(SUFFIXES)}; text files may be compressed (.csv.gz)"
        raise PanelError(Finding("unknown-format", what, str(path), remedy), path.name)
    return suffix


def _fail_if_no_file(path: Path) -> None:
    if path.is_file():
        _fail_if_closed(path)
        return
    if path.is_dir():
        names = sorted(p.name for p in path.iterdir() if p.suffix.lower() in (*SUFFIXES, ".gz"))
        remedy = f"name a file in it: {listed(names, 8)}" if names else "name a file; this folder holds no table"
        raise PanelError(Finding("not-a-file", f"{path.name!r} is a folder", str(path), remedy), path.name)
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    if folder != path.parent:
        missing = path.parent.relative_to(folder).parts[0]
        siblings = [p.name for p in folder.iterdir() if p.is_dir()]
        what, remedy = f"there is no folder {missing!r} in {folder}", did_you_mean(missing, siblings)
    else:
        what, remedy = f"there is no file {path.name!r}", did_you_mean(path.name, sorted(p.name for p in folder.iterdir() if p.is_file()))
    raise PanelError(Finding("no-such-file", what, str(path), remedy), path.name)


def _fail_if_closed(path: Path) -> None:
    try:
        with path.open("rb"):
            return
    except OSError as error:
        what = f"the file cannot be opened: {error.strerror}"
        raise PanelError(Finding("unreadable-file", what, str(path), "check its permissions"), path.name) from error


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix.lower() == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise _corrupt(path, f"the file cannot be read: {error}") from error


def _corrupt(path: Path, what: str) -> PanelError:
    with path.open("rb") as file:
        head = file.read(4096)
    known = looks_like(head) or looks_like_text(head)
    size = path.stat().st_size
    if size == 0:
        return PanelError(
            Finding("empty-file", "the file is empty (0 bytes)", str(path), "check the path, or export the file again"), path.name
        )
    if known is not None and not path.name.lower().endswith(known[1]) and not (known[1] == ".xlsx" and _suffix(path) in EXCEL):
        readable = known[1] in (*SUFFIXES, ".gz")
        remedy = (
            f"its content looks like {known[0]}: {f'give it the suffix {known[1]}' if readable else 'export the table to CSV or Excel'}"
        )
    else:
        remedy = "the file is damaged or not of this format: export or download it again"
    return PanelError(Finding("corrupt-file", what, str(path), remedy), path.name)


def _read_parquet(path: Path) -> Table:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _corrupt(path, f"the file cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return Table(frame, path.name, numbered(frame.height), {n: Column(f"{path.name}:{n}") for n in frame.columns})


def _read_excel(path: Path, sheet: str | int | None) -> Table:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        chosen = _sheet(book.sheet_names, sheet, path)
        head = book.load_sheet(chosen, header_row=None, dtypes="string", n_rows=25).to_polars()
        if head.is_empty():
            what, remedy = f"sheet {chosen!r} is empty", f"choose another sheet: {listed(book.sheet_names, 8)}"
            raise PanelError(Finding("empty-file", what, str(path), remedy), path.name)
        record = find_header(head.rows())
        cells = head.row(record)
        frame = book.load_sheet(chosen, header_row=None, skip_rows=record + 1, schema_sample_rows=None).to_polars()
        mixed = pl.String in frame.dtypes
        exact = book.load_sheet(chosen, header_row=None, skip_rows=record + 1, dtypes="float").to_polars() if mixed else frame
    except fastexcel.FastExcelError as error:
        raise _corrupt(path, f"the file cannot be read as Excel: {str(error).splitlines()[0]}") from error
    width = max(frame.width, len(cells))
    frame, exact = _widen(frame, width), _widen(exact, width)
    used = [i for i in range(width) if (i < len(cells) and cells[i]) or frame[:, i].null_count() < frame.height]
    names, findings = column_names([cells[i] if i < len(cells) else None for i in used], record + 1, path.name)
    frame, exact = frame[:, used], exact[:, used]
    frame.columns = exact.columns = list(names)
    source = path.name if len(book.sheet_names) == 1 else f"{path.name}[{chosen}]"
    columns = {n: Column(f"{source}:{n}") for n in names}
    notes = (*findings, *header_skipped(record, source), *_other_sheets(book.sheet_names, sheet, chosen, source))
    return drop_blank_rows(Table(frame, source, numbered(frame.height, record + 2), columns, notes, typed=False, exact=exact))


def _widen(frame: pl.DataFrame, width: int) -> pl.DataFrame:
    frame.columns = [f"c{i}" for i in range(frame.width)]
    return frame.with_columns(pl.lit(None, dtype=pl.String).alias(f"c{i}") for i in range(frame.width, width))


def _sheet(names: list[str], sheet: str | int | None, path: Path) -> str:
    if isinstance(sheet, int) and not 0 <= sheet < len(names):
        what = f"there is no sheet number {sheet}: sheets are counted from 0 to {len(names) - 1}"
        raise PanelError(Finding("unknown-sheet", what, str(path), f"choose one of: {listed(names, 20)}"), path.name)
    if isinstance(sheet, str) and sheet not in names:
        remedy = f"{did_you_mean(sheet, names)} (sheets: {listed(names, 20)})"
        raise PanelError(Finding("unknown-sheet", f"there is no sheet {sheet!r}", str(path), remedy), path.name)
    return sheet if isinstance(sheet, str) else names[sheet or 0]


def _other_sheets(names: list[str], sheet: str | int | None, chosen: str, source: str) -> tuple[Finding, ...]:
    if sheet is not None or len(names) == 1:
        return ()
    what = f"the workbook has {len(names)} sheets; the first, {chosen!r}, was read"
    return (Finding("first-sheet", what, source, f"name the sheet: {listed(names, 8)}", "warning"),)


def _read_stata(path: Path, encoding: str | None) -> Table:
    import pyreadstat

    chosen = None if encoding is None else canonical(encoding, path.name)
    recode = _is_before_unicode(path) or chosen not in {None, "utf-8"}
    read: Callable[..., Any] = pyreadstat.read_dta
    try:
        try:
            frame, meta = read(path, output_format="polars", encoding="ISO-8859-1" if recode else None)
        except UnicodeDecodeError:
            recode = True
            frame, meta = read(path, output_format="polars", encoding="ISO-8859-1")
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError, OSError) as error:
        raise _corrupt(path, f"the file cannot be read as Stata: {str(error) or type(error).__name__}") from error
    labels, values = meta.column_names_to_labels, meta.variable_value_labels
    if not recode:
        return _stata_table(path, frame, labels, values, ())
    texts = [t.encode("latin-1") for t in _stata_texts(frame, labels, values)]
    if chosen is not None:
        _fail_if_stata_encoding_wrong(texts, chosen, path)
    best = chosen or best_text_encoding(texts)
    return _recoded(path, frame, labels, values, best, ascii_only=all(t.isascii() for t in texts))


def _is_before_unicode(path: Path) -> bool:
    """Whether the file is older than version 118, the first whose text is UTF-8 by definition."""
    with path.open("rb") as file:
        head = file.read(40)
    return not head.startswith(b"<stata_dta>") or b"<release>117<" in head


def _stata_texts(frame: pl.DataFrame, labels: Mapping[str, str | None], values: Mapping[str, Mapping[Any, str]]) -> list[str]:
    texts = [*frame.columns, *(v or "" for v in labels.values()), *(t for v in values.values() for t in v.values())]
    return texts + [t for c in frame.columns if frame.schema[c] == pl.String for t in frame[c].unique().drop_nulls()]


def _fail_if_stata_encoding_wrong(texts: list[bytes], encoding: str, path: Path) -> None:
    for text in texts:
        try:
            text.decode(encoding)
        except UnicodeDecodeError as error:
            if error.reason not in ("unexpected end of data", "incomplete multibyte sequence"):
                shown = decode_cut(text, encoding)[:30]
                remedy = f"leave encoding out: its text decodes as {best_text_encoding(texts)}"
                finding = Finding("wrong-encoding", f"text {shown!r} cannot be read as {encoding}", str(path), remedy)
                raise PanelError(finding, path.name) from error


def _recoded(
    path: Path,
    frame: pl.DataFrame,
    labels: Mapping[str, str | None],
    values: Mapping[str, Mapping[Any, str]],
    encoding: str,
    *,
    ascii_only: bool,
) -> Table:
    def text(latin: str) -> str:
        return decode_cut(latin.encode("latin-1"), encoding)

    for column in [c for c, t in frame.schema.items() if t == pl.String]:
        old = frame[column].unique().drop_nulls()
        if not all(v.isascii() for v in old):
            frame = frame.with_columns(pl.col(column).replace_strict(old, [text(v) for v in old], default=None, return_dtype=pl.String))
    frame = frame.rename({c: text(c) for c in frame.columns})
    labels = {text(c): text(v or "") for c, v in labels.items()}
    values = {text(c): {k: text(v) for k, v in pairs.items()} for c, pairs in values.items()}
    if ascii_only:
        return _stata_table(path, frame, labels, values, ())
    what = f"the file is of a Stata version that does not record its encoding; its text was read as {encoding}"
    finding = Finding(
        "encoding-used", what, path.name, "check the names; set encoding to say so, or save the file with Stata 14 or later", "warning"
    )
    return _stata_table(path, frame, labels, values, (finding,))


def _stata_table(
    path: Path,
    frame: pl.DataFrame,
    labels: Mapping[str, str | None],
    values: Mapping[str, Mapping[Any, str]],
    findings: tuple[Finding, ...],
) -> Table:
    columns = {n: Column(f"{path.name}:{n}", label=labels.get(n) or "", values=dict(values.get(n, {}))) for n in frame.columns}
    return Table(frame, path.name, numbered(frame.height), columns, findings)
