"""The two pretrained networks, untrained, and how they get their weights.

`helpers.load_imagenet_network`, `helpers.load_vgg_features` and the two makers use them. After a
change run `maker.list_hash` on this file (SHA256SUMS lists it).
"""

from keras import Input, Model, layers
from safetensors.numpy import load_file


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


def set_weights(model, path):
    """Give `model` the weights in a safetensors file (keys layer/weight, any float); freeze it."""
    stored = load_file(path)
    for weight in model.weights:
        weight.assign(stored[weight.path].astype("float32"))
    model.trainable = False
