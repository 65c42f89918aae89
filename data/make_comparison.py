"""Make data/comparison.npz: five families of generative models on the same data and budget.

    python data/make_comparison.py [FOLDER]

Functions are those of lecture 10; tests/test_10.py compares them. Each family is trained with each
of three seeds in a process of its own, on one thread, for a number of steps that was fixed
beforehand so that it takes about a minute of one core here. FOLDER keeps finished runs, so that a
run that was stopped goes on. Training reads the first 50,000 training images of MNIST; test images
are read once, after training. It prints what the card in data/README.md gives.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("BOOK_SEED", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
from keras import layers, ops
from maker import save_npz
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.neighbors import NearestNeighbors

import helpers

SEEDS = (1, 2, 3)
FAMILIES = ("vae", "gan", "flow", "diffusion", "pixels")
STEPS = {"vae": 4200, "gan": 2100, "flow": 820, "diffusion": (1350, 2000), "pixels": 930}
COLUMNS = ("frechet", "precision", "recall", "strict_precision", "nats", "seconds_per_1000")
COLUMNS += ("parameters", "training")


def black_white(x):  # uint8 -> float32, 0 paper, 1 ink
    return (x > 127).astype("float32")


def batches(x, steps, size, random):
    for _ in range(steps):
        yield x[random.integers(len(x), size=size)]


def falling(rate, steps, **options):  # Adam, its rate falling to 0 along half a cosine
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.Adam(schedule, **options)


# ---- Variational autoencoder


class Cloud(layers.Layer):  # lecture 7's sampling layer
    def __init__(self, beta):
        super().__init__()
        self.beta, self.generator = beta, keras.random.SeedGenerator(helpers.SEED)

    def call(self, mu, log_var):  # (batch, d) twice
        kl = 0.5 * (ops.square(mu) + ops.exp(log_var) - log_var - 1)
        self.add_loss(self.beta * ops.mean(ops.sum(kl, axis=-1)))
        eps = keras.random.normal(ops.shape(mu), seed=self.generator)
        return mu + ops.exp(0.5 * log_var) * eps


def nats(x, logits):  # black-and-white pixels and logits (batch, 784) -> (batch,)
    return ops.sum(ops.binary_crossentropy(x, logits, from_logits=True), axis=-1)


def stack(h, widths):
    for width in widths:
        h = layers.Dense(width, "silu")(h)
    return h


def vae(d, widths, beta):  # -> model, encoder, decoder
    x, z = keras.Input((784,)), keras.Input((d,))
    h = stack(x, widths)
    mu, log_var = layers.Dense(d)(h), layers.Dense(d)(h)
    decoder = keras.Model(z, layers.Dense(784)(stack(z, widths[::-1])))  # logits
    x_hat = decoder(Cloud(beta)(mu, log_var))
    return keras.Model(x, x_hat), keras.Model(x, [mu, log_var]), decoder


def train_vae(x, steps, random, d=20, beta=1.0):  # -> encoder, decoder
    model, *halves = vae(d, (512, 256), beta)
    model.compile(falling(0.003, steps), nats)
    for b in batches(x.reshape(-1, 784), steps, 128, random):
        model.train_on_batch(b, b)
    return halves


def ink(decoder, z):  # codes -> the likelier value of each pixel, (n, 28, 28)
    logits = decoder.predict(z, batch_size=500, verbose=0)
    return (logits > 0).astype("float32").reshape(-1, 28, 28)


def draw_vae(model, n, random):
    _, decoder = model
    return ink(decoder, random.standard_normal((n, decoder.input_shape[1])))


def standard_normal(z):  # log density of N(0, I), (n, d) -> (n,)
    return -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=-1)


def bound(halves, x, random, k=1, log_prior=standard_normal):  # -> nats per image (n,)
    encoder, decoder = halves
    x = x.reshape(-1, 784)
    mu, log_var = encoder.predict(x, batch_size=500, verbose=0)
    log_w = []
    for _ in range(k):
        eps = random.standard_normal(mu.shape).astype("float32")
        z = mu + np.exp(log_var / 2) * eps
        logits = decoder.predict(z, batch_size=500, verbose=0)
        log_q = standard_normal(eps) - 0.5 * log_var.sum(axis=-1)
        log_w.append(log_prior(z) - log_q - ops.convert_to_numpy(nats(x, logits)))
    return np.logaddexp.reduce(log_w, axis=0) - np.log(k)


# ---- Generative adversarial network


def generator(d=30, c=32):
    z = keras.Input((d,))
    h = layers.Dense(7 * 7 * c, use_bias=False)(z)
    h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))
    h = layers.Reshape((7, 7, c))(h)
    h = layers.Conv2DTranspose(c // 2, 4, 2, "same", use_bias=False)(h)
    h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))  # (batch, 14, 14, c / 2)
    x = layers.Conv2DTranspose(1, 4, 2, "same", activation="sigmoid")(h)
    return keras.Model(z, x)  # (batch, 28, 28, 1)


def discriminator(c=16):
    x = keras.Input((28, 28, 1))
    h = layers.LeakyReLU(0.2)(layers.Conv2D(c, 4, 2, "same")(x))  # (batch, 14, 14, c)
    h = layers.LeakyReLU(0.2)(layers.Conv2D(2 * c, 4, 2, "same")(h))
    h = layers.Dropout(0.3)(layers.Flatten()(h))
    return keras.Model(x, layers.Dense(1)(h))


def players(rounds, rate):  # -> generator, discriminator, both in a row; as in lecture 8
    g, d = generator(), discriminator()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    d.compile(falling(rate, rounds, beta_1=0.5), loss)
    d.trainable = False
    both = keras.Sequential([g, d])
    average = {"use_ema": True, "ema_momentum": 0.99}
    both.compile(falling(rate, rounds, beta_1=0.5, **average), loss)
    return g, d, both


def train_gan(x, rounds, random, size=32):  # -> generator
    g, d, both = players(rounds, 0.002)
    target = np.repeat([[0.9], [0.0]], size, axis=0)  # (2 * size, 1)
    for real in batches(x[..., None], rounds, size, random):
        z = random.standard_normal((2, size, g.input_shape[1])).astype("float32")
        made = ops.convert_to_numpy(g(z[0], training=True))
        d.trainable = True
        d.train_on_batch(np.concatenate([real, made]), target)
        d.trainable = False
        both.train_on_batch(z[1], target[:size] ** 0)
    both.optimizer.finalize_variable_values(both.trainable_weights)
    for _ in range(30):  # batch normalisation counts again, for the averaged weights
        g(random.standard_normal((200, g.input_shape[1])), training=True)
    return g


def draw_gan(g, n, random):
    z = random.standard_normal((n, g.input_shape[1]))
    made = g.predict(z, batch_size=500, verbose=0)[..., 0]
    return (made > 0.5).astype("float32")


# ---- Normalising flow


def mlp(width, outputs):  # starts at 0
    hidden = [layers.Dense(width, "silu") for _ in range(2)]
    return keras.Sequential([*hidden, layers.Dense(outputs, kernel_initializer="zeros")])


class Coupling(layers.Layer):
    def __init__(self, mask, width):
        super().__init__()
        self.mask = ops.convert_to_tensor(mask, "float32")  # 1: passes unchanged
        self.net = mlp(width, 2 * len(mask))

    def terms(self, x):  # log stretch and shift of the rest, (batch, d) twice
        s, t = ops.split(self.net(x * self.mask), 2, axis=-1)
        return 2 * ops.tanh(s / 2) * (1 - self.mask), t * (1 - self.mask)

    def call(self, x):  # -> z, log |det dz/dx|
        s, t = self.terms(x)
        return x * ops.exp(s) + t, ops.sum(s, axis=-1, keepdims=True)

    def inverse(self, z):
        z = ops.convert_to_tensor(z)
        s, t = self.terms(z)
        return (z - t) * ops.exp(-s)


def flow(masks, width):  # -> model x -> log p(x), its couplings
    x = z = keras.Input((len(masks[0]),))
    couplings, total = [Coupling(mask, width) for mask in masks], 0
    for coupling in couplings:
        z, log_det = coupling(z)
        total = total + log_det
    square = ops.square(z) + np.log(2 * np.pi)
    log_p = total - 0.5 * ops.sum(square, axis=-1, keepdims=True)
    return keras.Model(x, log_p), couplings


def minus_log(_, log_p):  # the loss; there is no target
    return -log_p


def pull(couplings, z):  # noise -> data
    for coupling in couplings[::-1]:
        z = ops.convert_to_numpy(coupling.inverse(z))
    return z


def spread(x, random, edge=0.05):  # black-and-white pixels -> real numbers, log |dy/dx|
    u = edge + (1 - 2 * edge) * (x.reshape(-1, 784) + random.random((len(x), 784))) / 2
    log_slope = np.log((1 - 2 * edge) / 2) - np.log(u) - np.log(1 - u)
    return np.log(u / (1 - u)).astype("float32"), log_slope.sum(axis=1)


def train_flow(x, steps, random, k=8, width=256):  # -> model, couplings
    row, column = np.divmod(np.arange(784), 28)
    kinds = [(row + column) % 2, row % 2, (row + column) % 2, column % 2]
    masks = [kinds[i // 2 % 4] ^ (i % 2) for i in range(k)]
    model, couplings = flow(masks, width)
    model.compile(falling(0.001, steps, global_clipnorm=100), minus_log)
    for b in batches(x, steps, 128, random):
        y, _ = spread(b, random)
        model.train_on_batch(y, y[:, :1])
    return model, couplings


def draw_flow(model, n, random):
    z = random.standard_normal((n, 784)).astype("float32")
    return (pull(model[1], z) > 0).astype("float32").reshape(-1, 28, 28)


def nats_flow(model, x, random):  # a lower bound of log P(x), (n,)
    y, log_slope = spread(x, random)
    return model[0].predict(y, batch_size=500, verbose=0)[:, 0] + log_slope


# ---- Diffusion, in the latent space of a VAE


def level(t):  # times in [0, 1] -> share of signal and of noise
    return np.cos(np.pi / 2 * t), np.sin(np.pi / 2 * t)


def denoiser(d, width, depth):  # lecture 9's, without labels
    x, t = keras.Input((d,)), keras.Input(())
    waves = np.exp(np.linspace(0, np.log(60), 16)).astype("float32")
    angles = ops.expand_dims(t, -1) * waves  # (batch, 16)
    waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
    e, h = layers.Dense(width, "silu")(waves), layers.Dense(width)(x)
    for _ in range(depth):
        told = layers.LayerNormalization()(h) + layers.Dense(width)(e)
        told = layers.Dense(width, "silu")(layers.Activation("silu")(told))
        h = h + layers.Dense(width, kernel_initializer="zeros")(told)
    return keras.Model([x, t], layers.Dense(d)(layers.LayerNormalization()(h)))


def train_denoiser(mu, sd, steps, random, size=256):  # clouds of codes -> denoiser
    average = {"use_ema": True, "ema_momentum": 0.995, "global_clipnorm": 1}
    model, adam = denoiser(mu.shape[1], 256, 3), falling(0.002, steps, **average)
    model.compile(adam, "mse")
    for rows in batches(np.arange(len(mu)), steps, size, random):
        noise, eps = random.standard_normal((2, size, mu.shape[1])).astype("float32")
        z, t = mu[rows] + sd[rows] * noise, random.random(size, dtype="float32")
        alpha, sigma = (part[:, None] for part in level(t))
        model.train_on_batch([alpha * z + sigma * eps, t], alpha * eps - sigma * z)
    adam.finalize_variable_values(model.trainable_weights)
    return model


def train_diffusion(x, steps, random, d=16):  # -> encoder, decoder, denoiser, mean, spread
    halves = train_vae(x, steps[0], random, d, beta=0.3)
    mu, log_var = halves[0].predict(x.reshape(-1, 784), batch_size=500, verbose=0)
    mean = mu.mean(axis=0)
    scale = np.sqrt(mu.var(axis=0) + np.exp(log_var).mean(axis=0))
    clouds = (mu - mean) / scale, np.exp(log_var / 2) / scale
    return *halves, train_denoiser(*clouds, steps[1], random), mean, scale


def predict(model, x, t):  # v at one time
    return model.predict_on_batch([x.astype("float32"), np.full(len(x), t, "float32")])


def draw_codes(model, x, steps):  # DDIM from noise x at t = 1
    times = np.linspace(1, 0, steps + 1)
    for t, s in pairwise(times):
        (alpha, sigma), (alpha_s, sigma_s) = level(t), level(s)
        v = predict(model, x, t)
        x = alpha_s * (alpha * x - sigma * v) + sigma_s * (sigma * x + alpha * v)
    return x


def draw_diffusion(model, n, random, steps=20):
    _, decoder, net, mean, scale = model
    z = draw_codes(net, random.standard_normal((n, len(mean))), steps)
    return ink(decoder, z * scale + mean)


def log_codes(guess, z, random, first=0.01, k=10):  # a lower bound of log p(z), (n,)
    n, d = z.shape
    span, total = -np.log(np.sin(np.pi / 2 * first)), 0
    for _ in range(k):
        t = 2 / np.pi * np.arcsin(np.exp(-span * random.random((n, 1))))
        alpha, sigma = level(t)
        eps = random.standard_normal(z.shape)
        v = guess(alpha * z + sigma * eps, t[:, 0])
        total = total + np.sum((v - alpha * eps + sigma * z) ** 2, axis=1) / k
    last = np.log(2 * np.pi) / 2 + 0.5 + np.log(np.tan(np.pi / 2 * first))
    return -span * total - d * last


def nats_diffusion(model, x, random):
    encoder, decoder, net, mean, scale = model

    def guess(z, t):
        return net.predict([z, t], batch_size=500, verbose=0)

    def log_prior(z):
        return log_codes(guess, (z - mean) / scale, random) - np.log(scale).sum()

    return bound((encoder, decoder), x, random, 1, log_prior)


# ---- Autoregressive: pixel by pixel


class RowsAbove(layers.Layer):  # a sum over all pixels of the rows above, per row
    def build(self, shape):
        self.v = self.add_weight(shape=(28, 28, 128), initializer="glorot_uniform")

    def call(self, x):  # (batch, 28, 28) -> (batch, 28, 128)
        parts = ops.einsum("brc,rck->brk", x, self.v)
        return ops.cumsum(parts, axis=1) - parts


class Place(layers.Layer):  # a bias for each place
    def build(self, shape):
        self.b = self.add_weight(shape=shape[1:], initializer="zeros")

    def call(self, h):
        return h + self.b


def pixel_model(up=6, side=6, width=64):  # (batch, 28, 28) -> logits (batch, 28, 28)
    x = keras.Input((28, 28))
    grid = layers.Reshape((28, 28, 1))(x)
    above = layers.ZeroPadding2D(((up, 0), (side, side)))(grid)[:, :-1]
    left = layers.ZeroPadding2D(((0, 0), (side, 0)))(grid)[:, :, :-1]
    h = layers.Conv2D(width, (up, 2 * side + 1), use_bias=False)(above)
    h = h + layers.Conv2D(width, (1, side), use_bias=False)(left)
    far = layers.Dense(width)(layers.Activation("silu")(Place()(RowsAbove()(x))))
    h = Place()(h + layers.Reshape((28, 1, width))(far))
    h = layers.Dense(width, "silu")(layers.Activation("silu")(h))
    return keras.Model(x, layers.Reshape((28, 28))(layers.Dense(1)(h)))


def image_nats(x, logits):  # (batch, 28, 28) twice -> (batch,)
    return ops.sum(ops.binary_crossentropy(x, logits, from_logits=True), axis=(1, 2))


def train_pixels(x, steps, random):
    model = pixel_model()
    model.compile(falling(0.004, steps), image_nats)
    for b in batches(x, steps, 64, random):
        model.train_on_batch(b, b)
    return model


def nats_pixels(model, x, random=None):  # exact
    return -ops.convert_to_numpy(image_nats(x, model.predict(x, batch_size=500, verbose=0)))


def silu(a):
    return a / (1 + np.exp(-a))


def draw_pixels(model, n, random, up=6, side=6):  # with the weights of `pixel_model`
    kinds = (RowsAbove, Place, layers.Conv2D, layers.Dense)
    sets = [[layer.get_weights() for layer in model.layers if isinstance(layer, k)] for k in kinds]
    ((v,),), ((far,), (near,)), ((k_up,), (k_left,)), (d1, d2, d3) = sets
    x = np.zeros((n, up + 28, side + 28 + side), "float32")
    sums = np.zeros((n, v.shape[-1]), "float32")
    for r in range(28):
        seen = sliding_window_view(x[:, r : r + up], 2 * side + 1, axis=2)
        row = np.tensordot(seen, k_up[:, :, 0], ((1, 3), (0, 1)))  # (n, 28, width)
        row += near[r] + (silu(sums + far[r]) @ d1[0] + d1[1])[:, None]
        for c in range(28):
            h = silu(row[:, c] + x[:, r + up, c : c + side] @ k_left[0, :, 0])
            logit = (silu(h @ d2[0] + d2[1]) @ d3[0] + d3[1])[:, 0]
            x[:, r + up, c + side] = random.random(n) < 1 / (1 + np.exp(-logit))
        sums += x[:, r + up, side:-side] @ v[r]
    return x[:, up:, side:-side]


# ---- Measures


def share_inside(points, others, k=3, keep=1.0):  # of points, in some other's ball
    search = NearestNeighbors(n_neighbors=k + 1).fit(others)
    radius = search.kneighbors(others)[0][:, -1]
    radius[radius > np.quantile(radius, keep)] = 0  # the widest balls don't count
    square = np.sum(points**2, 1)[:, None] - 2 * points @ others.T
    square += np.sum(others**2, 1)  # (points, others)
    return np.mean(np.any(square <= radius**2, axis=1))


def measure(x, real):  # -> Fréchet distance, precision, recall, strict precision
    made, real = (helpers.judge(part)[1].astype("float64") for part in (x, real))
    shares = share_inside(made, real), share_inside(real, made)
    strict = share_inside(made, real, keep=0.5)
    return helpers.frechet(made, real), *shares, strict


def toss(decoder, z, random):  # codes -> pictures whose pixels are tossed, (n, 28, 28)
    logits = decoder.predict(z, batch_size=500, verbose=0)
    chance = 1 / (1 + np.exp(-logits.reshape(-1, 28, 28)))
    return (random.random(chance.shape) < chance).astype("float32")


def run(family):
    """Train, draw and measure once with the book's seed; return arrays."""
    (x, _), (x_test, _) = helpers.load_mnist()
    x = black_white(x[:50_000])
    real = black_white(x_test[np.random.default_rng(0).permutation(10_000)[:2000]])
    random = np.random.default_rng(helpers.seed())
    start = time.process_time()
    model = globals()[f"train_{family}"](x, STEPS[family], random)
    middle = time.process_time()
    made = globals()[f"draw_{family}"](model, 2000, random)
    drawing = (time.process_time() - middle) / 2
    nats, result = np.nan, {}
    if family == "vae":
        nats = bound(model, real, random, k=50).mean()
        result["elbo"] = bound(model, real, random).mean()
        z = random.standard_normal((2000, model[1].input_shape[1]))
        result["tossed"] = measure(toss(model[1], z, random), real)[0]
    elif family != "gan":
        nats = globals()[f"nats_{family}"](model, real, random).mean()
    parts = model if isinstance(model, list | tuple) else [model]
    count = sum(p.count_params() for p in parts if isinstance(p, keras.Model))
    if family == "gan":
        count += discriminator().count_params()
    row = [*measure(made, real), nats, drawing, count, middle - start]
    bits = np.packbits(made[:20].reshape(20, 784).astype(bool), axis=-1)
    return {"row": np.array(row, "float64"), "samples": bits, **result}


def main(folder):
    """Run what `folder` hasn't got yet, each in a process of its own; then put all together."""
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    results = {}
    for seed in SEEDS:
        for family in FAMILIES:
            path = Path(folder) / f"{family}-{seed}.npz"
            if not path.exists():
                env = os.environ | dict.fromkeys(threads, "1") | {"BOOK_SEED": str(seed)}
                subprocess.run([sys.executable, __file__, family, str(path)], env=env, check=True)
            results[family, seed] = dict(np.load(path))
            said = zip(COLUMNS, results[family, seed]["row"], strict=True)
            print(family, seed, *(f"{name} {value:.4g}" for name, value in said), flush=True)
    rows = np.array([[results[f, s]["row"] for s in SEEDS] for f in FAMILIES])  # (5, 3, 7)
    arrays = {name: rows[:, :, i] for i, name in enumerate(COLUMNS)}
    arrays["families"] = np.array(FAMILIES)
    arrays["samples"] = np.stack([results[f, SEEDS[0]]["samples"] for f in FAMILIES])
    arrays["pixel_steps"] = np.array(STEPS["pixels"])
    for name, key in (("vae_elbo", "elbo"), ("tossed_frechet", "tossed")):
        arrays[name] = np.array([results["vae", s][key] for s in SEEDS])
    save_npz("comparison.npz", arrays)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        np.savez(sys.argv[2], **run(sys.argv[1]))
    else:
        main(*sys.argv[1:] or [tempfile.mkdtemp()])
