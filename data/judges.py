"""The two fixed classifiers that judge generated images, untrained: their layers.

`helpers.judge` and `make_judges.py` use them. After a change run `maker.list_hash` on this file
(SHA256SUMS lists it).
"""

from keras import Input, Model, layers

FEATURES = 64


def build_judge():
    """Return the untrained network: images (n, 28, 28, 1) in [0, 1] to [logits, features].

    logits are (n, 10); features (n, 64), after a ReLU, are what the Fréchet distance compares.
    """
    x = Input((28, 28, 1), name="images")
    h = layers.Conv2D(32, 4, strides=2, padding="same", activation="relu", name="conv1")(x)
    h = layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2")(h)  # (14, 14, 64)
    h = layers.Conv2D(64, 4, strides=2, padding="same", activation="relu", name="conv3")(h)
    h = layers.Dropout(0.3, name="drop1")(layers.Flatten(name="flat")(h))  # (3136,)
    features = layers.Dense(FEATURES, "relu", name="features")(h)
    logits = layers.Dense(10, name="logits")(layers.Dropout(0.3, name="drop2")(features))
    return Model(x, [logits, features], name="judge")
