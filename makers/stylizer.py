"""Make data/stylizer.safetensors: the feed-forward stylizer of lecture 5, trained for longer.

    python -m makers.stylizer

The functions and classes are the lecture's own. Each step sees
one of the photographs TRAIN, whole; every 50 steps the loss on the photograph "panda" is measured,
and the best weights are kept. The photograph "china" is not read: it's the lecture's test.
Convolutions compute with bfloat16 numbers, for speed, so the losses in the log are a little lower
than the lecture's. It prints the log that the card in data/README.md gives.
"""

import functools
import os
import time

os.environ.setdefault("BOOK_SEED", "1")

import keras
import numpy as np
from keras import layers

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "05-neural-style-transfer.ipynb"
NAMES = ("measures", "relative", "mean_output", "stylizer", "views", "scaled")
NAMES += ("style_layers", "content_layer", "weights")
SETTINGS = {"steps": 450, "warm": 30, "rate": 0.001, "painting": "great_wave", "judge": "panda"}
TRAIN = ["camera", "cat", "coffee", "crocodile", "flower", "goldfish", "moose", "pan", "rocket"]
TRAIN += ["screwdriver", "tape"]


def main():
    s, lecture = SETTINGS, definitions.take(LECTURE, NAMES)
    # products of 16 bits; the layer after a convolution casts back to 32
    layers.Conv2D = functools.partial(layers.Conv2D, dtype="mixed_bfloat16")
    start, best = time.time(), np.inf
    rng = np.random.default_rng(helpers.seed())
    styles = lecture.style_layers
    measure = lecture.measures(styles, lecture.content_layer)
    painting = lecture.scaled(s["painting"], 400)[None]
    target = {n: measure.predict(painting, verbose=0)[n] for n in styles}
    photos, contents = lecture.views(TRAIN), {}
    helpers.seed()
    net = lecture.stylizer(painting[0])
    pixels = keras.Input((None, None, 3))
    model = keras.Model(pixels, measure(net(pixels)))
    losses = dict.fromkeys([*styles, "content"], lecture.relative) | {"tv": lecture.mean_output}
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, s["steps"], alpha=0.0, warmup_target=s["rate"], warmup_steps=s["warm"]
    )
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, losses, loss_weights=lecture.weights, jit_compile=False)
    held, zero = lecture.scaled(s["judge"], 400)[None], np.zeros((1, 1))
    aim = {**target, "content": measure.predict(held, verbose=0)["content"], "tv": zero}
    log = []
    for step in range(1, s["steps"] + 1):
        i = int(rng.integers(len(photos)))
        x = photos[i][None]
        if i not in contents:
            contents[i] = measure.predict_on_batch(x)["content"]
        model.train_on_batch(x, {**target, "content": contents[i], "tv": zero})
        if step % 50 == 0:
            model.reset_metrics()
            value = float(model.test_on_batch(held, aim, return_dict=True)["loss"])
            log.append([step, value])
            print(
                f"step {step}, {time.time() - start:.0f} s, held-out loss {value:.4f}", flush=True
            )
            if value < best:
                best, kept = value, net.get_weights()
    made_from = definitions.made_from(LECTURE, NAMES, SETTINGS)
    save_checkpoint("stylizer.safetensors", kept, made_from=made_from, log=log)


if __name__ == "__main__":
    main()
