"""The catalogue of measurement, row by row: each has an entry or a function, and each ruling is a default whose alternatives are values."""

from __future__ import annotations

from importlib import import_module
from inspect import Signature, signature

import numpy as np
import pytest

from hinterland.measure.entry import compute_of
from hinterland.measure.register import INDICATORS
from hinterland.measure.segmentation import price_changes

ROWS: dict[str, dict[str, str]] = {
    "market segmentation": {
        "relative-price variance of a pair": "relative-price-variance",
        "segmentation of a province": "market-segmentation/segmentation",
        "integration index": "market-segmentation/integration",
        "city": "city-market-segmentation",
        "border effect": "border-effect/border-effect",
        "tariff equivalent": "border-effect/border-tariff-equivalent",
        "business cycle": "growth-comovement/comovement-province",
        "output structure": "output-structure",
        "price convergence": "price-convergence/price-half-life",
        "factor market": "factor-market-segmentation/segmentation",
    },
    "agglomeration": {
        "lq": "location-quotient",
        "slq": "symmetric-location-quotient",
        "alq": "standardised-location-quotient/cut-off",
        "hhi_region": "herfindahl-specialisation",
        "hhi_industry": "herfindahl-concentration",
        "krugman": "krugman-specialisation",
        "krugman pairwise": "krugman-dissimilarity",
        "hoover_loc": "hoover-localisation",
        "loc_gini": "locational-gini",
        "theil_loc": "theil-localisation",
        "entropy": "industrial-entropy",
        "rdi": "relative-diversity",
        "jacobs": "jacobs-diversity",
        "density": "density",
        "spatial_conc": "spatial-concentration/summed-density",
        "Ellison-Glaeser": "ellison-glaeser/gamma",
        "co-agglomeration": "co-agglomeration",
        "Duranton-Overman": "duranton-overman/distance-density",
        "global bands": "duranton-overman/global-high",
        "related variety": "variety/related-variety",
        "unrelated variety": "variety/unrelated-variety",
        "C": "producer-services-co-agglomeration/closeness",
        "C+": "producer-services-co-agglomeration/closeness-and-depth",
    },
    "misallocation": {
        "tau_K": "capital-misallocation/distortion",
        "tau_L": "labour-misallocation/distortion",
        "|tau|": "capital-misallocation/absolute-distortion",
        "gamma": "capital-misallocation/relative-intensity",
        "elasticities": "output-elasticity/capital-elasticity",
        "Hsieh-Klenow": "hsieh-klenow/efficiency-gain",
        "all industries": "hsieh-klenow/total-efficiency",
        "perpetual inventory": "capital-stock/capital-stock",
    },
    "innovation": {
        "pat_pc": "patents-per-capita/patents-per-head",
        "ln(1+P)": "patents-per-capita/log-patents",
        "inv_share": "invention-share",
        "cite_w": "citation-weighted-patents/citation-weighted",
        "width": "knowledge-width",
        "portfolio_width": "portfolio-width",
        "generality": "generality",
        "originality": "originality",
        "claims": "patent-claims",
        "renewal": "patent-renewal",
        "family": "patent-family-size",
        "transfer": "patent-transfer",
    },
    "transfer": {
        "NS": "shift-share/national-growth",
        "IM": "shift-share/industry-mix",
        "RS": "shift-share/regional-shift",
        "CE": "shift-share/competitive-effect",
        "AL": "shift-share/allocation-effect",
        "new industry": "shift-share/new-industry",
        "dynamic": "dynamic-shift-share",
        "spatial": "spatial-shift-share/neighbourhood-mix",
        "dshare": "share-change",
        "abs_transfer": "absolute-transfer",
        "rel_transfer": "relative-transfer",
        "gross_shift": "gross-shift",
        "hhi_shift": "concentration-shift",
        "gravity_shift": "gravity-shift",
        "bearing": "gravity-bearing",
        "prop_match": "proportional-match",
        "closure_share": "closure-share",
        "IGC": "gradient-coefficient/gradient",
        "IGC'": "gradient-coefficient/improved-gradient",
        "ln IGC": "gradient-coefficient/log-gradient",
        "T": "induced-output",
        "SDA": "mrio-transfer/mrio-structure",
        "N": "mrio-net-transfer",
        "investment flow": "hinterland.data.micro:reduce_links",
        "undertaking intensity": "undertaking-intensity",
        "vertical or horizontal": "link-kind/link-vertical-upstream",
        "gradient or leapfrog": "transfer-pattern/transfer-pattern",
        "tier gap": "transfer-pattern/tier-gap",
        "Vernon": "product-cycle/product-stage",
        "Gort-Klepper": "hinterland.measure.location:entry_stages",
        "Weber": "weber-point/weber-x",
        "Weber's site": "hinterland.measure.location:weber_site",
        "upstreamness": "upstreamness",
        "VA export share": "value-added-export-share",
    },
    "complexity": {
        "diversity": "diversity",
        "ubiquity": "ubiquity",
        "phi": "proximity",
        "phi from flows": "flow-proximity",
        "omega": "relatedness-density",
        "relative relatedness": "relative-relatedness",
        "ECI": "economic-complexity",
        "PCI": "product-complexity",
        "fitness": "fitness",
        "Q": "fitness-complexity",
        "COI": "complexity-outlook",
        "COG": "complexity-outlook-gain",
        "entry": "industry-entry",
        "quadrant": "diversification-quadrant",
    },
    "structure and composites": {
        "W": "tertiary-secondary-ratio",
        "level": "structural-level",
        "vector angle": "structural-angle",
        "TL": "structural-rationalisation",
        "E": "structural-deviation",
        "cosine": "structural-similarity/cosine",
        "Krugman similarity": "structural-similarity/krugman-similarity",
        "Moore": "structural-change/moore-angle",
        "Jaccard": "key-industry-overlap",
        "D": "coupling-coordination/coordination",
        "entropy weights": "entropy-weight/entropy-weight",
        "linear score": "entropy-score/linear",
        "TOPSIS": "entropy-score/topsis",
        "mean pressure": "carrying-capacity/mean-pressure",
        "short board": "carrying-capacity/short-board",
        "SBM-DDF": "green-inefficiency",
        "GML": "green-productivity/productivity-index",
        "EC": "green-productivity/efficiency-change",
        "BPC": "green-productivity/frontier-change",
        "level of GML": "green-productivity/productivity-level",
        "business environment": "business-environment/all-dimensions",
        "sub-scores": "business-environment/dimension",
    },
    "security": {
        "HHI_p": "supply-concentration/supply-hhi",
        "effective suppliers": "supply-concentration/effective-suppliers",
        "SSR": "self-sufficiency/self-sufficiency",
        "domestic SSR": "self-sufficiency/domestic-self-sufficiency",
        "MRIO SSR": "embodied-self-sufficiency",
        "BL": "linkages/backward-linkage",
        "FL": "linkages/forward-linkage",
        "dispersion": "linkages/backward-variation",
        "HEM": "hypothetical-extraction/extraction-importance",
        "net of own final demand": "hypothetical-extraction/extraction-outside",
        "IIM": "inoperability",
        "ARIO": "hinterland.measure.adaptive:adaptive",
        "resilience": "regional-resilience/resilience",
        "regional turning points": "hinterland.measure.turning:turning_points",
        "cover": "supply-cover/cover",
        "with penalty": "supply-cover/cover-penalised",
        "N-1": "supply-cover/cover-without-one",
    },
    "inequality, convergence, space": {
        "Theil": "theil/theil",
        "B": "theil/theil-between",
        "W": "theil/theil-within",
        "by group": "theil-by-group/group-theil",
        "Gini": "gini",
        "Dagum": "dagum-gini/dagum-net-between",
        "transvariation": "dagum-gini/dagum-transvariation",
        "G_jh": "dagum-gini-pairs/pair-gini",
        "Moran": "moran/moran-i",
        "Geary": "geary/geary-c",
        "LISA": "local-moran/local-moran-i",
        "FDR": "local-moran/lisa-q",
        "kernel density": "kernel-density",
        "stochastic kernel": "stochastic-kernel",
        "Markov": "markov-chain/transition-probability",
        "steady state": "markov-chain/steady-state",
        "spatial Markov": "spatial-markov-chain/transition-probability",
        "LR": "spatial-markov-chain/likelihood-ratio",
        "sigma by CV": "sigma-convergence/variation",
        "sigma by sd ln": "sigma-convergence/sd-log",
        "beta": "beta-convergence/beta-slope",
        "speed": "beta-convergence/convergence-speed",
        "half-life": "beta-convergence/half-life",
    },
}

RULINGS: tuple[tuple[int, str, str, object, tuple[object, ...]], ...] = (
    (1, "market-segmentation", "input", "chain", ("fixed",)),
    (2, "market-segmentation", "ddof", 1, (0,)),
    (2, "market-segmentation", "scale", 1.0, ()),
    (3, "market-segmentation", "pairs", "contiguous", ()),
    (3, "market-segmentation", "hainan_guangdong", True, (False,)),
    (4, "city-market-segmentation", "city_method", "broadcast", ("distance-weighted", "city-pairs")),
    (6, "capital-misallocation", "elasticity", "by-group", ()),
    (6, "output-elasticity", "elasticity", "by-group", ("pooled", "by-region", "partial-pooling")),
    (6, "labour-misallocation", "bounds", (0.05, 0.95), ()),
    (7, "capital-stock", "delta", 0.096, ()),
    (7, "capital-stock", "k0", "harberger", ("ten-percent", "given")),
    (7, "capital-stock", "warm_up", 8, ()),
    (8, "patents-per-capita", "status", "granted", ("applied",)),
    (8, "patents-per-capita", "truncated", "flag", ("nan",)),
    (9, "knowledge-width", "level", "main-group", ("section", "class", "subclass")),
    (9, "knowledge-width", "count", "multiplicity", ("distinct-groups",)),
    (9, "knowledge-width", "aggregate", "mean", ("median",)),
    (10, "location-quotient", "reference", None, ()),
    (10, "shift-share", "reference", None, ()),
    (11, "krugman-specialisation", "versus", "nation", ("rest",)),
    (12, "locational-gini", "scale", "unit", ("area",)),
    (13, "herfindahl-specialisation", "normalised", False, (True,)),
    (16, "mrio-net-transfer", "component", "structure", ("demand", "change")),
    (17, "gradient-coefficient", "cp_base", "industry", ("region",)),
    (18, "transfer-pattern", "tier_threshold", 0.0, ()),
    (18, "transfer-pattern", "relatedness_threshold", 0.0, ()),
    (18, "link-kind", "taus", (0.001, 0.01, 0.05), ()),
    (19, "proximity", "phi_diag", 0, (1,)),
    (19, "relatedness-density", "phi_diag", 0, (1,)),
    (21, "coupling-coordination", "variant", "original", ("wang2021",)),
    (22, "entropy-weight", "pool", "panel", ("cross-section",)),
    (22, "entropy-score", "pool", "panel", ("cross-section",)),
    (22, "entropy-weight", "shift", 0.0, ()),
    (23, "green-productivity", "index", "global", ("adjacent",)),
    (24, "linkages", "forward", "ghosh", ("leontief",)),
    (25, "hypothetical-extraction", "mode", "keep_f", ("total",)),
    (26, "gini", "ddof", 0, (1,)),
    (28, "markov-chain", "quantiles", "pooled", ("annual",)),
    (28, "markov-chain", "classes", 4, ()),
    (28, "markov-chain", "relative", True, (False,)),
    (31, "green-inefficiency", "weights", "halves", ("thirds", "equal")),
    (32, "structural-rationalisation", "direction", "theil", ("negative", "inverse")),
)
"""Number of the ruling, entry, parameter, default, alternatives. Rulings without a parameter are pinned by the tests of their families."""


@pytest.mark.parametrize(("section", "row"), [(section, row) for section, rows in ROWS.items() for row in rows])
def test_every_row_is_there(section: str, row: str) -> None:
    where = ROWS[section][row]
    if ":" in where:
        module, _, name = where.partition(":")
        assert callable(getattr(import_module(module), name))
        return
    name, _, component = where.partition("/")
    assert name in INDICATORS
    assert not component or component in INDICATORS[name].components


def test_every_entry_is_a_row() -> None:
    named = {where.partition("/")[0] for rows in ROWS.values() for where in rows.values()}
    assert set(INDICATORS) - named == {"coefficient-of-variation", "gravity-centre", "structural-breaks", "common-breaks"}, (
        "what the library has beyond the catalogue"
    )


@pytest.mark.parametrize(("number", "name", "parameter", "default", "others"), RULINGS)
def test_every_ruling_is_the_default(number: int, name: str, parameter: str, default: object, others: tuple[object, ...]) -> None:
    found = INDICATORS[name].parameters[parameter]
    assert type(found.default) is type(default) and found.default == default, f"ruling {number}"
    assert set(others) <= set(found.values)


@pytest.mark.parametrize("name", INDICATORS)
def test_adapters_have_the_defaults_that_the_catalogue_prints(name: str) -> None:
    indicator = INDICATORS[name]
    taken = signature(compute_of(indicator)).parameters
    free = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    for parameter, said in indicator.parameters.items():
        assert parameter in taken or free, f"{parameter} does nothing"
        if parameter in taken:
            assert taken[parameter].default in (said.default, Signature.empty), parameter
        assert not said.values or said.default in said.values
        assert said.help, parameter


def test_steps_of_the_worked_example_of_segmentation() -> None:
    """Absolute differences first, then less the mean over the pairs; printed to six digits."""
    prices = np.array([[[102.0, 105, 100], [104, 103, 101], [101, 108, 99]]])
    change = price_changes(prices, np.array([0]), "chain")[0]
    a = np.abs(np.array([change[p] - change[q] for p, q in ((0, 1), (1, 2), (0, 2))]))
    assert np.round(a, 6).tolist() == [[0.019418, 0.019231, 0.00995], [0.02927, 0.047402, 0.020001], [0.009852, 0.028171, 0.01005]]
    assert np.round(a - a.mean(axis=0), 6).tolist() == [
        [-0.000096, -0.01237, -0.003383],
        [0.009757, 0.015801, 0.006667],
        [-0.009661, -0.003431, -0.003283],
    ]
