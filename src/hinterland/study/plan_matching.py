"""Rows on matched samples, and the steps that match."""

from __future__ import annotations

from collections.abc import Iterator

from hinterland.evaluate.matching_rule import BEFORE, USES, used_by
from hinterland.study.schema import Study
from hinterland.study.step import Step
from hinterland.study.unbuilt import Problem
from hinterland.study.variant import Variant


def match_covariates(study: Study) -> str | tuple[str, ...] | None:
    """What the study matches on: its own covariates, else those of [evaluate]; ``None`` where there are none."""
    return study.robustness.match.covariates or study.evaluate.covariates or None


def matching_variants(study: Study) -> Iterator[Variant]:
    """A row for every method and what it matches."""
    table, covariates = study.robustness.match, match_covariates(study)
    if covariates is None:
        return
    for by in table.by:
        for method in study.robustness.matching:
            rule = table.rule(covariates, method, by)
            yield Variant(rule.key, "robustness", match=rule)


def matching_steps(study: Study) -> Iterator[Step]:
    """The step that matches for each row, and says how alike the groups are."""
    for variant in matching_variants(study):
        settings = {"change": variant.as_json(), "anticipation": study.evaluate.anticipation}
        yield Step(f"matching/{variant.key.removeprefix('matching-')}", "matching", settings, ("data", "policy"), variant=variant)


def inconsistent_matching(study: Study) -> Iterator[Problem]:
    """Methods named twice, nothing to match on, and settings that no row has a use for."""
    rows, table = study.robustness, study.robustness.match
    given = table.model_fields_set
    if not rows.matching:
        if given:
            what = "[robustness.match] says how units are matched, and robustness.matching names no method"
            yield ("robustness", "match"), "match-option-unused", what, f"add matching = [{', '.join(map(repr, USES))}] or some of them"
        return
    for path, values in ((("robustness", "matching"), rows.matching), (("robustness", "match", "by"), table.by)):
        for i, value in enumerate(values):
            if value in values[:i]:
                yield (*path, i), "repeated-value", f"{'.'.join(path)} names {value!r} twice", "name each once"
    if match_covariates(study) is None:
        what = "robustness.matching has no covariates to match on"
        yield ("robustness", "matching"), "nothing-to-match-on", what, 'add covariates = "~ …" to [robustness.match], or to [evaluate]'
    used = {name for method in rows.matching for by in table.by for name in used_by(method, by)}
    for name in sorted(given - used - {"covariates", "by"}):
        who = f"by = {' or '.join(map(repr, BEFORE))}" if name == "when" else " or ".join(m for m, names in USES.items() if name in names)
        what = f"robustness.match.{name} has a use with {who} only"
        yield ("robustness", "match", name), "match-option-unused", what, "leave it out, or add what uses it"
    for name, wanted in (("ties", True), ("order", False)):
        if getattr(table, name) is not None and table.replacement is not wanted:
            what = f"robustness.match.{name} has a use {'with' if wanted else 'without'} replacement only"
            yield ("robustness", "match", name), "match-option-unused", what, f"leave it out, or set replacement = {str(wanted).lower()}"
