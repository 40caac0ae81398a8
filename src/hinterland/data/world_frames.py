"""The tables of a simulated world: what an analyst sees, and the potential outcomes behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hinterland.data.cohorts import NEVER
from hinterland.data.panel import Column, Panel
from hinterland.data.world_draw import Basis
from hinterland.data.world_process import MEDIATORS

_SOURCE = "simulated world demonstration-zones"
_UNITS_OF_MEASUREMENT = {
    "adcode": "GB/T 2260 code (synthetic units: province, dash, number)",
    "year": "calendar year",
    "inventions": "invention patents, count",
    "ln_inventions": "log points: ln(1 + inventions)",
    "quality": "mean knowledge width of inventions, 0–1",
    "citations": "citations received by the year's inventions, count",
    "agglomeration": "location quotient, 1 = national share",
    "capital_mismatch": "|τ_K|, absolute relative distortion",
    "labour_mismatch": "|τ_L|, absolute relative distortion",
    "segmentation": "relative-price variance over neighbouring provinces, squared log points (province level)",
    "segmentation_pre": "mean of segmentation before the first adoption, squared log points (province level)",
    "ln_gdp_pc": "ln of GDP per head, yuan at constant prices",
    "share2": "value added of secondary industry over GDP, 0–1",
    "ln_pop_density": "ln of residents per km²",
    "fin_dev": "(loans + deposits) over GDP",
    "fdi_share": "foreign direct investment over GDP, 0–1",
    "ln_gdp_pc_base": "ln_gdp_pc in the first year",
    "share2_base": "share2 in the first year",
    "lon": "degrees east, WGS84",
    "lat": "degrees north, WGS84",
    "first_treat": "first treated year, null = never in the window; partly covered cities included",
    "dose": "share of the unit that the policy covers once it is treated, 0–1",
    "treated": "1 from the first treated year, else 0",
}

_OBSERVED = ("inventions", "ln_inventions", "quality", "citations", *MEDIATORS)


def observed_panel(basis: Basis, outcomes: Mapping[str, NDArray[Any]]) -> Panel:
    """What an analyst would see: outcomes with the policy as it happened, moderator, controls, place, adoption."""
    market, controls = basis.market, basis.cities.controls
    frame = _identity(basis).with_columns(
        **{c: pl.Series(outcomes[f"{c}_1"].ravel()) for c in _OBSERVED},
        segmentation=pl.Series(market.value[market.place].ravel()),
        segmentation_pre=_repeated(basis, market.before[market.place]),
        **{c: pl.Series(v.ravel()) for c, v in controls.items()},
        **{f"{c}_base": _repeated(basis, controls[c][:, 0]) for c in ("ln_gdp_pc", "share2")},
    )
    who = ("adcode", "city_zh", "city_en", "province_code", "province", "macro_region", "sichuan_chongqing", "year")
    what = (
        "segmentation",
        "segmentation_pre",
        "ln_gdp_pc",
        "share2",
        "ln_pop_density",
        "fin_dev",
        "fdi_share",
        "ln_gdp_pc_base",
        "share2_base",
    )
    frame = frame.select(*who, *_OBSERVED, *what, "lon", "lat", "first_treat", "dose", "treated")
    described = {c: Column(_SOURCE, _UNITS_OF_MEASUREMENT.get(c, "")) for c in frame.columns}
    return Panel(frame, unit="adcode", time="year", coordinates=("lon", "lat"), columns=described)


def potential_frame(basis: Basis, outcomes: Mapping[str, NDArray[Any]]) -> pl.DataFrame:
    """One row per unit and year: every potential outcome, θ, maturity, exposure and the standardised moderator."""
    market = basis.market
    since = pl.col("year") - pl.col("first_treat")
    return _identity(basis).select(
        "adcode",
        "year",
        "sichuan_chongqing",
        pl.col("first_treat").alias("cohort"),
        "dose",
        pl.when(pl.col("treated") == 1).then(since).alias("event_time"),
        _repeated(basis, basis.who.sampled).alias("sampled"),
        *(pl.Series(name, value.ravel()) for name, value in outcomes.items()),
        pl.Series("theta", basis.path.theta.ravel()),
        pl.Series("maturity", basis.path.maturity.ravel()),
        pl.Series("exposure", basis.shown.ravel()),
        _repeated(basis, market.before[market.place]).alias("segmentation_pre"),
        _repeated(basis, market.z).alias("segmentation_z"),
    )


def _repeated(basis: Basis, values: NDArray[Any]) -> pl.Series:
    """A unit's value [N] in each of its rows."""
    return pl.Series(np.repeat(values, len(basis.years)))


def _identity(basis: Basis) -> pl.DataFrame:
    """The unit's description, the year and adoption, one row per unit and year."""
    who = basis.who
    n, periods = who.table.height, len(basis.years)
    missing = who.cohort == NEVER
    first = pl.Series(np.where(missing, 0, who.cohort)).replace(0, None)
    described = who.table.drop("tier").with_columns(first_treat=first, dose=pl.Series(who.dose))
    return described[np.repeat(np.arange(n), periods)].with_columns(
        year=pl.Series(np.tile(basis.years, n)), treated=pl.Series(basis.path.treated.ravel().astype(np.int8))
    )
