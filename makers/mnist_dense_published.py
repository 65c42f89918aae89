"""Run the published recipe of the dense MNIST autoencoder once and store its curve.

    python -m makers.mnist_dense_published

The recipe (Chollet 2016): code of 32 ReLU units, sigmoid output, binary cross-entropy, Adam at its
default rate 0.001, batches of 256, 50 epochs. Writes data/mnist_dense_published.csv with one row an
epoch: training and test cross-entropy in nats per pixel. Takes about 90 s on two cores.
"""

import csv
import io

import keras

import helpers
from makers.common import save_bytes

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
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["epoch", "train_bce", "test_bce"])
    for i, (train, test) in enumerate(zip(curve["loss"], curve["val_loss"], strict=True), 1):
        rows.writerow([i, f"{train:.5f}", f"{test:.5f}"])
    save_bytes("mnist_dense_published.csv", table.getvalue().encode())


if __name__ == "__main__":
    main()
