"""support/live.py: networks in the page, against Keras, in a real browser; their explorers."""

import base64
import json
import re

import keras
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from conftest import LECTURES
from keras import layers

import helpers
from book import ROOT, BookError, check, notebooks, render
from book import live as site
from support import live

ALT = "A live explorer"


def images():
    return keras.Input((28, 28, 1))


def dense():
    x = keras.Input((784,))
    h = layers.Dense(16, "silu")(layers.Dense(12, "leaky_relu")(x))
    return keras.Model(x, [layers.Dense(2)(h), layers.Dense(2)(h)])


def decoder():
    return keras.Sequential([keras.Input((2,)), layers.Dense(12, "tanh"), layers.Dense(784)])


def copier():
    return keras.Sequential([keras.Input((784,)), layers.Dense(8), layers.Dense(784, "sigmoid")])


def convolutions():
    x = images()
    h = layers.Conv2D(6, 4, strides=4, activation="elu")(x)
    h = layers.Conv2D(5, 3, activation="relu")(h)
    h = layers.Conv2DTranspose(4, 3, activation="elu")(h)
    h = layers.Conv2DTranspose(1, 8, strides=4, padding="same")(h)
    return keras.Model(x, layers.Activation("sigmoid")(h))


def same_and_odd():
    """What lectures don't have, but Keras pads in its own way: even kernels, rests, no bias."""
    x = images()
    h = layers.Conv2D(3, 4, strides=2, padding="same", use_bias=False)(x)
    h = layers.Conv2D(4, (3, 2), strides=(3, 2), padding="same")(h)
    h = layers.Reshape((7, 5, 4))(layers.Flatten()(h))
    h = layers.Conv2DTranspose(2, 3, strides=2, padding="same")(h)
    return keras.Model(x, layers.Conv2DTranspose(2, 2, strides=3)(h))


def characters():
    read = keras.Input((None,), dtype="int32")
    h = layers.GRU(24, return_sequences=True)(layers.Embedding(10, 8)(read))
    return keras.Model(read, layers.Dense(10)(h))


NETWORKS = (dense, decoder, copier, convolutions, same_and_odd, characters)


@pytest.fixture(scope="module")
def networks():
    """{name: (Keras model with biases that aren't zero, the same for the page)}."""
    made = {}
    for build in NETWORKS:
        keras.utils.set_random_seed(1)
        model = build()
        rng = np.random.default_rng(0)
        model.set_weights([w + 0.1 * rng.normal(size=w.shape) for w in model.get_weights()])
        made[build.__name__] = model, live.network(model)
    return made


def figure():
    return plt.figure(figsize=(1, 1))


def explorer(networks, kind):
    """Return the HTML that helpers displays for an explorer of this kind with small networks."""
    model = {name: pair[0] for name, pair in networks.items()}
    rng = np.random.default_rng(0)
    pictures = {"0": rng.random(784), "1": rng.random(784)}
    given = {
        "plane": (
            {"encoder": model["dense"], "decoder": model["decoder"]},
            {"digits": pictures, "codes": rng.normal(size=(50, 2)), "labels": np.arange(50) % 10},
        ),
        "typing": ({"model": model["characters"]}, {"alphabet": "abcdefghi ", "prompt": "a bad "}),
        "duel": ({}, {}),
        "copies": (
            {"dense": model["copier"], "conv": model["convolutions"],
             "denoiser": model["convolutions"]},
            {"examples": pictures, "errors": {n: rng.random(99) for n in
                                              ("dense", "conv", "denoiser")}},
        ),
    }  # fmt: skip
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helpers, "display", lambda data, raw: shown.append(data))
        models, options = given[kind]
        helpers.live_explorer(kind, models, alt=ALT, figure=figure(), **options)
    return shown[0]["text/html"]


@pytest.fixture(scope="module")
def explorers(networks):
    return {kind: explorer(networks, kind) for kind in live.EXPLORERS}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what a page needs beside it: styles, reveal.js, the explorers' scripts."""
    from importlib.util import find_spec
    from pathlib import Path
    from shutil import copytree

    root = tmp_path_factory.mktemp("live")
    copytree(ROOT / "book" / "assets", root / "site_libs" / "book")
    reveal = Path(find_spec("sphinx_revealjs").origin).parent / "_static" / "revealjs"
    copytree(reveal, root / "site_libs" / "revealjs")
    (root / "site_libs" / "book" / "live.js").write_text(site.site_script(), encoding="utf-8")
    (root / "site_libs" / "book" / "search-index.js").write_text("window.BOOK_INDEX = [];")
    return root


def as_page(html, place, name, fmt="html"):
    """Write HTML of an output as a page or deck, as the thin renderer does; return its path."""
    path = place / f"{name}.html"
    if path.exists():
        return path
    html = render.fenced(render.let_in(html, "here"), "{=html}")
    filler = "Words. " * 2000
    text = f"# S\n\n## Before\n\n{filler}\n\n## Live\n\n{html}\n\n## After\n\n{filler}\n"
    if fmt == "revealjs":
        text = text.replace(filler, "Words.")
    template = {"html": "page.html", "revealjs": "deck.html"}[fmt]
    made = render.pandoc(text, fmt, template, {"title": "T", "up": "./"}, ROOT)
    path.write_text(site.lighten(made, path, "./"), encoding="utf-8")
    return path


def in_notebook(html, place, name):
    """Write HTML of an output as notebook programs show it: put in, and its scripts made to run."""
    code = json.dumps(html).replace("</", "<\\/")
    put = f"document.body.append(document.createRange().createContextualFragment({code}))"
    path = place / f"{name}.html"
    path.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body><script>{put}</script>', "utf-8")
    return path


@pytest.fixture
def opened(browser, explorers, place):
    """A function from a kind and a way to show it to a browser page in which it has started."""
    contexts, errors = [], []

    def show(kind, way="page", **options):
        name = f"{kind}-{way}"
        if way == "notebook":
            path = in_notebook(explorers[kind], place, name)
        else:
            path = as_page(explorers[kind], place, name, "revealjs" if way == "deck" else "html")
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(path.as_uri() + ("#/live" if way == "deck" else ""))
        if way == "page":
            assert page.locator(".live").get_attribute("data-started") == "waiting"
            page.locator(".live").scroll_into_view_if_needed()
        page.wait_for_selector('.live[data-started="running"]')
        return page

    yield show
    for context in contexts:
        context.close()
    assert not errors


# ---- Networks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [build.__name__ for build in NETWORKS])
def test_page_gives_what_keras_gives(name, networks, browser, place):
    """32 inputs of each network: within a thousandth of an answer's largest number."""
    page = browser.new_page()
    page.add_script_tag(path=live.SCRIPTS / "engine.js")
    off = page.evaluate("stored => bookLive.model(stored).check()", networks[name][1])
    page.close()
    assert off < 1e-3
    assert networks[name][1]["rounding"] < 1e-2


def published(number):
    """Return {name: network for the page} of the live explorer that a lecture has stored."""
    outputs = [
        o for *_, shown in notebooks.code_cells(notebooks.read(LECTURES[number])) for o in shown
    ]
    text = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
    return next(iter(site.blocks(text).values()))["models"]


def rebuilt(stored):
    """Return the Keras model of a stored network, made of its layers and weights alone."""
    numbers = np.frombuffer(base64.b64decode(stored["weights"]), "<f2").astype("float32")
    made, weights = [], []
    for given in stored["inputs"]:
        tokens = given["tokens"]
        made.append(
            keras.Input((None,) if tokens else given["shape"], dtype="int32" if tokens else None)
        )
    for node in stored["nodes"]:
        kind, shape, x = node["layer"], node.get("shape"), made[node["from"][0]]
        own = [numbers[i : i + n] for i, n in node["weights"]]
        options = {"activation": node.get("activation"), "use_bias": len(own) == 2}
        if kind.startswith("Conv2D"):
            options |= {"strides": node["strides"], "padding": node["padding"]}
        layer = {
            "Dense": lambda: layers.Dense(shape[1], **options),  # noqa: B023
            "Conv2D": lambda: layers.Conv2D(shape[3], shape[:2], **options),  # noqa: B023
            "Conv2DTranspose": lambda: layers.Conv2DTranspose(shape[2], shape[:2], **options),  # noqa: B023
            "Embedding": lambda: layers.Embedding(*shape),  # noqa: B023
            "GRU": lambda: layers.GRU(node["units"], return_sequences=True),  # noqa: B023
            "Activation": lambda: layers.Activation(node["activation"]),  # noqa: B023
        }[kind]()
        made.append(layer(x))
        weights += [w.reshape(v.shape) for w, v in zip(own, layer.get_weights(), strict=True)]
        layer.set_weights(weights[len(weights) - len(own) :])
    return keras.Model(made[: len(stored["inputs"])], [made[i] for i in stored["outputs"]])


@pytest.mark.parametrize("number", ["02", "06", "07"])
def test_published_networks_answer_as_keras_on_what_readers_give_them(number, browser):
    """32 test digits, codes of the prior or pieces of text, in Chromium and in Keras."""
    rng = np.random.default_rng(0)
    page = browser.new_page()
    page.add_script_tag(path=live.SCRIPTS / "engine.js")
    for name, stored in published(number).items():
        shape, tokens = stored["inputs"][0]["shape"], stored["inputs"][0]["tokens"]
        if tokens:
            x = rng.integers(1, tokens, (32, 40))
        elif np.prod(shape) == 784:
            x = (helpers.load_mnist()[1][0][:32] / 255).reshape(32, *shape).astype("float32")
        else:
            x = rng.normal(size=(32, *shape)).astype("float32")
        ours = page.evaluate(
            """([stored, shape, x]) => bookLive.model(stored)
               .run([bookLive.tensor(shape, Float32Array.from(x))]).map((y) => [...y.data])""",
            [stored, list(x.shape), x.ravel().tolist()],
        )
        theirs = rebuilt(stored)([x])
        for mine, answer in zip(
            ours, theirs if isinstance(theirs, list) else [theirs], strict=True
        ):
            answer = keras.ops.convert_to_numpy(answer).reshape(32, -1)
            assert answer.std() > 0.05, f"{name} says nothing"
            off = np.abs(np.reshape(mine, answer.shape) - answer).max(axis=1)
            assert (off < 1e-3 * np.abs(answer).max(axis=1)).all(), name
    page.close()


def test_page_answers_of_keras_are_those_of_its_inputs(networks):
    """The answers beside a network are Keras', of inputs that the page can make alike."""
    model, stored = networks["dense"]
    rounded = keras.models.clone_model(model)
    rounded.set_weights([w.astype("float16").astype("float32") for w in model.get_weights()])
    i = np.arange(1, 1 + 32 * 784, dtype="uint64")
    x = 2 * ((i * 2654435761 % 2**32) / 2**32).astype("float32").reshape(32, 784) - 1
    for answer, kept in zip(rounded.predict(x, verbose=0), stored["probe"], strict=True):
        assert np.allclose(answer.ravel(), kept, rtol=1e-4, atol=1e-5)


def test_network_is_left_as_it_was():
    model = decoder()
    before = model.get_weights()
    live.network(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_layer_that_the_page_has_not_is_named():
    model = keras.Sequential([keras.Input((4,)), layers.LayerNormalization(name="mine")])
    with pytest.raises(ValueError, match=r"mine \(LayerNormalization"):
        live.network(model)


def test_activation_that_the_page_has_not_is_named():
    with pytest.raises(ValueError, match="no activation 'softplus'"):
        live.network(keras.Sequential([keras.Input((4,)), layers.Dense(2, "softplus")]))


def test_weights_that_half_precision_has_not_are_refused():
    model = decoder()
    model.set_weights([1e6 * np.ones_like(w) for w in model.get_weights()])
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="65,504"):
        live.network(model)


def test_explorer_over_its_size_is_refused():
    model = keras.Sequential([keras.Input((784,)), layers.Dense(784)])
    with pytest.raises(ValueError, match=r"over 1\.5 MB"):
        live.explorer("typing", {"model": model}, ALT, figure(), {"alphabet": "a", "prompt": ""})


@pytest.mark.parametrize(
    "kind, models, options, message",
    [
        ("none", {}, {}, "no live explorer 'none'"),
        ("duel", {"model": None}, {}, "takes the networks"),
        ("typing", {"model": None}, {"alphabet": "a"}, "takes the options"),
        ("typing", {"model": None}, {"alphabet": "a", "prompt": "b"}, "'b'"),
        ("plane", {"encoder": None, "decoder": None},
         {"digits": {}, "codes": np.zeros((3, 2)), "labels": [1]}, "1 labels"),
    ],
)  # fmt: skip
def test_what_an_explorer_cannot_use_is_said(kind, models, options, message):
    with pytest.raises(ValueError, match=message):
        live.explorer(kind, models, ALT, figure(), options)


def test_changed_network_is_found(explorers):
    html = explorers["typing"]
    assert not list(site.damaged(html))
    weights = site.blocks(html).popitem()[1]["models"]["model"]["weights"]
    other = html.replace(weights[:40], "A" * 40)
    assert len(list(site.damaged(other))) == 2


def test_check_names_a_changed_network(explorers):
    html = explorers["typing"].replace('"units": 24', '"units": 25')
    shown = nbformat.v4.new_output("display_data", data={"text/html": html})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[shown])])
    assert any("another hash" in problem for problem in check.check_live(notebook))


def test_scripts_of_others_stay_out(explorers):
    """Only the data of a live explorer pass; what was put beside it stops the build."""
    html = explorers["duel"]
    let_in = render.let_in(html, "here")
    assert "IntersectionObserver" not in let_in and "live-data" in let_in
    with pytest.raises(BookError, match="script of its own"):
        render.let_in(html + "<script>bad()</script>", "here")


# ---- In the page -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(live.EXPLORERS))
@pytest.mark.parametrize("way", ["page", "deck", "notebook"])
def test_explorer_starts_when_it_comes_into_view(kind, way, opened):
    page = opened(kind, way)
    assert not page.locator(".live .fallback").is_visible()
    assert page.locator(".live [role=status]").inner_text()
    if way != "notebook":
        assert page.locator(".live-scripts").inner_html() == ""


@pytest.mark.parametrize("kind", sorted(live.EXPLORERS))
def test_explorer_fits_a_phone_and_names_its_controls(kind, opened):
    page = opened(kind, viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(".live button, .live input, .live canvas")].filter(
        (e) => !(e.textContent || e.ariaLabel || e.closest("label"))).length"""
    )
    assert unnamed == 0


@pytest.mark.parametrize("kind", sorted(live.EXPLORERS))
def test_explorer_without_scripts_is_a_picture_and_a_sentence(kind, browser, explorers, place):
    path = as_page(explorers[kind], place, f"{kind}-page")
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(path.as_uri())
    assert page.locator(f'.live .fallback img[alt="{ALT}"]').is_visible()
    assert "scripts" in page.locator(".live .fallback p").inner_text()
    page.context.close()


def test_explorer_goes_when_it_is_out_of_view_and_remembers(opened):
    page = opened("typing", "deck")
    page.locator(".live input[type=text]").fill("a cab")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.live[data-started="waiting"]', state="attached")
    assert page.locator(".live .stage > *").count() == 0
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector('.live[data-started="running"]')
    assert page.locator(".live input[type=text]").input_value() == "a cab"


def test_keys_inside_an_explorer_leave_the_slide(opened):
    page = opened("plane", "deck")
    page.get_by_role("button", name="Clear").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("section.slide.present").get_attribute("id") == "live"
    page.locator(".live input[type=range]").first.focus()
    page.keyboard.press("PageDown")
    assert page.locator("section.slide.present").get_attribute("id") == "after"


# ---- Lecture 7: the plane ----------------------------------------------------------------------


def drag(page, canvas, *points):
    """Move the pressed mouse over points, shares of the canvas's width and height."""
    box = canvas.bounding_box()
    for i, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def told(page, words):
    """Wait until the explorer's live region says these words."""
    page.wait_for_function(
        "w => document.querySelector('.live [role=status]').textContent.includes(w)", arg=words
    )


def sliders(page):
    return [float(t) for t in page.locator(".live output").all_inner_texts()[:2]]


def test_code_follows_mouse_and_keyboard(opened):
    page = opened("plane")
    plane = page.locator('.live canvas[aria-label^="Plane"]')
    drag(page, plane, (0.5, 0.5), (0.75, 0.25))
    assert np.allclose(sliders(page), [1.6, 1.6], atol=0.05)
    plane.press("ArrowLeft")
    plane.press("Shift+ArrowDown")
    assert np.allclose(sliders(page), [1.54, 1.28], atol=0.05)


def test_code_follows_a_finger(opened):
    page = opened("plane", viewport={"width": 390, "height": 844}, has_touch=True)
    plane = page.locator('.live canvas[aria-label^="Plane"]')
    plane.scroll_into_view_if_needed()
    box = plane.bounding_box()
    page.touchscreen.tap(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    assert np.allclose(sliders(page), [-1.6, 0], atol=0.05)


def test_example_has_its_cloud_where_keras_puts_it(opened, networks):
    page = opened("plane")
    page.get_by_role("button", name="Example: 1").click()
    rng = np.random.default_rng(0)
    picture = np.round(255 * rng.random((2, 784)))[1:] / 255
    mean = keras.ops.convert_to_numpy(networks["dense"][0](picture)[0])[0]
    page.wait_for_timeout(100)
    assert np.allclose(sliders(page), mean, atol=0.03)


def test_drawing_has_a_cloud_and_a_price(opened):
    page = opened("plane")
    pad = page.locator('.live canvas[aria-label^="Drawing"]')
    page.get_by_role("button", name="Clear").click()
    told(page, "The code (")
    drag(page, pad, (0.3, 0.2), (0.7, 0.2), (0.4, 0.8))
    page.wait_for_timeout(100)
    x, y = (f"{z:.2f}" for z in sliders(page))
    told(page, f"Cloud of your digit: middle ({x}, {y})")
    assert re.search(r"price is \d+\.\d nats", page.locator(".live [role=status]").inner_text())


def test_pad_is_drawn_on_by_keyboard(opened):
    page = opened("copies")
    pad = page.locator('.live canvas[aria-label^="Drawing"]')
    seen = page.locator('.live canvas[aria-label^="The drawing"]')
    page.get_by_role("button", name="Clear").click()
    pad.focus()
    for key in [" ", *["ArrowDown"] * 8, " "]:
        page.keyboard.press(key)
    ink = """c => c.getContext("2d").getImageData(0, 0, 28, 28).data
                  .filter((v, i) => i % 4 === 0 && v > 99).length"""
    page.wait_for_timeout(100)
    drawn = seen.evaluate(ink)
    assert 30 < drawn < 120
    page.keyboard.press("Delete")
    page.wait_for_timeout(100)
    assert seen.evaluate(ink) == 0


def test_walk_goes_from_one_code_to_the_other(opened):
    page = opened("plane")
    share = page.get_by_role("slider", name="from A to B")
    ends = []
    for key in ("Home", "End"):
        share.press(key)
        ends.append(sliders(page))
    share.evaluate("e => { e.value = 0.5; e.dispatchEvent(new Event('input')); }")
    assert np.allclose(sliders(page), np.mean(ends, axis=0), atol=0.03)


@pytest.mark.parametrize("kind, name", [("plane", "Walk"), ("duel", "Start")])
def test_moving_pictures_are_not_offered_to_who_wants_none(kind, name, opened):
    assert opened(kind).get_by_role("button", name=name, exact=True).is_visible()
    page = opened(kind, reduced_motion="reduce")
    assert not page.get_by_role("button", name=name, exact=True).is_visible()


# ---- Lecture 2: typing -------------------------------------------------------------------------


def bars(page):
    """{character: probability in %} of the bars."""
    labels = [b.get_attribute("aria-label") for b in page.locator(".live .bar").all()]
    return {label.split(",")[0]: float(label.split(", ")[1].rstrip(" %")) for label in labels}


def test_bars_are_keras_probabilities(opened, networks):
    page = opened("typing")
    page.locator(".live input[type=text]").fill("bad cabbage")
    tokens = np.array([["abcdefghi ".index(c) for c in "bad cabbage"]])
    logits = keras.ops.convert_to_numpy(networks["characters"][0](tokens))[0, -1]
    p = np.exp(logits) / np.exp(logits).sum()
    shown = bars(page)
    assert len(shown) == 10
    for i, c in enumerate("abcdefghi "):
        assert abs(shown["space" if c == " " else c] - 100 * p[i]) < 1
    # one after the other gives what all at once gives
    for key in " dig":
        page.locator(".live input[type=text]").press(key)
    step_by_step = bars(page)
    page.locator(".live input[type=text]").fill("")
    page.locator(".live input[type=text]").fill("bad cabbage dig")
    assert bars(page) == step_by_step


def test_bars_bend_with_temperature_top_k_and_top_p(opened):
    page = opened("typing")
    before = bars(page)
    page.get_by_role("slider", name="temperature").press("Home")
    assert max(bars(page).values()) > max(before.values())
    page.get_by_role("button", name="Start again").click()
    page.get_by_role("slider", name="temperature").press("End")
    page.get_by_role("slider", name="top-k").press("Home")
    assert sorted(bars(page).values())[-2:] == [0, 100]
    page.get_by_role("slider", name="top-k").press("End")
    page.get_by_role("slider", name="top-p").press("Home")
    assert sorted(bars(page).values())[-2:] == [0, 100]


def test_bar_that_is_pressed_is_written(opened):
    page = opened("typing")
    first = page.locator(".live .bar").first
    chosen = first.get_attribute("aria-label").split(",")[0].replace("space", " ")
    first.press("Enter")
    assert page.locator(".live input[type=text]").input_value() == "a bad " + chosen


def test_three_ways_write_side_by_side_and_the_beam_costs_no_more(opened):
    page = opened("typing")
    page.get_by_role("button", name="Write", exact=True).click()
    page.wait_for_function(
        "[...document.querySelectorAll('.live .wrote')].every((p) => p.textContent.length === 80)"
    )
    greedy, _, beam = (
        float(t.split()[0]) for t in page.locator(".live .beside output").all_inner_texts()
    )
    assert beam <= greedy


# ---- Lecture 6: copies -------------------------------------------------------------------------


def test_noise_is_seen_and_error_is_taken_against_the_drawing(opened):
    page = opened("copies")
    shot = "c => c.toDataURL()"
    seen = page.locator('.live canvas[aria-label^="The drawing"]')
    clean, said = seen.evaluate(shot), page.locator(".live .copy-said").all_inner_texts()
    page.get_by_role("slider", name="noise").press("End")
    assert seen.evaluate(shot) != clean
    assert page.locator(".live .copy-said").all_inner_texts() != said
    assert all(re.match(r"Off by 0\.\d+, more than", text) for text in said)


# ---- Lecture 8: the duel -----------------------------------------------------------------------


def test_duel_learns_as_keras_does(browser, place):
    """One step of Adam on the cross-entropy, from the same weights on the same points."""
    page = browser.new_page()
    for name in ("engine", "parts", "duel"):
        page.add_script_tag(path=live.SCRIPTS / f"{name}.js")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 2)).astype("float32"), rng.integers(0, 2, (64, 1))
    made = page.evaluate(
        """([x, y]) => {
          const net = bookLive.perceptron([2, 8, 8, 1]);
          const now = () => net.layers.flatMap((l) => [[...l.kernel.value], [...l.bias.value]]);
          const before = now(), sigmoid = (a) => 1 / (1 + Math.exp(-a));
          for (let step = 0; step < 3; step++) {
            const a = net.forward(Float32Array.from(x.flat()), 64);
            net.backward(a.map((v, i) => (sigmoid(v) - y[i][0]) / 64), 64);
            net.learn(0.01);
          }
          return [before, now()];
        }""",
        [x.tolist(), y.tolist()],
    )
    page.close()
    net = keras.Sequential([keras.Input((2,))])
    for units, activation in ((8, "leaky_relu"), (8, "leaky_relu"), (1, None)):
        net.add(layers.Dense(units, activation))
    before, after = (
        [np.reshape(w, v.shape) for w, v in zip(part, net.get_weights(), strict=True)]
        for part in made
    )
    net.set_weights(before)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(0.01, beta_1=0.5), loss, run_eagerly=True)
    for _ in range(3):
        net.train_on_batch(x, y)
    for ours, keras_, start in zip(after, net.get_weights(), before, strict=True):
        assert np.abs(ours - keras_).max() < 1e-3 * np.abs(keras_ - start).max()


def test_duel_trains_and_tells(opened):
    page = opened("duel")
    page.get_by_role("button", name="50 rounds").click()
    told(page, "Round 50: made points on")
    page.get_by_role("button", name="Spoil it").click()
    assert page.locator(".live output").all_inner_texts()[:3] == ["0.0040", "0.0002", "4"]
    page.get_by_role("button", name="Balance again").click()
    assert page.locator(".live output").all_inner_texts()[:3] == ["0.0010", "0.0030", "1"]


def test_duel_takes_heaps_where_the_reader_presses(opened):
    page = opened("duel")
    page.get_by_role("slider", name="heaps on a circle").press("Home")
    plane = page.locator('.live canvas[aria-label^="Plane"]')
    drag(page, plane, (0.2, 0.2))
    told(page, "of 2 heaps")
