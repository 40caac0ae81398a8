"""Tables of a run record about mediators, and about all outcomes as one family of tests."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

_TEXT, _WHOLE, _REAL, _FLAG = pl.String(), pl.Int64(), pl.Float64(), pl.Boolean()


def _texts(names: str) -> dict[str, pl.DataType]:
    return dict.fromkeys(names.split(), _TEXT)


def _reals(names: str) -> dict[str, pl.DataType]:
    return dict.fromkeys(names.split(), _REAL)


def _wholes(names: str) -> dict[str, pl.DataType]:
    return dict.fromkeys(names.split(), _WHOLE)


MECHANISM_TABLES: Mapping[str, Mapping[str, pl.DataType]] = {
    "mechanism": {
        **_texts("outcome method slope mediator quantity"),
        **_reals("estimate std_error p_value conf_low conf_high bca_low bca_high level"),
        **_wholes("draws n_obs n_units n_treated n_clusters n_obs_slope"),
        **_texts("bootstrap cluster confounders covariates"),
    },
    "mechanism_checks": {
        **_texts("outcome method mediator"),
        **_reals("rho_zero rho_doubt robustness_value interaction interaction_std_error interaction_p pretrend_p pretrend_leads"),
        **_reals("p_value p_romano_wolf p_benjamini_hochberg"),
    },
    "mechanism_sensitivity": {**_texts("outcome method mediator"), **_reals("rho estimate conf_low conf_high share")},
    "mediator_events": {
        **_texts("outcome method mediator path_method"),
        **_wholes("event_time"),
        **_reals("estimate std_error p_value conf_low conf_high"),
        "reference": _FLAG,
        **_wholes("n_treated"),
    },
    "outcome_family": {
        **_texts("outcome family method effects_id"),
        **_reals("estimate std_error p_value conf_low conf_high p_romano_wolf p_benjamini_hochberg"),
        **_wholes("n_obs n_units n_treated n_clusters"),
    },
}
