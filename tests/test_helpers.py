"""helpers.py: each function against a reference, and what it says to bad input."""

import base64
import io
import subprocess
import sys

import keras
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.linalg
from conftest import ROOT
from hypothesis import given
from hypothesis.extra.numpy import arrays
from hypothesis.strategies import floats, integers, text
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

import helpers
from book import notebooks


def test_seed_repeats_and_follows_book_seed(monkeypatch):
    helpers.seed()
    first = np.random.rand(), float(keras.random.uniform(()))
    helpers.seed()
    assert (np.random.rand(), float(keras.random.uniform(()))) == first
    monkeypatch.setattr(helpers, "SEED", 7)
    assert helpers.seed(3) == 10
    assert np.random.rand() != first[0]


def test_psnr_is_scikit_images():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 5, 8, 8))
    assert helpers.psnr(x, y) == pytest.approx(peak_signal_noise_ratio(x, y, data_range=1.0))
    with pytest.raises(ValueError, match="have shapes"):
        helpers.psnr(x, y[:2])
    assert helpers.psnr(x, x) == np.inf


@pytest.mark.parametrize(
    "x",
    [np.full((1, 28, 28), 200, "uint8"), np.full((1, 28, 28), np.nan), -np.ones((1, 28, 28)),
     np.zeros((0, 28, 28))],
)  # fmt: skip
def test_pictures_in_another_range_are_refused(x):
    for measure in (helpers.judge, lambda x: helpers.psnr(x, x)):
        with pytest.raises(ValueError, match=r"images need values in \[0, 1\]"):
            measure(x)


def test_frechet_is_the_closed_form_and_zero_for_the_same():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 4)) * [1, 2, 3, 4]
    y = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4)) + 1
    a, b = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(a @ b).real  # another way than helpers.frechet's
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * root)
    assert helpers.frechet(x, y) == pytest.approx(expected, rel=1e-6)
    assert helpers.frechet(x, x) == pytest.approx(0, abs=1e-6)


def test_cosine_starts_at_the_rate_and_ends_at_zero():
    schedule = helpers.cosine(0.1, n=1000, batch_size=256, epochs=5)
    values = [float(schedule(step)) for step in (0, 10, 20)]
    assert values == pytest.approx([0.1, 0.05, 0.0], abs=1e-6)


def test_image_grid_draws_every_image_and_checks_shapes():
    fig = helpers.image_grid([np.zeros((3, 4, 4)), np.ones((3, 4, 4, 1))], ["a", "b"])
    assert len(fig.axes) == 6
    assert [text.get_text() for text in fig.texts] == ["a", "b"]
    with pytest.raises(ValueError, match="same number of images"):
        helpers.image_grid([np.zeros((3, 4, 4)), np.zeros((2, 4, 4))])
    with pytest.raises(ValueError, match="1 rows but 2 titles"):
        helpers.image_grid([np.zeros((3, 4, 4))], ["a", "b"])
    plt.close("all")


def test_learning_curves_draws_one_line_a_run():
    runs = {"a": {"val_loss": [3, 2, 1]}, "b": {"val_loss": [2, 1]}}
    fig = helpers.learning_curves(runs, ylabel="loss")
    lines = fig.axes[0].lines
    assert lines[0].get_xdata().tolist() == [1, 2, 3]
    assert list(lines[1].get_ydata()) == [2, 1]
    assert fig.axes[0].get_ylabel() == "loss"
    plt.close("all")


def test_train_prints_one_line_and_returns_the_history(capsys):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((8, 2), "float32")
    history = helpers.train(
        model, x, x[:, :1], epochs=3, batch_size=4, validation=(x, x[:, :1]), name="line"
    )
    assert len(history["loss"]) == len(history["val_loss"]) == len(history["seconds"]) == 3
    assert history["seconds"] == sorted(history["seconds"])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.rsplit("\r", 1)[-1].startswith("line: epoch 3 of 3, ")


@pytest.fixture
def displayed(monkeypatch):
    shown = []
    monkeypatch.setattr(helpers, "display", lambda data, raw: shown.append(data))
    return shown


def test_record_stores_name_value_and_unit(displayed):
    helpers.record("a_loss", np.float32(1.5), "nats")
    assert displayed[0][notebooks.RECORD] == [{"name": "a_loss", "value": 1.5, "unit": "nats"}]
    assert displayed[0]["text/plain"] == "a_loss: 1.5 nats"
    assert displayed[0]["text/markdown"].endswith("</small><!-- measured: a_loss -->")


def test_result_states_values_in_a_sentence_and_stores_them(displayed):
    helpers.result("From {low:.1f} to {high:.0f} nats, non-zero.", "nats", low=-2.04, high=3)
    assert displayed[0]["text/plain"] == "From −2.0 to 3 nats, non-zero."
    assert displayed[0]["text/markdown"].endswith("<!-- measured: low high -->")
    stored = {record["name"]: record["value"] for record in displayed[0][notebooks.RECORD]}
    assert stored == {"low": -2.04, "high": 3}


def test_result_refuses_a_value_that_it_does_not_say(displayed):
    with pytest.raises(ValueError, match=r"doesn't say \{low\}"):
        helpers.result("Nothing.", low=1)
    with pytest.raises(ValueError, match="record low is nan"):
        helpers.result("{low:.1f}", low=np.nan)
    assert not displayed


def test_samples_are_shown_one_by_one_with_one_text_and_as_one_picture(displayed):
    x = np.linspace(0, 1, 15 * 16).reshape(15, 4, 4)
    helpers.show_samples(x, alt='Rising "greys"', size=40)
    assert displayed[0]["text/html"].count("<img ") == 15
    assert 'aria-label="Rising &quot;greys&quot;"' in displayed[0]["text/html"]
    sheet = Image.open(io.BytesIO(base64.b64decode(displayed[0]["image/png"])))
    assert sheet.size == (14 * 4, 2 * 4)
    with pytest.raises(ValueError, match=r"samples have shape \(n, h, w\)"):
        helpers.show_samples(x[0], alt="One")


def test_record_refuses_bad_names_and_values(displayed):
    with pytest.raises(ValueError, match="not 'A Loss'"):
        helpers.record("A Loss", 1)
    with pytest.raises(ValueError, match="record loss is nan"):
        helpers.record("loss", float("nan"))
    with pytest.raises(ValueError, match="unit of record loss is plain text"):
        helpers.record("loss", 1, "<script>")
    assert not displayed


def test_show_table_is_markdown(displayed):
    frame = pd.DataFrame([["a", 0.123456, 7], ["b", None, 8]], columns=["name", "value", "n"])
    helpers.show_table(frame)
    lines = displayed[0]["text/markdown"].splitlines()
    assert lines[:3] == ["| name | value | n |", "| :-- | --: | --: |", "| a | 0.1235 | 7 |"]
    assert lines[3] == "| b | – | 8 |"
    with pytest.raises(ValueError, match="align is 'lr'"):
        helpers.show_table(frame, align="lr")


def test_importing_helpers_loads_nothing_heavy_beyond_keras():
    code = "import helpers, sys; print([m for m in ('torch', 'transformers', 'skimage') if m in"
    done = subprocess.run(
        [sys.executable, "-c", f"{code} sys.modules])"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr


@given(
    arrays(np.float64, (2, 3, 4), elements=floats(0, 1)),
    arrays(np.float64, (2, 3, 4), elements=floats(0, 1)),
)
def test_psnr_of_any_two_pictures_is_a_number_or_infinite(x, y):
    found = helpers.psnr(x, y)
    assert found == np.inf if np.array_equal(x, y) else found >= 0
    assert found == helpers.psnr(y, x)


@given(text(), floats() | integers(-(10**6), 10**6), text())
def test_any_record_is_stored_as_given_or_refused_with_its_name(name, value, unit):
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helpers, "display", lambda data, raw: shown.append(data))
        try:
            helpers.record(name, value, unit)
        except ValueError as error:
            assert (repr(name) in str(error) or name in str(error)) and not shown
        else:
            assert shown[0][notebooks.RECORD] == [{"name": name, "value": value, "unit": unit}]
            assert not set("<>&`*|\n") & set(name + unit)
