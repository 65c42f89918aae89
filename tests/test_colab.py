"""The Colab notebooks: what they bring, and that they run in an empty folder without the book."""

import base64
import io
import os
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
from conftest import LECTURES, ROOT, small_lecture

from book import BookError, colab, execute, notebooks

# ---- What they bring


@pytest.mark.parametrize("number", LECTURES)
def test_colab_notebook_brings_helpers_and_small_data(number):
    made = colab.notebook(LECTURES[number], ROOT)
    names = set(bundled(made).namelist())
    assert {"helpers.py", "support/__init__.py", "support/files.py"} <= names
    assert not any("mnist.npz" in name for name in names), "files over 1 MB aren't packed"
    nbformat.validate(nbformat.from_dict(made))


def bundled(made):
    """Return the archive in the set-up cell of a Colab notebook as a ZipFile."""
    setup = next(c["source"] for c in made["cells"] if c["cell_type"] == "code")
    archive = setup.split('bundle = "')[1].split('"')[0]
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(archive)))


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


def test_colab_notebook_fetches_large_files_from_the_repository(tmp_path):
    book, site, empty = tmp_path / "book", tmp_path / "web" / "raw" / "main", tmp_path / "empty"
    for folder in (book / "data", site / "data", empty):
        folder.mkdir(parents=True)
    (site / "data" / "big.bin").write_bytes(bytes(2_000_000))
    (book / "data" / "big.bin").write_bytes(bytes(2_000_000))
    (book / "data" / "SHA256SUMS").write_text(f"{'0' * 64}  big.bin\n")
    (book / "helpers.py").write_text("")
    (book / "support").mkdir()
    address = (tmp_path / "web").as_uri()
    (book / "_quarto.yml").write_text(f'website:\n  repo-url: "{address}"\n')
    read = {"book": {"made_from": {"data": {"big.bin": "x"}}}}
    setup = colab.setup_cell(read, book)
    subprocess.run([sys.executable, "-c", setup], cwd=empty, check=True)
    assert (empty / "data" / "big.bin").stat().st_size == 2_000_000
    assert (empty / "data" / "SHA256SUMS").read_text().endswith("big.bin\n")


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


# ---- In an empty folder

# Refuses every file of the book but its virtual environment, whatever opens it.
GUARD = f"""
import sys
def hook(event, args, root={str(ROOT)!r}):
    if event == "open" and isinstance(args[0], str) and args[0].startswith(root + "/"):
        if not args[0].startswith(root + "/.venv"):
            raise PermissionError("a Colab notebook opened a file of the book: " + args[0])
sys.addaudithook(hook)
"""
WHOLE = "06"  # the one that every test run executes whole


def colab_environment(folder):
    """Return the variables of a kernel that knows nothing of the book, with Keras' cache filled."""
    import helpers

    guard = folder / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    cache = folder / "keras" / "datasets"
    cache.mkdir(parents=True)
    names = ("x_train", "y_train", "x_test", "y_test")
    for name, load in (("mnist", helpers.load_mnist), ("fashion_mnist", helpers.load_fashion)):
        train, test = load()
        np.savez(cache / f"{name}.npz", **dict(zip(names, train + test, strict=True)))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("BOOK_")}
    return {
        **kept,
        "PYTHONPATH": str(guard),
        "KERAS_HOME": str(folder / "keras"),
        "CUDA_VISIBLE_DEVICES": "-1",
        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}",
    }


def run_colab(number, folder, code=None):
    """Execute a lecture's Colab notebook in an empty folder; return it executed."""
    made = nbformat.from_dict(colab.notebook(LECTURES[number], ROOT))
    if code is not None:
        code_cells = [c for c in made.cells if c.cell_type == "code"]
        made.cells = [made.cells[0], *code_cells[:2], nbformat.v4.new_code_cell(code)]
    path = folder / "lecture.ipynb"
    nbformat.write(made, path)
    empty = folder / "empty"
    empty.mkdir()
    return execute.run(path, env=colab_environment(folder), cwd=empty, quiet=True)


@pytest.mark.lectures
@pytest.mark.parametrize("number", LECTURES)
def test_set_up_and_data_cells_run(number, tmp_path):
    code = "print(helpers.__file__)\nprint(helpers.load_mnist()[0][0].shape)"
    notebook = run_colab(number, tmp_path, code)
    where, shape = notebook.cells[-1].outputs[0].text.splitlines()
    assert where == str(tmp_path / "empty" / "helpers.py")
    assert shape == "(60000, 28, 28)"


@pytest.mark.lectures
def test_the_guard_keeps_the_book_out(tmp_path):
    code = f"open({str(ROOT / 'helpers.py')!r})"
    with pytest.raises(BookError, match="opened a file of the book"):
        run_colab(WHOLE, tmp_path, code)


@pytest.mark.lectures
@pytest.mark.parametrize("number", LECTURES)
def test_whole_notebook_gives_the_recorded_values(number, tmp_path, request):
    if number != WHOLE and not request.config.getoption("--colab-whole"):
        pytest.skip("whole only with --colab-whole")
    found = notebooks.records(run_colab(number, tmp_path))
    bands = notebooks.bands(LECTURES[number])
    assert set(found) == set(bands)
    for name, band in bands.items():
        value = found[name]["value"]
        assert band["low"] <= value <= band["high"], f"{name} is {value} in the Colab notebook"
