"""The robustness battery on the packaged world, 293 × 15: every row with its clustered standard error. Run: python benchmarks/battery.py.

Ours goes through a study: panel, samples, programmes and designs of every row, fits, differences to the baseline with their standard errors,
tables. The peer is a loop over the same rows with ``pyfixest.feols``, data frames made ready before the clock starts.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
from _harness import contend, median_time, report, table

ROWS = """
drop = ["municipalities", "provincial-capitals"]
winsorise = [0.01]
trim = [0.01]
concurrent = ["low-carbon-pilots", "broadband-china"]
concurrent_how = ["drop", "control"]
lag_controls = [1]
fe = ["province^year", "macro-region^year"]
outcomes = ["ln_citations"]
cluster = ["province", ["adcode", "year"]]
"""
STUDY = f"""
[study]
title = "Battery"
[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
[panel.derive]
ln_citations = "log1p(citations)"
[policy]
register = "industrial-transfer-zones"
partial = "treat"
uncertain = "treat"
[[outcome]]
name = "ln_inventions"
[evaluate]
headline = "HEADLINE"
methods = METHODS
covariates = "~ ln_gdp_pc + share2"
[robustness]
{ROWS}
"""


def hinterland(headline: str, methods: str) -> None:
    import polars as pl

    from hinterland.study.load import parse_study
    from hinterland.study.plan import plan
    from hinterland.study.steps import STEPS
    from hinterland.study.tables import assemble
    from hinterland.study.workspace import Workspace

    loaded = parse_study(STUDY.replace("HEADLINE", headline).replace("METHODS", methods))
    steps = [s for s in plan(loaded.study) if s.kind == "robustness"]
    read = Workspace(loaded)
    made = {"panel": read.panel, "world": read.world}

    def battery() -> float:
        work = Workspace(loaded)
        work.__dict__.update(made)  # read before, as the peer's frame is
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs = [STEPS[s.kind](work, s) for s in steps]
        effects = assemble("effects", [o.tables["effects"] for o in outputs if "effects" in o.tables])
        two_way = effects.filter(pl.col("effects_id").str.contains("/twfe/") & (pl.col("term") == "treated"))
        return float(two_way["estimate"].sum())

    seconds, answer = median_time(battery, 5)
    report(
        f"hinterland {'twfe' if headline == 'twfe' else 'twfe + callaway-santanna'}",
        seconds,
        answer,
        f"{len(steps)} fits, differences and tables",
    )


def pyfixest() -> None:
    import pandas as pd
    import pyfixest as pf

    import hinterland as hl
    from hinterland.data.geography import region_set

    frame = hl.simulate(seed=0).panel.frame.to_pandas()
    for name, column in (("low-carbon-pilots", "lc"), ("broadband-china", "bc")):
        table_ = hl.policy_register(name).cohorts(timing="approval_year", partial="treat").table.to_pandas()
        first = frame["adcode"].map(table_.set_index("unit")["cohort"])
        frame[column], frame[f"{column}_ever"] = (frame["year"] >= first).astype(float), first <= 2022
    frame["ln_citations"] = np.log1p(frame["citations"])
    frame["province_year"] = frame["province"] + frame["year"].astype(str)
    frame["region_year"] = frame["macro_region"] + frame["year"].astype(str)
    measured = ["ln_inventions", "ln_gdp_pc", "share2"]
    ends = {c: np.quantile(frame[c], [0.01, 0.99], method="averaged_inverted_cdf") for c in measured}
    lagged = frame.assign(**{c: frame.groupby("adcode")[c].shift(1) for c in measured[1:]}).dropna(subset=measured[1:])
    kept = np.all([frame[c].between(*ends[c]) for c in measured], axis=0)
    capitals, municipalities = (frame["adcode"].isin(region_set(s)["unit"].to_list()) for s in ("provincial-capitals", "municipalities"))
    base, two_way, city = "ln_gdp_pc + share2", "adcode + year", "adcode"
    rows: list[tuple[pd.DataFrame, str, str, str, str]] = [
        (frame[~municipalities], "ln_inventions", base, two_way, city),
        (frame[~capitals], "ln_inventions", base, two_way, city),
        (frame.assign(**{c: frame[c].clip(*ends[c]) for c in measured}), "ln_inventions", base, two_way, city),
        (frame[kept], "ln_inventions", base, two_way, city),
        *((frame[~frame[f"{c}_ever"]], "ln_inventions", base, two_way, city) for c in ("lc", "bc")),
        *((frame, "ln_inventions", f"{base} + {c}", two_way, city) for c in ("lc", "bc")),
        (lagged, "ln_inventions", base, two_way, city),
        *((frame, "ln_inventions", base, f"{two_way} + {c}", city) for c in ("province_year", "region_year")),
        (frame, "ln_citations", base, two_way, city),
        *((frame, "ln_inventions", base, two_way, c) for c in ("province", "adcode+year")),
    ]

    def battery() -> float:
        fits = [pf.feols(f"{y} ~ treated + {x} | {fe}", data, vcov={"CRV1": cluster}) for data, y, x, fe, cluster in rows]
        return float(sum(fit.coef()["treated"] for fit in fits))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds, answer = median_time(battery, 5)
    report("pyfixest loop", seconds, answer, f"{len(rows)} fits")


def main() -> None:
    runs = {
        "hinterland twfe": lambda: hinterland("twfe", '["twfe"]'),
        "hinterland twfe + callaway-santanna": lambda: hinterland("callaway-santanna", '["twfe", "callaway-santanna", "imputation"]'),
        "pyfixest loop": pyfixest,
    }
    if "--only" in sys.argv:
        runs[sys.argv[sys.argv.index("--only") + 1]]()
        return
    results = contend(__file__, {name: name.split()[0] for name in runs})
    table("Robustness battery, 14 rows on 293 cities × 15 years (answer: sum of the two-way coefficients)", results, "hinterland twfe")


if __name__ == "__main__":
    main()
