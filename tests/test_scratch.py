"""Environments of other versions: made once, made again when asked for differently."""

import sys

import pytest

from book import BookError, scratch


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "FOLDER", tmp_path / ".scratch")
    return tmp_path


@pytest.fixture
def package(folder):
    """A package in a folder of its own that pip can install without an index."""
    source = folder / "tiny"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    )
    (source / "own.py").write_text(
        "import zipfile\n"
        "def build_wheel(folder, *_):\n"
        "    name = 'tiny-1-py3-none-any.whl'\n"
        "    with zipfile.ZipFile(f'{folder}/{name}', 'w') as wheel:\n"
        "        about = 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1'\n"
        "        for file, text in (('METADATA', about),\n"
        "                           ('WHEEL', 'Wheel-Version: 1.0\\nTag: py3-none-any'),\n"
        "                           ('RECORD', '')):\n"
        "            wheel.writestr(f'tiny-1.dist-info/{file}', text)\n"
        "    return name\n"
    )
    return source


def test_an_environment_is_made_once_and_again_when_its_list_changes(folder, package, capsys):
    wanted = folder / "list.txt"
    wanted.write_text(f"{package}\n")
    own = "{}.{}".format(*sys.version_info)
    first = scratch.environment("one", own, ["--no-index", "-r", wanted])
    assert scratch.versions(first)["tiny"] == "1"
    assert "installing one" in capsys.readouterr().out
    assert scratch.environment("one", own, ["--no-index", "-r", wanted]) == first
    assert capsys.readouterr().out == ""
    wanted.write_text("# nothing\n")
    again = scratch.environment("one", own, ["--no-index", "-r", wanted])
    assert "tiny" not in scratch.versions(again)


def test_a_missing_python_is_said_and_the_own_one_taken(folder, capsys):
    assert scratch.find_python("2.99") is None
    python = scratch.environment("two", "2.99")
    assert scratch.answers(python)
    assert "no Python 2.99 here; two is made with 3." in capsys.readouterr().out


def test_what_pip_cannot_install_is_an_error_that_helps(folder):
    with pytest.raises(BookError, match=r"no-such==9.*package index can be reached"):
        scratch.environment("three", "2.99", ["--no-index", "no-such==9"])
    assert not (folder / ".scratch" / "three" / "made-from").exists()
