"""The pen model: handwritten examples of a character from the middle lines of its strokes.

`helpers.draw_mandarin`, `helpers.load_mandarin` and makers/mandarin.py use it. A changed line here
gives other images: then run that maker again.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

WRITERS, TRAIN, VALIDATION = 7, 5, 1
SEED = 55


def data_set(strokes):
    """Return the book's arrays chars, x_train, y_train, x_val, … of {character: strokes}.

    Seven writers write each character once. Five of the seven go to training, one to validation,
    one to test; which one changes from character to character, so that every writer is found in
    every part.
    """
    images = np.stack([draw(char, lines, WRITERS, SEED) for char, lines in strokes.items()])
    for i in range(len(images)):
        images[i] = np.roll(images[i], i, axis=0)
    labels = np.repeat(np.arange(len(images), dtype="uint8")[:, None], WRITERS, axis=1)
    bounds = {"train": slice(0, TRAIN), "val": slice(TRAIN, TRAIN + VALIDATION)}
    bounds["test"] = slice(TRAIN + VALIDATION, WRITERS)
    arrays = {"chars": np.array(list(strokes))}
    for part, bound in bounds.items():
        arrays[f"x_{part}"] = images[:, bound].reshape(-1, 80, 80)
        arrays[f"y_{part}"] = labels[:, bound].reshape(-1)
    return arrays


def draw(char, strokes, n, seed):
    """Return `n` new handwritten examples of `char` as uint8 (n, 80, 80), dark ink on light paper.

    `strokes` is the character's list of strokes, a stroke being points [x, y], sides 0–1, y down.
    Example i is by writer i of `seed`, who has an own slant, size, pen and haste. n is at least 1.
    """
    strokes = [np.array(stroke) @ [1, 1j] for stroke in strokes]
    images = []
    for i in range(n):
        writer = _writer(np.random.default_rng([seed, i]))
        rng = np.random.default_rng([seed, i, ord(char)])
        images.append(_ink_on_paper(*_pen_path(strokes, writer, rng), writer, rng))
    return np.stack(images)


def _writer(rng):
    """Return one writer's habits. Lengths are shares of the image's side, width is in pixels."""
    habits = {"slant": (-0.2, 0.25), "turn": (-0.08, 0.08), "aspect": (-0.15, 0.15)}
    habits |= {"size": (0.64, 0.84), "haste": (0, 1), "joining": (0, 0.35), "width": (1, 2)}
    habits |= {"contrast": (0.1, 0.45), "ink": (15, 75), "wobble": (0.015, 0.038)}
    habits |= {"shift": (0.008, 0.022)}
    return {habit: rng.uniform(*bounds) for habit, bounds in habits.items()}


def _pen_path(strokes, writer, rng):
    """Return the pen's way over the image (complex, in pixels) and its pressure, 1 on average."""

    def wander(length, scale):  # smooth noise of standard deviation about 0.5 to 1
        return gaussian_filter1d(rng.normal(size=length), scale, mode="nearest") * scale**0.5

    way, pressure, haste = [], [], writer["haste"]
    for stroke in strokes:
        at = np.abs(np.diff(stroke, prepend=stroke[0])).cumsum()
        z = np.interp(np.linspace(0, at[-1], max(int(at[-1] * 120), 12)), at, stroke)
        swing = rng.normal(1, 0.06) * np.exp(1j * rng.normal(0, 0.05 + 0.03 * haste))
        z = z.mean() + (z - z.mean()) * swing + rng.normal(0, writer["shift"], 2) @ [1, 1j]
        z = gaussian_filter1d(z, 0.5 + 3 * haste, mode="nearest")  # haste rounds the corners
        z += writer["wobble"] * 0.5 * (wander(len(z), 8) + 1j * wander(len(z), 8))
        time = np.linspace(0, 1, len(z))
        press = 1.9 * wander(len(z), 10) + np.exp(-8 * time) - haste * time**3
        if way and rng.random() < writer["joining"] and abs(z[0] - way[-1][-1]) < 0.4:
            way.append(np.linspace(way[-1][-1], z[0], 40))  # the pen hardly leaves the paper
            pressure.append(np.full(40, 0.3))
        way.append(z)
        pressure.append(1 + writer["contrast"] * press)

    z = np.concatenate(way) - 0.5 - 0.5j
    x, y = z.real, z.imag
    bend = rng.normal(0, 0.09, (3, 2)) @ [1, 1j]  # of the whole character, as its space ran out
    z = z + bend[0] * x * y + bend[1] * x * x + bend[2] * y * y
    z = (z.real - writer["slant"] * z.imag) * (1 + writer["aspect"]) + 1j * z.imag
    z *= np.exp(1j * writer["turn"])
    corner = min(z.real) + 1j * min(z.imag)
    extent = max(z.real) + 1j * max(z.imag) - corner
    scale = writer["size"] * rng.normal(1, 0.04) / max(extent.real, extent.imag, 0.75)
    z = (z - corner - extent / 2) * scale + rng.normal(0, 0.02, 2) @ [1, 1j]
    return 40 + 40j + 80 * z, np.clip(np.concatenate(pressure), 0.25, 2)


def _ink_on_paper(way, pressure, writer, rng):
    """Return the picture that a camera takes of the ink on its paper, uint8 (80, 80)."""
    ink = np.zeros((120, 120))  # with a margin of 20 pixels
    dy, dx = np.mgrid[-5:6, -5:6]
    for z, press in zip(way + 20 + 20j, pressure, strict=True):
        row, column = round(z.imag), round(z.real)
        distance = np.hypot(dx + column - z.real, dy + row - z.imag)
        spot = np.clip(writer["width"] * press**0.8 + 0.5 - distance, 0, 1)
        around = ink[row - 5 : row + 6, column - 5 : column + 6]
        np.maximum(around, spot * min(0.55 + 0.45 * press, 1), out=around)
    ink = ink[20:100, 20:100]
    grain = gaussian_filter(rng.normal(size=(80, 80)), 0.7) * 2.5
    ink *= np.clip(1 - 0.4 * writer["contrast"] * np.abs(grain), 0, 1)
    light = np.add.outer(*rng.normal(0, 12, (2, 1)) * np.linspace(-1, 1, 80))
    cloud = gaussian_filter(rng.normal(size=(80, 80)), 14, mode="wrap") * 150
    paper = rng.uniform(190, 240) + light + cloud + 2.5 * grain
    image = gaussian_filter(paper + (writer["ink"] - paper) * ink, rng.uniform(0.35, 0.75))
    return np.clip(image + rng.normal(0, 2, (80, 80)), 0, 255).round().astype("uint8")
