"""Make data/gpt_austen.npz (float16): the miniature GPT of lecture 3, trained for longer.

    nice python data/make_gpt.py            (about ten minutes on one idle core)

It runs the very cells of lectures/03-transformers.ipynb that are tagged `gpt`: tokens, model and
training. Only the number of steps, the highest rate and the number of printed epochs are its own.
The loss on windows of the validation novel after each epoch is stored beside the weights.
"""

import os
import sys
import time

import nbformat
import numpy as np
from maker import HERE, save_npz

os.environ.setdefault("BOOK_SEED", "1")
sys.path.insert(0, str(HERE.parent))
STEPS, RATE, EPOCHS = 4000, 0.02, 40


def lecture_code():
    """Return the code of the lecture's cells tagged `gpt`, in order."""
    notebook = nbformat.read(HERE.parent / "lectures" / "03-transformers.ipynb", as_version=4)
    cells = [c.source for c in notebook.cells if "gpt" in c.metadata.get("tags", [])]
    return "\n\n".join(cells)


def main():
    """Train for STEPS steps of 32 windows and write the weights, vocabulary and log."""
    lecture = {}
    exec(compile(lecture_code(), "lecture 3", "exec"), lecture)
    lecture["helpers"].seed()
    model = lecture["gpt"]()
    start = time.perf_counter()
    history = lecture["fit"](model, STEPS, RATE, "checkpoint", epochs=EPOCHS)
    seconds = time.perf_counter() - start
    arrays = {f"weight_{i:02d}": w.astype("float16") for i, w in enumerate(model.get_weights())}
    log = np.array([history["seconds"], history["loss"], history["val_loss"]], "float32")
    save_npz(HERE / "gpt_austen.npz", arrays | {"log": log, "steps": np.array(STEPS)})
    print(f"{STEPS} steps in {seconds / 60:.1f} minutes; validation loss {log[2, -1]:.4f} nats")


if __name__ == "__main__":
    main()
