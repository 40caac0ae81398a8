"""What the catalogue says of one indicator: its columns, its parameters, its formula and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hinterland.labels import Language, catalogue

LABEL_KEYS = ("region", "other", "industry", "other_industry", "group", "other_group", "item", "entity")
"""What a label that identifies a result may be called (``time`` beside it), in the order of tables."""
NUMBER_KEYS = ("given", "point")
"""What a number that identifies a result may be called: where along an axis (a distance, an income) the value lies, given where on another."""

Kind = Literal["key", "time", "number"]
Sign = Literal["any", "non-negative", "positive"]
Takes = Literal["whole", "number", "labels", "any"]


@dataclass(frozen=True, slots=True)
class Role:
    """One column that an indicator reads, called ``name`` in :func:`hinterland.measure`.

    Attributes:
        name: the keyword that names the column: ``region``, ``industry``, ``value``.
        kind: ``key`` (a label), ``time`` (a whole number), ``number``.
        help: what the column holds, with its unit where the formula needs one.
        required: whether the indicator can do without it.
        sign: what a number may be; anything else is a finding.
    """

    name: str
    kind: Kind
    help: str = ""
    required: bool = True
    sign: Sign = "any"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One choice of the formula: its default and, where they are few, the values it takes.

    ``table``: the value may be a data frame (a second input, such as pairs of neighbours), or the path or the name of one. ``kind``: what
    other values are, where the default does not tell: ``whole`` or any ``number``, ``labels``, ``any`` (the formula checks it). ``low``: the
    least number.
    """

    default: object
    values: tuple[object, ...] = ()
    help: str = ""
    table: bool = False
    kind: Takes | None = None
    low: float | None = None

    @property
    def takes(self) -> Takes:
        """The kind of its values: as given, or that of the default."""
        if self.kind is not None or self.table or isinstance(self.default, bool):
            return self.kind or "any"
        if isinstance(self.default, int | float):
            return "whole" if isinstance(self.default, int) else "number"
        labels = isinstance(self.default, tuple) and all(isinstance(v, str) for v in self.default)
        return "labels" if labels else "any"


@dataclass(frozen=True, slots=True)
class Indicator:
    r"""One indicator.

    Attributes:
        id: stable kebab-case name, the field's term: ``location-quotient``.
        family: ``segmentation``, ``agglomeration``, ``misallocation``, ``innovation``, ``transfer``, ``complexity``, ``structure``,
            ``composite``, ``productivity``, ``security``, ``inequality``, ``convergence``, ``spatial``.
        unit: id of a unit in :mod:`hinterland.units`.
        range: lowest and highest value; ``None`` where there is no bound.
        formula: one line of LaTeX.
        source: author (year), equation.
        roles: columns that it reads.
        keys: result keys, in order, out of ``LABEL_KEYS``, ``NUMBER_KEYS`` and ``time``.
        compute: ``module:function``, which takes the :class:`~hinterland.measure.data.Data` and the parameters by name and returns
            :class:`~hinterland.measure.result.Measured`.
        parameters: choices of the formula by name.
        components: where one indicator has several numbers, their names in column ``component``.
        units: component → id of its unit, where it is not that of the others.
        unique: roles that identify an input row; empty where rows may repeat (plants, patents).
    """

    id: str
    family: str
    unit: str
    range: tuple[float | None, float | None]
    formula: str
    source: str
    roles: tuple[Role, ...]
    keys: tuple[str, ...]
    compute: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    components: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[str, ...] = ()

    def name(self, language: Language = "en") -> str:
        """What people call it."""
        return self._said("name", language)

    def meaning(self, language: Language = "en") -> str:
        """What it says, in a sentence or two."""
        return self._said("meaning", language)

    def caution(self, language: Language = "en") -> str:
        """What goes wrong with it in practice."""
        return self._said("caution", language)

    def unit_of(self, component: str | None) -> str:
        """The unit of a component, or of the indicator."""
        return self.units.get(component or "", self.unit)

    def _said(self, what: str, language: Language) -> str:
        return catalogue(language)[f"indicator.{self.id}.{what}"]

    def role(self, name: str) -> Role | None:
        """The role of that name, if it has it."""
        return next((r for r in self.roles if r.name == name), None)
