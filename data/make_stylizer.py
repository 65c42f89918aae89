"""Make data/stylizer.safetensors: the feed-forward stylizer of lecture 5, trained for longer.

    python data/make_stylizer.py

The functions and classes are those of the lecture; tests/test_05.py compares them. Each step sees
one of the photographs TRAIN, whole; every 50 steps the loss on the photograph "panda" is measured,
and the best weights are kept. The photograph "china" is not read: it's the lecture's test.
Convolutions compute with bfloat16 numbers, for speed, so the losses in the log are a little lower
than the lecture's. It prints the log that the card in data/README.md gives.
"""

import functools
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("BOOK_SEED", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from keras import layers, ops
from maker import save_bytes
from safetensors.numpy import save

import helpers

TRAIN = ["camera", "cat", "coffee", "crocodile", "flower", "goldfish", "moose", "pan", "rocket"]
TRAIN += ["screwdriver", "tape"]
STEPS, WARM, RATE = 450, 30, 0.001
style_layers = ["block1_conv1", "block2_conv1", "block3_conv1"]
content_layer = "block3_conv1"
weights = {"content": 0.08, "tv": 3} | dict.fromkeys(style_layers, 1 / 3)
level_set = ["cat", "coffee", "flower", "moose", "panda", "great_wave", "village_street"]


class Gram(layers.Layer):
    def call(self, f):  # (n, h, w, c)
        n, h, w, c = ops.shape(f)
        f = ops.reshape(f, (n, h * w, c))
        gram = ops.matmul(ops.transpose(f, (0, 2, 1)), f)  # (n, c, c)
        return gram / ops.cast(h * w, "float32")


class Variation(layers.Layer):
    def call(self, x):  # (n, h, w, 3), 0 to 255
        x = x / 255
        down = ops.square(x[:, 1:] - x[:, :-1])
        right = ops.square(x[:, :, 1:] - x[:, :, :-1])
        return ops.mean(down, axis=(1, 2, 3)) + ops.mean(right, axis=(1, 2, 3))  # (n,)


class Level(layers.Layer):
    def __init__(self, means):
        super().__init__()
        mean = means.mean()
        self.factor = 1 / (mean * np.sqrt(means / mean + 0.1))  # (c,)

    def call(self, f):  # (n, h, w, c)
        return f * self.factor


def channel_means(network, names):  # -> a list of arrays (c,), one a layer
    means = []
    for name in names:
        photo = helpers.load_photo(name, 160).astype("float32")
        maps = network.predict(photo[None], verbose=0)
        means.append([f.mean(axis=(0, 1, 2)) for f in maps])
    return [np.mean(layer, axis=0) for layer in zip(*means, strict=True)]


def measures(styles, content):
    vgg = helpers.load_vgg_features()
    names = [*styles] if content in styles else [*styles, content]
    network = keras.Model(vgg.input, [vgg.get_layer(n).output for n in names])
    means = channel_means(network, level_set)
    pixels = keras.Input((None, None, 3))
    maps = dict(zip(names, network(pixels), strict=True))
    maps = {n: Level(m)(maps[n]) for n, m in zip(names, means, strict=True)}
    outputs = {n: Gram()(maps[n]) for n in styles}
    outputs |= {"content": maps[content], "tv": Variation()(pixels)}
    return keras.Model(pixels, outputs)


def relative(target, found):
    return ops.mean(ops.square(found - target)) / ops.mean(ops.square(target))


def mean_output(_, found):
    return ops.mean(found)


class InstanceNorm(layers.Layer):
    def build(self, shape):
        channels = (shape[-1],)
        self.scale = self.add_weight(shape=channels, initializer="ones", name="scale")
        self.shift = self.add_weight(shape=channels, initializer="zeros", name="shift")

    def call(self, x):  # (n, h, w, c)
        mean, variance = ops.moments(x, axes=(1, 2), keepdims=True)
        x = (x - mean) * ops.rsqrt(variance + 1e-3)
        return x * self.scale + self.shift


class Mirror(layers.Layer):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def call(self, x):  # (n, h, w, c) -> (n, h + 2 width, w + 2 width, c)
        rim = (self.width, self.width)
        return ops.pad(x, ((0, 0), rim, rim, (0, 0)), mode="reflect")


def convolve(x, filters, size, strides=1, relu=True):
    x = Mirror(size // 2)(x)
    x = layers.Conv2D(filters, size, strides, use_bias=False)(x)
    x = InstanceNorm()(x)
    return layers.ReLU()(x) if relu else x


class Palette(layers.Layer):
    def __init__(self, painting):  # (h, w, 3)
        super().__init__()
        self.mean, self.sd = painting.mean(axis=(0, 1)), painting.std(axis=(0, 1))

    def call(self, x):  # (n, h, w, 3)
        mean, variance = ops.moments(x, axes=(1, 2), keepdims=True)
        return (x - mean) * ops.rsqrt(variance + 400) * self.sd + self.mean


def stylizer(painting):
    pixels = keras.Input((None, None, 3))  # 0 to 255
    palette = Palette(painting)(pixels)
    fine = convolve(layers.Rescaling(1 / 127.5, -1)(palette), 16, 5)  # (n, h, w, 16)
    x = convolve(fine, 40, 3, 2)  # (n, h/2, w/2, 40)
    for _ in range(4):
        x = x + convolve(convolve(x, 40, 3), 40, 3, relu=False)
    x = layers.Concatenate()([layers.UpSampling2D(2)(x), fine])  # (n, h, w, 56)
    x = Mirror(2)(convolve(x, 16, 3))
    x = layers.Conv2D(3, 5, activation="tanh", kernel_initializer="zeros")(x)
    return keras.Model(pixels, palette + layers.Rescaling(130)(x))


def views(names):  # -> a list of arrays (h, w, 3)
    whole = [scaled(n, size) for n in names for size in (240, 280, 320)]
    return whole + [photo[:, ::-1] for photo in whole]


def scaled(name, longest):  # -> (h, w, 3) float32, sides a multiple of 4
    photo = helpers.load_photo(name)
    factor = longest / max(photo.shape[:2])
    size = tuple(4 * round(side * factor / 4) for side in photo.shape[:2])
    return helpers.load_photo(name, size).astype("float32")


def main():
    # products of 16 bits; the layer after a convolution casts back to 32
    layers.Conv2D = functools.partial(layers.Conv2D, dtype="mixed_bfloat16")
    start, best = time.time(), np.inf
    generator = np.random.default_rng(helpers.seed())
    measure = measures(style_layers, content_layer)
    painting = scaled("great_wave", 400)[None]
    target = {n: measure.predict(painting, verbose=0)[n] for n in style_layers}
    photos, contents = views(TRAIN), {}
    helpers.seed()
    net = stylizer(painting[0])
    pixels = keras.Input((None, None, 3))
    model = keras.Model(pixels, measure(net(pixels)))
    losses = dict.fromkeys([*style_layers, "content"], relative) | {"tv": mean_output}
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, STEPS, alpha=0.0, warmup_target=RATE, warmup_steps=WARM
    )
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, losses, loss_weights=weights, jit_compile=False)
    held, zero = scaled("panda", 400)[None], np.zeros((1, 1))
    aim = {**target, "content": measure.predict(held, verbose=0)["content"], "tv": zero}
    for step in range(1, STEPS + 1):
        i = int(generator.integers(len(photos)))
        x = photos[i][None]
        if i not in contents:
            contents[i] = measure.predict_on_batch(x)["content"]
        model.train_on_batch(x, {**target, "content": contents[i], "tv": zero})
        if step % 50 == 0:
            model.reset_metrics()
            value = float(model.test_on_batch(held, aim, return_dict=True)["loss"])
            seconds = time.time() - start
            print(f"step {step}, {seconds:.0f} s, held-out loss {value:.4f}", flush=True)
            if value < best:
                best = value
                kept = [ops.convert_to_numpy(w).astype("float16") for w in net.weights]
    save_bytes("stylizer.safetensors", save({f"{i:02d}": w for i, w in enumerate(kept)}))


if __name__ == "__main__":
    main()
