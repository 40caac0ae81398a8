"""Where parameters come from, by label: what rows speak of, what is wrong with them, and what their ranges do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from cases import every, tiny

import hinterland as hl
from hinterland.plan.distributions import Distribution, from_provenance
from hinterland.plan.model import build
from hinterland.plan.provenance import SCHEMA, illustrative, named, scope
from hinterland.plan.scaling import beyond, scalable, scaled
from hinterland.plan.schema import FURTHER, labels_in, parameters
from hinterland.plan.solve import solve

Row = tuple[str, str | None, str]


def documented(*rows: Row, low: float = 0.9, high: float = 1.1) -> dict[str, pl.DataFrame]:
    """The case with every table, and these rows of provenance: parameter, of, basis; all with one range."""
    frame = pl.DataFrame(rows, schema={c: SCHEMA[c] for c in ("parameter", "of", "basis")}, orient="row")
    return {**every(), "provenance": frame.with_columns(low=pl.lit(low), high=pl.lit(high))}


CONTINUOUS = {"off": ("C11", "C13")}
"""Without agreements and steps of size nothing is whole, so that optima are exact."""
MIXED: Sequence[Row] = (
    ("intensity", "carbon", "observed"),
    ("intensity", "land", "illustrative"),
    ("wage", "trained", "illustrative"),
    ("wage", None, "estimated"),
    ("demand", None, "estimated"),
)


@pytest.fixture(scope="module")
def mixed() -> hl.Problem:
    return hl.read_problem(documented(*MIXED), settings=CONTINUOUS)


@pytest.fixture(scope="module")
def mixed_plan(mixed: hl.Problem) -> hl.Plan:
    return hl.plan(mixed)


def test_no_parameter_has_two_further_dimensions() -> None:
    """A label is of one dimension only; and every parameter of resources, skills and so on has labels to speak of."""
    assert [p.name for p in parameters().values() if len(set(p.dims) & set(FURTHER)) > 1] == []
    assert {n: parameters()[n].further for n in ("intensity", "labour", "stock", "response", "gate_value", "release_share", "demand")} == {
        "intensity": "resource",
        "labour": "skill",
        "stock": "kind",
        "response": "instrument",
        "gate_value": "gate",
        "release_share": "phase",
        "demand": None,
    }


def test_rows_are_kept_with_their_labels(mixed: hl.Problem) -> None:
    assert mixed.provenance.columns == list(SCHEMA)
    assert mixed.provenance.select("parameter", "of", "basis").rows() == list(MIXED)
    assert mixed.findings == ()


def test_a_table_without_the_column_speaks_of_whole_parameters(every_problem: hl.Problem) -> None:
    assert every_problem.provenance["of"].to_list() == [None, None]
    assert scope(every_problem, "response", None) == {}


def test_a_row_without_labels_speaks_of_what_no_other_names(mixed: hl.Problem) -> None:
    assert scope(mixed, "intensity", "carbon") == {"resource": ("carbon",)}
    assert scope(mixed, "wage", None) == {"skill": ("plain",)}
    assert scope(mixed, "demand", None) == {}
    assert scope(mixed, "transmission.uptake.growth", None) == {}
    assert labels_in(" carbon ; land;") == ("carbon", "land")
    assert named("limit", "carbon; land") == "limit:carbon;land"


@pytest.mark.parametrize(
    ("rows", "code", "what", "remedy"),
    [
        ([("intensity", "carbn", "observed")], "unknown-label", "there is no resource 'carbn'", "did you mean 'carbon'?"),
        ([("labour", "carbon", "observed")], "unknown-label", "there is no skill 'carbon'", "choose one of: 'plain', 'trained'"),
        ([("market_growth", "see", "observed")], "unknown-label", "there is no market 'see'", "did you mean 'sea'?"),
        ([("release_share", "four", "observed")], "unknown-label", "there is no phase 'four'", "choose one of: 'one', 'two', 'three'"),
        (
            [("capacity", "chips", "observed")],
            "key-too-many",
            "capacity has no labels to speak of, such as 'chips'",
            "leave the column empty",
        ),
        (
            [("intensity", "carbon", "observed"), ("intensity", "carbon", "derived")],
            "duplicate-row",
            "several rows for 'intensity, carbon'",
            "keep one row for each",
        ),
        (
            [("demand", None, "observed"), ("demand", None, "derived")],
            "duplicate-row",
            "several rows for 'demand, all'",
            "keep one row for each",
        ),
        (
            [("intensity", "carbon", "observed"), ("intensity", "land;carbon", "derived")],
            "duplicate-row",
            "several rows for intensity of 'carbon'",
            "name each label in one row",
        ),
        (
            [("intensity", "carbon;land", "observed"), ("intensity", None, "derived")],
            "row-of-nothing",
            "every resource of intensity has a row of its own",
            "remove that row",
        ),
    ],
)
def test_what_is_wrong_with_labels_is_named(rows: list[Row], code: str, what: str, remedy: str) -> None:
    with pytest.raises(hl.InputError) as raised:
        hl.read_problem(documented(*rows))
    found = [f for f in raised.value.findings if f.code == code and what in f.what]
    assert [(f.remedy, f.severity) for f in found] == [(remedy, "error")], raised.value.findings
    assert found[0].where.startswith("provenance")


def test_a_basis_that_is_none_and_a_range_without_the_value_are_named() -> None:
    """A misspelt basis would lose its mark; a factor range beside 1 would not hold the parameter as it is."""
    frame = pl.DataFrame(
        {
            "parameter": ["demand", "capex", "transport", "operating_cost"],
            "basis": ["ilustrative", "observed", "derived", "illustrative"],
            "low": [0.9, 1.1, None, 0.8],
            "high": [1.1, 1.2, 0.9, None],
        }
    )
    with pytest.raises(hl.InputError) as raised:
        hl.read_problem({**tiny(), "provenance": frame})
    assert [(f.code, f.what) for f in raised.value.findings] == [
        ("unknown-basis", "'demand': there is no basis 'ilustrative'"),
        ("bad-range", "capex reaches from 1.1 to 1.2 of itself"),
        ("bad-range", "transport reaches from 1 to 0.9 of itself"),
    ]


def test_labels_of_a_case_without_their_table_are_unknown() -> None:
    frame = pl.DataFrame({"parameter": ["intensity", "release_share"], "of": ["carbon", "second"], "basis": ["observed"] * 2})
    with pytest.raises(hl.InputError) as raised:
        hl.read_problem({**tiny(), "provenance": frame})
    assert [(f.code, f.what) for f in raised.value.findings] == [("unknown-label", "there is no resource 'carbon'")]


def test_a_parameter_that_is_illustrative_in_part_is_marked_with_the_part(mixed: hl.Problem, mixed_plan: hl.Plan) -> None:
    assert illustrative(mixed.provenance) == ["intensity:land", "wage:trained"]
    note = next(n for n in mixed_plan.notes if n.code == "plan-illustrative")
    assert "2 parameters are illustrative and not estimated: intensity:land, wage:trained." in note.text("en")


def test_labels_alone_are_scaled(mixed: hl.Problem) -> None:
    """Land twice as much, carbon to the bit what it was; what has no value cannot be scaled, and only these labels leave the range."""
    land = {"resource": ("land",)}
    changed = scaled(mixed, "intensity", 2.0, land)
    np.testing.assert_array_equal(changed["intensity"].sel(resource="carbon"), mixed["intensity"].sel(resource="carbon"))
    np.testing.assert_allclose(changed["intensity"].sel(resource="land"), 2 * mixed["intensity"].sel(resource="land"))
    assert scalable(mixed, "intensity", land) == "scaled"
    assert scalable(mixed, "improvement", land) == "absent"
    assert scalable(mixed, "training_share", {"skill": ("plain",)}) == "absent"
    assert beyond(mixed, "public", 1.1, {"kind": ("transport",)})
    assert not beyond(mixed, "public", 1.1, {"kind": ("park",)})


def test_the_cost_of_moves_follows_the_factor_of_one_agreement(mixed: hl.Problem) -> None:
    """Moves under the agreement that is named cost twice as much, all others what they did."""
    one = scaled(mixed, "cost_factor", 2.0, {"enclave": ("east-hill",)})
    under = mixed.links["arc.enclave"] == list(mixed.index["enclave"]).index("east-hill")
    assert under.any() and not under.all()
    np.testing.assert_allclose(one["arc_cost"].values, mixed["arc_cost"].values * np.where(under, 2.0, 1.0))


def by_hand(table: str, column: str, labels: dict[str, str], factor: float) -> hl.Plan:
    """The plan of the case in whose table some rows are multiplied before it is read."""
    case = documented(*MIXED)
    rows = pl.all_horizontal(pl.col(k) == v for k, v in labels.items())
    changed = case[table].with_columns(pl.when(rows).then(pl.col(column) * factor).otherwise(pl.col(column)).alias(column))
    return hl.plan(hl.read_problem({**case, table: changed}, settings=CONTINUOUS))


def test_a_range_of_one_label_is_that_of_solving_the_changed_table(mixed_plan: hl.Plan) -> None:
    """Carbon and land are varied apart, each as if its rows of the table had been multiplied; optima are exact to 1e-7 of their size."""
    found = hl.sensitivities(mixed_plan, exact=["intensity:carbon", "intensity:land"])
    rows = {(r["parameter"], r["of"]): r for r in found.effects.iter_rows(named=True)}
    assert set(rows) == {(p, of) for p, of, _ in MIXED}
    assert {k: r["basis"] for k, r in rows.items()} == {(p, of): b for p, of, b in MIXED}
    base = mixed_plan.solution.objective
    for label, end, factor in (("carbon", "high", 1.1), ("land", "low", 0.9)):
        again = by_hand("intensities", "value", {"resource": label}, factor)
        assert rows["intensity", label][f"exact_{end}"] == pytest.approx(again.solution.objective - base, abs=1e-7 * base), (label, end)
    assert rows["intensity", "carbon"]["exact_high"] != pytest.approx(rows["intensity", "land"]["exact_high"], rel=0.1)
    assert rows["wage", "trained"]["exact_high"] is None
    solved = found.outputs.select("parameter", "of").unique().sort("of").rows()
    assert solved == [("intensity", "carbon"), ("intensity", "land")]
    assert repr(found).endswith("2 solved again)")


@pytest.mark.parametrize(("name", "labels"), [("intensity", ("carbon", "land")), ("wage", ("trained", None))])
def test_first_order_effects_of_labels_add_up_to_that_of_the_whole(mixed_plan: hl.Plan, name: str, labels: tuple[str | None, ...]) -> None:
    """The derivative by a factor on all labels is the sum of those by a factor on each; and each is that of solving again."""
    found = hl.sensitivities(mixed_plan, exact=0).effects
    parts = {of: found.filter((pl.col("parameter") == name) & pl.col("of").eq_missing(pl.lit(of)))["first_order_high"][0] for of in labels}
    whole = replace(mixed_plan.problem, provenance=mixed_plan.problem.provenance.clear())
    one = pl.DataFrame(
        {"parameter": [name], "of": [None], "low": [0.9], "high": [1.1]}, schema={c: SCHEMA[c] for c in ("parameter", "of", "low", "high")}
    )
    plan = replace(mixed_plan, problem=replace(whole, provenance=pl.concat([whole.provenance, one], how="diagonal")))
    total = hl.sensitivities(plan, exact=0).effects["first_order_high"][0]
    assert sum(parts.values()) == pytest.approx(total, rel=1e-6)
    for of, effect in parts.items():
        step = 1e-4
        labels_of = scope(mixed_plan.problem, name, of)
        models = (build(scaled(mixed_plan.problem, name, 1 + s * step, labels_of), like=mixed_plan.model) for s in (-1, 1))
        down, up = (solve(m.program).objective for m in models)
        assert effect == pytest.approx(0.1 * (up - down) / (2 * step), rel=1e-4, abs=1e-6), of


def test_names_that_are_solved_again(mixed_plan: hl.Plan) -> None:
    """A parameter means all of its rows, a label only its own; a part that has no row is named with what there is."""
    found = hl.sensitivities(mixed_plan, exact=["wage"]).outputs.select("parameter", "of").unique().sort("of", nulls_last=False).rows()
    assert found == [("wage", None), ("wage", "trained")]
    with pytest.raises(hl.InputError, match="did you mean 'intensity:land'"):
        hl.sensitivities(mixed_plan, exact=["intensity:lnd"])


def test_ranges_become_distributions_of_labels(mixed: hl.Problem) -> None:
    found = from_provenance(mixed, kind="uniform")
    assert found == (
        Distribution("intensity", "uniform", 0.9, 1.1, of={"resource": ("land",)}),
        Distribution("wage", "uniform", 0.9, 1.1, of={"skill": ("trained",)}),
    )
    rest = from_provenance(mixed, kind="uniform", basis=("estimated",))
    assert [(d.parameter, dict(d.of)) for d in rest] == [("wage", {"skill": ("plain",)}), ("demand", {})]
