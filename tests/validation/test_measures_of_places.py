"""Indicators that test where activity is: plants beside chance, distances, location quotients, spatial autocorrelation, Markov chains beside neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recording import Recorder
from scipy.sparse import csr_array
from scipy.special import ndtr

from hinterland.measure.agglomeration import bootstrap_cutoffs, location_quotient, standardised_location_quotient
from hinterland.measure.duranton_overman import KDensity, duranton_overman
from hinterland.measure.k_density import points
from hinterland.measure.lisa import local_moran
from hinterland.measure.markov import Cut
from hinterland.measure.moran import Draws, geary, moran, weight_moments
from hinterland.measure.plants import ellison_glaeser, pairwise_coagglomeration
from hinterland.measure.spatial_markov import classified, homogeneity, permuted
from hinterland.measure.weights import from_pairs, row_standardised

pytestmark = pytest.mark.validate

REPLICATIONS = 1000
Floats = NDArray[np.float64]


def employment(rng: np.random.Generator, shares: Floats, together: Floats, plants: int, count: int) -> tuple[Floats, Floats]:
    """[count, R, I] employment and [count, I] Herfindahl indices of plants.

    One place is drawn for all industries, and each plant stands there with probability ``together`` [I], otherwise where chance
    has it: two plants of i and j share a place, beyond chance, with the product of the two.
    """
    industries = len(together)
    star = rng.choice(len(shares), (count, 1, 1), p=shares)
    own = rng.choice(len(shares), (count, industries, plants), p=shares)
    place = np.where(rng.random((count, industries, plants)) < together[:, None], star, own)
    size = rng.lognormal(0, 1, place.shape)
    cell = (np.arange(count)[:, None, None] * len(shares) + place) * industries + np.arange(industries)[:, None]
    jobs = np.bincount(cell.ravel(), size.ravel(), minlength=count * len(shares) * industries).reshape(count, len(shares), industries)
    return jobs, (size**2).sum(-1) / size.sum(-1) ** 2


def test_ellison_glaeser(validated: Recorder) -> None:
    """γ = 0, 0.05, 0.3, and co-agglomeration of each pair, which is the root of the product."""
    rng = np.random.default_rng(61)
    shares = rng.dirichlet(np.full(31, 3.0))
    gamma = np.array([0.0, 0.05, 0.3])
    jobs, herfindahl = employment(rng, shares, np.sqrt(gamma), 40, 10_000)
    size = np.broadcast_to(shares, jobs.shape[:2])
    found, pair = ellison_glaeser(jobs, herfindahl, size).gamma, pairwise_coagglomeration(jobs, size)
    where = "40 plants in 31 regions, sizes log-normal"
    for i, true in enumerate(gamma):
        validated("measures", "ellison-glaeser", where, seed=61).bias(found[:, i] - true, f"γ = {true:g}")
    rows = validated("measures", "co-agglomeration", where, seed=61)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        rows.bias(pair[:, i, j] - np.sqrt(gamma[i] * gamma[j]), f"γ = {gamma[i]:g} with γ = {gamma[j]:g}")
    jobs, herfindahl = employment(rng, shares, np.zeros(10), 40, 2000)
    own = ellison_glaeser(jobs, herfindahl).gamma[:, 0]
    rows = validated("measures", "ellison-glaeser", f"{where}; beside the total of ten such industries", seed=61)
    rows.bias(own, "γ = 0", within=0.5, reason="small sample")


def test_duranton_overman(validated: Recorder) -> None:
    """Industries whose plants stand at sites drawn at random, and one half of whose plants is in the middle of the town."""
    rng = np.random.default_rng(62)
    sites = np.vstack([rng.uniform(0, 500, (300, 2)), rng.normal(250, 40, (300, 2))])
    every = points(*sites.T, "planar")
    near = np.argsort(np.hypot(*(sites - 250).T))[:100]
    for plants, weighted in ((20, False), (60, False), (20, True)):
        found: dict[str, list[KDensity]] = {"both": [], "each": [], "clustered": []}
        for r in range(300 if weighted else 500):
            chosen = rng.choice(len(sites), plants, replace=False)
            jobs = rng.lognormal(0, 1, plants) if weighted else None
            others = rng.choice(np.setdiff1d(np.arange(len(sites)), near), plants // 2, replace=False)
            together = np.concatenate([rng.choice(near, plants - plants // 2, replace=False), others])
            options: dict[str, Any] = {"weights": jobs, "draws": 299, "seed": r, "steps": 50}
            found["both"].append(duranton_overman(every.take(chosen), every, **options))
            found["clustered"].append(duranton_overman(every.take(together), every, **options))
            if not weighted:
                found["each"].append(duranton_overman(every.take(chosen), every, hold="each", **options))
        where = f"{plants} plants at 600 sites, half of them in one town{'; by employment' if weighted else ''}"
        validated("measures", "duranton-overman", where, variant="bands hold together", seed=62).size([leaves(f) for f in found["both"]])
        rows = validated(
            "measures", "duranton-overman", f"{where}; half the industry is in its middle", variant="bands hold together", seed=62
        )
        rows.power([f.localisation_index > 0 for f in found["clustered"]], (0.2 if plants == 20 else 0.8, 1), "localised")
        if found["each"]:
            rows = validated("measures", "duranton-overman", where, variant="each band holds", seed=62)
            rows.size([f.localisation_index > 0 for f in found["each"]], "localised")
            rows.rate("error rate", [leaves(f) for f in found["each"]], "either", within=(0.05, 0.12))


def leaves(found: KDensity) -> bool:
    return found.localisation_index > 0 or found.dispersion_index > 0


def test_standardised_location_quotients(validated: Recorder) -> None:
    """Regions alike but for chance: each cut-off marks about a twentieth of them, so that nearly every industry has agglomerations."""
    rng = np.random.default_rng(63)
    for regions in (31, 285):
        size = rng.lognormal(8, 0.5, (REPLICATIONS, regions, 1))
        jobs = rng.poisson(size * rng.dirichlet(np.full(10, 5.0), REPLICATIONS)[:, None, :]).astype(np.float64)
        z = standardised_location_quotient(location_quotient(jobs))[:, :, :1]
        above = {"bootstrapped": z[:, :, 0] > bootstrap_cutoffs(z, draws=199), "normal": ndtr(-z[:, :, 0]) < 0.05}
        where = f"{regions} regions that differ by chance only"
        for name, marked in above.items():
            rows = validated("measures", "standardised-location-quotient", where, variant=f"{name} cut-off", seed=63)
            rows.size(marked.mean(axis=1), "share of regions marked")
            rows = validated("failures", "standardised-location-quotient", where, variant=f"{name} cut-off", seed=63)
            rows.rate("error rate", marked.any(axis=1), "industries with a region marked", within=(0.5, 1), reason="known failure")
    tails = np.exp(rng.normal(0, 1, (REPLICATIONS, 285, 1)))
    marked = ndtr(-standardised_location_quotient(tails)[:, :, 0]) < 0.05
    validated("measures", "standardised-location-quotient", "285 regions, log-normal quotients", variant="normal cut-off", seed=63).size(
        marked.mean(axis=1), "share of regions marked"
    )


def lattice(side: int) -> csr_array:
    """Cells of a square that share an edge, rows that add up to one."""
    cell = np.arange(side * side).reshape(side, side)
    a, b = np.concatenate([cell[:, :-1].ravel(), cell[:-1].ravel()]), np.concatenate([cell[:, 1:].ravel(), cell[1:].ravel()])
    return row_standardised(from_pairs(a, b, side * side))


@pytest.mark.parametrize("shape", ["normal", "log-normal"])
def test_global_autocorrelation(shape: str, validated: Recorder) -> None:
    """No dependence, then y = 0.4 Wy + ε."""
    rng = np.random.default_rng(64)
    side = 6
    weights = lattice(side)
    n, moments = side * side, weight_moments(weights)
    spread = np.linalg.inv(np.eye(n) - 0.4 * weights.toarray())
    for name, statistic in (("moran", moran), ("geary", geary)):
        alone, tied = [], []
        for r in range(2000):
            e = rng.normal(size=n)
            y, near = (e, spread @ e) if shape == "normal" else (np.exp(e), np.exp(spread @ e))
            alone.append(statistic(y, weights, Draws(199, r), moments))
            if shape == "normal":
                tied.append(statistic(near, weights, Draws(199, r), moments))
        where = f"{n} cells of a square, {shape}"
        validated("measures", name, where, variant="permutation", seed=64).size([f.p_permutation <= 0.05 for f in alone])
        validated("measures", name, where, variant="normal", seed=64).size([f.p_value <= 0.05 for f in alone])
        if tied:
            validated("measures", name, f"{where}; dependence 0.4", variant="permutation", seed=64).power(
                [f.p_permutation <= 0.05 for f in tied], (0.3, 0.9)
            )


def square_neighbours(side: int) -> csr_array:
    """Cells of a square and those up to two steps away."""
    near = lattice(side)
    return row_standardised(csr_array((near @ near + near).multiply(1 - np.eye(side * side)) > 0).astype(float))


def test_local_moran(validated: Recorder) -> None:
    """West, a block of high cells; east, as many of them in random places: a cell of the east with neighbours in the east has no cluster around it."""
    rng = np.random.default_rng(65)
    side = 10
    weights = square_neighbours(side)
    cell = np.arange(side * side)
    west, block = cell % side < side // 2, (cell % side < side // 2) & (cell // side < side // 2)
    null = ~west & (weights @ west.astype(float) == 0)
    found: dict[str, list[Any]] = {name: [] for name in ("one", "some", "false", "hits", "far")}
    for r in range(800):
        alone = local_moran(rng.normal(size=side * side), weights, Draws(4999, r))
        found["one"].append(alone.p_value[r % (side * side)] <= 0.05)
        found["some"].append(bool((alone.q_value <= 0.05).any()))
    for r in range(300):
        y, high, draws = rng.normal(size=side * side), block.copy(), Draws(4999, r)
        high[~west] = rng.permutation(block[west])
        chosen = local_moran(y + 3 * high, weights, draws).q_value <= 0.05
        found["false"].append(float((chosen & null).sum() / max(chosen.sum(), 1)))
        found["hits"].append(float(chosen[block].mean()))
        found["far"].append(bool((local_moran(y + 3 * block, weights, draws).q_value <= 0.05)[~west].any()))
    where = "100 cells of a square, up to 12 neighbours"
    validated("measures", "local-moran", where, variant="not adjusted", seed=65).size(found["one"], "one region")
    validated("measures", "local-moran", where, variant="fdr", seed=65).rate(
        "error rate", found["some"], "any, no dependence", within=(0, 0.07)
    )
    rows = validated("measures", "local-moran", f"{where}; high ones in a block west, scattered east", variant="fdr", seed=65)
    rows.rate("error rate", found["false"], "share of discoveries that are false", within=(0, 0.05))
    rows.rate("power", found["hits"], "share of the block that is found", within=(0.1, 1))
    rows = validated("failures", "local-moran", f"{where}; high ones in a block west, none east", variant="fdr", seed=65)
    rows.rate("error rate", found["far"], "any of the east, which chance alone varies", within=(0.07, 1), reason="known failure")


@dataclass
class Rejected:
    """Whether each p-value of homogeneity is at most 5 %, by replication."""

    chi_ratio: list[bool] = field(default_factory=list)
    chi_pearson: list[bool] = field(default_factory=list)
    exchange: list[bool] = field(default_factory=list)
    lag_only: list[bool] = field(default_factory=list)

    def add(self, y: Floats, weights: csr_array, seed: int) -> None:
        found = classified(y, weights, Cut(3))
        test = homogeneity(found.counts())
        self.chi_ratio.append(test.p_likelihood_ratio <= 0.05)
        self.chi_pearson.append(test.p_pearson <= 0.05)
        self.exchange.append(permuted(y, weights, found, draws=99, seed=seed).p_likelihood_ratio <= 0.05)
        self.lag_only.append(permuted(y, weights, found, draws=99, seed=seed, scheme="lag-only").p_likelihood_ratio <= 0.05)


@pytest.mark.parametrize("own", [0.0, 1.5])
def test_spatial_markov_chain(own: float, validated: Recorder) -> None:
    """Neighbours that do not matter: regions alike, then regions with levels of their own, which the χ² test takes for the neighbours' doing."""
    rng = np.random.default_rng(66)
    side, years = 8, 12
    weights = lattice(side)
    tests = Rejected()
    for r in range(1500):
        y = np.empty((years, side * side))
        y[0] = rng.normal(0, 1 / np.sqrt(1 - 0.6**2), side * side)
        for t in range(1, years):
            y[t] = 0.6 * y[t - 1] + rng.normal(size=side * side)
        tests.add(np.exp(0.3 * (y + rng.normal(0, own, side * side))), weights, r)
    where = f"64 regions, {years} years, 3 classes{'; regions have levels of their own' if own else ''}"
    for variant, rejected in (("χ², likelihood ratio", tests.chi_ratio), ("χ², Pearson", tests.chi_pearson)):
        if own:
            rows = validated("failures", "spatial-markov-chain", where, variant=variant, seed=66)
            rows.size(rejected, within=(0.1, 1), reason="known failure")
        else:
            validated("measures", "spatial-markov-chain", where, variant=variant, seed=66).size(rejected)
    for variant, rejected in (("permutation, exchange", tests.exchange), ("permutation, lag-only", tests.lag_only)):
        validated("measures", "spatial-markov-chain", where, variant=variant, seed=66).size(rejected)


def test_homogeneity_of_chains(validated: Recorder) -> None:
    """True Markov chains in three strata, alike: χ² where rows are full and where they are nearly empty."""
    rng = np.random.default_rng(67)
    p = np.array([[0.8, 0.15, 0.05], [0.15, 0.7, 0.15], [0.05, 0.15, 0.8]])
    for moves in (20, 100):
        counts = rng.multinomial(moves, p, (5000, 3, 3)).astype(np.float64)
        found = [homogeneity(c) for c in counts]
        where = f"neighbours of three classes, chains alike, {moves} moves from each class"
        few: dict[str, Any] = {"within": (0.01, 0.12), "reason": "small sample"} if moves < 100 else {}
        for variant, name in (("χ², likelihood ratio", "p_likelihood_ratio"), ("χ², Pearson", "p_pearson")):
            validated("measures", "spatial-markov-chain", where, variant=variant, seed=67).size(
                [getattr(f, name) <= 0.05 for f in found], **few
            )
