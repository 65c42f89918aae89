"""Make data/gan_fashion.safetensors: the convolutional GAN of lecture 8, trained for longer.

    python data/make_gan.py

The functions are those of the lecture; tests/test_08.py compares them. The generator is trained
on the 60,000 training images of Fashion-MNIST with a rate that falls along a cosine; what is
stored is the moving average of its weights, with the statistics of its batch normalisation
measured again. The card in data/README.md has the log. The number of rounds is what the time
allowed; test images are not read.
"""

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

ROUNDS, BATCH_SIZE, RATE, AVERAGE = 12000, 64, 0.0006, 0.999
d = 30
logit_loss = keras.losses.BinaryCrossentropy(from_logits=True)


def adversaries(generator, discriminator, rate_g, rate_d, average=0.99, loss=logit_loss):
    adam = keras.optimizers.Adam
    discriminator.trainable = True
    discriminator.compile(adam(rate_d, beta_1=0.5), logit_loss)
    discriminator.trainable = False
    gan = keras.Sequential([generator, discriminator])
    gan.compile(adam(rate_g, beta_1=0.5, use_ema=True, ema_momentum=average), loss)
    return generator, discriminator, gan


def codes(n, generator, random):  # draws from the prior
    return random.normal(size=(n, generator.input_shape[1])).astype("float32")


def teach_discriminator(players, real, random, smooth=0.9):
    generator, discriminator, _ = players
    made = generator(codes(len(real), generator, random), training=True)
    both = np.concatenate([real, ops.convert_to_numpy(made)])  # (2n, …)
    target = np.repeat([[smooth], [0.0]], len(real), axis=0)  # (2n, 1)
    discriminator.trainable = True
    discriminator.train_on_batch(both, target)


def teach_generator(players, n, random):
    generator, discriminator, gan = players
    discriminator.trainable = False
    gan.train_on_batch(codes(n, generator, random), np.ones((n, 1)))


def play(players, x, rounds, batch_size, name, watch=None, every=100, turns=1):
    random = np.random.default_rng(helpers.seed())
    start = time.perf_counter()
    for i in range(1, rounds + 1):
        real = x[random.integers(len(x), size=batch_size)]
        teach_discriminator(players, real, random)
        for _ in range(turns):
            teach_generator(players, batch_size, random)
        if i % every == 0 or i == rounds:
            watch and watch(players, i)
            seconds = time.perf_counter() - start
            line = f"\r{name}: round {i} of {rounds}, {seconds:.1f} s"
            print(line, end="", flush=True)
    print()


def conv_generator(c=64, kernel=4):
    z = keras.Input((d,))
    h = layers.Dense(7 * 7 * c, use_bias=False)(z)
    h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))
    h = layers.Reshape((7, 7, c))(h)
    h = layers.Conv2DTranspose(c // 2, kernel, 2, "same", use_bias=False)(h)
    h = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(h))  # (batch, 14, 14, 32)
    x = layers.Conv2DTranspose(1, kernel, 2, "same", activation="sigmoid")(h)
    return keras.Model(z, x)  # (batch, 28, 28, 1)


def conv_discriminator(c=32):
    x = keras.Input((28, 28, 1))
    h = layers.LeakyReLU(0.2)(layers.Conv2D(c, 4, 2, "same")(x))  # (batch, 14, 14, 32)
    h = layers.LeakyReLU(0.2)(layers.Conv2D(2 * c, 4, 2, "same")(h))
    h = layers.Dropout(0.3)(layers.Flatten()(h))  # (batch, 3136)
    return keras.Model(x, layers.Dense(1)(h))


def settle(players, random):
    generator, _, gan = players
    gan.optimizer.finalize_variable_values(gan.trainable_weights)
    for _ in range(30):  # batch normalisation counts again, for the averaged weights
        generator(codes(200, generator, random), training=True)


def main(folder=None):
    """Train; with `folder`, also keep there what there is every 1,000 rounds."""
    (x, _), _ = helpers.load_fashion()
    x = x[..., None].astype("float32") / 255
    helpers.seed()
    rate = keras.optimizers.schedules.CosineDecay(RATE, ROUNDS)
    players = adversaries(conv_generator(), conv_discriminator(48), rate, rate, AVERAGE)
    stored = {}

    def keep(players, i):
        kept = players[0].get_weights()
        settle(players, np.random.default_rng(i))
        weights = [w.astype("float16") for w in players[0].get_weights()]
        stored[i] = save({f"{j:02}": w for j, w in enumerate(weights)})
        players[0].set_weights(kept)
        print(f", {time.process_time():.0f} s of a core", flush=True)
        if folder:
            (Path(folder) / f"{i:05}.safetensors").write_bytes(stored[i])

    play(players, x, ROUNDS, BATCH_SIZE, "convolutional GAN", keep, every=1000)
    save_bytes("gan_fashion.safetensors", stored[ROUNDS])


if __name__ == "__main__":
    main(*sys.argv[1:])
