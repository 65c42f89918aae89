"""What the tests share: executed lectures, a rendered site, a browser."""

import ast
import json
import re
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from book import BookError, check, execute, notebooks, render, slides  # noqa: E402

LECTURES = {notebooks.number(path): path for path in notebooks.lectures()}

# Quick tests first: what needs no execution fails within a minute.
ORDER = (
    "test_data",
    "test_book",
    "test_frame",
    "test_helpers",
    "test_widgets",
    "test_site",
    "test_lectures",
    "test_colab",
)


def pytest_addoption(parser):
    parser.addoption("--colab-whole", action="store_true", help="run every Colab notebook whole")


def pytest_collection_modifyitems(items):
    if damaged := list(check.damaged_data()):
        # everything reads data: one red test says what is wrong, the others wait
        skip = pytest.mark.skip(reason=f"{damaged[0]}: see test_data")
        for item in items:
            if item.module.__name__ != "test_data":
                item.add_marker(skip)
    names = {name: i for i, name in enumerate(ORDER)}
    items.sort(key=lambda item: names.get(item.module.__name__, len(names)))


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
def site(tmp_path_factory):
    """The book rendered by the thin renderer into a folder of its own."""
    out = tmp_path_factory.mktemp("site") / "_site"
    out.mkdir()
    from book import colab, frame

    colab.write(ROOT)
    frame.write(ROOT)
    render.render_thin(ROOT, out)
    return out


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


def parts(source):
    """Return {name: code without comments} of the definitions and assignments in `source`."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, ast.unparse(node))
    return found
