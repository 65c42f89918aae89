"""Make data/mandarin.npz and its contact sheet from data/mandarin_strokes.json.

    python -m makers.mandarin

The pen model and the split are in support/pens.py, which the loaders in helpers.py use too.
"""

import io
import json

import numpy as np
from PIL import Image

from makers.common import DATA, save_bytes, save_npz
from support import pens


def main():
    strokes = json.loads((DATA / "mandarin_strokes.json").read_text(encoding="utf-8"))
    save_npz("mandarin.npz", pens.data_set(strokes))

    images = np.stack(
        [pens.draw(c, lines, pens.WRITERS, pens.SEED) for c, lines in strokes.items()]
    )
    sheet = images.reshape(11, 5, pens.WRITERS, 80, 80).transpose(0, 3, 1, 2, 4).reshape(880, -1)
    packed = io.BytesIO()
    small = Image.fromarray(sheet).resize((1400, 440), Image.Resampling.LANCZOS)
    small.quantize(16).save(packed, "PNG", optimize=True)
    save_bytes("mandarin_sheet.png", packed.getvalue())


if __name__ == "__main__":
    main()
