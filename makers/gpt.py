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


def main():
    s, lecture = SETTINGS, definitions.take(LECTURE, tag=TAG)
    helpers.seed()
    model = lecture.gpt()
    start = time.perf_counter()
    history = lecture.fit(model, s["rate"], s["steps"], "checkpoint", epochs=s["epochs"])
    minutes = (time.perf_counter() - start) / 60
    log = {key: [float(v) for v in history[key]] for key in ("seconds", "loss", "val_loss")}
    made_from = definitions.made_from(LECTURE, settings=SETTINGS, tag=TAG)
    save_checkpoint("gpt_austen.safetensors", model.get_weights(), made_from=made_from, log=log)
    last = log["val_loss"][-1]
    print(f"{s['steps']} steps in {minutes:.1f} minutes; validation loss {last:.4f} nats")


if __name__ == "__main__":
    main()
