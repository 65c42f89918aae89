"""support/files.py and the rules of data/: hashes, cards and what damage says."""

import hashlib

import keras
import pytest
from conftest import ROOT

import helpers
from book import check
from support import files

DATA = ROOT / "data"


# ---- The files and their cards


def test_files_and_cards_are_whole():
    problems = check.check_data()
    assert not problems, "\n".join(problems)


SMALL = """\
## a.txt

- **What:** A letter.
- **Shape and units:** One byte.
- **Source:** None.
- **Licence:** MIT: `a.LICENSE.txt`.
- **Size:** 1 bytes
- **SHA-256:** `2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881`
- **Made by:** `makers/a.py`
- **Biases and limits:** Small.
- **Used in:** 01
"""


@pytest.fixture
def small_book(tmp_path):
    """A book whose data folder holds a.txt with its licence, card and maker, all in order."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "README.md").write_text(SMALL)
    (tmp_path / "makers").mkdir()
    (tmp_path / "makers" / "a.py").write_text("")
    for name in ("a.LICENSE.txt", "a.txt"):
        (data / name).write_text("x")
    sha = hashlib.sha256(b"x").hexdigest()
    (data / "SHA256SUMS").write_text(f"{sha}  a.LICENSE.txt\n{sha}  a.txt\n")
    assert check.check_data(tmp_path) == []
    return tmp_path


def edit(name, old, new):
    def change(data):
        text = (data / name).read_text()
        assert old in text
        (data / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: (data / "a.txt").unlink(), "data/a.txt is missing: `git checkout"),
        (lambda data: (data / "a.txt").write_text("y"), "data/a.txt has SHA-256 a1fce436"),
        (lambda data: (data / "b.txt").write_text("y"), "data/b.txt is not listed"),
        (edit("README.md", "## a.txt", "## c.txt"), "data/a.txt has no card"),
        (edit("README.md", "## a.txt", "## c.txt"), "card of c.txt has no file"),
        (edit("README.md", "MIT: `a.LICENSE.txt`.", ""), "card of a.txt lacks Licence"),
        (edit("README.md", "- **Source:** None.\n", ""), "card of a.txt lacks Source"),
        (edit("README.md", "- **Used in", "- **By:** me\n- **Used in"), "has fields other than"),
        (edit("README.md", "2d711642", "00000000"), "card of a.txt has another SHA-256"),
        (edit("README.md", "1 bytes", "2 bytes"), "card of a.txt has another size"),
        (
            edit("README.md", "`makers/a.py`", "`makers/b.py`"),
            "names makers/b.py, which doesn't exist",
        ),
        (edit("README.md", "`makers/a.py`", "somebody"), "card of a.txt names no maker"),
        (edit("README.md", "`a.LICENSE", "`b.LICENSE"), "names data/b.LICENSE.txt, which doesn't"),
        (
            lambda data: (data.parent / "makers" / "b.py").write_text("save_bytes('b', x)"),
            "makers/b.py is named by no",
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_broken_data_is_named(change, message, small_book):
    change(small_book / "data")
    problems = check.check_data(small_book)
    assert any(message in problem for problem in problems), problems


def test_size_in_all():
    files = [path for path in DATA.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 75e6  # of the checkout's 120 MB
    large = {path.name for path in files if path.stat().st_size > 2e6}
    intro = (DATA / "README.md").read_text().split("\n## ")[0]
    assert all(f"`{name}`" in intro for name in large)


def test_data_holds_no_code():
    assert not [path for path in DATA.rglob("*") if path.suffix in (".py", ".pyc")]


# ---- Reading a listed file


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder with a list of one file, `a.bin`, that isn't there yet."""
    (tmp_path / "SHA256SUMS").write_text(
        "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0  a.bin\n"
    )
    monkeypatch.setattr(files, "DATA", tmp_path)
    files.data_path.cache_clear()
    yield tmp_path
    files.data_path.cache_clear()


def test_data_path_accepts_the_listed_file(data_folder):
    (data_folder / "a.bin").write_bytes(b"aaa")
    assert helpers.data_path("a.bin") == data_folder / "a.bin"


def test_missing_data_file_says_what_to_do(data_folder):
    with pytest.raises(
        FileNotFoundError, match=r"a\.bin \(SHA-256 9834\w{60}\) is missing; restore it"
    ):
        helpers.data_path("a.bin")


def test_damaged_data_file_names_both_hashes(data_folder):
    (data_folder / "a.bin").write_bytes(b"aab")
    with pytest.raises(ValueError, match=r"is damaged: SHA-256 \w{64}, expected 9834876d"):
        helpers.data_path("a.bin")


def test_unlisted_data_file_is_refused(data_folder):
    with pytest.raises(ValueError, match="not listed in data/SHA256SUMS"):
        helpers.data_path("b.bin")


LINE = b"9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0  a.bin\n"
LISTS = {
    "missing": None,
    "empty": b"",
    "cut in a line": LINE + LINE[:40],
    "without a name": LINE[:66],
    "with Windows line endings": LINE.replace(b"\n", b"\r\n"),
    "with a byte order mark": b"\xef\xbb\xbf" + LINE,
    "in UTF-16": LINE.decode().encode("utf-16"),
    "with a blank line": LINE + b"\n" + LINE.replace(b"a.bin", b"b.bin"),
    "with an empty end": LINE + b"\n",
    "of binary mode": LINE.replace(b"  ", b" *"),
    "with a comment": b"# hashes\n" + LINE,
    "in capitals": LINE.upper(),
    "with a hash that is short": LINE[5:],
    "with a name twice": LINE + b"0" + LINE[1:],
    "with a file outside": LINE + LINE.replace(b"a.bin", b"../a.bin"),
    "with a file at the root": LINE + LINE.replace(b"a.bin", b"/a.bin"),
    "not text": b"\xff\xfe\x00\x80" * 30,
}


@pytest.mark.parametrize("damage", LISTS)
def test_a_damaged_list_of_hashes_is_said_and_never_leads_to_the_network(
    damage, data_folder, monkeypatch
):
    (data_folder / "SHA256SUMS").unlink()
    if LISTS[damage] is not None:
        (data_folder / "SHA256SUMS").write_bytes(LISTS[damage])
    (data_folder / "README.md").write_text("a book's data folder")
    (data_folder / "a.bin").write_bytes(b"aaa")
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: pytest.fail("to the network"))
    files.image_set.cache_clear()
    said = r"(is not listed in data/SHA256SUMS, 0 |line \d of .*SHA256SUMS is ).*SHA256SUMS`$"
    for load in (lambda: helpers.data_path("a.bin"), helpers.load_mnist):
        with pytest.raises(ValueError, match=said):
            load()


def test_damaged_lists_are_problems_of_the_check(small_book):
    (small_book / "data" / "SHA256SUMS").write_bytes(LISTS["with a file outside"])
    (problem,) = check.check_data(small_book)
    assert problem.startswith("line 2 of ") and "'9834" in problem


def test_notes_of_a_checkpoint_are_read():
    notes = files.read_notes(DATA / "char_model.safetensors")
    assert len(notes["validation_bits"]) == notes["made_from"]["settings"]["passes"]
    assert files.read_notes(DATA / "judge_mnist.safetensors") == {}
