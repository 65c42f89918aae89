"""makers/: they write whole files with their hashes, and make the same again."""

import hashlib

import pytest
from conftest import LECTURES
from fontTools.ttLib import TTFont

from makers import claims, common, fonts, mandarin, photos, schematics, texts
from support import files

SUMS = files.listed()


@pytest.fixture
def other_data(tmp_path, monkeypatch):
    """A data folder of its own for makers to write into."""
    monkeypatch.setattr(common, "DATA", tmp_path)
    (tmp_path / "README.md").write_text("# Cards\n\n## a.txt\n\n- **Size:** \n- **SHA-256:** \n")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a.txt\n")
    return tmp_path


def test_maker_lists_hash_and_fills_card(other_data):
    common.save_bytes("a.txt", b"x")
    sha = hashlib.sha256(b"x").hexdigest()
    assert (other_data / "SHA256SUMS").read_text() == f"{sha}  a.txt\n"
    assert (
        f"- **Size:** 1 bytes\n- **SHA-256:** `{sha}`\n" in (other_data / "README.md").read_text()
    )
    assert (other_data / "a.txt").read_bytes() == b"x"


def test_maker_refuses_wrong_source(other_data):
    (other_data / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="expected 1234: fetch it again"):
        common.check_source(other_data / "a.txt", "1234")
    with pytest.raises(FileNotFoundError, match="head of the maker"):
        common.check_source(other_data / "b.txt", "1234")


# ---- How texts are cleaned


def test_clean_play():
    raw = (
        "# Hamlet\n\n## ACT I\n\nSCENE I: a room\n\n_Enter\nGhost_\n\n**Ghost**  \n_\\[Aside]_  \n"
    )
    raw += "Mark  me.  \n\n_Exit_\n\nList, '\\--list!\n\n**LAERTES**  \n\n"
    raw += "**HORATIO**  \n_Dies_\nO day:\n"
    speeches = ["GHOST:\nMark me.\nList, '--list!\n\n", "HORATIO:\nO day:\n\n"]
    assert texts.clean_play(raw) == "".join(speeches)


def test_clean_novel():
    lines = ["EMMA", "", "by Jane Austen", "", "VOLUME I", "", "CHAPTER I", "", "", "Emma _was_"]
    lines += ["clever.", "", '"Yes."', "", "CHAPTER II", "", "She slept.", "", "THE END"]
    assert texts.clean_novel(lines) == 'Emma was clever.\n"Yes."\nShe slept.\n'


# ---- Makers whose sources are in the repository or the locked environment


def made_again(folder):
    hashes = files.listed(folder)
    del hashes["a.txt"]
    return hashes


def test_claims_made_again(other_data):
    claims.main()
    assert made_again(other_data) == {"claims.csv": SUMS["claims.csv"]}


def test_mandarin_made_again(other_data):
    mandarin.main()
    again = made_again(other_data)
    assert again == {name: SUMS[name] for name in ("mandarin.npz", "mandarin_sheet.png")}


def test_installed_photos_made_again(other_data):
    photos.save_installed()
    again = made_again(other_data)
    assert len(again) == 6 and again == {name: SUMS[name] for name in again}


def test_schematics_are_those_of_the_lectures_networks():
    """A drawing states layer sizes; run python -m makers.schematics when a network changes."""
    for name, drawing in schematics.drawings().items():
        assert (schematics.FOLDER / f"07-{name}.svg").read_text("utf-8") == drawing, name
        assert f"figures/07-{name}.svg" in LECTURES["07"].read_text("utf-8"), name


def test_the_font_has_every_chinese_character_that_pages_show():
    have = TTFont(fonts.FONT).getBestCmap()
    assert not {char for char in fonts.shown() if ord(char) not in have}, "python -m makers.fonts"
