"""The summary by area that `make check` and `make test` end with."""

import re
import subprocess
import sys

from book import ROOT
from tests import areas


def test_every_area_names_files_that_are_there():
    missing = [name for name in areas.AREA if not (ROOT / "tests" / f"{name}.py").exists()]
    assert not missing


def test_each_area_says_how_its_tests_ended(tmp_path):
    (tmp_path / "test_files.py").write_text(
        "def test_good(): pass\n\ndef test_bad(): assert False\n", encoding="utf-8"
    )
    (tmp_path / "test_02.py").write_text(
        "import pytest\n\ndef test_left_out(): pytest.skip('why')\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.areas", "-c", "/dev/null", tmp_path]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert re.search(r"(?m)^data +\d+ s  1 passed, 1 failed$", said), said
    assert re.search(r"(?m)^lectures +\d+ s  1 skipped$", said)
