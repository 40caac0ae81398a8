"""Screening keeps the best hosts of each source, and says what it left out."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.plan.scale_cases import scattered

import hinterland as hl
from hinterland.plan.screen import production_cost, rank, score, screened


def test_scores_by_hand() -> None:
    """Annuity (0.04 + δ) × cost of the arc, plus operating cost and wages × staffing at the host, less those at the source."""
    case = scattered(0)
    problem = hl.read_problem(case)
    rows = {n: case[n].to_dicts() for n in ("cells", "labour", "staffing", "industries")}
    operating = {(r["region"], r["industry"]): r["operating_cost"] for r in rows["cells"]}
    wage, staff = {r["region"]: r["wage"] for r in rows["labour"]}, {r["industry"]: r["value"] for r in rows["staffing"]}
    wear = {r["industry"]: r["depreciation"] for r in rows["industries"]}

    def unit(region: str, industry: str) -> float:
        return float(operating[region, industry] + wage[region] * staff[industry])

    cells = [str(c).split("/") for c in problem.index["cell"]]
    ends = zip(problem.links["arc.source"], problem.links["arc.host"], problem["arc_cost"].values, strict=True)
    wanted = [(0.04 + wear[cells[h][1]]) * c + unit(*cells[h]) - unit(*cells[s]) for s, h, c in ends]
    assert score(problem) == pytest.approx(wanted)
    assert production_cost(problem) == pytest.approx([unit(*c) for c in cells])


@pytest.mark.parametrize("hosts", [1, 2])
def test_the_best_hosts_are_kept(hosts: int) -> None:
    problem = hl.read_problem(scattered(1, sources=5, hosts=4))
    found = screened(problem, hosts)
    source, host = problem.links["arc.source"], problem.links["arc.host"]
    for cell in np.unique(source):
        mine = np.flatnonzero(source == cell)
        assert found.kept[mine[np.argsort(found.scores[mine])[:hosts]]].all()
    assert set(host[found.kept]) == set(host)
    extra = found.kept.sum() - hosts * len(np.unique(source))
    assert 0 <= extra <= len(np.unique(host))
    assert len(found.problem.index["arc"]) == found.kept.sum()


def test_what_was_left_out_is_said() -> None:
    problem = hl.read_problem(scattered(2, sources=5, hosts=4))
    found = screened(problem, 2)
    table = found.left_out
    assert table["arcs"].sum() == len(found.kept)
    assert table["kept"].sum() == found.kept.sum()
    left = table.filter(pl.col("best_left").is_not_null())
    assert left.height == table.filter(pl.col("kept") < pl.col("arcs")).height
    everything = screened(problem, 4)
    assert everything.kept.all()
    assert everything.left_out["best_left"].null_count() == table.height


def test_relatedness_moves_a_host_up() -> None:
    """What is related is worth more: a host that nobody chose is everybody's first."""
    problem = hl.read_problem(scattered(1, sources=5, hosts=4))
    related = pl.DataFrame({"region": ["h3"], "industry": ["g0"], "value": [1.0]})
    found = screened(problem, 1, relatedness=related, worth=10.0)
    cells = problem.index["cell"]
    into = problem.links["arc.host"] == cells.get_loc("h3/g0")
    assert found.kept[into].all()
    assert found.scores[into] == pytest.approx(score(problem)[into] - 10.0)


def test_rank_within_groups() -> None:
    groups = np.array([1, 0, 1, 0, 1])
    assert rank(groups, np.array([3.0, 1.0, 1.0, 1.0, 2.0])).tolist() == [2, 0, 0, 1, 1]
    assert rank(np.zeros(0, dtype=np.int64), np.zeros(0)).tolist() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hosts": 0}, "hosts is 0"),
        ({"hosts": 1, "worth": 1.0}, "without relatedness"),
        ({"hosts": 1, "relatedness": pl.DataFrame({"region": ["h0"], "industry": ["g0"], "value": [1.0]})}, "no worth"),
        ({"hosts": 1, "worth": 1.0, "relatedness": pl.DataFrame({"region": ["h9"], "industry": ["g0"], "value": [1.0]})}, "h9/g0"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(hl.InputError, match=message):
        screened(hl.read_problem(scattered(0)), **arguments)  # type: ignore[arg-type]


def test_arcs_of_observed_moves_are_kept() -> None:
    case = scattered(0)
    years = case["years"].with_columns(observed=case["years"]["year"] == 2026)
    plain = screened(hl.read_problem({**case, "years": years}), 1)
    lost = int(np.flatnonzero(~plain.kept)[0])
    problem = hl.read_problem({**case, "years": years})
    cells = problem.index["cell"].to_numpy()
    (source, industry), host = cells[problem.links["arc.source"][lost]].split("/"), cells[problem.links["arc.host"][lost]].split("/")[0]
    moves = pl.DataFrame({"source": [source], "host": [host], "industry": [industry], "year": [2026], "flow": [1.0]})
    assert screened(hl.read_problem({**case, "years": years, "moves": moves}), 1).kept[lost]
