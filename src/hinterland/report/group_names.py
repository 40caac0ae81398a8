"""What groups of units are called: by the study, by the label files, or by what they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hinterland.data.grouping import REST
from hinterland.labels import LANGUAGES, Language, catalogue
from hinterland.report.record import Record
from hinterland.report.sentences import Both


def group_labels(record: Record) -> dict[str, Both]:
    """``region.SAMPLE`` and ``region.SET`` → words, where the label files have none, and ``pair.FIRST - SECOND`` → words for every difference."""
    own = _own(record)
    names = dict.fromkeys(_samples(record))
    labels = {f"region.{name}": Both(_words(name, own, "en"), _words(name, own, "zh")) for name in names if name in own or _made(name)}
    pairs = {pair_id(a, b): Both(*(_pair(a, b, own, language) for language in LANGUAGES)) for a, b in _pairs(record)}
    return labels | {f"pair.{key}": words for key, words in pairs.items()}


def pair_id(first: str, second: str) -> str:
    """What a pair of groups is called among the labels of a record."""
    return f"{first} - {second}"


def _pairs(record: Record) -> list[tuple[str, str]]:
    return (
        record.tables["group_differences"].select("first", "second").unique(maintain_order=True).rows()
        if record.has("group_differences")
        else []
    )


def _pair(first: str, second: str, own: Mapping[str, Both], language: Language) -> str:
    """A difference in words; the set is named once where both groups are parts of it."""
    texts = catalogue(language)
    (whole, mark, one), (other, _, two) = first.partition("="), second.partition("=")
    if mark and whole == other and first not in own and second not in own:
        parts = {"first": texts.get(f"group_short.{one}", one), "second": texts.get(f"group_short.{two}", two)}
        return texts["group_pair.parts"].format(set=_words(whole, own, language), **parts)
    rest = second == f"{first}={REST}" and second not in own
    names = {"first": _words(first, own, language), "second": texts[f"group_short.{REST}"] if rest else _words(second, own, language)}
    return texts["group_pair.plain"].format(**names)


def _own(record: Record) -> Mapping[str, Both]:
    """The labels that the study gives."""
    given = record.study("heterogeneity", "label") or {}
    return {str(k): Both(str(v.get("en", k)), str(v.get("zh", k))) for k, v in given.items() if isinstance(v, Mapping)}


def _samples(record: Record) -> Iterable[str]:
    """Every subgroup and every grouping."""
    yield from (record.study("heterogeneity", "groups") or ())
    if record.has("models"):
        yield from record.tables["models"].filter(role="subgroup")["sample"].unique(maintain_order=True).to_list()
    if record.has("group_differences"):
        yield from (name for c in ("first", "second") for name in record.tables["group_differences"][c].unique(maintain_order=True))


def _made(name: str) -> bool:
    return "=" in name and f"region.{name}" not in catalogue("en")


def _words(name: str, own: Mapping[str, Both], language: Language) -> str:
    """``set=group`` from the words for both; a name as the study, the label files or nobody has it."""
    if name in own:
        return own[name].zh if language == "zh" else own[name].en
    texts = catalogue(language)
    whole, mark, group = name.partition("=")
    if not mark:
        return texts.get(f"region.{name}") or texts.get(f"variable.{name}") or name.replace("_", " ")
    key = f"group.{group}"
    head = _words(whole, own, language)
    return texts[key].format(set=head) if key in texts else texts["group.other"].format(set=head, group=group)
