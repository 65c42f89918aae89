"""The build: staleness, safe execution, structure rules, Colab bundles, errors that help."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest
from conftest import LECTURES, ROOT, load_json

from book import BookError, check, colab, environment, execute, notebooks, slides, sweep


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


@pytest.mark.parametrize("number", LECTURES)
def test_stored_lecture_follows_the_rules(number):
    problems = check.check_lecture(LECTURES[number])
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("number", LECTURES)
def test_stored_outputs_belong_to_their_source(number):
    problems = check.check_fresh(LECTURES[number])
    assert not problems, "\n".join(problems)


def test_checkout_keeps_its_sizes():
    problems = list(check.check_sizes())
    assert not problems, "\n".join(problems)


def test_code_is_formatted_and_linted():
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run([*ruff, *command], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


# ---- Execution -----------------------------------------------------------------------------------


def test_execution_stores_outputs_and_where_they_come_from(tmp_path):
    path = small_lecture(
        "import os\nprint(os.environ['BOOK_SEED'], 2 + 3)", tmp_path / "09-s.ipynb"
    )
    notebook = execute.run(path, seed=4, quiet=True)
    assert notebook.cells[2].outputs[0].text == "4 5\n"
    assert notebook.metadata["book"]["seed"] == 4
    assert notebook.metadata["book"]["peak_memory_mb"] > 10
    assert set(notebook.metadata["book"]["made_from"]) == {"code", "helpers", "bands", "data"}


def test_progress_lines_are_stored_in_their_last_state(tmp_path):
    code = "for i in range(3):\n    print(f'\\rstep {i}', end='', flush=True)\nprint()"
    path = small_lecture(code, tmp_path / "09-s.ipynb")
    assert execute.run(path, quiet=True).cells[2].outputs[0].text == "step 2\n"


def test_lecture_that_raises_names_its_cell_and_leaves_the_file(tmp_path):
    path = small_lecture("rate = 0.1\n1 / 0", tmp_path / "09-s.ipynb")
    before = path.read_bytes()
    with pytest.raises(BookError, match=r"cell 1 \(under “A slide”\) raised ZeroDivisionError"):
        execute.execute([path], force=True)
    assert path.read_bytes() == before


def test_killed_kernel_is_reported_and_leaves_the_file(tmp_path):
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    path = small_lecture(code, tmp_path / "09-s.ipynb")
    before = path.read_bytes()
    with pytest.raises(BookError, match="kernel died in code cell 1"):
        execute.execute([path], force=True)
    assert path.read_bytes() == before


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
helpers.record("a_value", helpers.psnr(x[0] / 255, x[1] / 255), "dB")
"""


@pytest.fixture(scope="module")
def executed_book(tmp_path_factory):
    """A book with one small lecture, executed and stored by the book's own command."""
    root = tmp_path_factory.mktemp("small") / "book"
    for folder in ("lectures", "data", "tests/expected"):
        (root / folder).mkdir(parents=True)
    for name in ("glossary.qmd", "references.bib", "helpers.py", "data/mnist.npz"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "data" / "SHA256SUMS", root / "data" / "SHA256SUMS")
    (root / "tests" / "expected" / "01.yml").write_text("a_value: {low: 0, high: 99, why: x}\n")
    path = small_lecture(LECTURE, root / "lectures" / "01-small.ipynb")
    assert list(execute.execute([path], root=root)) == ["01-small"]
    return root


@pytest.fixture
def stored(executed_book, tmp_path):
    """A copy of that book and the path of its lecture, to be spoilt by a test."""
    root = tmp_path / "book"
    shutil.copytree(executed_book, root)
    return root, root / "lectures" / "01-small.ipynb"


def test_fresh_lecture_is_neither_stale_nor_executed_again(stored):
    root, path = stored
    assert execute.stale(path, root) is None
    assert execute.execute([path], root=root) == {}
    assert check.check_lecture(path, root) == []
    assert list(notebooks.records(notebooks.read(path))) == ["a_value"]
    assert set(notebooks.read(path).metadata["book"]["made_from"]["data"]) == {"mnist.npz"}


def test_changed_code_makes_a_lecture_stale(stored):
    root, path = stored
    spoil(path, lambda c: c.update(source=c.source.replace("rate = 0.01", "rate = 0.00001")))
    assert "code" in execute.stale(path, root)


def test_comments_and_captions_dont_make_a_lecture_stale(stored):
    root, path = stored
    spoil(path, lambda c: c.update(source=c.source.replace("fig-cap: ", "fig-cap: Now ")))
    spoil(path, lambda c: c.cell_type == "code" and c.update(source=c.source + "\n# a comment"))
    assert execute.stale(path, root) is None


def test_changed_helper_makes_stale_only_who_uses_it(stored):
    root, path = stored
    helpers = root / "helpers.py"
    text = helpers.read_text()
    helpers.write_text(text + "\n\ndef unused():\n    return 1\n")
    assert execute.stale(path, root) is None
    helpers.write_text(text + "\n\ndef rate():\n    return 1\n")  # a variable of the lecture
    assert execute.stale(path, root) is None
    helpers.write_text(text.replace("10 * np.log10", "11 * np.log10"))
    assert "helpers" in execute.stale(path, root)


def test_band_declared_for_two_lectures_is_reported(stored):
    root, path = stored
    (root / "tests" / "expected" / "02.yml").write_text("a_value: {low: 0, high: 9, why: x}\n")
    assert any(
        "is in tests/expected/01.yml and in 02.yml" in p for p in check.check_lecture(path, root)
    )


def test_changed_band_makes_a_lecture_stale_but_not_its_reason(stored):
    root, path = stored
    bands = root / "tests" / "expected" / "01.yml"
    bands.write_text("a_value: {low: 0, high: 99, why: another}\n")
    assert execute.stale(path, root) is None
    bands.write_text("a_value: {low: 0, high: 98, why: x}\n")
    assert "bands" in execute.stale(path, root)


def test_changed_data_makes_a_lecture_stale(stored):
    root, path = stored
    with open(root / "data" / "mnist.npz", "ab") as file:
        file.write(b"!")
    assert "data" in execute.stale(path, root)


# ---- Structure rules: each guard is seen red -----------------------------------------------------


def drop_option(option):
    def change(cell):
        lines = cell.source.splitlines()
        cell.source = "\n".join(line for line in lines if not line.startswith(f"#| {option}:"))

    return change


def add_to_prose(text):
    return lambda c: c.cell_type == "markdown" and c.update(source=c.source + text)


def drop_records(cell):
    if cell.cell_type == "code":
        cell.outputs = [o for o in cell.outputs if notebooks.RECORD not in o.get("data", {})]


def store_error(cell):
    if cell.cell_type == "code":
        cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_option("fig-alt"), "has no alt text"),
        (drop_option("fig-cap"), "has no caption"),
        (lambda c: c.cell_type == "code" and c.update(outputs=[]), "is empty"),
        (add_to_prose("\n\nAs @nobody2020 says."), "citation @nobody2020 is not in"),
        (add_to_prose("\n\nSee @fig-nowhere."), "cross-reference @fig-nowhere has no target"),
        (add_to_prose("\n\n[x](../glossary.qmd#nothing)"), "glossary link #nothing has no entry"),
        (store_error, "stored error: ValueError"),
        (drop_records, "has no record"),
        (
            lambda c: c.update(
                source=c.source.replace("import helpers", "from helpers import psnr")
            ),
            "takes names out of helpers",
        ),
        (
            lambda c: c.cell_type == "code" and c.update(source=c.source + "\nx = 1" * 20),
            "lines of code, at most 15",
        ),
        (
            lambda c: c.cell_type == "code" and c.update(source=c.source + f"\nx = {'1' * 99}"),
            "a line of 103 characters",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_broken_rule_is_named(change, message, stored):
    root, path = stored
    spoil(path, change)
    problems = check.check_lecture(path, root)
    assert any(message in problem for problem in problems), problems


def test_large_files_need_a_reason(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("nothing\n")
    (tmp_path / "data" / "large.bin").write_bytes(bytes(2_100_000))
    for git in (["git", "init", "-q"], ["git", "add", "data"]):
        subprocess.run(git, cwd=tmp_path, check=True)
    assert any("large.bin is over 2 MB" in problem for problem in check.check_sizes(tmp_path))


# ---- Sweep ---------------------------------------------------------------------------------------


def test_sweep_runs_every_seed_on_every_backend(tmp_path, capsys):
    code = (
        "import helpers, keras\nhelpers.record('seed', helpers.SEED)\n"
        "helpers.record('letters', len(keras.backend.backend()))"
    )
    path = small_lecture(code, tmp_path / "09-s.ipynb")
    found = sweep.sweep(path, seeds=2, backends=("tensorflow", "torch"))
    assert found["tensorflow"] == {"seed": [1, 2], "letters": [10, 10]}
    assert found["torch"] == {"seed": [1, 2], "letters": [5, 5]}
    assert "torch, seed 2: seed 2, letters 5" in capsys.readouterr().out


def test_sweep_refuses_an_unknown_backend(tmp_path):
    with pytest.raises(BookError, match="no backend theano; Keras has tensorflow, jax, torch"):
        sweep.sweep(tmp_path / "09-s.ipynb", backends=("theano",))


# ---- Colab ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", LECTURES)
def test_colab_notebook_brings_helpers_bands_and_small_data(number, tmp_path):
    made = colab.notebook(LECTURES[number], ROOT)
    names = set(bundled(made).namelist())
    assert {"helpers.py", f"expected/{number}.yml"} <= names
    assert not any("mnist.npz" in name for name in names), "files over 1 MB aren't packed"
    nbformat.validate(nbformat.from_dict(made))


def bundled(made):
    """Return the archive in the set-up cell of a Colab notebook as a ZipFile."""
    setup = next(c["source"] for c in made["cells"] if c["cell_type"] == "code")
    archive = setup.split('bundle = "')[1].split('"')[0]
    return zipfile.ZipFile(io.BytesIO(base64.b64decode(archive)))


def test_colab_notebook_brings_code_that_lies_beside_data(tmp_path):
    code = "import helpers\nprint(helpers.draw_mandarin('虎', 2, seed=1).mean())"
    notebook = execute.run(small_lecture(code, tmp_path / "09-s.ipynb"), quiet=True)
    assert set(notebook.metadata["book"]["made_from"]["data"]) == {
        "mandarin_strokes.json", "pens.py"
    }  # fmt: skip
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
    address = (tmp_path / "web").as_uri()
    (book / "_quarto.yml").write_text(f'website:\n  repo-url: "{address}"\n')
    read = {"book": {"made_from": {"data": {"big.bin": "x"}}}}
    setup = colab.setup_cell(book / "09-s.ipynb", read, book)
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


@pytest.mark.parametrize(
    ("heading", "options", "message"),
    [
        ("Summary", "#| code-fold: true\n#| code-summary: Solution\n", "doesn't stand below"),
        ("Exercise 1", "", "lacks #| code-fold"),
    ],
)
def test_solution_rules(heading, options, message):
    cells = [
        nbformat.v4.new_markdown_cell(f"## {heading}"),
        nbformat.v4.new_code_cell(f"{options}x = 1", metadata={"tags": ["solution"]}),
    ]
    (problem,) = check.check_solutions(nbformat.v4.new_notebook(cells=cells))
    assert message in problem


def test_colab_address_is_made_from_the_repository():
    assert colab.url("https://github.com/a/b", "06-x.ipynb").endswith(
        "/github/a/b/blob/gh-pages/colab/06-x.ipynb"
    )


# ---- What users run into -------------------------------------------------------------------------


def command(*arguments, **env):
    return subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **env}
    )


def test_wrong_python_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit) as stopped:
        environment.ensure()
    assert "Python 3.9 can't build the book, it needs 3.11 to 3.13" in str(stopped.value)


def test_no_network_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "requirements-torch.txt").write_text("no-such-package-anywhere==1\n")
    (tmp_path / "requirements.txt").write_text("")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SystemExit) as stopped:
        environment.ensure()
    assert "Check that the network" in str(stopped.value)
    assert not (tmp_path / ".venv" / "made-from").exists()


def test_no_chromium_is_one_sentence(monkeypatch):
    monkeypatch.delenv("BOOK_CHROMIUM", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(slides, "NAMES", ("no-such-browser",))
    with pytest.raises(BookError, match="no Chromium found: install"):
        slides.chromium()


def test_unknown_lecture_is_one_sentence_and_exit_1():
    done = command(sys.executable, "-m", "book", "execute", "--lecture", "99")
    assert done.returncode == 1
    assert (
        done.stderr.strip() == "book: no lecture 99 in _quarto.yml; give its number, such as L=06"
    )


def test_data_are_checked_alone():
    done = command(sys.executable, "-m", "book", "check", "data")
    assert (done.returncode, done.stdout) == (0, "check: nothing to complain about\n"), done.stderr


def test_unreadable_notebook_is_one_sentence(tmp_path):
    (tmp_path / "06-x.ipynb").write_text("{")
    with pytest.raises(BookError, match="is not a readable notebook"):
        notebooks.read(tmp_path / "06-x.ipynb")


def test_lock_names_no_host():
    for name in ("requirements.in", "requirements.txt", "requirements-torch.txt"):
        assert "://" not in (ROOT / name).read_text(), f"{name} names a host"


def test_lecture_metadata_is_plain():
    for path in LECTURES.values():
        kernel = load_json(path)["metadata"]["kernelspec"]
        assert kernel == {"name": "python3", "display_name": "Python 3", "language": "python"}, (
            json.dumps(kernel)
        )
