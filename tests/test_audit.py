"""book/audit.py: licences of the locked packages, and files as they came."""

import importlib.metadata
import sys

import pytest

from book import audit


def test_no_locked_package_has_a_licence_in_the_way():
    said = {n: audit.licence(n, p.metadata) for n, _, p in audit.packages() if p}
    assert len(said) > 150
    assert not {name: words for name, words in said.items() if not audit.is_free(words)}


@pytest.mark.parametrize(
    ("said", "free"),
    [
        ("MIT License", True),
        ("Apache License, Version 2.0", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("Mozilla Public License 2.0 (MPL 2.0)", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("GNU Affero General Public License v3", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_licences_are_told_apart(said, free):
    assert audit.is_free(said) is free


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of one file, installed in a folder; returns (what `packages` says, file)."""
    info = tmp_path / "small-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: small\nVersion: 1.0\n")
    (tmp_path / "small.py").write_text("x = 1\n")
    hash_ = "nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q"
    (info / "RECORD").write_text(f"small.py,sha256={hash_},6\nsmall-1.0.dist-info/RECORD,,\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    found = importlib.metadata.distribution("small")
    return found, tmp_path / "small.py"


def test_the_audit_names_what_is_not_as_it_came(package):
    found, file = package
    assert audit.audit([("small", ["2.0", "3.0"], found), ("absent", ["1.0"], None)]) == [
        "small 1.0 is installed, the lock has 2.0 or 3.0",
        "small has the licence '(none given)': see book/audit.py",
    ]
    file.write_text("x = 2\n")
    assert audit.audit([("small", ["0.9", "1.0"], found)])[-1] == (
        "small: 1 files differ from their hash, such as small.py"
    )
