"""The Colab notebooks run in an empty folder without the book."""

import os
import sys

import nbformat
import numpy as np
import pytest
import yaml
from conftest import LECTURES, ROOT

from book import BookError, colab, execute, notebooks

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


@pytest.mark.parametrize("number", LECTURES)
def test_set_up_and_data_cells_run(number, tmp_path):
    code = "print(helpers.__file__)\nprint(helpers.load_mnist()[0][0].shape)"
    notebook = run_colab(number, tmp_path, code)
    where, shape = notebook.cells[-1].outputs[0].text.splitlines()
    assert where == str(tmp_path / "empty" / "helpers.py")
    assert shape == "(60000, 28, 28)"


def test_the_guard_keeps_the_book_out(tmp_path):
    code = f"open({str(ROOT / 'helpers.py')!r})"
    with pytest.raises(BookError, match="opened a file of the book"):
        run_colab(WHOLE, tmp_path, code)


@pytest.mark.parametrize("number", LECTURES)
def test_whole_notebook_gives_the_recorded_values(number, tmp_path, request):
    if number != WHOLE and not request.config.getoption("--colab-whole"):
        pytest.skip("whole only with --colab-whole")
    found = notebooks.records(run_colab(number, tmp_path))
    bands = yaml.safe_load((ROOT / "tests" / "expected" / f"{number}.yml").read_text("utf-8"))
    assert set(found) == set(bands)
    for name, band in bands.items():
        value = found[name]["value"]
        assert band["low"] <= value <= band["high"], f"{name} is {value} in the Colab notebook"
