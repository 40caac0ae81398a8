"""Delimited text: delimiter, header row and rows that do not fit, found before polars reads the body."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import polars as pl

from hinterland.data.encoding import Decoded
from hinterland.data.panel import Column
from hinterland.data.table import Table, numbered
from hinterland.errors import Finding, PanelError, listed

DELIMITERS = (",", "\t", ";", "|")
_HEAD_ROWS = 25


@dataclass(frozen=True, slots=True)
class Header:
    """Names of the columns, the record that holds them (from 0) and the physical line that follows it (from 0)."""

    names: tuple[str, ...]
    record: int
    next_line: int
    findings: tuple[Finding, ...]


def parse_delimited(decoded: Decoded, source: str) -> Table:
    """Read delimited text into a table whose columns are all text.

    Raises:
        PanelError: empty file, duplicated column names, rows with too many or too few cells.
    """
    text = decoded.text if b"\n" in decoded.text else decoded.text.replace(b"\r", b"\n")
    if not text.strip():
        raise PanelError(Finding("empty-file", "the file is empty", source, "check the path, or export the file again"), source)
    head = text[: 1 << 16]
    head = head if len(head) == len(text) else head[: head.rfind(b"\n") + 1]
    delimiter = _sniff(head.decode("utf-8", "ignore"))
    header = _header(head.decode("utf-8", "ignore"), delimiter, source)
    body = text[_offset(text, header.next_line) :]
    _fail_if_ragged(body, delimiter, header, source)
    names = [f"c{i}" for i in range(len(header.names))]
    frame = _read_body(body, delimiter, names, header, source)
    frame.columns = list(header.names)
    rows = numbered(frame.height, header.record + 2)
    columns = {n: Column(f"{source}:{n}") for n in header.names}
    table = Table(frame, source, rows, columns, (*decoded.findings, *header.findings), typed=False)
    return drop_blank_rows(table)


def _read_body(body: bytes, delimiter: str, names: list[str], header: Header, source: str) -> pl.DataFrame:
    schema = pl.Schema(dict.fromkeys(names, pl.String()))
    if not body.strip():
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_csv(body, has_header=False, separator=delimiter, schema=schema)
    except pl.exceptions.PolarsError as error:
        fail_if_records_differ(body, delimiter, header, source)
        reason = str(error).splitlines()[0]
        remedy = "look for an unclosed quotation mark, or export the file again"
        raise PanelError(Finding("corrupt-file", f"the file cannot be read as delimited text: {reason}", source, remedy), source) from error


def drop_blank_rows(table: Table) -> Table:
    """The table without rows in which every cell is empty, which text and Excel files often end with."""
    if not table.frame.width or not table.frame.height:
        return table
    filled = table.frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    return table if filled.all() else table.filter(filled)


def find_header(records: Sequence[Sequence[str | None]]) -> int:
    """Index of the first record that is filled at least 60 % as widely as the widest: titles above it are passed over."""
    filled = [sum(bool(cell and cell.strip()) for cell in record) for record in records]
    widest = max(filled, default=0)
    return next((i for i, n in enumerate(filled) if n and n >= 0.6 * widest), 0)


def column_names(cells: Sequence[str | None], row: int, source: str) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
    """Clean column names and warnings. Raises ``PanelError`` when a name occurs twice."""
    names = [" ".join((cell or "").replace("\ufeff", "").replace("\u200b", "").split()) for cell in cells]
    unnamed = [i for i, name in enumerate(names, 1) if not name]
    names = [name or f"column_{i}" for i, name in enumerate(names, 1)]
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        findings = [
            Finding(
                "duplicate-column",
                f"column name {name!r} occurs {names.count(name)} times (columns {listed(i for i, n in enumerate(names, 1) if n == name)})",
                f"{source}, row {row}",
                "give each column its own name",
            )
            for name in repeated
        ]
        raise PanelError(findings, source)
    if not unnamed:
        return tuple(names), ()
    what = f"{len(unnamed)} column(s) have no name: they are called {listed(f'column_{i}' for i in unnamed)}"
    return tuple(names), (Finding("unnamed-column", what, f"{source}, row {row}", "name the columns in the file", "warning"),)


def header_skipped(record: int, source: str) -> tuple[Finding, ...]:
    """The warning that rows above the header were passed over; none when the header is the first row."""
    if not record:
        return ()
    what = f"{record} row(s) above the header were passed over: row {record + 1} was taken as the header"
    return (Finding("header-row", what, source, "delete the rows above the header if this is wrong", "warning"),)


def _sniff(head: str) -> str:
    """The delimiter that gives most of the first records one width above one cell; the wider on a tie."""

    def score(delimiter: str) -> tuple[float, int]:
        try:
            widths = Counter(len(r) for r in islice(csv.reader(io.StringIO(head), delimiter=delimiter), _HEAD_ROWS) if r)
        except csv.Error:
            return 0.0, 0
        width, count = max(((w, n) for w, n in widths.items() if w > 1), key=lambda pair: pair[::-1], default=(1, 0))
        return count / max(widths.total(), 1), width

    return max(DELIMITERS, key=score)


def _header(head: str, delimiter: str, source: str) -> Header:
    reader = csv.reader(io.StringIO(head), delimiter=delimiter)
    records, ends = [], []
    try:
        for record in reader:
            records.append(record)
            ends.append(reader.line_num)
            if len(records) == _HEAD_ROWS:
                break
    except csv.Error as error:
        raise PanelError(Finding("corrupt-file", f"the header cannot be read: {error}", source, "export the file again"), source) from error
    index = find_header(records)
    cells: list[str] = records[index]
    names, findings = column_names(cells, index + 1, source)
    return Header(names, index, ends[index], (*findings, *header_skipped(index, source)))


def _offset(text: bytes, lines: int) -> int:
    position = 0
    for _ in range(lines):
        position = text.find(b"\n", position) + 1
        if position == 0:
            return len(text)
    return position


def _fail_if_ragged(body: bytes, delimiter: str, header: Header, source: str) -> None:
    """Compare the delimiters with the lines; only when they disagree, or quotes hide them, look at every record."""
    lines = body.count(b"\n") + (0 if body.endswith(b"\n") or not body else 1)
    plain = b'"' not in body
    if (plain and body.count(delimiter.encode()) == lines * (len(header.names) - 1)) or (not plain and len(body) > 1 << 27):
        return
    fail_if_records_differ(body, delimiter, header, source)


def fail_if_records_differ(body: bytes, delimiter: str, header: Header, source: str) -> None:
    """Every record has as many cells as the header; blank lines are passed over."""
    width = len(header.names)
    reader = csv.reader(io.StringIO(body.decode("utf-8")), delimiter=delimiter)
    try:
        wrong = [(i, len(record)) for i, record in enumerate(reader, header.record + 2) if len(record) != width and record]
    except csv.Error as error:
        where = f"{source}, near line {header.next_line + reader.line_num}"
        raise PanelError(Finding("corrupt-file", f"the text cannot be read: {error}", where, "export the file again"), source) from error
    if wrong:
        shown = ", ".join(f"row {i} has {n}" for i, n in wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        remedy = "quote cells that hold the delimiter, and give every row the same number of cells"
        raise PanelError(
            Finding("ragged-row", f"{len(wrong)} row(s) do not have {width} cells like the header: {shown}", source, remedy), source
        )
