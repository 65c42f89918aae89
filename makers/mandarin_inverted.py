"""Dark ink on light paper or inverted: train the basic Mandarin autoencoder over five seeds.

    python -m makers.mandarin_inverted

6400 pixels, 400 ReLU units, 6400 outputs (sigmoid or ReLU), mean squared error, Adam at its default
rate, batches of 32, at most 60 epochs, stopped when the validation error hasn't fallen for 15 of
them. Writes data/mandarin_inverted.csv with a row an epoch (epoch 0 is before training). Takes
about 8 minutes on two cores.
"""

import csv
import io

import keras
import numpy as np

import helpers
from makers.common import save_bytes

EPOCHS, PATIENCE, SEEDS = 60, 15, range(1, 6)


def run(x, x_val, output, seed):
    """Yield (epoch, validation error in squared grey values, share of dead code, output units)."""
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((6400,))
    code = keras.layers.Dense(400, "relu")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(6400, output)(code))
    both = keras.Model(pixels, [code, model.output])
    model.compile("adam", "mse", jit_compile=True)
    best, waited = np.inf, 0
    for epoch in range(EPOCHS + 1):
        if epoch:
            model.fit(x, x, batch_size=32, verbose=0)
        z, x_hat = both.predict(x, verbose=0, batch_size=275)
        error = 255**2 * np.mean((model.predict(x_val, verbose=0, batch_size=55) - x_val) ** 2)
        yield epoch, error, np.mean(z.max(axis=0) == 0), np.mean(x_hat.max(axis=0) == 0)
        waited = 0 if error < best else waited + 1
        best = min(best, error)
        if waited == PATIENCE:
            return


def main():
    (x, _), (x_val, _), _, _ = helpers.load_mandarin()
    x, x_val = (a.reshape(-1, 6400).astype("float32") / 255 for a in (x, x_val))
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["relu", "inverted", "seed", "epoch", "val_mse", "dead_code", "dead_out"])
    for output in ("sigmoid", "relu"):
        for inverted in (0, 1):
            data = (1 - x, 1 - x_val) if inverted else (x, x_val)
            for seed in SEEDS:
                for epoch, error, code, out in run(*data, output, seed):
                    row = [int(output == "relu"), inverted, seed, epoch]
                    rows.writerow([*row, f"{error:.1f}", f"{code:.4f}", f"{out:.4f}"])
                print(output, inverted, seed, row[-1], f"{error:.0f}", flush=True)
    save_bytes("mandarin_inverted.csv", table.getvalue().encode())


if __name__ == "__main__":
    main()
