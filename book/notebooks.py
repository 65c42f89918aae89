"""Reading lectures: their order, cells, options, records and figures."""

import re
from pathlib import Path

import nbformat
import yaml

from book import ROOT, BookError

RECORD = "application/vnd.book.record+json"


def read_yaml(text):
    """Return what YAML text holds; only plain values, no tags that make Python objects."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def config(root=ROOT):
    """Return _quarto.yml as a dict."""
    return read_yaml((Path(root) / "_quarto.yml").read_text(encoding="utf-8"))


def pages(root=ROOT):
    """Return the pages in the order of the sidebar, as paths relative to the book's folder."""

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
        if not (Path(root) / page).is_file():
            raise BookError(f"_quarto.yml lists {page}, but there is no such file")
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
    """Return the notebook at `path`."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise BookError(f"{path} is not a readable notebook ({error}); restore it") from error


def split_options(source):
    """Return the `#|` options of a cell as a dict, and its code without them."""
    lines = source.splitlines()
    n = next((i for i, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    options = read_yaml("\n".join(line[2:].strip() for line in lines[:n])) or {}
    return options, "\n".join(lines[n:])


def front_matter(notebook):
    """Return the YAML of the first raw cell as a dict."""
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "raw" or not first.source.startswith("---"):
        raise BookError("the first cell has to be raw YAML front matter between two lines ---")
    return read_yaml(first.source.strip().strip("-")) or {}


def is_solution(cell):
    """Say whether a cell is tagged as the solution of an exercise."""
    return "solution" in cell.metadata.get("tags", [])


def code_cells(notebook, solutions=True):
    """Yield (index, options, code, outputs) of every code cell, with or without solutions."""
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and (solutions or not is_solution(cell)):
            options, code = split_options(cell.source)
            yield i, options, code, cell.outputs


def records(notebook):
    """Return the recorded values of an executed lecture as {name: {name, value, unit}}."""
    found = {}
    for _, _, _, outputs in code_cells(notebook):
        for output in outputs:
            record = output.get("data", {}).get(RECORD)
            if record:
                found[record["name"]] = dict(record)
    return found


def bands(path, root=ROOT):
    """Return the declared bands of the lecture at `path` as {name: {low, high, why}}."""
    file = Path(root) / "tests" / "expected" / f"{number(path)}.yml"
    return (read_yaml(file.read_text(encoding="utf-8")) or {}) if file.exists() else {}


def heading_before(notebook, index):
    """Return the last heading above cell `index`, for messages and progress."""
    for cell in reversed(notebook.cells[: index + 1]):
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{1,3} +(.+?) *(?:\{.*\})?$", cell.source, re.M)
            if headings:
                return headings[-1]
    return "start"
