"""helpers.py: each function against a reference, and what it says to bad input."""

import subprocess
import sys

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.linalg
from conftest import ROOT
from skimage.metrics import peak_signal_noise_ratio

import helpers
from book import notebooks


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty data folder with a list of one file, `a.bin`, that isn't there yet."""
    (tmp_path / "SHA256SUMS").write_text(
        "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0  a.bin\n"
    )
    monkeypatch.setattr(helpers, "DATA", tmp_path)
    helpers.data_path.cache_clear()
    yield tmp_path
    helpers.data_path.cache_clear()


def test_data_path_accepts_the_listed_file(data_folder):
    (data_folder / "a.bin").write_bytes(b"aaa")
    assert helpers.data_path("a.bin") == data_folder / "a.bin"


def test_missing_data_file_says_what_to_do(data_folder):
    with pytest.raises(
        FileNotFoundError, match=r"a\.bin \(SHA-256 9834\w{60}\) is missing; restore it"
    ):
        helpers.data_path("a.bin")


def test_damaged_data_file_names_both_hashes(data_folder):
    (data_folder / "a.bin").write_bytes(b"aab")
    with pytest.raises(ValueError, match=r"is damaged: SHA-256 \w{64}, expected 9834876d"):
        helpers.data_path("a.bin")


def test_unlisted_data_file_is_refused(data_folder):
    with pytest.raises(ValueError, match="not listed in data/SHA256SUMS"):
        helpers.data_path("b.bin")


def test_mnist_is_the_real_one():
    (x_train, y_train), (x_test, y_test) = helpers.load_mnist()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert x_train.dtype == np.uint8
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_train).tolist() == counts
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert x_train.mean() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_mnist_comes_from_keras_cache_without_the_book(tmp_path, monkeypatch):
    train, test = helpers.load_mnist()
    cache = tmp_path / "datasets"
    cache.mkdir()
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), train + test, strict=True))
    np.savez(cache / "mnist.npz", **arrays)
    monkeypatch.setattr(helpers, "DATA", tmp_path / "none")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    helpers._image_set.cache_clear()
    np.testing.assert_array_equal(helpers.load_mnist()[0][0], train[0])
    helpers._image_set.cache_clear()
    np.savez(cache / "mnist.npz", **{**arrays, "y_test": test[1][::-1]})
    with pytest.raises(ValueError, match="are not the published ones"):
        helpers.load_mnist()
    helpers._image_set.cache_clear()


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


def test_frechet_is_the_closed_form_and_zero_for_the_same():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(500, 4)) * [1, 2, 3, 4]
    y = generator.normal(size=(500, 4)) @ generator.normal(size=(4, 4)) + 1
    a, b = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(a @ b).real  # another way than helpers.frechet's
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(a + b - 2 * root)
    assert helpers.frechet(x, y) == pytest.approx(expected, rel=1e-6)
    assert helpers.frechet(x, x) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.99), ("fashion", 0.9)])
def test_judge_names_real_images_and_finds_fakes(name, least):
    _, (x, y) = helpers.load_mnist() if name == "mnist" else helpers.load_fashion()
    x = x / np.float32(255)
    probabilities, features = helpers.judge(x, name)
    assert np.mean(probabilities.argmax(axis=1) == y) > least
    real = helpers.frechet(features[:2000], features[2000:4000])
    noisy = np.clip(x[:2000] + np.random.default_rng(0).normal(0, 0.3, x[:2000].shape), 0, 1)
    assert helpers.frechet(helpers.judge(noisy, name)[1], features[2000:4000]) > 10 * real


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


def test_record_stores_name_value_unit_and_shows_the_band(displayed, monkeypatch):
    monkeypatch.setattr(helpers, "band_of", lambda name: {"low": 1, "high": 2, "why": "x"})
    helpers.record("a_loss", np.float32(1.5), "nats")
    assert displayed[0][notebooks.RECORD] == {"name": "a_loss", "value": 1.5, "unit": "nats"}
    assert displayed[0]["text/markdown"] == "Recorded `a_loss`: **1.5 nats**, expected 1 to 2"


def test_record_refuses_bad_names_and_values(displayed):
    with pytest.raises(ValueError, match="not 'A Loss'"):
        helpers.record("A Loss", 1)
    with pytest.raises(ValueError, match="record loss is nan"):
        helpers.record("loss", float("nan"))
    assert not displayed


def test_band_of_reads_the_folder(tmp_path):
    (tmp_path / "06.yml").write_text("a: {low: 1, high: 2, why: x}\n")
    assert helpers.band_of("a", tmp_path) == {"low": 1, "high": 2, "why": "x"}
    assert helpers.band_of("b", tmp_path) is None


def test_show_table_is_markdown(displayed):
    helpers.show_table([["a", 0.123456, 7]], ["name", "value", "n"])
    lines = displayed[0]["text/markdown"].splitlines()
    assert lines == ["| name | value | n |", "| :-- | --: | --: |", "| a | 0.1235 | 7 |"]


def test_import_costs_little_beyond_keras():
    code = (
        "import time, keras, matplotlib.pyplot; t = time.perf_counter();"
        "import helpers; print(time.perf_counter() - t)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert float(done.stdout) < 1.0
