"""Data files: where they lie, what they hash to, how they are read."""

import functools
import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "data"

# What the arrays of the two image sets hash to, whatever file they came in
CONTENT = {
    "mnist": "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
    "fashion_mnist": "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
}


def sha256(raw):
    """Return the SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()


def listed(folder=None):
    """Return {name: SHA-256} of the file SHA256SUMS in `folder` (data/); none where it's missing.

    A line is 64 hexadecimal digits, two spaces and a file's path below the folder, as `sha256sum`
    writes it. Raises ValueError for a line that isn't, and for a name listed twice.
    """
    sums = Path(folder or DATA) / "SHA256SUMS"
    if not sums.is_file():
        return {}
    found = {}
    lines = sums.read_bytes().decode("utf-8", "replace").removesuffix("\n").split("\n")
    for n, line in enumerate(lines if lines != [""] else [], start=1):
        digest, gap, name = line[:64], line[64:66], line[66:]
        plain = name.isprintable() and "" not in name.split("/") and ".." not in name.split("/")
        whole = re.fullmatch("[0-9a-f]{64}", digest) and gap == "  "
        if not (plain and whole) or name in found:
            raise ValueError(
                f"line {n} of {sums} is {line!r}, not a SHA-256, two spaces and the name of a file "
                "that isn't listed above; restore it with `git checkout -- data/SHA256SUMS`"
            )
        found[name] = digest
    return found


def in_book(name):
    """Say whether data file `name` has to be read from data/: not on Colab, unless it's packed."""
    book = (DATA / "README.md").is_file() or (DATA.parent / "_quarto.yml").is_file()
    return book or name in listed(DATA)


@functools.cache
def data_path(name):
    """Return the path of data file `name`; the arguments and errors are `helpers.data_path`'s."""
    sums = listed(DATA)
    path = DATA / name
    again = f"restore it with `git checkout -- data/{name}`, or make it again: see data/README.md"
    if name not in sums:
        raise ValueError(
            f"data/{name} is not listed in data/SHA256SUMS, {len(sums)} other files are; if it's "
            "the book's, restore the list with `git checkout -- data/SHA256SUMS`"
        )
    if not path.is_file():
        raise FileNotFoundError(f"data file {path} (SHA-256 {sums[name]}) is missing; {again}")
    if (found := sha256(path.read_bytes())) != sums[name]:
        raise ValueError(
            f"data file {path} is damaged: SHA-256 {found}, expected {sums[name]}; {again}"
        )
    if "BOOK_DATA_LOG" in os.environ:  # `book execute` asks which files a lecture reads
        with open(os.environ["BOOK_DATA_LOG"], "a", encoding="utf-8") as log:
            log.write(name + "\n")
    return path


@functools.cache
def read_json(name):
    """Return what the JSON file data/`name` holds."""
    return json.loads(data_path(name).read_text(encoding="utf-8"))


def read_notes(path):
    """Return the notes in a .safetensors or .npz file, a dict; empty where it has none."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            return json.loads(str(file["notes"])) if "notes" in file else {}
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return json.loads((file.metadata() or {}).get("notes", "{}"))


def frozen(array):
    """Return the array read-only: a cached array must not be changed by who reads it."""
    array.flags.writeable = False
    return array


def published(arrays, name, place):
    """Return the four arrays of image set `name` as they are, when they're the published ones.

    Raises ValueError, which names `place`, for other shapes, types or values.
    """
    again = f"delete {place} and run again"
    wanted = [(n, *more) for n in (60_000, 10_000) for more in ((28, 28), ())]
    for array, shape in zip(arrays, wanted, strict=True):
        if array.shape != shape or array.dtype != np.uint8:
            raise ValueError(
                f"the {name} arrays from {place} are not the published ones: {array.dtype} of "
                f"shape {array.shape}, expected uint8 of {shape}; {again}"
            )
    found = sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays))
    if found != CONTENT[name]:
        raise ValueError(
            f"the {name} arrays from {place} are not the published ones: SHA-256 of their content "
            f"is {found}, expected {CONTENT[name]}; {again}"
        )
    return arrays


@functools.cache
def image_set(file, name):
    """Return an image set from data/`file`, else from Keras' cache or keras.datasets.`name`.

    The form is that of `helpers.load_mnist`. Raises ValueError for a damaged file and for other
    arrays than the published ones.
    """
    import keras

    keys = ("x_train", "y_train", "x_test", "y_test")
    if in_book(file):
        with np.load(data_path(file), allow_pickle=False) as packed:
            arrays = [packed[key] for key in keys]
    else:
        home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
        cached = Path(home) / "datasets" / f"{name}.npz"
        if cached.is_file():
            try:
                with np.load(cached, allow_pickle=False) as packed:
                    arrays = [packed[key] for key in keys]
            except Exception as error:  # whatever NumPy and zipfile stumble over
                said = f"{type(error).__name__}: {error}"
                raise ValueError(
                    f"{cached} is damaged ({said}); delete it and run again"
                ) from error
            arrays = published(arrays, name, cached)
        else:
            arrays = [part for pair in getattr(keras.datasets, name).load_data() for part in pair]
            arrays = published(arrays, name, cached.parent)
    x_train, y_train, x_test, y_test = map(frozen, arrays)
    return (x_train, y_train), (x_test, y_test)
