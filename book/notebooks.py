"""The one door for notebooks: order, cells, options, front matter, records, bands.

Whatever reads a notebook does it by `read`, which validates it and says file, cell, what is wrong
and what to do.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import nbformat.reader
import yaml
from nbformat.validator import normalize

from book import ROOT, BookError

SHOWN = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".mp4", ".webm", ".mp3"}
RECORD = "application/vnd.book.record+json"


def read_yaml(text):
    """Return what YAML text holds; only plain values, no tags that make Python objects."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def yaml_dict(text, what):
    """Return the YAML `text` as a dict; raises BookError that starts with `what` otherwise."""
    try:
        found = read_yaml(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise BookError(
            f"{what}{line} is not YAML ({getattr(error, 'problem', error)}); "
            "put a value with a colon or a bracket between quotation marks"
        ) from error
    if not isinstance(found, dict | None):
        raise BookError(f"{what} is not a list of `key: value`, but {found!r:.60}")
    return found or {}


def config(root=ROOT):
    """Return _quarto.yml as a dict."""
    return yaml_dict((Path(root) / "_quarto.yml").read_text(encoding="utf-8"), "_quarto.yml")


def pages(root=ROOT):
    """Return the pages in the order of the sidebar, as paths relative to the book's folder.

    Raises BookError for one that doesn't exist or lies outside of that folder.
    """

    def walk(items):
        for item in items:
            if isinstance(item, str):
                yield item
            elif "contents" in item:
                yield from walk(item["contents"])
            else:
                yield item["href"]

    found = list(walk(config(root)["website"]["sidebar"]["contents"]))
    for page in found:
        file = (Path(root) / page).resolve()
        if not (file.is_file() and file.is_relative_to(Path(root).resolve())):
            raise BookError(f"_quarto.yml lists {page}, but there is no such file in the book")
    return found


def lectures(root=ROOT, only=None):
    """Return the paths of the lectures in order; `only` is a number such as "06" or "06b"."""
    found = [Path(root) / page for page in pages(root) if page.endswith(".ipynb")]
    if only:
        found = [path for path in found if number(path) == only]
        if not found:
            raise BookError(f"no lecture {only} in _quarto.yml; give its number, such as L=06")
    return found


def number(path):
    """Return the number that the file name of a lecture, or of its bands, starts with: "06b"."""
    return path.stem.split("-")[0]


def read(path):
    """Return the valid notebook at `path`, in nbformat 4; raises BookError for anything else.

    A missing kernelspec becomes Python's. Options of cells and the front matter are read once, so
    that what is wrong with them is said here, with the cell.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        notebook = nbformat.convert(nbformat.reader.reads(text), to_version=4)
        kernel = notebook.metadata.setdefault("kernelspec", nbformat.NotebookNode(name="python3"))
        kernel.setdefault("display_name", kernel.get("name", "Python 3"))
        _, notebook = normalize(notebook)
        nbformat.validate(notebook)
    except FileNotFoundError as error:
        raise BookError(
            f"{path} doesn't exist; `git checkout -- {path.name}` restores it"
        ) from error
    except OSError as error:
        raise BookError(
            f"{path} can't be read ({error.strerror}); check its permissions"
        ) from error
    except nbformat.ValidationError as error:
        place = list(getattr(error, "relative_path", []))
        cell = f", cell {place[1]}" if len(place) > 1 and place[0] == "cells" else ""
        said = str(error).splitlines()[0]
        raise BookError(f"{path}{cell} is not a valid notebook ({said}); restore it") from error
    except Exception as error:  # whatever nbformat stumbles over in damaged JSON
        said = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BookError(f"{path} is not a readable notebook ({said}); restore it") from error
    kernel = notebook.metadata.kernelspec
    named = kernel.get("language") or notebook.metadata.get("language_info", {}).get("name")
    language = named or ("python" if kernel.get("name", "python").startswith("py") else kernel.name)
    if language.lower() not in ("python", "ipython"):
        raise BookError(f"{path} is written for the language {language}; the book runs Python")
    for i, cell in enumerate(notebook.cells):
        cell.source = cell.source.replace("\r\n", "\n")
        if cell.cell_type == "code":
            options, _ = split_options(cell.source, f"{path}: the options (#|) of cell {i}")
            label = options.get("label", "x")
            if not (isinstance(label, str) and re.fullmatch(r"[A-Za-z][\w-]*", label)):
                raise BookError(
                    f"{path}: the label of cell {i} is {label!r}; it starts with a letter and has "
                    "letters, digits, - and _, such as fig-copies"
                )
    front_matter(notebook, path)
    return notebook


def _parts(source):
    """Return the YAML text of a cell's `#|` lines, and the code below them."""
    lines = source.splitlines()
    n = next((i for i, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    return "\n".join(line[2:].strip() for line in lines[:n]), "\n".join(lines[n:])


def split_options(source, what="a cell's options (#|)"):
    """Return the `#|` options of a cell as a dict, and its code without them."""
    text, code = _parts(source)
    return yaml_dict(text, what), code


@dataclass(frozen=True)
class Front:
    """The front matter of a page: what the book reads of it, and all that was given."""

    title: str
    description: str = ""
    minutes: float | None = None
    card: str = ""
    numbered: bool = True
    given: dict = field(default_factory=dict)


def page_front(text, path, title):
    """Return the Front of YAML `text` ("" where there's none); `title` is for one without."""
    given = yaml_dict(text, f"{path}: the front matter")
    minutes = given.get("minutes")
    if minutes is not None and not isinstance(minutes, int | float):
        raise BookError(f"{path}: minutes in the front matter are a number, not {minutes!r}")
    return Front(
        title=str(given.get("title") or title),
        description=" ".join(str(given.get("description") or "").split()),
        minutes=minutes,
        card=str(given.get("card") or ""),
        numbered=bool(given.get("number-sections", True)),
        given=given,
    )


def front_matter(notebook, path):
    """Return the Front of a notebook: the YAML of its first cell, if that is raw between ---.

    Without a title there it's the first heading, or the file's name.
    """
    first = notebook.cells[0] if notebook.cells else None
    found = None
    if first is not None and first.cell_type == "raw":
        found = re.fullmatch(r"\s*---\n(.*?)\n?---\s*", first.source, re.S)
    headings = (re.search(r"(?m)^#+ +(.+?) *(?:\{.*\})?$", c.source) for c in notebook.cells
                if c.cell_type == "markdown")  # fmt: skip
    title = next((heading[1] for heading in headings if heading), Path(path).stem)
    return page_front(found[1] if found else "", path, title)


def has_front_matter(notebook):
    """Say whether the first cell is raw YAML between two lines ---."""
    first = notebook.cells[0] if notebook.cells else None
    return bool(
        first and first.cell_type == "raw" and re.match(r"\s*---\n.*---\s*\Z", first.source, re.S)
    )


def is_solution(cell):
    """Say whether a cell is tagged as the solution of an exercise."""
    return "solution" in cell.metadata.get("tags", [])


def code_cells(notebook, solutions=True):
    """Yield (index, options, code, outputs) of every code cell, with or without solutions."""
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and (solutions or not is_solution(cell)):
            options, code = split_options(cell.source)
            yield i, options, code, cell.outputs


def picture(named, page, root=ROOT):
    """Return the file of the picture that `page` (a path) names by a path beside itself.

    Raises BookError for one that isn't there, isn't a picture, or lies outside of the project.
    """
    file = (Path(page).parent / unquote(urlsplit(named).path)).resolve()
    if not (file.is_relative_to(Path(root).resolve()) and file.suffix.lower() in SHOWN):
        raise BookError(f"the picture {named} isn't one of the project: put it beside the page")
    if not file.is_file():
        raise BookError(f"the picture {named} is missing")
    return file


def records(notebook):
    """Return the recorded values of an executed lecture as {name: {name, value, unit}}.

    An output of `helpers.record` or `helpers.result` has a list of them.
    """
    found = {}
    for _, _, _, outputs in code_cells(notebook):
        for output in outputs:
            stored = output.get("data", {}).get(RECORD, [])
            for record in stored if isinstance(stored, list) else [stored]:
                given = record if isinstance(record, dict) else {}
                name, value, unit = (given.get(key) for key in ("name", "value", "unit"))
                number = isinstance(value, int | float) and math.isfinite(value)
                named = isinstance(name, str) and re.fullmatch("[a-z][a-z0-9_]*", name)
                if not (named and number and isinstance(unit, str)):
                    raise BookError(f"a stored record is {record!r:.80}: execute the lecture again")
                found[name] = {"name": name, "value": value, "unit": unit}
    return found


def last_run(notebook):
    """Return what `book execute` stored of its run, a dict; empty where there's none to rely on."""
    run = notebook.metadata.get("book")
    kinds = {"made_from": dict, "seed": int, "seconds": int | float, "peak_memory_mb": int | float,
             "executed": str, "versions": dict}  # fmt: skip
    if not isinstance(run, dict) or any(not isinstance(run.get(k), t) for k, t in kinds.items()):
        return {}
    return run if isinstance(run["made_from"].get("data"), dict) else {}


def bands(path, root=ROOT):
    """Return the declared bands of the lecture at `path` as {name: {low, high, why}}.

    Raises BookError for a band that lacks one of the three, or whose low isn't below its high.
    """
    file = Path(root) / "tests" / "expected" / f"{number(path)}.yml"
    if not file.exists():
        return {}
    found = yaml_dict(file.read_text(encoding="utf-8"), f"tests/expected/{file.name}")
    for name, band in found.items():
        whole = isinstance(band, dict) and {"low", "high", "why"} <= set(band)
        if not (whole and all(isinstance(band[k], int | float) for k in ("low", "high"))
                and band["low"] <= band["high"]):  # fmt: skip
            raise BookError(f"band {name} in tests/expected/{file.name} needs low ≤ high and why")
    return found


def heading_before(notebook, index):
    """Return the last heading above cell `index`, for messages and progress."""
    for cell in reversed(notebook.cells[: index + 1]):
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{1,3} +(.+?) *(?:\{.*\})?$", cell.source, re.M)
            if headings:
                return headings[-1]
    return "start"
