"""The loaders of helpers.py: what they return is what the cards say."""

import re
import string

import keras
import numpy as np
import pytest
from conftest import ROOT
from photos_named import NAMES, PAINTINGS

import helpers
from makers import claims as claims_maker
from support import files

DATA = ROOT / "data"
IMAGE_SETS = {"mnist": helpers.load_mnist, "fashion": helpers.load_fashion}
LOADERS = {
    "fashion": helpers.load_fashion,
    "mandarin": helpers.load_mandarin,
    "austen": lambda: helpers.load_text("austen"),
    "photo": lambda: helpers.load_photo("cat", 224),
    "network": helpers.load_imagenet_network,
    "vgg": helpers.load_vgg_features,
    "profile": helpers.load_course_profile,
}


@pytest.mark.parametrize("name", LOADERS)
def test_second_load_is_the_first(name):
    assert LOADERS[name]() is LOADERS[name]()


# ---- Pictures of digits, garments, characters


@pytest.mark.parametrize("name, mean", [("mnist", 0.1307), ("fashion", 0.2860)])
def test_digits_and_garments(name, mean):
    (x_train, y_train), (x_test, y_test) = IMAGE_SETS[name]()
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    assert arrays["x_train"].shape == (60000, 28, 28) and arrays["x_test"].shape == (10000, 28, 28)
    assert {array.dtype for array in arrays.values()} == {np.dtype("uint8")}
    assert round(arrays["x_train"].mean() / 255, 4) == mean
    counts = np.bincount(arrays["y_train"]), np.bincount(arrays["y_test"])
    firsts = y_train[:5].tolist(), y_test[:5].tolist()
    if name == "fashion":
        assert counts[0].tolist() == [6000] * 10 and counts[1].tolist() == [1000] * 10
        assert firsts == ([9, 0, 0, 3, 0], [9, 2, 1, 1, 6])
    else:
        assert firsts == ([5, 0, 4, 1, 9], [7, 2, 1, 0, 4])
        assert counts[0].tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


@pytest.mark.parametrize("name, keras_name", [("mnist", "mnist"), ("fashion", "fashion_mnist")])
def test_image_sets_come_from_keras_without_the_book(name, keras_name, tmp_path, monkeypatch):
    train, test = IMAGE_SETS[name]()
    cached = [train, test]
    monkeypatch.setattr(files, "DATA", tmp_path / "none")
    monkeypatch.setattr(getattr(keras.datasets, keras_name), "load_data", lambda: tuple(cached))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    files.image_set.cache_clear()
    np.testing.assert_array_equal(IMAGE_SETS[name]()[0][0], train[0])  # by Keras' download
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), train + test, strict=True))
    np.savez(tmp_path / "datasets" / f"{keras_name}.npz", **arrays)
    files.image_set.cache_clear()
    np.testing.assert_array_equal(IMAGE_SETS[name]()[1][1], test[1])  # by Keras' cache
    files.image_set.cache_clear()


CACHES = {
    "in another order": lambda y: y[::-1],
    "floats": lambda y: y.astype("float32"),
    "beyond a byte": lambda y: y.astype("int64") + 256,
    "of another shape": lambda y: y[:, None],
    "too few": lambda y: y[:-1],
    "objects": lambda y: y.astype(object),
}


@pytest.mark.parametrize("damage", [*CACHES, "no archive", "no array", "cut"])
def test_a_wrong_cache_of_keras_is_said(damage, tmp_path, monkeypatch):
    train, test = helpers.load_mnist()
    monkeypatch.setattr(files, "DATA", tmp_path / "none")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    cached = tmp_path / "datasets" / "mnist.npz"
    cached.parent.mkdir()
    arrays = dict(zip(("x_train", "y_train", "x_test", "y_test"), train + test, strict=True))
    y = CACHES.get(damage, lambda y: y)(test[1])
    np.savez(cached, **({} if damage == "no array" else {**arrays, "y_test": y}))
    if damage == "no archive":
        cached.write_text("<html>Not found</html>")
    elif damage == "cut":
        cached.write_bytes(cached.read_bytes()[:-100])
    files.image_set.cache_clear()
    said = r"mnist\.npz (is damaged|are not the published ones).*delete .*mnist\.npz|; delete it"
    with pytest.raises(ValueError, match=said):
        helpers.load_mnist()
    files.image_set.cache_clear()


def test_mandarin():
    *parts, chars = helpers.load_mandarin()
    assert len(set(chars)) == 55
    for (x, y), each in zip(parts, [5, 1, 1], strict=True):
        assert x.shape == (55 * each, 80, 80) and x.dtype == y.dtype == np.uint8
        assert np.bincount(y).tolist() == [each] * 55
        assert np.median(x, axis=(1, 2)).min() > 150  # light paper
        assert x.min(axis=(1, 2)).max() < 130  # dark ink
        assert not x.flags.writeable
    x = np.concatenate([x for x, _ in parts])
    assert len({image.tobytes() for image in x}) == 385
    border = np.concatenate([x[:, :2].ravel(), x[:, -2:].ravel()])
    assert (border < 110).mean() < 0.005  # characters are not cut off


def test_mandarin_is_varied_but_readable():
    """The nearest of all other images (blurred ink) is of the same character for some, not all."""
    from scipy.ndimage import gaussian_filter

    *parts, _ = helpers.load_mandarin()
    y = np.concatenate([y for _, y in parts])
    ink = [np.clip(np.median(i) - 15.0 - i, 0, None) for x, _ in parts for i in x]
    flat = np.array([gaussian_filter(image, 2.5).ravel() for image in ink])
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    likeness = flat @ flat.T - 2 * np.eye(len(flat))
    assert 0.3 < (y[likeness.argmax(1)] == y).mean() < 0.9  # chance is 0.02


def test_draw_mandarin():
    images = helpers.draw_mandarin("虎", 3, seed=1)
    assert images.shape == (3, 80, 80) and images.dtype == np.uint8
    assert np.array_equal(images[:2], helpers.draw_mandarin("虎", 2, seed=1))
    assert not np.array_equal(images, helpers.draw_mandarin("虎", 3, seed=2))
    with pytest.raises(KeyError):
        helpers.draw_mandarin("鼠", 1, seed=1)


# ---- Texts and tables


@pytest.mark.parametrize(
    "name, works, least", [("austen", (3, 1, 1), 3e6), ("shakespeare", (5, 1, 1), 8e5)]
)
def test_texts(name, works, least):
    parts = helpers.load_text(name)
    assert list(parts) == ["train", "validation", "test"]
    assert tuple(map(len, parts.values())) == works
    titles = [title for part in parts.values() for title in part]
    assert len(set(titles)) == len(titles)
    text = "".join(text for part in parts.values() for text in part.values())
    assert len(text) > least
    assert set(text) <= set(string.ascii_letters + string.digits + " \n!\"&'(),-.:;?[]")
    assert "  " not in text and " \n" not in text
    assert not re.search("Gutenberg|CHAPTER|VOLUME|SCENE|Exeunt|copyright", text)


def test_shakespeare_is_speeches():
    text = helpers.load_text("shakespeare")["test"]["Othello"]
    speeches = text.strip().split("\n\n")
    assert len(speeches) > 1000
    assert all(re.match(r"[A-Z' &]+:\n.", speech) for speech in speeches)


def test_claims():
    claims = helpers.load_claims()
    assert claims.shape == (5000, 13)
    assert set(claims["region"]) == set(claims_maker.REGIONS)
    assert set(claims["vehicle"]) == set(claims_maker.VEHICLES)
    assert set(claims["cause"]) == set(claims_maker.CAUSES)
    assert claims["driver_age"].min() == 18 and claims["driver_age"].max() <= 85
    assert (claims["years_licensed"] <= claims["driver_age"] - 17).all()
    assert (claims["claim_free_years"] <= claims["years_licensed"]).all()
    numbers = claims.select_dtypes("float64")
    assert numbers.shape[1] == 10 and np.isfinite(numbers.to_numpy()).all()
    assert np.corrcoef(claims["driver_age"], claims["years_licensed"])[0, 1] > 0.95
    assert np.corrcoef(claims["damage"], claims["repair_days"])[0, 1] > 0.5


def test_claims_changed_by_one_reader_are_whole_for_the_next():
    claims = helpers.load_claims()
    claims["premium"] = 0
    assert helpers.load_claims()["premium"].min() > 0


def test_course_profile():
    profile, key = helpers.load_course_profile()
    assert 350 < len(profile.split()) < 500
    assert len(key) == 4
    for entry in key:
        assert entry["question"].endswith("?") and entry["answer"] in entry["accept"]
        assert entry["answer"] in profile
    weights = [int(w) for w in re.findall(r"\| (\d+)% \|", profile)]
    assert sum(weights) == 100
    assert sum(int(w) for w in re.findall(r"counts? for (\d+)%", profile)) == weights[1]


# ---- Photographs


@pytest.mark.parametrize("name", [*NAMES, *PAINTINGS, "moose"])
def test_photo(name):
    photo = helpers.load_photo(name)
    assert photo.dtype == np.uint8 and photo.shape[2] == 3
    assert 300 <= max(photo.shape) <= 640
    assert photo.std() > 25
    assert helpers.load_photo(name, (96, 128)).shape == (96, 128, 3)


def test_no_other_photos():
    assert {path.stem for path in (DATA / "photos").iterdir()} == {*NAMES, *PAINTINGS, "moose"}
