"""Pages of planning that are written from the source: the mathematics of the model, and what a case may hold."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.labels import catalogue, label
from hinterland.plan.constraints import FAMILIES, Family, described
from hinterland.plan.objectives import AIMS
from hinterland.plan.schema import ParameterSpec, columns_of, tables
from hinterland.plan.settings import Settings

_MODEL_HEAD = """# The planning model

What `hl.plan` solves: every family of constraints as its source file states it, one sentence, rows, unit and formula for each block of rows. Symbols are those
of the [explanation](../explanation/planning.md). A row that *gives way* has a slack at a price, so that an ambition which cannot be met is answered by which
constraint, where, when and by how much, and never by "infeasible".

A *cell* is a region and an industry. `departures` and `arrivals` are defined by the moves on arcs, and nothing else of the model mentions arcs: a move that is not
in the model can be priced from two duals.
"""


def model_page() -> str:
    """``planning-model.md``."""
    parts = [_MODEL_HEAD, "## Objectives\n", *(_aim(a) for a in AIMS)]
    parts += [_family(f) for f in sorted(FAMILIES, key=lambda f: int(f.id[1:]))]
    return "\n".join(parts)


def _aim(name: str) -> str:
    aim = AIMS[name]
    way = "less is better" if aim.sign > 0 else "more is better"
    zh = label(name, "zh", "plan.objective")
    return f"### `{name}` {zh}\n\n{aim.meaning[:1].upper()}{aim.meaning[1:]}; unit {aim.unit}, {way}.\n\n$${aim.formula}$$\n"


def _family(family: Family) -> str:
    kept = " It is accounting and cannot be left out." if family.kept else ""
    lines = [f"## {family.id}: {family.name}\n"]
    if not family.rows:
        return "\n".join(
            [*lines, "Rows of the resource that the objective of emissions counts, regional and national: see C7, whose form they have.\n"]
        )
    lines.append(f'`off = ["{family.id}"]` leaves it out.\n' if not kept else f"{kept.strip()}\n")
    for rows in family.rows:
        d = described(rows)
        zh = catalogue("zh").get(f"plan.constraint.{d.block}", "")
        lines += [f"### `{d.block}` {zh}\n", f"{d.sentence}\n", f"$${d.formula}$$\n"]
        lines += [f"* **Rows**: {d.rows}. **Unit**: {d.unit}. **Gives way**: {d.gives_way}."]
        lines += [f"\n{d.more}\n" if d.more else ""]
    return "\n".join(lines)


_CASES_HEAD = """# Cases

A case is a folder with one file for each table (`.csv`, `.parquet` or `.xlsx`), and perhaps `case.toml`; or the same tables as frames by name.
`hl.read_problem` checks all of it and reports every problem at once.

* A blank in an optional key stands for all of that dimension, and a narrower row wins over a wider one. In `limits` and `budgets` a row without region speaks of
  the nation.
* Between two years that are given values follow a straight line; after the last they stay; before the first they are the undated value, or the default.
* `paths` gives values of any parameter by place or year, over what its own table says.
* Numbers are in the unit named here, or in the one that `[units]` of `case.toml` names for the parameter.
* An empty cell of a limit means that there is no limit.
* `provenance` says for each parameter where it comes from: `observed`, `derived`, `estimated` or `illustrative`; `low` and `high` multiply the parameter in
  analyses of sensitivity. What is illustrative is marked wherever it is shown.
* A parameter by resource, skill, kind of infrastructure, instrument, agreement, gate, role, market or phase may have a row of `provenance` for each of its labels:
  `of` names them, joined by `;`, and a row without speaks of all that no other row names. `intensity` may be `derived` of carbon and `illustrative` of land.
  A parameter counts as illustrative where any part of it is.

## Settings

`[case]` of `case.toml`, or `[plan]` of a study.
"""


def cases_page() -> str:
    """``cases.md``."""
    parts = [_CASES_HEAD, _table(("Setting", "Default", "Meaning"), _settings()), "## Tables\n"]
    for spec in tables().values():
        keys = ", ".join(f"`{k}`" for k in spec.keys)
        more = f"; optional: {', '.join(f'`{k}`' for k in spec.optional_keys)}" if spec.optional_keys else ""
        needed = " **Required.**" if spec.required else ""
        parts.append(f"### `{spec.name}`\n\n{spec.meaning}.{needed} Keys: {keys}{more}.\n")
        columns = [p for p in columns_of(spec.name).values() if p.column not in spec.keys]
        if columns:
            parts.append(_table(("Column", "Unit", "Default", "Range", "Meaning", "Parameter"), (_row(p) for p in columns)))
    return "\n".join(parts)


def _settings() -> Iterator[tuple[object, ...]]:
    for name, field in Settings.model_fields.items():
        yield f"`{name}`", f"`{field.default!r}`", field.description or ""


def _row(p: ParameterSpec) -> tuple[object, ...]:
    low, high = ("" if v is None else f"{v:g}" for v in (p.low, p.high))
    span = f"{low or '-∞'} to {high or '∞'}" if low or high else ""
    default = "" if p.default is None else f"{p.default:g}" if isinstance(p.default, float) else str(p.default).lower()
    unit = {"flag": "true or false", "text": "text"}.get(p.kind, p.unit)
    return f"`{p.column}`", unit, default, span, p.meaning, f"`{p.name}`"


def _table(head: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(str(c).replace('|', chr(92) + '|') for c in row)} |" for row in rows)]) + "\n"
