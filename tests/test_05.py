"""Lecture 5: its measures and layers, on cases that can be counted."""

import numpy as np
import pytest
from conftest import LECTURES
from keras import ops

from book import definitions


@pytest.fixture(scope="module")
def lecture():
    names = ["Gram", "Level", "Variation", "relative", "InstanceNorm", "Mirror", "Palette"]
    names += ["Canvas", "recolour", "style_layers", "content_layer"]
    return definitions.take(LECTURES["05"], names)


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_a_gram_matrix_is_the_mean_product_of_two_features(lecture):
    f = normal(2, 3, 4, 5)
    expected = np.einsum("nhwa,nhwb->nab", f, f) / 12
    assert numbers(lecture.Gram()(f)) == pytest.approx(expected, abs=1e-5)


def test_level_is_its_equation(lecture):
    means = np.array([0.0, 0.5, 2.0, 9.5], "float32")
    f, m = normal(1, 2, 2, 4), means.mean()
    expected = f / (m * np.sqrt(means / m + 0.1))
    assert numbers(lecture.Level(means)(f)) == pytest.approx(expected, rel=1e-5)


def test_level_holds_back_a_strong_feature_about_half_of_the_way(lecture):
    means = np.array([4.0, 1.0], "float32")
    strong, weak = numbers(lecture.Level(means)(means[None, None, None]))[0, 0, 0]
    assert strong / weak == pytest.approx(2, abs=0.2)  # 4 before


def test_level_blows_no_feature_up_more_than_the_0_1_allows(lecture):
    means = np.array([0.0, 2.0], "float32")
    silent, _ = numbers(lecture.Level(means)(np.ones((1, 1, 1, 2), "float32")))[0, 0, 0]
    assert silent == pytest.approx(1 / np.sqrt(0.1), rel=1e-5)  # times 1 / m, and m is 1


def test_total_variation_counts_steps_of_neighbours(lecture):
    stripes = np.zeros((1, 4, 5, 3), "float32")
    stripes[:, ::2] = 255  # rows differ by the whole range, columns not at all
    assert numbers(lecture.Variation()(stripes)) == pytest.approx(1)
    assert numbers(lecture.Variation()(np.full((1, 4, 5, 3), 99.0))) == pytest.approx(0)


def test_a_relative_loss_is_0_at_the_target_and_1_at_zero(lecture):
    target = normal(1, 3, 3, 2)
    assert float(lecture.relative(target, target)) == 0
    assert float(lecture.relative(target, 0 * target)) == pytest.approx(1)


def test_instance_normalisation_takes_out_contrast_and_brightness_of_each_picture(lecture):
    x = normal(2, 8, 8, 3)
    layer = lecture.InstanceNorm()
    assert numbers(layer(50 * x + 7)) == pytest.approx(numbers(layer(x)), abs=3e-3)


def test_mirrored_rims_reflect(lecture):
    x = np.arange(5, dtype="float32").reshape(1, 1, 5, 1).repeat(3, axis=1)
    rim = numbers(lecture.Mirror(2)(x))
    assert rim.shape == (1, 7, 9, 1)
    assert rim[0, 3, :, 0].tolist() == [2, 1, 0, 1, 2, 3, 4, 3, 2]
    shapes = [lecture.Mirror(2).compute_output_shape((None, *s)) for s in ((3, 5, 1), (None,) * 3)]
    assert shapes == [(None, 7, 9, 1), (None, None, None, None)]  # JAX can't infer it


def test_the_palette_is_recolouring_when_the_picture_has_contrast(lecture):
    rng = np.random.default_rng(0)
    photo = rng.uniform(0, 255, (30, 30, 3)).astype("float32")
    painting = rng.uniform(90, 160, (20, 20, 3)).astype("float32")
    by_layer = numbers(lecture.Palette(painting)(photo[None]))[0]
    assert by_layer == pytest.approx(lecture.recolour(photo, painting), abs=3)


def test_a_canvas_returns_its_pixels_whatever_comes_in(lecture):
    start = np.random.default_rng(0).uniform(0, 255, (4, 6, 3)).astype("float32")
    canvas = lecture.Canvas(start)
    assert numbers(canvas(np.zeros((1, 1))))[0] == pytest.approx(start)
    assert canvas.read() == pytest.approx(start)


@pytest.mark.parametrize(("layer", "field"), [("block3_conv1", 24), ("block4_conv1", 60)])
def test_a_unit_sees_as_many_pixels_as_the_text_says(layer, field):
    size, step = 1, 1  # kernels of 3, halved after 2, 2 and 3 convolutions
    for name in ("1_1", "1_2", "p", "2_1", "2_2", "p", "3_1", "3_2", "3_3", "p", "4_1"):
        size, step = (size + step, 2 * step) if name == "p" else (size + 2 * step, step)
        if name == f"{layer[5]}_1":
            break
    assert size == field
