"""Make data/comparison.npz: five families of generative models on the same data and budget.

    python -m makers.comparison [FOLDER]

Functions are lecture 10's own. Each family is trained with each of three seeds in a process of its
own, on one thread, for a number of steps that was fixed beforehand so that it takes about a minute
of one core here. FOLDER keeps finished runs, so that a run that was stopped goes on. Training reads
the first 50,000 training images of MNIST; test images are read once, after training. It prints what
the card in data/README.md gives.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("BOOK_SEED", "1")

import keras
import numpy as np

import helpers
from book import definitions
from makers.common import LECTURES, save_npz

LECTURE = LECTURES / "10-which-generative-model.ipynb"
FAMILIES = ("vae", "gan", "flow", "diffusion", "pixels")
NAMES = ("black_white", "bound", "measure", "discriminator")
NAMES += tuple(f"{verb}_{family}" for verb in ("train", "draw") for family in FAMILIES)
NAMES += ("nats_flow", "nats_diffusion", "nats_pixels")
SETTINGS = {
    "seeds": [1, 2, 3],
    "steps": {"vae": 4200, "gan": 2100, "flow": 820, "diffusion": [1350, 2000], "pixels": 930},
}
COLUMNS = ("frechet", "precision", "recall", "density", "coverage", "nats", "seconds_per_1000")
COLUMNS += ("parameters", "training")


def toss(decoder, z, rng):  # codes -> pictures whose pixels are tossed, (n, 28, 28)
    logits = decoder.predict(z, batch_size=500, verbose=0)
    chance = 1 / (1 + np.exp(-logits.reshape(-1, 28, 28)))
    return (rng.random(chance.shape) < chance).astype("float32")


def run(family):
    """Train, draw and measure once with the book's seed; return arrays."""
    lecture = definitions.take(LECTURE, NAMES)
    (x, _), (x_test, _) = helpers.load_mnist()
    x = lecture.black_white(x[:50_000])
    chosen = np.random.default_rng(0).permutation(10_000)[:2000]
    real = lecture.black_white(x_test[chosen])
    rng = np.random.default_rng(helpers.seed())
    start = time.process_time()
    model = vars(lecture)[f"train_{family}"](x, SETTINGS["steps"][family], rng)
    middle = time.process_time()
    made = vars(lecture)[f"draw_{family}"](model, 2000, rng)
    drawing = (time.process_time() - middle) / 2
    nats, result = np.nan, {}
    if family == "vae":
        nats = lecture.bound(model, real, rng, k=50).mean()
        result["elbo"] = lecture.bound(model, real, rng).mean()
        z = rng.standard_normal((2000, model[1].input_shape[1]))
        result["tossed"] = lecture.measure(toss(model[1], z, rng), real)[0]
    elif family != "gan":
        nats = vars(lecture)[f"nats_{family}"](model, real, rng).mean()
    parts = model if isinstance(model, list | tuple) else [model]
    count = sum(p.count_params() for p in parts if isinstance(p, keras.Model))
    if family == "gan":
        count += lecture.discriminator().count_params()
    row = [*lecture.measure(made, real), nats, drawing, count, middle - start]
    bits = np.packbits(made[:20].reshape(20, 784).astype(bool), axis=-1)
    return {"row": np.array(row, "float64"), "samples": bits, **result}


def main(folder):
    """Run what `folder` hasn't got yet, each in a process of its own; then put all together."""
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    results, seeds = {}, SETTINGS["seeds"]
    for seed in seeds:
        for family in FAMILIES:
            path = Path(folder) / f"{family}-{seed}.npz"
            if not path.exists():
                env = os.environ | dict.fromkeys(threads, "1") | {"BOOK_SEED": str(seed)}
                command = [sys.executable, "-m", "makers.comparison", family, str(path)]
                subprocess.run(command, env=env, check=True)
            results[family, seed] = dict(np.load(path, allow_pickle=False))
            said = zip(COLUMNS, results[family, seed]["row"], strict=True)
            print(family, seed, *(f"{name} {value:.4g}" for name, value in said), flush=True)
    rows = np.array([[results[f, s]["row"] for s in seeds] for f in FAMILIES])  # (5, 3, 9)
    arrays = {name: rows[:, :, i] for i, name in enumerate(COLUMNS)}
    arrays["families"] = np.array(FAMILIES)
    arrays["samples"] = np.stack([results[f, seeds[0]]["samples"] for f in FAMILIES])
    arrays["pixel_steps"] = np.array(SETTINGS["steps"]["pixels"])
    for name, key in (("vae_elbo", "elbo"), ("tossed_frechet", "tossed")):
        arrays[name] = np.array([results["vae", s][key] for s in seeds])
    made_from = definitions.made_from(LECTURE, NAMES, SETTINGS)
    save_npz("comparison.npz", arrays | {"notes": np.array(json.dumps({"made_from": made_from}))})


if __name__ == "__main__":
    if len(sys.argv) == 3:
        np.savez(sys.argv[2], **run(sys.argv[1]))
    else:
        main(*sys.argv[1:] or [tempfile.mkdtemp()])
