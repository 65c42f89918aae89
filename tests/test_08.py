"""Lecture 8: formulas against sympy and automatic differentiation."""

import keras
import numpy as np
import pytest
import sympy
from conftest import LECTURES
from keras import ops

from book import definitions

LECTURE = LECTURES["08"]


def test_the_best_discriminator_maximises_the_value():
    a, b, D = sympy.symbols("a b D", positive=True)
    gain = a * sympy.log(D) + b * sympy.log(1 - D)
    best = sympy.solve(sympy.diff(gain, D), D)
    assert best == [a / (a + b)]
    curvature = sympy.simplify(sympy.diff(gain, D, 2))
    assert sympy.simplify(curvature + a / D**2 + b / (1 - D) ** 2) == 0  # negative everywhere


def test_the_value_at_equal_distributions_is_minus_log_4():
    p = sympy.symbols("p", positive=True)
    density = p * sympy.log(sympy.Rational(1, 2)) * 2  # p log D + p log(1 - D) at D = 1/2
    assert sympy.simplify(density / p + sympy.log(4)) == 0


def test_the_value_is_twice_the_divergence_less_log_4():
    line = np.linspace(-20, 20, 8001)
    names = ["bump", "data_density", "value", "divergence"]
    lecture = definitions.take(LECTURE, names, cell=line[1] - line[0])
    p, q = lecture.data_density(line), lecture.bump(line, 0, 1.5)
    value = lecture.value(p / (p + q), p, q)
    assert value == pytest.approx(-np.log(4) + 2 * lecture.divergence(p, q), abs=1e-8)


def test_far_apart_the_divergence_stays_and_the_wasserstein_distance_grows_tenfold():
    line = np.linspace(-8, 60, 20_001)
    names = ["bump", "data_density", "divergence"]
    lecture = definitions.take(LECTURE, names, cell=line[1] - line[0])
    p, carried = lecture.data_density(line) + 1e-200, []
    for place in (4.5, 45):
        q = lecture.bump(line, place, 0.5) + 1e-200
        assert lecture.divergence(p, q) == pytest.approx(np.log(2), abs=0.004)
        carried.append(np.sum(np.abs(np.cumsum(p - q))) * lecture.cell**2)
    assert carried[1] / carried[0] == pytest.approx(10, abs=0.5)


def test_a_soft_penalty_lets_the_slope_exceed_one_by_the_distance_over_two_lambda():
    r, lam, slope = sympy.symbols("r lambda s", positive=True)
    gain = r * slope - lam * (slope - 1) ** 2  # two heaps at distance r, one slope between them
    assert sympy.simplify(sympy.solve(sympy.diff(gain, slope), slope)[0] - 1 - r / (2 * lam)) == 0


def test_slopes_of_the_two_generator_losses():
    a = sympy.symbols("a", real=True)
    sigmoid = 1 / (1 + sympy.exp(-a))
    assert sympy.simplify(sympy.diff(sympy.log(1 - sigmoid), a) + sigmoid) == 0
    assert sympy.simplify(sympy.diff(-sympy.log(sigmoid), a) + 1 - sigmoid) == 0


def test_the_saturating_loss_is_the_mean_of_log_one_minus_d():
    loss = definitions.take(LECTURE, ["saturating_loss"]).saturating_loss
    logit = np.array([[-3.0], [0.5], [2.0]], "float32")
    expected = np.mean(np.log(1 - 1 / (1 + np.exp(-logit))))
    assert float(loss(None, logit)) == pytest.approx(expected, rel=1e-5)


def test_the_critics_slope_is_its_gradient():
    keras.utils.set_random_seed(0)
    critic = definitions.take(LECTURE, ["Critic"]).Critic(16)
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    critic(x)
    written = ops.convert_to_numpy(critic.slope(x))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            at = tf.constant(x)
            tape.watch(at)
            out = critic(at)
        exact = tape.gradient(out, at).numpy()
    elif keras.backend.backend() == "torch":
        import torch

        at = torch.tensor(x, requires_grad=True)
        exact = torch.autograd.grad(critic(at).sum(), at)[0].numpy()
    else:
        import jax

        exact = np.asarray(jax.grad(lambda at: critic(at).sum())(x))
    assert np.allclose(written, exact, atol=1e-6)


def test_each_player_moves_only_its_own_weights():
    names = ["dense", "adversaries", "teach_generator", "teach_discriminator"]
    lecture = definitions.take(LECTURE, names)
    keras.utils.set_random_seed(0)
    networks = lecture.dense(3, [8], 2), lecture.dense(2, [8], 1)
    players = lecture.adversaries(*networks, 0.01, 0.01)
    rng = np.random.default_rng(0)
    real = rng.normal(size=(16, 2)).astype("float32")
    moves = {
        0: lambda: lecture.teach_generator(players, 16, rng),
        1: lambda: lecture.teach_discriminator(players, real, rng),
    }
    for _ in range(2):  # twice, so that the flag is switched back and forth
        for mover, move in moves.items():
            before = [p.get_weights() for p in players[:2]]
            move()
            for i, player in enumerate(players[:2]):
                pairs = zip(before[i], player.get_weights(), strict=True)
                same = all(np.array_equal(a, b) for a, b in pairs)
                assert same == (i != mover)
