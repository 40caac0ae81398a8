"""``Table``: rows of text with spanners and notes, and the formats it can be written in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Literal

from hinterland.errors import Finding, InputError
from hinterland.report.digits import MINUS, UNBROKEN

Align = Literal["left", "right", "center"]
RowKind = Literal["body", "below", "fact", "head"]
FORMATS = (".html", ".tex", ".docx", ".md", ".csv")


@dataclass(frozen=True, slots=True)
class Heading:
    """A column: its heading, alignment, and the spanner above it (empty: none)."""

    text: str
    align: Align = "right"
    spanner: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``below``: belongs to the row above (a standard error); ``fact``: sample sizes and the like, set apart by a
    rule; ``head``: a panel heading, one cell over the whole width.
    """

    cells: tuple[str, ...]
    kind: RowKind = "body"


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people. ``title`` states what is measured; ``subtitle`` its unit, source and sample; ``notes`` stand below.

    ``paper``: what stands in its place where pages count, under the same number; the table itself where there is none.
    """

    key: str
    title: str
    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    subtitle: str = ""
    notes: tuple[str, ...] = ()
    paper: Table | None = None

    def spanners(self) -> tuple[tuple[str, int], ...]:
        """Runs of equal spanners with their width; empty if no column has one."""
        if not any(h.spanner for h in self.headings):
            return ()
        return tuple((text, len(list(run))) for text, run in groupby(h.spanner for h in self.headings))

    def to_html(self, *, bare: bool = False) -> str:
        """A ``<table>``; every text is escaped. ``bare`` leaves out caption and notes."""
        return _html(self, bare)

    def to_tex(self) -> str:
        """A booktabs ``table`` environment for pdfLaTeX or XeLaTeX (``xeCJK``/``ctex`` for Chinese text)."""
        return _tex(self)

    def to_tex_tabular(self) -> str:
        """The ``tabular`` alone, without caption and notes."""
        return "\n".join(_tex_tabular(self))

    def to_csv(self) -> str:
        """Comma-separated text: one header row, spanners joined to their columns, plain hyphen-minus in numbers."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow([f"{h.spanner}: {h.text}" if h.spanner else h.text for h in self.headings])
        writer.writerows([_plain(c) for c in (*r.cells, *[""] * (len(self.headings) - len(r.cells)))] for r in self.rows)
        return buffer.getvalue()

    def to_markdown(self) -> str:
        """A pipe table with title and notes."""
        return _markdown(self)

    def save(self, path: str | Path) -> Path:
        """Write in the format of the suffix: ``.html .tex .docx .md .csv``.

        Raises:
            InputError: the suffix is not one of these.
        """
        target = Path(path)
        if target.suffix not in FORMATS:
            raise InputError(
                Finding(
                    "unknown-format", f"a table cannot be written as {target.suffix!r}", str(target), f"choose one of {', '.join(FORMATS)}"
                ),
                "file name",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".docx":
            from hinterland.report.docx import save_table

            return save_table(self, target)
        target.write_text(self._text(target.suffix), encoding="utf-8", newline="\n")
        return target

    def _text(self, suffix: str) -> str:
        match suffix:
            case ".html":
                return self._page()
            case ".tex":
                return self.to_tex()
            case ".md":
                return self.to_markdown()
            case _:
                return "\ufeff" + self.to_csv()

    def _page(self) -> str:
        from hinterland.report.html import table_page

        return table_page(self)


def _plain(cell: str) -> str:
    return cell.replace(MINUS, "-").replace(UNBROKEN, " ")


def _html(table: Table, bare: bool) -> str:
    out = ['<table class="paper">']
    if not bare:
        sub = f'<span class="subtitle">{escape(table.subtitle)}</span>' if table.subtitle else ""
        out.append(f"<caption>{escape(table.title)}{sub}</caption>")
    out.append("<thead>")
    if spans := table.spanners():
        cells = "".join(f'<th colspan="{n}" scope="colgroup"{" class=spanner" if text else ""}>{escape(text)}</th>' for text, n in spans)
        out.append(f"<tr>{cells}</tr>")
    out.append(
        "<tr>" + "".join(f'<th scope="col" class="{h.align}">{escape(h.text)}</th>' for h in table.headings) + "</tr></thead><tbody>"
    )
    previous: RowKind | None = None
    for row in table.rows:
        out.append(_html_row(row, table.headings, "fact first" if row.kind == "fact" and previous != "fact" else row.kind))
        previous = row.kind
    out.append("</tbody>")
    if table.notes and not bare:
        notes = "".join(f"<p>{escape(n)}</p>" for n in table.notes)
        out.append(f'<tfoot><tr><td colspan="{len(table.headings)}" class="notes">{notes}</td></tr></tfoot>')
    return "\n".join([*out, "</table>"])


def _html_row(row: Row, headings: Sequence[Heading], style: str) -> str:
    if row.kind == "head":
        return f'<tr class="head"><th colspan="{len(headings)}" scope="rowgroup">{escape(row.cells[0])}</th></tr>'
    first = f'<th scope="row" class="{headings[0].align}">{escape(row.cells[0])}</th>'
    rest = "".join(f'<td class="{h.align}">{escape(c)}</td>' for h, c in zip(headings[1:], row.cells[1:], strict=True))
    return f'<tr class="{style}">{first}{rest}</tr>'


_SENTENCE, _LINE = 48, 88
"""Letters from which a cell is broken into lines in LaTeX, and letters that a line of text holds."""

_GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "pi",
    "rho",
    "sigma",
    "tau",
    "phi",
    "chi",
    "psi",
    "omega",
    "Delta",
    "Sigma",
    "Gamma",
    "Psi",
]
_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    MINUS: "$-$",
    UNBROKEN: "~",
    "–": "--",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "²": r"\textsuperscript{2}",
    "⁺": r"\textsuperscript{+}",
    "₀": r"\textsubscript{0}",
    "₁": r"\textsubscript{1}",
    "√": r"$\surd$",
    "°": r"\textdegree{}",
    "∞": r"$\infty$",
    "…": r"\ldots{}",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "M\u0304": r"$\bar{M}$",
    **{letter: f"$\\{name}$" for letter, name in zip("αβγδεζηθκλμνπρστφχψωΔΣΓΨ", _GREEK, strict=True)},
}
_TEX_PATTERN = re.compile("|".join(re.escape(c) for c in _TEX))


def tex_escape(text: str) -> str:
    """``text`` with every character that LaTeX would interpret escaped; CJK characters pass through."""
    return _TEX_PATTERN.sub(lambda m: _TEX[m.group()], text)


def _tex_cells(cells: Sequence[str]) -> str:
    return " & ".join(_guarded(tex_escape(c)) for c in cells) + r" \\"


def _guarded(cell: str) -> str:
    # A row that begins with "[" would be read as the optional argument of the "\\" before it.
    return f"{{{cell}}}" if cell.startswith("[") else cell


def _tex(table: Table) -> str:
    out = [
        r"% needs: \usepackage{booktabs,threeparttable}; for Chinese text also \usepackage{xeCJK} (XeLaTeX)",
        r"\begin{table}[htbp]",
        r"\centering",
        r"\begin{threeparttable}",
    ]
    out += [rf"\caption{{{tex_escape(table.title)}}}", rf"\label{{tab:{table.key}}}", *_tex_tabular(table)]
    notes = [n for n in (table.subtitle, *table.notes) if n]
    if notes:
        out += [r"\begin{tablenotes}[flushleft]\footnotesize", *[rf"\item {tex_escape(n)}" for n in notes], r"\end{tablenotes}"]
    return "\n".join([*out, r"\end{threeparttable}", r"\end{table}"]) + "\n"


def _tex_tabular(table: Table) -> list[str]:
    spec = "".join(_tex_column(table, k) for k in range(len(table.headings)))
    out = [rf"\begin{{tabular}}{{{spec}}}", r"\toprule"]
    if spans := table.spanners():
        out += _tex_spanners(spans)
    out += [_tex_cells([h.text for h in table.headings]), r"\midrule"]
    previous: RowKind | None = None
    for row in table.rows:
        if (row.kind == "fact" and previous not in ("fact", None)) or (row.kind == "head" and previous is not None):
            out.append(r"\midrule")
        if row.kind == "head":
            out.append(rf"\multicolumn{{{len(table.headings)}}}{{l}}{{\textit{{{tex_escape(row.cells[0])}}}}} \\")
        else:
            out.append(_tex_cells(row.cells))
        previous = row.kind
    return [*out, r"\bottomrule", r"\end{tabular}"]


def _tex_column(table: Table, k: int) -> str:
    """The alignment of a column; columns of sentences are broken into lines and share the room that the others leave."""
    widths = [max(map(letters, (h.text, *(r.cells[j] for r in table.rows if r.kind != "head")))) for j, h in enumerate(table.headings)]
    told = [h.align == "left" and w > _SENTENCE for h, w in zip(table.headings, widths, strict=True)]
    if not told[k]:
        return table.headings[k].align[0]
    others = sum(w for w, sentence in zip(widths, told, strict=True) if not sentence)
    room = 1 - others / _LINE - 0.025 * len(widths)
    return rf"p{{{max(0.2, room / sum(told)):.2f}\linewidth}}"


def letters(text: str) -> int:
    """The width of a text in Latin letters; a Chinese character is as wide as two."""
    return sum(2 if c > "\u2e80" else 1 for c in text)


def _tex_spanners(spans: Sequence[tuple[str, int]]) -> list[str]:
    cells, rules, start = [], [], 1
    for text, width in spans:
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{tex_escape(text)}}}")
        if text:
            rules.append(rf"\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [" & ".join(cells) + r" \\", "".join(rules)]


def _markdown(table: Table) -> str:
    def cells(values: Sequence[str]) -> str:
        return "| " + " | ".join(v.replace("|", r"\|").replace("\n", " ") for v in values) + " |"

    marks = {"left": ":---", "right": "---:", "center": ":---:"}
    out = [f"**{table.title}**", ""]
    if table.subtitle:
        out += [table.subtitle, ""]
    out += [
        cells([f"{h.spanner}: {h.text}" if h.spanner else h.text for h in table.headings]),
        cells([marks[h.align] for h in table.headings]),
    ]
    for row in table.rows:
        padded = (f"*{row.cells[0]}*", *[""] * (len(table.headings) - 1)) if row.kind == "head" else row.cells
        out.append(cells(padded))
    if table.notes:
        out += ["", *[f"{n}  " for n in table.notes]]
    return "\n".join(out).rstrip() + "\n"
