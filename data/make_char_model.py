"""Make data/char_model.npz: lecture 2's character model, trained for several passes over the text.

python data/make_char_model.py

The network, the alphabet and the windows are those of the lecture (tests/test_02.py compares them),
where the same code makes a fifth of one pass in front of the reader. Prints a log; the validation
bits of each pass are in the file too.
"""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import keras
import maker
import numpy as np
from keras import layers

import helpers

WIDTH, BATCH, EPOCHS, RATE = 100, 32, 10, 4e-3
PASSES = 6  # made, of the EPOCHS that the rate falls over; a core makes one in 1.3 minutes


def windows(x, width):
    n = (len(x) - 1) // width
    inputs, targets = x[: n * width], x[1 : n * width + 1]
    return inputs.reshape(n, width), targets.reshape(n, width)


def character_model(size):
    read = keras.Input((None,), dtype="int32")  # (batch, T)
    h = layers.Embedding(size, 32)(read)  # (batch, T, 32)
    h = layers.GRU(256, return_sequences=True)(h)  # (batch, T, 256)
    return keras.Model(read, layers.Dense(size)(h))  # (batch, T, size), logits


class Log(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.start, self.bits = time.time(), []

    def on_epoch_end(self, epoch, logs=None):
        self.bits.append(logs["val_loss"] / np.log(2))
        line = f"pass {epoch + 1}: {time.time() - self.start:.0f} s, "
        print(line + f"validation {self.bits[-1]:.4f} bits per character", flush=True)


def main():
    texts = {p: "\n".join(t.values()) for p, t in helpers.load_text("austen").items()}
    counts = Counter(texts["train"])
    alphabet = "".join(sorted(c for c in counts if counts[c] >= 10))
    number = {c: i + 1 for i, c in enumerate(alphabet)}  # 0 is any other character
    ids = {p: np.array([number.get(c, 0) for c in t], "int32") for p, t in texts.items()}

    keras.utils.set_random_seed(1)
    model = character_model(len(alphabet) + 1)
    x, y = windows(ids["train"], WIDTH)
    steps = EPOCHS * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps)
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    print(f"{model.count_params():,} weights, {len(x):,} windows, {steps:,} steps", flush=True)
    log, part = Log(), windows(ids["validation"][:100_001], WIDTH)
    model.fit(
        x, y, batch_size=BATCH, epochs=PASSES, validation_data=part, verbose=0, callbacks=[log]
    )
    arrays = {f"w{i}": w.astype("float16") for i, w in enumerate(model.get_weights())}
    notes = json.dumps(
        {"seed": 1, "epochs": EPOCHS, "passes": PASSES, "rate": RATE, "batch": BATCH}
    )
    maker.save_npz(
        "char_model.npz",
        arrays | {"validation_bits": np.array(log.bits), "notes": np.array(notes)},
    )


if __name__ == "__main__":
    main()
