"""Make data/fashion.npz from the Debian package dataset-fashion-mnist.

apt-get download dataset-fashion-mnist=0.0~git20200523.55506a9-1
python -m makers.fashion dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb
"""

import gzip
import sys

from makers.common import debian_terms, open_deb, save_bytes, save_npz
from makers.mnist import read_idx

SOURCE_SHA256 = "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}


def main(package):
    with open_deb(package, SOURCE_SHA256) as deb:
        arrays = {
            key: read_idx(
                gzip.decompress(
                    deb.extractfile(f"./usr/share/datasets/fashion-mnist/{name}").read()
                )
            )
            for key, name in FILES.items()
        }
        terms = deb.extractfile("./usr/share/doc/dataset-fashion-mnist/copyright").read()
    save_npz("fashion.npz", arrays)
    save_bytes("fashion.LICENSE.txt", debian_terms(terms))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
