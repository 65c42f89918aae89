"""The build: safe execution, structure rules, sweeps, errors that help."""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from conftest import LECTURES, ROOT, load_json, small_lecture, spoil

from book import BookError, check, execute, notebooks, slides


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
    assert set(notebook.metadata["book"]["made_from"]) == {"code", "helpers", "data"}


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


# ---- Structure rules: each guard is seen red -----------------------------------------------------


def drop_option(option):
    def change(cell):
        lines = cell.source.splitlines()
        cell.source = "\n".join(line for line in lines if not line.startswith(f"#| {option}:"))

    return change


def swap(old, new):
    return lambda c: c.update(source=c.source.replace(old, new))


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
        (swap("import helpers", "from helpers import psnr"), "without another name"),
        (swap("import helpers", "from helpers import *"), "without another name"),
        (swap("import helpers", "import helpers as h"), "`import helpers as h`: write"),
        (swap("import helpers", "import support.files"), "lectures use helpers only"),
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


def test_large_files_need_a_reason(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("nothing\n")
    (tmp_path / "data" / "large.bin").write_bytes(bytes(2_100_000))
    for git in (["git", "init", "-q"], ["git", "add", "data"]):
        subprocess.run(git, cwd=tmp_path, check=True)
    assert any("large.bin is over 2 MB" in problem for problem in check.check_sizes(tmp_path))


# ---- What users run into -------------------------------------------------------------------------


def command(*arguments, **env):
    return subprocess.run(
        arguments, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **env}
    )


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


def test_lecture_metadata_is_plain():
    for path in LECTURES.values():
        kernel = load_json(path)["metadata"]["kernelspec"]
        assert kernel == {"name": "python3", "display_name": "Python 3", "language": "python"}, (
            json.dumps(kernel)
        )
