"""Lecture 10: densities, bounds and measures against references."""

import keras
import numpy as np
import pytest
from conftest import LECTURES
from keras import ops

from book import definitions

NAMES = ("flow", "pull", "standard_normal", "spread", "level", "log_codes", "vae", "bound")
NAMES += ("pixel_model", "draw_pixels", "inside")


@pytest.fixture(scope="module")
def lecture():
    return definitions.take(LECTURES["10"], NAMES)


class Known:
    """A stand-in for a random generator that gives known numbers."""

    def __init__(self, numbers):
        self.numbers = iter(numbers)

    def random(self, n):
        return next(self.numbers)


def test_a_flow_is_undone_and_has_the_determinant_of_its_jacobian(lecture):
    keras.utils.set_random_seed(0)
    model, couplings = lecture.flow([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]], 16)
    for weight in model.weights:
        weight.assign(0.5 * keras.random.normal(weight.shape, seed=1))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")

    def push(x):
        for coupling in couplings:
            x = ops.convert_to_numpy(coupling(x)[0])
        return x

    z, h = push(x), 1e-2
    assert np.allclose(lecture.pull(couplings, z), x, atol=1e-4)
    columns = [(push(x + h * e) - push(x - h * e)) / (2 * h) for e in np.eye(4, dtype="float32")]
    log_det = np.log(np.abs(np.linalg.det(np.stack(columns, axis=-1))))
    log_p = model.predict(x, verbose=0)[:, 0]
    assert np.allclose(log_p, lecture.standard_normal(z) + log_det, atol=0.02)


def test_dequantised_pixels_have_the_slope_that_is_reported(lecture):
    class Fixed:
        def __init__(self, u):
            self.u = u

        def random(self, shape):
            return np.full(shape, self.u)

    x = np.random.default_rng(0).integers(0, 2, (2, 28, 28)).astype("float32")
    low, high = (lecture.spread(x, Fixed(u))[0].astype("float64") for u in (0.399, 0.401))
    slope = np.log((high - low) / 0.002).sum(axis=1)
    assert np.allclose(lecture.spread(x, Fixed(0.4))[1], slope, rtol=1e-3)


@pytest.mark.parametrize("sd", [0.5, 1.0])
def test_the_bound_for_codes_meets_the_exact_density_for_the_perfect_denoiser_only(lecture, sd):
    def perfect(z, t):
        alpha, sigma = lecture.level(t[:, None])
        return alpha * sigma * (1 - sd**2) * z / (sd**2 * alpha**2 + sigma**2)

    def shifted(z, t):
        return perfect(z, t) + 0.3

    z = sd * np.random.default_rng(0).standard_normal((20_000, 8))
    exact = (lecture.standard_normal(z / sd) - 8 * np.log(sd)).mean()
    right, wrong = (
        exact - lecture.log_codes(guess, z, np.random.default_rng(1), k=40).mean()
        for guess in (perfect, shifted)
    )
    assert abs(right) < 0.07  # about three standard errors, and the last step's price
    span = -np.log(np.sin(np.pi / 2 * 0.01))  # the price of a constant error
    assert wrong - right == pytest.approx(8 * 0.3**2 * span, rel=0.02)


def test_more_codes_tighten_the_bound_and_none_exceeds_log_1(lecture):
    keras.utils.set_random_seed(0)
    _, *halves = lecture.vae(3, (16, 8), 1.0)
    x = np.random.default_rng(0).integers(0, 2, (40, 28, 28)).astype("float32")
    few, many = (lecture.bound(halves, x, np.random.default_rng(1), k).mean() for k in (1, 50))
    assert few < many < 0


def test_no_pixel_sees_itself_or_the_future_and_the_sampler_agrees(lecture):
    keras.utils.set_random_seed(0)
    model = lecture.pixel_model()
    for i, weight in enumerate(model.weights):
        weight.assign(0.15 * keras.random.normal(weight.shape, seed=i))
    u = np.random.default_rng(0).random((784, 4))
    x = lecture.draw_pixels(model, 4, Known(u))
    logits = model.predict(x, verbose=0)
    gap = 1 / (1 + np.exp(-logits.reshape(4, 784))) - u.T  # ink where the chance is larger
    clear = np.abs(gap) > 1e-3  # ties by rounding aside
    assert np.array_equal((gap > 0)[clear], x.reshape(4, 784)[clear] == 1)
    assert 0.001 < x.mean() < 0.95
    other = x.copy()
    other[:, 14, 9] = 1 - other[:, 14, 9]
    change = np.abs(model.predict(other, verbose=0) - logits).reshape(4, 784)
    assert change[:, : 14 * 28 + 10].max() < 1e-4 < 1e-2 < change[:, 14 * 28 + 10 :].max()


def test_a_point_is_inside_the_balls_to_the_kth_neighbour(lecture):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(50, 3)) + 0.5
    apart = np.linalg.norm(b[:, None] - b, axis=-1)
    radius = np.sort(apart, axis=1)[:, 3]  # the third neighbour, itself not counted
    expected = np.linalg.norm(a[:, None] - b, axis=-1) <= radius
    assert np.array_equal(lecture.inside(a, b, 3), expected)
    assert lecture.inside(a, a, 3).any(axis=1).all()


def test_density_and_coverage_of_the_same_distribution_are_near_their_means(lecture):
    """Naeem et al. (2020): density has mean 1, coverage 1 - 2^-k for equal distributions, k = 5."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 1500, 4))
    among = lecture.inside(a, b, 5)
    assert among.sum(axis=1).mean() / 5 == pytest.approx(1, abs=0.1)
    assert among.any(axis=0).mean() == pytest.approx(1 - 2**-5, abs=0.02)
