"""Lecture 4: the gradient with respect to an input, on cases with a formula."""

import keras
import numpy as np
import pytest
from conftest import LECTURES
from keras import layers, ops

from book import definitions


@pytest.fixture(scope="module")
def lecture():
    names = ["probe", "gradient", "gradients", "iterate", "smooth", "places", "side"]
    return definitions.take(LECTURES["04"], names)


def total(_, value):
    return ops.sum(value)


def network():
    x = keras.Input((6,))
    h = layers.BatchNormalization()(layers.Dense(5, activation="tanh")(x))
    return keras.Model(x, layers.Dense(1)(h))


def test_the_gradient_is_that_of_differences(lecture):
    keras.utils.set_random_seed(0)
    model, x = network(), np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    found = lecture.gradient(lecture.probe(model, x.shape, total), x, np.zeros((3, 1)))
    for i in range(6):
        step = np.zeros(6, "float32")
        step[i] = 0.01
        up, down = (ops.convert_to_numpy(model(v)) for v in (x + step, x - step))
        assert found[:, i] == pytest.approx((up - down)[:, 0] / 0.02, abs=2e-3)


def test_asking_for_a_gradient_leaves_the_network_as_it_was(lecture):
    keras.utils.set_random_seed(0)
    model, x = network(), np.ones((3, 6), "float32")
    before = [w.copy() for w in model.get_weights()]
    probe = lecture.probe(model, x.shape, total)
    first = lecture.gradient(probe, x, np.zeros((3, 1)))
    again = lecture.gradient(probe, x, np.zeros((3, 1)))
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True))
    assert np.array_equal(first, again)


def test_dropout_is_off_when_a_gradient_is_asked_for(lecture):
    keras.utils.set_random_seed(0)
    letters = keras.Input((6,))
    h = layers.Dense(40, activation="tanh")(letters)
    last = layers.Dense(1)
    thinned = keras.Model(letters, last(layers.Dropout(0.5)(h)))
    whole = keras.Model(letters, last(h))
    x = np.random.default_rng(2).normal(size=(3, 6)).astype("float32")
    found = [
        lecture.gradient(lecture.probe(model, x.shape, total), x, np.zeros((3, 1)))
        for model in (thinned, thinned, whole)
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[0] == pytest.approx(found[2], abs=1e-6)


def test_an_input_has_the_same_gradient_alone_and_in_a_batch(lecture):
    keras.utils.set_random_seed(0)
    model, x = network(), np.random.default_rng(1).normal(size=(4, 6)).astype("float32")
    zeros = np.zeros((4, 1))
    whole = lecture.gradient(lecture.probe(model, (4, 6), total), x, zeros)
    parts = lecture.gradients(lecture.probe(model, (2, 6), total), x, zeros, batch=2)
    assert whole == pytest.approx(parts, abs=1e-6)


@pytest.mark.parametrize("eps", [1, 4])
def test_an_iterated_attack_stays_within_epsilon_and_among_grey_values(lecture, eps):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
    x = np.array([[0, 0.5, 100, 128, 200, 254, 255, 3]], "float32")
    probe = lecture.probe(model, x.shape, total)
    moved = lecture.iterate(probe, x, np.zeros((1, 1)), eps, 8)
    assert np.abs(moved - x).max() == pytest.approx(eps)
    assert moved.min() >= 0 and moved.max() <= 255


def test_smoothing_keeps_the_mean_size_and_lowers_differences_of_neighbours(lecture):
    noise = np.random.default_rng(0).normal(size=(2, 40, 40, 3))
    rough = np.abs(np.diff(noise, axis=1)).mean() / np.abs(noise).mean()
    smooth = lecture.smooth(noise)
    assert np.abs(np.diff(smooth, axis=1)).mean() / np.abs(smooth).mean() < rough / 2
    assert np.abs(smooth).mean() <= 1  # a mean of fields whose mean size is one


def test_a_sticker_is_pasted_whole(lecture):
    down, across = lecture.places(np.random.default_rng(0), 50)
    for ones in (down, across):
        assert ones.shape == (50, lecture.side, 224)
        assert np.all(ones.sum(axis=2) == 1)
        assert np.all(np.diff(ones.argmax(axis=2), axis=1) == 1)
