"""Lecture 2: its functions on cases that can be counted."""

import itertools
from collections import Counter

import numpy as np
import pytest
from conftest import LECTURES

from book import definitions

NAMES = ["ngram", "before", "beam_search", "top_k", "top_p"]


@pytest.fixture(scope="module")
def lecture():
    return definitions.take(LECTURES["02"], NAMES)


def slow_ngram(train, held, order, size, adaptive):
    """Witten and Bell's mixture with a dictionary, one character after the other."""
    seen = Counter()
    text = list(map(int, train))
    for n in range(1, order + 1):
        seen.update(tuple(text[i : i + n]) for i in range(len(text) - n + 1))
    found = []
    for at in range(len(held)):
        p = [1 / size]
        for n in range(1, min(order, at + 1) + 1):
            context, x = tuple(map(int, held[at - n + 1 : at])), int(held[at])
            follow = [seen[(*context, k)] for k in range(size)]
            N, K = sum(follow), sum(count > 0 for count in follow)
            p.append((follow[x] + K * p[-1]) / (N + K) if N else p[-1])
        found.append(p[-1])
        if adaptive:
            past = tuple(map(int, held[: at + 1]))
            seen.update(past[-n:] for n in range(1, min(order, at + 1) + 1))
    return found


@pytest.mark.parametrize("adaptive", [False, True])
def test_counts_are_those_of_a_dictionary(lecture, adaptive):
    rng = np.random.default_rng(6)
    train, held = rng.integers(3, size=80), rng.integers(4, size=60)
    p = lecture.ngram(train, held, 3, 4, adaptive)[-1]
    assert np.allclose(p, slow_ngram(train, held, 3, 4, adaptive))


def test_before_sums_over_earlier_places_alone(lecture):
    found = lecture.before(np.array([5, 2, 5, 5, 2]), np.array([1, 10, 2, 4, 20]))
    assert found.tolist() == [0, 0, 1, 3, 10]


def test_adaptive_counts_never_see_what_comes_later(lecture):
    rng = np.random.default_rng(7)
    train, held = rng.integers(3, size=80), rng.integers(3, size=60)
    other = np.concatenate([held[:40], 2 - held[40:]])
    first, second = (lecture.ngram(train, x, 3, 3, adaptive=True)[-1] for x in (held, other))
    assert np.array_equal(first[:40], second[:40])


def test_a_network_that_adapts_at_rate_0_codes_like_the_frozen_one():
    names = ["adaptive_bits", "bits_per_char", "character_model"]
    lecture = definitions.take(LECTURES["02"], names)
    x = np.random.default_rng(8).integers(5, size=400 * 8 + 101).astype("int32")
    model = lecture.character_model(5)
    frozen = lecture.bits_per_char(model, x).mean()
    assert lecture.adaptive_bits(model, x, 0.0) == pytest.approx(frozen, abs=1e-4)


def test_ngram_probabilities_of_all_next_characters_sum_to_one(lecture):
    ngram = lecture.ngram
    rng = np.random.default_rng(1)
    train, held = rng.integers(3, size=60), rng.integers(4, size=9)
    last = [ngram(train, np.append(held, x), 3, 4) for x in range(4)]
    for order in range(3):
        assert sum(p[order][-1] for p in last) == pytest.approx(1, abs=1e-12)


def test_bigrams_are_mixed_as_counted_by_hand(lecture):
    ngram = lecture.ngram
    p = ngram(np.array([0, 1, 0, 1, 0, 0]), np.array([0, 1]), 2, 2)
    below = (2 + 2 * 1 / 2) / (6 + 2)  # N(1) = 2, N = 6, K = 2
    assert p[1][1] == pytest.approx((2 + 2 * below) / (3 + 2))  # 0 is followed by 1 twice of 3


def test_a_beam_that_drops_nothing_is_exhaustive_and_one_of_width_one_is_greedy(lecture):
    beam_search = lecture.beam_search
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
    top_k, top_p = lecture.top_k, lecture.top_p
    log_p = np.log([[0.1, 0.6, 0.05, 0.25]])
    assert np.isfinite(top_p(log_p, 0.8)).tolist() == [[False, True, False, True]]
    assert np.isfinite(top_k(log_p, 3)).tolist() == [[True, True, False, True]]
