"""Lecture 2: its functions on cases that can be counted, and the maker of its checkpoint."""

import ast
import itertools

import numpy as np
import pytest

from book import ROOT, notebooks

LECTURE = ROOT / "lectures" / "02-text-generation.ipynb"


def parts(source):
    """Return {name: code without comments} of the functions in `source`."""
    found = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
    return {node.name: ast.unparse(node) for node in found}


@pytest.fixture(scope="module")
def lecture():
    cells = [code for _, _, code, _ in notebooks.code_cells(notebooks.read(LECTURE))]
    return parts("\n".join(cells))


def functions(lecture, *names):
    space = {"np": np}
    for name in names:
        exec(lecture[name], space)
    return [space[name] for name in names]


def test_the_maker_of_the_checkpoint_has_the_functions_of_the_lecture(lecture):
    maker = parts((ROOT / "data" / "make_char_model.py").read_text(encoding="utf-8"))
    for name in ("windows", "character_model"):
        assert lecture[name] == maker[name], name


def test_ngram_probabilities_of_all_next_characters_sum_to_one(lecture):
    *_, ngram = functions(lecture, "grams", "look_up", "ngram")
    rng = np.random.default_rng(1)
    train, held = rng.integers(3, size=60), rng.integers(4, size=9)
    last = [ngram(train, np.append(held, x), 3, 4) for x in range(4)]
    for order in range(3):
        assert sum(p[order][-1] for p in last) == pytest.approx(1, abs=1e-12)


def test_bigrams_are_mixed_as_counted_by_hand(lecture):
    *_, ngram = functions(lecture, "grams", "look_up", "ngram")
    p = ngram(np.array([0, 1, 0, 1, 0, 0]), np.array([0, 1]), 2, 2)
    below = (2 + 2 * 1 / 2) / (6 + 2)  # N(1) = 2, N = 6, K = 2
    assert p[1][1] == pytest.approx((2 + 2 * below) / (3 + 2))  # 0 is followed by 1 twice of 3


def test_a_beam_that_drops_nothing_is_exhaustive_and_one_of_width_one_is_greedy(lecture):
    (beam_search,) = functions(lecture, "beam_search")
    table = np.log(np.random.default_rng(2).dirichlet(np.ones(3), size=3))
    paths, score = beam_search(
        lambda token, h: (table[token], h), table[:1], np.zeros((1, 1)), 81, 4
    )
    every = {
        path: table[0, path[0]] + sum(table[a, b] for a, b in itertools.pairwise(path))
        for path in itertools.product(range(3), repeat=4)
    }
    assert tuple(paths[0]) == max(every, key=every.get)
    assert score[0] == pytest.approx(max(every.values()))
    path, _ = beam_search(lambda token, h: (table[token], h), table[:1], np.zeros((1, 1)), 1, 4)
    token = 0
    for step in path[0]:
        token = table[token].argmax()
        assert step == token


def test_top_p_keeps_the_fewest_that_reach_the_share(lecture):
    top_k, top_p = functions(lecture, "top_k", "top_p")
    log_p = np.log([[0.1, 0.6, 0.05, 0.25]])
    assert np.isfinite(top_p(log_p, 0.8)).tolist() == [[False, True, False, True]]
    assert np.isfinite(top_k(log_p, 3)).tolist() == [[True, True, False, True]]
