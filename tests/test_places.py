"""Where the book may lie and what a machine may lack: odd folders, no Git, no home, no network."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from conftest import ROOT

from book import __main__, check, render
from support import language

PLACES = {
    "words": "it's mine/gen--net/_book_/a...b",
    "marks": "a b/[x] (y) {z}/50% $HOME #1 & more/~`*@^+=,;!",
    "letters": "Ünï 虎 ½/-- ---/.hidden/<b>",
}
BOOK = {
    "project": {"resources": ["colab/*.ipynb"]}, "bibliography": "references.bib",
    "website": {
        "title": "Small", "sidebar": {"contents": ["index.qmd", "lectures/01-a b's.ipynb"]},
    },
}  # fmt: skip


def small_book(root, ends="\n"):
    """Write a book of a page and a lecture, with lines that end so, and return its folder."""
    for folder in ("lectures", "data"):
        (root / folder).mkdir(parents=True)
    files = {
        "_quarto.yml": json.dumps(BOOK),
        "index.qmd": '---\ntitle: "Home"\n---\n\nSee [lecture 1](lectures/01-a%20b\'s.ipynb), é.\n',
        "references.bib": "@book{a, title={Größe}, author={Brontë, C.}, date={1847}}\n",
        "helpers.py": "",
        "data/SHA256SUMS": "",
        "data/README.md": "",
    }
    for name, text in files.items():
        (root / name).write_bytes(text.replace("\n", ends).encode())
    front = '---\ntitle: "Größe"\ndescription: "x"\n---'.replace("\n", ends)
    text = "# Part {#sec-a}\n\n## Slide\n\nAs @a says, see @sec-a."
    cells = [nbformat.v4.new_raw_cell(front), nbformat.v4.new_markdown_cell(text)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    (root / "lectures" / "01-a b's.ipynb").write_text(nbformat.writes(notebook), "utf-8")
    return root


def targets(page):
    """Return what a page links to, loads or shows in its own site."""
    parsed = Links()
    parsed.feed(page.read_text("utf-8"))
    local = (urlsplit(found) for found in parsed.found)
    return {unquote(part.path) for part in local if part.path and not part.scheme}


class Links(render.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("href", "src")]


def run(code, *arguments, **options):
    """Run Python code with the book importable; return the finished process."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    command = [*options.pop("before", ()), sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, **options)


BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # and no HOME
ALONE = ("unshare", "--user", "--map-user=12345", "--net")  # no passwd entry, no network
CODE = """
import os, sys
from pathlib import Path
os.umask(0o077)
from book import check, render
root = Path(os.fsdecode(bytes.fromhex(sys.argv[1])))
render.render(root)
print(list(check.check_sizes(root)))
"""


def bare():
    """What comes before a command that shall run without user, home and network."""
    can = shutil.which("unshare") and not subprocess.run([*ALONE, "true"], check=False).returncode
    return ALONE if can else ()


@pytest.mark.parametrize("place", PLACES)
def test_any_folder_without_git_home_locale_and_network(place, tmp_path, monkeypatch):
    """Windows line endings in the second; the file system's names are UTF-8 in all."""
    root = small_book(tmp_path / PLACES[place], "\r\n" if place == "marks" else "\n")
    done = run(CODE, os.fsencode(root).hex(), before=bare(), env=BARE, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"
    site = root / "_site"
    for name in ("index.html", "lectures/01-a b's.html", "lectures/01-a b's.slides.html"):
        for target in targets(site / name):
            assert (site / name).parent.joinpath(target).resolve().exists(), (name, target)
    lecture = (site / "lectures" / "01-a b's.html").read_text("utf-8")
    assert "Brontë" in lecture and '<h1 class="title">Größe</h1>' in lecture
    assert "title:" not in lecture


@pytest.fixture
def locked(tmp_path):
    """A book in a folder that nobody may write to, and the folder beside it."""
    root = small_book(tmp_path / "book")
    for path in (*root.rglob("*"), root):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield root
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)


def test_a_book_that_is_read_only_is_rendered_elsewhere(locked, tmp_path, monkeypatch, capsys):
    before = sorted(locked.rglob("*"))
    out = tmp_path / "new" / "site"
    monkeypatch.setattr(__main__, "ROOT", locked)
    monkeypatch.setattr(render.render_to, "__defaults__", (locked,))
    monkeypatch.setattr(sys, "argv", ["book", "render", "--output", str(out)])
    __main__.main()
    assert (out / "index.html").is_file() and (out / "colab").is_dir()
    assert sorted(locked.rglob("*")) == before
    assert capsys.readouterr().out.endswith(f"{out / 'index.html'}\n")


def test_without_git_the_files_of_builds_are_not_counted(tmp_path):
    root = small_book(tmp_path / "book")
    before = {path.name for path in check.own_files(root)}
    for name in ("_site/a.bin", ".venv/a.bin", "colab/a.bin", "new.bin"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(bytes(2_000_001))
    assert {path.name for path in check.own_files(root)} - before == {"new.bin"}
    assert len([p for p in check.own_files(root) if p.name == "a.bin"]) == 0
    assert list(check.check_sizes(root)) == [
        "new.bin is over 2 MB and data/README.md doesn't say why"
    ]


def test_a_renamed_lecture_and_a_draft_leave_nothing_to_publish(tmp_path):
    root = small_book(tmp_path / "book")
    (root / "lectures" / "99-exam.ipynb").write_text("a draft that no list names")
    (root / "cards").mkdir()
    (root / "cards" / "42.png").touch()
    render.prepare(root)
    assert [path.name for path in (root / "colab").iterdir()] == ["01-a b's.ipynb"]
    (root / "lectures" / "01-a b's.ipynb").rename(root / "lectures" / "01-new.ipynb")
    text = (root / "_quarto.yml").read_text()
    (root / "_quarto.yml").write_text(text.replace("01-a b's", "01-new"))
    render.prepare(root)
    assert [path.name for path in (root / "colab").iterdir()] == ["01-new.ipynb"]
    assert not list((root / "cards").iterdir())


def test_in_git_what_is_tracked_counts():
    names = {path.relative_to(ROOT).as_posix() for path in check.own_files()}
    assert "lectures/01-neural-networks.ipynb" in names
    assert not any(name.startswith((".venv/", "_site/")) for name in names)


@pytest.mark.parametrize("name", [".ci/run", "Makefile", "book/environment.py", "_quarto.yml"])
def test_a_checkout_on_windows_keeps_line_endings(name):
    command = ["git", "check-attr", "eol", "--", name]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    if not said:
        pytest.skip("not a checkout of Git")
    assert said.strip().endswith("eol: lf")
    assert b"\r" not in (ROOT / name).read_bytes()


def test_a_terminal_that_is_not_utf_8_gets_all_messages(tmp_path):
    code = "import sys; sys.argv[1:] = ['check', 'data']; from book import __main__, check\n"
    code += "check.check_data = lambda: ['Gr\\xf6\\u2264']; __main__.main()"
    done = run(code, env=BARE, cwd=tmp_path)
    assert done.returncode == 1 and "Gr" in done.stdout
    assert "Traceback" not in done.stderr and "Error" not in done.stderr


# ---- A network that hangs


class Nonsense(http.server.BaseHTTPRequestHandler):
    """Answers with something that isn't HTTP."""

    def handle(self):
        self.rfile.readline()
        self.wfile.write(b"220 mail ready\r\n")


class Slow(http.server.BaseHTTPRequestHandler):
    """Sends one byte of its answer twice a second."""

    def handle(self):
        self.rfile.readline()
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000:
            self.wfile.write(bytes([byte]))
            time.sleep(0.5)


class Silent(http.server.BaseHTTPRequestHandler):
    """Takes the connection and says nothing."""

    def handle(self):
        time.sleep(60)


@contextmanager
def serving(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("handler", [Nonsense, Slow, Silent])
def test_a_hub_that_hangs_is_given_up_in_time(handler, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(language, "ANSWER_SECONDS", 2)
    language.hub_answers.cache_clear()
    with serving(handler) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        start = time.perf_counter()
        assert language.from_hub("a/b", "6c0e608") is None
        assert language.from_hub("a/c", "6c0e608") is None  # not asked again
        assert time.perf_counter() - start < 6
    language.hub_answers.cache_clear()


def test_the_hub_is_given_up_within_ten_seconds_in_all():
    assert language.ANSWER_SECONDS <= 10


def test_a_hub_that_answers_gives_a_folder(tmp_path, monkeypatch):
    made = []
    code = "import sys; print('a bar'); print(' '.join(sys.argv[1:]))"
    monkeypatch.setattr(language, "FETCH", code)
    language.hub_answers.cache_clear()
    made = language.from_hub("a/b", "6c0e608")
    assert made == "a/b 6c0e608 *.json *.txt *.safetensors"
    language.hub_answers.cache_clear()
