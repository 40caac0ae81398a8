"""A small economy from which industry moved, known by construction, and a study of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

STUDY = """
[study]
title = "Moves"
language = "both"
[transfer]
source = "jobs.csv"
columns = { region = "province", industry = "sector", time = "year", value = "jobs" }
hosts = ["四川", "重庆"]
sources = ["上海", "广东"]
periods = [2005, 2010]
groups = "kinds.csv"
min_years = 6
policies = { zones = 2008 }
"""
IO = """
[[transfer.io]]
source = "io.csv"
layout = "long"
year = 2005
estimate = true
deflators = "prices.csv"
prices = "constant 2010"
[[transfer.io]]
source = "io.csv"
layout = "long"
year = 2010
estimate = true
deflators = "prices.csv"
prices = "constant 2010"
"""
PLACES = ["上海", "广东", "江苏", "四川", "重庆", "贵州", "云南", "湖北"]
SECTORS = ["cars", "food", "steel", "cloth", "chips", "paper"]


def jobs() -> pl.DataFrame:
    """Cells of six years: a tenth of Shanghai's and Guangdong's jobs of 2005 goes to Sichuan and Chongqing every year."""
    rng = np.random.default_rng(0)
    start = {p: {s: float(rng.integers(200, 2000)) * (rng.random() < 0.75) for s in SECTORS} for p in PLACES}
    rows = []
    for year in range(2005, 2011):
        gone = 0.1 * (year - 2005)
        for p in PLACES:
            for s in SECTORS:
                arrived = gone * (start["上海"][s] + start["广东"][s]) / 2 if p in ("四川", "重庆") else 0.0
                kept = (1 - gone) if p in ("上海", "广东") else 1.0
                rows.append((p, s, year, start[p][s] * kept * (1 + 0.01 * rng.standard_normal()) + arrived))
    return pl.DataFrame(rows, schema=["province", "sector", "year", "jobs"], orient="row")


def io_long(year: int) -> pl.DataFrame:
    """Tables of single provinces with margins of trade that agree: 2005 lacks Chongqing, and has provinces and sectors in another order."""
    rng = np.random.default_rng(year)
    regions = ["广东", "上海", "四川"] if year == 2005 else ["四川", "重庆", "上海", "广东"]
    sectors = ["steel", "cars"] if year == 2005 else ["cars", "steel"]
    rows: list[tuple[int, str, str, str, float]] = []
    for i, r in enumerate(regions):
        for s in sectors:
            uses = {t: float(rng.integers(5, 20)) for t in sectors}
            out, into = (10.0, 4.0) if i == 0 else (2.0, 10.0 / (len(regions) - 1) + 2.0 - 4.0 / (len(regions) - 1))
            final = float(rng.integers(60, 90))
            output = sum(uses.values()) + final + out - into
            rows += [(year, r, s, t, v) for t, v in uses.items()]
            rows += [(year, r, s, k, v) for k, v in {"FU101": final, "outflow": out, "inflow": into, "output": output}.items()]
    frame = pl.DataFrame(rows, schema=["year", "region", "sector", "other_sector", "value"], orient="row")
    return pl.concat([frame, _value_added(frame, sectors)])


def _value_added(frame: pl.DataFrame, sectors: list[str]) -> pl.DataFrame:
    inputs = (
        frame.filter(pl.col("other_sector").is_in(sectors))
        .group_by("year", "region", pl.col("other_sector").alias("s"))
        .agg(pl.col("value").sum())
    )
    output = frame.filter(other_sector="output").select("year", "region", pl.col("sector").alias("s"), made="value")
    joined = inputs.join(output, on=["year", "region", "s"]).sort("region", "s")
    return joined.select("year", "region", sector=pl.lit("VA001"), other_sector="s", value=pl.col("made") - pl.col("value"))


def write_moves(folder: Path, text: str) -> Path:
    """The study and its tables in ``folder``."""
    jobs().write_csv(folder / "jobs.csv")
    kinds = ["capital", "labour", "capital", "labour", "technology", "labour"]
    pl.DataFrame({"sector": SECTORS, "group": kinds}).write_csv(folder / "kinds.csv")
    pl.concat([io_long(2005), io_long(2010)]).write_csv(folder / "io.csv")
    prices = [(r, y, p) for r in PLACES for y, p in ((2005, 0.8), (2010, 1.0))]
    pl.DataFrame(prices, schema=["region", "year", "value"], orient="row").write_csv(folder / "prices.csv")
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path
