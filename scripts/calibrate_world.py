"""Compute the moments of the real panels and of the simulated world, and write them to the catalogue.

    python scripts/calibrate_world.py DATA [--seeds 200]

DATA is the folder with city_patents_2007_2017, city_panel_2000_2023 and province_panel. Only moments are written:
``[calendar]`` and ``[[moment]]`` of src/hinterland/data/catalogue/world_calibration.toml, and the table in docs/explanation/world.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import tomlkit

from hinterland.data.world import simulate
from hinterland.data.world_moments import CONTROLS, control_moments, count_moments, cross_moments, price_moments, world_moments

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "src/hinterland/data/catalogue/world_calibration.toml"
PAGE = ROOT / "docs/explanation/world.md"
BEGIN, END = "<!-- calibration table: written by scripts/calibrate_world.py -->", "<!-- end of calibration table -->"
SOURCES = {
    "count": "city_patents_2007_2017: cities observed in every year 2008–2017, municipalities left out",
    "between": "city_patents_2007_2017 and city_panel_2000_2023: means of cities observed in both",
    "prices": "province_panel: overall retail price index, 31 provinces, 2008–2022",
}
MUNICIPALITIES = ["110000", "120000", "310000", "500000"]  # not among the 293
CONTROL_SOURCE = "city_panel_2000_2023: cities observed in every year 2008–2022, municipalities left out"


def grid(frame: pl.DataFrame, unit: str, value: str) -> tuple[list[str], np.ndarray]:
    """Units observed in every period, and their values [N, T]."""
    frame = frame.drop_nulls([unit, value])
    if unit == "adcode":
        frame = frame.filter(~pl.col(unit).cast(pl.String).is_in(MUNICIPALITIES))
    full = frame.filter(pl.len().over(unit) == frame["year"].n_unique()).sort(unit, "year")
    units = full[unit].unique(maintain_order=True).cast(pl.String).to_list()
    return units, full[value].to_numpy().astype(float).reshape(len(units), -1)


def real_counts(data: Path) -> tuple[list[str], np.ndarray]:
    frame = pl.read_parquet(data / "city_patents_2007_2017/city_patent_counts.parquet").rename({"pub_year": "year"})
    return grid(frame.filter(pl.col("year") >= 2008), "adcode", "n_patents")


def real_controls(data: Path) -> dict[str, tuple[list[str], np.ndarray]]:
    frame = pl.read_parquet(data / "city_panel_2000_2023/gp_merged_2007_2023.parquet").filter(pl.col("year").is_between(2008, 2022))
    names = {"ln_pgdp": "ln_gdp_pc", "secondary_share": "share2", "financial_development": "fin_dev", "fdi_openness": "fdi_share"}
    frame = frame.rename(names).with_columns(adcode=pl.col("city_code").cast(pl.Int64))
    return {c: grid(frame, "adcode", c) for c in CONTROLS}


def real_prices(data: Path) -> np.ndarray:
    frame = pl.read_parquet(data / "province_panel/rpi_overall_1951_2022.parquet").filter(pl.col("year").is_between(2008, 2022))
    return np.log(grid(frame, "province", "rpi_prev_year_100")[1] / 100)


def real_moments(data: Path) -> dict[str, float]:
    units, counts = real_counts(data)
    controls = real_controls(data)
    made = {f"count.{k}": v for k, v in count_moments(counts).items()}
    for c in CONTROLS:
        made |= {f"{c}.{k}": v for k, v in control_moments(controls[c][1]).items()}
    both = sorted(set(units).intersection(*(set(u) for u, _ in controls.values())))
    means = {"ln_count": dict(zip(units, np.log1p(counts).mean(axis=1), strict=True))}
    means |= {c: dict(zip(u, x.mean(axis=1), strict=True)) for c, (u, x) in controls.items()}
    made |= {f"between.{k}": v for k, v in cross_moments({c: np.array([m[u] for u in both]) for c, m in means.items()}).items()}
    return made | {f"prices.{k}": v for k, v in price_moments(real_prices(data)).items()}


def tolerance(name: str, value: float, sd: float) -> float:
    """Half-width of the band round the real value: 0.15 for correlations, else 15 %; but no less than 1.5 sd over seeds (25 % for medians).

    The real panel is one draw: where draws differ that much (means of skewed counts), it cannot pin the moment down further. Real log counts lean to the right, the simulated ones hardly do: hence the medians.
    """
    kind = name.rpartition(".")[2]
    floor = {"zero_share": 0.005, "median_first": 0.25 * value, "median_last": 0.25 * value}.get(kind, 0.0)
    correlation = "correlation" in kind or "persistence" in kind or kind == "slope_on_level"
    return float(f"{max(0.15 if correlation else 0.15 * abs(value), 1.5 * sd, floor):.3g}")


def simulated(seeds: int) -> dict[str, tuple[float, float]]:
    draws = [world_moments(simulate("demonstration-zones", seed=s)) for s in range(seeds)]
    return {k: (float(np.mean([d[k] for d in draws])), float(np.std([d[k] for d in draws], ddof=1))) for k in draws[0]}


def source(name: str) -> str:
    return SOURCES.get(name.partition(".")[0], CONTROL_SOURCE)


def rounded(x: float) -> float:
    return float(f"{x:.4g}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--dry", action="store_true")
    options = parser.parse_args()
    document = tomlkit.parse(CATALOGUE.read_text(encoding="utf-8"))
    _, counts = real_counts(options.data)
    path = np.log1p(counts).mean(axis=0)
    if not options.dry:
        document["calendar"]["ln_count_first"] = round(float(path[0]), 4)
        document["calendar"]["growth"] = [round(float(g), 4) for g in np.diff(path)]
        document["calendar"]["inflation"] = [round(float(x), 4) for x in real_prices(options.data).mean(axis=0)]
        CATALOGUE.write_text(tomlkit.dumps(document), encoding="utf-8")
    real, made = real_moments(options.data), simulated(options.seeds)
    table = tomlkit.aot()
    lines = ["| moment | real | simulated (sd over seeds) | tolerance | source |", "|---|---:|---:|---:|---|"]
    for name, value in real.items():
        mean, sd = made[name]
        item = tomlkit.table()
        for key, entry in {
            "id": name,
            "real": rounded(value),
            "simulated": rounded(mean),
            "sd": rounded(sd),
            "tolerance": tolerance(name, value, sd),
            "source": source(name),
        }.items():
            item[key] = entry
        table.append(item)
        lines.append(f"| `{name}` | {value:.4g} | {mean:.4g} ({sd:.2g}) | ±{tolerance(name, value, sd):.2g} | {source(name)} |")
        miss = "" if abs(mean - value) <= tolerance(name, value, sd) else "  <-- outside"
        print(f"{name:55s} {value:10.4g} {mean:10.4g} ({sd:.2g}){miss}")
    if options.dry:
        return
    document["moment"] = table
    CATALOGUE.write_text(tomlkit.dumps(document), encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(head + BEGIN + "\n" + "\n".join(lines) + "\n" + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
