"""Where micro-data lie: files read by DuckDB, Polars or Spark, or a lazy frame of any of them, all behind one interface."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import polars as pl

from hinterland.errors import Finding, InputError, did_you_mean, listed

if TYPE_CHECKING:
    import narwhals as nw

EngineName = Literal["duckdb", "polars", "spark"]
_SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that can be read: its lazy frame, and what computes.

    Attributes:
        frame: narwhals lazy frame; every column of a CSV file is text, so that codes keep their zeros.
        engine: ``duckdb``, ``polars`` or ``spark``.
        name: the source in words.
    """

    frame: nw.LazyFrame[Any]
    engine: str
    name: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Opens sources and collects results; made by :func:`reading`.

    Attributes:
        engine: what reads files. Frames bring their own engine.
        connection: of DuckDB, ``None`` for other engines.
        scratch: folder of DuckDB's spilled data and results.
    """

    engine: str
    connection: Any = None
    scratch: Path | None = None

    def open(self, source: Any) -> Opened:
        """A path, several, a pattern with ``*``, or a frame."""
        if not isinstance(source, str | Path | list | tuple):
            return _frame(source)
        files, suffix = matching(source)
        name, paths = listed([f.name for f in files], 3), [str(f) for f in files]
        if self.engine == "spark":
            native = _spark_read(paths, suffix)
        elif self.engine == "polars":
            native = pl.scan_parquet(paths) if suffix == ".parquet" else pl.scan_csv(paths, infer_schema=False)
        else:
            native = _duckdb_read(self.connection, paths, suffix)
        return Opened(_lazy(native), self.engine, name)

    def collect(self, frame: nw.LazyFrame[Any]) -> pl.DataFrame:
        """The rows of a lazy frame, and the end of this reader: DuckDB gives its memory back before the rows are read from a file.

        Raises:
            InputError: DuckDB or Polars cannot read the files to their end, or the limit is too small even with temporary files.
        """
        from narwhals.exceptions import ComputeError

        if self.scratch is None or not frame.implementation.is_duckdb():
            try:
                return from_arrow(frame)
            except ComputeError as error:
                raise InputError(unread(error)) from error
        import duckdb

        result = self.scratch / "result.parquet"
        try:
            frame.sink_parquet(result)
        except duckdb.OutOfMemoryException as error:
            what = "the reduction does not fit into its memory limit, temporary files included"
            finding = Finding("memory-limit", what, "argument memory_limit", "raise the limit, or take fewer threads")
            raise InputError(finding) from error
        except duckdb.Error as error:
            raise InputError(unread(error)) from error
        finally:
            self.connection.close()
        return pl.read_parquet(result)


def unread(error: Exception) -> Finding:
    """That an engine could not read a file."""
    what = f"a file cannot be read: {str(error).splitlines()[0]}"
    return Finding("corrupt-file", what, "argument source", "write it again as Parquet, or as CSV in UTF-8")


@contextmanager
def reading(engine: str, memory_limit: str, threads: int) -> Iterator[Reader]:
    """A reader on ``engine``. ``memory_limit`` and ``threads`` are DuckDB's, which spills to a temporary folder beyond the limit."""
    if engine not in get_args(EngineName):
        remedy = did_you_mean(str(engine), get_args(EngineName))
        raise InputError(Finding("unknown-engine", f"engine {engine!r} is not known", "argument engine", remedy))
    if engine != "duckdb":
        yield Reader(engine)
        return
    with duckdb_connection(memory_limit, threads, preserve_insertion_order=False) as (connection, folder):
        yield Reader(engine, connection, folder)


@contextmanager
def duckdb_connection(memory_limit: str, threads: int | None = None, **config: Any) -> Iterator[tuple[Any, Path]]:
    """A connection to DuckDB that spills to a temporary folder beyond its limit, and the folder; both end with the block.

    Raises:
        InputError: the limit or the number of threads is not understood.
    """
    import duckdb

    chosen = config | {"memory_limit": memory_limit} | ({} if threads is None else {"threads": threads})
    with tempfile.TemporaryDirectory(prefix="hinterland-") as folder:
        try:
            connection = duckdb.connect(config=chosen | {"temp_directory": f"{folder}/spill"})
        except duckdb.Error as error:
            said = f"memory_limit {memory_limit!r}" + ("" if threads is None else f" or threads {threads!r}")
            what = f"{said} is not understood ({str(error).splitlines()[0]})"
            raise InputError(
                Finding("unknown-value", what, "arguments", "write memory_limit such as '3GB', and threads such as 2")
            ) from error
        with connection:
            connection.execute("SET enable_progress_bar = false")  # it is drawn on standard output, among the answer
            yield connection, Path(folder)


def matching(source: str | Path | Sequence[str | Path]) -> tuple[list[Path], str]:
    """The files of a path, a pattern or a list of either, in order of name, and their suffix, which all must share."""
    wanted = [source] if isinstance(source, str | Path) else list(source)
    files = sorted({f for one in wanted for f in _matched(Path(one))})
    absent = [str(f) for f in files if not f.exists()]
    if absent or not files:
        what = f"no file matches {listed(absent)}" if absent else "no file is named"
        raise InputError(Finding("missing-file", what, "argument source", "check the path or the pattern"))
    suffixes = sorted({f.suffix.lower() for f in files})
    if len(suffixes) > 1 or suffixes[0] not in _SUFFIXES:
        what = f"micro-data have the suffix {listed(suffixes)}"
        raise InputError(Finding("unknown-format", what, listed(map(str, files), 3), "use Parquet or CSV files, all of one kind"))
    return files, suffixes[0]


def _matched(path: Path) -> list[Path]:
    """The files of a pattern; a path that is none, or matches nothing, as it is."""
    if not any(mark in str(path) for mark in "*?["):
        return [path]
    return list(Path(path.anchor).glob(str(path.relative_to(path.anchor)))) or [path]


def _duckdb_read(connection: Any, paths: list[str], suffix: str) -> Any:
    import duckdb

    try:
        if suffix == ".parquet":
            return connection.read_parquet(paths, union_by_name=True)
        return connection.read_csv(paths, all_varchar=True, header=True, union_by_name=True)
    except duckdb.Error as error:
        raise InputError(replace(unread(error), where=listed(paths, 3))) from error


def _spark_read(paths: list[str], suffix: str) -> Any:
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        what = "engine 'spark' is asked for, but there is no Spark session"
        raise InputError(Finding("no-spark-session", what, "argument engine", "start a session first, or pass a Spark data frame"))
    return session.read.parquet(*paths) if suffix == ".parquet" else session.read.csv(paths, header=True)


def _lazy(native: Any) -> nw.LazyFrame[Any]:
    """A lazy frame as it is; a frame in memory as a lazy one of Polars."""
    import narwhals as nw

    frame: Any = nw.from_native(native)
    lazy: nw.LazyFrame[Any] = nw.from_native(frame.to_polars().lazy()) if isinstance(frame, nw.DataFrame) else frame
    return lazy


def _frame(source: Any) -> Opened:
    try:
        lazy = _lazy(source)
    except TypeError as error:
        what = f"a {type(source).__name__} is neither a path nor a frame"
        finding = Finding("not-a-table", what, "argument source", "give paths, or a Polars, DuckDB or Spark frame")
        raise InputError(finding) from error
    engine = str(lazy.implementation).rsplit(".", 1)[-1].lower()
    return Opened(lazy, "spark" if engine.startswith("pyspark") else engine, "data frame")


def from_arrow(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """The rows of a lazy frame, whatever its engine."""
    out = pl.from_arrow(frame.collect("pyarrow").to_native())
    return out if isinstance(out, pl.DataFrame) else out.to_frame()


def fail_if_columns_unknown(opened: Opened, columns: Sequence[str]) -> list[Finding]:
    """Columns asked for that the source does not have."""
    have = opened.frame.collect_schema().names()
    return [
        Finding("unknown-column", f"there is no column {c!r}", f"{opened.name}: columns {listed(have, 12)}", did_you_mean(c, have))
        for c in dict.fromkeys(columns)
        if c not in have
    ]
