"""Choose lecture 6's settings on images held back from training; the test images stay unseen.

    python -m benchmarks.choose_06

Models, losses and all other settings are those that the lecture's own cells define. Trains on the
first 50,000 training images of MNIST, reports the cross-entropy on the last 10,000 (seed 1).
"""

import numpy as np

import helpers
from book import ROOT, definitions

LECTURE = ROOT / "lectures" / "06-autoencoders.ipynb"
RATES = {
    "dense": (0.003, 0.005, 0.01, 0.02),
    "sparse": (0.001, 0.002, 0.003, 0.004, 0.006),
    "deep": (0.002, 0.004, 0.006, 0.008, 0.012),
    "conv": (0.004, 0.008, 0.012, 0.016, 0.024),
    "denoiser": (0.003, 0.006, 0.012),
}
HELD_BACK = 10_000


def main():
    ways = ("dense_autoencoder", "sparse_autoencoder", "deep_autoencoder", "conv_autoencoder")
    runs = ("epochs", "batch_size", "sparse_epochs", "deep_epochs", "conv_epochs", "conv_batch")
    lecture = definitions.take(LECTURE, [*ways, *runs, "lam", "spoil", "fit", "bce"])
    images = helpers.load_mnist()[0][0].astype("float32")[..., None] / 255
    train, held_back = images[:-HELD_BACK], images[-HELD_BACK:]
    rng = np.random.default_rng(helpers.seed())
    noisy, noisy_held_back = (lecture.spoil(x, rng) for x in (train, held_back))
    flat, flat_held_back = train.reshape(-1, 784), held_back.reshape(-1, 784)
    batch = lecture.batch_size
    conv_run = (lecture.conv_epochs, lecture.conv_batch)
    ways = {
        "dense": (
            lecture.dense_autoencoder, flat, flat, flat_held_back, (lecture.epochs, batch)
        ),
        "sparse": (
            lambda: lecture.sparse_autoencoder(lecture.lam),
            flat, flat, flat_held_back, (lecture.sparse_epochs, batch),
        ),
        "deep": (
            lecture.deep_autoencoder, flat, flat, flat_held_back, (lecture.deep_epochs, batch)
        ),
        "conv": (lambda: lecture.conv_autoencoder(32), train, train, held_back, conv_run),
        "denoiser": (
            lambda: lecture.conv_autoencoder(64), noisy, train, noisy_held_back, conv_run
        ),
    }  # fmt: skip
    for name, (make, x, y, x_held_back, (epochs, batch)) in ways.items():
        target = flat_held_back if x is flat else held_back
        for rate in RATES[name]:
            helpers.seed()
            model = make()
            lecture.fit(model, x, y, rate, epochs, f"{name}, rate {rate}", batch)
            loss = lecture.bce(target, model.predict(x_held_back, verbose=0))
            print(f"{name:10s} rate {rate:<6g} held-back cross-entropy {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
