"""What the tests share: executed lectures, a rendered site, a browser."""

import functools
import http.server
import json
import os
import re
import shutil
import threading
import time
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock

from book import ROOT, BookError, check, execute, notebooks, render, slides

LECTURES = {notebooks.number(path): path for path in notebooks.lectures()}

# Quick tests first: what needs no execution fails within a minute.
ORDER = (
    "test_files",
    "test_structure",
    "test_book",
    "test_fingerprint",
    "test_definitions",
    "test_frame",
)
ORDER += ("test_notation", "test_exercises", "test_quarto", "test_environment", "test_workflow")
ORDER += (
    "test_scratch",
    "test_defaults",
    "test_latest",
    "test_sweep",
    "test_helpers",
    "test_loaders",
    "test_makers",
    "test_networks",
    "test_widgets",
)
LAST = ("test_site", "test_lectures", "test_colab")


def pytest_addoption(parser):
    parser.addoption("--colab-whole", action="store_true", help="run every Colab notebook whole")


def pytest_collection_modifyitems(items):
    if damaged := list(check.damaged_data()):
        # everything reads data: one red test says what is wrong, the others wait
        skip = pytest.mark.skip(reason=f"{damaged[0]}: see test_files")
        for item in items:
            if item.module.__name__ != "test_files":
                item.add_marker(skip)
    places = {name: i for i, name in enumerate(ORDER)}
    places |= {name: 1000 + i for i, name in enumerate(LAST)}
    items.sort(key=lambda item: places.get(item.module.__name__, len(ORDER)))
    for item in items:  # what executes lectures: `make check` leaves it out
        if {"executed", "fresh"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("lectures")


@pytest.fixture(scope="session")
def executed(request):
    """A function from a lecture's number to its freshly executed notebook (once per session).

    Raises BookError when the lecture fails; tests of values and figures are skipped then, as
    test_lecture_runs is red already.
    """
    done = {}
    terminal = request.config.pluginmanager.getplugin("terminalreporter")

    def run(number):
        if number not in done:
            start = time.perf_counter()
            terminal.write_line(f"\nexecuting lecture {number} …")
            try:
                done[number] = execute.run(LECTURES[number], quiet=True)
            except BookError as error:
                done[number] = error
            terminal.write_line(f"lecture {number}: {time.perf_counter() - start:.0f} s")
        return done[number]

    return run


@pytest.fixture
def fresh(executed):
    """Like `executed`, but skips the test when the lecture doesn't run."""

    def run(number):
        result = executed(number)
        if isinstance(result, BookError):
            pytest.skip(f"lecture {number} doesn't run: see test_lecture_runs")
        return result

    return run


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The book rendered by the thin renderer, once for all workers of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == "master" else base.parent) / "_site"
    with FileLock(f"{out}.lock"):
        if not out.exists():
            part = out.with_name("_site.part")
            part.mkdir()
            render.prepare(ROOT)
            render.render_thin(ROOT, part)
            part.rename(out)
    return out


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, says nothing, and has an icon for browsers that ask for one."""

    def do_GET(self):
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="session")
def made(request):
    """(folder, address) of the site to look at: BOOK_SITE, or the thin renderer's, made here.

    Quarto's pages load a module script and a search index, which browsers refuse to a page that
    is opened from disk: such a site is looked at through a server.
    """
    folder = os.environ.get("BOOK_SITE")
    folder = Path(folder).resolve() if folder else request.getfixturevalue("site")
    if not (folder / "site_libs" / "quarto-html").exists():
        yield folder, folder.as_uri()
        return
    handler = functools.partial(Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one the tests that need it are skipped, one is red."""
    try:
        slides.chromium()
    except BookError:
        pytest.skip("no Chromium: see test_chromium_is_installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = slides.launch(playwright)
        yield browser
        browser.close()


def normalised(text):
    """Return output text with its numbers (times, versions, measured values) replaced."""
    return re.sub(r"\d[\w.]*", "#", text)


def load_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


# ---- A small book, to be executed and spoilt


def small_lecture(code, path):
    """Write a notebook with one code cell under a heading."""
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_raw_cell(
                '---\ntitle: "Small"\ndescription: "A test."\nminutes: 1\ncard: fig-a\n---'
            ),
            nbformat.v4.new_markdown_cell("# Part\n\n## A slide"),
            nbformat.v4.new_code_cell(code),
        ]
    )
    nbformat.write(notebook, path)
    return path


def spoil(path, change):
    """Apply `change` to every cell of the notebook at `path`."""
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        change(cell)
    nbformat.write(notebook, path)


LECTURE = """\
#| label: fig-digit
#| fig-cap: "A digit."
#| fig-alt: "White on black."
import matplotlib.pyplot as plt
import helpers
rate = 0.01
(x, _), _ = helpers.load_mnist()
fig = helpers.image_grid([x[:2] / 255])
plt.show()
"""
RECORD = 'helpers.record("a_value", helpers.psnr(x[0] / 255, x[1] / 255), "dB")'


@pytest.fixture(scope="session")
def executed_book(tmp_path_factory):
    """A book with one small lecture, executed and stored by the book's own command."""
    root = tmp_path_factory.mktemp("small") / "book"
    for folder in ("lectures", "data", "tests/expected"):
        (root / folder).mkdir(parents=True)
    files = ("glossary.qmd", "references.bib", "helpers.py", "data/mnist.npz", "data/SHA256SUMS")
    for name in files:
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "support", root / "support")
    (root / "tests" / "expected" / "01.yml").write_text("a_value: {low: 0, high: 99, why: x}\n")
    path = small_lecture(LECTURE, root / "lectures" / "01-small.ipynb")
    notebook = nbformat.read(path, 4)
    notebook.cells.append(nbformat.v4.new_code_cell(RECORD))
    nbformat.write(notebook, path)
    assert list(execute.execute([path], root=root)) == ["01-small"]
    return root


@pytest.fixture
def stored(executed_book, tmp_path):
    """A copy of that book and the path of its lecture, to be spoilt by a test."""
    root = tmp_path / "book"
    shutil.copytree(executed_book, root)
    return root, root / "lectures" / "01-small.ipynb"
