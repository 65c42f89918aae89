"""Make data/gpt_austen.safetensors: the miniature GPT of lecture 3, trained for longer.

    python -m makers.gpt            (about ten minutes on one idle core)

It runs the very cells of lecture 3 that are tagged `gpt`: tokens, model and training. Only the
number of steps, the highest rate and the number of printed epochs are its own. The loss on windows
of the validation novel after each epoch is in the file's notes.
"""

import os
import time

os.environ.setdefault("BOOK_SEED", "1")

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "03-transformers.ipynb"
TAG = "gpt"
SETTINGS = {"steps": 4000, "rate": 0.02, "epochs": 40}


def train(name, model, settings):
    """Train the lecture's `model` (the name of its function) and write it to data/`name`."""
    lecture = definitions.take(LECTURE, tag=TAG)
    helpers.seed()
    net = getattr(lecture, model)()
    start = time.perf_counter()
    history = lecture.fit(net, settings["rate"], settings["steps"], name, epochs=settings["epochs"])
    minutes = (time.perf_counter() - start) / 60
    log = {key: [float(v) for v in history[key]] for key in ("seconds", "loss", "val_loss")}
    made_from = definitions.made_from(LECTURE, settings=settings, tag=TAG)
    save_checkpoint(name, net.get_weights(), made_from=made_from, log=log)
    last = log["val_loss"][-1]
    print(f"{settings['steps']} steps in {minutes:.1f} minutes; validation loss {last:.4f} nats")


if __name__ == "__main__":
    train("gpt_austen.safetensors", "gpt", SETTINGS)
