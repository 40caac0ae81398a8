"""Pages that are written from the source: findings, glossary, register, what estimators accept. ``python docs/_ext/pages.py`` writes them; a test compares."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from codes import finding_codes
from planning_pages import cases_page, model_page

from hinterland.data.policy import policy_register, registers
from hinterland.evaluate.method import REGRESSION_INFERENCE, Method
from hinterland.evaluate.methods import METHODS
from hinterland.labels import Language, catalogue, label
from hinterland.measure.indicator import Indicator
from hinterland.measure.register import INDICATORS

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
SOURCE = Path(__file__).resolve().parents[2] / "src" / "hinterland"


def _cell(text: object) -> str:
    return "" if text is None else str(text).replace("|", "\\|").replace("\n", " ")


def _table(head: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(_cell(c) for c in row)} |" for row in rows)]) + "\n"


HEADINGS: Mapping[str, str] = {
    "imputation.toml": "Imputation and matrix completion",
    "designs.toml": "Doses, triple differences, spillovers",
    "saturated.toml": "Saturated and stacked regressions",
    "weighting.toml": "Efficient and synthetic weights",
    "inference.toml": "Covariances",
    "resampling.toml": "Tests by resampling, families of tests",
    "sensitivity.toml": "Sensitivity, power, equivalence, selection",
    "heterogeneity.toml": "Groups and their differences",
}
"""Headings of the label files whose findings have none of their own, in the order of the page; other files go by their name."""


def finding_groups(language: Language = "en") -> dict[str, list[str]]:
    """Codes under their headings: the comments of ``findings.toml`` in its order, then the other label files that hold findings."""
    folder = files("hinterland.labels").joinpath(language)
    texts = {e.name: e.read_text(encoding="utf-8") for e in folder.iterdir() if e.name.endswith(".toml")}
    order = ["findings.toml", *HEADINGS, *sorted(n for n in texts if n not in ("findings.toml", *HEADINGS))]
    groups: dict[str, list[str]] = {}
    for name in order:
        heading = HEADINGS.get(name, name.removesuffix(".toml").replace("_", " ").capitalize())
        for line in texts[name].partition("[finding]\n")[2].partition("\n[")[0].splitlines():
            if line.startswith("# "):
                heading = line[2:]
            elif " = " in line:
                groups.setdefault(heading, []).append(line.partition(" = ")[0])
    return groups


_FINDINGS_HEAD = """# Findings

Bad input is never a traceback and never a silent choice. Every problem is a *finding*: a code, what is wrong with the value, where it is, and what to do.
All findings of an input are reported together. An **error** stops the work before anything is written; a **warning** is kept with the panel, the check
and the report.

In Python an error is an exception of the tree below {class}`hinterland.HinterlandError`, whose `findings` holds every one; warnings are in `Panel.findings`.
On the command line they are printed to stderr and the exit code is 2. `hinterland explain CODE` shows the entry below, and with `--language zh` the Chinese one.
"""


def findings_page() -> str:
    """``findings.md``."""
    texts, severities = catalogue("en"), finding_codes(SOURCE)
    parts = [_FINDINGS_HEAD]
    for heading, codes in finding_groups().items():
        rows = []
        for code in codes:
            meaning, _, remedy = texts[f"finding.{code}"].partition(" Remedy: ")
            rows.append((f"`{code}`", " or ".join(sorted(severities.get(code, {"error"}))), meaning, remedy[:1].upper() + remedy[1:]))
        parts.append(f"## {heading}\n\n" + _table(("Code", "Severity", "What it means", "What to do"), iter(rows)))
    return "\n".join(parts)


_GLOSSARY_HEAD = """# Glossary

The words that the code, the notes, the report and these pages share. `hinterland explain WORD` shows an entry; `--language zh` gives the Chinese one.
"""


def glossary_page() -> str:
    """``glossary.md``: every word in both languages."""
    en, zh = catalogue("en"), catalogue("zh")
    keys = [k for k in en if k.startswith("glossary.")]
    names = {k: (label(k[9:], "en", "word"), label(k[9:], "zh", "word")) for k in keys}
    rows = ((names[k][0], names[k][1], en[k], zh[k], f"`{k[9:]}`") for k in sorted(keys))
    return f"{_GLOSSARY_HEAD}\n" + _table(("Word", "中文", "Meaning", "含义", "ID"), rows)


_REGISTER_HEAD = """# The register of demonstration zones

`policy_register("industrial-transfer-zones")`, as packaged: national demonstration zones for undertaking industrial transfer (承接产业转移示范区), approved by the
State Council or the National Development and Reform Commission. These are facts with dates and sources; what they mean for a panel is a
[rule](../explanation/timing-and-coverage.md) that a study chooses.
"""

_REGISTER_MIDDLE = """
## Cities

Coverage is `full` (the whole prefecture-level unit), `partial` (some districts or counties only) or `uncertain` (sources disagree on membership). A share is given
only where a source supports it.
"""

_REGISTER_FOOT = """
## First treated year under each rule

By default a city counts from its zone's first full year; January counts as a full year. Zones whose sources disagree on the date take the earlier one.
"""


_PROGRAMMES_HEAD = """
## Other programmes

Programmes of the same years, for rows that leave their cities out or control for them ([how](../how-to/robustness.md#concurrent-programmes)), or as a policy of their own. A batch of precision `latest` is dated by a cumulative list: its cities had entered by then.
`hinterland data show ID` lists the cities with their batch and coverage.
"""


def _programmes() -> Iterator[tuple[object, ...]]:
    for register in map(policy_register, registers()[1:]):
        cities = dict(register.members.group_by("zone_id").len().iter_rows())
        for z in register.zones.iter_rows(named=True):
            names = f"{z['name_zh']}<br>{z['name_en']}"
            facts = (
                z["approval"],
                z["precision"],
                cities.get(z["zone_id"], 0),
                z["document"],
                z["authority"],
                z["confidence"],
                z["sources"],
                z["note"],
            )
            yield f"`{register.id}`", names, *facts


def register_page() -> str:
    """``register.md``: zones, cities, and what the timing rules make of them."""
    register = policy_register()
    zones = (
        (
            z["zone_id"],
            f"{z['name_zh']}<br>{z['name_en']}",
            z["approval"],
            z["approval_alternative"] or "",
            z["authority"],
            z["confidence"],
            z["sources"],
            z["note"],
        )
        for z in register.zones.iter_rows(named=True)
    )
    cities = (
        (
            m["zone_id"],
            m["adcode"],
            m["name_zh"],
            m["name_en"],
            m["coverage"],
            "" if m["dose"] is None else f"{m['dose']:g}",
            m["districts"],
            m["note"],
        )
        for m in register.members.iter_rows(named=True)
    )
    return "\n".join(
        [
            _REGISTER_HEAD,
            "## Zones\n",
            _table(("Zone", "Name", "Approval", "Other date", "Authority", "Confidence", "Sources", "Note"), zones),
            _REGISTER_MIDDLE,
            _table(("Zone", "Code", "城市", "City", "Coverage", "Share", "Districts", "Note"), cities),
            _REGISTER_FOOT,
            _table(
                ("Zone", "Approval", "`first_full_year`", "`approval_year`", "`cutoff_month` (6)", "`first_full_year`, later date"),
                _first_years(),
            ),
            _PROGRAMMES_HEAD,
            _table(
                ("ID", "Batch", "Date", "Precision", "Cities", "Document", "Authority", "Confidence", "Sources", "Note"),
                _programmes(),
            ),
        ]
    )


def _first_years() -> Iterator[tuple[object, ...]]:
    register = policy_register()
    rules = [register.cohorts(t) for t in ("first_full_year", "approval_year", "cutoff_month")] + [register.cohorts(conflict="latest")]
    frames = [register.timeline(rule).select("zone_id", "approval", "first_period") for rule in rules]
    for i, row in enumerate(frames[0].iter_rows(named=True)):
        yield row["zone_id"], row["approval"], *(f["first_period"][i] for f in frames)


ACCEPTS: Mapping[str, str] = {
    "covariates": "covariates",
    "weights": "weights",
    "unbalanced": "gaps",
    "non-absorbing": "switches off",
    "always-treated": "always treated",
    "anticipation": "anticipation",
    "fixed-effects": "more fixed effects",
    "repeated-cross-sections": "cross-sections",
    "dose": "dose",
}
"""What a method may be defined on, and the heading of its column."""
GUIDE = Path(__file__).resolve().parents[1] / "explanation" / "methods" / "index.md"
MARKS = ("<!-- accepts: written by docs/_ext/pages.py -->\n", "<!-- end of accepts -->")


def accepts_table() -> str:
    """What each estimator is defined on, as the register of estimators says."""
    rows = ((f"`{m.id}`", *("yes" if a in m.accepts else "" for a in ACCEPTS), _covariances(m)) for m in METHODS.values())
    return _table(("", *ACCEPTS.values(), "covariance"), rows)


def _covariances(method: Method) -> str:
    """The values of ``vcov``, or of the method's own variance; whether several groupings of clusters are taken."""
    several = ", several groupings" if "two-way-clusters" in method.accepts else ""
    for name in ("vcov", "variance"):
        if name in method.options:
            option = method.options[name]
            return "any" if option == REGRESSION_INFERENCE["vcov"] else ", ".join(f"`{v}`" for v in option.values) + several
    return "`jackknife`" if "replicates" in method.options else "`cluster`"


def guide_page() -> str:
    """``methods/index.md`` with its table of what each estimator is defined on."""
    before, _, rest = GUIDE.read_text(encoding="utf-8").partition(MARKS[0])
    return f"{before}{MARKS[0]}{accepts_table()}{MARKS[1]}{rest.partition(MARKS[1])[2]}"


_INDICATORS_HEAD = """# Indicators

Every indicator of the catalogue, by family: `hl.measure(id, table, …)` in Python, `[measure.NAME]` in a study, `hinterland measure` and `hinterland explain ID` on
the command line. Columns in brackets may be left out. All of them take `state`, `suppressed`, `complete`, `on_negative` and `min_coverage` (see
[Measures](../explanation/measures/index.md)), and give `value`, `n_used`, `coverage` and, where there is no value, its `reason`.
"""


def indicators_page() -> str:
    """``indicators.md``: the catalogue."""
    parts = [_INDICATORS_HEAD]
    for family in dict.fromkeys(i.family for i in INDICATORS.values()):
        words = (catalogue(language)[f"indicator_family.{family}"] for language in ("en", "zh"))
        parts.append(f"## {' '.join(words)}\n")
        parts += [_indicator(i) for i in INDICATORS.values() if i.family == family]
    return "\n".join(parts)


def _indicator(indicator: Indicator) -> str:
    """One indicator: what it says, what it reads, what may be chosen, what goes wrong."""
    low, high = ("" if x is None else f"{x:g}" for x in indicator.range)
    columns = ", ".join(f"`{r.name}` ({r.help})" if r.required else f"[`{r.name}`] ({r.help})" for r in indicator.roles)
    lines = [
        f"### `{indicator.id}`: {indicator.name('en').lower()} {indicator.name('zh')}\n",
        f"{indicator.meaning('en')}\n\n{indicator.meaning('zh')}\n",
        f"$${indicator.formula}$$\n",
        f"* **Source**: {indicator.source}. **Unit**: {label(indicator.unit, 'en', 'unit')}; **range**: {low or '-∞'} to {high or '∞'}.",
        f"* **Columns**: {columns}. **One value for each**: {', '.join(f'`{k}`' for k in indicator.keys) or 'table'}.",
    ]
    if indicator.components:
        named = ", ".join(f"`{c}` ({label(c, 'en', 'component')})" for c in indicator.components)
        lines.append(f"* **Components**: {named}.")
    for name, p in indicator.parameters.items():
        values = f" One of {', '.join(f'`{v!r}`' for v in p.values)}." if p.values else ""
        lines.append(f"* `{name}` = `{p.default!r}`: {p.help}.{values}")
    lines += [f"* **Caution**: {indicator.caution('en')} {indicator.caution('zh')}", ""]
    return "\n".join(line.replace("..", ".") if line.startswith("* `") else line for line in lines)


PAGES = {
    "findings.md": findings_page,
    "indicators.md": indicators_page,
    "glossary.md": glossary_page,
    "register.md": register_page,
    "planning-model.md": model_page,
    "cases.md": cases_page,
}
"""Writer of each page."""


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), encoding="utf-8")
    GUIDE.write_text(guide_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
