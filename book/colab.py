"""Write one self-contained Colab notebook a lecture into colab/. Standard library only:
Quarto runs this before it renders, with whatever Python it finds.

The first cell of such a notebook unpacks helpers.py, the bands and the lecture's small data
beside the notebook, and installs only what is missing.
"""

import base64
import io
import json
import os
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 1_000_000  # bytes; larger data comes by keras.datasets, a package or `repo-url`
PACKAGES = {"yaml": "pyyaml", "watermark": "watermark"}

SETUP = """\
# Set-up for Colab: unpacks the book's helpers beside this notebook and installs what is missing.
# TensorFlow, Keras and NumPy stay as Colab has them.
import base64, importlib.util, io, subprocess, sys, zipfile

missing = [p for m, p in {packages}.items() if importlib.util.find_spec(m) is None]
if missing:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *missing])
bundle = "{bundle}"
zipfile.ZipFile(io.BytesIO(base64.b64decode(bundle))).extractall(".")
sys.path.insert(0, ".")
"""


def bundle(files):
    """Return files {name: bytes} as a zip archive in base64, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name], zipfile.ZIP_DEFLATED)
    return base64.b64encode(buffer.getvalue()).decode()


def notebook(path, root=ROOT):
    """Return the Colab notebook (a dict) of the lecture at `path`: set-up cell, no outputs."""
    lecture = json.loads(path.read_text(encoding="utf-8"))
    files = {"helpers.py": (root / "helpers.py").read_bytes()}
    bands = root / "tests" / "expected" / f"{path.name.split('-')[0]}.yml"
    if bands.exists():
        files[f"expected/{bands.name}"] = bands.read_bytes()
    book = lecture["metadata"].get("book", {})
    small = [
        name
        for name in book.get("made_from", {}).get("data", {})
        if (root / "data" / name).stat().st_size <= LARGEST
    ]
    if small:
        files |= {f"data/{name}": (root / "data" / name).read_bytes() for name in small}
        lines = (root / "data" / "SHA256SUMS").read_text().splitlines(keepends=True)
        listed = "".join(line for line in lines if line.split()[1] in small)
        files["data/SHA256SUMS"] = listed.encode()
    setup = SETUP.format(packages=PACKAGES, bundle=bundle(files))
    cells = [{"cell_type": "code", "id": "colab-setup", "source": setup, "metadata": {}}]
    cells += [cell for cell in lecture["cells"] if cell["cell_type"] != "raw"]
    title = next(cell for cell in lecture["cells"] if cell["cell_type"] == "raw")
    head = {"cell_type": "markdown", "id": "colab-title", "metadata": {}}
    head["source"] = title_markdown("".join(title["source"]))
    for cell in cells:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    metadata = {"kernelspec": lecture["metadata"]["kernelspec"], "colab": {"name": path.name}}
    return {"cells": [head, *cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def title_markdown(front_matter):
    """Return a heading from raw YAML front matter (title and description are one-liners)."""
    lines = dict(line.split(": ", 1) for line in front_matter.splitlines() if ": " in line)
    values = [lines.get(key, "").strip().strip('"') for key in ("title", "description")]
    return f"# {values[0]}\n\n{values[1]}"


def url(repo_url, name):
    """Return the address that opens notebook `name` of a published site in Colab.

    `repo_url` is the public repository; its branch gh-pages holds the site.
    """
    host, place = repo_url.rstrip("/").split("://", 1)[-1].split("/", 1)
    service = host.split(".")[0]
    return f"https://colab.research.google.com/{service}/{place}/blob/gh-pages/colab/{name}"


def write(root=ROOT):
    """Write colab/NN-name.ipynb for every lecture; return their paths."""
    folder = root / "colab"
    folder.mkdir(exist_ok=True)
    made = []
    for path in sorted((root / "lectures").glob("*.ipynb")):
        part = folder / f"{path.stem}.part"
        part.write_text(json.dumps(notebook(path, root), indent=1), encoding="utf-8")
        os.replace(part, folder / path.name)
        made.append(folder / path.name)
    return made


if __name__ == "__main__":
    write()
