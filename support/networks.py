"""Networks that lectures load rather than train: their layers, and how weights are read.

The ImageNet classifier, the VGG16 features and the two judges of generated images; a lecture's own
checkpoint is read by `set_weights` into the model that the lecture has built.
"""

import numpy as np
from keras import Input, Model, layers
from safetensors.numpy import load_file

from support import files

JUDGE_FEATURES = 64


def set_weights(model, path):
    """Give the built Keras `model` the weights in a safetensors file; return the file's notes.

    The file's tensors, of any float type, bear the paths of the model's weights or their places
    ("00", "01", …). Raises ValueError when the
    number of weights, or a shape, is another.
    """
    stored = load_file(path)
    weights = model.weights
    if len(stored) != len(weights):
        raise ValueError(f"{path.name} has {len(stored)} weights, the model {len(weights)}")
    by_path = set(stored) == {weight.path for weight in weights}
    names = [weight.path for weight in weights] if by_path else sorted(stored)
    for name, weight in zip(names, weights, strict=True):
        if stored[name].shape != tuple(weight.shape):
            raise ValueError(
                f"weight {name} of {path.name} has shape {stored[name].shape}, the model's "
                f"{weight.path} {tuple(weight.shape)}: it was made for another model"
            )
        weight.assign(np.asarray(stored[name], "float32"))
    return files.read_notes(path)


def build_efficientnet_lite0():
    """Return the untrained network of helpers.load_imagenet_network as a functional Keras model.

    Names of layers: stem, block0 … block15 with _expand, _depthwise, _project (convolutions), each
    with its _bn and _relu, head, pool, logits. Source: Tan and Le 2019; Lite: no squeeze-excite.
    """

    def convolve(x, kind, name, relu=True, **settings):
        x = kind(padding="same", use_bias=False, name=name, **settings)(x)
        x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
        return layers.ReLU(6, name=f"{name}_relu")(x) if relu else x

    def conv(x, filters, name, size=1, strides=1, relu=True):
        settings = {"filters": filters, "kernel_size": size, "strides": strides}
        return convolve(x, layers.Conv2D, name, relu, **settings)

    pixels = Input((None, None, 3), name="pixels")
    x = layers.Rescaling(1 / 128, -127 / 128, name="rescale")(pixels)
    x = conv(x, 32, "stem", size=3, strides=2)
    stages = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)]
    stages += [(3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
    number = 0
    for repeats, size, stride, factor, filters in stages:
        for repeat in range(repeats):
            name, strides, entry = f"block{number}", stride if repeat == 0 else 1, x
            if factor > 1:
                x = conv(x, factor * x.shape[-1], f"{name}_expand")
            settings = {"kernel_size": size, "strides": strides}
            x = convolve(x, layers.DepthwiseConv2D, f"{name}_depthwise", **settings)
            x = conv(x, filters, f"{name}_project", relu=False)
            if repeat > 0:
                x = layers.Add(name=f"{name}_add")([entry, x])
            number += 1
    x = conv(x, 1280, "head")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return Model(pixels, layers.Dense(1000, name="logits")(x), name="efficientnet_lite0")


def build_vgg_features():
    """Return the untrained network of helpers.load_vgg_features as a functional Keras model."""
    pixels = Input((None, None, 3), name="pixels")
    mean = [-122.67892, -116.66877, -104.00699]  # of the pictures that it was trained on
    x = layers.Rescaling(1.0, mean, name="subtract_mean")(pixels)
    for block, (count, filters) in enumerate([(2, 64), (2, 128), (3, 256), (1, 512)], start=1):
        for i in range(1, count + 1):
            settings = {"activation": "relu", "name": f"block{block}_conv{i}"}
            x = layers.Conv2D(filters, 3, padding="same", **settings)(x)
        if block < 4:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
    return Model(pixels, x, name="vgg16_features")


def build_judge():
    """Return the untrained network: images (n, 28, 28, 1) in [0, 1] to [logits, features].

    logits are (n, 10); features (n, 64), after a ReLU, are what the Fréchet distance compares.
    """
    x = Input((28, 28, 1), name="images")
    h = layers.Conv2D(32, 4, strides=2, padding="same", activation="relu", name="conv1")(x)
    h = layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2")(h)  # (14, 14, 64)
    h = layers.Conv2D(64, 4, strides=2, padding="same", activation="relu", name="conv3")(h)
    h = layers.Dropout(0.3, name="drop1")(layers.Flatten(name="flat")(h))  # (3136,)
    features = layers.Dense(JUDGE_FEATURES, "relu", name="features")(h)
    logits = layers.Dense(10, name="logits")(layers.Dropout(0.3, name="drop2")(features))
    return Model(x, [logits, features], name="judge")
