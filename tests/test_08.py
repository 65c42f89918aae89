"""Lecture 8: formulas against sympy and automatic differentiation, its maker against its cells."""

import ast
import importlib.util
import sys

import keras
import nbformat
import numpy as np
import pytest
import sympy
from keras import layers, ops

from book import ROOT

LECTURE = ROOT / "lectures" / "08-generative-adversarial-networks.ipynb"


@pytest.fixture(scope="module")
def defined():
    """The source of each function and class that the lecture defines, by name; the last one."""
    notebook = nbformat.read(LECTURE, as_version=4)
    found = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "solution" not in cell.metadata.get("tags", []):
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found.setdefault(node.name, ast.get_source_segment(cell.source, node))
    return found


@pytest.fixture
def names(defined):
    """A function that runs definitions of the lecture and returns the namespace."""

    def run(*wanted):
        space = {"keras": keras, "layers": layers, "ops": ops, "np": np}
        for name in wanted:
            exec(defined[name], space)
        return space

    return run


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


def test_the_value_is_twice_the_divergence_less_log_4(names):
    space = names("bump", "data_density", "value", "divergence")
    line = np.linspace(-20, 20, 8001)
    space |= {"line": line, "cell": line[1] - line[0]}
    space["value"].__globals__.update(space)
    p, q = space["data_density"](line), space["bump"](line, 0, 1.5)
    value = space["value"](p / (p + q), p, q)
    assert value == pytest.approx(-np.log(4) + 2 * space["divergence"](p, q), abs=1e-8)


def test_slopes_of_the_two_generator_losses():
    a = sympy.symbols("a", real=True)
    sigmoid = 1 / (1 + sympy.exp(-a))
    assert sympy.simplify(sympy.diff(sympy.log(1 - sigmoid), a) + sigmoid) == 0
    assert sympy.simplify(sympy.diff(-sympy.log(sigmoid), a) + 1 - sigmoid) == 0


def test_the_saturating_loss_is_the_mean_of_log_one_minus_d(names):
    loss = names("saturating_loss")["saturating_loss"]
    logit = np.array([[-3.0], [0.5], [2.0]], "float32")
    expected = np.mean(np.log(1 - 1 / (1 + np.exp(-logit))))
    assert float(loss(None, logit)) == pytest.approx(expected, rel=1e-5)


def test_the_critics_slope_is_its_gradient(names):
    keras.utils.set_random_seed(0)
    critic = names("Critic")["Critic"](16)
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


def test_each_player_moves_only_its_own_weights(names):
    dense, maker = (
        names("dense")["dense"],
        load_maker(),
    )  # its functions are the lecture's, see below
    keras.utils.set_random_seed(0)
    players = maker.adversaries(dense(3, [8], 2), dense(2, [8], 1), 0.01, 0.01)
    random = np.random.default_rng(0)
    real = random.normal(size=(16, 2)).astype("float32")
    moves = {
        0: lambda: maker.teach_generator(players, 16, random),
        1: lambda: maker.teach_discriminator(players, real, random),
    }
    for _ in range(2):  # twice, so that the flag is switched back and forth
        for mover, move in moves.items():
            before = [p.get_weights() for p in players[:2]]
            move()
            for i, player in enumerate(players[:2]):
                pairs = zip(before[i], player.get_weights(), strict=True)
                same = all(np.array_equal(a, b) for a, b in pairs)
                assert same == (i != mover)


def load_maker():
    """data/make_gan.py as a module."""
    sys.path.insert(0, str(ROOT / "data"))
    path = ROOT / "data" / "make_gan.py"
    spec = importlib.util.spec_from_file_location("make_gan", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_maker_has_the_lectures_functions(defined):
    tree = ast.parse((ROOT / "data" / "make_gan.py").read_text())
    made = {n.name: ast.dump(n) for n in tree.body if isinstance(n, ast.FunctionDef)}
    for name in sorted(set(made) - {"main"}):
        assert ast.dump(ast.parse(defined[name]).body[0]) == made[name], name
