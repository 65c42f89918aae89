"""Make data/mandarin_strokes.json from the npm package hanzi-writer-data.

    npm pack hanzi-writer-data@2.0.1
    python -m makers.mandarin_strokes hanzi-writer-data-2.0.1.tgz

Of each of the 55 characters the middle lines of the strokes are kept, in writing order, as lists
of points; x and y were 0–1024 and 900 to −124 (up) and become 0–1 with y down.
"""

import json
import sys
import tarfile

from makers.common import check_source, save_bytes

SOURCE_SHA256 = "72baf3d82b114e60d6e40ea05f24d2262a05cd39d544e2f322ba2fceb7beff15"
CHARS = (
    "人从众大夫天口太因鱼犬吠哭火炎啖木林森本竹羊美羔山出女囡"
    "鸟日东月朋明肉肤工白虎门闪问闲水牛马吗妈玉王国主川舟虫"
)


def main(package):
    check_source(package, SOURCE_SHA256)
    strokes = {}
    with tarfile.open(package) as tar:
        for char in CHARS:
            medians = json.load(tar.extractfile(f"package/{char}.json"))["medians"]
            strokes[char] = [
                [[round(x / 1024, 3), round((900 - y) / 1024, 3)] for x, y in line]
                for line in medians
            ]
        terms = tar.extractfile("package/ARPHICPL.TXT").read()
    rows = [
        f"{json.dumps(char, ensure_ascii=False)}: {json.dumps(strokes[char])}" for char in CHARS
    ]
    text = "{\n" + ",\n".join(rows) + "\n}\n"
    save_bytes("mandarin_strokes.json", text.replace(", ", ",").encode())
    save_bytes("mandarin_strokes.LICENSE.txt", terms)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
