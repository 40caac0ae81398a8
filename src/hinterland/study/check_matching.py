"""What matching has against the data, before anything is estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hinterland.errors import Finding, InputError, listed
from hinterland.evaluate.covariates import covariate_columns
from hinterland.study.plan_matching import match_covariates, matching_variants
from hinterland.study.workspace import Workspace


def matching_findings(work: Workspace) -> Iterator[Finding]:
    """Each row's findings, with the line of the study and the row that they are of; a misspelt column once for all rows."""
    variants = list(matching_variants(work.study))
    if not variants:
        return
    yield from _outcomes(work)
    said: set[tuple[str, str]] = set()
    for variant in variants:
        try:
            found = work.matched(variant).findings
        except InputError as error:
            found = error.findings
        for f in found:
            if (f.code, f.what) not in said:
                said.add((f.code, f.what))
                yield replace(f, where=f"{_line(work)}, robustness row {variant.key!r}: {f.where}")


def _line(work: Workspace) -> str:
    own = work.study.robustness.match.covariates
    return work.loaded.where(*(("robustness", "match", "covariates") if own else ("evaluate", "covariates")))


def _outcomes(work: Workspace) -> Iterator[Finding]:
    """Outcomes that are matched on: legal, and seldom wise."""
    names = covariate_columns(match_covariates(work.study), work.panel.frame.columns)
    found = [o.name for o in work.study.outcome if o.name in names]
    if found:
        yield Finding(
            "matched-on-outcome",
            f"units are matched on outcome(s) {listed(found)}: groups that are drawn together by chance part again afterwards",
            _line(work),
            "leave the outcome out, and match on what moves it",
            "warning",
        )
