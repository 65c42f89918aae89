"""What lectures rely on without saying it is what it was when their values were measured."""

import json
import subprocess
import sys

import pytest
from conftest import LECTURES, ROOT

from book import notebooks


def test_keras_has_the_defaults_that_values_were_measured_with():
    command = [sys.executable, ROOT / "tests" / "defaults.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])["defaults"]
    assert found == json.loads((ROOT / "tests" / "defaults.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", LECTURES)
def test_no_penalty_depends_on_the_version_of_keras(number):
    # Keras 3.13 adds an activity regulariser's sum over the batch, 3.15 its mean: write add_loss
    for i, _, code, _ in notebooks.code_cells(notebooks.read(LECTURES[number])):
        assert "activity_regularizer" not in code, f"cell {i}"
