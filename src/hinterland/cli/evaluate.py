"""``hinterland evaluate``: the estimates, and nothing written but what is asked for."""

from __future__ import annotations

import warnings

from hinterland.cli import options
from hinterland.cli.output import fail_if_many, progress, say, write_frame
from hinterland.errors import HinterlandWarning


def evaluate(
    study: options.MaybeStudy = None,
    *,
    data: options.Data = None,
    as_json: options.Json = False,
    as_csv: options.Csv = False,
    file: options.File = None,
    language: options.Language = "en",
) -> None:
    """Estimate every outcome with every method of the study; the terms go to stdout."""
    fail_if_many(json=as_json, csv=as_csv, output=file is not None)
    spoken = options.language(language)
    from hinterland.study.evaluation import evaluate_study

    loaded = options.load(study, data)
    with progress() as watch, warnings.catch_warnings():
        warnings.simplefilter("ignore", HinterlandWarning)  # every one is a note too, and is said with the notes
        found = evaluate_study(loaded, watch)
    shown = (
        found.frame
        if as_csv or as_json or file is not None
        else found.frame.drop("effects_id", "cohort", "time", "event_time", "statistic", "band_low", "band_high", "reference")
    )
    write_frame(shown, as_csv=as_csv, as_document=as_json, file=file, document=lambda: found.document(spoken))
    if not as_json:
        for note in dict.fromkeys(n["text"] for n in found.document(spoken)["notes"]):
            say(f"note: {note}")
        for line in found.recommended():
            say(line)
