"""Damaged notebooks, faults while running, two builds at once: nothing lost, one clear sentence."""

import copy
import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from conftest import ROOT, small_lecture

from benchmarks import kills
from book import BookError, check, colab, execute, fingerprint, frame, notebooks, render

# ---- One door for notebooks ----------------------------------------------------------------------

GOOD = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_raw_cell(
            '---\ntitle: "Small"\ndescription: "A test."\nminutes: 1\ncard: fig-a\n---'
        ),
        nbformat.v4.new_markdown_cell("# Part\n\n## A slide\n\nText."),
        nbformat.v4.new_code_cell(
            "#| echo: true\nprint(1)",
            execution_count=1,
            outputs=[nbformat.v4.new_output("stream", text="1\n")],
        ),
    ],
    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
)


def changed(*path, value=None, drop=False):
    """Return the text of GOOD with the entry at `path` set to `value`, or dropped."""
    notebook = json.loads(json.dumps(GOOD))
    place = notebook
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(notebook)


def source(cell, text):
    return changed("cells", cell, "source", value=text)


TEXT = json.dumps(GOOD)
HALVES = {f"cut after {n} of 12": TEXT[: len(TEXT) * n // 12] for n in range(12)}
ODD = (None, 7, "text", [], {}, True)
TYPES = {
    f"{'.'.join(map(str, path))} is {value!r}": changed(*path, value=value)
    for path in [("cells",), ("metadata",), ("cells", 2, "outputs"), ("cells", 1, "source"),
                 ("nbformat",), ("cells", 1, "metadata"), ("metadata", "kernelspec")]
    for value in ODD
}  # fmt: skip
LOST = {
    f"without {'.'.join(map(str, path))}": changed(*path, drop=True)
    for path in [("cells",), ("metadata",), ("nbformat",), ("nbformat_minor",),
                 ("metadata", "kernelspec"), ("cells", 0), ("cells", 1, "source"),
                 ("cells", 2, "outputs"), ("cells", 2, "execution_count"), ("cells", 1, "id"),
                 ("cells", 2, "cell_type"), ("cells", 2, "metadata")]
}  # fmt: skip
FRONTS = {
    "no front matter": source(0, ""),
    "empty front matter": source(0, "---\n---"),
    "front matter without title": source(0, "---\nminutes: 5\n---"),
    "front matter with a colon": source(0, "---\ntitle: Attention: all of it\n---"),
    "front matter that is a list": source(0, "---\n- a\n- b\n---"),
    "front matter with a tab": source(0, "---\ntitle:\t- x\n\ty: [\n---"),
    "front matter that isn't closed": source(0, "---\ntitle: x"),
    "front matter with minutes in words": source(0, "---\ntitle: x\nminutes: an hour\n---"),
    "front matter that makes an object": source(0, "---\ntitle: !!python/object:os.system x\n---"),
    "folded description": source(0, "---\ntitle: 'x'\ndescription: >\n  one\n  two\n---"),
    "options that aren't YAML": source(2, "#| label: [fig\nprint(1)"),
    "options that are a list": source(2, "#| - a\nprint(1)"),
    "option with a colon": source(2, "#| fig-cap: a: b\nprint(1)"),
    "unknown option": source(2, "#| colour: red\nprint(1)"),
    "a syntax error": source(2, "x = = 1"),
    "a magic": source(2, "%matplotlib inline\n!ls\nprint(1)"),
    "a cell magic": source(2, "%%time\nprint(1)"),
    "a question": source(2, "print?"),
    "an await": source(2, "import asyncio\nawait asyncio.sleep(0)"),
    "a null character": source(2, "x = '\0'"),
    "Windows line endings": TEXT.replace("\\n", "\\r\\n"),
    "another language": changed("metadata", "kernelspec", value={"name": "julia-1.9"}),
    "an error output": changed("cells", 2, "outputs", value=[
        {"output_type": "error", "ename": "E", "evalue": "no", "traceback": []}]),
    "an output of an unknown kind": changed("cells", 2, "outputs", value=[{"output_type": "x"}]),
    "a picture that isn't one": changed("cells", 2, "outputs", value=[
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "!!"}}]),
    "an output without text": changed("cells", 2, "outputs", value=[
        {"output_type": "display_data", "metadata": {}, "data": {"application/json": {}}}]),
    "old nbformat": changed("nbformat", value=3),
    "future nbformat": changed("nbformat", value=9),
    "two equal ids": changed("cells", 2, "id", value=GOOD.cells[1].id),
    "no cells": changed("cells", value=[]),
    "not UTF-8": b"\xff\xfe{\x00}\x00",
    "a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "a merge conflict": TEXT.replace('"cells"', '<<<<<<< HEAD\n"cells"'),
    "not JSON": "print(1)",
    "a number": "5",
}  # fmt: skip
DAMAGES = HALVES | TYPES | LOST | FRONTS


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_notebook_is_a_sentence_or_works(damage, tmp_path):
    text = DAMAGES[damage]
    path = tmp_path / "lectures" / "01-small.ipynb"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "references.bib").write_text("")
    (tmp_path / "glossary.qmd").write_text("")
    (tmp_path / "_quarto.yml").write_text("website: {title: x, sidebar: {contents: []}}\n")
    for name in ("helpers.py", "support"):
        os.symlink(ROOT / name, tmp_path / name)
    for read in (
        lambda: execute.check_cells(notebooks.read(path), path.name),
        lambda: check.check_lecture(path, tmp_path),
        lambda: colab.notebook(path, tmp_path),
        lambda: frame.read(path, tmp_path),
        lambda: render.source_markdown(path),
    ):
        try:
            read()
        except BookError as error:
            assert 20 < len(str(error)) < 400 and "\n" not in str(error), str(error)


def test_there_are_enough_damages():
    assert len(DAMAGES) >= 60


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("front matter with a colon", "01-small.ipynb: the front matter, line 1 is not YAML"),
        ("options that aren't YAML", "01-small.ipynb: the options (#|) of cell 2"),
        ("another language", "is written for the language julia-1.9; the book runs Python"),
        ("cut after 6 of 12", "01-small.ipynb is not a readable notebook"),
        ("not UTF-8", "01-small.ipynb is not a readable notebook ('utf-8' codec"),
    ],
)
def test_the_sentence_names_file_and_place(damage, said, tmp_path):
    text = DAMAGES[damage]
    (tmp_path / "01-small.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BookError) as raised:
        notebooks.read(tmp_path / "01-small.ipynb")
    assert said in str(raised.value)


def test_a_title_comes_from_the_first_heading_without_front_matter(tmp_path):
    (tmp_path / "01-small.ipynb").write_text(FRONTS["no front matter"])
    notebook = notebooks.read(tmp_path / "01-small.ipynb")
    assert notebooks.front_matter(notebook, tmp_path / "01-small.ipynb").title == "Part"


# ---- While a lecture runs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "tags", "said"),
    [
        ("x = = 1", [], r"cell 2: line 1 isn't Python .*nothing was executed"),
        ("1 / 0", ["raises-exception"], "is tagged raises-exception"),
        ("input('name?')", [], "raised StdinNotImplementedError"),
        ("class A:\n    def _repr_html_(self):\n        raise ValueError('no view')\nA()", [],
         "raised ValueError: no view"),
        ("import time\ntime.sleep(60)", ["timeout-1"], "ran over 1 s"),
    ],
)  # fmt: skip
def test_what_stops_a_lecture_is_named(code, tags, said, tmp_path):
    path = small_lecture(code, tmp_path / "09-s.ipynb")
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].metadata["tags"] = tags
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(BookError, match=said):
        execute.execute([path], force=True)
    assert path.read_bytes() == before


def test_too_much_memory_ends_the_kernel_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "MEMORY_BYTES", 500_000_000)
    code = "x = bytearray(900_000_000)\nimport time\ntime.sleep(30)"
    with pytest.raises(BookError, match=r"took more than 0 GB of memory|took more than 1 GB"):
        execute.run(small_lecture(code, tmp_path / "09-s.ipynb"), quiet=True)


def test_what_a_cell_leaves_behind_is_ended(tmp_path):
    code = (
        "import subprocess\nprint(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)"
    )
    notebook = execute.run(small_lecture(code, tmp_path / "09-s.ipynb"), quiet=True)
    pid = int(notebook.cells[2].outputs[0].text)
    deadline = time.monotonic() + 10  # a killed process may be there for a moment
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is left"
        time.sleep(0.1)


def test_magics_and_shell_lines_run_and_lose_their_colours(tmp_path):
    code = "%matplotlib inline\n!printf '\\033[31mred\\033[0m\\n'\nprint('a\\rb')"
    notebook = execute.run(small_lecture(code, tmp_path / "09-s.ipynb"), quiet=True)
    assert notebook.cells[2].outputs[0].text == "red\nb\n"


def test_long_output_is_cut_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "OUTPUT_BYTES", 1000)
    notebook = execute.run(small_lecture("print('x' * 5000)", tmp_path / "09-s.ipynb"), quiet=True)
    text = notebook.cells[2].outputs[0].text
    assert text.startswith("x" * 1000 + "\n[cut here") and len(text) < 1200


def test_a_notebook_edited_while_it_runs_keeps_its_new_text(tmp_path, capsys):
    path = tmp_path / "09-s.ipynb"
    edited = copy.deepcopy(nbformat.read(small_lecture("print('old')", path), 4))
    edited.cells[2].source = "print('new')"
    target = tmp_path / "edited.ipynb"
    nbformat.write(edited, target)
    code = f"import shutil\nshutil.copy({str(target)!r}, {str(path)!r})\nprint('old')"
    small_lecture(code, path)
    execute.execute([path], force=True)
    assert nbformat.read(path, 4).cells[2].source == "print('new')"
    assert "print('old')" in nbformat.read(tmp_path / "09-s.executed.ipynb", 4).cells[2].source
    assert "was edited while it ran" in capsys.readouterr().out


def test_helpers_changed_while_a_lecture_runs_make_it_stale(stored):
    root, path = stored
    helpers = root / "helpers.py"
    text = helpers.read_text().replace("-10 * np.log10", "-11 * np.log10")
    notebook = nbformat.read(path, 4)
    notebook.cells[2].source += f"\nopen({str(helpers)!r}, 'w').write({text!r})"
    nbformat.write(notebook, path)
    execute.execute([path], force=True, root=root)
    assert "helpers" in fingerprint.stale(path, root)


def test_another_python3_kernel_is_not_taken(tmp_path, monkeypatch):
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = {"argv": ["/bin/false"], "display_name": "x", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(argv))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    path = small_lecture("import sys\nprint(sys.executable)", tmp_path / "09-s.ipynb")
    assert execute.run(path, quiet=True).cells[2].outputs[0].text.strip() == sys.executable


def test_folders_of_killed_runs_are_cleared(tmp_path, monkeypatch):
    monkeypatch.setattr(execute.tempfile, "gettempdir", lambda: str(tmp_path))
    done = subprocess.Popen(["true"])
    done.wait()
    left = tmp_path / f"book-lecture-{done.pid}-x"
    mine = tmp_path / f"book-lecture-{os.getpid()}-x"
    left.mkdir()
    mine.mkdir()
    with execute.scratch_folder():
        assert not left.exists() and mine.exists()


# ---- The swap of the site, two builds, stops -----------------------------------------------------


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A book of one page whose rendering is replaced by two small files."""
    (tmp_path / "_quarto.yml").write_text("website: {title: x, sidebar: {contents: []}}\n")

    def made(root, out):
        (out / "index.html").write_text("new")
        (out / "other.html").write_text("new")

    monkeypatch.setattr(render, "prepare", lambda root: None)
    monkeypatch.setattr(render.shutil, "which", lambda name: None)
    monkeypatch.setattr(render, "render_thin", made)
    site = tmp_path / "_site"
    site.mkdir()
    (site / "index.html").write_text("old")
    (site / "gone.html").write_text("old")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_rendering_leaves_the_old_site(tiny, monkeypatch):
    def fails(root, out):
        (out / "index.html").write_text("half")
        raise BookError("no")

    monkeypatch.setattr(render, "render_thin", fails)
    with pytest.raises(BookError):
        render.render(tiny)
    assert names(tiny) == ["_quarto.yml", "_site"]
    assert names(tiny / "_site") == ["gone.html", "index.html"]


@pytest.mark.parametrize("moment", range(8))
def test_a_kill_at_any_moment_of_the_swap_leaves_one_whole_site(moment, tiny, monkeypatch):
    """The kill is an exception at the n-th change of the file system; then the next start."""
    steps = []

    def counted(function):
        def call(*arguments, **options):
            steps.append(function)
            if len(steps) > moment:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(render.Path, "rename", counted(render.Path.rename))
        patch.setattr(render.shutil, "rmtree", counted(render.shutil.rmtree))
        try:
            render.render(tiny)
            killed = False
        except KeyboardInterrupt:
            killed = True
    before = names(tiny / "_site") if (tiny / "_site").exists() else None
    whole = (["gone.html", "index.html"], ["index.html", "other.html"])
    assert before is None or before in whole
    if killed and before is None:  # between the two renamings: the next start repairs it
        monkeypatch.setattr(render, "render_thin", lambda root, out: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            render.render(tiny)
        assert names(tiny / "_site") in whole
        return
    render.render(tiny)
    assert names(tiny / "_site") == ["index.html", "other.html"]


def test_kills_of_a_real_process_leave_whole_sites(tmp_path):
    """`python -m benchmarks.kills` does it two hundred times."""
    after, repaired = kills.kill_builds(tmp_path, 12)
    assert "half" not in after
    assert repaired == {"whole": 12}


def test_a_site_that_is_a_link_is_replaced(tiny):
    (tiny / "elsewhere").mkdir()
    (tiny / "_site" / "gone.html").unlink()
    (tiny / "_site" / "index.html").unlink()
    (tiny / "_site").rmdir()
    (tiny / "_site").symlink_to(tiny / "elsewhere")
    render.render(tiny)
    assert names(tiny / "_site") == ["index.html", "other.html"]
    assert names(tiny / "elsewhere") == []


HOLD = (
    "import time\nfrom book.__main__ import one_build\nfrom pathlib import Path\n"
    "with one_build(Path({root!r})):\n    print('in', flush=True)\n    time.sleep({seconds})\n"
    "print('out', flush=True)"
)


def holder(root, seconds):
    code = HOLD.format(root=str(root), seconds=seconds)
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_second_build_says_so_and_waits(tmp_path):
    first = holder(tmp_path, 3)
    assert first.stdout.readline() == "in\n"
    second = holder(tmp_path, 0)
    said = second.communicate(timeout=30)[0]
    assert said.startswith(f"waiting: process {first.pid}, since ")
    assert said.endswith("is building the book\nin\nout\n")
    assert first.wait() == 0 and second.returncode == 0


def test_a_killed_build_holds_nobody_up(tmp_path):
    first = holder(tmp_path, 60)
    first.stdout.readline()
    first.kill()
    first.wait()
    assert holder(tmp_path, 0).communicate(timeout=30)[0] == "in\nout\n"


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_is_one_sentence_and_leaves_nothing(sent, status, tmp_path):
    path = small_lecture("import time\ntime.sleep(100)", tmp_path / "09-s.ipynb")
    before = path.read_bytes()
    code = (
        "import sys\nfrom pathlib import Path\nfrom book import __main__, execute, notebooks\n"
        f"notebooks.lectures = lambda only=None: [Path({str(path)!r})]\n"
        f"__main__.ROOT = Path({str(tmp_path)!r})\n"
        f"__main__.one_build.__wrapped__.__defaults__ = (Path({str(tmp_path)!r}),)\n"
        "sys.argv = ['book', 'execute', '--force']\n__main__.main()"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # a shell's background jobs ignore Ctrl-C; this one, run in the foreground, doesn't
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    while "09-s 1/1" not in run.stdout.readline():
        assert run.poll() is None, run.stderr.read()
    time.sleep(1)
    run.send_signal(sent)
    _, said = run.communicate(timeout=60)
    lines = [line for line in said.splitlines() if line.strip()]
    assert lines == ["book: stopped; what was finished before is kept"], said
    assert run.returncode == status
    assert path.read_bytes() == before
    assert not list((tmp_path / "tmp").glob("book-lecture-*"))
