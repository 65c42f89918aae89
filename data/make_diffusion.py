"""Make data/diffusion.safetensors: the digit denoiser of lecture 9, trained for longer.

    python data/make_diffusion.py

Functions are those of the lecture; tests/test_09.py compares them. Training takes the first 50,000
training images of MNIST; the last 10,000 and the test images are not read. Each step has random
numbers of its own, so a run that was stopped goes on from its last state and gives the same file.
It prints the log that the card in data/README.md gives.
"""

import os
import pickle
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

STEPS, HELD_OUT = 6000, 10_000
PEAK = 0.002
none = 10


def level(t):  # times in [0, 1] -> share of signal and of noise
    return np.cos(np.pi / 2 * t), np.sin(np.pi / 2 * t)


def noisy_batch(x, y, generator, size=128):  # -> inputs of the denoiser, and its target
    rows = generator.integers(len(x), size=size)
    x, y = x[rows], y[rows]
    t = generator.random(size, dtype="float32")
    eps = generator.standard_normal(x.shape, dtype="float32")
    alpha, sigma = (part.reshape(-1, *[1] * (x.ndim - 1)) for part in level(t))
    y = np.where(generator.random(size) < 0.15, none, y)
    return [alpha * x + sigma * eps, t, y], alpha * eps - sigma * x


def embed(t, y, width):  # (batch,) twice -> (batch, width)
    waves = np.exp(np.linspace(0, np.log(60), 16)).astype("float32")
    angles = ops.expand_dims(t, -1) * waves  # (batch, 16)
    waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
    e = layers.Dense(width, "silu")(waves) + layers.Embedding(none + 1, width)(y)
    return layers.Dense(width, "silu")(e)


def block(h, e, channels):  # two convolutions, told t and y in between
    start = h if h.shape[-1] == channels else layers.Conv2D(channels, 1)(h)
    h = layers.Activation("silu")(layers.GroupNormalization(8)(h))
    h = layers.GroupNormalization(8)(layers.Conv2D(channels, 3, padding="same")(h))
    stretch, shift = (layers.Reshape((1, 1, channels))(layers.Dense(channels)(e)) for _ in range(2))
    h = layers.Activation("silu")(h * (1 + stretch) + shift)
    last = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros")
    return start + last(h)


def attend(h, channels):  # every place looks at all places
    rows = layers.Reshape((-1, channels))(layers.GroupNormalization(8)(h))
    rows = layers.MultiHeadAttention(4, channels // 4)(rows, rows)
    return h + layers.Reshape(h.shape[1:])(rows)


def u_net(wide=32, deep=64):
    x = keras.Input((28, 28))
    t, y = keras.Input(()), keras.Input((), dtype="int32")
    e = embed(t, y, 2 * deep)
    h = layers.Permute((1, 3, 2, 4))(layers.Reshape((14, 2, 14, 2))(x))
    h = layers.Reshape((14, 14, 4))(h)  # 2 x 2 pixels a place
    skip = block(layers.Conv2D(wide, 3, padding="same")(h), e, wide)
    h = layers.Conv2D(deep, 2, strides=2)(skip)  # (batch, 7, 7, deep)
    h = block(attend(block(h, e, deep), deep), e, deep)
    h = layers.Conv2DTranspose(wide, 2, strides=2)(h)  # (batch, 14, 14, wide)
    h = block(layers.Concatenate()([h, skip]), e, wide)
    h = layers.Activation("silu")(layers.GroupNormalization(8)(h))
    h = layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros")(h)
    h = layers.Permute((1, 3, 2, 4))(layers.Reshape((14, 14, 2, 2))(h))
    return keras.Model([x, t, y], layers.Reshape((28, 28))(h))


def rate(step, steps, peak):  # up in 100 steps, level, down to 0 over the second half
    return peak * min((step + 1) / 100, 1, 2 * (1 - step / steps))


def main():
    keras.utils.set_random_seed(helpers.SEED)
    (x, y), _ = helpers.load_mnist()
    x, y = x[:-HELD_OUT].astype("float32") / 127.5 - 1, y[:-HELD_OUT].astype("int32")
    model = u_net()
    adam = keras.optimizers.Adam(PEAK, global_clipnorm=1, use_ema=True, ema_momentum=0.998)
    model.compile(adam, "mse")
    model.train_on_batch(*noisy_batch(x, y, np.random.default_rng([helpers.SEED, 2**31])))
    state = Path(sys.argv[1]) if len(sys.argv) > 1 else None  # to go on after a stop
    first, seconds, start = 0, 0.0, time.perf_counter()
    if state and state.exists():
        first, seconds, arrays = pickle.loads(state.read_bytes())
        for variable, array in zip([*model.weights, *adam.variables], arrays, strict=True):
            variable.assign(array)
    for step in range(first, STEPS):
        adam.learning_rate.assign(rate(step, STEPS, PEAK))
        batch = noisy_batch(x, y, np.random.default_rng([helpers.SEED, step]))
        loss = model.train_on_batch(*batch)
        if (step + 1) % 200 == 0:
            model.reset_metrics()
            now = seconds + time.perf_counter() - start
            print(f"step {step + 1}, {now:.0f} s, loss {float(loss):.4f}", flush=True)
            if state:
                arrays = [np.array(v) for v in [*model.weights, *adam.variables]]
                state.write_bytes(pickle.dumps((step + 1, now, arrays)))
    adam.finalize_variable_values(model.trainable_weights)
    arrays = {f"{i:02d}": np.array(w, "float16") for i, w in enumerate(model.weights)}
    save_bytes("diffusion.safetensors", save(arrays))


if __name__ == "__main__":
    main()
