"""Make data/vae_digits_decoder.safetensors and data/vae_hanzi_decoder.safetensors of lecture 7.

    python -m makers.vae digits|hanzi

The functions are the lecture's own. Conditional VAEs with convolutions are trained on the 60,000
training digits, and on 600 drawings of each of the lecture's twelve characters by writers of a
seed of their own; what is stored are the decoders. Test images are not read. Cards and logs are in
data/README.md.
"""

import sys

import numpy as np

import helpers
from book import definitions
from makers.common import LECTURES, save_checkpoint

LECTURE = LECTURES / "07-variational-autoencoders.ipynb"
NAMES = ("conv_vae", "fit", "nats")
HANZI_NAMES = (*NAMES, "drawn_hanzi", "wanted_chars")
SETTINGS = {
    "digits": {"rate": 0.002, "epochs": 15, "batch_size": 128, "latent_dim": 8},
    "hanzi": {"rate": 0.002, "epochs": 60, "batch_size": 60, "latent_dim": 8, "each": 600,
              "seed": 2000},
}  # fmt: skip


def pictures(which, lecture, settings):
    """Return training pictures (n, side * side), their classes (n,) and the number of classes."""
    if which == "digits":
        (x, y), _ = helpers.load_mnist()
        return x.reshape(-1, 784).astype("float32") / 255, y, 10
    n = settings["each"]
    x = lecture.drawn_hanzi(n, settings["seed"]).astype("float32")
    return x, np.repeat(np.arange(len(lecture.wanted_chars)), n), len(lecture.wanted_chars)


def main(which):
    s, names = SETTINGS[which], NAMES if which == "digits" else HANZI_NAMES
    lecture = definitions.take(LECTURE, names)
    x, y, n_classes = pictures(which, lecture, s)
    y = np.eye(n_classes, dtype="float32")[y]
    helpers.seed()
    model, _, decoder = lecture.conv_vae(int(x.shape[1] ** 0.5), n_classes, s["latent_dim"])
    log = lecture.fit(model, [x, y], x, s["rate"], s["epochs"], which, s["batch_size"])
    made_from = definitions.made_from(LECTURE, names, s)
    kept = {"loss": [round(v, 2) for v in log["loss"]], "seconds": round(log["seconds"][-1])}
    save_checkpoint(
        f"vae_{which}_decoder.safetensors", decoder.get_weights(), made_from=made_from, log=kept
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
