"""Print, as JSON, the defaults and meanings of Keras that lectures rely on without saying them.

A script of its own, so that the Python of another environment can run it: `tests/test_defaults.py`
compares what the book's Keras says with the oldest and the newest that the book admits.
"""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops


def config(thing, *keys):
    """Return {key: value} of an object's settings; a nested object by its name."""
    found = thing.get_config()
    return {k: v["class_name"] if isinstance(v := found[k], dict) else v for k in keys}


def number(value):
    return round(float(np.asarray(ops.convert_to_numpy(value))), 6)


def defaults():
    """Return {what: its settings, or the value of a small example}."""
    optimizers, x = keras.optimizers, np.array([[-1.0, 0.5], [2.0, -3.0]], "float32")
    adam = ("beta_1", "beta_2", "epsilon", "amsgrad", "weight_decay", "use_ema", "ema_momentum")
    kernels = ("kernel_initializer", "bias_initializer", "padding")
    found = {
        "Adam": config(optimizers.Adam(), *adam),
        "AdamW": config(optimizers.AdamW(), *adam),
        "SGD": config(optimizers.SGD(), "momentum", "nesterov"),
        "cosine": config(optimizers.schedules.CosineDecay(1.0, 10), "alpha", "warmup_steps"),
        "Dense": config(layers.Dense(1), *kernels[:2]),
        "Conv2D": config(layers.Conv2D(1, 3), *kernels),
        "Conv2DTranspose": config(layers.Conv2DTranspose(1, 3), *kernels),
        "Embedding": config(layers.Embedding(2, 2), "embeddings_initializer", "mask_zero"),
        "GRU": config(
            layers.GRU(1), "reset_after", "recurrent_initializer", "recurrent_activation"
        ),
        "BatchNormalization": config(layers.BatchNormalization(), "momentum", "epsilon"),
        "LayerNormalization": config(layers.LayerNormalization(), "epsilon", "center", "scale"),
        "GroupNormalization": config(layers.GroupNormalization(1), "epsilon"),
        "ELU": config(layers.ELU(), "alpha"),
        "LeakyReLU": config(layers.LeakyReLU(), "negative_slope"),
        "LSTM": config(layers.LSTM(1), "unit_forget_bias", "recurrent_initializer"),
        "UpSampling2D": config(layers.UpSampling2D(2), "interpolation"),
        "random_normal": config(keras.initializers.RandomNormal(), "mean", "stddev"),
        "random_uniform": config(keras.initializers.RandomUniform(), "minval", "maxval"),
    }
    y = np.array([[0.0, 1.0], [1.0, 0.0]], "float32")
    for loss in ("MeanSquaredError", "BinaryCrossentropy"):
        options = {"from_logits": True} if loss == "BinaryCrossentropy" else {}
        found[loss] = number(getattr(keras.losses, loss)(**options)(y, x))
    target = np.array([1, 0])
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found["SparseCategoricalCrossentropy"] = number(sparse(target, x))
    for name in ("leaky_relu", "elu", "gelu", "softplus", "silu"):
        found[name] = number(ops.sum(getattr(keras.activations, name)(x)))
    return found


if __name__ == "__main__":
    print(json.dumps({"keras": keras.__version__, "defaults": defaults()}))
