from __future__ import annotations

from pathlib import Path

import polars as pl

import hinterland as hl

STUDY = """
[study]
title = "World"
[panel]
source = "world:demonstration-zones"
unit = "adcode"
time = "year"
years = [2008, 2016]
[panel.world]
seed = 3
units = 150
periods = 9
parameters = { effect = 0.4 }
[policy]
column = "first_treat"
[[outcome]]
name = "ln_inventions"
[evaluate]
methods = ["callaway-santanna"]
"""


def test_truths_stand_beside_the_estimates_that_aim_at_them(tmp_path: Path) -> None:
    path = tmp_path / "world.toml"
    path.write_text(STUDY, encoding="utf-8")
    run = hl.run(path, tmp_path / "out", only=["truth", "evaluate"])
    truth, effects = run.tables["truth"], run.tables["effects"]
    world = hl.simulate("demonstration-zones", 3, units=150, periods=9, effect=0.4)
    overall = truth.filter(pl.col("parameter") == "att/ln_inventions/overall")
    assert overall["effects_id"][0] == "ln_inventions/callaway-santanna/overall"
    policy = hl.adoption(world.panel, "first_treat")
    expected = world.truth_for(policy).filter(pl.col("parameter") == "att/ln_inventions/overall")["value"][0]
    assert overall["value"][0] == expected
    aimed = truth.filter(pl.col("term").is_not_null())
    assert aimed.height > 10
    assert aimed.join(effects, on=["effects_id", "term"], how="anti").is_empty()
    assert run.record["facts"]["simulated"] is True
    assert run.record["inputs"] == []
