"""Make data/gan_fashion.safetensors: the convolutional GAN of lecture 8, trained for longer.

    python -m makers.gan [FOLDER]

The functions are the lecture's own. The generator is trained on the 60,000 training images of
Fashion-MNIST with a rate that falls along a cosine; what is stored is the moving average of its
weights, with the statistics of its batch normalisation measured again. FOLDER keeps what there is
every 1,000 rounds. The card in data/README.md has the log. Test images are not read.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("BOOK_SEED", "1")

import keras
import numpy as np
from safetensors.numpy import save_file

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "08-generative-adversarial-networks.ipynb"
NAMES = ("adversaries", "conv_generator", "conv_discriminator", "play", "settle")
SETTINGS = {"rounds": 12000, "batch_size": 64, "rate": 0.0006, "average": 0.999, "channels": 48}


def main(folder=None):
    s, lecture = SETTINGS, definitions.take(LECTURE, NAMES)
    (x, _), _ = helpers.load_fashion()
    x = x[..., None].astype("float32") / 255
    helpers.seed()
    rate = keras.optimizers.schedules.CosineDecay(s["rate"], s["rounds"])
    networks = lecture.conv_generator(), lecture.conv_discriminator(s["channels"])
    players = lecture.adversaries(*networks, rate, rate, s["average"])
    stored = []

    def keep(players, i):
        kept = players[0].get_weights()
        lecture.settle(players, np.random.default_rng(i))
        stored[:] = players[0].get_weights()
        players[0].set_weights(kept)
        print(f", {time.process_time():.0f} s of a core", flush=True)
        if folder:
            arrays = {f"{j:02d}": w.astype("float16") for j, w in enumerate(stored)}
            save_file(arrays, Path(folder) / f"{i:05}.safetensors")

    lecture.play(players, x, s["rounds"], s["batch_size"], "convolutional GAN", keep, every=1000)
    made_from = definitions.made_from(LECTURE, NAMES, SETTINGS)
    save_checkpoint("gan_fashion.safetensors", stored, made_from=made_from)


if __name__ == "__main__":
    main(*sys.argv[1:])
