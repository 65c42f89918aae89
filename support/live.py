"""Networks that answer in the page: a trained Keras model as text, and the explorers around it.

`helpers.live_explorer` displays what `explorer` returns: HTML with the networks' weights in half
precision and the scripts of support/explorers/, nothing from outside. It works in Jupyter and on
Colab as it is; rendering the site puts scripts and weights into files (`lighten`), which pages
share with decks and load when the explorer comes into view.

Why scripts of our own and no library: measured on the networks of lectures 6 and 7, see
`python -m benchmarks.live` and CONTRIBUTING.md.
"""

import base64
import hashlib
import html
import io
import json
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

SCRIPTS = Path(__file__).parent / "explorers"
LARGEST = 1_500_000  # bytes of an output
PROBES, PLACES, STEPS = 32, 16, 16  # inputs of the check, numbers of each answer, tokens in a row
ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "silu", "sigmoid", "tanh")
LAYERS = (
    "Dense", "Conv2D", "Conv2DTranspose", "Embedding", "GRU", "Activation", "Reshape", "Flatten",
)  # fmt: skip
# What each explorer needs: its networks, and what else it is given
EXPLORERS = {
    "plane": (("encoder", "decoder"), ("digits", "codes", "labels")),
    "typing": (("model",), ("alphabet", "prompt")),
    "duel": ((), ()),
    "copies": (("dense", "conv", "denoiser"), ("examples", "errors")),
}


def _node(layer, config, weights, n_weights):
    """Return (settings of one layer for the page, number of weights so far); raise ValueError."""
    kind = type(layer).__name__
    settings = {"layer": kind}
    if kind not in LAYERS:
        raise ValueError(
            f"the page can't run layer {layer.name} ({kind}), only {', '.join(LAYERS)}: give the "
            "parts of the model that have none other, or add it to support/explorers/engine.js"
        )
    activation = config.get("activation") or "linear"
    if kind != "GRU":
        if activation not in ACTIVATIONS:
            raise ValueError(f"the page has no activation {activation!r}, only {ACTIVATIONS}")
        settings["activation"] = activation
    if kind == "GRU" and not (
        config["return_sequences"] and config["reset_after"] and config["use_bias"]
    ):
        raise ValueError(f"the page runs a GRU that returns sequences, {layer.name} doesn't")
    if kind == "GRU":
        settings["units"] = config["units"]
    if kind == "Reshape":
        settings["target"] = [int(n) for n in layer.output.shape[1:]]
    if kind.startswith("Conv2D"):
        settings |= {"strides": list(config["strides"]), "padding": config["padding"]}
        if set(config["dilation_rate"]) != {1} or config.get("groups", 1) != 1:
            raise ValueError(f"the page has no dilated or grouped convolution, {layer.name} is one")
    if weights and kind != "GRU":
        settings["shape"] = list(weights[0].shape)
    settings["weights"] = []
    for array in weights:
        settings["weights"].append([n_weights, array.size])
        n_weights += array.size
    return settings, n_weights


def _probe(inputs):
    """Return the inputs of the check, as engine.js makes them; see `live.probe` there."""
    made, start = [], 0
    for given in inputs:
        shape = (PROBES, *given["shape"])
        i = np.arange(start + 1, start + 1 + np.prod(shape), dtype="uint64")
        u = (i * 2654435761 % 2**32) / 2**32
        start += len(i)
        tokens = given.get("tokens")
        x = np.floor(u * tokens).astype("int32") if tokens else (2 * u - 1).astype("float32")
        made.append(x.reshape(shape))
    return made


def network(model):
    """Return a built Keras model as a dict for the page, with its weights in half precision.

    Keys: "inputs" [{shape without the batch, tokens: their number or 0}], "nodes" (a layer each,
    in order), "outputs" (places among inputs and nodes), "weights" (base64), "probe" (for 32
    inputs, 16 numbers of what Keras answers with these weights), "rounding" (by how much half
    precision changes them, as a share of the largest), "hash". The model is left as it was. Raises
    ValueError for layers that the page can't run and for weights that are not finite or over
    65,504.
    """
    graph = keras.Model(model.inputs, model.outputs).get_config()
    layers = {layer.name: layer for layer in keras.Model(model.inputs, model.outputs).layers}
    places, inputs, nodes, arrays, n_weights = {}, [], [], [], 0

    def place(tensor):
        name, node, _ = tensor["config"]["keras_history"]
        return places[name, node]

    for entry in graph["layers"]:
        layer, name = layers[entry["name"]], entry["name"]
        if entry["class_name"] == "InputLayer":
            places[name, 0] = len(inputs)
            shape = [STEPS if n is None else int(n) for n in layer.output.shape[1:]]
            inputs.append({"shape": shape, "tokens": 0})
    for entry in graph["layers"]:
        layer, name = layers[entry["name"]], entry["name"]
        for i, called in enumerate(entry["inbound_nodes"]):
            tensors = called["args"][0]
            tensors = tensors if isinstance(tensors, list) else [tensors]
            weights = [np.asarray(w) for w in layer.get_weights()]
            settings, n_weights = _node(layer, entry["config"], weights, n_weights)
            settings["from"] = [place(tensor) for tensor in tensors]
            if type(layer).__name__ == "Embedding":
                inputs[settings["from"][0]]["tokens"] = entry["config"]["input_dim"]
            arrays += weights
            places[name, i] = len(inputs) + len(nodes)
            nodes.append(settings)
    outputs = graph["output_layers"]
    outputs = [outputs] if isinstance(outputs[0], str) else outputs
    flat = np.concatenate([np.zeros(0, "float32"), *(array.ravel() for array in arrays)])
    half = flat.astype("float16")
    if not np.isfinite(half).all():
        raise ValueError("weights for the page have to be finite and within ±65,504")
    full = model.get_weights()
    probe = _probe(inputs)
    before = _answers(model, probe)
    model.set_weights([w.astype("float16").astype(w.dtype) for w in full])
    after = _answers(model, probe)
    model.set_weights(full)
    made = {
        "inputs": inputs,
        "nodes": nodes,
        "outputs": [places[name, node] for name, node, _ in outputs],
        "weights": base64.b64encode(half.astype("<f2").tobytes()).decode(),
        "probe": [[float(f"{v:.6g}") for v in answer.ravel()] for answer in after],
        "rounding": max(
            float(np.max(np.abs(a - b)) / np.max(np.abs(a)))
            for a, b in zip(before, after, strict=True)
        ),
    }
    return made | {"hash": digest(made)}


def _answers(model, probe):
    """Return for each output of `model` 16 numbers of each of its 32 answers, float (32, 16)."""
    made = model(probe if len(probe) > 1 else probe[0], training=False)
    answers = []
    for answer in made if isinstance(made, list | tuple) else [made]:
        answer = keras.ops.convert_to_numpy(answer).reshape(PROBES, -1)
        n = min(PLACES, answer.shape[1])
        answers.append(answer[:, np.arange(n) * answer.shape[1] // n])
    return answers


def digest(made):
    """Return the hash of a network for the page: its layers, weights and check."""
    kept = {key: value for key, value in made.items() if key != "hash"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def scripts(kinds=tuple(EXPLORERS)):
    """Return the JavaScript that runs explorers of these kinds, as one text."""
    names = ("engine", "parts", *kinds)
    return "\n".join((SCRIPTS / f"{name}.js").read_text(encoding="utf-8") for name in names)


def packed(array):
    """Return whole numbers from 0 to 255, or shares in [0, 1], as bytes in base64."""
    array = np.asarray(array)
    if array.dtype.kind == "f":
        array = np.round(255 * np.clip(array, 0, 1))
    return base64.b64encode(array.astype("uint8").tobytes()).decode()


def _json(data):
    """Return data as JSON that can stand in a script element of HTML."""
    return json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")


def _name(text):
    """Return the name of an explorer with the data `text`: it bears their hash."""
    return "live-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def explorer(kind, models, alt, figure, options):
    """Return the HTML of a live explorer; the arguments are those of `helpers.live_explorer`."""
    if kind not in EXPLORERS:
        raise ValueError(f"there is no live explorer {kind!r}, only {', '.join(EXPLORERS)}")
    for given, wanted, what in zip((models, options), EXPLORERS[kind], ("networks", "options"),
                                   strict=True):  # fmt: skip
        if set(given) != set(wanted):
            raise ValueError(
                f"the explorer {kind} takes the {what} {sorted(wanted)}, not {sorted(given)}"
            )
    options = OPTIONS[kind](**options) if kind in OPTIONS else options
    data = {
        "kind": kind,
        "models": {name: network(model) for name, model in models.items()},
        "options": options,
    }
    text = _json(data)
    name = _name(text)
    made = (
        f'<div class="live" id="{name}" role="group" aria-label="{html.escape(alt)}" '
        f'data-prevent-swipe>\n<div class="fallback"><img class="nostretch" '
        f'src="{_address(figure)}" alt="{html.escape(alt)}">'
        "<p>Here the lecture's network answers in your browser, once scripts may run.</p></div>\n"
        f'<script type="application/json" class="live-data">{text}</script>\n'
        f'<script class="live-scripts">{scripts([kind])}\nbookLive.scan();</script>\n</div>\n'
    )
    if len(made.encode()) > LARGEST:
        raise ValueError(
            f"the explorer {kind} has {len(made.encode()) / 1e6:.1f} MB, over "
            f"{LARGEST / 1e6:.1f} MB: use smaller networks, or helpers.explorer with frames"
        )
    return made


def _address(figure):
    """Return a Matplotlib figure, which is closed, as a data address."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _plane(digits, codes, labels):
    """Options of the explorer "plane"; see `helpers.live_explorer`."""
    codes = np.asarray(codes)
    if codes.shape != (len(labels), 2):
        raise ValueError(f"codes have shape {codes.shape}, but there are {len(labels)} labels")
    return {
        "digits": {str(name): packed(x) for name, x in digits.items()},
        "codes": packed((np.clip(codes / PLANE, -1, 1) + 1) / 2),
        "labels": packed(np.asarray(labels, "uint8")),
    }


def _typing(alphabet, prompt):
    """Options of the explorer "typing"; see `helpers.live_explorer`."""
    if unknown := sorted(set(prompt) - set(alphabet)):
        raise ValueError(f"the prompt has {unknown}, which the alphabet hasn't")
    return {"alphabet": list(alphabet), "prompt": prompt}


def _copies(examples, errors):
    """Options of the explorer "copies"; see `helpers.live_explorer`."""
    return {
        "examples": {str(name): packed(x) for name, x in examples.items()},
        "errors": {
            name: [float(f"{q:.4g}") for q in np.quantile(values, np.linspace(0, 1, 101))]
            for name, values in errors.items()
        },
    }


PLANE = 3.2  # code numbers from -3.2 to 3.2 are drawn, as in plane.js
OPTIONS = {"plane": _plane, "typing": _typing, "copies": _copies}
