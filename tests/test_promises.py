"""README's promises: each names a test that is there."""

import re

from conftest import ROOT

TEXT = (ROOT / "README.md").read_text("utf-8").split("## What you can rely on")[1].split("\n## ")[0]


def test_each_promise_names_tests_that_exist():
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 12
    for row in rows:
        held, file = re.findall(r"`([\w/.]*)::(\w+)`", row.rsplit(" | ", 1)[-1]), ""
        assert held, row
        for named, test in held:
            file = named or file
            assert f"\ndef {test}(" in (ROOT / file).read_text("utf-8"), (file, test)
