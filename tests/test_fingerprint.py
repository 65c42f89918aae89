"""book/fingerprint.py: what makes stored outputs stale, and what doesn't."""

import json
import shutil

import numpy as np
import pytest
from conftest import LECTURES, ROOT, spoil
from safetensors.numpy import save_file

from book import BookError, check, execute, fingerprint, notebooks


def test_fresh_lecture_is_neither_stale_nor_executed_again(stored):
    root, path = stored
    assert fingerprint.stale(path, root) is None
    assert execute.execute([path], root=root) == {}
    assert check.check_lecture(path, root) == []
    assert list(notebooks.records(notebooks.read(path))) == ["a_value"]
    assert set(notebooks.read(path).metadata["book"]["made_from"]["data"]) == {"mnist.npz"}


def test_changed_code_makes_a_lecture_stale(stored):
    root, path = stored
    spoil(path, lambda c: c.update(source=c.source.replace("rate = 0.01", "rate = 0.00001")))
    assert "code" in fingerprint.stale(path, root)


def test_comments_and_captions_dont_make_a_lecture_stale(stored):
    root, path = stored
    spoil(path, lambda c: c.update(source=c.source.replace("fig-cap: ", "fig-cap: Now ")))
    spoil(path, lambda c: c.cell_type == "code" and c.update(source=c.source + "\n# a comment"))
    assert fingerprint.stale(path, root) is None


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


NOT_REACHED = {
    "a comment": ("import functools", "import functools  # why"),
    "a docstring": ('"""Return the peak signal', '"""Return what is called the peak signal'),
    "an added helper": ("def psnr(", "def unused():\n    return 1\n\n\ndef psnr("),
    "a helper named as a variable": ("def psnr(", "def rate():\n    return 1\n\n\ndef psnr("),
    "an added constant": ("def psnr(", "UNUSED = 5\n\n\ndef psnr("),
    "an added import": ("import functools", "import fractions\nimport functools"),
    "another helper": (),
}
REACHED = {
    "a helper": ("helpers.py", "-10 * np.log10", "-11 * np.log10"),
    "a constant": ("helpers.py", '"#D55E00"', '"#D55E01"'),
    "a setting": ("helpers.py", '"font.size": 12', '"font.size": 13'),
    "a function of the package": ("support/files.py", "array.flags.writeable = False", "pass"),
    "a constant of the package": ("support/files.py", "06b0d1f1", "16b0d1f1"),
    "an import": ("helpers.py", "import numpy as np", "import jax.numpy as np"),
}


@pytest.mark.parametrize("what", NOT_REACHED)
def test_what_a_lecture_does_not_reach_leaves_it_fresh(what, stored):
    root, path = stored
    if what == "another helper":
        edit(root / "helpers.py", "steps = epochs * -(-n // batch_size)", "steps = epochs * n")
        edit(root / "support" / "widgets.py", "has no wrong choice", "lacks a wrong choice")
    else:
        edit(root / "helpers.py", *NOT_REACHED[what])
    assert fingerprint.stale(path, root) is None


@pytest.mark.parametrize("what", REACHED)
def test_what_a_lecture_reaches_makes_it_stale(what, stored):
    root, path = stored
    file, old, new = REACHED[what]
    edit(root / file, old, new)
    assert "helpers" in fingerprint.stale(path, root)


def test_a_helper_makes_stale_just_the_lectures_that_reach_it(tmp_path):
    """Of the book's own lectures: `frechet` is reached by some, its change is seen by these."""
    for name in ("helpers.py", "support"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    edit(
        tmp_path / "helpers.py", "np.linalg.eigvals(a @ b).real, 0)", "np.linalg.eigvals(a @ b), 0)"
    )
    changed, users = set(), set()
    for number, path in LECTURES.items():
        cells = notebooks.code_cells(notebooks.read(path))
        code = "\n".join(code for _, _, code, _ in cells)
        if fingerprint.reached(code) != fingerprint.reached(code, tmp_path):
            changed.add(number)
        if "helpers.frechet" in code:
            users.add(number)
    assert changed == users and 0 < len(users) < len(LECTURES)


def test_magics_and_awaits_are_part_of_the_code():
    plain = fingerprint.normal_form("%matplotlib inline\n!ls\nx = await f()  # a comment")
    assert "run_line_magic('matplotlib', 'inline')" in plain and "await f()" in plain
    assert plain != fingerprint.normal_form("%matplotlib inline\n!pwd\nx = await f()")
    with pytest.raises(BookError, match="line 2 isn't Python"):
        fingerprint.normal_form("x = 1\ny = = 2")


def test_bands_and_their_reasons_leave_a_lecture_fresh(stored):
    root, path = stored
    bands = root / "tests" / "expected" / "01.yml"
    bands.write_text("a_value: {low: 0, high: 98, why: another}\n")
    assert fingerprint.stale(path, root) is None


def test_changed_data_makes_a_lecture_stale(stored):
    root, path = stored
    with open(root / "data" / "mnist.npz", "ab") as file:
        file.write(b"!")
    assert "data" in fingerprint.stale(path, root)


def test_a_checkpoint_counts_by_its_weights_and_notes_but_not_by_who_trained_it(tmp_path):
    path = tmp_path / "a.safetensors"

    def hash_of(weights, **notes):
        save_file({"00": np.array(weights, "float32")}, path, {"notes": json.dumps(notes)})
        return fingerprint.content(path)

    first = hash_of([1, 2], log=[3], made_from={"hash": "a"})
    assert first == hash_of([1, 2], log=[3], made_from={"hash": "b"})
    assert first != hash_of([1, 3], log=[3], made_from={"hash": "a"})
    assert first != hash_of([1, 2], log=[4], made_from={"hash": "a"})
