"""Lecture 3's functions that a reader relies on, taken from its cells and tried on small cases."""

import ast
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import LECTURES

import helpers
from book import definitions

WANTED = ["merge", "best_span", "is_right", "before_it", "nearest"]


@pytest.fixture(scope="module")
def lecture():
    """The functions of lecture 3 that are tested here."""
    # "cut" is also the name of a text there, so the function is picked by its kind
    body = definitions.statements(LECTURES["03"])
    cut = next(n for n in body if isinstance(n, ast.FunctionDef) and n.name == "cut")
    names = {"re": re}
    exec(ast.unparse(cut), names)
    return definitions.take(LECTURES["03"], [*WANTED, "cut"], profile="", cut=names["cut"])


def test_an_end_before_the_start_is_refused(lecture):
    start, end = np.array([0.1, 0.1, 0.8]), np.array([0.8, 0.1, 0.1])
    assert lecture.best_span(start, end, np.ones(3))[1:] in [(0, 0), (2, 2)]


def test_a_span_outside_the_text_is_refused(lecture):
    start, end = np.array([0.9, 0.1, 0.0]), np.array([0.9, 0.1, 0.0])
    assert lecture.best_span(start, end, np.array([0, 1, 1]))[1:] == (1, 1)


def test_a_span_longer_than_allowed_is_refused(lecture):
    start, end = np.eye(20)[0], np.eye(20)[15] + 1e-3
    score, first, last = lecture.best_span(start, end, np.ones(20), most=12)
    assert first == 0 and last - first < 12 and score == pytest.approx(1e-3)


def test_an_answer_is_right_by_whole_words(lecture):
    assert lecture.is_right("It is worth 45% of the mark.", ["45%"])
    assert lecture.is_right("Seven.", ["seven", "7"])
    assert not lecture.is_right("17 tasks", ["7"])
    assert not lecture.is_right("145%", ["45%"])


def test_merging_joins_every_occurrence(lecture):
    parts = list("banana")
    lecture.merge(parts, ("a", "n"))
    assert parts == ["b", "an", "an", "a"]


def test_counts_before_a_place_are_those_of_a_loop(lecture):
    rng = np.random.default_rng(1)
    code, weight = rng.integers(5, size=60), rng.integers(3, size=60)
    by_loop = [weight[:i][code[:i] == code[i]].sum() for i in range(60)]
    assert lecture.before_it(code, weight).tolist() == by_loop


def test_multiplications_are_counted_as_by_hand():
    counts = definitions.take(LECTURES["03"], ["products"])
    d, V, T = 96, 512, 64
    block = 4 * d * d + 8 * d * d + 2 * T * d  # attention, dense layers, scores and mixing
    assert counts.products(blocks=4) == 4 * block + V * d
    assert counts.products(units=256) == 3 * 256 * (d + 256) + 256 * d + V * d


def test_the_second_half_of_a_copying_row_is_the_first():
    copies = definitions.take(LECTURES["03"], ["Copies"]).Copies
    x, y = copies.__getitem__(SimpleNamespace(rng=np.random.default_rng(1), batch_size=3), 0)
    assert x.shape == y.shape == (3, 32)
    np.testing.assert_array_equal(y[:, 16:], x[:, :16])
    assert (x[:, 16] == 16).all() and (x[:, 1:] == y[:, :-1]).all()


def test_thirty_questions_have_their_answers_in_their_texts(lecture):
    exams = json.loads(helpers.data_path("profile_questions.json").read_text(encoding="utf-8"))
    profile, _ = helpers.load_course_profile()
    assert [len(exam["questions"]) for exam in exams] == [10, 10, 10]
    for exam in exams:
        sentences = lecture.cut(exam["text"] or profile)
        for item in exam["questions"]:
            assert any(lecture.is_right(s, item["accept"]) for s in sentences), item["question"]


def test_look_up_finds_the_sentence_with_the_rarest_shared_words(lecture):
    text = "The exam is long. The exam is worth 45%. The essay is short."
    assert lecture.nearest("What is the exam worth?", text) == "The exam is worth 45%."
