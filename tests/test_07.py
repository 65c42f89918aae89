"""Lecture 7: its formulas against their definitions, and the layers that it draws codes with."""

import keras
import numpy as np
import pytest
from conftest import LECTURES
from keras import ops

from book import definitions


@pytest.fixture(scope="module")
def lecture():
    names = ["Sampler", "Slip", "FreeBits", "kl_closed", "toy_elbo", "log_evidence"]
    return definitions.take(LECTURES["07"], [*names, "unevenness", "spread_apart"])


def drawn(layer, z_log_var):
    """The standard deviation of 200,000 codes that a layer draws for one log-variance."""
    keras.utils.set_random_seed(0)
    zeros = np.zeros((200_000, 1), "float32")
    return ops.convert_to_numpy(layer(zeros, zeros + z_log_var)).std()


def test_the_sampler_draws_with_the_standard_deviation(lecture):
    assert drawn(lecture.Sampler(), -1.0) == pytest.approx(np.exp(-0.5), rel=0.01)


def test_the_slip_draws_with_the_variance_and_pays_for_the_standard_deviation(lecture):
    slip, sampler = lecture.Slip(), lecture.Sampler()
    assert drawn(slip, -1.0) == pytest.approx(np.exp(-1.0), rel=0.01)
    drawn(sampler, -1.0)
    assert float(slip.losses[0]) == pytest.approx(float(sampler.losses[0]))


def test_the_sampler_charges_beta_times_the_closed_form(lecture):
    rng = np.random.default_rng(0)
    z_mean, z_log_var = rng.normal(size=(2, 50, 3)).astype("float32")
    layer = lecture.Sampler(beta=2.5)
    layer(z_mean, z_log_var)
    expected = 2.5 * lecture.kl_closed(z_mean, z_log_var).mean()
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)


def test_free_bits_cost_the_same_whether_a_unit_speaks_or_not(lecture):
    silent, speaking = lecture.FreeBits(), lecture.FreeBits()
    zeros = np.zeros((10, 4), "float32")
    silent(zeros, zeros)
    speaking(zeros + 0.5, zeros)  # 0.125 nats a unit, less than is free
    assert float(silent.losses[0]) == pytest.approx(0.8) == float(speaking.losses[0])


def test_the_bound_never_exceeds_the_evidence_and_touches_at_the_posterior(lecture):
    for x in (-2.0, 0.0, 1.5):
        mean, variance = x / 1.25, 0.25 / 1.25
        assert lecture.toy_elbo(x, mean, variance) == pytest.approx(lecture.log_evidence(x))
        for other in (0.5, 2.0):
            assert lecture.toy_elbo(x, mean, other * variance) < lecture.log_evidence(x)
            assert lecture.toy_elbo(x, mean + other, variance) < lecture.log_evidence(x)


def test_evenly_spread_points_are_even_and_a_heap_is_not(lecture):
    u = (np.stack(np.meshgrid(np.arange(100), np.arange(100)), -1).reshape(-1, 2) + 0.5) / 100
    assert lecture.unevenness(u) == pytest.approx(0, abs=1e-12)
    assert lecture.unevenness(0.05 + 0 * u) == pytest.approx(np.log(100))


def test_labels_that_overprint_are_moved_apart(lecture):
    points = np.array([[0.0, 0.0], [0.0, 0.001], [0.01, 0.0], [1.0, 1.0]])
    placed = lecture.spread_apart(points, 0.1)
    far = np.linalg.norm(placed[:, None] - placed, axis=2) + np.eye(4)
    assert far.min() > 0.09 and np.allclose(placed[3], points[3], atol=0.01)
