"""One call from tables to the anatomy of industrial transfer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from hinterland.data.io_table import IOTable
from hinterland.errors import Finding, InputError, fail_if_any
from hinterland.measure.read import OnNegative
from hinterland.transfer.bilateral import Records, fitted_flows, read_records
from hinterland.transfer.chains import read_chains
from hinterland.transfer.chronology import policy_dates
from hinterland.transfer.conditions import read_conditions
from hinterland.transfer.given import Given
from hinterland.transfer.gravity import Gravity
from hinterland.transfer.inputs import read_cells, region_names
from hinterland.transfer.parts import assembled
from hinterland.transfer.places import neighbour_table, positions_of
from hinterland.transfer.prospects import read_plans, read_scores
from hinterland.transfer.result import Transfer

__all__ = ["Transfer", "transfer"]


def transfer(
    frame: Any,
    *,
    region: str,
    industry: str,
    time: str,
    value: str,
    output: str | None = None,
    labour: str | None = None,
    capital: str | None = None,
    flows: Any = None,
    gravity: Sequence[str] | Mapping[str, Any] | None = None,
    same_unit: bool = False,
    io: IOTable | Iterable[IOTable] | None = None,
    groups: Any = None,
    periods: Sequence[int] | None = None,
    hosts: Iterable[object] | None = None,
    sources: Iterable[object] | None = None,
    places: Any = None,
    neighbours: Any = None,
    levels: Any = None,
    wages: Any = None,
    zones: Any = None,
    conditions: Any = None,
    dimensions: Mapping[str, str | Sequence[str]] | None = None,
    planned: Any = None,
    strategic: Any = None,
    green: Any = None,
    policies: Any = None,
    min_years: int = 15,
    threatened: Iterable[object] = (),
    utilisation: Any = None,
    state: str | None = None,
    suppressed: Sequence[str] = (),
    complete: bool = False,
    on_negative: OnNegative = "raise",
) -> Transfer:
    """How much industry moved, of which kind, from where to where, in which mode, what pulls it, what could come next, and how secure it is.

    Three concepts are kept apart and named in each row: net redistribution, which has no sources; flows, observed or from a model, or imputed; and potential. What
    needs an input that was not given is absent, with a note that says what to give.

    Args:
        frame: one row per region, industry and year: any data frame that narwhals knows, or the path of a file.
        region, industry, time, value: its columns; ``value`` in one unit and at constant prices, 0 or more.
        output: value added, for gradient coefficients; ``value`` where only ``labour`` is given.
        labour: employment, for gradient coefficients.
        capital: capital stock, for the improved coefficients.
        flows: observed flows: a table of ``source``, ``host``, ``value``, and the columns of industry and time under their names in ``frame``.
        gravity: columns of ``flows`` that the flows are regressed on; or options of :func:`hinterland.transfer.gravity.gravity` by name, ``terms`` among them.
        same_unit: ``flows`` are in the unit of ``value``, so that arrivals can be set against what the host had.
        io: multi-regional input-output tables of one or more years.
        groups: kinds of industry: a mapping, a table of ``industry`` and ``group``, or ``"factor-intensity"`` for the packaged groups of divisions of GB/T 4754-2017.
        periods: years between which periods are compared, first and last by default.
        hosts, sources: regions asked about, as receiving and as sending; all by default. Shares are still of what all regions send.
        places: longitude and latitude: a table of ``region``, ``lon``, ``lat``, or ``"provinces"`` or ``"cities"`` by code.
        neighbours: a table of ``region``, ``other`` and perhaps ``value``, or ``"provinces"``: for shift-share against neighbours.
        levels: development of each region, such as ln GDP per head: a table of ``region`` and ``value``; mean gradients where there are any.
        wages: a table of ``region`` and ``value``.
        zones: part of each region under a programme that undertakes transfer, 0 to 1: a table of ``region`` and ``value``.
        conditions: what may hold hosts back: a table of ``region``, perhaps the column of time, and indicators.
        dimensions: what the indicators measure: columns by dimension (``industrial-complementarity``, ``talent``, ``business-environment``,
            ``infrastructure``, ``environment``), with a minus before those of which less is better.
        strategic, green: scores of industries, 0 to 1: tables of ``industry``, perhaps ``region``, and ``value``.
        planned: industries that regions plan: a table of ``region`` and ``industry``.
        policies: first years to set beside breaks: a mapping, or a table of ``policy`` and ``year``.
        min_years: series with fewer years are not searched for breaks; below 15 they describe and test nothing.
        threatened: regions whose supply may fail.
        utilisation: share of capacity in use: a table of ``region``, ``industry``, ``value``, and perhaps ``ramp``, the share of spare capacity that runs in time.
        state, suppressed, complete, on_negative: as for :func:`hinterland.measure`.

    Raises:
        InputError: what is wrong with the inputs, all problems of each at once.
    """
    columns = _columns(region, industry, time, value, output=output, labour=labour, capital=capital)
    how: dict[str, Any] = {"state": state, "suppressed": suppressed, "complete": complete, "on_negative": on_negative}
    cells = read_cells(frame, columns, periods=periods, hosts=hosts, sources=sources, groups=groups, **how)
    regions = cells.data.labels("region").to_list()
    readers: Mapping[str, tuple[Any, Callable[[Any], Any]]] = {
        "records": (flows, lambda x: read_records(x, columns, cells)),
        "chains": (io, lambda x: read_chains(x, regions)),
        "at": (places, lambda x: positions_of(cells, x)),
        "neighbours": (neighbours, neighbour_table),
        "planned": (planned, lambda x: read_plans(x, cells)),
        "strategic": (strategic, lambda x: read_scores("strategic", x, cells)),
        "green": (green, lambda x: read_scores("green", x, cells)),
        "conditions": (conditions, lambda x: read_conditions(x, dimensions, time)),
        "policies": (policies, policy_dates),
        "threatened": (tuple(threatened) or None, lambda x: region_names("threatened", x, regions)),
    }
    plain: dict[str, Any] = {
        "levels": levels,
        "wages": wages,
        "zones": zones,
        "same_unit": same_unit,
        "utilisation": utilisation,
        "min_years": min_years,
    }
    read = _read(readers)
    return assembled(Given(cells=cells, gravity=_gravity(read["records"], gravity), **read, **plain))


def _gravity(records: Records | None, terms: Sequence[str] | Mapping[str, Any] | None) -> Gravity | None:
    """The fitted equation of the records.

    Raises:
        InputError: terms without flows, or flows on which it is not defined.
    """
    if terms is None:
        return None
    if records is None:
        what = "gravity was asked for, and there are no flows"
        raise InputError(Finding("gravity-needs-flows", what, "argument flows", "give the flows, or leave gravity out"), "transfer")
    return fitted_flows(records, terms if isinstance(terms, Mapping) else {"terms": [terms] if isinstance(terms, str) else list(terms)})


def _columns(region: str, industry: str, time: str, value: str, **more: str | None) -> dict[str, str | None]:
    """Columns by role; value added is the column analysed where only employment is named.

    Raises:
        InputError: employment is the column analysed, and nothing says what it produces.
    """
    columns = {"region": region, "industry": industry, "time": time, "value": value, **more}
    if more["labour"] is not None and more["output"] is None:
        if more["labour"] == value:
            what = f"labour is the column analysed, {value!r}, and output is not given: every productivity would be 1"
            raise InputError(Finding("output-is-labour", what, "argument output", "name the column of value added"), "transfer")
        columns["output"] = value
    return columns


def _read(readers: Mapping[str, tuple[Any, Callable[[Any], Any]]]) -> dict[str, Any]:
    """What each reader makes of its input; ``None`` where it was not given.

    Raises:
        InputError: the findings of all of them.
    """
    out: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, (source, read) in readers.items():
        try:
            out[name] = None if source is None else read(source)
        except InputError as error:
            findings += error.findings
    fail_if_any(findings, "transfer", InputError)
    return out
