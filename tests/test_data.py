"""Data files: hashes, cards, sizes."""

import hashlib
import re

import pytest
from conftest import ROOT

DATA = ROOT / "data"
SUMS = dict(
    reversed(line.split("  ", 1)) for line in (DATA / "SHA256SUMS").read_text().splitlines()
)
CARDS = {
    part.split("\n", 1)[0]: part
    for part in (DATA / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]
}
FIELDS = (
    "What", "Shape and units", "Source", "Licence", "Size", "SHA-256", "Made by",
    "Biases and limits", "Used in",
)  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_data_file_has_its_hash(name):
    path = DATA / name
    assert path.is_file(), f"data/{name} is missing: restore it with `git checkout -- data/{name}`"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found == SUMS[name], f"data/{name} has SHA-256 {found}, listed {SUMS[name]}"


@pytest.mark.parametrize("name", SUMS)
def test_data_file_has_its_card(name):
    assert name in CARDS, f"data/README.md has no card for {name}"
    for field in FIELDS:
        assert re.search(rf"^- \*\*{field}:\*\* \S", CARDS[name], re.M), f"{name}: no {field}"
    assert SUMS[name] in CARDS[name], f"the card of {name} has another SHA-256"


def test_every_file_in_data_is_listed():
    known = {*SUMS, "SHA256SUMS", "README.md"}
    others = [p.name for p in DATA.iterdir() if p.is_file() and p.suffix not in (".py", ".txt")]
    assert set(others) <= known, sorted(set(others) - known)
