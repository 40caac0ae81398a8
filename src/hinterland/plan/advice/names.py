"""What a plan's labels are called, where regions are, and what the plan was made with: tables a reader of the record needs beside the numbers."""

from __future__ import annotations

import json

import polars as pl

from hinterland.plan.advice.view import View
from hinterland.plan.tables import shaped

_NAMED = ("region", "industry", "phase", "skill", "instrument", "role", "gate")
_BARE = ("kind", "resource", "market")


def labels(view: View) -> pl.DataFrame:
    """Table ``plan_labels``: every label with the names that the case gives; null where it gives none."""
    p = view.problem
    parts = [_of_table(view, dim) for dim in _NAMED]
    parts += [_bare(dim, [str(x) for x in p.index[dim]]) for dim in _BARE]
    parts.append(_enclaves(view, parts[0]))
    parts.append(_bare("group", view.groups["group"].unique(maintain_order=True).to_list()))
    return shaped("plan_labels", pl.concat(parts))


def _of_table(view: View, dim: str) -> pl.DataFrame:
    known = [str(x) for x in view.problem.index[dim]]
    table = view.problem.text[dim]
    names = [c for c in ("name_en", "name_zh") if c in table.columns]
    found = table.select(pl.col(dim).cast(pl.String).alias("id"), *names).unique("id", keep="first", maintain_order=True)
    rows = _bare(dim, known).select("dimension", "id").join(found, on="id", how="left", maintain_order="left")
    return rows.select("dimension", "id", *(c if c in names else pl.lit(None, dtype=pl.String).alias(c) for c in ("name_en", "name_zh")))


def _enclaves(view: View, regions: pl.DataFrame) -> pl.DataFrame:
    """An agreement is called by its regions, where they have names."""
    p = view.problem
    rows = _bare("enclave", [str(e) for e in p.index["enclave"]]).select("dimension", "id")
    for end in ("source", "host"):
        at = p.index["region"].to_numpy()[p.links[f"enclave.{end}"]]
        names = pl.DataFrame({"at": pl.Series([str(r) for r in at], dtype=pl.String)}).join(
            regions, left_on="at", right_on="id", how="left", maintain_order="left"
        )
        rows = rows.with_columns(names[f"name_{g}"].alias(f"{end}_{g}") for g in ("en", "zh"))
    joint = [(pl.col(f"source_{g}") + "–" + pl.col(f"host_{g}")).alias(f"name_{g}") for g in ("en", "zh")]
    return rows.with_columns(joint).select("dimension", "id", "name_en", "name_zh")


def _bare(dim: str, ids: list[str]) -> pl.DataFrame:
    empty = pl.Series([None] * len(ids), dtype=pl.String)
    return pl.DataFrame({"dimension": pl.Series([dim] * len(ids), dtype=pl.String), "id": pl.Series(ids, dtype=pl.String)}).with_columns(
        name_en=empty, name_zh=empty
    )


def places(view: View) -> pl.DataFrame:
    """Table ``plan_places``: what each region does in the plan, its names and its centre."""
    p = view.problem
    sends, receives = p["source"].values.astype(bool), p["host"].values.astype(bool)
    role = ["both" if s and h else "source" if s else "host" if h else "other" for s, h in zip(sends, receives, strict=True)]
    rows = labels(view).filter(dimension="region").select("name_en", "name_zh", region="id").with_columns(role=pl.Series(role))
    at = {c: pl.Series(p[c].values.astype(float)).fill_nan(None) for c in ("lon", "lat")}
    return shaped("plan_places", rows.with_columns(**at))


def years(view: View) -> pl.DataFrame:
    """Table ``plan_years``."""
    return shaped("plan_years", view.years)


def groups(view: View) -> pl.DataFrame:
    """Table ``plan_groups``."""
    return shaped("plan_groups", view.groups)


def provenance(view: View) -> pl.DataFrame:
    """Table ``plan_provenance``: where parameters come from and how far they may be off, as the case says."""
    return shaped("plan_provenance", view.problem.provenance)


def solver(view: View) -> pl.DataFrame:
    """Table ``plan_solver``: who answered, after which attempts, how far from the bound, and what a check without the solver found."""
    facts = {"status": view.plan.status, "aim": view.plan.objective}
    for key, value in view.plan.solver.items():
        if key == "attempts":
            facts["attempts"] = json.dumps([{k: a[k] for k in ("method", "status", "iterations")} for a in value])
        else:
            facts[key] = value if isinstance(value, str) else repr(value)
    rows, columns = view.plan.model.program.shape
    facts |= {"columns": str(columns), "rows": str(rows), "nonzeros": str(view.plan.model.program.matrix.nnz)}
    facts["binaries"] = str(int(view.plan.model.program.integral.sum()))
    return shaped("plan_solver", pl.DataFrame({"key": list(facts), "value": list(facts.values())}))


def settings(view: View) -> pl.DataFrame:
    """Table ``plan_settings``: every choice beside the tables of the case, as JSON."""
    chosen = view.problem.settings.model_dump(mode="json")
    return shaped(
        "plan_settings", pl.DataFrame({"key": list(chosen), "value": [json.dumps(v, ensure_ascii=False) for v in chosen.values()]})
    )
