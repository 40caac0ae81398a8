"""Bytes to text: which encoding a file is in, proved rather than guessed."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass

from hinterland.errors import Finding, PanelError, did_you_mean

TRIED = ("utf-8", "gb18030", "big5")
_ALIASES = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "utf-8-sig": "utf-8"}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MAGIC = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive", ".xlsx"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", ".xls"),
    (b"PAR1", "a Parquet file", ".parquet"),
    (b"<stata_dta>", "a Stata file", ".dta"),
    (b"\x1f\x8b", "a gzip archive", ".gz"),
    (b"%PDF", "a PDF document", ".pdf"),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text as UTF-8 bytes without a byte order mark, the encoding it came in, and what is to be said of it."""

    text: bytes
    encoding: str
    findings: tuple[Finding, ...] = ()


def decode(raw: bytes, encoding: str | None, source: str) -> Decoded:
    """Decode ``raw`` strictly; with ``encoding`` ``None``, by byte order mark, else UTF-8, else GB18030, else Big5.

    Raises:
        PanelError: not text; an unknown encoding; bytes that the named encoding, or every one tried, cannot decode.
    """
    _fail_if_binary(raw, source)
    if encoding is not None:
        return _decode_as(raw, encoding, source)
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), None) or _utf16_without_mark(raw)
    if marked is not None:
        return Decoded(_strict(raw, marked, source), marked)
    for name in TRIED:
        if _position_of_error(raw, name) is None:
            return Decoded(_recode(raw, name), name, () if name == "utf-8" else (_used(name, source),))
    raise PanelError(_undecodable(raw, "utf-8", source), source)


def best_text_encoding(texts: Iterable[bytes]) -> str:
    """The first of UTF-8, GB18030 that decodes all ``texts`` (each may be cut inside its last character); else CP1252."""
    whole = list(texts)
    for name in ("utf-8", "gb18030"):
        try:
            for text in whole:
                codecs.getincrementaldecoder(name)().decode(text, final=False)
        except UnicodeDecodeError:
            continue
        return name
    return "cp1252"


def decode_cut(text: bytes, encoding: str) -> str:
    """``text`` decoded, without a last character that was cut in two by a fixed-width field."""
    return codecs.getincrementaldecoder(encoding)("replace").decode(text, final=False)


def looks_like(raw: bytes) -> tuple[str, str] | None:
    """What the first bytes say the file is, and its suffix; ``None`` when they say nothing."""
    return next(((what, suffix) for magic, what, suffix in _MAGIC if raw.startswith(magic)), None)


def looks_like_text(raw: bytes) -> tuple[str, str] | None:
    """That the bytes are a text table, and its suffix; ``None`` when they hold no separator, or bytes that text does not."""
    control = any(byte < 32 and byte not in b"\t\n\r" for byte in raw)
    if control or not any(mark in raw for mark in (b",", b"\t", b";")) or b"\n" not in raw.replace(b"\r", b"\n"):
        return None
    return ("a web page", ".html") if raw.lstrip()[:1] == b"<" else ("a text table", ".csv")


def canonical(encoding: str, source: str) -> str:
    """The codec's name. Raises ``PanelError`` for an encoding that does not exist."""
    try:
        name = codecs.lookup(encoding).name
        if not isinstance("".encode(name), bytes):
            raise LookupError(name)
    except (LookupError, ValueError) as error:
        choices = ("utf-8", "gb18030", "gbk", "gb2312", "big5", "utf-16", "cp1252")
        finding = Finding("unknown-encoding", f"there is no encoding {encoding!r}", source, did_you_mean(encoding, choices))
        raise PanelError(finding, source) from error
    return _ALIASES.get(encoding.lower(), _ALIASES.get(name, name))


def _decode_as(raw: bytes, encoding: str, source: str) -> Decoded:
    name = canonical(encoding, source)
    text = _strict(raw, name, source)
    if name in ("gb18030", "big5") and not raw.isascii() and _position_of_error(raw, "utf-8") is None:
        foreign = sum(not c.isascii() for c in raw.decode("utf-8")[:1_000_000])
        if foreign >= 8:
            raise PanelError(_is_utf8(text.decode(), encoding, source), source)
    return Decoded(text, name)


def _strict(raw: bytes, name: str, source: str) -> bytes:
    if _position_of_error(raw, name) is not None:
        raise PanelError(_undecodable(raw, name, source), source)
    return _recode(raw, name)


def _recode(raw: bytes, name: str) -> bytes:
    if name == "utf-8":
        return raw.removeprefix(codecs.BOM_UTF8)
    return raw.decode(name).removeprefix("\ufeff").encode("utf-8")


def _position_of_error(raw: bytes, name: str) -> int | None:
    if raw.isascii() and name in TRIED:
        return None
    try:
        raw.decode(name)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _utf16_without_mark(raw: bytes) -> str | None:
    head = raw[:4096]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < 0.2 * len(head) / 2 or min(even, odd) > 0.1 * max(even, odd):
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _fail_if_binary(raw: bytes, source: str) -> None:
    known = looks_like(raw)
    if known is not None:
        what, suffix = known
        remedy = f"give the file its own suffix ({suffix})" if suffix != ".pdf" else "export the table to CSV or Excel"
        raise PanelError(Finding("not-text", f"the file is not text: it looks like {what}", source, remedy), source)


def _is_utf8(misread: str, encoding: str, source: str) -> Finding:
    sample = next(line for line in misread.splitlines() if not line.isascii())[:30]
    return Finding(
        "wrong-encoding", f"the file is UTF-8: read as {encoding} it says {sample!r}", source, "leave encoding out, or set it to 'utf-8'"
    )


def _used(name: str, source: str) -> Finding:
    return Finding(
        "encoding-used",
        f"the file is not UTF-8; it was read as {name}, in which every byte decodes",
        source,
        f"check the names; set encoding={name!r} to say so, or save the file as UTF-8",
        "warning",
    )


def _undecodable(raw: bytes, name: str, source: str) -> Finding:
    start = _position_of_error(raw, name) or 0
    works = [
        n for n in (*TRIED, "utf-16") if n != name and _position_of_error(raw, n) is None and (n != "utf-16" or _utf16_without_mark(raw))
    ]
    remedy = (
        f"it decodes as {' or '.join(works)}: set encoding={works[0]!r}"
        if works
        else f"neither {', '.join(TRIED)} decodes all of it: save it again as UTF-8"
    )
    line = raw.count(b"\n", 0, start) + 1
    return Finding(
        "wrong-encoding", f"byte 0x{raw[start]:02X} cannot be read as {name}", f"{source}, line {line} (byte {start + 1})", remedy
    )
