"""The tables of a run record on groups: their differences, their equality, and intervals where few clusters are treated."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from hinterland.evaluate.heterogeneity_tests import DIFFERENCES, EQUALITY

_TEXT, _WHOLE, _REAL = pl.String(), pl.Int64(), pl.Float64()
_HEAD = dict.fromkeys(("outcome", "method", "by"), _TEXT)

HETEROGENEITY: Mapping[str, Mapping[str, pl.DataType]] = {
    "group_differences": {**_HEAD, **DIFFERENCES, "adjustment": _TEXT, "period_effects": _TEXT, "strata": _TEXT},
    "group_equality": {**_HEAD, **EQUALITY},
    "group_few_treated": {
        **_HEAD,
        **dict.fromkeys(("sample", "procedure"), _TEXT),
        **dict.fromkeys(("n_treated", "n_treated_clusters"), _WHOLE),
        **dict.fromkeys(("estimate", "p_value", "conf_low", "conf_high"), _REAL),
    },
}
