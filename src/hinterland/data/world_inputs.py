"""The raw inputs of a simulated world: the statistics from which its indicators are computed, made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import polars as pl

from hinterland.data.panel import Panel
from hinterland.data.world_economy import Economy, accounts_frame, draw_economy, initial_frame, national_frame
from hinterland.data.world_employment import Ints, draw_employment, employment_frame, industries_frame, national_employment_frame
from hinterland.data.world_flows import Drawn, draw_flows, flows_frame, links_frame, owners_frame
from hinterland.data.world_patents import patents_frame

INPUTS = (
    "prices",
    "employment",
    "employment_national",
    "industries",
    "accounts",
    "accounts_national",
    "capital_initial",
    "patents",
    "flows",
    "links",
    "owners",
)
"""Names of the tables, in this order."""


class Inputs(Mapping[str, pl.DataFrame]):
    """Raw inputs of a world as it happened; see ``docs/explanation/world.md`` for every column.

    * ``prices``: retail price indices by province, year and good;
    * ``employment``, ``employment_national``, ``industries``: persons by city, year and industry, the nation's, and the industries' names;
    * ``accounts``, ``accounts_national``, ``capital_initial``: output, investment and labour by city and year, the nation's totals, and the stock of the first year;
    * ``patents``: inventions with their IPC symbols;
    * ``flows``, ``links``, ``owners``: investment projects between provinces by industry and year, the ownership links that they are, and the owners' seats.

    A table is made the first time it is asked for, from the panel and the seed.
    """

    def __init__(self, panel: Panel, prices: pl.DataFrame, seed: int, patents: int, effect: float) -> None:
        self._panel, self._prices, self._seed, self._most, self._effect = panel, prices, seed, patents, effect
        self._made: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in self._made:
            self._made[name] = self._makers()[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(INPUTS)

    def __len__(self) -> int:
        return len(INPUTS)

    def __contains__(self, name: object) -> bool:
        return name in INPUTS

    def __repr__(self) -> str:
        return f"Inputs({', '.join(INPUTS)})"

    def _makers(self) -> dict[str, Callable[[], pl.DataFrame]]:
        panel = self._panel
        return {
            "prices": lambda: self._prices,
            "employment": lambda: employment_frame(panel, self._employment[0]),
            "employment_national": lambda: national_employment_frame(panel, self._employment[1]),
            "industries": industries_frame,
            "accounts": lambda: accounts_frame(panel, self._economy, self._seed),
            "accounts_national": lambda: national_frame(panel, self._economy),
            "capital_initial": lambda: initial_frame(panel, self._economy),
            "patents": lambda: patents_frame(panel, self._seed, self._most),
            "flows": lambda: flows_frame(self._flows),
            "links": lambda: links_frame(self._flows, panel, self._seed),
            "owners": lambda: owners_frame(self._flows, panel),
        }

    @cached_property
    def _economy(self) -> Economy:
        return draw_economy(self._panel, self._seed)

    @cached_property
    def _employment(self) -> tuple[Ints, Ints]:
        return draw_employment(self._panel, self._economy, self._seed)

    @cached_property
    def _flows(self) -> Drawn:
        return draw_flows(self._panel, self._seed, self._effect)
