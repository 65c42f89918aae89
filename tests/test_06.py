"""Lecture 6, both parts: what its layers and measures do, on cases that can be counted."""

import keras
import numpy as np
import pytest
from conftest import LECTURES
from scipy.special import expit

from book import definitions


@pytest.fixture(scope="module")
def lecture():
    names = ["Penalty", "TopK", "times_written", "code_bytes", "tiled", "bce"]
    return definitions.take(LECTURES["06"], names)


@pytest.fixture(scope="module")
def at_work():
    return definitions.take(LECTURES["06b"], ["from_neighbours", "rows_before"])


@pytest.mark.parametrize("batch_size", [8, 64])
def test_penalty_is_a_mean_over_digits_whatever_the_batch(lecture, batch_size):
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    z = keras.Input((3,))
    model = keras.Model(z, lecture.Penalty(0.1)(z))
    model.compile("sgd", "mse")  # the copy is the input: the penalty is all of the loss
    loss = model.evaluate(x, x, batch_size=batch_size, verbose=0)
    assert loss == pytest.approx(0.1 * np.abs(x).sum(axis=1).mean(), rel=1e-4)


def test_top_k_keeps_the_k_largest_numbers_and_no_others(lecture):
    z = np.random.default_rng(0).normal(size=(5, 12)).astype("float32")
    kept = keras.ops.convert_to_numpy(lecture.TopK(4)(z))
    assert np.all(np.sum(kept != 0, axis=1) == 4)
    assert np.allclose(np.sort(kept + (kept == 0) * -9)[:, -4:], np.sort(z)[:, -4:])


def test_top_k_chooses_the_same_units_when_all_numbers_shrink(lecture):
    z = np.random.default_rng(1).normal(size=(5, 12)).astype("float32")
    large, small = (keras.ops.convert_to_numpy(lecture.TopK(4)(x)) for x in (z, z / 10))
    assert np.array_equal(large != 0, small != 0)


def test_smaller_codes_and_larger_weights_give_the_same_copies():
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(5, 4)), rng.normal(size=(4, 6))
    assert np.allclose(expit(z @ w), expit((z / 10) @ (10 * w)))


def test_last_layer_writes_each_inner_pixel_equally_often(lecture):
    first, last = lecture.times_written(4, 4), lecture.times_written(7, 8, 4, "same")
    assert (first.shape, first.min(), first.max()) == ((7, 7), 1, 16)
    assert (last.shape, last.min(), last.max()) == ((28, 28), 1, 4)
    assert np.all(last[2:-2, 2:-2] == 4)


def test_kernel_that_is_no_multiple_of_its_stride_writes_unequally(lecture):
    counts = lecture.times_written(7, 3, 2)
    assert set(np.unique(counts[2:-2, 2:-2])) == {1, 2, 4}


def test_rounding_a_code_errs_by_half_a_step_at_most(lecture):
    z = np.random.default_rng(0).normal(size=(100, 32)).astype("float32")
    size, rounded = lecture.code_bytes(z, 0.5)
    assert np.abs(rounded - z).max() <= 0.25 + 1e-6
    assert 0 < size < 4 * 32


def test_tiles_come_apart_again(lecture):
    x = np.random.default_rng(0).random((10_000, 28, 28), dtype="float32")
    assert np.array_equal(lecture.tiled(lecture.tiled(x)), x)


def test_neighbours_fill_holes_of_an_even_picture_and_leave_kept_pixels(at_work):
    rng = np.random.default_rng(0)
    even = np.full((2, 28, 28), 0.7, "float32")
    kept = rng.random(even.shape) < 0.5
    assert np.allclose(at_work.from_neighbours(even * kept, kept), even, atol=1e-4)
    x = rng.random(even.shape, dtype="float32")
    assert np.array_equal(at_work.from_neighbours(x * kept, kept)[kept], x[kept])


def test_decoder_is_told_the_rows_before_and_none_beyond(at_work):
    x = np.arange(2 * 28 * 28, dtype="float32").reshape(2, 28, 28)
    before = at_work.rows_before(x)
    assert np.all(before[:, 0] == 0) and np.array_equal(before[:, 1:], x[:, :-1])
