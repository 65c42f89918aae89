"""Lecture 3's functions that a reader relies on, taken from its cells and tried on small cases."""

import ast
import re

import numpy as np
import pytest
from conftest import LECTURES

from book import notebooks

WANTED = {"merge", "best_span", "is_right"}


@pytest.fixture(scope="module")
def lecture():
    """The functions of lecture 3 that are tested here, by name."""
    names = {"np": np, "re": re}
    for _, _, code, _ in notebooks.code_cells(notebooks.read(LECTURES["03"])):
        for node in ast.parse(code).body:
            if isinstance(node, ast.FunctionDef) and node.name in WANTED:
                exec(ast.unparse(node), names)
    return names


def test_an_end_before_the_start_is_refused(lecture):
    start, end = np.array([0.1, 0.1, 0.8]), np.array([0.8, 0.1, 0.1])
    assert lecture["best_span"](start, end, np.ones(3))[1:] in [(0, 0), (2, 2)]


def test_a_span_outside_the_text_is_refused(lecture):
    start, end = np.array([0.9, 0.1, 0.0]), np.array([0.9, 0.1, 0.0])
    assert lecture["best_span"](start, end, np.array([0, 1, 1]))[1:] == (1, 1)


def test_a_span_longer_than_allowed_is_refused(lecture):
    start, end = np.eye(20)[0], np.eye(20)[15] + 1e-3
    score, first, last = lecture["best_span"](start, end, np.ones(20), most=12)
    assert first == 0 and last - first < 12 and score == pytest.approx(1e-3)


def test_an_answer_is_right_by_whole_words(lecture):
    is_right = lecture["is_right"]
    assert is_right("It is worth 45% of the mark.", ["45%"])
    assert is_right("Seven.", ["seven", "7"])
    assert not is_right("17 tasks", ["7"])
    assert not is_right("145%", ["45%"])


def test_merging_joins_every_occurrence(lecture):
    parts = list("banana")
    lecture["merge"](parts, ("a", "n"))
    assert parts == ["b", "an", "an", "a"]
