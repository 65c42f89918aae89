"""Run the published recipe of the dense MNIST autoencoder once and store its curve.

    python benchmarks/dense_published.py

The recipe (Chollet 2016): code of 32 ReLU units, sigmoid output, binary cross-entropy, Adam at its
default rate 0.001, batches of 256, 50 epochs. Writes data/mnist_dense_published.csv with one row an
epoch: training and test cross-entropy in nats per pixel. Takes about 90 s on two cores.
"""

import csv
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "data")]

import keras  # noqa: E402
from maker import list_hash  # noqa: E402

import helpers  # noqa: E402

EPOCHS = 50


def main():
    (x_train, _), (x_test, _) = helpers.load_mnist()
    x_train = x_train.reshape(-1, 784).astype("float32") / 255
    x_test = x_test.reshape(-1, 784).astype("float32") / 255
    helpers.seed()
    x = keras.Input((784,))
    z = keras.layers.Dense(32, activation="relu")(x)
    model = keras.Model(x, keras.layers.Dense(784, activation="sigmoid")(z))
    model.compile(keras.optimizers.Adam(0.001), "binary_crossentropy")
    curve = helpers.train(
        model, x_train, x_train, epochs=EPOCHS, batch_size=256,
        validation=(x_test, x_test), name="published recipe",
    )  # fmt: skip
    path = ROOT / "data" / "mnist_dense_published.csv"
    part = path.with_suffix(".part")
    with open(part, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "train_bce", "test_bce"])
        for i, (train, test) in enumerate(zip(curve["loss"], curve["val_loss"], strict=True), 1):
            rows.writerow([i, f"{train:.5f}", f"{test:.5f}"])
    os.replace(part, path)
    list_hash(path)


if __name__ == "__main__":
    main()
