"""Build the font that figures are drawn with: a subset of Noto Sans SC, so that Chinese text renders on any machine.

Provenance
    Noto Sans SC Regular, version 2.004-H2 (static TrueType instance, as published with the Google Fonts collection),
    Copyright (c) 2014-2021 Adobe, with Reserved Font Name 'Source'; SIL Open Font License 1.1 (report/fonts/OFL.txt).
    SHA-256 of the source file: see ``SOURCE_SHA256``.

What the subset holds
    The 7,445 characters of GB 2312 (levels 1 and 2, kana, Greek, Cyrillic), Latin, punctuation and the mathematical signs that
    tables use, and every character of the packaged labels and catalogues. Hinting and layout features other than kerning
    and marks are dropped, and the combining macron is set above a capital M. The family is renamed, as a modified font should be.

Usage
    python scripts/build_font.py NotoSansSC-Regular.ttf
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "hinterland"
TARGET = PACKAGE / "report" / "fonts" / "HinterlandSansSC-Regular.ttf"
FAMILY = "Hinterland Sans SC"
SOURCE_SHA256 = "d45f67f0a7c0ca3f256950777ce6a61cc7ce5f9696d02900cbbaac25f8aa7d16"
RANGES = (
    (0x20, 0x7E),
    (0xA0, 0x17F),
    (0x2C6, 0x2DD),
    (0x370, 0x3FF),
    (0x2010, 0x2027),
    (0x2030, 0x203A),
    (0x2070, 0x209C),
    (0x3000, 0x303F),
    (0xFF01, 0xFF5E),
)
SIGNS = "€№™←↑→↓∂∆∏∑−∓√∞∫≈≠≤≥◊●○■□▲△▼▽◆◇★☆"
TEXTS = ("labels/**/*.toml", "data/catalogue/**/*.csv", "data/catalogue/**/*.toml")


def gb2312() -> set[str]:
    """The characters of GB 2312."""
    found = set()
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                found.add(bytes((row, cell)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return found


def wanted() -> set[str]:
    """Every character the font must hold."""
    chars = gb2312() | set(SIGNS) | {chr(c) for low, high in RANGES for c in range(low, high + 1)}
    for pattern in TEXTS:
        for path in PACKAGE.glob(pattern):
            chars |= set(path.read_text(encoding="utf-8"))
    return {c for c in chars if c.isprintable()}


def rename(font: TTFont) -> None:
    """Give the subset its own name; keep copyright and licence entries."""
    names = {
        1: FAMILY,
        3: f"2.004;subset;{FAMILY.replace(' ', '')}-Regular",
        4: f"{FAMILY} Regular",
        6: f"{FAMILY.replace(' ', '')}-Regular",
    }
    table = font["name"]
    table.names = [n for n in table.names if n.nameID in {0, 1, 2, 3, 4, 5, 6, 7, 13, 14} and n.platformID == 3 and n.langID == 0x409]
    for record in table.names:
        record.string = names.get(record.nameID, record.toUnicode())


def centre_macron(font: TTFont) -> None:
    """Set the combining macron above a capital M, the only letter that it is used with (M̄): programmes that draw figures do not place marks."""
    glyphs, names = font["glyf"], font.getBestCmap()
    macron, letter = names[0x304], names[ord("M")]
    mark, base = glyphs[macron], glyphs[letter]
    advance = font["hmtx"][letter][0]
    shift = round((base.xMin + base.xMax) / 2 - advance - (mark.xMin + mark.xMax) / 2)
    mark.coordinates.translate((shift, max(0, base.yMax + 60 - mark.yMin)))
    mark.recalcBounds(glyphs)
    font["hmtx"][macron] = (0, mark.xMin)


def build(source: Path) -> Path:
    """Write the subset of ``source`` to the package."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        raise SystemExit(
            f"{source} is not the source file this subset is documented for\n    where: SHA-256 {digest}\n    do:    use the file with SHA-256 {SOURCE_SHA256}, or update this script"
        )
    options = subset.Options(
        hinting=False,
        layout_features=["kern", "mark", "mkmk"],
        name_IDs=["*"],
        notdef_outline=True,
        desubroutinize=True,
        drop_tables=["STAT", "BASE", "vhea", "vmtx", "gasp", "prep"],
    )
    font = subset.load_font(str(source), options)
    font.recalcTimestamp = False
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord(c) for c in wanted()])
    subsetter.subset(font)
    centre_macron(font)
    rename(font)
    subset.save_font(font, str(TARGET), options)
    return TARGET


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    path = build(Path(sys.argv[1]))
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.2f} MB\n")
