"""Units of quantities: what a column is measured in, and how one unit becomes another.

Labels in English and Chinese are under ``[unit]`` in the label files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement.

    Attributes:
        id: stable name, such as ``100m-yuan``.
        quantity: what it measures; only units of one quantity can be converted.
        factor: size in the quantity's base unit (yuan, person, tonne, square kilometre, one, kilowatt-hour, US dollar, euro, kilometre, degree).
        written: how files write it.
    """

    id: str
    quantity: str
    factor: float
    written: tuple[str, ...] = ()


_ALL = (
    Unit("yuan", "money", 1.0, ("元", "人民币元", "CNY")),
    Unit("10k-yuan", "money", 1e4, ("万元",)),
    Unit("million-yuan", "money", 1e6, ("百万元",)),
    Unit("100m-yuan", "money", 1e8, ("亿元", "100 million yuan")),
    Unit("dollar", "dollars", 1.0, ("美元", "USD")),
    Unit("10k-dollar", "dollars", 1e4, ("万美元",)),
    Unit("million-dollar", "dollars", 1e6, ("百万美元", "million USD")),
    Unit("euro", "euros", 1.0, ("欧元", "EUR")),
    Unit("million-euro", "euros", 1e6, ("百万欧元", "million EUR", "M.EUR", "M EUR")),
    Unit("person", "people", 1.0, ("人", "persons")),
    Unit("10k-person", "people", 1e4, ("万人", "10k persons")),
    Unit("tonne", "mass", 1.0, ("吨", "t")),
    Unit("10k-tonne", "mass", 1e4, ("万吨",)),
    Unit("megatonne", "mass", 1e6, ("百万吨", "Mt")),
    Unit("tce", "coal equivalent", 1.0, ("吨标准煤",)),
    Unit("10k-tce", "coal equivalent", 1e4, ("万吨标准煤",)),
    Unit("cubic-metre", "volume", 1.0, ("立方米", "m³")),
    Unit("100m-cubic-metre", "volume", 1e8, ("亿立方米",)),
    Unit("km2", "area", 1.0, ("平方公里", "平方千米", "km²")),
    Unit("hectare", "area", 0.01, ("公顷", "ha")),
    Unit("mu", "area", 1 / 1500, ("亩",)),
    Unit("per-km2", "density", 1.0, ("每平方公里",)),
    Unit("kwh", "electricity", 1.0, ("千瓦时", "kWh")),
    Unit("10k-kwh", "electricity", 1e4, ("万千瓦时",)),
    Unit("100m-kwh", "electricity", 1e8, ("亿千瓦时",)),
    Unit("share", "ratio", 1.0, ("比重",)),
    Unit("percent", "ratio", 0.01, ("%", "百分比")),
    Unit("permille", "ratio", 0.001, ("‰",)),
    Unit("count", "number", 1.0, ("件", "个", "项")),
    Unit("10k-count", "number", 1e4, ("万件", "万个")),
    Unit("per-10k-person", "number per head", 1e-4, ("件/万人", "每万人")),
    Unit("as-input", "as given", 1.0),
    Unit("index", "index", 1.0, ("指数",)),
    Unit("log", "logarithm", 1.0, ("对数",)),
    Unit("km", "length", 1.0, ("公里", "千米", "kilometres")),
    Unit("degree", "angle", 1.0, ("度", "°")),
    Unit("10k-yuan/person", "money per head", 1e4, ("万元/人",)),
    Unit("service", "service of infrastructure", 1.0),
    Unit("1", "yes or no", 1.0),
    Unit("year", "time", 1.0, ("年", "years")),
    Unit("ratio", "multiple", 1.0, ("倍",)),
    Unit("squared-log", "squared logarithm", 1.0, ("对数平方",)),
)
UNITS: Mapping[str, Unit] = MappingProxyType({u.id: u for u in _ALL})
"""Every unit by id."""
_WRITTEN = {name.casefold(): u for u in _ALL for name in (u.id, *u.written)}


def find_unit(name: str) -> Unit:
    """The unit with this id, or written so in a file (``万元``).

    Raises:
        ValueError: no such unit.
    """
    found = _WRITTEN.get(name.strip().casefold())
    if found is None:
        raise ValueError(f"there is no unit {name!r}; units are {', '.join(UNITS)}")
    return found


def conversion(source: str, target: str) -> float:
    """The number that turns an amount in ``source`` into an amount in ``target``; a ratio of units is written ``yuan/person``.

    Raises:
        ValueError: an unknown unit, or units of different quantities.
    """
    if "/" in source and "/" in target:
        above, below = (s.split("/", 1) for s in (source, target))
        return conversion(above[0], below[0]) / conversion(above[1], below[1])
    a, b = find_unit(source), find_unit(target)
    if a.quantity != b.quantity:
        raise ValueError(f"{a.id} measures {a.quantity} and {b.id} measures {b.quantity}: one cannot be converted into the other")
    return a.factor / b.factor
