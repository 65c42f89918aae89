"""Make data/gru_austen.safetensors: the recurrent rival of lecture 3's GPT, trained as long as it.

    python -m makers.gru            (about eight minutes on one idle core)

It runs the very cells of lecture 3 that are tagged `gpt`: tokens, model and training. The highest
rate is that of the GPT's checkpoint (makers/gpt.py), the number of steps takes about the same time
on a CPU. The loss on windows of the validation novel after each epoch is in the file's notes.
"""

import os

os.environ.setdefault("BOOK_SEED", "1")

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "03-transformers.ipynb"
TAG = "gpt"
SETTINGS = {"steps": 4500, "rate": 0.02, "epochs": 45}


def main():
    s, lecture = SETTINGS, definitions.take(LECTURE, tag=TAG)
    helpers.seed()
    model = lecture.recurrent()
    history = lecture.fit(model, s["rate"], s["steps"], "long GRU", epochs=s["epochs"])
    log = {key: [float(v) for v in history[key]] for key in ("seconds", "loss", "val_loss")}
    made_from = definitions.made_from(LECTURE, settings=SETTINGS, tag=TAG)
    save_checkpoint("gru_austen.safetensors", model.get_weights(), made_from=made_from, log=log)
    print(f"{s['steps']} steps; validation loss {log['val_loss'][-1]:.4f} nats")


if __name__ == "__main__":
    main()
