"""Make data/mandarin.npz and its contact sheet from data/mandarin_strokes.json.

    python data/make_mandarin.py

The pen model is pens.py, which `helpers.draw_mandarin` uses too. Seven writers write each character
once. Five of the seven go to training, one to validation, one to test; which one changes from
character to character, so that every writer is found in every part.
"""

import io
import json

import numpy as np
import pens
from maker import HERE, save_bytes, save_npz
from PIL import Image

WRITERS, TRAIN, VALIDATION = 7, 5, 1
SEED = 55


def main():
    strokes = json.loads((HERE / "mandarin_strokes.json").read_text(encoding="utf-8"))
    chars = list(strokes)
    images = np.stack([pens.draw(char, strokes[char], WRITERS, SEED) for char in chars])
    sheet = images.reshape(11, 5, WRITERS, 80, 80).transpose(0, 3, 1, 2, 4).reshape(880, -1)

    for i in range(len(chars)):
        images[i] = np.roll(images[i], i, axis=0)
    labels = np.repeat(np.arange(len(chars), dtype="uint8")[:, None], WRITERS, axis=1)
    bounds = {"train": slice(0, TRAIN), "val": slice(TRAIN, TRAIN + VALIDATION)}
    bounds["test"] = slice(TRAIN + VALIDATION, WRITERS)
    arrays = {"chars": np.array(chars)}
    for part, bound in bounds.items():
        arrays[f"x_{part}"] = images[:, bound].reshape(-1, 80, 80)
        arrays[f"y_{part}"] = labels[:, bound].reshape(-1)
    save_npz("mandarin.npz", arrays)

    packed = io.BytesIO()
    small = Image.fromarray(sheet).resize((1400, 440), Image.Resampling.LANCZOS)
    small.quantize(16).save(packed, "PNG", optimize=True)
    save_bytes("mandarin_sheet.png", packed.getvalue())


if __name__ == "__main__":
    main()
