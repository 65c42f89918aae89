"""Make data/char_model.safetensors: lecture 2's character model, trained for several passes.

    python -m makers.char_model

The network and the windows are the lecture's own, where the same code makes a part of one pass in
front of the reader. Prints a log; the validation bits of each pass are in the file's notes too.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")

import time
from collections import Counter

import keras
import numpy as np

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "02-text-generation.ipynb"
NAMES = ("windows", "character_model")
# passes are made of the epochs that the rate falls over; a core makes one in 1.3 minutes
SETTINGS = {"seed": 1, "width": 100, "batch": 32, "epochs": 10, "passes": 6, "rate": 4e-3}


class Log(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.start, self.bits = time.time(), []

    def on_epoch_end(self, epoch, logs=None):
        self.bits.append(float(logs["val_loss"] / np.log(2)))
        line = f"pass {epoch + 1}: {time.time() - self.start:.0f} s, "
        print(line + f"validation {self.bits[-1]:.4f} bits per character", flush=True)


def main():
    lecture, s = definitions.take(LECTURE, NAMES), SETTINGS
    texts = {p: "\n".join(t.values()) for p, t in helpers.load_text("austen").items()}
    counts = Counter(texts["train"])
    alphabet = "".join(sorted(c for c in counts if counts[c] >= 10))
    number = {c: i + 1 for i, c in enumerate(alphabet)}  # 0 is any other character
    ids = {p: np.array([number.get(c, 0) for c in t], "int32") for p, t in texts.items()}

    keras.utils.set_random_seed(s["seed"])
    model = lecture.character_model(len(alphabet) + 1)
    x, y = lecture.windows(ids["train"], s["width"])
    steps = s["epochs"] * -(-len(x) // s["batch"])
    rate = keras.optimizers.schedules.CosineDecay(s["rate"], steps)
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    print(f"{model.count_params():,} weights, {len(x):,} windows, {steps:,} steps", flush=True)
    log, part = Log(), lecture.windows(ids["validation"][:100_001], s["width"])
    model.fit(
        x, y, batch_size=s["batch"], epochs=s["passes"], validation_data=part, verbose=0,
        callbacks=[log],
    )  # fmt: skip
    made_from = definitions.made_from(LECTURE, NAMES, SETTINGS)
    save_checkpoint(
        "char_model.safetensors", model.get_weights(), made_from=made_from, validation_bits=log.bits
    )


if __name__ == "__main__":
    main()
