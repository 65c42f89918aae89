"""Make data/judge_mnist.safetensors and data/judge_fashion.safetensors (float16).

    python -m makers.judges

Two classifiers of one build (`support/networks.py`), trained on the 60,000 training images of MNIST
and of Fashion-MNIST with cross-entropy, shifted by up to a pixel at random. Lectures 8 to 10 judge
generated images by them. The settings were fixed beforehand; test images are only reported on.
A repeat on the same machine gives the same bytes, on another one nearly the same numbers.
"""

import time

import keras
import numpy as np
from safetensors.numpy import save

import helpers
from makers.common import save_bytes
from support.networks import build_judge

EPOCHS, BATCH_SIZE, RATE = 6, 128, 0.002


def shifted(x, rng):
    """Return images (n, 28, 28, 1), each moved by -1, 0 or 1 pixel in both directions."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    moves = rng.integers(0, 3, (len(x), 2))
    rows = moves[:, :1] + np.arange(28)  # (n, 28)
    columns = moves[:, 1:] + np.arange(28)
    return padded[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]


def make(name, load):
    """Train the judge of one image set; write data/judge_`name`.safetensors."""
    (x, y), (x_test, y_test) = load()
    x, x_test = (part[..., None].astype("float32") / 255 for part in (x, x_test))
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    network = build_judge()
    model = keras.Model(network.input, network.output[0])
    steps = EPOCHS * -(-len(x) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    start = time.perf_counter()
    for epoch in range(EPOCHS):
        history = model.fit(shifted(x, rng), y, batch_size=BATCH_SIZE, verbose=0).history
        said = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.items())
        print(f"{name}: epoch {epoch + 1}, {time.perf_counter() - start:.0f} s, {said}", flush=True)
    arrays = {w.path: np.array(w, "float16") for w in network.weights}
    for weight in network.weights:
        weight.assign(arrays[weight.path].astype("float32"))
    wrong = np.mean(np.argmax(model.predict(x_test, verbose=0), axis=1) != y_test)
    print(f"{name}: {100 * (1 - wrong):.2f} % of the 10,000 test images are named rightly")
    save_bytes(f"judge_{name}.safetensors", save(arrays))


if __name__ == "__main__":
    make("mnist", helpers.load_mnist)
    make("fashion", helpers.load_fashion)
