"""Make book/assets/fonts/noto-sans-cjk-subset.woff: the Chinese characters that the pages show.

    apt-get download fonts-noto-cjk    (1:20220127+repack1-1)
    python -m makers.fonts fonts-noto-cjk_1%3a20220127+repack1-1_all.deb

The characters are those of the data set, of the lectures' text and of their outputs. A test says
when one is missing; then run this again.
"""

import gzip
import io
import json
import os
import re
import sys

from fontTools import subset
from fontTools.ttLib import TTCollection

from book import ROOT, notebooks
from makers.common import debian_terms, open_deb
from makers.mandarin_strokes import CHARS

SOURCE_SHA256 = "4a2515eb6db3978b897fef9709ed0d2b1f4c6c4df4d83d6c4ef65f71f1b1f502"
COLLECTION = "./usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
TERMS = "./usr/share/doc/fonts-noto-cjk/copyright"
FONT = ROOT / "book" / "assets" / "fonts" / "noto-sans-cjk-subset.woff"
CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")


def shown(root=ROOT):
    """Return the Chinese characters in the pages and lectures of the book, outputs included."""
    found = set()
    for page in notebooks.pages(root):
        path = root / page
        if path.suffix == ".ipynb":
            text = json.dumps(notebooks.read(path), ensure_ascii=False)
        else:
            text = path.read_text(encoding="utf-8")
        found |= set(CHINESE.findall(text))
    return found


def main(package):
    deb = open_deb(package, SOURCE_SHA256)
    fonts = TTCollection(io.BytesIO(deb.extractfile(COLLECTION).read()))
    font = next(f for f in fonts if f["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=True)
    cut = subset.Subsetter(options)
    cut.populate(text="".join(sorted(set(CHARS) | shown())))
    cut.subset(font)
    part = FONT.with_suffix(".part")
    subset.save_font(font, part, options)
    os.replace(part, FONT)
    raw = deb.extractfile(TERMS).read()
    terms = debian_terms(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    FONT.with_name("noto-sans-cjk-subset.LICENSE.txt").write_bytes(terms)


if __name__ == "__main__":
    main(*sys.argv[1:])
