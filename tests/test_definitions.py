"""book/definitions.py: lecture functions with just what they need, and whether they moved on."""

import json
import shutil

import nbformat
import numpy as np
import pytest
from conftest import ROOT, spoil

from book import BookError, check, definitions
from makers import common
from support import files

CELLS = (
    "import math\nimport helpers\nimport this_is_not_needed",
    "width = 3\nn = width + 1\n\ndef area(x):\n    'A docstring.'\n    return math.pi * n * x",
    "x = area(2)  # never run\nraise SystemExit\nwidth = 99",
    "class Shape:\n    kind = 'round'\n\n    def area(self, n):\n        return area(self.r) + n",
    "def twice(x):\n    return 2 * x\n\ndef over_data(k):\n    return x * k",
    "def twice(x):\n    return x + x",
    "scale = 7",
)


@pytest.fixture
def lecture(tmp_path):
    """A lecture of the cells above and a solution, in a folder lectures/."""
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS]
    cells[-1].metadata["tags"] = ["setting"]
    solution = nbformat.v4.new_code_cell("def area(x):\n    return 0")
    solution.metadata["tags"] = ["solution"]
    path = tmp_path / "lectures" / "01-a.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[*cells, solution]), path)
    return path


def test_a_function_comes_with_its_constants_and_imports_alone(lecture):
    taken = definitions.take(lecture, ["Shape"])
    shape = taken.Shape()
    shape.r = 1
    assert shape.area(1) == pytest.approx(np.pi * 4 + 1)  # the width above, not the one below
    assert not {"x", "twice", "helpers", "this_is_not_needed"} & set(vars(taken))


def test_a_name_that_the_lecture_computes_has_to_be_given(lecture):
    with pytest.raises(BookError, match=r"computes x \(used by over_data\) by area; a maker has"):
        definitions.take(lecture, ["over_data"])
    assert definitions.take(lecture, ["over_data"], x=5).over_data(2) == 10


def test_a_name_defined_twice_or_nowhere_is_named(lecture):
    with pytest.raises(BookError, match="defines twice 2 times"):
        definitions.take(lecture, ["twice"])
    with pytest.raises(BookError, match=r"doesn't define thrice \(asked for\)"):
        definitions.take(lecture, ["thrice"])


def test_tagged_cells_are_taken_whole(lecture):
    assert definitions.take(lecture, tag="setting").scale == 7


@pytest.mark.parametrize(
    ("old", "new", "moved"),
    [
        ("math.pi * n", "math.pi * n ** 2", True),
        ("width = 3", "width = 4", True),
        ("A docstring.", "Another.", False),
        ("return 2 * x", "return 3 * x", False),
        ("width = 99", "width = 98", False),
    ],
)
def test_a_checkpoint_knows_when_its_code_moved_on(old, new, moved, lecture):
    stored = definitions.made_from(lecture, ["Shape"], {"steps": 5})
    stored = json.loads(json.dumps(stored))  # as in a file
    assert not definitions.moved_on(stored, lecture.parent.parent)
    spoil(lecture, lambda cell: cell.update(source=cell.source.replace(old, new)))
    assert definitions.moved_on(stored, lecture.parent.parent) == moved


def test_checkpoints_whose_lecture_code_moved_on_are_named(tmp_path, monkeypatch):
    """In a copy of the book, a line of lecture 9's network is changed."""
    for folder in ("lectures", "data"):
        (tmp_path / folder).mkdir()
    names = ["diffusion.safetensors", "gan_fashion.safetensors", "judge_mnist.safetensors"]
    for name in names:
        shutil.copy(ROOT / "data" / name, tmp_path / "data")
    sums = "".join(f"{files.listed()[name]}  {name}\n" for name in names)
    (tmp_path / "data" / "SHA256SUMS").write_text(sums)
    for number in ("08", "09"):
        (path,) = (ROOT / "lectures").glob(f"{number}-*.ipynb")
        shutil.copy(path, tmp_path / "lectures")
    assert list(check.check_checkpoints(tmp_path)) == []
    notebook = next((tmp_path / "lectures").glob("09-*.ipynb"))
    spoil(notebook, lambda cell: cell.update(source=cell.source.replace("wide=32", "wide=16")))
    (problem,) = check.check_checkpoints(tmp_path)
    assert problem.startswith("data/diffusion.safetensors was trained by other code than 09-")


def test_makers_settings_are_those_that_made_the_files():
    from makers import char_model, comparison, diffusion, gan, gpt, stylizer

    made = {
        "char_model.safetensors": char_model,
        "comparison.npz": comparison,
        "diffusion.safetensors": diffusion,
        "gan_fashion.safetensors": gan,
        "gpt_austen.safetensors": gpt,
        "stylizer.safetensors": stylizer,
    }
    for name, maker in made.items():
        stored = files.read_notes(common.DATA / name)["made_from"]
        assert stored["settings"] == json.loads(json.dumps(maker.SETTINGS)), name
        assert stored["names"] == sorted(getattr(maker, "NAMES", ())), name
        assert stored["lecture"] == maker.LECTURE.name, name
