"""Size of nominal 5 % tests under each covariance, by simulation (run by ``make validate``; the numbers are on the page of validation)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from recording import Recorder

from hinterland.data.cohorts import Cohorts
from hinterland.data.panel import Panel
from hinterland.evaluate.design import Design, make_design
from hinterland.evaluate.estimate import fit

pytestmark = pytest.mark.validate

Array = Any
Make = Callable[..., Any]
REPLICATIONS = 1000


def _design(first: Array, periods: int, columns: Mapping[str, Array], cluster: str | tuple[str, ...] = "unit") -> Design:
    """A balanced panel of ``len(first)`` units; ``first`` [N] the first treated period (0-based), or one past the last for never."""
    n = len(first)
    names = np.array([f"u{i:04d}" for i in range(n)])
    unit = np.repeat(np.arange(n), periods)
    frame = pl.DataFrame(
        {
            "unit": names[unit],
            "year": np.tile(np.arange(periods), n),
            "y": np.random.default_rng(0).normal(size=n * periods),
            **{name: values[unit] if values.ndim == 1 else values.ravel() for name, values in columns.items()},
        }
    )
    cohort = pl.Series([int(f) if f < periods else None for f in first], dtype=pl.Int64)
    table = pl.DataFrame({"unit": names, "cohort": cohort, "dose": 1.0, "excluded": False, "reason": ""})
    coordinates = ("lon", "lat") if "lon" in columns else None
    return make_design(
        Panel(frame, "unit", "year", coordinates=coordinates),
        "y",
        Cohorts(table, closed=True, source="drawn", timing="column"),
        cluster=cluster,
    )


def _rejections(design: Design, draw: Callable[[np.random.Generator], Array], kinds: Mapping[str, dict[str, Any]]) -> dict[str, list[bool]]:
    """Whether, in each replication without effect, the t test of ``treated`` rejects at 5 %."""
    rng = np.random.default_rng(1)
    rejected: dict[str, list[bool]] = {name: [] for name in kinds}
    for _ in range(REPLICATIONS):
        drawn = replace(design, y=draw(rng))
        for name, options in kinds.items():
            rejected[name].append(bool(fit(drawn, "twfe", **options).p_value[0] < 0.05))
    return rejected


@pytest.mark.parametrize(("groups", "treated"), [(10, 3), (20, 4), (50, 6)])
def test_few_unequal_clusters_few_of_them_treated(groups: int, treated: int, validated: Recorder) -> None:
    """Cluster-by-year shocks on clusters of 1 to 12 units: CR1 rejects too often, CR2 with its own degrees of freedom does not.

    CR2's degrees of freedom are those of independent errors, for which few treated clusters are worth fewer still: it is conservative.
    """
    periods = 8
    rng = np.random.default_rng(groups)
    sizes = np.maximum(np.round(12 * rng.uniform(size=groups) ** 2), 1).astype(int)
    group = np.repeat(np.arange(groups), sizes)
    first = np.where(group < treated, 3 + group % 3, periods)
    design = _design(first, periods, {"region": np.array([f"r{g:02d}" for g in group])}, "region")

    def draw(rng: np.random.Generator) -> Array:
        shock = np.cumsum(rng.normal(size=(groups, periods)), axis=1) * 0.5
        return (shock[group] + rng.normal(size=(len(group), periods))).reshape(-1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _rejections(design, draw, {"CR1": {}, "CR2": {"vcov": "CR2"}, "CR3": {"vcov": "CR3"}})
    where = f"{groups} clusters of 1 to 12 units, {treated} of them treated"
    one = validated("failures", "vcov, cluster", where, seed=1).size(found["CR1"], within=(0.09, 1), reason="known failure")
    two = validated("few clusters", "vcov, CR2", where, seed=1).size(found["CR2"], within=(0.005, 0.05), reason="conservative")
    three = validated("few clusters", "vcov, CR3", where, seed=1).size(found["CR3"], within=(0.03, 0.1), reason="small sample")
    assert two < three < one


def test_many_unequal_clusters(validated: Recorder) -> None:
    """The same clusters, 100 of them and 40 treated: all three agree."""
    groups, periods = 100, 8
    rng = np.random.default_rng(100)
    sizes = np.maximum(np.round(12 * rng.uniform(size=groups) ** 2), 1).astype(int)
    group = np.repeat(np.arange(groups), sizes)
    first = np.where(group < 40, 3 + group % 3, periods)
    design = _design(first, periods, {"region": np.array([f"r{g:02d}" for g in group])}, "region")

    def draw(rng: np.random.Generator) -> Array:
        shock = np.cumsum(rng.normal(size=(groups, periods)), axis=1) * 0.5
        return (shock[group] + rng.normal(size=(len(group), periods))).reshape(-1)

    found = _rejections(design, draw, {"cluster": {}, "CR2": {"vcov": "CR2"}, "CR3": {"vcov": "CR3"}})
    for name, rejected in found.items():
        validated("covariances", f"vcov, {name}", "100 clusters of 1 to 12 units, 40 of them treated", seed=1).size(rejected)


def _spatial(n: int, side: float, periods: int, reach: float = 80.0) -> tuple[Design, Array]:
    """Units on a square of ``side`` km whose policy is regional, and a root [n, n] of the correlation of their errors: exp(−km/reach)."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, side, n), rng.uniform(0, side, n)
    km = np.hypot(x[:, None] - x, y[:, None] - y)
    root = np.linalg.cholesky(np.exp(-km / reach) + 1e-9 * np.eye(n))
    field = np.linalg.cholesky(np.exp(-km / (1.5 * reach)) + 1e-9 * np.eye(n)) @ rng.normal(size=n)
    early, late = (3, 5) if periods == 8 else (periods // 3, periods // 2)
    first = np.where(field > np.quantile(field, 0.65), np.where(field > np.quantile(field, 0.85), early, late), periods)
    lat = 20 + y / 111.195
    return _design(first, periods, {"lon": 100 + x / (111.195 * np.cos(np.radians(lat))), "lat": lat}), root


CONLEY = {"vcov": "conley", "cutoff_km": 300.0}
BARTLETT = {**CONLEY, "kernel": "bartlett"}
LASTING = "900 units on a square of 3000 km, regional policy and shocks that last"


def test_spatially_correlated_errors(validated: Recorder) -> None:
    """Regional shocks that last, and regional policies: clustering by unit rejects far too often.

    Conley's covariance counts neighbours whatever their periods; Bartlett's weights take a little less than the correlation of near pairs. With
    ``lag`` neighbours count within a period only, and a unit's own periods up to the lag: by the formula that is 0.37 of the variance here.
    """
    design, root = _spatial(900, 3000.0, 8)

    def draw(rng: np.random.Generator) -> Array:
        return (root @ np.cumsum(rng.normal(size=(900, 8)), axis=1) * 0.5 + rng.normal(size=(900, 8)) * 0.5).reshape(-1)

    kinds = {"unit": {}, "uniform": CONLEY, "bartlett": BARTLETT, "bartlett, lag 2": {**BARTLETT, "lag": 2}}
    found = _rejections(design, draw, kinds)
    validated("failures", "vcov, cluster", LASTING, variant="by unit", seed=1).size(found["unit"], within=(0.1, 1), reason="known failure")
    last = validated("failures", "vcov, conley", LASTING, variant="bartlett, lag 2", seed=1)
    last.size(found["bartlett, lag 2"], within=(0.12, 1), reason="known failure")
    validated("covariances", "vcov, conley", LASTING, variant="uniform", seed=1).size(found["uniform"])
    validated("covariances", "vcov, conley", LASTING, variant="bartlett", seed=1).size(
        found["bartlett"], within=(0.03, 0.09), reason="kernel"
    )


def test_spatially_correlated_errors_without_memory(validated: Recorder) -> None:
    """Regional shocks of single years over thirty of them: both conventions of Conley's covariance hold."""
    design, root = _spatial(400, 2000.0, 30, 40.0)

    def draw(rng: np.random.Generator) -> Array:
        return (root @ rng.normal(size=(400, 30)) + rng.normal(size=(400, 30)) * 0.5).reshape(-1)

    where = "400 units on a square of 2000 km, 30 years, regional policy and shocks of single years"
    near = {**CONLEY, "cutoff_km": 200.0}
    for name, rejected in _rejections(design, draw, {"uniform": near, "uniform, lag 0": {**near, "lag": 0}}).items():
        validated("covariances", "vcov, conley", where, variant=name, seed=1).size(rejected)


def test_common_shocks(validated: Recorder) -> None:
    """Shocks of single years that hit treated and other units differently: clustering by unit takes them for effects."""
    n, periods = 40, 80
    first = np.where(np.arange(n) < 16, 40, periods)
    loading = 1.0 + (np.arange(n) < 16)
    design = _design(first, periods, {})

    def draw(rng: np.random.Generator) -> Array:
        return (loading[:, None] * rng.normal(size=periods) * 0.5 + rng.normal(size=(n, periods))).reshape(-1)

    kinds = {"unit": {}, "driscoll-kraay": {"vcov": "driscoll-kraay", "lag": 2}, "newey-west": {"vcov": "newey-west", "lag": 2}}
    found = _rejections(design, draw, kinds)
    where = "40 units × 80 years, shocks by year that treated units feel twice"
    validated("covariances", "vcov, driscoll-kraay", where, seed=1).size(found["driscoll-kraay"])
    validated("failures", "vcov, cluster", where, variant="by unit", seed=1).size(found["unit"], within=(0.15, 1), reason="known failure")
    validated("failures", "vcov, newey-west", where, seed=1).size(found["newey-west"], within=(0.15, 1), reason="known failure")


def test_short_memory(validated: Recorder) -> None:
    """Errors that last one year, in units of different variance: Newey–West and clustering by unit hold, rows as if independent do not."""
    n, periods = 60, 60
    design = _design(np.where(np.arange(n) < 24, 20 + np.arange(n) % 20, periods), periods, {})
    scale = (0.5 + np.arange(n) % 4)[:, None]

    def draw(rng: np.random.Generator) -> Array:
        shock = rng.normal(size=(n, periods + 1))
        return (scale * (shock[:, 1:] + 0.5 * shock[:, :-1])).reshape(-1)

    found = _rejections(design, draw, {"unit": {}, "newey-west": {"vcov": "newey-west", "lag": 4}, "hetero": {"vcov": "hetero"}})
    where = "60 units × 60 years, errors that last a year, variances by unit"
    validated("covariances", "vcov, newey-west", where, variant="lag 4", seed=1).size(
        found["newey-west"], within=(0.03, 0.09), reason="kernel"
    )
    validated("covariances", "vcov, cluster", where, variant="by unit", seed=1).size(found["unit"])
    validated("failures", "vcov, hetero", where, seed=1).size(found["hetero"], within=(0.08, 1), reason="known failure")


@pytest.mark.parametrize("equal", [True, False])
def test_independent_errors(equal: bool, validated: Recorder) -> None:
    """Rows are independent, with one variance or with one by unit."""
    n, periods = 60, 8
    design = _design(np.where(np.arange(n) < 24, 3 + np.arange(n) % 3, periods), periods, {})
    scale = np.ones((n, 1)) if equal else np.where(np.arange(n) < 24, 3.0, 1.0)[:, None]
    names = ("hetero", "HC2", "HC3", "cluster", "iid")
    found = _rejections(design, lambda rng: (scale * rng.normal(size=(n, periods))).reshape(-1), {name: {"vcov": name} for name in names})
    where = "independent errors, one variance" if equal else "independent errors, threefold for treated units"
    for name in names if equal else names[:-1]:
        wide: dict[str, Any] = {"within": (0.01, 0.07), "reason": "conservative"} if name == "HC3" else {}
        validated("covariances", f"vcov, {name}", f"60 units × 8, {where}", seed=1).size(found[name], **wide)
    if not equal:
        validated("failures", "vcov, iid", f"60 units × 8, {where}", seed=1).size(found["iid"], within=(0.08, 1), reason="known failure")


def test_two_groupings(validated: Recorder) -> None:
    """Errors that last within units, and shocks by year that treated units feel more: either grouping alone is not enough."""
    n, periods = 60, 60
    design = _design(np.where(np.arange(n) < 24, 30, periods), periods, {"when": np.tile(np.arange(periods), (n, 1))}, ("unit", "when"))
    loading = (1.0 + (np.arange(n) < 24))[:, None]

    def draw(rng: np.random.Generator) -> Array:
        own = rng.normal(size=(n, periods))
        for j in range(1, periods):
            own[:, j] += 0.5 * own[:, j - 1]
        return (own + 0.5 * loading * rng.normal(size=periods)).reshape(-1)

    where = "60 units × 60 years, AR(1) errors and shocks by year"
    validated("covariances", "vcov, cluster", where, variant="unit and year", seed=1).size(_rejections(design, draw, {"": {}})[""])
    for j, name in enumerate(("unit", "year")):
        alone = _rejections(replace(design, clusters=design.clusters[j : j + 1]), draw, {"": {}})[""]
        validated("failures", "vcov, cluster", where, variant=f"by {name} alone", seed=1).size(
            alone, within=(0.08, 1), reason="known failure"
        )


def _regions_and_years(groups: int, periods: int, treated: int, lasting: float) -> tuple[Design, Make]:
    """Regions of 1 to 12 units whose shocks last, and years whose shocks treated regions feel twice."""
    sizes = np.maximum(np.round(12 * np.random.default_rng(groups).uniform(size=groups) ** 2), 1).astype(int)
    group = np.repeat(np.arange(groups), sizes)
    first = np.where(group < treated, 4 + group % 3, periods)
    when = np.tile(np.arange(periods), (len(group), 1))
    loading = 0.5 * (1.0 + (first < periods))[:, None]

    def draw(rng: np.random.Generator) -> Array:
        shock = np.cumsum(rng.normal(size=(groups, periods)), axis=1) * lasting
        return (shock[group] + loading * rng.normal(size=periods) + rng.normal(size=(len(group), periods))).reshape(-1)

    return _design(first, periods, {"region": np.array([f"r{g:02d}" for g in group]), "when": when}, ("region", "when")), draw


@pytest.mark.parametrize(("groups", "periods", "treated", "lasting"), [(12, 10, 5, 0.5), (20, 20, 8, 0.2)])
def test_two_groupings_of_few_clusters(groups: int, periods: int, treated: int, lasting: float, validated: Recorder) -> None:
    """CR1 rejects too often; CR3 takes the largest of three variances (MacKinnon, Nielsen & Webb 2024)."""
    design, draw = _regions_and_years(groups, periods, treated, lasting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _rejections(design, draw, {"CR1": {}, "CR3": {"vcov": "CR3"}})
    where = f"{groups} regions of 1 to 12 units, {treated} of them treated, and {periods} years"
    one = validated("failures", "vcov, cluster", where, variant="two groupings", seed=1)
    one.size(found["CR1"], within=(0.09, 1), reason="known failure")
    validated("few clusters", "vcov, CR3", where, variant="two groupings", seed=1).size(found["CR3"])


def test_two_groupings_and_an_average(validated: Recorder) -> None:
    """The mean of an event study, whose variances are those of the mean itself."""
    design, draw = _regions_and_years(12, 10, 5, 0.5)
    rng = np.random.default_rng(1)
    rejected = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(REPLICATIONS):
            path = fit(replace(design, y=draw(rng)), "event-study", vcov="CR3", leads=-3, lags=3)
            rejected.append(bool(path.aggregate("overall").p_value[0] < 0.05))
    where = "12 regions of 1 to 12 units, 5 of them treated, and 10 years"
    validated("few clusters", "vcov, CR3", where, variant="two groupings, mean of an event study", seed=1).size(rejected)


@pytest.mark.parametrize("reach", [80, 40])
@pytest.mark.parametrize("method", ["callaway-santanna", "imputation"])
def test_distance_and_influence_functions(method: str, reach: int, validated: Recorder) -> None:
    """Regional shocks that last: the spatial covariance of an influence function. Cohorts are few regions each, and fewer the wider shocks reach."""
    design, root = _spatial(900, 3000.0, 8, float(reach))
    rng = np.random.default_rng(2)
    rejected = []
    for _ in range(REPLICATIONS):
        y = root @ np.cumsum(rng.normal(size=(900, 8)), axis=1) * 0.5 + rng.normal(size=(900, 8)) * 0.5
        effects = fit(replace(design, y=y.reshape(-1)), method, vcov="conley", cutoff_km=3.75 * reach).aggregate("overall")
        rejected.append(bool(effects.p_value[0] < 0.05))
    found = validated("covariances", "vcov, conley", f"{LASTING}, reaching {reach} km", variant=f"uniform, {method}", seed=2)
    within: dict[str, Any] = {"within": (0.03, 0.1), "reason": "small sample"} if reach == 80 else {}
    found.size(rejected, **within)
