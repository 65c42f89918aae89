"""Lecture 1: backpropagation and Adam by hand, against differences, Keras and their definitions."""

import keras
import numpy as np
import pytest
from conftest import LECTURES

from book import definitions


@pytest.fixture(scope="module")
def lecture():
    return definitions.take(LECTURES["01"], ["gradients", "adam_step", "dense_count", "conv_count"])


@pytest.fixture
def weights():
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape) for shape in ((3, 5), (5,), (5, 2), (2,))]


def loss(weights, x, y):
    W1, b1, W2, b2 = weights
    return np.mean((np.maximum(0, x @ W1 + b1) @ W2 + b2 - y) ** 2)


def test_backpropagation_agrees_with_moving_each_weight(lecture, weights):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    for k, found in enumerate(lecture.gradients(weights, x, y)):
        assert found.shape == weights[k].shape
        for place in np.ndindex(found.shape):
            ends = []
            for shift in (-1e-6, 1e-6):
                moved = [w.copy() for w in weights]
                moved[k][place] += shift
                ends.append(loss(moved, x, y))
            assert found[place] == pytest.approx(np.diff(ends)[0] / 2e-6, abs=1e-7)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_the_first_step_of_adam_is_the_rate_whatever_the_gradients_size(lecture, size):
    w, _, _ = lecture.adam_step(2.0, -size, 0.0, 0.0, 1, 0.1)
    assert w == pytest.approx(2.1, rel=1e-4)


def test_adam_by_hand_is_kerass(lecture):
    gradient = np.random.default_rng(5).normal(size=(30, 4)).astype("float32")
    variable = keras.Variable(np.ones(4, "float32"))
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build([variable])
    w, m, v = np.ones(4), 0.0, 0.0
    for t, g in enumerate(gradient, start=1):
        optimizer.apply([keras.ops.convert_to_tensor(g)])
        w, m, v = lecture.adam_step(w, g, m, v, t, 0.05)
    assert np.allclose(keras.ops.convert_to_numpy(variable), w, atol=1e-5)


def test_parameters_are_counted_as_keras_counts(lecture):
    dense, conv = keras.layers.Dense(7), keras.layers.Conv2D(5, 3)
    dense.build((None, 11))
    conv.build((None, 8, 8, 2))
    assert dense.count_params() == lecture.dense_count(11, 7)
    assert conv.count_params() == lecture.conv_count(3, 2, 5)
