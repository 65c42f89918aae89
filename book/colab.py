"""Write one self-contained Colab notebook a lecture into colab/.

The first cell of such a notebook unpacks helpers.py, the package beside it and the lecture's small
data beside the notebook, and installs only what is missing.
"""

import base64
import io
import json
import mimetypes
import os
import re
import zipfile
from urllib.parse import quote, unquote, urlsplit

from book import ROOT, BookError, fingerprint, notebooks
from support import files

# Where Markdown or its HTML shows a picture
PICTURE = re.compile(r"""(?P<before>!\[[^\]]*\]\(|<img\b[^>]*?\bsrc=["'])(?P<name>[^)\s"'>]+)""")
LARGEST = 1_000_000  # bytes; larger data comes as FROM_ELSEWHERE says, or from `repo-url`
# Large files that the loaders do without, and what these need instead
FROM_ELSEWHERE = {
    "mnist.npz": [],  # keras.datasets has them
    "fashion.npz": [],
    "mandarin.npz": ["mandarin_strokes.json"],  # drawn again
}
PACKAGES = {"safetensors": "safetensors", "watermark": "watermark"}

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
FETCH = """
import hashlib, pathlib

for name, sha in {names}.items():  # large files
    path = pathlib.Path("data", name)
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha:
        continue
    code = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1]).read())"
    fetch = [sys.executable, "-c", code, "{source}" + name]
    raw = subprocess.run(fetch, check=True, capture_output=True, timeout=300).stdout
    if hashlib.sha256(raw).hexdigest() != sha:
        raise ValueError(f"{source}{{name}} isn't the book's file, it starts {{raw[:40]}}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
"""


def bundle(contents):
    """Return files {name: bytes} as a zip archive in base64, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            if name.startswith("/") or ".." in name.split("/"):
                raise BookError(f"{name} can't be packed for Colab: it lies outside of the book")
            archive.writestr(zipfile.ZipInfo(name), contents[name], zipfile.ZIP_DEFLATED)
    return base64.b64encode(buffer.getvalue()).decode()


def data_files(names, root):
    """Return ({name: bytes} of data/ to pack, names to fetch) for a lecture that reads `names`.

    A packed file brings its licence; SHA256SUMS lists what is packed or fetched. Raises BookError
    for a name that the book's own list lacks: nothing else of this machine is packed.
    """
    sums = files.listed(root / "data")
    for name in names:
        if name not in sums or not (root / "data" / name).is_file():
            raise BookError(
                f"the stored run read data/{name}, which isn't a file listed in data/SHA256SUMS: "
                "execute the lecture again"
            )
    names = {n for name in names for n in FROM_ELSEWHERE.get(name, [name])}
    large = sorted(n for n in names if (root / "data" / n).stat().st_size > LARGEST)
    licences = {f"{n.split('.')[0]}.LICENSE.txt" for n in names}
    packed = names - set(large) | {n for n in licences if (root / "data" / n).exists()}
    contents = {f"data/{n}": (root / "data" / n).read_bytes() for n in packed}
    if names:
        lines = [f"{sums[n]}  {n}\n" for n in sorted(packed | set(large))]
        contents["data/SHA256SUMS"] = "".join(lines).encode()
    return contents, large


def setup_cell(read, root):
    """Return the code of the first cell: unpack, install what is missing, fetch what is large.

    `read` are the names of the data files that the lecture reads.
    """
    code = [root / "helpers.py", *sorted((root / fingerprint.PACKAGE).glob("*.py"))]
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in code}
    data, large = data_files(read, root)
    cell = SETUP.format(packages=PACKAGES, bundle=bundle(contents | data))
    repository = notebooks.config(root).get("website", {}).get("repo-url")
    if large and repository:
        sums = files.listed(root / "data")
        source = f"{repository.rstrip('/')}/raw/main/data/"
        cell += FETCH.format(names={name: sums[name] for name in large}, source=source)
    return cell


def plain_markdown(text):
    """Return a cell's Markdown without what only Quarto reads: fences, labels, speaker notes."""
    text = re.sub(r"(?ms)^::: \{\.notes\}$.*?^:::$\n?", "", text)
    text = re.sub(r"(?m)^:::.*$\n?", "", text)
    text = re.sub(r"(?m)^(#+ .*?) *\{[^}\n]*\}$", r"\1", text)
    text = re.sub(r"(?m)^\$\$ *\{#eq-[^}\n]*\}$", "$$", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"\[([^]]*)\]\(\.\./glossary\.qmd[^)]*\)", r"\1", text).strip()


def with_pictures(cell, path, root):
    """Return a Markdown cell's source with its attachments and local pictures inside it.

    Raises BookError for a picture that isn't there or lies outside of the project.
    """
    attached = {quote(name): data for name, data in cell.get("attachments", {}).items()}

    def put_in(found):
        before, named = found["before"], found["name"]
        parts = urlsplit(named)
        if parts.scheme == "attachment" and (data := attached.get(quote(unquote(parts.path)))):
            mime, content = next(iter(data.items()))
            return f"{before}data:{mime};base64,{content}"
        if parts.scheme or parts.netloc:
            return found[0]
        file = notebooks.picture(named, path, root)
        mime = mimetypes.guess_type(file.name)[0]
        return f"{before}data:{mime};base64,{base64.b64encode(file.read_bytes()).decode()}"

    return PICTURE.sub(put_in, cell.source)


def notebook(path, root=ROOT):
    """Return the Colab notebook (a dict) of the lecture at `path`: set-up cell, no outputs.

    A solution leaves an empty cell in its place and stands folded at the end.
    """
    lecture = notebooks.read(path)
    front = notebooks.front_matter(lecture, path)
    read = notebooks.last_run(lecture).get("made_from", {}).get("data", {})
    metadata = {"kernelspec": lecture.metadata["kernelspec"], "colab": {"name": path.name}}
    title = f"# {front.title}\n\n{front.description}"
    cells = [
        {"cell_type": "markdown", "source": title},
        {"cell_type": "code", "source": setup_cell(read, root)},
    ]
    solutions, exercise = [], ""
    for cell in lecture.cells[int(notebooks.has_front_matter(lecture)) :]:
        text = cell.source
        if cell["cell_type"] == "markdown":
            text = plain_markdown(with_pictures(cell, path, root))
            exercise = [exercise, *re.findall(r"(?m)^## (.+)$", text)][-1]
        new = {"cell_type": cell["cell_type"], "source": text}
        if not notebooks.is_solution(cell):
            cells += [new] if text else []
            continue
        cells.append({"cell_type": "code", "source": "# Your answer"})
        solutions.append({"cell_type": "markdown", "source": f"## Solution: {exercise}"})
        if new["cell_type"] == "code":
            code = [line for line in text.splitlines() if not line.startswith("#|")]
            new["source"] = "\n".join(["# @title Show the code", *code])
            new["metadata"] = {"cellView": "form", "jupyter": {"source_hidden": True}}
        else:
            new["source"] = f"<details><summary>Show</summary>\n\n{text}\n\n</details>"
        solutions.append(new)
    cells += solutions
    for i, cell in enumerate(cells):
        cell |= {"id": f"cell-{i}", "metadata": cell.get("metadata", {})}
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


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
    for path in notebooks.lectures(root):
        part = folder / f"{path.stem}.part"
        part.write_text(json.dumps(notebook(path, root), indent=1), encoding="utf-8")
        os.replace(part, folder / path.name)
        made.append(folder / path.name)
    return made
