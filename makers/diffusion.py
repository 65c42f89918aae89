"""Make data/diffusion.safetensors: the digit denoiser of lecture 9, trained for longer.

    python -m makers.diffusion [FILE]

Functions are the lecture's own. Training takes the first 50,000 training images of MNIST; the last
10,000 and the test images are not read. Each step has random numbers of its own; with FILE (.npz)
a run that was stopped goes on from its last state and gives the same weights. It prints the log
that the card in data/README.md gives.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("BOOK_SEED", "1")

import keras
import numpy as np

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "09-diffusion-models.ipynb"
NAMES = ("noisy_batch", "u_net", "rate")
SETTINGS = {"steps": 6000, "held_out": 10_000, "peak": 0.002, "average": 0.998, "clip": 1}


def main():
    s, lecture = SETTINGS, definitions.take(LECTURE, NAMES, none=10)
    keras.utils.set_random_seed(helpers.SEED)
    (x, y), _ = helpers.load_mnist()
    x, y = (part[: -s["held_out"]] for part in (x, y))
    x, y = x.astype("float32") / 127.5 - 1, y.astype("int32")
    model = lecture.u_net()
    average = {"use_ema": True, "ema_momentum": s["average"]}
    adam = keras.optimizers.Adam(s["peak"], global_clipnorm=s["clip"], **average)
    model.compile(adam, "mse")

    def batch(step):
        return lecture.noisy_batch(x, y, np.random.default_rng([helpers.SEED, step]))

    model.train_on_batch(*batch(2**31))
    state = Path(sys.argv[1]) if len(sys.argv) > 1 else None  # to go on after a stop
    variables = [*model.weights, *adam.variables]
    first, seconds, start = 0, 0.0, time.perf_counter()
    if state and state.exists():
        with np.load(state, allow_pickle=False) as kept:
            first, seconds = int(kept["step"]), float(kept["seconds"])
            for i, variable in enumerate(variables):
                variable.assign(kept[f"{i:03d}"])
    log = []
    for step in range(first, s["steps"]):
        adam.learning_rate.assign(lecture.rate(step, s["steps"], s["peak"]))
        loss = model.train_on_batch(*batch(step))
        if (step + 1) % 200 == 0:
            model.reset_metrics()
            now = seconds + time.perf_counter() - start
            log.append([step + 1, float(loss)])
            print(f"step {step + 1}, {now:.0f} s, loss {float(loss):.4f}", flush=True)
            if state:
                arrays = {f"{i:03d}": np.array(v) for i, v in enumerate(variables)}
                np.savez(state, step=step + 1, seconds=now, **arrays)
    adam.finalize_variable_values(model.trainable_weights)
    made_from = definitions.made_from(LECTURE, NAMES, SETTINGS, ["none"])
    save_checkpoint("diffusion.safetensors", model.weights, made_from=made_from, log=log)


if __name__ == "__main__":
    main()
